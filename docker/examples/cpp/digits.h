#pragma once

#include <trainit/result.h>

#include <array>
#include <string>
#include <vector>

inline constexpr int kPixels = 64;  // 8 rows of 8
inline constexpr int kClasses = 10;

struct Image {
  std::array<float, kPixels> pixels;  // 0 (paper) to 1 (ink)
  int digit;
};

/// Reads <directory>/digits.csv: one image a line, 64 pixel values of 0 to 16, then the digit.
trainit::Result<std::vector<Image>> load_digits(const std::string& directory);

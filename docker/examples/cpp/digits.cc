#include "digits.h"

#include <cstdio>
#include <memory>

namespace {

constexpr float kBrightest = 16;

/// The numbers of one line into `image`; false when they are not what they should be.
bool parse_line(const char* line, Image& image) {
  int consumed = 0;
  for (float& pixel : image.pixels) {
    float value = 0;
    if (std::sscanf(line, "%f,%n", &value, &consumed) != 1 || value < 0 || value > kBrightest) {
      return false;
    }
    pixel = value / kBrightest;
    line += consumed;
  }
  return std::sscanf(line, "%d", &image.digit) == 1 && image.digit >= 0 && image.digit < kClasses;
}

}  // namespace

trainit::Result<std::vector<Image>> load_digits(const std::string& directory) {
  const std::string path = directory + "/digits.csv";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"),
                                                             std::fclose);
  if (!file) return trainit::fail(path + " cannot be read");
  std::vector<Image> images;
  char line[1024];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    Image image;
    if (!parse_line(line, image)) {
      return trainit::fail(path + ": line " + std::to_string(images.size() + 1) +
                           ": expected 64 pixel values of 0 to 16 and a digit");
    }
    images.push_back(image);
  }
  if (images.empty()) return trainit::fail(path + " has no images");
  return images;
}

#pragma once

#include <cstdint>
#include <span>

/// What Python 3.11 (Unicode 14) knows of characters, as far as it shows in text that scripts get.
namespace trainit::unicode {

/// The code points where `str.isprintable` changes, in plane 0 and above it. Each list begins in
/// the state "not printable", so a character is printable when an odd number of them is not above
/// it.
extern const std::span<const std::uint16_t> kPrintableBoundariesLow;
extern const std::span<const std::uint32_t> kPrintableBoundariesHigh;

/// Each `step`-th character of first…last has one upper-case character, `distance` above it.
struct UpperRange {
  std::uint32_t first;
  std::uint32_t last;
  std::uint16_t step;
  std::int32_t distance;
};
extern const std::span<const UpperRange> kUpperRanges;  ///< in order, not overlapping

/// A character whose upper case is two or three characters (0 for no third).
struct LongUpper {
  std::uint16_t character;
  std::uint16_t upper[3];
};
extern const std::span<const LongUpper> kLongUppers;  ///< in order

}  // namespace trainit::unicode

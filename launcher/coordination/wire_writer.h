#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordination/wire_limits.h"

namespace trainit::coordination {

/// Writes the fields of a message one behind the other. Its functions are those of WireReader, so
/// that one list of the fields serves both. What is over a limit is cut, or takes the nearest value
/// that is allowed: whatever is written can be read.
class WireWriter {
 public:
  template <class T>
  using Part = const T;

  /// `most_detail`: the bytes that each detail may have.
  explicit WireWriter(std::size_t most_detail = kMostText) : most_detail_(most_detail) {}

  void kind(std::size_t value) { integer(value, 1); }

  void flag(bool value) { integer(value, 1); }
  void number(int value) { integer(static_cast<std::uint32_t>(value), 4); }
  void number(std::uint64_t value) { integer(value, 8); }
  void number(std::int64_t value) { integer(static_cast<std::uint64_t>(value), 8); }
  void number(int value, Range range) { number(std::clamp(value, range.least, range.most)); }
  template <class Enum>
  void choice(Enum value, Enum) {
    integer(static_cast<std::uint64_t>(value), 1);
  }

  void microseconds(std::int64_t value) { number(std::clamp(value, -kMostTime, kMostTime)); }
  void time(sys::TimePoint value) { time(value.time_since_epoch()); }
  void time(sys::Duration value);

  /// Its beginning, when it is too long.
  void text(std::string_view value, std::size_t most = kMostText);
  /// Its end, when it is too long.
  void detail(std::string_view value);

  template <class T>
  void maybe(const std::optional<T>& value) {
    flag(value.has_value());
    if (value) fields(*this, *value);
  }
  /// The first ones, when they are too many or too long.
  template <class T>
  void list(const std::vector<T>& values, ListLimits limits) {
    const std::size_t start = bytes_.size();
    integer(0, 4);
    std::uint32_t count = 0;
    for (const T& value : values) {
      const std::size_t before = bytes_.size();
      if (count < limits.items) fields(*this, value);
      if (count == limits.items || bytes_.size() - start - 4 > limits.bytes) {
        bytes_.resize(before);
        break;
      }
      ++count;
    }
    put(start, count, 4);
  }

  /// What was written, behind its length.
  std::string take_frame() &&;

 private:
  void integer(std::uint64_t value, std::size_t size);
  void put(std::size_t at, std::uint64_t value, std::size_t size);

  std::string bytes_;
  std::size_t most_detail_;
};

}  // namespace trainit::coordination

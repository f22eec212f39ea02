#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordination/wire_limits.h"

namespace trainit::coordination {

/// Reads the fields that a WireWriter has written. At the first one that is not as it must be it
/// stops: that one and all after it are empty or 0, and `problem` says what it was.
class WireReader {
 public:
  template <class T>
  using Part = T;

  /// `bytes` must outlive it.
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  void flag(bool& value);
  void number(int& value) { value = static_cast<int>(static_cast<std::uint32_t>(integer(4))); }
  void number(std::uint64_t& value) { value = integer(8); }
  void number(std::int64_t& value) { value = static_cast<std::int64_t>(integer(8)); }
  void number(int& value, Range range);
  template <class Enum>
  void choice(Enum& value, Enum last) {
    value = static_cast<Enum>(choice(static_cast<int>(last)));
  }

  void microseconds(std::int64_t& value);
  void time(sys::TimePoint& value);
  void time(sys::Duration& value);

  void text(std::string& value, std::size_t most = kMostText);
  void detail(std::string& value) { text(value); }

  template <class T>
  void maybe(std::optional<T>& value) {
    bool there = false;
    flag(there);
    if (!there) return value.reset();
    fields(*this, value.emplace());
  }
  template <class T>
  void list(std::vector<T>& values, ListLimits limits) {
    values.clear();
    const std::size_t count = count_of(limits), start = rest_.size();
    while (values.size() < count && problem_.empty()) {
      fields(*this, values.emplace_back());
      if (start - rest_.size() > limits.bytes) return fail_list(limits);
    }
  }

  /// Nothing may be left.
  void finish();
  /// "a truth value of 2", to stand after "with"; empty: none.
  const std::string& problem() const { return problem_; }

 private:
  std::uint64_t integer(std::size_t size);
  int choice(int last);
  std::size_t count_of(ListLimits limits);
  void fail(std::string problem);
  void fail_list(ListLimits limits);

  std::string_view rest_;
  std::string problem_;
};

}  // namespace trainit::coordination

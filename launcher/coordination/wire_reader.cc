#include "coordination/wire_reader.h"

#include <fmt/format.h>

#include <utility>

namespace trainit::coordination {

void WireReader::flag(bool& value) {
  const std::uint64_t byte = integer(1);
  if (byte > 1) fail(fmt::format("a truth value of {}", byte));
  value = byte == 1;
}

void WireReader::number(int& value, Range range) {
  number(value);
  if (value >= range.least && value <= range.most) return;
  fail(fmt::format("the number {}, where {} to {} are possible", value, range.least, range.most));
  value = range.least;
}

int WireReader::choice(int last) {
  const int value = static_cast<int>(integer(1));
  if (value <= last) return value;
  fail(fmt::format("a choice of {}, where {} is the last", value, last));
  return 0;
}

void WireReader::microseconds(std::int64_t& value) {
  number(value);
  if (value >= -kMostTime && value <= kMostTime) return;
  fail(fmt::format("a time of {} µs, which no clock shows", value));
  value = 0;
}

void WireReader::time(sys::TimePoint& value) {
  sys::Duration since_epoch{};
  time(since_epoch);
  value = sys::TimePoint(since_epoch);
}

void WireReader::time(sys::Duration& value) {
  std::int64_t count = 0;
  microseconds(count);
  value = std::chrono::microseconds(count);
}

void WireReader::text(std::string& value, std::size_t most) {
  const std::size_t size = integer(4);
  value.clear();
  if (size > most)
    return fail(fmt::format("a text of {} bytes, where {} are the most", size, most));
  if (size > rest_.size())
    return fail(fmt::format("a text of {} bytes, where {} are left", size, rest_.size()));
  value = rest_.substr(0, size);
  rest_.remove_prefix(size);
}

void WireReader::finish() {
  if (!rest_.empty()) fail(fmt::format("{} bytes too many", rest_.size()));
}

std::uint64_t WireReader::integer(std::size_t size) {
  if (rest_.size() < size) {
    fail("a field that is cut off");
    return 0;
  }
  std::uint64_t value = 0;
  for (const char byte : rest_.substr(0, size))
    value = value << 8 | static_cast<unsigned char>(byte);
  rest_.remove_prefix(size);
  return value;
}

std::size_t WireReader::count_of(ListLimits limits) {
  constexpr std::size_t kLeastItem = 4;
  const std::size_t count = integer(4);
  if (count <= limits.items && count <= rest_.size() / kLeastItem) return count;
  if (count > limits.items)
    fail(fmt::format("a list of {}, where {} are the most", count, limits.items));
  else
    fail(fmt::format("a list of {}, which cannot be in {} bytes", count, rest_.size()));
  return 0;
}

void WireReader::fail(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
  rest_ = {};
}

void WireReader::fail_list(ListLimits limits) {
  fail(fmt::format("a list of more than {} bytes", limits.bytes));
}

}  // namespace trainit::coordination

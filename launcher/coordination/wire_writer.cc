#include "coordination/wire_writer.h"

#include <utility>

#include "base/utf8.h"

namespace trainit::coordination {
void WireWriter::time(sys::Duration value) {
  microseconds(std::chrono::duration_cast<std::chrono::microseconds>(value).count());
}

void WireWriter::text(std::string_view value, std::size_t most) {
  value = utf8::truncate(value, most);
  integer(value.size(), 4);
  bytes_ += value;
}

void WireWriter::detail(std::string_view value) {
  text(utf8::last_bytes(value, std::min(most_detail_, kMostText)));
}

std::string WireWriter::take_frame() && {
  bytes_.insert(0, 4, '\0');
  put(0, bytes_.size() - 4, 4);
  return std::move(bytes_);
}

void WireWriter::integer(std::uint64_t value, std::size_t size) {
  bytes_.append(size, '\0');
  put(bytes_.size() - size, value, size);
}

void WireWriter::put(std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0; value >>= 8) bytes_[at + i] = static_cast<char>(value);
}

}  // namespace trainit::coordination

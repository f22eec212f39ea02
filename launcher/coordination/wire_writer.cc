#include "coordination/wire_writer.h"

#include <utility>

#include "base/utf8.h"

namespace trainit::coordination {
namespace {

/// The longest suffix of at most `bytes` bytes that begins at a character.
std::string_view last_bytes(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t start = text.size() - bytes;
  // A character has three more bytes at most; where there are more, this is no UTF-8.
  for (int more = 0; more < 3 && start < text.size(); ++more, ++start) {
    if ((static_cast<unsigned char>(text[start]) & 0xC0) != 0x80) break;
  }
  return text.substr(start);
}

}  // namespace

void WireWriter::time(sys::Duration value) {
  microseconds(std::chrono::duration_cast<std::chrono::microseconds>(value).count());
}

void WireWriter::text(std::string_view value, std::size_t most) {
  value = utf8::truncate(value, most);
  integer(value.size(), 4);
  bytes_ += value;
}

void WireWriter::detail(std::string_view value) {
  text(last_bytes(value, std::min(most_detail_, kMostText)));
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

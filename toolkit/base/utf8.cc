#include "base/utf8.h"

#include <cstring>

#include "base/text.h"

namespace trainit::utf8 {
namespace {

std::uint32_t byte_at(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

std::size_t length_of_lead(std::uint32_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

constexpr std::uint32_t kSmallestOfLength[] = {0, 0, 0x80, 0x800, 0x10000};
constexpr std::uint32_t kLeadMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};

}  // namespace

Decoded decode(std::string_view text) {
  const std::uint32_t lead = byte_at(text, 0);
  const Decoded invalid{lead, 1, false};
  const std::size_t length = length_of_lead(lead);
  if (length == 0 || length > text.size()) return invalid;
  std::uint32_t code_point = lead & kLeadMask[length];
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint32_t next = byte_at(text, i);
    if ((next & 0xC0) != 0x80) return invalid;
    code_point = code_point << 6 | (next & 0x3F);
  }
  if (code_point < kSmallestOfLength[length] || code_point > 0x10FFFF) return invalid;
  return {code_point, length, true};
}

std::size_t ascii_prefix(std::string_view text) {
  constexpr std::uint64_t kBeyondAscii = 0x8080808080808080;
  std::size_t size = 0;
  for (std::uint64_t eight = 0; size + sizeof eight <= text.size(); size += sizeof eight) {
    std::memcpy(&eight, text.data() + size, sizeof eight);
    if ((eight & kBeyondAscii) != 0) break;
  }
  while (size < text.size() && byte_at(text, size) < 0x80) ++size;
  return size;
}

void append(std::string& text, std::uint32_t code_point) {
  const auto tail = [&](int shift) {
    text += static_cast<char>(0x80 | (code_point >> shift & 0x3F));
  };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0 | code_point >> 6);
    tail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | code_point >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | code_point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string sanitize(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (true) {
    const std::size_t plain = ascii_prefix(text);
    result += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return result;
    const Decoded next = decode(text);
    if (next.valid && !is_surrogate(next.code_point)) {
      result += text.substr(0, next.length);
    } else {
      append(result, 0xFFFD);
    }
    text.remove_prefix(next.length);
  }
}

std::string one_line(std::string_view text) {
  std::string result = sanitize(text);
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return result;
}

std::string_view truncate(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  for (std::size_t back = 1; back <= 3 && back <= bytes; ++back) {
    if (decode(text.substr(bytes - back)).length > back) return text.substr(0, bytes - back);
  }
  return text.substr(0, bytes);
}

std::string shorten(std::string_view text, std::size_t bytes) {
  constexpr std::string_view kCut = "…";
  if (text.size() <= bytes) return std::string(text);
  if (bytes < kCut.size()) return {};
  return std::string(trim(truncate(text, bytes - kCut.size()))) + std::string(kCut);
}

std::string_view last_bytes(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t start = text.size() - bytes;
  // A character has three more bytes at most; where there are more, this is no UTF-8.
  for (int more = 0; more < 3 && start < text.size(); ++more, ++start) {
    if ((byte_at(text, start) & 0xC0) != 0x80) break;
  }
  return text.substr(start);
}

std::size_t cut_off(std::string_view text) {
  for (std::size_t count = 1; count <= 3 && count <= text.size(); ++count) {
    const std::uint32_t byte = byte_at(text, text.size() - count);
    if ((byte & 0xC0) != 0x80) return length_of_lead(byte) > count ? count : 0;
  }
  return 0;
}

}  // namespace trainit::utf8

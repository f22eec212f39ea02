#include "store/wire.h"

#include <array>
#include <cstring>
#include <utility>

namespace trainit::store {
namespace {

/// Each kind's fields in order: k key, v value, n number of 64 bits, w word of 32 bits, K many
/// keys, P many pairs of a key and a value.
constexpr std::array<std::string_view, kOperations> kFields = {
    "w",    // validate
    "kv",   // set
    "kvv",  // compare and set
    "k",    // get
    "kn",   // add
    "K",    // check
    "K",    // wait
    "",     // number of keys
    "k",    // delete
    "kv",   // append
    "K",    // get many
    "P",    // set many
    "",     // cancel wait
    "w",    // ping
    "kv",   // queue push
    "k",    // queue pop
    "k",    // queue length
    "",     // list keys
    "kn",   // barrier
};

std::string_view fields_of(Operation operation) {
  return kFields[static_cast<std::size_t>(operation)];
}

constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
static_assert(kLittleEndian, "integers are copied as they are");

template <class Integer>
Integer copy_integer(std::string_view bytes) {
  Integer value;
  bytes.copy(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

template <class Integer>
void append_integer(Integer value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

/// Reads on behind what it has read, within the limits. False: there is not enough, or too much.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }

  template <class Integer>
  bool integer(Integer& value) {
    if (left() < sizeof value) return false;
    value = copy_integer<Integer>(bytes_.substr(position_));
    position_ += sizeof value;
    return true;
  }

  bool text(std::uint64_t most, std::string_view& text) {
    const std::size_t begin = position_;
    std::uint64_t length = 0;
    if (!integer(length) || length > most || begin + length > kMostRequest || length > left())
      return false;
    text = bytes_.substr(position_, length);
    position_ += length;
    return true;
  }

 private:
  std::size_t left() const { return bytes_.size() - position_; }

  std::string_view bytes_;
  std::size_t position_ = 1;
};

bool read_many(FieldReader& reader, bool pairs, Request& request) {
  std::uint64_t items = 0;
  if (!reader.integer(items) || items > kMostKeys) return false;
  std::string_view text;
  for (; items > 0; --items) {
    if (!reader.text(kMostKey, text)) return false;
    request.keys.push_back(text);
    if (!pairs) continue;
    if (!reader.text(kMostValue, text)) return false;
    request.values.push_back(text);
  }
  return true;
}

bool read_word(FieldReader& reader, Request& request) {
  std::uint32_t word = 0;
  if (!reader.integer(word)) return false;
  request.number = word;
  return true;
}

bool read_field(FieldReader& reader, char field, Request& request) {
  switch (field) {
    case 'w':
      return read_word(reader, request);
    case 'n':
      return reader.integer(request.number);
    case 'k':
      return reader.text(kMostKey, request.key);
    case 'v':
      request.expected = std::exchange(request.value, {});  // of two, the first is what is expected
      return reader.text(kMostValue, request.value);
    default:
      return read_many(reader, field == 'P', request);
  }
}

}  // namespace

RequestScanner::Found RequestScanner::look(Operation operation, std::string_view bytes) {
  if (whole_) *this = RequestScanner();
  looked_ = true;
  const std::string_view fields = fields_of(operation);
  for (; field_ < fields.size(); ++field_) {
    if (!pass_field(fields[field_], bytes)) return too_long_ ? Found::kTooLong : Found::kPart;
  }
  whole_ = true;
  return Found::kWhole;
}

bool RequestScanner::pass_field(char field, std::string_view bytes) {
  switch (field) {
    case 'w':
      return pass(sizeof(std::uint32_t), bytes);
    case 'n':
      return pass(sizeof(std::int64_t), bytes);
    case 'k':
      return pass_text(kMostKey, bytes);
    case 'v':
      return pass_text(kMostValue, bytes);
    default:
      return pass_many(field == 'P', bytes);
  }
}

bool RequestScanner::pass_many(bool pairs, std::string_view bytes) {
  if (!counted_) {
    const std::size_t begin = position_;
    if (!pass(sizeof items_, bytes)) return false;
    items_ = copy_integer<std::uint64_t>(bytes.substr(begin));
    if (items_ > kMostKeys) return too_long_ = true, false;
    if (pairs) items_ *= 2;
    counted_ = true;
  }
  for (; items_ > 0; --items_) {
    const bool value = pairs && items_ % 2 == 1;
    if (!pass_text(value ? kMostValue : kMostKey, bytes)) return false;
  }
  return true;
}

bool RequestScanner::pass_text(std::uint64_t most, std::string_view bytes) {
  std::uint64_t length = 0;
  if (bytes.size() - position_ < sizeof length) return false;
  length = copy_integer<std::uint64_t>(bytes.substr(position_));
  if (length > most || position_ + length > kMostRequest) return too_long_ = true, false;
  return pass(sizeof length + length, bytes);
}

bool RequestScanner::pass(std::size_t size, std::string_view bytes) {
  if (bytes.size() - position_ < size) return false;
  position_ += size;
  return true;
}

std::size_t read_request(Operation operation, std::string_view bytes, Request& request) {
  FieldReader reader(bytes);
  request.operation = operation;
  request.keys.clear();
  request.values.clear();
  for (const char field : fields_of(operation)) {
    if (!read_field(reader, field, request)) return 0;
  }
  return reader.position();
}

RequestWriter& RequestWriter::then(Operation operation) {
  bytes_ += static_cast<char>(operation);
  return *this;
}

RequestWriter& RequestWriter::text(std::string_view text) {
  write_text(text, bytes_);
  return *this;
}

RequestWriter& RequestWriter::number(std::int64_t number) {
  write_number(number, bytes_);
  return *this;
}

RequestWriter& RequestWriter::word(std::uint32_t word) {
  append_integer(word, bytes_);
  return *this;
}

void write_number(std::int64_t number, std::string& out) { append_integer(number, out); }

void write_word(std::uint32_t word, std::string& out) { append_integer(word, out); }

void write_text(std::string_view text, std::string& out) {
  append_integer(static_cast<std::uint64_t>(text.size()), out);
  out += text;
}

std::int64_t read_number(std::string_view bytes) { return copy_integer<std::int64_t>(bytes); }

}  // namespace trainit::store

#include "coordination/message.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "coordination/message_fields.h"
#include "coordination/wire_reader.h"
#include "coordination/wire_writer.h"

namespace trainit::coordination {
namespace {

constexpr std::size_t kLengthSize = 4;
constexpr std::size_t kKinds = std::variant_size_v<Message>;
constexpr std::array<std::string_view, kKinds> kKindNames = {
    "challenge", "answer", "welcome", "refusal", "heartbeat", "report",  "stop began",
    "ended",     "heard",  "waiting", "agreed",  "stop",      "outcome", "leave",
    "again",     "ready",  "joined",  "came",    "late"};

/// An idle connection keeps no more than this; a leader may have thousands of them.
constexpr std::size_t kKeptMemory = 4 << 10;

std::size_t length_in(std::string_view bytes) {
  std::size_t length = 0;
  for (const char byte : bytes.substr(0, kLengthSize))
    length = length << 8 | static_cast<unsigned char>(byte);
  return length;
}

/// A message of the kind with this index, with nothing in it yet.
template <std::size_t... Index>
Message empty_message(std::size_t index, std::index_sequence<Index...>) {
  Message message;
  ((Index == index ? static_cast<void>(message.emplace<Index>()) : void()), ...);
  return message;
}

/// `bytes`: what a frame has behind its length.
Result<Message> decode(std::string_view bytes) {
  const auto kind = static_cast<unsigned char>(bytes[0]);
  if (kind == 0 || kind > kKinds) return fail(fmt::format("a message of unknown kind {}", kind));
  Message message = empty_message(kind - 1U, std::make_index_sequence<kKinds>());
  WireReader reader(bytes.substr(1));
  std::visit([&](auto& of_kind) { fields(reader, of_kind); }, message);
  reader.finish();
  if (reader.problem().empty()) return message;
  return fail(fmt::format("a message \"{}\" with {}", kKindNames[kind - 1U], reader.problem()));
}

std::string encode(const Message& message, std::size_t most_detail) {
  WireWriter writer(most_detail);
  writer.kind(message.index() + 1);
  std::visit([&](const auto& of_kind) { fields(writer, of_kind); }, message);
  return std::move(writer).take_frame();
}

}  // namespace

std::string encode(const Message& message) {
  std::size_t most_detail = kMostText;
  std::string frame = encode(message, most_detail);
  while (frame.size() > kMostFrame && most_detail > 0) frame = encode(message, most_detail /= 2);
  return frame;
}

void FrameReader::feed(std::string_view bytes) {
  if (broken_) return;
  // What is moved is less than what was read since the last time, so that moving costs no more than
  // reading.
  if (begin_ > buffer_.size() / 2) buffer_.erase(0, std::exchange(begin_, 0));
  buffer_ += bytes;
}

Result<std::optional<Message>> FrameReader::next() {
  if (broken_) return tl::unexpected(*broken_);
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  if (rest.size() < kLengthSize) return std::nullopt;
  const std::size_t size = kLengthSize + length_in(rest);
  if (size > most_)
    return give_up(fmt::format("a frame of {} bytes, where {} are the most", size, most_));
  if (size == kLengthSize) return give_up("an empty frame");
  if (rest.size() < size) return std::nullopt;
  Result<Message> message = decode(rest.substr(kLengthSize, size - kLengthSize));
  if (!message) return give_up(std::move(message.error().message));
  begin_ += size;
  if (begin_ == buffer_.size()) start_over();
  return std::move(*message);
}

void FrameReader::start_over() {
  begin_ = 0;
  buffer_.clear();
  if (buffer_.capacity() > kKeptMemory) buffer_.shrink_to_fit();
}

tl::unexpected<Error> FrameReader::give_up(std::string problem) {
  broken_ = Error{std::move(problem)};
  start_over();
  return tl::unexpected(*broken_);
}

}  // namespace trainit::coordination

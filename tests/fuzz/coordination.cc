// What comes over a connection between two launchers: any bytes are messages or one sentence why
// they are none; a message that was read is written as it came, byte for byte, so nothing is taken
// that trainit would not send, and nothing of it is lost; and how a stream is cut changes nothing.
//
// The input begins with a byte: the size of the pieces that the rest comes in, less one.

#include <algorithm>
#include <string>

#include "coordination/message.h"
#include "must.h"

using namespace trainit;
using fuzz::must;

namespace {

struct Heard {
  std::string messages, problem;
  bool operator==(const Heard&) const = default;
};

void take_all(coordination::FrameReader& reader, Heard& heard) {
  for (;;) {
    const auto next = reader.next();
    if (!next) {
      heard.problem = next.error().message;
      return;
    }
    if (!*next) return;
    heard.messages += coordination::encode(**next);
  }
}

Heard read(std::string_view stream, std::size_t piece) {
  coordination::FrameReader reader;
  Heard heard;
  while (!stream.empty()) {
    reader.feed(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    take_all(reader, heard);
    must(reader.memory() <= 4 * coordination::kMostFrame, "memory is bounded");
  }
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream = fuzz::text_of(data + 1, size - 1);
  const Heard whole = read(stream, coordination::kMostFrame);
  must(stream.starts_with(whole.messages), "what was read is written as it came");
  must(fuzz::is_one_line(whole.problem) && fuzz::is_utf8(whole.problem) &&
           whole.problem.size() < 200,
       "why there is no message is one sentence");
  must(read(stream, data[0] + std::size_t{1}) == whole, "how a stream is cut changes nothing");
  return 0;
}

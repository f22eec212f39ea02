// Worker output on its way to the console, cut anywhere: the line splitter gives every byte out
// once, in order and in whole lines; behind it, the progress filter changes nothing but lines that
// were written over, of which it shows beginnings of states and always the last state.
//
// The input is the stream, but for these bytes: \1 cuts it, \2 is a pause in which the unfinished
// line is flushed, and \3 a pause of a second without that.

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "logs/line_splitter.h"
#include "logs/progress.h"
#include "must.h"

using namespace trainit;
using fuzz::must;

namespace {

// Short, so that short inputs reach them.
constexpr std::size_t kLongestLine = 64;
constexpr std::size_t kLongestState = 16;

/// The text of one line of the stream, and what the filter made of it.
struct Line {
  std::string in, out;
  bool cut_at_end = false;  ///< between its '\r' and its '\n'
};

class Progress {
 public:
  void feed(std::string_view bytes) {
    must(!bytes.empty(), "nothing empty is passed on");
    whole_.feed(bytes, now_);
    while (!bytes.empty()) {
      const std::size_t size = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
      feed_line(bytes.substr(0, size));
      bytes.remove_prefix(size);
    }
    must(whole_out_ == by_line_out_, "lines that come together are treated as if they came apart");
    whole_out_.clear();
    by_line_out_.clear();
  }

  void second_passes() { now_ += std::chrono::seconds(1); }

  void finish() {
    whole_.finish();
    by_line_.finish();
    must(whole_out_ == by_line_out_, "both end alike");
    if (!line_.in.empty()) check();
  }

 private:
  void feed_line(std::string_view part) {
    line_.cut_at_end = part == "\n" && line_.in.ends_with('\r');
    line_.in += part;
    by_line_.feed(part, now_);
    if (!part.ends_with('\n')) return;
    check();
    line_ = {};
  }

  void check() const {
    const bool ends = line_.in.ends_with('\n');
    std::string_view text = line_.in;
    if (ends) text.remove_suffix(text.ends_with("\r\n") && !line_.cut_at_end ? 2 : 1);
    if (text.find('\r') == std::string_view::npos) {
      return must(line_.out == line_.in, "a line that was not written over passes unchanged");
    }
    must(!ends || line_.out.ends_with('\n'), "a line that ends is ended");
    check_states(split(text, '\r'), split(line_.out, '\n'));
  }

  static void check_states(std::vector<std::string_view> states,
                           std::vector<std::string_view> shown) {
    std::erase(states, std::string_view());
    if (shown.back().empty()) shown.pop_back();
    for (std::string_view& one : shown) {
      if (one.ends_with('\r')) one.remove_suffix(1);  // what was too long for a bar passed
    }
    if (states.empty()) {
      return must(shown.size() <= 1 && (shown.empty() || shown[0].empty()),
                  "where nothing was written nothing is shown");
    }
    must(!shown.empty() && shown.back() == states.back(), "the last state is shown");
    for (const std::string_view state : states) {
      must(state.size() <= kLongestState ||
               std::find(shown.begin(), shown.end(), state) != shown.end(),
           "what is too long for a bar is shown");
    }
    auto state = states.begin();
    for (const std::string_view one : shown) {
      state = std::find_if(state, states.end(),
                           [&](std::string_view whole) { return whole.starts_with(one); });
      must(state != states.end() && !one.empty(),
           "what is shown are beginnings of states, in order");
    }
  }

  logs::ProgressFilter whole_{[this](std::string_view bytes) { whole_out_ += bytes; },
                              kLongestState};
  logs::ProgressFilter by_line_{[this](std::string_view bytes) {
                                  by_line_out_ += bytes;
                                  line_.out += bytes;
                                },
                                kLongestState};
  std::string whole_out_, by_line_out_;
  Line line_;
  sys::TimePoint now_{std::chrono::hours(1)};
};

class Splitter {
 public:
  void feed(std::string_view bytes) {
    stream_ += bytes;
    splitter_.feed(bytes, [&](std::string_view piece) {
      const bool whole = piece.ends_with('\n');
      must(whole || piece.size() + 3 >= kLongestLine, "lines come out whole");
      must(whole || !ends_inside_character(piece),
           "no part of a long line ends inside a character");
      take(piece);
    });
    must(held().find('\n') == std::string_view::npos, "no line that is whole is held back");
    must(held().size() < kLongestLine, "what is held back is bounded");
    must(splitter_.unfinished() == !held().empty(), "it knows whether it holds something back");
  }

  void flush() {
    const std::string before(held());
    splitter_.flush([&](std::string_view piece) { take(piece); });
    must(
        held().empty() || (held().size() < before.size() && utf8::cut_off(held()) == held().size()),
        "a flush leaves the beginning of a character at most");
  }

  void finish() {
    splitter_.finish([&](std::string_view piece) { take(piece); });
    must(out_ == stream_.size() && !splitter_.unfinished(), "every byte comes out");
    progress_.finish();
  }

  void second_passes() { progress_.second_passes(); }

 private:
  std::string_view held() const { return std::string_view(stream_).substr(out_); }

  bool ends_inside_character(std::string_view piece) const {
    const std::string_view rest = held().substr(std::min(piece.size(), held().size()));
    const bool goes_on = rest.empty() || (static_cast<unsigned char>(rest[0]) & 0xC0) == 0x80;
    return goes_on && utf8::cut_off(piece) > 0;
  }

  void take(std::string_view piece) {
    must(!piece.empty() && held().starts_with(piece), "bytes come out once and in order");
    out_ += piece.size();
    progress_.feed(piece);
  }

  logs::LineSplitter splitter_{kLongestLine};
  Progress progress_;
  std::string stream_;   ///< what went in
  std::size_t out_ = 0;  ///< how much of it came out
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  Splitter splitter;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find_first_of("\1\2\3"), input.size());
    const std::string_view bytes = input.substr(0, end);
    const char mark = end < input.size() ? input[end] : '\1';
    if (!bytes.empty()) splitter.feed(bytes);
    if (mark == '\2') splitter.flush();
    if (mark == '\3') splitter.second_passes();
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  splitter.finish();
  return 0;
}

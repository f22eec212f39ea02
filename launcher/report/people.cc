#include "report/people.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/text.h"

namespace trainit::report {
namespace {

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,+@%";

/// Some 3,000 years in seconds: what is beyond it is no time of a job.
constexpr double kLatest = 1e11;

std::string word_text(const std::string& word) {
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char character : word) {
    if (character == '\'') {
      quoted += "'\\''";
    } else {
      quoted += character;
    }
  }
  return visible(quoted + "'");
}

}  // namespace

std::string visible(std::string_view text, bool lines) { return escape_controls(text, lines); }

std::string command_text(const std::vector<std::string>& argv) {
  std::vector<std::string> words;
  words.reserve(argv.size());
  for (const std::string& word : argv) words.push_back(word_text(word));
  return join(words, " ");
}

std::vector<std::string> block_of(std::string_view text, std::string_view indent,
                                  std::size_t most) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::vector<std::string_view> pieces = split(text, '\n');
  std::vector<std::string> lines;
  if (most > 0 && pieces.size() > most) {
    lines.push_back(std::string(indent) + "…");
    pieces.erase(pieces.begin(), pieces.end() - static_cast<std::ptrdiff_t>(most));
  }
  for (const std::string_view piece : pieces) {
    const std::string line = visible(piece);
    lines.push_back(line.empty() ? line : std::string(indent) + line);
  }
  return lines;
}

std::string moment_text(double seconds) {
  if (!(std::abs(seconds) < kLatest)) return "?";
  const auto whole = std::llround(seconds * 1000);
  const std::string sign = whole < 0 ? "-" : "";
  const auto milliseconds = std::llabs(whole);
  if (milliseconds < 60'000)
    return fmt::format("{}{}.{:03} s", sign, milliseconds / 1000, milliseconds % 1000);
  const auto minutes = milliseconds / 60'000;
  const std::string rest =
      fmt::format("{:02}.{:03}", milliseconds / 1000 % 60, milliseconds % 1000);
  if (minutes < 60) return fmt::format("{}{}:{}", sign, minutes, rest);
  return fmt::format("{}{}:{:02}:{}", sign, minutes / 60, minutes % 60, rest);
}

double unix_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

std::string date_text(double unix_seconds) {
  using namespace std::chrono;
  if (!(std::abs(unix_seconds) < kLatest)) return "?";
  const sys_seconds moment{seconds(static_cast<std::int64_t>(std::floor(unix_seconds)))};
  const sys_days day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss time(moment - day);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

}  // namespace trainit::report

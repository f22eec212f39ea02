#include "base/python_literal.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/python_text.h"
#include "base/utf8.h"

namespace trainit::python {
namespace {

/// As in JSON.
constexpr int kDeepest = 200;
constexpr std::string_view kWordCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";

class LiteralReader {
 public:
  explicit LiteralReader(std::string_view text) : text_(text) {}

  std::optional<Json> value(int depth);
  std::size_t length() const { return at_; }

 private:
  std::optional<Json> list(char end, int depth);
  std::optional<Json> dict(int depth);
  std::optional<Json::Member> member(int depth);
  std::optional<Json> word();
  std::optional<Json> string();
  bool escape(std::string& out);
  bool code_point(std::string& out, std::size_t digits);

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  /// The next byte; NUL at the end, where no NUL is ever asked for.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  /// The same character, behind white space.
  bool accept(char wanted) {
    skip_space();
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<Json> LiteralReader::value(int depth) {
  if (accept('[')) return list(']', depth + 1);
  if (accept('(')) return list(')', depth + 1);
  if (accept('{')) return dict(depth + 1);
  if (peek() == '\'' || peek() == '"') return string();
  return word();
}

std::optional<Json> LiteralReader::list(char end, int depth) {
  if (depth > kDeepest) return std::nullopt;
  Json::Array items;
  while (!accept(end)) {
    if (!items.empty() && !accept(',')) return std::nullopt;
    if (!items.empty() && accept(end)) break;
    auto item = value(depth);
    if (!item) return std::nullopt;
    items.push_back(std::move(*item));
  }
  return Json(std::move(items));
}

std::optional<Json> LiteralReader::dict(int depth) {
  if (depth > kDeepest) return std::nullopt;
  Json::Object members;
  while (!accept('}')) {
    if (!members.empty() && !accept(',')) return std::nullopt;
    if (!members.empty() && accept('}')) break;
    auto next = member(depth);
    if (!next) return std::nullopt;
    members.push_back(std::move(*next));
  }
  return Json(std::move(members));
}

std::optional<Json::Member> LiteralReader::member(int depth) {
  const auto key = value(depth);
  if (!key || !accept(':')) return std::nullopt;
  auto found = value(depth);
  if (!found) return std::nullopt;
  return Json::Member{str(*key), std::move(*found)};
}

std::optional<Json> LiteralReader::word() {
  const std::size_t end = std::min(text_.find_first_not_of(kWordCharacters, at_), text_.size());
  const std::string_view word = text_.substr(at_, end - at_);
  at_ = end;
  if (word == "None") return Json();
  if (word == "True" || word == "False") return Json(word == "True");
  if (word == "nan") return Json(std::numeric_limits<double>::quiet_NaN());
  if (word == "inf") return Json(std::numeric_limits<double>::infinity());
  if (word == "-inf") return Json(-std::numeric_limits<double>::infinity());
  auto json = Json::parse(word);
  if (!json) return std::nullopt;
  return std::move(*json);
}

std::optional<Json> LiteralReader::string() {
  const char quote = text_[at_++];
  std::string result;
  while (at_ < text_.size()) {
    const char next = text_[at_++];
    if (next == quote) return Json(std::move(result));
    if (next != '\\') {
      result += next;
    } else if (!escape(result)) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// What stands behind a backslash; before any other character Python leaves it there.
bool LiteralReader::escape(std::string& out) {
  constexpr std::string_view kLetters = "\\'\"nrt";
  constexpr std::string_view kMeanings = "\\'\"\n\r\t";
  const char letter = peek();
  if (at_ < text_.size()) ++at_;
  if (letter == 'x') return code_point(out, 2);
  if (letter == 'u') return code_point(out, 4);
  if (letter == 'U') return code_point(out, 8);
  if (const std::size_t which = kLetters.find(letter); which != std::string_view::npos) {
    out += kMeanings[which];
  } else {
    out += '\\';
    out += letter;
  }
  return true;
}

bool LiteralReader::code_point(std::string& out, std::size_t digits) {
  constexpr std::uint32_t kLast = 0x10FFFF;
  const std::string_view token = text_.substr(at_, digits);
  std::uint32_t code = 0;
  const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), code, 16);
  const auto count = static_cast<std::size_t>(stop - token.data());
  if (error != std::errc() || count != digits || code > kLast) return false;
  utf8::append(out, code);
  at_ += digits;
  return true;
}

}  // namespace

std::optional<Literal> read_literal(std::string_view text) {
  LiteralReader reader(text);
  auto value = reader.value(0);
  if (!value) return std::nullopt;
  return Literal{std::move(*value), reader.length()};
}

}  // namespace trainit::python

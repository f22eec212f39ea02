#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "base/utf8.h"
#include "trainit/json.h"

namespace trainit {
namespace {

/// Reading, writing and masking call themselves once a level, and a container may limit the stack
/// to 256 KiB or less.
constexpr int kDeepest = 200;
/// Python's `int()` refuses more (sys.get_int_max_str_digits).
constexpr std::size_t kMostDigits = 4300;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
/// An ASCII character that stands for itself in a string.
bool is_plain(char c) {
  return static_cast<unsigned char>(c) < 0x80 && c >= ' ' && c != '"' && c != '\\';
}

bool is_high_surrogate(std::uint32_t code) { return code >= 0xD800 && code < 0xDC00; }
bool is_low_surrogate(std::uint32_t code) { return code >= 0xDC00 && code < 0xE000; }

/// Of equal names the last value counts, at the place of the first.
void merge_equal_names(Json::Object& members) {
  const std::vector<const Json::Member*> sorted = members_by_name(members);
  std::vector<bool> extra(members.size());
  bool any = false;
  for (std::size_t first = 0, next = 1; next < sorted.size(); ++next) {
    if (sorted[next]->name != sorted[first]->name) {
      first = next;
      continue;
    }
    const std::size_t kept = sorted[first] - members.data();
    const std::size_t later = sorted[next] - members.data();
    members[kept].value = std::move(members[later].value);
    extra[later] = any = true;
  }
  if (!any) return;
  std::size_t end = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (extra[i]) continue;
    if (end != i) members[end] = std::move(members[i]);
    ++end;
  }
  members.erase(members.begin() + static_cast<std::ptrdiff_t>(end), members.end());
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Json> document() {
    Json result = TRAINIT_TRY(value(0, "a value"));
    skip_space();
    if (at_ != text_.size()) return expected("the end of the text");
    return result;
  }

 private:
  Result<Json> value(int depth, std::string_view what);
  Result<Json> array(int depth);
  Result<Json> object(int depth);
  Result<Json::Member> member(int depth, std::string_view what);
  Result<Json> number();
  Result<void> digits(std::string_view after);
  Result<Json> integer(std::string_view token) const;
  Result<std::string> string();
  Result<void> string_part(std::string& out, std::size_t start);
  Result<void> escape(std::string& out);
  Result<std::uint32_t> code_unit();

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  /// The next byte; NUL at the end, where no NUL is ever asked for.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool accept(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  /// "line L, column C" of a place in the text.
  std::string place(std::size_t offset) const;
  /// What stands at the current place, for people.
  std::string found() const;
  tl::unexpected<Error> expected(std::string_view what) const {
    return fail(fmt::format("{}: expected {}, found {}", place(at_), what, found()));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Json> Parser::value(int depth, std::string_view what) {
  skip_space();
  if (peek() == '{') return object(depth + 1);
  if (peek() == '[') return array(depth + 1);
  if (peek() == '"') return string().map([](std::string text) { return Json(std::move(text)); });
  if (accept("null")) return Json();
  if (accept("true")) return Json(true);
  if (accept("false")) return Json(false);
  if (accept("NaN")) return Json(std::numeric_limits<double>::quiet_NaN());
  if (accept("Infinity")) return Json(std::numeric_limits<double>::infinity());
  if (accept("-Infinity")) return Json(-std::numeric_limits<double>::infinity());
  if (peek() == '-' || is_digit(peek())) return number();
  return expected(what);
}

Result<Json> Parser::array(int depth) {
  if (depth > kDeepest) return expected(fmt::format("at most {} levels of nesting", kDeepest));
  accept('[');
  Json::Array items;
  skip_space();
  if (accept(']')) return Json(std::move(items));
  do {
    items.push_back(
        TRAINIT_TRY(value(depth, items.empty() ? "a value or ']'" : "a value after ','")));
    skip_space();
  } while (accept(','));
  if (!accept(']')) return expected("',' or ']' after a value");
  return Json(std::move(items));
}

Result<Json> Parser::object(int depth) {
  if (depth > kDeepest) return expected(fmt::format("at most {} levels of nesting", kDeepest));
  accept('{');
  Json::Object members;
  skip_space();
  if (accept('}')) return Json(std::move(members));
  do {
    members.push_back(
        TRAINIT_TRY(member(depth, members.empty() ? "a name in double quotes or '}'"
                                                  : "a name in double quotes after ','")));
    skip_space();
  } while (accept(','));
  if (!accept('}')) return expected("',' or '}' after a value");
  merge_equal_names(members);
  return Json(std::move(members));
}

Result<Json::Member> Parser::member(int depth, std::string_view what) {
  skip_space();
  if (peek() != '"') return expected(what);
  std::string name = TRAINIT_TRY(string());
  skip_space();
  if (!accept(':')) return expected("':' after a name");
  Json found_value = TRAINIT_TRY(value(depth, "a value after ':'"));
  return Json::Member{std::move(name), std::move(found_value)};
}

Result<Json> Parser::number() {
  const std::size_t start = at_;
  accept('-');
  if (accept('0')) {
    if (is_digit(peek())) return expected("no digit after a leading 0");
  } else {
    TRAINIT_TRY(digits("'-'"));
  }
  const bool has_fraction = accept('.');
  if (has_fraction) TRAINIT_TRY(digits("'.'"));
  const bool has_exponent = accept('e') || accept('E');
  if (has_exponent) {
    if (!accept('-')) accept('+');
    TRAINIT_TRY(digits("the 'e' of an exponent"));
  }
  const std::string_view token = text_.substr(start, at_ - start);
  if (has_fraction || has_exponent) return Json(parse_float(token).value_or(0));
  return integer(token);
}

Result<void> Parser::digits(std::string_view after) {
  if (!is_digit(peek())) return expected(fmt::format("a digit after {}", after));
  while (is_digit(peek())) ++at_;
  return {};
}

Result<Json> Parser::integer(std::string_view token) const {
  const std::size_t count = token.size() - (token.front() == '-' ? 1 : 0);
  if (count > kMostDigits) {
    return fail(fmt::format("{}: expected an integer of at most {} digits, found {} digits",
                            place(at_ - token.size()), kMostDigits, count));
  }
  return Json(Json::Integer{token == "-0" ? "0" : std::string(token)});
}

Result<std::string> Parser::string() {
  const std::size_t start = at_;
  accept('"');
  std::string result;
  while (!accept('"')) TRAINIT_TRY(string_part(result, start));
  return result;
}

Result<void> Parser::string_part(std::string& out, std::size_t start) {
  const std::size_t from = at_;
  while (is_plain(peek())) ++at_;
  out += text_.substr(from, at_ - from);
  if (at_ == text_.size()) {
    return expected(fmt::format("'\"' at the end of the string that begins at {}", place(start)));
  }
  if (peek() == '"') return {};
  if (accept('\\')) return escape(out);
  const utf8::Decoded next = utf8::decode(text_.substr(at_));
  if (!next.valid) return expected("UTF-8 in a string");
  if (next.code_point < 0x20) {
    // dump_json knows how the character would be spelled: "\n", in quotes.
    const std::string spelled = dump_json(text_.substr(at_, 1));
    const auto inside = std::string_view(spelled).substr(1, spelled.size() - 2);
    return expected(fmt::format("'\"' at the end of a string, or {} inside it", inside));
  }
  out += text_.substr(at_, next.length);
  at_ += next.length;
  return {};
}

Result<void> Parser::escape(std::string& out) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (accept('u')) {
    std::uint32_t code = TRAINIT_TRY(code_unit());
    const std::size_t behind = at_;
    if (is_high_surrogate(code) && accept("\\u")) {
      const std::uint32_t low = TRAINIT_TRY(code_unit());
      if (is_low_surrogate(low)) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = behind;
      }
    }
    utf8::append(out, code);
    return {};
  }
  const std::size_t which = kLetters.find(peek());
  if (at_ == text_.size() || which == std::string_view::npos) {
    return expected("one of \" \\ / b f n r t u after '\\'");
  }
  out += kMeanings[which];
  ++at_;
  return {};
}

Result<std::uint32_t> Parser::code_unit() {
  const std::string_view four = text_.substr(at_, 4);
  std::uint32_t code = 0;
  const auto [stop, error] = std::from_chars(four.data(), four.data() + four.size(), code, 16);
  const auto count = static_cast<std::size_t>(stop - four.data());
  at_ += count;
  if (error != std::errc() || count != 4) return expected("four hexadecimal digits after \\u");
  return code;
}

std::string Parser::place(std::size_t offset) const {
  const std::string_view before = text_.substr(0, offset);
  const std::size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  std::string_view rest = before.substr(before.rfind('\n') + 1);
  std::size_t column = 1;
  for (; !rest.empty(); ++column) rest.remove_prefix(utf8::decode(rest).length);
  return fmt::format("line {}, column {}", line, column);
}

std::string Parser::found() const {
  // Any other word may be a part of a secret whose quotes were forgotten.
  constexpr std::string_view kWords[] = {"True", "False", "None", "nan", "inf", "undefined"};
  const std::string_view rest = text_.substr(at_);
  if (rest.empty()) return "the end of the text";
  const utf8::Decoded next = utf8::decode(rest);
  if (!next.valid) return fmt::format("the byte 0x{:02X}, which is no UTF-8", next.code_point);
  if (next.code_point == '\n' || next.code_point == '\r') return "a line end";
  if (next.code_point == '\t') return "a tab";
  if (next.code_point < 0x20 || utf8::is_surrogate(next.code_point)) {
    return fmt::format("the character U+{:04X}", next.code_point);
  }
  if (next.code_point == '\'') return "\"'\"";
  std::string_view shown = rest.substr(0, next.length);
  for (const std::string_view word : kWords) {
    if (rest.starts_with(word)) shown = word;
  }
  return fmt::format("'{}'", shown);
}

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return Parser(text).document();
}

}  // namespace trainit

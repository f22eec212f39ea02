#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "trainit/result.h"

namespace trainit {

/// A JSON value as Python's `json` module understands it, because that is what training scripts and
/// the platform's own tools speak: `NaN`, `Infinity` and `-Infinity` are numbers, integers have any
/// size, of two equal keys the last value counts (at the place of the first), and a lone surrogate
/// (`"\ud800"`) is a character. Strings are UTF-8; a lone surrogate is kept as its three bytes of
/// generalised UTF-8 (ED A0 80 … ED BF BF).
class Json {
 public:
  /// An integer of any size: its decimal digits, with a leading '-' when negative, never "-0".
  struct Integer {
    std::string digits;
    bool operator==(const Integer&) const = default;
  };
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;  ///< in file order; names are unique

  /// Each gives a value of its own kind: null, a boolean, an integer, a number, a string (UTF-8, as
  /// above), a list, an object (whose names the caller keeps unique).
  Json() noexcept;
  Json(std::nullptr_t) noexcept;
  Json(bool value);
  Json(int value);
  Json(std::int64_t value);
  Json(std::size_t value);
  Json(double value);
  Json(const char* value);
  Json(std::string_view value);
  Json(std::string value);
  Json(Integer value);
  Json(Array value);
  Json(Object value);

  // All in the source file, because a member holds a value itself: here its type is not complete.
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  /// Reads one value from `text`, with white space around it. A byte order mark in front is
  /// accepted, and so is a lone surrogate in a string: `text` may be a string of another document.
  /// Errors say "line L, column C: expected …, found …" (both from 1; columns in characters).
  /// Nesting deeper than 200 levels and, as in Python, an integer of more than 4,300 digits are
  /// errors.
  static Result<Json> parse(std::string_view text);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// The value in its own kind, as long as this lives; a null pointer when it is of another kind.
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const Integer* integer() const { return std::get_if<Integer>(&value_); }
  const double* number() const { return std::get_if<double>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  /// The same, to change it in its place.
  std::string* string() { return std::get_if<std::string>(&value_); }
  Array* array() { return std::get_if<Array>(&value_); }
  Object* object() { return std::get_if<Object>(&value_); }

  /// The integer as 64 bits; nothing for another kind or when it does not fit.
  std::optional<std::int64_t> to_int64() const;
  /// Any number as a double (an integer is rounded, to infinity when it is too large); nothing for
  /// another kind.
  std::optional<double> to_double() const;
  /// Python's `bool(value)`: null, false, 0, 0.0, "" and empty containers are false.
  bool truthy() const;
  /// "null", "a boolean", "an integer", "a number", "a string", "a list", "an object": for
  /// messages.
  std::string_view kind_name() const;

  /// The member's value; null when this is no object or has no such member.
  const Json* find(std::string_view name) const;

  bool operator==(const Json& other) const;

 private:
  std::variant<std::monostate, bool, Integer, double, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string name;
  Json value;
  bool operator==(const Member&) const = default;
};

/// How a value is written. The first is what the Python toolkit puts into variables; the second is
/// what `json.dumps(value)` gives, in file order.
enum class JsonStyle {
  kCompactSorted,  ///< `json.dumps(value, sort_keys=True, separators=(",", ":"),
                   ///< ensure_ascii=True)`
  kPython,         ///< `json.dumps(value)`
};
/// Pure ASCII, on one line. A byte of a string that is no UTF-8 is written as Python's
/// `surrogateescape` has it (FF → `\udcff`).
std::string dump_json(const Json& value, JsonStyle style = JsonStyle::kCompactSorted);

/// The members by name, in order of code points ("B" before "a"), as Python's `sorted` gives them.
/// The pointers are good as long as `members` is.
std::vector<const Json::Member*> members_by_name(const Json::Object& members);

}  // namespace trainit

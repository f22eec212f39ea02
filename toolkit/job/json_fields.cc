#include "job/json_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace trainit::job {
namespace {

constexpr std::size_t kLongestShown = 60;

bool is_present(const Json* value) { return value != nullptr && !value->is_null(); }

tl::unexpected<Error> missing(std::string_view key, std::string_view expected) {
  return fail(fmt::format("\"{}\" is missing; it has to be {}", key, expected));
}

}  // namespace

std::string describe(const Json& value) {
  if (value.is_null() || value.array() != nullptr || value.object() != nullptr) {
    return std::string(value.kind_name());
  }
  std::string text = dump_json(value);
  if (text.size() > kLongestShown) text = text.substr(0, kLongestShown) + "…";
  return fmt::format("{} ({})", value.kind_name(), text);
}

tl::unexpected<Error> wrong_kind(std::string_view what, const Json& found,
                                 std::string_view expected) {
  return fail(fmt::format("{} is {}; it has to be {}", what, describe(found), expected));
}

Result<const Json::Object*> members_of(std::string_view what, const Json& value) {
  if (value.object() == nullptr) return wrong_kind(what, value, "an object");
  return value.object();
}

Result<std::string> text_member(const Json& object, std::string_view key,
                                std::string_view otherwise) {
  const Json* value = object.find(key);
  if (!is_present(value)) return std::string(otherwise);
  if (value->string() == nullptr) {
    return wrong_kind(fmt::format("\"{}\"", key), *value, "a string");
  }
  return *value->string();
}

Result<std::string> required_text(const Json& object, std::string_view key) {
  constexpr std::string_view kExpected = "a string that is not empty";
  const Json* value = object.find(key);
  if (!is_present(value)) return missing(key, kExpected);
  if (value->string() == nullptr || value->string()->empty()) {
    return wrong_kind(fmt::format("\"{}\"", key), *value, kExpected);
  }
  return *value->string();
}

Result<std::vector<std::string>> required_texts(const Json& object, std::string_view key) {
  constexpr std::string_view kExpected = "a list of names";
  const Json* value = object.find(key);
  if (!is_present(value)) return missing(key, kExpected);
  const std::string what = fmt::format("\"{}\"", key);
  if (value->array() == nullptr) return wrong_kind(what, *value, kExpected);
  std::vector<std::string> texts;
  for (const Json& item : *value->array()) {
    if (item.string() == nullptr || item.string()->empty()) {
      return wrong_kind(fmt::format("an item of \"{}\"", key), item, "a string that is not empty");
    }
    texts.push_back(*item.string());
  }
  return texts;
}

bool is_on(const Json& value) {
  constexpr std::array<std::string_view, 5> kNo = {"false", "0", "no", "off", "none"};
  if (value.string() == nullptr) return value.truthy();
  const std::string_view text = trim(*value.string());
  return !text.empty() && std::none_of(kNo.begin(), kNo.end(), [&](std::string_view no) {
    return equals_ignoring_case(text, no);
  });
}

}  // namespace trainit::job

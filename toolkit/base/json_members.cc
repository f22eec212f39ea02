#include "base/json_members.h"

#include "base/utf8.h"

namespace trainit {

std::string text_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr && member->string() != nullptr ? *member->string() : std::string();
}

std::string line_of(const Json& object, std::string_view name, std::size_t longest) {
  return utf8::one_line(utf8::truncate(text_of(object, name), longest));
}

std::optional<std::int64_t> integer_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? std::nullopt : member->to_int64();
}

std::optional<double> number_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? std::nullopt : member->to_double();
}

bool flag_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr && member->truthy();
}

}  // namespace trainit

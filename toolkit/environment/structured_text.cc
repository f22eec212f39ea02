#include "environment/structured_text.h"

#include "base/python_literal.h"
#include "base/python_text.h"
#include "base/text.h"

namespace trainit::environment {

std::optional<StructuredText> StructuredText::read(std::string_view text) {
  text = trim(text);
  if (text.find_first_of("{[\"") != 0) return std::nullopt;
  if (auto json = Json::parse(text)) return StructuredText{text, std::move(*json), false};
  auto literal = python::read_literal(text);
  if (!literal || literal->length != text.size()) return std::nullopt;
  return StructuredText{text, std::move(literal->value), true};
}

std::string StructuredText::write(const Json& other) const {
  if (is_python) return python::str(other);
  return dump_json(other,
                   dump_json(value) == text ? JsonStyle::kCompactSorted : JsonStyle::kPython);
}

}  // namespace trainit::environment

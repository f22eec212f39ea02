#include "base/python_text.h"

#include <fmt/core.h>

#include <cmath>

namespace trainit::python {

std::string repr(double value) {
  if (std::isnan(value)) return "nan";
  // {fmt}'s default form is Python's but for the ".0" of a whole number.
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

}  // namespace trainit::python

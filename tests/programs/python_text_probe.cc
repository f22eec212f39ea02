// Answers each line on stdin with one on stdout, so that a test can hold base/ against Python.
// Every text is in hexadecimal, of its UTF-8 (with surrogates as three bytes).
//
//   load TEXT     parses JSON: "ok COMPACT DUMPS STR REPR TRUTHY(0|1)", or "error SENTENCE"
//   upper TEXT    python::upper
//   repr TEXT     python::repr of the string
//   int TEXT      python::to_int, or "error"
//   float TEXT    python::to_float as Python's repr has it, or "error"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/python_text.h"
#include "base/text.h"
#include "trainit/json.h"

using namespace trainit;

namespace {

std::string hex(std::string_view text) {
  std::string result;
  for (const char c : text) result += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return result;
}

std::string unhex(std::string_view digits) {
  std::string result;
  for (; digits.size() >= 2; digits.remove_prefix(2)) {
    const char* begin = digits.data();
    unsigned char byte = 0;
    std::from_chars(begin, begin + 2, byte, 16);
    result += static_cast<char>(byte);
  }
  return result;
}

std::string load(std::string_view text) {
  const Result<Json> value = Json::parse(text);
  if (!value) return "error " + hex(value.error().message);
  return fmt::format("ok {} {} {} {} {:d}", hex(dump_json(*value)),
                     hex(dump_json(*value, JsonStyle::kPython)), hex(python::str(*value)),
                     hex(python::repr(*value)), value->truthy());
}

std::string answer(std::string_view line) {
  const std::size_t space = line.find(' ');
  const std::string_view verb = line.substr(0, space);
  const std::string text = unhex(trim(line.substr(std::min(space, line.size()))));
  if (verb == "load") return load(text);
  if (verb == "upper") return hex(python::upper(text));
  if (verb == "repr") return hex(python::repr(Json(text)));
  if (verb == "int") {
    const auto number = python::to_int(text);
    return number ? std::to_string(*number) : "error";
  }
  if (verb == "float") {
    const auto number = python::to_float(text);
    return number ? python::repr(*number) : "error";
  }
  return "no such verb";
}

}  // namespace

int main() {
  char* line = nullptr;
  std::size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) puts(answer(line).c_str());
  std::free(line);
}

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/error_text.h"
#include "diagnose/lines.h"
#include "diagnose/recognise.h"
#include "trainit/json.h"

namespace trainit::diagnose {
namespace {

const std::string* string_in(const Json* object, std::string_view name) {
  const Json* member = object == nullptr ? nullptr : object->find(name);
  return member == nullptr ? nullptr : member->string();
}

std::string first_line(std::string_view text) {
  const Lines lines(trim(text));
  return std::string(utf8::truncate(trim(lines[0]), kLongestSummary));
}

ErrorText from_message(std::string_view message) {
  ErrorText error;
  error.summary = first_line(message);
  error.detail = utf8::sanitize(trim(message));
  error.communication = speaks_of_communication(error.summary);
  return error;
}

}  // namespace

std::optional<ErrorText> read_error_file(std::string_view json) {
  const Result<Json> file = Json::parse(json);
  if (!file) return std::nullopt;
  const Json* message = file->find("message");
  if (message == nullptr) return std::nullopt;
  const std::string* text =
      message->string() != nullptr ? message->string() : string_in(message, "message");
  if (text == nullptr || trim(*text).empty()) return std::nullopt;
  if (const std::string* stack = string_in(message->find("extraInfo"), "py_callstack")) {
    if (std::optional<ErrorText> error = find_error(*stack)) return error;
  }
  if (std::optional<ErrorText> error = find_error(*text)) return error;
  return from_message(*text);
}

}  // namespace trainit::diagnose

// What is shown of a job whose hyperparameters, variables and arguments hold any text: no secret of
// it, in whatever it is wrapped, and anything at all can be read as Python's text of a value or
// not.
//
// The input is a text; the bytes before its first \1, if there are 4 to 40 of them, are a password.

#include "environment/secrets.h"

#include <string>
#include <vector>

#include "base/python_literal.h"
#include "base/python_text.h"
#include "must.h"

using namespace trainit;
using environment::Secrets;
using fuzz::must;

namespace {

constexpr std::size_t kShortest = 4, kLongest = 40;

void check_literal(std::string_view text) {
  const auto literal = python::read_literal(text);
  if (!literal) return;
  must(literal->length <= text.size(), "a value is a part of the text that it was read in");
  must(python::repr(literal->value) == python::repr(literal->value), "it has a text of its own");
}

/// A secret with a star could come out of the mask itself; one with space around it, or of several
/// lines, is masked in parts, too; and the job knows one that is JSON by what that says ("abcd" in
/// quotes, 1e05).
bool is_told_apart(std::string_view secret, const Hyperparameters& hyperparameters) {
  const Json all{Json::Object(hyperparameters.all())};
  return python::str(*all.find("password")) == secret && secret.size() >= kShortest &&
         secret.size() <= kLongest &&
         secret.find_first_of("* \t\r\n\v\f") == std::string_view::npos &&
         environment::is_secret("password", secret);
}

bool is_in(std::string_view secret, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (text.find(secret) != std::string::npos) return true;
  }
  return false;
}

void check_masked(std::string_view secret, const std::string& text) {
  const auto hyperparameters =
      Hyperparameters::from_json(Json::Object{{"password", Json(secret)}, {"config", Json(text)}});
  must(hyperparameters.has_value(), "any text is a hyperparameter");
  Environment variables;
  variables.set("SETTINGS", text, "fuzz");
  const std::vector<std::string> arguments = {"--config", text, "-c" + text};
  const Secrets secrets = Secrets::collect(variables, *hyperparameters, arguments);
  const std::string masked = secrets.mask(text);
  const std::string variable = secrets.mask_variable("SETTINGS", text);
  const std::vector<std::string> shown = secrets.mask_arguments(arguments);
  const Json json = secrets.mask_json("config", Json(text));
  if (!is_told_apart(secret, *hyperparameters)) return;
  must(!is_in(secret, {masked, variable, *json.string()}), "no secret is in a text that is shown");
  must(!is_in(secret, shown), "no secret is in an argument that is shown");
  must(!is_in(secret, {secrets.mask_cut_off(text), secrets.apply_behind_cut(text).text}),
       "nor in one that was cut off");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t end = input.find('\1');
  const std::string_view secret = input.substr(0, end == std::string_view::npos ? 0 : end);
  const std::string text(input.substr(end == std::string_view::npos ? 0 : end + 1));
  check_literal(text);
  check_masked(secret, text);
  return 0;
}

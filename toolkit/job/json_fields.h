#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainit/json.h"
#include "trainit/result.h"

/// Reading the members of a configuration file's object. An absent member and a null are the same.
/// Errors say which key, what was found there and what belongs there; the file's name is put in
/// front by whoever knows it.
namespace trainit::job {

/// `a string ("algo-1")`, `an integer (3)`, `a list`: for messages.
std::string describe(const Json& value);

/// `WHAT is a string ("x"); it has to be EXPECTED`.
tl::unexpected<Error> wrong_kind(std::string_view what, const Json& found,
                                 std::string_view expected);

/// The members, when `value` is an object; never null.
Result<const Json::Object*> members_of(std::string_view what, const Json& value);

/// A member that holds text; `otherwise` when it is absent.
Result<std::string> text_member(const Json& object, std::string_view key,
                                std::string_view otherwise);
/// A member that has to be there, and holds a text that is not empty.
Result<std::string> required_text(const Json& object, std::string_view key);
/// A member that has to be there, and holds a list of texts that are not empty.
Result<std::vector<std::string>> required_texts(const Json& object, std::string_view key);

/// Whether a switch is on. The value is Python's truth, but a text that says no ("False", "0",
/// "no", "off", "None", "") is off: callers who do not encode values send Python's own words.
bool is_on(const Json& value);

}  // namespace trainit::job

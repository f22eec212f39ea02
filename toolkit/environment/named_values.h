#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace trainit::environment {

/// An argument that says how the next one, or its own rest, is called.
struct Option {
  std::string_view name;  ///< without dashes; empty: it is no option
  std::string_view value;
  /// Of "--name=value" and "name=value"; 0: the value is the next argument.
  std::size_t value_at = 0;
};
/// What stands in front of a '=' in a program's text or in a sentence is no option's name.
Option option_of(std::string_view argument);

/// A name=value in the middle of a text.
struct Assignment {
  std::string_view name;
  std::string_view value;  ///< a part of the text, without quotes
};
/// Those in a text whose name looks secret or whose value is a list or an object. The text may be
/// an object as the toolkit writes it ("user=bob,password=x,list=['a']"), or a program: "export
/// TOKEN=x; python train.py", "login(password='x')". Of a program only what looks like a value
/// counts, not what refers to one ("$TOKEN", "read()", "key=length"). In order; the time grows with
/// the length of the text.
std::vector<Assignment> assignments_in(std::string_view text);

}  // namespace trainit::environment

#pragma once

#include <string>

namespace trainit::sys {

/// What the first line of a program's file says of how it is run.
struct FirstLine {
  bool script = false;            ///< it begins with #!
  std::string command;            ///< what stands behind that: "/usr/bin/env bash"
  bool windows_line_end = false;  ///< CR LF, of which the CR belongs to the last word for everybody
  bool byte_order_mark = false;   ///< that of UTF-8, behind which nobody looks for #!

  /// The program that the command names; empty when the file is no script.
  std::string interpreter() const;
  /// The program that "/usr/bin/env -S NAME" looks for in PATH; empty: it is no such line.
  std::string wanted_of_env() const;
  /// A shell of the Bourne family is to run it.
  bool names_shell() const;
  /// "its first line names /bin/bash\r: the file has Windows line ends; save it with LF": what
  /// keeps the line from being understood. Empty: nothing.
  std::string complaint() const;
};

/// Of a file that cannot be read, or whose first line is longer than 4 KiB, nothing is known.
FirstLine read_first_line(const std::string& path);

/// The number, from 1, of the first line with CR LF in the first 64 KiB of a file; 0: there is
/// none.
int first_windows_line(const std::string& path);

}  // namespace trainit::sys

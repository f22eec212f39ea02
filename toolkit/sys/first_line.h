#pragma once

#include <string>

namespace trainit::sys {

/// What the first line of a program's file says of how it is run.
struct FirstLine {
  bool script = false;            ///< it begins with #!
  std::string command;            ///< what stands behind that: "/usr/bin/env bash"
  bool windows_line_end = false;  ///< CR LF, of which the CR belongs to the last word for everybody

  /// The program that the command names; empty when the file is no script.
  std::string interpreter() const;
  /// "its first line names /bin/bash\r: the file has Windows line ends; save it with LF", for a
  /// file whose first line has one.
  std::string windows_complaint() const;
};

/// Of a file that cannot be read, or whose first line is longer than 4 KiB, nothing is known.
FirstLine read_first_line(const std::string& path);

}  // namespace trainit::sys

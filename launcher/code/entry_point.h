#pragma once

#include <string>
#include <string_view>

#include "trainit/result.h"

namespace trainit::code {

/// How a script is run, by its name and what lies beside it.
enum class EntryPoint {
  kPython,      ///< python train.py, or of a directory with __main__.py: python my.pkg
  kModule,      ///< python -m package.train
  kShell,       ///< /bin/sh ./train.sh: a .sh without a #! line
  kExecutable,  ///< ./train
};
EntryPoint entry_point_kind(const std::string& code_directory, const std::string& program);

/// "src/pkg/train.py" → "src.pkg.train", for `python -m`.
std::string module_name(std::string_view program);

/// Whether there is something of this name. `origin` is who named it: "sagemaker_program". The
/// error is a sentence with what is there instead.
Result<void> check_entry_point(const std::string& code_directory, const std::string& program,
                               const std::string& origin);

/// Refuses a script whose beginning its interpreter would misunderstand: a shell takes the CR of a
/// Windows line end for a part of the last word, and may run half of the script before it stumbles
/// over that.
Result<void> check_first_line(const std::string& path, EntryPoint kind);
/// The same of lines behind the first, which may do no harm: a sentence about the first of them, or
/// nothing. Only a shell's script is looked at, and its first 64 KiB.
std::string warning_of_line_ends(const std::string& path, EntryPoint kind);

}  // namespace trainit::code

#pragma once

#include <string>

#include "trainit/result.h"

namespace trainit::nccl {

/// "2.27.7" for 22707, and "2.8.4" for 2804: NCCL writes its versions so up to 2.8.
std::string version_text(int code);

/// Whether a program that was compiled with the header of one version can use the library of
/// another: of the same major version, and not of an earlier minor one. Error: a sentence that
/// begins with `library_path`.
Result<void> check_versions(int header, int library, const std::string& library_path);

}  // namespace trainit::nccl

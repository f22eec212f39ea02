#pragma once

#include <string>

namespace trainit::check {

/// Makes a file of a random name in this directory, writes a byte to it and removes it. Why that
/// failed, or nothing: it did not.
std::string scratch_file_error(const std::string& directory);

}  // namespace trainit::check

#pragma once

#include <string>
#include <vector>

#include "check/subject.h"

/// Shared libraries of the image, by where programs find them: nothing is loaded.
namespace trainit::check {

/// The directories of LD_LIBRARY_PATH, then those that distributions and NVIDIA's and Amazon's
/// packages use, as far as they are there; none twice.
std::vector<std::string> library_directories(const Environment& environment,
                                             const std::string& image);

/// The paths of all files with one of these names, in order of the directories.
std::vector<std::string> find_libraries(const std::vector<std::string>& directories,
                                        const std::vector<std::string>& names);

}  // namespace trainit::check

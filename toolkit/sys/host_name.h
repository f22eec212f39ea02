#pragma once

#include <string>

namespace trainit::sys {

/// What the kernel calls this machine; "localhost" when it has no name.
std::string host_name();

}  // namespace trainit::sys

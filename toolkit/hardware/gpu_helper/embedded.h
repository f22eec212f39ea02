#pragma once

#include <string_view>

namespace trainit::hardware {

/// The bytes of the GPU helper, an ELF program for this processor; empty where it is not written
/// for it. It is run in a process of its own and answers on stdout (see gpu_helper.c).
std::string_view gpu_helper_program();

}  // namespace trainit::hardware

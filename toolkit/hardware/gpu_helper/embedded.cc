#include "hardware/gpu_helper/embedded.h"

#ifdef TRAINIT_GPU_HELPER

extern "C" const char trainit_gpu_helper_begin[], trainit_gpu_helper_end[];

asm(".pushsection .rodata\n"
    ".globl trainit_gpu_helper_begin, trainit_gpu_helper_end\n"
    ".hidden trainit_gpu_helper_begin, trainit_gpu_helper_end\n"
    "trainit_gpu_helper_begin:\n"
    ".incbin \"" TRAINIT_GPU_HELPER
    "\"\n"
    "trainit_gpu_helper_end:\n"
    ".popsection\n");

namespace trainit::hardware {

std::string_view gpu_helper_program() { return {trainit_gpu_helper_begin, trainit_gpu_helper_end}; }

}  // namespace trainit::hardware

#else

namespace trainit::hardware {

std::string_view gpu_helper_program() { return {}; }

}  // namespace trainit::hardware

#endif

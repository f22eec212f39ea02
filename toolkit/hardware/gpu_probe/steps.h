// What is tried. Each takes GPUs that were opened, gives back the memory that it takes, and leaves
// `measure` alone when there is trouble; after that the GPU is not to be used any more, because
// errors of kernels stay with its context.
#pragma once

#include "cuda.h"

/// More are not tried.
enum { kMostGpus = 64 };

/// How fast numbers are read and written: two are read for one that is written. Checked.
struct Trouble measure_memory(struct Gpu* gpu, struct Measure* measure);

/// A product of matrices in single precision, or by the tensor cores. Each result is checked.
struct Trouble measure_product(struct Gpu* gpu, int half, struct Measure* measure);

/// Copies from one GPU to another, or to another place of the same. The receiver checks.
struct Trouble measure_copy(struct Gpu* from, struct Gpu* to, struct Measure* measure);

/// A sum over all GPUs by NCCL, whose bytes are those of one GPU; each of them checks it. `library`
/// is tried first, and what the loader says of it is the trouble when neither can be loaded; null:
/// only libnccl.so.2 where the loader finds it. Takes kMostGpus at most. Sets `version`: 22809 is
/// 2.28.9.
struct Trouble measure_all_reduce(struct Gpu* gpus, int count, const char* library,
                                  struct Measure* measure, int* version);

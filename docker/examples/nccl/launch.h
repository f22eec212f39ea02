#pragma once

#include <cuda_runtime_api.h>

/// launch(stream, count, kernel, arguments…): the kernel makes the elements 0 … count - 1, each in
/// a thread of its own, which knows it by `element()`; there may be threads past the last one.
#ifdef __CUDACC__

__device__ inline int element() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

template <class... Parameters, class... Arguments>
void launch(cudaStream_t stream, int count, void (*kernel)(int, Parameters...),
            Arguments... arguments) {
  constexpr int kThreads = 128;
  if (count == 0) return;  // a grid of no blocks is an error
  kernel<<<(count + kThreads - 1) / kThreads, kThreads, 0, stream>>>(count, arguments...);
}

#else  // compiled for the CPU: the same kernels, one element after the other, for tests

inline thread_local int current_element;
inline int element() { return current_element; }

template <class... Parameters, class... Arguments>
void launch(cudaStream_t, int count, void (*kernel)(int, Parameters...), Arguments... arguments) {
  for (current_element = 0; current_element < count; ++current_element) {
    kernel(count, arguments...);
  }
}

#endif

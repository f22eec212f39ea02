// The numbers that GPUs are tried with, the same for kernels and for the program.
#pragma once

#ifdef __CUDACC__
#define PATTERN_FUNCTION static __device__ inline
#else
#define PATTERN_FUNCTION static inline
#endif

/// A whole number from -15 to 15, which half precision holds exactly, as it does float any sum of
/// 4096 products of two of them: in whatever order they are added up, the result is one.
PATTERN_FUNCTION int pattern(unsigned int line, unsigned int at) {
  unsigned int mixed = line * 0x9e3779b9u + at * 0x85ebca6bu;
  mixed ^= mixed >> 15;
  mixed *= 0x2c1b3c6du;
  mixed ^= mixed >> 13;
  return (int)(mixed % 31) - 15;
}

enum {
  // Rows of the one matrix, and columns of the other, repeat themselves: so the results of a
  // product are few, and the CPU knows them at once.
  kRows = 31,
  kColumns = 37,
  kFirstColumn = 1000,  // the line of the first column
  kTriadFactor = 3,
};

// The kernels of the probe, with blocks of 256 threads. scripts/generate-gpu-kernels makes
// kernels.ptx of them, which the program carries and the driver translates for the GPU at hand. All
// numbers are whole and small (see pattern.h), so a result is right or wrong and never nearly right.
#include <mma.h>

#include "pattern.h"

namespace {

using Count = unsigned long long;

__device__ Count first_index() { return blockIdx.x * Count{blockDim.x} + threadIdx.x; }
__device__ Count stride() { return gridDim.x * Count{blockDim.x}; }

__device__ void report(Count found, Count* wrong) {
  if (found > 0) atomicAdd(wrong, found);
}

}  // namespace

/// to[i] = pattern(line, i)
extern "C" __global__ void __launch_bounds__(256) fill(float* to, Count count, unsigned line) {
  for (Count i = first_index(); i < count; i += stride())
    to[i] = static_cast<float>(pattern(line, static_cast<unsigned>(i)));
}

/// Adds to `wrong` how many of from[i] are not the sum of pattern(line, i) over so many lines.
extern "C" __global__ void __launch_bounds__(256)
    check_sum(const float* from, Count count, unsigned first_line, unsigned lines, Count* wrong) {
  Count found = 0;
  for (Count i = first_index(); i < count; i += stride()) {
    int sum = 0;
    for (unsigned line = first_line; line < first_line + lines; ++line)
      sum += pattern(line, static_cast<unsigned>(i));
    found += from[i] != static_cast<float>(sum);
  }
  report(found, wrong);
}

/// to = a + 3 b: memory's own speed.
extern "C" __global__ void __launch_bounds__(256)
    triad(const float4* a, const float4* b, float4* to, Count quads) {
  constexpr float kFactor = kTriadFactor;
  for (Count i = first_index(); i < quads; i += stride()) {
    const float4 x = a[i], y = b[i];
    to[i] = make_float4(x.x + kFactor * y.x, x.y + kFactor * y.y, x.z + kFactor * y.z,
                        x.w + kFactor * y.w);
  }
}

/// Of a triad of lines `a` and `b`.
extern "C" __global__ void __launch_bounds__(256)
    check_triad(const float* from, Count count, unsigned a, unsigned b, Count* wrong) {
  Count found = 0;
  for (Count i = first_index(); i < count; i += stride()) {
    const auto at = static_cast<unsigned>(i);
    found += from[i] != static_cast<float>(pattern(a, at) + kTriadFactor * pattern(b, at));
  }
  report(found, wrong);
}

/// The factors of a product, size by size, row by row.
extern "C" __global__ void __launch_bounds__(256) fill_factors(float* a, float* b, unsigned size) {
  for (Count i = first_index(); i < Count{size} * size; i += stride()) {
    const auto row = static_cast<unsigned>(i / size), column = static_cast<unsigned>(i % size);
    a[i] = static_cast<float>(pattern(row % kRows, column));
    b[i] = static_cast<float>(pattern(kFirstColumn + column % kColumns, row));
  }
}

extern "C" __global__ void __launch_bounds__(256) fill_half(half* a, half* b, unsigned size) {
  for (Count i = first_index(); i < Count{size} * size; i += stride()) {
    const auto row = static_cast<unsigned>(i / size), column = static_cast<unsigned>(i % size);
    a[i] = __float2half(static_cast<float>(pattern(row % kRows, column)));
    b[i] = __float2half(static_cast<float>(pattern(kFirstColumn + column % kColumns, row)));
  }
}

/// to = a b in single precision; a block computes 128 by 128 of it, a thread 8 by 8. `size` is a
/// multiple of 128.
extern "C" __global__ void __launch_bounds__(256)
    product(const float* a, const float* b, float* to, unsigned size) {
  constexpr unsigned kTile = 128, kDepth = 8, kOwn = 8;
  constexpr unsigned kPadded = kTile + 4;  // else the rows of a column lie in one bank
  __shared__ float part_a[kDepth][kPadded], part_b[kDepth][kPadded];
  const unsigned row = blockIdx.y * kTile, column = blockIdx.x * kTile;
  const unsigned own_row = threadIdx.x / 16 * kOwn, own_column = threadIdx.x % 16 * kOwn;
  float sums[kOwn][kOwn] = {};
  for (unsigned k = 0; k < size; k += kDepth) {
    for (unsigned i = threadIdx.x; i < kTile * kDepth; i += blockDim.x) {
      part_a[i % kDepth][i / kDepth] = a[Count{row + i / kDepth} * size + k + i % kDepth];
      part_b[i / kTile][i % kTile] = b[Count{k + i / kTile} * size + column + i % kTile];
    }
    __syncthreads();
    for (unsigned depth = 0; depth < kDepth; ++depth) {
      for (unsigned i = 0; i < kOwn; ++i) {
        for (unsigned j = 0; j < kOwn; ++j)
          sums[i][j] += part_a[depth][own_row + i] * part_b[depth][own_column + j];
      }
    }
    __syncthreads();
  }
  for (unsigned i = 0; i < kOwn; ++i) {
    for (unsigned j = 0; j < kOwn; ++j)
      to[Count{row + own_row + i} * size + column + own_column + j] = sums[i][j];
  }
}

/// The same by the tensor cores: factors in half precision, sums in single. A block computes 128 by
/// 128, each of its 8 warps 32 by 64.
extern "C" __global__ void __launch_bounds__(256)
    product_half(const half* a, const half* b, float* to, unsigned size) {
  namespace wmma = nvcuda::wmma;
  constexpr unsigned kSide = 16, kHigh = 2, kWide = 4;
  const unsigned warp = threadIdx.x / 32;
  const unsigned row = blockIdx.y * 128 + warp / 2 * 32, column = blockIdx.x * 128 + warp % 2 * 64;
  wmma::fragment<wmma::matrix_a, kSide, kSide, kSide, half, wmma::row_major> part_a[kHigh];
  wmma::fragment<wmma::matrix_b, kSide, kSide, kSide, half, wmma::row_major> part_b;
  wmma::fragment<wmma::accumulator, kSide, kSide, kSide, float> sums[kHigh][kWide];
  for (unsigned i = 0; i < kHigh; ++i) {
    for (unsigned j = 0; j < kWide; ++j) wmma::fill_fragment(sums[i][j], 0.0f);
  }
  for (unsigned k = 0; k < size; k += kSide) {
    for (unsigned i = 0; i < kHigh; ++i)
      wmma::load_matrix_sync(part_a[i], a + Count{row + i * kSide} * size + k, size);
    for (unsigned j = 0; j < kWide; ++j) {
      wmma::load_matrix_sync(part_b, b + Count{k} * size + column + j * kSide, size);
      for (unsigned i = 0; i < kHigh; ++i)
        wmma::mma_sync(sums[i][j], part_a[i], part_b, sums[i][j]);
    }
  }
  for (unsigned i = 0; i < kHigh; ++i) {
    for (unsigned j = 0; j < kWide; ++j) {
      float* const place = to + Count{row + i * kSide} * size + column + j * kSide;
      wmma::store_matrix_sync(place, sums[i][j], size, wmma::mem_row_major);
    }
  }
}

/// `expected` has the results of kRows rows and kColumns columns.
extern "C" __global__ void __launch_bounds__(256)
    check_product(const float* from, const float* expected, unsigned size, Count* wrong) {
  Count found = 0;
  for (Count i = first_index(); i < Count{size} * size; i += stride()) {
    const auto row = static_cast<unsigned>(i / size), column = static_cast<unsigned>(i % size);
    found += from[i] != expected[row % kRows * kColumns + column % kColumns];
  }
  report(found, wrong);
}

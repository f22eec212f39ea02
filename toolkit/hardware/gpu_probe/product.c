#include "pattern.h"
#include "steps.h"

enum { kTile = 128, kLargest = 4096, kSmallest = 256, kMicroseconds = 250000 };

struct Product {
  CudaPointer a, b, to, expected;
  unsigned int size;
  int half;
};

static struct Trouble fill(const struct Gpu* gpu, struct Product* product) {
  void* parameters[] = {&product->a, &product->b, &product->size};
  return launch(gpu, product->half ? kFillHalf : kFillFactors, 0, 0, parameters);
}

/// Multiplies and checks, which takes a hundredth of the time or less.
static struct Trouble once(const struct Gpu* gpu, void* what) {
  struct Product* const product = what;
  CudaPointer wrong = gpu->wrong;
  const unsigned int blocks = product->size / kTile;
  void* parameters[] = {&product->a, &product->b, &product->to, &product->size};
  void* checked[] = {&product->to, &product->expected, &product->size, &wrong};
  TRY_STEP(launch(gpu, product->half ? kProductHalf : kProduct, blocks, blocks, parameters));
  return launch(gpu, kCheckProduct, 0, 0, checked);
}

static const float* expected_results(unsigned int size) {
  static float expected[kRows * kColumns];
  for (unsigned int row = 0; row < kRows; ++row) {
    for (unsigned int column = 0; column < kColumns; ++column) {
      int sum = 0;
      for (unsigned int k = 0; k < size; ++k)
        sum += pattern(row, k) * pattern(kFirstColumn + column, k);
      expected[row * kColumns + column] = (float)sum;
    }
  }
  return expected;
}

/// Three matrices in a quarter of the free memory.
static unsigned int fitting_size(const struct Gpu* gpu) {
  for (size_t size = kLargest; size >= kSmallest; size /= 2) {
    if (3 * size * size * sizeof(float) <= gpu->free / 4) return (unsigned int)size;
  }
  return 0;
}

struct Trouble measure_product(struct Gpu* gpu, int half, struct Measure* measure) {
  struct Product product = {0, 0, 0, 0, fitting_size(gpu), half};
  const unsigned long long results = (unsigned long long)product.size * product.size;
  const size_t of_factor = results * (half ? 2 : sizeof(float));
  const size_t of_expected = kRows * kColumns * sizeof(float);
  unsigned int rounds = 0;
  if (product.size == 0) return no_room();
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(gpu->context));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&product.a, of_factor));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&product.b, of_factor));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&product.to, results * sizeof(float)));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&product.expected, of_expected));
  TRY_CUDA("cuMemcpyHtoD",
           cuda.copy_to_device(product.expected, expected_results(product.size), of_expected));
  TRY_STEP(fill(gpu, &product));
  TRY_STEP(clear_wrong(gpu));
  TRY_STEP(take_time(gpu, once, &product, kMicroseconds, &measure->nanoseconds, &rounds));
  TRY_STEP(read_wrong(gpu, &measure->wrong));
  measure->of = "operations";
  measure->amount = 2 * results * product.size;
  measure->checked = results * rounds;
  TRY_CUDA("cuMemFree", cuda.free(product.a));
  TRY_CUDA("cuMemFree", cuda.free(product.b));
  TRY_CUDA("cuMemFree", cuda.free(product.to));
  TRY_CUDA("cuMemFree", cuda.free(product.expected));
  return kNoTrouble;
}

// The part of the stand-in for libcuda that computes: memory is the host's, and the probe's kernels
// run on the CPU, by their names. Time is made up of what the work would take at the speeds below.
// FAKE_GPU_NAME is the name of the GPUs. FAKE_PROBE says what goes wrong, in items such as
// "wrong=product@3", of which "@3" is the GPU:
//
//   wrong=STEP    one number of a result is wrong
//   slow=STEP     ten times slower
//   fail=STEP     the GPU has an error that stays
//   hang=STEP     the call never comes back, and SIGTERM does not help
//   crash=STEP    the call dies of SIGSEGV
//   used=memory   half of its memory is taken
//   full=memory   nearly all of it
//   no=ptx        the driver does not know the language of the kernels
//   no=peer       it cannot reach the memory of other GPUs: copies go the long way, as they do
//   where
//                 nobody has asked for the short one
//   hang=end      the program cannot end as programs do
//   tell=memory   it says on stderr how much of its memory is taken, whenever that changes
//
// with STEP one of start, memory, product, tensor, copy (copies within a GPU and between two, of
// the one that sends), pair (those between two alone).
#include <signal.h>
#include <unistd.h>

#include "cuda_api.h"
#include "fake_stream.h"
#include "pattern.h"

enum {
  kMostGpus = 16,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kUncorrectable = 214,
  kPeerAccessUnsupported = 217,
  kUnsupportedPtx = 222,
  kNotFound = 500,
  kMemory = 8 << 20,
};
static const double kMemoryBytesEachMs = 3e9, kPeerBytesEachMs = 3.5e8, kProductMs = 300;

struct CUctx_st {
  int gpu;
  DriverResult error;
  int reaches[kMostGpus];
};
struct CUmod_st {
  const char* text;
};
struct CUfunc_st {
  const char* name;
};
struct CUevent_st {
  double milliseconds;
};
static struct CUctx_st contexts[kMostGpus];
static struct CUctx_st* current;

static void hang(void) {
  signal(SIGTERM, SIG_IGN);
  for (;;) pause();
}

__attribute__((destructor)) static void end(void) {
  if (probe_wants("hang", "end", 0)) hang();
}

static void misbehave(const char* step, int gpu) {
  if (probe_wants("crash", step, gpu)) raise(SIGSEGV);
  if (probe_wants("fail", step, gpu)) contexts[gpu].error = kUncorrectable;
  if (probe_wants("hang", step, gpu)) hang();
}

static double scaled(double milliseconds, const char* step, int gpu) {
  return probe_wants("slow", step, gpu) ? 10 * milliseconds : milliseconds;
}

DriverResult cuDeviceCanAccessPeer(int* can, CudaDevice device, CudaDevice peer) {
  *can = device != peer && !probe_wants("no", "peer", device);
  return 0;
}

DriverResult cuDevicePrimaryCtxRetain(struct CUctx_st** context, CudaDevice device) {
  misbehave("start", device);
  contexts[device].gpu = device;
  *context = &contexts[device];
  return contexts[device].error;
}

DriverResult cuCtxSetCurrent(struct CUctx_st* context) {
  current = context;
  return 0;
}

DriverResult cuCtxEnablePeerAccess(struct CUctx_st* peer, unsigned int flags) {
  if (peer == current || flags != 0) return kInvalidValue;
  if (probe_wants("no", "peer", current->gpu)) return kPeerAccessUnsupported;
  if (current->reaches[peer->gpu]++) return kCudaPeerAccessAlreadyEnabled;
  return 0;
}

DriverResult cuModuleLoadDataEx(struct CUmod_st** module, const void* image, unsigned int count,
                                unsigned int* options, void** values) {
  if (count != 2 || options[0] != kCudaJitErrorLog || options[1] != kCudaJitErrorLogBytes)
    return kInvalidValue;
  if (probe_wants("no", "ptx", current->gpu)) {
    snprintf(values[0], (size_t)values[1], "Unsupported .version 6.3");
    return kUnsupportedPtx;
  }
  *module = malloc(sizeof **module);
  (*module)->text = image;
  return 0;
}

DriverResult cuModuleGetFunction(struct CUfunc_st** function, struct CUmod_st* module,
                                 const char* name) {
  char entry[128];
  snprintf(entry, sizeof entry, ".entry %s(", name);
  if (strstr(module->text, entry) == NULL) return kNotFound;
  *function = malloc(sizeof **function);
  (*function)->name = name;
  return 0;
}

DriverResult cuMemGetInfo_v2(size_t* free, size_t* total) {
  *total = kMemory;
  *free = kMemory;
  if (probe_wants("used", "memory", current->gpu)) *free /= 2;
  if (probe_wants("full", "memory", current->gpu)) *free = 4096;
  return 0;
}

/// In front of what was asked for.
struct Block {
  _Alignas(16) size_t bytes;
  int gpu;
};
static size_t taken[kMostGpus];

static void tell_memory(int gpu) {
  if (probe_wants("tell", "memory", gpu)) dprintf(2, "GPU %d: %zu bytes taken\n", gpu, taken[gpu]);
}

DriverResult cuMemAlloc_v2(CudaPointer* pointer, size_t bytes) {
  struct Block* const block = malloc(sizeof *block + bytes);
  if (block == NULL) return kOutOfMemory;
  block->bytes = bytes;
  block->gpu = current->gpu;
  *pointer = (CudaPointer)(block + 1);
  taken[block->gpu] += bytes;
  tell_memory(block->gpu);
  return current->error;
}

DriverResult cuMemFree_v2(CudaPointer pointer) {
  struct Block* const block = (struct Block*)pointer - 1;
  taken[block->gpu] -= block->bytes;
  tell_memory(block->gpu);
  free(block);
  return 0;
}

DriverResult cuMemcpyHtoD_v2(CudaPointer to, const void* from, size_t bytes) {
  memcpy((void*)to, from, bytes);
  return current->error;
}

DriverResult cuMemcpyDtoH_v2(void* to, CudaPointer from, size_t bytes) {
  memcpy(to, (const void*)from, bytes);
  return current->error;
}

static DriverResult copy(CudaPointer to, CudaPointer from, size_t bytes, double bytes_each_ms,
                         struct CUstream_st* stream) {
  misbehave("copy", stream->gpu);
  memcpy((void*)to, (const void*)from, bytes);
  if (probe_wants("wrong", "copy", stream->gpu)) *(float*)to += 1;
  stream->milliseconds += scaled((double)bytes / bytes_each_ms, "copy", stream->gpu);
  return 0;
}

DriverResult cuMemcpyDtoDAsync_v2(CudaPointer to, CudaPointer from, size_t bytes,
                                  struct CUstream_st* stream) {
  return copy(to, from, bytes, kMemoryBytesEachMs / 2, stream);
}

DriverResult cuMemcpyPeerAsync(CudaPointer to, struct CUctx_st* to_context, CudaPointer from,
                               struct CUctx_st* from_context, size_t bytes,
                               struct CUstream_st* stream) {
  if (to_context == from_context || from_context->gpu != stream->gpu) return kInvalidValue;
  misbehave("pair", stream->gpu);
  const double share = from_context->reaches[to_context->gpu] ? 1 : 0.1;
  return copy(to, from, bytes, share * kPeerBytesEachMs, stream);
}

DriverResult cuStreamCreate(struct CUstream_st** stream, unsigned int flags) {
  *stream = calloc(1, sizeof **stream);
  (*stream)->gpu = current->gpu;
  return flags != 0 ? kInvalidValue : 0;
}

DriverResult cuStreamSynchronize(struct CUstream_st* stream) { return contexts[stream->gpu].error; }

DriverResult cuEventCreate(struct CUevent_st** event, unsigned int flags) {
  *event = calloc(1, sizeof **event);
  return flags != 0 ? kInvalidValue : 0;
}

DriverResult cuEventRecord(struct CUevent_st* event, struct CUstream_st* stream) {
  event->milliseconds = stream->milliseconds;
  return 0;
}

DriverResult cuEventSynchronize(struct CUevent_st* event) {
  (void)event;
  return current->error;
}

DriverResult cuEventElapsedTime(float* milliseconds, struct CUevent_st* begin,
                                struct CUevent_st* end) {
  *milliseconds = (float)(end->milliseconds - begin->milliseconds);
  return 0;
}

// ---- the kernels, which get their parameters as pointers to them

typedef unsigned long long Count;
#define VALUE(type, number) (*(type*)parameters[number])

static void fill(void** parameters) {
  float* const to = VALUE(float*, 0);
  for (Count i = 0; i < VALUE(Count, 1); ++i)
    to[i] = (float)pattern(VALUE(unsigned, 2), (unsigned)i);
}

static void check_sum(void** parameters) {
  const float* const from = VALUE(float*, 0);
  for (Count i = 0; i < VALUE(Count, 1); ++i) {
    int sum = 0;
    for (unsigned line = 0; line < VALUE(unsigned, 3); ++line)
      sum += pattern(VALUE(unsigned, 2) + line, (unsigned)i);
    *VALUE(Count*, 4) += from[i] != (float)sum;
  }
}

static void triad(void** parameters) {
  const float *const a = VALUE(float*, 0), *const b = VALUE(float*, 1);
  float* const to = VALUE(float*, 2);
  for (Count i = 0; i < 4 * VALUE(Count, 3); ++i) to[i] = a[i] + kTriadFactor * b[i];
}

static void check_triad(void** parameters) {
  const float* const from = VALUE(float*, 0);
  for (Count i = 0; i < VALUE(Count, 1); ++i) {
    const int a = pattern(VALUE(unsigned, 2), (unsigned)i);
    const int b = pattern(VALUE(unsigned, 3), (unsigned)i);
    *VALUE(Count*, 4) += from[i] != (float)(a + kTriadFactor * b);
  }
}

/// A number of half precision is a signed byte in the first of its two bytes here.
static void fill_factors(void** parameters, int half) {
  const unsigned size = VALUE(unsigned, 2);
  for (unsigned row = 0; row < size; ++row) {
    for (unsigned column = 0; column < size; ++column) {
      const Count at = (Count)row * size + column;
      const int a = pattern(row % kRows, column);
      const int b = pattern(kFirstColumn + column % kColumns, row);
      if (half) {
        VALUE(short*, 0)[at] = (short)a;
        VALUE(short*, 1)[at] = (short)b;
      } else {
        VALUE(float*, 0)[at] = (float)a;
        VALUE(float*, 1)[at] = (float)b;
      }
    }
  }
}

static void product(void** parameters, int half) {
  const unsigned size = VALUE(unsigned, 3);
  float* const to = VALUE(float*, 2);
  memset(to, 0, sizeof(float) * size * size);
  for (unsigned row = 0; row < size; ++row) {
    for (unsigned k = 0; k < size; ++k) {
      const Count at = (Count)row * size + k;
      const float a = half ? (float)VALUE(short*, 0)[at] : VALUE(float*, 0)[at];
      for (unsigned column = 0; column < size; ++column) {
        const Count from = (Count)k * size + column;
        to[(Count)row * size + column] +=
            a * (half ? (float)VALUE(short*, 1)[from] : VALUE(float*, 1)[from]);
      }
    }
  }
}

static void check_product(void** parameters) {
  const unsigned size = VALUE(unsigned, 2);
  const float *const from = VALUE(float*, 0), *const expected = VALUE(float*, 1);
  for (unsigned row = 0; row < size; ++row) {
    for (unsigned column = 0; column < size; ++column) {
      *VALUE(Count*, 3) +=
          from[(Count)row * size + column] != expected[row % kRows * kColumns + column % kColumns];
    }
  }
}

DriverResult cuLaunchKernel(struct CUfunc_st* function, unsigned int grid_x, unsigned int grid_y,
                            unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                            unsigned int block_z, unsigned int shared, struct CUstream_st* stream,
                            void** parameters, void** extra) {
  const char* const name = function->name;
  const int gpu = stream->gpu, half = strstr(name, "half") != NULL;
  const char* const step = half ? "tensor" : "product";
  if (grid_x == 0 || grid_y == 0 || grid_z != 1 || block_x != 256 || block_y != 1 || block_z != 1)
    return kInvalidValue;
  if (shared != 0 || extra != NULL) return kInvalidValue;
  if (strcmp(name, "fill") == 0) fill(parameters);
  if (strcmp(name, "check_sum") == 0) check_sum(parameters);
  if (strcmp(name, "check_triad") == 0) check_triad(parameters);
  if (strcmp(name, "check_product") == 0) check_product(parameters);
  if (strncmp(name, "fill_", 5) == 0) fill_factors(parameters, half);
  if (strcmp(name, "triad") == 0) {
    misbehave("memory", gpu);
    triad(parameters);
    if (probe_wants("wrong", "memory", gpu)) VALUE(float*, 2)[7] += 1;
    stream->milliseconds +=
        scaled(48.0 * (double)VALUE(Count, 3) / kMemoryBytesEachMs, "memory", gpu);
  }
  if (strncmp(name, "product", 7) == 0) {
    misbehave(step, gpu);
    if (grid_x * 128 != VALUE(unsigned, 3) || grid_y != grid_x) return kInvalidValue;
    product(parameters, half);
    if (probe_wants("wrong", step, gpu)) VALUE(float*, 2)[7] += 1;
    stream->milliseconds += scaled(kProductMs, step, gpu);
  }
  return contexts[gpu].error;
}

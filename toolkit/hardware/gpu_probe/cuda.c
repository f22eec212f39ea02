#include "cuda.h"

struct Cuda cuda;

extern const char trainit_gpu_kernels[];  // PTX, with a 0 at its end
__asm__(
    ".pushsection .rodata\n.globl trainit_gpu_kernels\ntrainit_gpu_kernels:\n"
    ".incbin \"" TRAINIT_GPU_KERNELS "\"\n.byte 0\n.popsection\n");

static const char* const kKernelNames[kKernels] = {
    "fill",      "check_sum", "triad",        "check_triad",   "fill_factors",
    "fill_half", "product",   "product_half", "check_product",
};

enum { kThreads = 256, kBlocksEach = 16, kMostRounds = 100 };

struct Trouble cuda_trouble(const char* call, DriverResult code) {
  const char* name = 0;
  if (cuda.error_name != 0) cuda.error_name(code, &name);
  const struct Trouble trouble = {call, code, name, 0};
  return trouble;
}

/// Of the dynamic loader.
static struct Trouble loader_trouble(const char* call, const char* message) {
  const struct Trouble trouble = {call, 0, 0, message == 0 ? "" : message};
  return trouble;
}

static const char* find(void* library) {
  const struct {
    const char* name;
    void** function;
  } wanted[] = {
      {"cuInit", (void**)&cuda.init},
      {"cuDriverGetVersion", (void**)&cuda.driver_version},
      {"cuGetErrorName", (void**)&cuda.error_name},
      {"cuDeviceGetCount", (void**)&cuda.count},
      {"cuDeviceGet", (void**)&cuda.device},
      {"cuDeviceGetName", (void**)&cuda.name},
      {"cuDeviceGetAttribute", (void**)&cuda.attribute},
      {"cuDeviceCanAccessPeer", (void**)&cuda.can_access_peer},
      {"cuDevicePrimaryCtxRetain", (void**)&cuda.retain_context},
      {"cuCtxSetCurrent", (void**)&cuda.set_current},
      {"cuCtxEnablePeerAccess", (void**)&cuda.enable_peer_access},
      {"cuModuleLoadDataEx", (void**)&cuda.load_module},
      {"cuModuleGetFunction", (void**)&cuda.function},
      {"cuMemGetInfo_v2", (void**)&cuda.memory_info},
      {"cuMemAlloc_v2", (void**)&cuda.allocate},
      {"cuMemFree_v2", (void**)&cuda.free},
      {"cuMemcpyHtoD_v2", (void**)&cuda.copy_to_device},
      {"cuMemcpyDtoH_v2", (void**)&cuda.copy_to_host},
      {"cuMemcpyDtoDAsync_v2", (void**)&cuda.copy_within},
      {"cuMemcpyPeerAsync", (void**)&cuda.copy_to_peer},
      {"cuStreamCreate", (void**)&cuda.create_stream},
      {"cuStreamSynchronize", (void**)&cuda.synchronize_stream},
      {"cuEventCreate", (void**)&cuda.create_event},
      {"cuEventRecord", (void**)&cuda.record},
      {"cuEventSynchronize", (void**)&cuda.synchronize_event},
      {"cuEventElapsedTime", (void**)&cuda.elapsed},
      {"cuLaunchKernel", (void**)&cuda.launch},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; ++i) {
    *wanted[i].function = dlsym(library, wanted[i].name);
    if (*wanted[i].function == 0) return wanted[i].name;
  }
  return 0;
}

struct Trouble load_cuda(void) {
  void* library = dlopen("libcuda.so.1", kBindNow);
  // Windows' own place for it, which the loader of a container does not search.
  if (library == 0) library = dlopen("/usr/lib/wsl/lib/libcuda.so.1", kBindNow);
  // Once more, because the next call of the loader forgets the message of the one before.
  if (library == 0) library = dlopen("libcuda.so.1", kBindNow);
  if (library == 0) return loader_trouble("dlopen", dlerror());
  const char* const missing = find(library);
  if (missing != 0) return loader_trouble("dlsym", missing);
  TRY_CUDA("cuInit", cuda.init(0));
  return kNoTrouble;
}

static struct Trouble load_kernels(struct Gpu* gpu) {
  static char log[4096];
  unsigned int options[] = {kCudaJitErrorLog, kCudaJitErrorLogBytes};
  void* values[] = {log, (void*)sizeof log};
  struct CUmod_st* module = 0;
  const DriverResult code = cuda.load_module(&module, trainit_gpu_kernels, 2, options, values);
  if (code != 0) {
    struct Trouble trouble = cuda_trouble("cuModuleLoadDataEx", code);
    trouble.message = log;
    return trouble;
  }
  for (int i = 0; i < kKernels; ++i)
    TRY_CUDA("cuModuleGetFunction", cuda.function(&gpu->kernels[i], module, kKernelNames[i]));
  return kNoTrouble;
}

struct Trouble open_gpu(struct Gpu* gpu, int ordinal) {
  int multiprocessors = 0;
  gpu->ordinal = ordinal;
  TRY_CUDA("cuDeviceGet", cuda.device(&gpu->device, ordinal));
  TRY_CUDA("cuDeviceGetAttribute",
           cuda.attribute(&multiprocessors, kCudaMultiprocessorCount, gpu->device));
  gpu->multiprocessors = multiprocessors > 0 ? (unsigned int)multiprocessors : 1;
  // The one that NCCL uses too.
  TRY_CUDA("cuDevicePrimaryCtxRetain", cuda.retain_context(&gpu->context, gpu->device));
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(gpu->context));
  TRY_CUDA("cuMemGetInfo", cuda.memory_info(&gpu->free, &gpu->total));
  TRY_CUDA("cuStreamCreate", cuda.create_stream(&gpu->stream, 0));
  TRY_CUDA("cuEventCreate", cuda.create_event(&gpu->begin, 0));
  TRY_CUDA("cuEventCreate", cuda.create_event(&gpu->end, 0));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&gpu->wrong, sizeof(unsigned long long)));
  return load_kernels(gpu);
}

struct Trouble launch(const struct Gpu* gpu, enum Kernel kernel, unsigned int wide,
                      unsigned int high, void** parameters) {
  if (high == 0) wide = gpu->multiprocessors * kBlocksEach;
  TRY_CUDA("cuLaunchKernel", cuda.launch(gpu->kernels[kernel], wide, high == 0 ? 1 : high, 1,
                                         kThreads, 1, 1, 0, gpu->stream, parameters, 0));
  return kNoTrouble;
}

static struct Trouble time_of(const struct Gpu* gpu, Work* work, void* what, unsigned int rounds,
                              unsigned long long* nanoseconds) {
  float milliseconds = 0;
  TRY_CUDA("cuEventRecord", cuda.record(gpu->begin, gpu->stream));
  for (unsigned int i = 0; i < rounds; ++i) TRY_STEP(work(gpu, what));
  TRY_CUDA("cuEventRecord", cuda.record(gpu->end, gpu->stream));
  TRY_CUDA("cuEventSynchronize", cuda.synchronize_event(gpu->end));
  TRY_CUDA("cuEventElapsedTime", cuda.elapsed(&milliseconds, gpu->begin, gpu->end));
  *nanoseconds = milliseconds > 0 ? (unsigned long long)(milliseconds * 1e6f) : 0;
  return kNoTrouble;
}

struct Trouble take_time(const struct Gpu* gpu, Work* work, void* what, unsigned int microseconds,
                         unsigned long long* nanoseconds, unsigned int* rounds) {
  unsigned long long once = 0, all = 0;
  TRY_STEP(work(gpu, what));
  TRY_STEP(time_of(gpu, work, what, 1, &once));
  const unsigned long long fit = microseconds * 1000ull / (once > 0 ? once : 1);
  *rounds = fit < 1 ? 1 : fit > kMostRounds ? kMostRounds : (unsigned int)fit;
  TRY_STEP(time_of(gpu, work, what, *rounds, &all));
  *nanoseconds = all / *rounds;
  *rounds += 2;
  return kNoTrouble;
}

struct Trouble clear_wrong(const struct Gpu* gpu) {
  const unsigned long long none = 0;
  TRY_CUDA("cuMemcpyHtoD", cuda.copy_to_device(gpu->wrong, &none, sizeof none));
  return kNoTrouble;
}

struct Trouble read_wrong(const struct Gpu* gpu, unsigned long long* wrong) {
  TRY_CUDA("cuStreamSynchronize", cuda.synchronize_stream(gpu->stream));
  TRY_CUDA("cuMemcpyDtoH", cuda.copy_to_host(wrong, gpu->wrong, sizeof *wrong));
  return kNoTrouble;
}

size_t fitting(const struct Gpu* gpu, size_t least, size_t most) {
  size_t bytes = most;
  while (bytes > gpu->free / 8) bytes /= 2;
  return bytes < least ? 0 : bytes;
}

struct Trouble no_room(void) {
  const struct Trouble trouble = {"cuMemGetInfo", 0, 0, "too little memory is free"};
  return trouble;
}

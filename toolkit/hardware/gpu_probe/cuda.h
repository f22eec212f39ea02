// The driver's functions, a GPU that is ready to be tried, and time on it.
#pragma once

#include "cuda_api.h"
#include "hardware/gpu_helper/libc_api.h"
#include "report.h"

struct Cuda {
  CudaInit* init;
  CudaDriverGetVersion* driver_version;
  CudaGetErrorName* error_name;
  CudaDeviceGetCount* count;
  CudaDeviceGet* device;
  CudaDeviceGetName* name;
  CudaDeviceGetAttribute* attribute;
  CudaCanAccessPeer* can_access_peer;
  CudaPrimaryContextRetain* retain_context;
  CudaContextSetCurrent* set_current;
  CudaEnablePeerAccess* enable_peer_access;
  CudaModuleLoad* load_module;
  CudaModuleGetFunction* function;
  CudaMemoryInfo* memory_info;
  CudaAllocate* allocate;
  CudaFree* free;
  CudaCopyToDevice* copy_to_device;
  CudaCopyToHost* copy_to_host;
  CudaCopyWithin* copy_within;
  CudaCopyToPeer* copy_to_peer;
  CudaStreamCreate* create_stream;
  CudaStreamSynchronize* synchronize_stream;
  CudaEventCreate* create_event;
  CudaEventRecord* record;
  CudaEventSynchronize* synchronize_event;
  CudaEventElapsedTime* elapsed;
  CudaLaunch* launch;
};
extern struct Cuda cuda;

enum Kernel {
  kFill,
  kCheckSum,
  kTriad,
  kCheckTriad,
  kFillFactors,
  kFillHalf,
  kProduct,
  kProductHalf,
  kCheckProduct,
  kKernels
};

struct Gpu {
  int ordinal;
  CudaDevice device;
  unsigned int multiprocessors;
  size_t free, total;  // bytes, when it was opened
  struct CUctx_st* context;
  struct CUstream_st* stream;
  struct CUevent_st *begin, *end;
  struct CUfunc_st* kernels[kKernels];
  CudaPointer wrong;  // a counter of 64 bits
  int usable;
};

static const struct Trouble kNoTrouble = {0, 0, 0, 0};

/// The trouble of a call of the driver that gave `code`.
struct Trouble cuda_trouble(const char* call, DriverResult code);

/// Returns from the function with the trouble of a call that failed.
#define TRY_CUDA(function, expression)                    \
  do {                                                    \
    const DriverResult code_ = (expression);              \
    if (code_ != 0) return cuda_trouble(function, code_); \
  } while (0)
#define TRY_STEP(expression)                      \
  do {                                            \
    const struct Trouble trouble_ = (expression); \
    if (trouble_.call != 0) return trouble_;      \
  } while (0)

struct Trouble load_cuda(void);

/// Makes `gpu` ready: its context, a stream, the kernels. It is the current one then.
struct Trouble open_gpu(struct Gpu* gpu, int ordinal);

/// Puts a kernel with blocks of 256 threads into the GPU's stream; `high` 0: as many blocks as keep
/// the GPU busy, in one row.
struct Trouble launch(const struct Gpu* gpu, enum Kernel kernel, unsigned int wide,
                      unsigned int high, void** parameters);

/// Work that is put into the stream of `gpu`.
typedef struct Trouble Work(const struct Gpu* gpu, void* what);

/// Does the work once, once more to see how long it takes, then as often as fills `microseconds`,
/// at most 100 times, and tells how long one of these took.
struct Trouble take_time(const struct Gpu* gpu, Work* work, void* what, unsigned int microseconds,
                         unsigned long long* nanoseconds, unsigned int* rounds);

/// The counter to 0; and what it says once all work of the stream is done.
struct Trouble clear_wrong(const struct Gpu* gpu);
struct Trouble read_wrong(const struct Gpu* gpu, unsigned long long* wrong);

/// The largest power of two of bytes that is no more than `most` and an eighth of the memory that
/// was free; 0: there is not even `least`.
size_t fitting(const struct Gpu* gpu, size_t least, size_t most);

/// For steps for which there is too little memory.
struct Trouble no_room(void);

#include "steps.h"

enum { kFirstLine = 100, kMicroseconds = 20000 };

struct Copy {
  struct Gpu* receiver;
  CudaPointer from, to;
  size_t bytes;
};

static struct Trouble once(const struct Gpu* gpu, void* what) {
  struct Copy* const copy = what;
  if (copy->receiver == gpu) {
    TRY_CUDA("cuMemcpyDtoDAsync", cuda.copy_within(copy->to, copy->from, copy->bytes, gpu->stream));
  } else {
    TRY_CUDA("cuMemcpyPeerAsync", cuda.copy_to_peer(copy->to, copy->receiver->context, copy->from,
                                                    gpu->context, copy->bytes, gpu->stream));
  }
  return kNoTrouble;
}

/// Where a GPU can reach the other one's memory directly, it is to; else the driver goes through
/// the host's.
static struct Trouble let_reach(const struct Gpu* from, const struct Gpu* to) {
  int can = 0;
  if (from == to || cuda.can_access_peer(&can, from->device, to->device) != 0 || !can)
    return kNoTrouble;
  const DriverResult code = cuda.enable_peer_access(to->context, 0);
  if (code == kCudaPeerAccessAlreadyEnabled) return kNoTrouble;
  TRY_CUDA("cuCtxEnablePeerAccess", code);
  return kNoTrouble;
}

struct Trouble measure_copy(struct Gpu* from, struct Gpu* to, struct Measure* measure) {
  const size_t ours = fitting(from, (size_t)1 << 18, (size_t)1 << 27);
  const size_t theirs = fitting(to, (size_t)1 << 18, (size_t)1 << 27);
  struct Copy copy = {to, 0, 0, ours < theirs ? ours : theirs};
  unsigned long long count = copy.bytes / sizeof(float);
  unsigned int line = kFirstLine + (unsigned int)from->ordinal, lines = 1, rounds = 0;
  CudaPointer wrong = to->wrong;
  void* filled[] = {&copy.from, &count, &line};
  void* checked[] = {&copy.to, &count, &line, &lines, &wrong};
  if (copy.bytes == 0) return no_room();
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(to->context));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&copy.to, copy.bytes));
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(from->context));
  TRY_STEP(let_reach(from, to));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&copy.from, copy.bytes));
  TRY_STEP(launch(from, kFill, 0, 0, filled));
  TRY_STEP(take_time(from, once, &copy, kMicroseconds, &measure->nanoseconds, &rounds));
  TRY_CUDA("cuMemFree", cuda.free(copy.from));
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(to->context));
  TRY_STEP(clear_wrong(to));
  TRY_STEP(launch(to, kCheckSum, 0, 0, checked));
  TRY_STEP(read_wrong(to, &measure->wrong));
  TRY_CUDA("cuMemFree", cuda.free(copy.to));
  measure->of = "bytes";
  measure->amount = copy.bytes * (from == to ? 2 : 1);
  measure->checked = count;
  return kNoTrouble;
}

// A libnccl.so.2 that adds up numbers in the memory of fake_cuda's GPUs, which are the host's. It
// takes the time of a bus of 400 GB/s. FAKE_PROBE says what goes wrong, as in fake_compute.c:
//
//   wrong=all-reduce, slow=all-reduce, hang=all-reduce
//   fail=all-reduce     ncclCommInitAll gives ncclSystemError
//   fail=sum            the sum itself gives ncclUnhandledCudaError; ncclCommDestroy never comes
//   back then
#include <signal.h>
#include <unistd.h>

#include "cuda_api.h"
#include "fake_stream.h"

enum {
  kMostGpus = 16,
  kUnhandledCudaError = 1,
  kSystemError = 2,
  kInvalidArgument = 4,
  kInvalidUsage = 5
};
static const double kBusBytesEachMs = 4e8;

struct ncclComm {
  int rank;
};
static int members, in_group, asked, broken;
static struct {
  const float* from;
  float* to;
  size_t count;
  struct CUstream_st* stream;
} calls[kMostGpus];

static int wants(const char* action, int gpu) { return probe_wants(action, "all-reduce", gpu); }

static void hang(void) {
  signal(SIGTERM, SIG_IGN);
  for (;;) pause();
}

NcclResult ncclGetVersion(int* version) {
  *version = 22809;
  printf("NCCL version 2.28.9\n");  // as NCCL_DEBUG=VERSION has it say
  fflush(stdout);
  return 0;
}

NcclResult ncclCommInitAll(struct ncclComm** communicators, int count, const int* devices) {
  if (wants("fail", 0)) return kSystemError;
  members = count;
  for (int i = 0; i < count; ++i) {
    communicators[i] = malloc(sizeof(struct ncclComm));
    communicators[i]->rank = i;
    if (devices[i] != i) return kInvalidArgument;
  }
  return 0;
}

NcclResult ncclGroupStart(void) {
  in_group = 1;
  asked = 0;
  return 0;
}

NcclResult ncclAllReduce(const void* from, void* to, size_t count, unsigned int type,
                         unsigned int operation, struct ncclComm* communicator,
                         struct CUstream_st* stream) {
  if (!in_group) return kInvalidUsage;
  if (type != kNcclFloat || operation != kNcclSum || communicator->rank != asked)
    return kInvalidArgument;
  for (int one = 0; one < asked; ++one) {
    if (calls[one].stream->gpu == stream->gpu) return kInvalidUsage;
  }
  calls[asked].from = from;
  calls[asked].to = to;
  calls[asked].count = count;
  calls[asked++].stream = stream;
  return 0;
}

NcclResult ncclGroupEnd(void) {
  in_group = 0;
  if (asked != members) return kInvalidUsage;
  if (wants("hang", 0)) hang();
  broken = probe_wants("fail", "sum", 0);
  if (broken) return kUnhandledCudaError;
  const size_t count = calls[0].count;
  for (size_t i = 0; i < count; ++i) {
    float sum = 0;
    for (int one = 0; one < asked; ++one) sum += calls[one].from[i];
    for (int one = 0; one < asked; ++one) calls[one].to[i] = sum;
  }
  const double share = asked > 1 ? 2.0 * (asked - 1) / asked : 1;
  for (int one = 0; one < asked; ++one) {
    if (wants("wrong", calls[one].stream->gpu)) calls[one].to[3] += 1;
    calls[one].stream->milliseconds +=
        share * 4.0 * (double)count / kBusBytesEachMs * (wants("slow", 0) ? 100 : 1);
  }
  return 0;
}

NcclResult ncclCommDestroy(struct ncclComm* communicator) {
  if (broken) hang();
  free(communicator);
  return 0;
}

NcclResult ncclCommAbort(struct ncclComm* communicator) {
  free(communicator);
  return 0;
}

const char* ncclGetErrorString(NcclResult result) {
  return result == kSystemError          ? "unhandled system error"
         : result == kUnhandledCudaError ? "unhandled cuda error"
                                         : "invalid usage";
}

const char* ncclGetLastError(struct ncclComm* communicator) {
  (void)communicator;
  return "the fake was told to fail";
}

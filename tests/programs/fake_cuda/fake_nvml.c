// The libnvidia-ml.so.1 beside fake_cuda.c's libcuda.so.1: driver 550.54.15, and with FAKE_CUDA=mig
// one GPU in seven instances.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver_api.h"

enum { kInvalidArgument = 2, kNotFound = 6, kInstances = 7 };

struct nvmlDevice_st {
  int unused;
};
static struct nvmlDevice_st gpu;
static int attached;

static int is_mig(void) {
  const char* value = getenv("FAKE_CUDA");
  return value != NULL && strcmp(value, "mig") == 0;
}

DriverResult nvmlInitWithFlags(unsigned int flags) {
  attached = (flags & kNvmlInitWithoutAttaching) == 0;
  return 0;
}

DriverResult nvmlSystemGetDriverVersion(char* version, unsigned int length) {
  snprintf(version, length, "550.54.15");
  return 0;
}

DriverResult nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = attached && is_mig() ? 1 : 0;
  return 0;
}

DriverResult nvmlDeviceGetHandleByIndex_v2(unsigned int index, struct nvmlDevice_st** device) {
  if (index > 0) return kInvalidArgument;
  *device = &gpu;
  return 0;
}

// More than there are: the real one names the most that the GPU could have.
DriverResult nvmlDeviceGetMaxMigDeviceCount(struct nvmlDevice_st* device, unsigned int* count) {
  if (device != &gpu) return kInvalidArgument;
  *count = kInstances + 1;
  return 0;
}

DriverResult nvmlDeviceGetMigDeviceHandleByIndex(struct nvmlDevice_st* device, unsigned int index,
                                                 struct nvmlDevice_st** instance) {
  if (device != &gpu) return kInvalidArgument;
  *instance = &gpu;
  return index < kInstances ? 0 : kNotFound;
}

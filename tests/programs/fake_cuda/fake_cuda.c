// A libcuda.so.1 for machines without a GPU. FAKE_CUDA says what it does:
//
//   0, 1, 8 …    so many GPUs; 0 is the error that the real one gives then
//   mig          one MIG instance
//   init_error   cuInit fails: the driver is of another version than the library
//   hang         cuInit never comes back, and SIGTERM does not help
//   crash        cuInit dies of SIGSEGV
//   junk         cuInit writes to stdout what is no answer
//
// FAKE_GPU_NAME is another name for the GPUs; fake_compute.c has what they compute.
// As the real one, it honours CUDA_VISIBLE_DEVICES (numbers only).
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver_api.h"

enum { kInvalidValue = 1, kUncorrectable = 214, kDriverMismatch = 803, kMultiprocessorCount = 16 };

static const char* behaviour(void) {
  const char* value = getenv("FAKE_CUDA");
  return value == NULL ? "1" : value;
}

static int is_mig(void) { return strcmp(behaviour(), "mig") == 0; }
static int installed(void) { return is_mig() ? 1 : atoi(behaviour()); }

/// The number of the GPU that is the program's GPU `ordinal`; -1: there are fewer.
static int gpu_at(int ordinal) {
  const char* list = getenv("CUDA_VISIBLE_DEVICES");
  if (list == NULL) return ordinal < installed() ? ordinal : -1;
  for (int i = 0; *list != 0; ++i) {
    const int gpu = atoi(list);
    if (gpu < 0 || gpu >= installed()) return -1;
    if (i == ordinal) return gpu;
    list += strcspn(list, ",");
    list += *list == ',';
  }
  return -1;
}

static void hang(void) {
  signal(SIGTERM, SIG_IGN);
  for (;;) pause();
}

DriverResult cuInit(unsigned int flags) {
  if (flags != 0) return kInvalidValue;
  if (strcmp(behaviour(), "hang") == 0) hang();
  if (strcmp(behaviour(), "crash") == 0) raise(SIGSEGV);
  if (strcmp(behaviour(), "junk") == 0) dprintf(1, "NVIDIA says hello\n");
  if (strcmp(behaviour(), "init_error") == 0) return kDriverMismatch;
  return gpu_at(0) < 0 ? kCudaNoDevice : 0;
}

DriverResult cuDriverGetVersion(int* version) {
  *version = 12040;
  return 0;
}

DriverResult cuGetErrorName(DriverResult error, const char** name) {
  *name = error == kDriverMismatch  ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"
          : error == kUncorrectable ? "CUDA_ERROR_ECC_UNCORRECTABLE"
                                    : "CUDA_ERROR_UNKNOWN";
  return 0;
}

DriverResult cuDeviceGetCount(int* count) {
  *count = 0;
  while (gpu_at(*count) >= 0) ++*count;
  return 0;
}

DriverResult cuDeviceGet(CudaDevice* device, int ordinal) {
  *device = gpu_at(ordinal);
  return *device < 0 ? kInvalidValue : 0;
}

DriverResult cuDeviceGetName(char* name, int length, CudaDevice device) {
  const char* wanted = getenv("FAKE_GPU_NAME");
  (void)device;
  if (wanted == NULL) wanted = "Fake \"GPU\" \xe9\\";
  snprintf(name, (size_t)length, "%s", is_mig() ? "NVIDIA A100-SXM4-40GB MIG 1g.5gb" : wanted);
  return 0;
}

DriverResult cuDeviceGetUuid_v2(struct CUuuid_st* uuid, CudaDevice device) {
  for (int i = 0; i < kUuidBytes; ++i) ((unsigned char*)uuid)[i] = (unsigned char)(i * 17);
  ((unsigned char*)uuid)[kUuidBytes - 1] = (unsigned char)device;
  return 0;
}

DriverResult cuDeviceGetPCIBusId(char* id, int length, CudaDevice device) {
  snprintf(id, (size_t)length, "0000:%02X:00.0", 0x1a + device);
  return 0;
}

DriverResult cuDeviceTotalMem_v2(size_t* bytes, CudaDevice device) {
  (void)device;
  *bytes = (size_t)24 << 30;
  return 0;
}

DriverResult cuDeviceGetAttribute(int* value, unsigned int attribute, CudaDevice device) {
  (void)device;
  if (attribute != kCudaComputeCapabilityMajor && attribute != kCudaComputeCapabilityMinor &&
      attribute != kMultiprocessorCount)
    return kInvalidValue;
  *value = attribute == kCudaComputeCapabilityMajor ? 8 : 6;
  return 0;
}

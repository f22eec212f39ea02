// The parts of NVIDIA's driver libraries that the helper calls, declared by ourselves, so that the
// build needs no CUDA toolkit. prototypes_check.c compares every line with the real headers where
// they are there.
#pragma once

// As compilers represent an enumeration without negative values.
typedef unsigned int DriverResult;
typedef int CudaDevice;
struct CUuuid_st;  // 16 bytes
struct nvmlDevice_st;

enum {
  kCudaNoDevice = 100,
  kCudaComputeCapabilityMajor = 75,
  kCudaComputeCapabilityMinor = 76,
  kUuidBytes = 16,
  kNvmlInitWithoutGpus = 1,       // no error where there is none
  kNvmlInitWithoutAttaching = 2,  // versions are to be had without waking the GPUs
};

typedef DriverResult CudaInit(unsigned int flags);
typedef DriverResult CudaDriverGetVersion(int* version);
typedef DriverResult CudaGetErrorName(DriverResult error, const char** name);
typedef DriverResult CudaDeviceGetCount(int* count);
typedef DriverResult CudaDeviceGet(CudaDevice* device, int ordinal);
typedef DriverResult CudaDeviceGetName(char* name, int length, CudaDevice device);
typedef DriverResult CudaDeviceGetUuid(struct CUuuid_st* uuid, CudaDevice device);
typedef DriverResult CudaDeviceGetPciBusId(char* id, int length, CudaDevice device);
typedef DriverResult CudaDeviceTotalMem(__SIZE_TYPE__* bytes, CudaDevice device);
typedef DriverResult CudaDeviceGetAttribute(int* value, unsigned int attribute, CudaDevice device);

typedef DriverResult NvmlInitWithFlags(unsigned int flags);
typedef DriverResult NvmlSystemGetDriverVersion(char* version, unsigned int length);
typedef DriverResult NvmlDeviceGetCount(unsigned int* count);
typedef DriverResult NvmlDeviceGetHandleByIndex(unsigned int index, struct nvmlDevice_st** device);
typedef DriverResult NvmlDeviceGetMaxMigDeviceCount(struct nvmlDevice_st* device,
                                                    unsigned int* count);
typedef DriverResult NvmlDeviceGetMigDeviceHandleByIndex(struct nvmlDevice_st* device,
                                                         unsigned int index,
                                                         struct nvmlDevice_st** instance);

// Compiled, never linked: does driver_api.h say what NVIDIA's own headers say?
#include "driver_api.h"

#define SAME_FUNCTION(real, ours)                                      \
  _Static_assert(__builtin_types_compatible_p(__typeof__(real), ours), \
                 #real " is declared otherwise in this version of CUDA")
#define SAME_NUMBER(real, ours) \
  _Static_assert((int)(real) == (int)(ours), #real " has another value in this version of CUDA")

#ifdef TRAINIT_HAS_CUDA_H
#include <cuda.h>
SAME_FUNCTION(cuInit, CudaInit);
SAME_FUNCTION(cuDriverGetVersion, CudaDriverGetVersion);
SAME_FUNCTION(cuGetErrorName, CudaGetErrorName);
SAME_FUNCTION(cuDeviceGetCount, CudaDeviceGetCount);
SAME_FUNCTION(cuDeviceGet, CudaDeviceGet);
SAME_FUNCTION(cuDeviceGetName, CudaDeviceGetName);
SAME_FUNCTION(cuDeviceGetUuid_v2, CudaDeviceGetUuid);
SAME_FUNCTION(cuDeviceGetPCIBusId, CudaDeviceGetPciBusId);
SAME_FUNCTION(cuDeviceTotalMem_v2, CudaDeviceTotalMem);
SAME_FUNCTION(cuDeviceGetAttribute, CudaDeviceGetAttribute);
SAME_NUMBER(CUDA_ERROR_NO_DEVICE, kCudaNoDevice);
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, kCudaComputeCapabilityMajor);
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, kCudaComputeCapabilityMinor);
SAME_NUMBER(sizeof(CUuuid), kUuidBytes);
SAME_NUMBER(CUDA_SUCCESS, 0);
#endif

#ifdef TRAINIT_HAS_NVML_H
#include <nvml.h>
SAME_FUNCTION(nvmlInitWithFlags, NvmlInitWithFlags);
SAME_FUNCTION(nvmlSystemGetDriverVersion, NvmlSystemGetDriverVersion);
SAME_FUNCTION(nvmlDeviceGetCount_v2, NvmlDeviceGetCount);
SAME_FUNCTION(nvmlDeviceGetHandleByIndex_v2, NvmlDeviceGetHandleByIndex);
SAME_FUNCTION(nvmlDeviceGetMaxMigDeviceCount, NvmlDeviceGetMaxMigDeviceCount);
SAME_FUNCTION(nvmlDeviceGetMigDeviceHandleByIndex, NvmlDeviceGetMigDeviceHandleByIndex);
SAME_NUMBER(NVML_INIT_FLAG_NO_GPUS, kNvmlInitWithoutGpus);
SAME_NUMBER(NVML_INIT_FLAG_NO_ATTACH, kNvmlInitWithoutAttaching);
SAME_NUMBER(NVML_SUCCESS, 0);
#endif

#if !defined(TRAINIT_HAS_CUDA_H) && !defined(TRAINIT_HAS_NVML_H)
#error "nothing to compare with"
#endif

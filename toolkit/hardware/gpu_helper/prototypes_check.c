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
// What it calls deprecated is all that older drivers have.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define SAME_PLACE(real, member, ours, our_member)                                                \
  _Static_assert(__builtin_offsetof(real, member) == __builtin_offsetof(struct ours, our_member), \
                 #real "'s " #member " is elsewhere in this version of CUDA")
SAME_FUNCTION(nvmlInitWithFlags, NvmlInitWithFlags);
SAME_FUNCTION(nvmlSystemGetDriverVersion, NvmlSystemGetDriverVersion);
SAME_FUNCTION(nvmlDeviceGetCount_v2, NvmlDeviceGetCount);
SAME_FUNCTION(nvmlDeviceGetHandleByIndex_v2, NvmlDeviceGetHandleByIndex);
SAME_FUNCTION(nvmlDeviceGetMaxMigDeviceCount, NvmlDeviceGetMaxMigDeviceCount);
SAME_FUNCTION(nvmlDeviceGetMigDeviceHandleByIndex, NvmlDeviceGetMigDeviceHandleByIndex);
SAME_NUMBER(NVML_INIT_FLAG_NO_GPUS, kNvmlInitWithoutGpus);
SAME_NUMBER(NVML_INIT_FLAG_NO_ATTACH, kNvmlInitWithoutAttaching);
SAME_NUMBER(NVML_SUCCESS, 0);
SAME_FUNCTION(nvmlInit_v2, NvmlInit);
SAME_FUNCTION(nvmlErrorString, NvmlErrorString);
SAME_FUNCTION(nvmlDeviceGetPciInfo_v3, NvmlDeviceGetPciInfo);
SAME_FUNCTION(nvmlDeviceGetUUID, NvmlDeviceGetUuid);
SAME_FUNCTION(nvmlDeviceGetTemperature, NvmlDeviceGetTemperature);
SAME_FUNCTION(nvmlDeviceGetPowerUsage, NvmlDeviceGetPowerUsage);
SAME_FUNCTION(nvmlDeviceGetUtilizationRates, NvmlDeviceGetUtilizationRates);
SAME_FUNCTION(nvmlDeviceGetMemoryInfo, NvmlDeviceGetMemoryInfo);
SAME_FUNCTION(nvmlDeviceGetMemoryInfo_v2, NvmlDeviceGetMemoryInfo2);
SAME_FUNCTION(nvmlDeviceGetCurrentClocksEventReasons, NvmlDeviceGetClocksReasons);
SAME_FUNCTION(nvmlDeviceGetCurrentClocksThrottleReasons, NvmlDeviceGetClocksReasons);
SAME_FUNCTION(nvmlDeviceGetTotalEccErrors, NvmlDeviceGetTotalEccErrors);
SAME_FUNCTION(nvmlDeviceGetRemappedRows, NvmlDeviceGetRemappedRows);
SAME_FUNCTION(nvmlEventSetCreate, NvmlEventSetCreate);
SAME_FUNCTION(nvmlDeviceGetSupportedEventTypes, NvmlDeviceGetSupportedEventTypes);
SAME_FUNCTION(nvmlDeviceRegisterEvents, NvmlDeviceRegisterEvents);
SAME_FUNCTION(nvmlEventSetWait_v2, NvmlEventSetWait);
SAME_NUMBER(NVML_ERROR_TIMEOUT, kNvmlTimeout);
SAME_NUMBER(NVML_ERROR_GPU_IS_LOST, kNvmlGpuIsLost);
SAME_NUMBER(NVML_TEMPERATURE_GPU, kNvmlGpuTemperature);
SAME_NUMBER(NVML_MEMORY_ERROR_TYPE_UNCORRECTED, kNvmlUncorrected);
SAME_NUMBER(NVML_VOLATILE_ECC, kNvmlSinceTheDriverWasLoaded);
SAME_NUMBER(nvmlEventTypeDoubleBitEccError, kNvmlDoubleBitEccError);
SAME_NUMBER(nvmlEventTypeXidCriticalError, kNvmlXid);
SAME_NUMBER(sizeof(nvmlPciInfo_t), sizeof(struct NvmlPci));
SAME_PLACE(nvmlPciInfo_t, busId, NvmlPci, id);
SAME_NUMBER(sizeof(nvmlUtilization_t), sizeof(struct NvmlUtilization));
SAME_PLACE(nvmlUtilization_t, gpu, NvmlUtilization, gpu);
SAME_NUMBER(sizeof(nvmlMemory_t), sizeof(struct NvmlMemory));
SAME_PLACE(nvmlMemory_t, total, NvmlMemory, total);
SAME_PLACE(nvmlMemory_t, used, NvmlMemory, used);
SAME_NUMBER(sizeof(nvmlMemory_v2_t), sizeof(struct NvmlMemory2));
SAME_NUMBER(nvmlMemory_v2, kNvmlMemory2);
SAME_PLACE(nvmlMemory_v2_t, version, NvmlMemory2, version);
SAME_PLACE(nvmlMemory_v2_t, total, NvmlMemory2, total);
SAME_PLACE(nvmlMemory_v2_t, used, NvmlMemory2, used);
SAME_NUMBER(sizeof(nvmlEventData_t), sizeof(struct NvmlEvent));
SAME_PLACE(nvmlEventData_t, device, NvmlEvent, device);
SAME_PLACE(nvmlEventData_t, eventType, NvmlEvent, type);
SAME_PLACE(nvmlEventData_t, eventData, NvmlEvent, data);
#endif

#if !defined(TRAINIT_HAS_CUDA_H) && !defined(TRAINIT_HAS_NVML_H)
#error "nothing to compare with"
#endif

// The parts of NVIDIA's driver libraries that the helper calls, declared by ourselves, so that the
// build needs no CUDA toolkit. prototypes_check.c compares every line with the real headers where
// they are there.
#pragma once

// As compilers represent an enumeration without negative values.
typedef unsigned int DriverResult;
typedef int CudaDevice;
struct CUuuid_st;  // 16 bytes
struct nvmlDevice_st;
struct nvmlEventSet_st;
struct nvmlPciInfo_st;      // laid out as NvmlPci
struct nvmlUtilization_st;  // as NvmlUtilization
struct nvmlMemory_st;       // as NvmlMemory
struct nvmlMemory_v2_st;    // as NvmlMemory2
struct nvmlEventData_st;    // as NvmlEvent

enum {
  kCudaNoDevice = 100,
  kCudaComputeCapabilityMajor = 75,
  kCudaComputeCapabilityMinor = 76,
  kUuidBytes = 16,
  kNvmlInitWithoutGpus = 1,       // no error where there is none
  kNvmlInitWithoutAttaching = 2,  // versions are to be had without waking the GPUs
  kNvmlTimeout = 10,
  kNvmlGpuIsLost = 15,
  kNvmlGpuTemperature = 0,
  kNvmlUncorrected = 1,
  kNvmlSinceTheDriverWasLoaded = 0,
  kNvmlDoubleBitEccError = 2,
  kNvmlXid = 8,
};

struct NvmlPci {
  char legacy_id[16];
  unsigned int domain, bus, device, device_id, subsystem_id;
  char id[32];
};
struct NvmlUtilization {
  unsigned int gpu, memory;  // percent of the time
};
struct NvmlMemory {
  unsigned long long total, free, used;  // bytes; used: with what the driver keeps for itself
};
struct NvmlMemory2 {
  unsigned int version;
  unsigned long long total, reserved, free, used;  // bytes; reserved: by the driver for itself
};
enum { kNvmlMemory2 = sizeof(struct NvmlMemory2) | 2 << 24 };  // its version
struct NvmlEvent {
  struct nvmlDevice_st* device;
  unsigned long long type, data;  // data: the XID
  unsigned int gpu_instance, compute_instance;
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

typedef DriverResult NvmlInit(void);
typedef const char* NvmlErrorString(DriverResult error);
typedef DriverResult NvmlDeviceGetPciInfo(struct nvmlDevice_st* device, struct nvmlPciInfo_st* pci);
typedef DriverResult NvmlDeviceGetUuid(struct nvmlDevice_st* device, char* uuid,
                                       unsigned int length);
typedef DriverResult NvmlDeviceGetTemperature(struct nvmlDevice_st* device, unsigned int sensor,
                                              unsigned int* celsius);
typedef DriverResult NvmlDeviceGetPowerUsage(struct nvmlDevice_st* device,
                                             unsigned int* milliwatts);
typedef DriverResult NvmlDeviceGetUtilizationRates(struct nvmlDevice_st* device,
                                                   struct nvmlUtilization_st* utilization);
typedef DriverResult NvmlDeviceGetMemoryInfo(struct nvmlDevice_st* device,
                                             struct nvmlMemory_st* memory);
typedef DriverResult NvmlDeviceGetMemoryInfo2(struct nvmlDevice_st* device,
                                              struct nvmlMemory_v2_st* memory);
typedef DriverResult NvmlDeviceGetClocksReasons(struct nvmlDevice_st* device,
                                                unsigned long long* reasons);
typedef DriverResult NvmlDeviceGetTotalEccErrors(struct nvmlDevice_st* device, unsigned int kind,
                                                 unsigned int counter, unsigned long long* count);
typedef DriverResult NvmlDeviceGetRemappedRows(struct nvmlDevice_st* device,
                                               unsigned int* corrected, unsigned int* uncorrected,
                                               unsigned int* pending, unsigned int* failed);
typedef DriverResult NvmlEventSetCreate(struct nvmlEventSet_st** set);
typedef DriverResult NvmlDeviceGetSupportedEventTypes(struct nvmlDevice_st* device,
                                                      unsigned long long* types);
typedef DriverResult NvmlDeviceRegisterEvents(struct nvmlDevice_st* device,
                                              unsigned long long types,
                                              struct nvmlEventSet_st* set);
typedef DriverResult NvmlEventSetWait(struct nvmlEventSet_st* set, struct nvmlEventData_st* event,
                                      unsigned int milliseconds);

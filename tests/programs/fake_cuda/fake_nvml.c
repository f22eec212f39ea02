// The libnvidia-ml.so.1 beside fake_cuda.c's libcuda.so.1: driver 550.54.15, and with FAKE_CUDA=mig
// one GPU in seven instances. How the GPUs fare stands in the file that FAKE_NVML names, in lines
// that tests add while it runs. Of lines that contradict each other the last counts.
//
//   temperature GPU CELSIUS     used GPU MEBIBYTES     throttle GPU MASK     remap GPU 0|1
//   busy GPU PERCENT            ecc GPU ERRORS         lost GPU 0|1
//   xid GPU NUMBER              an event, for each such line one
//   init_error                  there is no driver for it
//   old_memory                  what the driver keeps for itself is not told apart
//   no_events                   the GPUs cannot tell of XIDs by themselves
//   hang                        no call comes back any more, and SIGTERM does not help
//   crash                       the next call dies of SIGSEGV
//   crash_after 0 EVENTS        the call after so many events does
//   eat 0 MEBIBYTES             the next call takes so much of the host's memory
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver_api.h"

enum { kInvalidArgument = 2, kNotSupported = 3, kNotFound = 6, kNoDriver = 9, kInstances = 7 };
enum { kMostGpus = 16, kTickMilliseconds = 10, kReserved = 600 << 20 };

struct nvmlDevice_st {
  int number;
};
struct nvmlEventSet_st {
  int events_told;
};
static struct nvmlDevice_st gpus[kMostGpus];
static struct nvmlEventSet_st the_set;
static int attached;

static int is_mig(void) {
  const char* value = getenv("FAKE_CUDA");
  return value != NULL && strcmp(value, "mig") == 0;
}

static int installed(void) {
  const char* value = getenv("FAKE_CUDA");
  const int count = is_mig() || value == NULL ? 1 : atoi(value);
  return count < kMostGpus ? count : kMostGpus;
}

static FILE* open_script(void) {
  const char* path = getenv("FAKE_NVML");
  return path == NULL ? NULL : fopen(path, "r");
}

/// The value of the last line of this name for this GPU.
static long value_of(const char* name, int gpu, long otherwise) {
  char line[256], word[64];
  int number;
  long value, found = otherwise;
  FILE* script = open_script();
  if (script == NULL) return otherwise;
  while (fgets(line, sizeof line, script) != NULL) {
    const int parts = sscanf(line, "%63s %d %ld", word, &number, &value);
    if (parts < 1 || strcmp(word, name) != 0) continue;
    if (parts < 3) found = 1;
    if (parts == 3 && number == gpu) found = value;
  }
  fclose(script);
  return found;
}

static int says(const char* word) { return value_of(word, -1, 0) != 0; }

/// The event that comes after `told` others; 0: there is none yet.
static int next_event(int told, int* gpu, long* xid) {
  char line[256];
  int found = 0;
  FILE* script = open_script();
  if (script == NULL) return 0;
  while (!found && fgets(line, sizeof line, script) != NULL)
    found = sscanf(line, "xid %d %ld", gpu, xid) == 2 && told-- == 0;
  fclose(script);
  return found;
}

/// In small pages, so that the kernel needs some time to take them back.
static void eat(long mebibytes) {
  static char* eaten;
  const size_t bytes = (size_t)mebibytes << 20;
  if (mebibytes == 0 || eaten != NULL) return;
  eaten = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (eaten == MAP_FAILED) return;
  madvise(eaten, bytes, MADV_NOHUGEPAGE);
  for (size_t at = 0; at < bytes; at += 4096) eaten[at] = 1;
}

static void misbehave(void) {
  if (says("crash")) raise(SIGSEGV);
  eat(value_of("eat", 0, 0));
  if (!says("hang")) return;
  signal(SIGTERM, SIG_IGN);
  for (;;) pause();
}

static DriverResult state_of(const struct nvmlDevice_st* device) {
  misbehave();
  return value_of("lost", device->number, 0) ? kNvmlGpuIsLost : 0;
}

DriverResult nvmlInitWithFlags(unsigned int flags) {
  attached = (flags & kNvmlInitWithoutAttaching) == 0;
  return 0;
}

DriverResult nvmlInit_v2(void) {
  misbehave();
  attached = 1;
  return says("init_error") ? kNoDriver : 0;
}

const char* nvmlErrorString(DriverResult error) {
  return error == kNoDriver ? "Driver Not Loaded" : "Unknown Error";
}

DriverResult nvmlSystemGetDriverVersion(char* version, unsigned int length) {
  snprintf(version, length, "550.54.15");
  return 0;
}

DriverResult nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = attached ? (unsigned int)installed() : 0;
  return 0;
}

DriverResult nvmlDeviceGetHandleByIndex_v2(unsigned int index, struct nvmlDevice_st** device) {
  if ((int)index >= installed()) return kInvalidArgument;
  gpus[index].number = (int)index;
  *device = &gpus[index];
  return 0;
}

// More than there are: the real one names the most that the GPU could have.
DriverResult nvmlDeviceGetMaxMigDeviceCount(struct nvmlDevice_st* device, unsigned int* count) {
  if (device != &gpus[0]) return kInvalidArgument;
  *count = kInstances + 1;
  return 0;
}

DriverResult nvmlDeviceGetMigDeviceHandleByIndex(struct nvmlDevice_st* device, unsigned int index,
                                                 struct nvmlDevice_st** instance) {
  if (device != &gpus[0]) return kInvalidArgument;
  *instance = &gpus[0];
  return index < kInstances ? 0 : kNotFound;
}

// The domain has more digits than CUDA gives it, as the real one has it.
DriverResult nvmlDeviceGetPciInfo_v3(struct nvmlDevice_st* device, struct nvmlPciInfo_st* pci) {
  struct NvmlPci* const info = (struct NvmlPci*)(void*)pci;
  memset(info, 0, sizeof *info);
  snprintf(info->id, sizeof info->id, "00000000:%02X:00.0", 0x1a + device->number);
  return 0;
}

DriverResult nvmlDeviceGetUUID(struct nvmlDevice_st* device, char* uuid, unsigned int length) {
  snprintf(uuid, length, "GPU-00112233-4455-6677-8899-aabbccddee%02x", device->number);
  return 0;
}

DriverResult nvmlDeviceGetTemperature(struct nvmlDevice_st* device, unsigned int sensor,
                                      unsigned int* celsius) {
  if (sensor != kNvmlGpuTemperature) return kInvalidArgument;
  *celsius = (unsigned int)value_of("temperature", device->number, 40);
  return state_of(device);
}

DriverResult nvmlDeviceGetPowerUsage(struct nvmlDevice_st* device, unsigned int* milliwatts) {
  *milliwatts = 71600;
  return state_of(device);
}

DriverResult nvmlDeviceGetUtilizationRates(struct nvmlDevice_st* device,
                                           struct nvmlUtilization_st* utilization) {
  struct NvmlUtilization* const rates = (struct NvmlUtilization*)(void*)utilization;
  rates->gpu = (unsigned int)value_of("busy", device->number, 90);
  rates->memory = 30;
  return state_of(device);
}

static unsigned long long used_memory(const struct nvmlDevice_st* device) {
  return (unsigned long long)value_of("used", device->number, 512) << 20;
}

// With the driver's own.
DriverResult nvmlDeviceGetMemoryInfo(struct nvmlDevice_st* device, struct nvmlMemory_st* memory) {
  struct NvmlMemory* const info = (struct NvmlMemory*)(void*)memory;
  info->total = 24ULL << 30;
  info->used = used_memory(device) + kReserved;
  info->free = info->total - info->used;
  return state_of(device);
}

DriverResult nvmlDeviceGetMemoryInfo_v2(struct nvmlDevice_st* device,
                                        struct nvmlMemory_v2_st* memory) {
  struct NvmlMemory2* const info = (struct NvmlMemory2*)(void*)memory;
  if (info->version != kNvmlMemory2) return kInvalidArgument;
  if (says("old_memory")) return kNotSupported;
  info->total = 24ULL << 30;
  info->reserved = kReserved;
  info->used = used_memory(device);
  info->free = info->total - info->reserved - info->used;
  return state_of(device);
}

DriverResult nvmlDeviceGetCurrentClocksThrottleReasons(struct nvmlDevice_st* device,
                                                       unsigned long long* reasons) {
  *reasons = (unsigned long long)value_of("throttle", device->number, 1);
  return state_of(device);
}

DriverResult nvmlDeviceGetTotalEccErrors(struct nvmlDevice_st* device, unsigned int kind,
                                         unsigned int counter, unsigned long long* count) {
  if (kind != kNvmlUncorrected || counter != kNvmlSinceTheDriverWasLoaded) return kInvalidArgument;
  *count = (unsigned long long)value_of("ecc", device->number, 0);
  return state_of(device);
}

DriverResult nvmlDeviceGetRemappedRows(struct nvmlDevice_st* device, unsigned int* corrected,
                                       unsigned int* uncorrected, unsigned int* pending,
                                       unsigned int* failed) {
  *corrected = *uncorrected = *failed = 0;
  *pending = (unsigned int)value_of("remap", device->number, 0);
  return state_of(device);
}

DriverResult nvmlEventSetCreate(struct nvmlEventSet_st** set) {
  *set = &the_set;
  return 0;
}

DriverResult nvmlDeviceGetSupportedEventTypes(struct nvmlDevice_st* device,
                                              unsigned long long* types) {
  *types = says("no_events") ? 0 : kNvmlXid;
  return state_of(device);
}

DriverResult nvmlDeviceRegisterEvents(struct nvmlDevice_st* device, unsigned long long types,
                                      struct nvmlEventSet_st* set) {
  (void)set;
  return types == kNvmlXid ? state_of(device) : kNotSupported;
}

// As the real one, it fails at once, again and again, when a GPU is lost.
DriverResult nvmlEventSetWait_v2(struct nvmlEventSet_st* set, struct nvmlEventData_st* data,
                                 unsigned int milliseconds) {
  struct NvmlEvent* const event = (struct NvmlEvent*)(void*)data;
  for (unsigned int waited = 0;; waited += kTickMilliseconds) {
    int gpu = 0;
    long xid = 0;
    misbehave();
    if (value_of("crash_after", 0, -1) == set->events_told) raise(SIGSEGV);
    if (next_event(set->events_told, &gpu, &xid)) {
      ++set->events_told;
      memset(event, 0, sizeof *event);
      event->device = &gpus[gpu];
      event->type = kNvmlXid;
      event->data = (unsigned long long)xid;
      return 0;
    }
    for (int i = 0; i < installed(); ++i) {
      if (value_of("lost", i, 0)) return kNvmlGpuIsLost;
    }
    if (waited >= milliseconds) return kNvmlTimeout;
    usleep(kTickMilliseconds * 1000);
  }
}

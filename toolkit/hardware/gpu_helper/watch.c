#include "watch.h"

#include "driver_api.h"
#include "json_line.h"
#include "libc_api.h"

enum {
  kMostGpus = 64,
  kPause = 1000,  // milliseconds after an event that may come again at once
  kShortest = 50,
};

static struct {
  NvmlInit* init;
  NvmlErrorString* error_string;
  NvmlDeviceGetCount* count;
  NvmlDeviceGetHandleByIndex* device;
  NvmlDeviceGetPciInfo* pci;
  NvmlDeviceGetUuid* uuid;
  NvmlDeviceGetTemperature* temperature;
  NvmlDeviceGetPowerUsage* power;
  NvmlDeviceGetUtilizationRates* utilization;
  NvmlDeviceGetMemoryInfo* memory;
  NvmlDeviceGetMemoryInfo2* memory2;
  NvmlDeviceGetClocksReasons* reasons;
  NvmlDeviceGetTotalEccErrors* ecc;
  NvmlDeviceGetRemappedRows* remapped;
  NvmlEventSetCreate* create_set;
  NvmlDeviceGetSupportedEventTypes* supported;
  NvmlDeviceRegisterEvents* register_events;
  NvmlEventSetWait* wait;
} nvml;

static struct Gpu {
  struct nvmlDevice_st* handle;  // null: the driver gives none
  int lost;
  char pci[33], uuid[97];
} gpus[kMostGpus];
static unsigned int gpu_count;
static struct nvmlEventSet_st* events;  // null: nobody tells us

static void end_line(void) {
  put_raw("}");
  if (write_line() != 0) _exit(1);
}

static void give_up(const char* what, DriverResult code, const char* message)
    __attribute__((noreturn));
static void give_up(const char* what, DriverResult code, const char* message) {
  begin_line();
  put_name("error");
  put_string(what);
  put_name("code");
  put_number(code);
  put_name("message");
  put_string(message == 0 ? "" : message);
  end_line();
  _exit(0);
}

static void give_up_with_code(const char* what, DriverResult code) __attribute__((noreturn));
static void give_up_with_code(const char* what, DriverResult code) {
  give_up(what, code, nvml.error_string == 0 ? "" : nvml.error_string(code));
}

static void* open_library(void) {
  void* library = dlopen("libnvidia-ml.so.1", kBindNow);
  if (library == 0) library = dlopen("/usr/lib/wsl/lib/libnvidia-ml.so.1", kBindNow);
  if (library != 0) return library;
  // Once more, because the next call of the loader forgets the message of the one before.
  library = dlopen("libnvidia-ml.so.1", kBindNow);
  if (library == 0) give_up("dlopen", 0, dlerror());
  return library;
}

static void* need(void* library, const char* name) {
  void* const function = dlsym(library, name);
  if (function == 0) give_up("dlsym", 0, name);
  return function;
}

static void load(void) {
  void* const library = open_library();
  nvml.init = need(library, "nvmlInit_v2");
  nvml.error_string = dlsym(library, "nvmlErrorString");
  nvml.count = need(library, "nvmlDeviceGetCount_v2");
  nvml.device = need(library, "nvmlDeviceGetHandleByIndex_v2");
  nvml.pci = dlsym(library, "nvmlDeviceGetPciInfo_v3");
  nvml.uuid = dlsym(library, "nvmlDeviceGetUUID");
  nvml.temperature = dlsym(library, "nvmlDeviceGetTemperature");
  nvml.power = dlsym(library, "nvmlDeviceGetPowerUsage");
  nvml.utilization = dlsym(library, "nvmlDeviceGetUtilizationRates");
  nvml.memory = dlsym(library, "nvmlDeviceGetMemoryInfo");
  nvml.memory2 = dlsym(library, "nvmlDeviceGetMemoryInfo_v2");  // from the 510 series on
  // Renamed with drivers of the 535 series.
  nvml.reasons = dlsym(library, "nvmlDeviceGetCurrentClocksEventReasons");
  if (nvml.reasons == 0) nvml.reasons = dlsym(library, "nvmlDeviceGetCurrentClocksThrottleReasons");
  nvml.ecc = dlsym(library, "nvmlDeviceGetTotalEccErrors");
  nvml.remapped = dlsym(library, "nvmlDeviceGetRemappedRows");
  nvml.create_set = dlsym(library, "nvmlEventSetCreate");
  nvml.supported = dlsym(library, "nvmlDeviceGetSupportedEventTypes");
  nvml.register_events = dlsym(library, "nvmlDeviceRegisterEvents");
  nvml.wait = dlsym(library, "nvmlEventSetWait_v2");
}

static void find_gpus(void) {
  const DriverResult result = nvml.count(&gpu_count);
  if (result != 0) give_up_with_code("nvmlDeviceGetCount_v2", result);
  if (gpu_count > kMostGpus) gpu_count = kMostGpus;
  for (unsigned int i = 0; i < gpu_count; ++i) {
    struct Gpu* const gpu = &gpus[i];
    struct NvmlPci pci = {0};
    if (nvml.device(i, &gpu->handle) != 0) gpu->handle = 0;
    if (gpu->handle == 0) continue;
    if (nvml.pci != 0 && nvml.pci(gpu->handle, (struct nvmlPciInfo_st*)(void*)&pci) == 0)
      memcpy(gpu->pci, pci.id, sizeof pci.id);
    if (nvml.uuid != 0) nvml.uuid(gpu->handle, gpu->uuid, sizeof gpu->uuid - 1);
  }
}

/// Of how many GPUs we hear at once. Where it is none, XIDs are not to be had.
static unsigned int register_events(void) {
  unsigned int registered = 0;
  if (!nvml.create_set || !nvml.register_events || !nvml.wait) return 0;
  if (nvml.create_set(&events) != 0) events = 0;
  for (unsigned int i = 0; i < gpu_count && events != 0; ++i) {
    unsigned long long types = kNvmlXid | kNvmlDoubleBitEccError, supported = types;
    if (gpus[i].handle == 0) continue;
    if (nvml.supported != 0 && nvml.supported(gpus[i].handle, &supported) == 0) types &= supported;
    if (types != 0 && nvml.register_events(gpus[i].handle, types, events) == 0) ++registered;
  }
  if (registered == 0) events = 0;
  return registered;
}

static void begin_gpu(unsigned int index) {
  begin_line();
  put_name("gpu");
  put_number(index);
  put_name("pci");
  put_string(gpus[index].pci);
  put_name("uuid");
  put_string(gpus[index].uuid);
}

static void put_value(const char* name, unsigned long long value) {
  put_name(name);
  put_number(value);
}

static void put_lost(unsigned int index) {
  gpus[index].lost = 1;
  begin_gpu(index);
  put_value("lost", 1);
  end_line();
}

static void put_load(struct nvmlDevice_st* gpu) {
  struct NvmlUtilization busy = {0, 0};
  unsigned int milliwatts = 0;
  if (nvml.power != 0 && nvml.power(gpu, &milliwatts) == 0) put_value("power", milliwatts);
  if (nvml.utilization != 0 &&
      nvml.utilization(gpu, (struct nvmlUtilization_st*)(void*)&busy) == 0) {
    put_value("busy", busy.gpu);
  }
}

/// What programs use, as nvidia-smi shows it: the driver keeps half a gigabyte of some GPUs for
/// itself.
static void put_memory(struct nvmlDevice_st* gpu) {
  struct NvmlMemory memory = {0, 0, 0};
  struct NvmlMemory2 memory2 = {kNvmlMemory2, 0, 0, 0, 0};
  if (nvml.memory2 != 0 && nvml.memory2(gpu, (struct nvmlMemory_v2_st*)(void*)&memory2) == 0) {
    memory.used = memory2.used;
    memory.total = memory2.total;
  } else if (nvml.memory == 0 || nvml.memory(gpu, (struct nvmlMemory_st*)(void*)&memory) != 0) {
    return;
  }
  put_value("used", memory.used);
  put_value("total", memory.total);
}

static void put_troubles(struct nvmlDevice_st* gpu) {
  unsigned long long reasons = 0, errors = 0;
  unsigned int corrected = 0, uncorrected = 0, pending = 0, failed = 0;
  if (nvml.reasons != 0 && nvml.reasons(gpu, &reasons) == 0) put_value("throttle", reasons);
  if (nvml.ecc != 0 && nvml.ecc(gpu, kNvmlUncorrected, kNvmlSinceTheDriverWasLoaded, &errors) == 0)
    put_value("ecc", errors);
  if (nvml.remapped != 0 && nvml.remapped(gpu, &corrected, &uncorrected, &pending, &failed) == 0) {
    put_value("remap_pending", pending);
    put_value("remap_failed", failed);
  }
}

static void sample(unsigned int index) {
  const struct Gpu* const gpu = &gpus[index];
  unsigned int celsius = 0;
  DriverResult result = 0;
  if (gpu->handle == 0 || gpu->lost) return;
  if (nvml.temperature != 0) result = nvml.temperature(gpu->handle, kNvmlGpuTemperature, &celsius);
  if (result == kNvmlGpuIsLost) return put_lost(index);
  begin_gpu(index);
  if (nvml.temperature != 0 && result == 0) put_value("temperature", celsius);
  put_load(gpu->handle);
  put_memory(gpu->handle);
  put_troubles(gpu->handle);
  end_line();
}

static void sample_all(void) {
  for (unsigned int i = 0; i < gpu_count; ++i) sample(i);
  begin_line();
  put_value("sampled", gpu_count);
  end_line();
}

static void look_for_lost(void) {
  for (unsigned int i = 0; i < gpu_count; ++i) {
    unsigned int celsius = 0;
    if (gpus[i].handle == 0 || gpus[i].lost || nvml.temperature == 0) continue;
    if (nvml.temperature(gpus[i].handle, kNvmlGpuTemperature, &celsius) == kNvmlGpuIsLost)
      put_lost(i);
  }
}

static void put_xid(const struct NvmlEvent* event) {
  for (unsigned int i = 0; i < gpu_count; ++i) {
    if (gpus[i].handle != event->device) continue;
    begin_gpu(i);
    put_value("xid", event->data);
    end_line();
    return;
  }
}

static unsigned int least(unsigned int a, unsigned int b) { return a < b ? a : b; }

static void sleep_for(unsigned int milliseconds) { poll(0, 0, (int)milliseconds); }

/// Waits for the next event, at most `left` milliseconds, and tells it. How much of the interval
/// may still pass after it: `left` itself when nothing has changed that.
static unsigned int hear(unsigned int left) {
  struct NvmlEvent event = {0};
  const DriverResult result = nvml.wait(events, (struct nvmlEventData_st*)(void*)&event, left);
  if (result == kNvmlTimeout) return 0;
  if (result != 0) {
    // It says so again at once, and for ever, when a GPU is lost.
    look_for_lost();
    sleep_for(least(left, kPause));
    return left;
  }
  if (event.type == kNvmlXid) put_xid(&event);
  // The next sample has the new count.
  return event.type == kNvmlDoubleBitEccError ? least(left, kPause) : left;
}

static unsigned long long milliseconds(void) {
  struct TimeOfDay now = {0, 0};
  gettimeofday(&now, 0);
  return (unsigned long long)now.seconds * 1000 + (unsigned long long)now.microseconds / 1000;
}

static void wait_for(unsigned int interval) {
  unsigned int left = interval;
  if (events == 0) return sleep_for(interval);
  while (left > 0) {
    const unsigned long long begin = milliseconds();
    const unsigned int rest = hear(left);
    const unsigned long long end = milliseconds();
    // Somebody may have set the clock.
    const unsigned long long passed = end > begin ? end - begin : 0;
    left = rest > passed ? rest - (unsigned int)passed : 0;
  }
}

void watch(unsigned int interval) {
  load();
  const DriverResult result = nvml.init();
  if (result != 0) give_up_with_code("nvmlInit_v2", result);
  find_gpus();
  const unsigned int registered = register_events();
  begin_line();
  put_value("watch", gpu_count);
  put_value("events", registered);
  end_line();
  for (;;) {
    sample_all();
    wait_for(interval < kShortest ? kShortest : interval);
  }
}

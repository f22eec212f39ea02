// Asks NVIDIA's driver which GPUs a CUDA program would see here, and writes the answer to stdout as
// one line of JSON:
//
//   {"cuda":13000,"driver":"580.65.06","init_us":41200,"mig_instances":0,"devices":[
//     {"name":"NVIDIA L4","uuid":"GPU-…","pci":"0000:00:1e.0","memory":23034527744,"major":8,
//      "minor":9,"mig":false}]}
//   {"error":"cuInit","code":803,"name":"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}
//   {"error":"dlopen","message":"libcuda.so.1: cannot open shared object file: …"}
//
// It ends with 0 when it has answered, errors included, and with 1 when it cannot write. With
// `watch MILLISECONDS` it watches the GPUs' health instead, until it is ended (see watch.h). The
// driver's libraries come from the host and want the image's dynamic loader; a crash or a hang in
// them ends this process and nobody else. It brings no start-up code of its own (see libc_api.h).
#include "driver_api.h"
#include "json_line.h"
#include "libc_api.h"
#include "watch.h"

struct Cuda {
  CudaInit* init;
  CudaDriverGetVersion* driver_version;
  CudaGetErrorName* error_name;
  CudaDeviceGetCount* count;
  CudaDeviceGet* device;
  CudaDeviceGetName* name;
  CudaDeviceGetUuid* uuid;
  CudaDeviceGetPciBusId* pci;
  CudaDeviceTotalMem* memory;
  CudaDeviceGetAttribute* attribute;
};

struct Nvml {
  NvmlInitWithFlags* init;
  NvmlSystemGetDriverVersion* driver_version;
  NvmlDeviceGetCount* count;
  NvmlDeviceGetHandleByIndex* device;
  NvmlDeviceGetMaxMigDeviceCount* max_instances;
  NvmlDeviceGetMigDeviceHandleByIndex* instance;
};

static void finish(void) __attribute__((noreturn));
static void finish(void) {
  put_raw("}");
  _exit(write_line());
}

static void fail_with_message(const char* what, const char* message) {
  begin_line();
  put_name("error");
  put_string(what);
  put_name("message");
  put_string(message == 0 ? "" : message);
  finish();
}

static void fail_with_code(const struct Cuda* cuda, const char* what, DriverResult code) {
  const char* name = 0;
  if (cuda->error_name != 0) cuda->error_name(code, &name);
  begin_line();
  put_name("error");
  put_string(what);
  put_name("code");
  put_number(code);
  put_name("name");
  put_string(name == 0 ? "" : name);
  finish();
}

static void* open_cuda(void) {
  void* library = dlopen("libcuda.so.1", kBindNow);
  // Windows' own place for it, which the loader of a container does not search.
  if (library == 0) library = dlopen("/usr/lib/wsl/lib/libcuda.so.1", kBindNow);
  if (library != 0) return library;
  // Once more, because the next call of the loader forgets the message of the one before.
  library = dlopen("libcuda.so.1", kBindNow);
  if (library == 0) fail_with_message("dlopen", dlerror());
  return library;
}

static void* need(void* library, const char* name) {
  void* const function = dlsym(library, name);
  if (function == 0) fail_with_message("dlsym", name);
  return function;
}

static void load_cuda(struct Cuda* cuda) {
  void* const library = open_cuda();
  cuda->init = need(library, "cuInit");
  cuda->driver_version = need(library, "cuDriverGetVersion");
  cuda->error_name = dlsym(library, "cuGetErrorName");
  cuda->count = need(library, "cuDeviceGetCount");
  cuda->device = need(library, "cuDeviceGet");
  cuda->name = need(library, "cuDeviceGetName");
  // Drivers before CUDA 11.4 have the first version only, which does not know MIG.
  cuda->uuid = dlsym(library, "cuDeviceGetUuid_v2");
  if (cuda->uuid == 0) cuda->uuid = need(library, "cuDeviceGetUuid");
  cuda->pci = need(library, "cuDeviceGetPCIBusId");
  cuda->memory = need(library, "cuDeviceTotalMem_v2");
  cuda->attribute = need(library, "cuDeviceGetAttribute");
}

static int load_nvml(struct Nvml* nvml) {
  void* library = dlopen("libnvidia-ml.so.1", kBindNow);
  if (library == 0) library = dlopen("/usr/lib/wsl/lib/libnvidia-ml.so.1", kBindNow);
  if (library == 0) return 0;
  nvml->init = dlsym(library, "nvmlInitWithFlags");
  nvml->driver_version = dlsym(library, "nvmlSystemGetDriverVersion");
  nvml->count = dlsym(library, "nvmlDeviceGetCount_v2");
  nvml->device = dlsym(library, "nvmlDeviceGetHandleByIndex_v2");
  nvml->max_instances = dlsym(library, "nvmlDeviceGetMaxMigDeviceCount");
  nvml->instance = dlsym(library, "nvmlDeviceGetMigDeviceHandleByIndex");
  return nvml->init != 0 && nvml->driver_version != 0;
}

static unsigned long long microseconds(void) {
  struct TimeOfDay now = {0, 0};
  gettimeofday(&now, 0);
  return (unsigned long long)now.seconds * 1000000 + (unsigned long long)now.microseconds;
}

static void format_uuid(char* text, const char* prefix, const unsigned char* bytes) {
  static const char digits[] = "0123456789abcdef";
  while (*prefix != 0) *text++ = *prefix++;
  for (int i = 0; i < kUuidBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
    *text++ = digits[bytes[i] >> 4];
    *text++ = digits[bytes[i] & 15];
  }
  *text = 0;
}

// CUDA names a MIG instance "NVIDIA A100-SXM4-40GB MIG 1g.5gb" and has no other way to tell.
static int is_mig(const char* name) { return strstr(name, " MIG ") != 0; }

static void put_uuid(const struct Cuda* cuda, CudaDevice device, int mig) {
  unsigned char bytes[kUuidBytes] = {0};
  char text[64] = "";
  if (cuda->uuid((struct CUuuid_st*)(void*)bytes, device) == 0)
    format_uuid(text, mig ? "MIG-" : "GPU-", bytes);
  put_name("uuid");
  put_string(text);
}

static void put_attribute(const struct Cuda* cuda, CudaDevice device, const char* name,
                          unsigned int attribute) {
  int value = 0;
  if (cuda->attribute(&value, attribute, device) != 0 || value < 0) value = 0;
  put_name(name);
  put_number((unsigned long long)value);
}

/// Puts one device's object; tells whether it is a MIG instance. A value that cannot be had is left
/// empty: the device counts all the same.
static int put_device(const struct Cuda* cuda, int ordinal) {
  CudaDevice device = 0;
  char name[256] = "", pci[32] = "";
  size_t memory = 0;
  const DriverResult result = cuda->device(&device, ordinal);
  if (result != 0) fail_with_code(cuda, "cuDeviceGet", result);
  cuda->name(name, sizeof name - 1, device);
  cuda->pci(pci, sizeof pci - 1, device);
  cuda->memory(&memory, device);
  const int mig = is_mig(name);
  put_raw("{");
  put_name("name");
  put_string(name);
  put_uuid(cuda, device, mig);
  put_name("pci");
  put_string(pci);
  put_name("memory");
  put_number(memory);
  put_attribute(cuda, device, "major", kCudaComputeCapabilityMajor);
  put_attribute(cuda, device, "minor", kCudaComputeCapabilityMinor);
  put_name("mig");
  put_raw(mig ? "true}" : "false}");
  return mig;
}

/// How many MIG instances all the GPUs have together: CUDA shows one of them at a time.
static unsigned int count_mig_instances(const struct Nvml* nvml) {
  unsigned int gpus = 0, found = 0;
  if (!nvml->count || !nvml->device || !nvml->max_instances || !nvml->instance) return 0;
  if (nvml->count(&gpus) != 0) return 0;
  for (unsigned int i = 0; i < gpus; ++i) {
    struct nvmlDevice_st *gpu = 0, *instance = 0;
    unsigned int most = 0;
    if (nvml->device(i, &gpu) != 0 || nvml->max_instances(gpu, &most) != 0) continue;
    for (unsigned int j = 0; j < most; ++j) found += nvml->instance(gpu, j, &instance) == 0;
  }
  return found;
}

static void put_nvml(int any_mig) {
  struct Nvml nvml = {0};
  char version[96] = "";
  unsigned int instances = 0;
  const unsigned int quick = kNvmlInitWithoutGpus | kNvmlInitWithoutAttaching;
  if (load_nvml(&nvml) && nvml.init(any_mig ? 0 : quick) == 0) {
    nvml.driver_version(version, sizeof version - 1);
    if (any_mig) instances = count_mig_instances(&nvml);
  }
  put_name("driver");
  put_string(version);
  put_name("mig_instances");
  put_number(instances);
}

static int count_devices(const struct Cuda* cuda, DriverResult initialised) {
  int count = 0;
  if (initialised == kCudaNoDevice) return 0;
  if (initialised != 0) fail_with_code(cuda, "cuInit", initialised);
  const DriverResult result = cuda->count(&count);
  if (result != 0) fail_with_code(cuda, "cuDeviceGetCount", result);
  return count;
}

static void ask(void) __attribute__((noreturn));
static void ask(void) {
  struct Cuda cuda = {0};
  int version = 0, any_mig = 0;
  load_cuda(&cuda);
  const unsigned long long begin = microseconds();
  const int count = count_devices(&cuda, cuda.init(0));
  const unsigned long long end = microseconds();
  if (cuda.driver_version(&version) != 0 || version < 0) version = 0;
  begin_line();
  put_name("cuda");
  put_number((unsigned long long)version);
  put_name("init_us");
  put_number(end > begin ? end - begin : 0);
  put_name("devices");
  put_raw("[");
  for (int i = 0; i < count; ++i) {
    if (i > 0) put_raw(",");
    any_mig |= put_device(&cuda, i);
  }
  put_raw("]");
  put_nvml(any_mig);
  finish();
}

static unsigned int number_of(const char* digits) {
  unsigned int number = 0;
  for (; *digits >= '0' && *digits <= '9' && number < 100000000; ++digits)
    number = 10 * number + (unsigned int)(*digits - '0');
  return number;
}

/// `words`: as the kernel puts them on the stack, argc and then argv.
void helper_main(const long* words) __attribute__((noreturn, used));
void helper_main(const long* words) {
  const char* const* argv = (const char* const*)(words + 1);
  if (words[0] == 3 && argv[1][0] == 'w') watch(number_of(argv[2]));
  ask();
}

// The kernel's entry: the dynamic loader has prepared the C library already.
#if defined(__x86_64__)
__asm__(
    ".text\n.globl _start\n.type _start,@function\n"
    "_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall helper_main\n\thlt\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n.globl _start\n.type _start,%function\n"
    "_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl helper_main\n\tbrk #1\n");
#else
#error "the GPU helper is not written for this processor"
#endif

// trainit-gpu-probe [--nccl FILE]: tries what the GPUs that a CUDA program sees here can do, and
// whether they come to right results. It takes seconds, and ends by itself when nothing hangs; who
// runs it gives it a deadline. report.h has what it says.
//
// It exits with 0 when it has said all that it could find out, failures included. It has no CUDA
// toolkit in it: the driver and NCCL are loaded, and the driver translates its kernels. It runs
// with every glibc, because it is linked as the GPU helper is (libc_api.h).
#include "hardware/gpu_helper/json_line.h"
#include "steps.h"

static struct Gpu gpus[kMostGpus];

/// One step of one GPU or of two; false: there was trouble, and its GPU is given up.
static int tell(const struct Step* step, const struct Measure* measure, struct Trouble trouble) {
  if (trouble.call != 0) {
    report_failure(step, &trouble);
    return 0;
  }
  report_result(step, measure);
  return 1;
}

static void report_device(const struct Gpu* gpu) {
  char name[256] = "";
  cuda.name(name, sizeof name - 1, gpu->device);
  begin_report_line();
  put_name("device");
  put_number((unsigned long long)gpu->ordinal);
  put_name("name");
  put_string(name);
  // The sentence below is read as UTF-8, of which a driver knows nothing.
  for (char* c = name; *c != 0; ++c) {
    if (*c < 0x20 || *c > 0x7e) *c = '?';
  }
  put_name("free");
  put_number(gpu->free);
  put_name("total");
  put_number(gpu->total);
  end_report_line();
  dprintf(2, "trainit-gpu-probe: GPU %d: %s, %llu of %llu MiB free, %u multiprocessors\n",
          gpu->ordinal, name, (unsigned long long)gpu->free >> 20,
          (unsigned long long)gpu->total >> 20, gpu->multiprocessors);
}

static void try_start(struct Gpu* gpu, int ordinal) {
  const struct Step step = {"start", ordinal, kNone};
  report_step(&step);
  const struct Trouble trouble = open_gpu(gpu, ordinal);
  gpu->usable = trouble.call == 0;
  if (trouble.call != 0) report_failure(&step, &trouble);
  if (gpu->usable) report_device(gpu);
}

static void try_memory(struct Gpu* gpu) {
  const struct Step step = {"memory", gpu->ordinal, kNone};
  struct Measure measure = {0, 0, 0, 0, 0};
  report_step(&step);
  gpu->usable = tell(&step, &measure, measure_memory(gpu, &measure));
}

static void try_product(struct Gpu* gpu, int half) {
  const struct Step step = {half ? "tensor product" : "product", gpu->ordinal, kNone};
  struct Measure measure = {0, 0, 0, 0, 0};
  report_step(&step);
  gpu->usable = tell(&step, &measure, measure_product(gpu, half, &measure));
}

static void try_copy(struct Gpu* from, struct Gpu* to) {
  const struct Step step = {"copy", from->ordinal, to->ordinal};
  struct Measure measure = {0, 0, 0, 0, 0};
  report_step(&step);
  // Which of the two it was is not known.
  if (!tell(&step, &measure, measure_copy(from, to, &measure))) from->usable = to->usable = 0;
}

static void try_gpu(struct Gpu* gpu, int ordinal) {
  try_start(gpu, ordinal);
  if (gpu->usable) try_memory(gpu);
  if (gpu->usable) try_product(gpu, 0);
  if (gpu->usable) try_product(gpu, 1);
  if (gpu->usable) try_copy(gpu, gpu);
}

static void try_pairs(int count) {
  for (int from = 0; from < count; ++from) {
    for (int to = 0; to < count; ++to) {
      if (from != to && gpus[from].usable && gpus[to].usable) try_copy(&gpus[from], &gpus[to]);
    }
  }
}

static void try_all_reduce(int count, const char* library) {
  const struct Step step = {"all-reduce", kNone, kNone};
  struct Measure measure = {0, 0, 0, 0, 0};
  int version = 0;
  for (int i = 0; i < count; ++i) {
    if (!gpus[i].usable) return;
  }
  report_step(&step);
  const struct Trouble trouble = measure_all_reduce(gpus, count, library, &measure, &version);
  if (version != 0) {
    begin_report_line();
    put_name("nccl");
    put_number((unsigned long long)version);
    end_report_line();
  }
  tell(&step, &measure, trouble);
}

static int begin(void) {
  const struct Step step = {"driver", kNone, kNone};
  int count = 0, version = 0;
  report_step(&step);
  struct Trouble trouble = load_cuda();
  if (trouble.call == 0) {
    const DriverResult code = cuda.count(&count);
    if (code != 0) trouble = cuda_trouble("cuDeviceGetCount", code);
  }
  if (trouble.call != 0) {
    report_failure(&step, &trouble);
    return 0;
  }
  cuda.driver_version(&version);
  begin_report_line();
  put_name("probe");
  put_number(1);
  put_name("driver");
  put_number((unsigned long long)version);
  put_name("gpus");
  put_number((unsigned long long)count);
  end_report_line();
  return count < kMostGpus ? count : kMostGpus;
}

static int probe(int argc, char** argv, char** environment) {
  const char* library = 0;
  (void)environment;
  if (argc == 3 && strcmp(argv[1], "--nccl") == 0) {
    library = argv[2];
  } else if (argc != 1) {
    dprintf(2, "usage: trainit-gpu-probe [--nccl libnccl.so.2]\n");
    return 2;
  }
  begin_report();
  const int count = begin();
  for (int i = 0; i < count; ++i) try_gpu(&gpus[i], i);
  try_pairs(count);
  if (count > 0) try_all_reduce(count, library);
  begin_report_line();
  put_name("end");
  put_raw("true");
  end_report_line();
  // Without what the driver and NCCL would do at the end, where broken GPUs make them hang.
  _exit(0);
}

/// `words`: as the kernel puts them on the stack, argc and then argv.
void probe_main(long* words, void (*loader_end)(void)) __attribute__((noreturn, used));
void probe_main(long* words, void (*loader_end)(void)) {
  __libc_start_main(probe, (int)words[0], (char**)(words + 1), 0, 0, loader_end, words);
}

// The kernel's entry: the dynamic loader says what it wants to be called at the end.
#if defined(__x86_64__)
__asm__(
    ".text\n.globl _start\n.type _start,@function\n"
    "_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tmov %rdx, %rsi\n\tand $-16, %rsp\n"
    "\tcall probe_main\n\thlt\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n.globl _start\n.type _start,%function\n"
    "_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x1, x0\n\tmov x0, sp\n\tbl probe_main\n\tbrk "
    "#1\n");
#else
#error "the GPU probe is not written for this processor"
#endif

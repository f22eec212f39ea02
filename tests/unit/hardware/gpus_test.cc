#include "hardware/gpus.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fake_driver.h"
#include "hardware/detect.h"
#include "hardware/nvidia_smi.h"
#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

constexpr int kDeadline = 20'000;

Gpus detect(const Machine& machine, const Environment& environment, int deadline_ms = kDeadline) {
  return detect_gpus(environment, std::nullopt, deadline_ms, machine.roots());
}

Gpus detect(const Machine& machine, const std::string& behaviour, const std::string& name = "",
            const std::string& value = "") {
  Environment environment = with_fake_driver(machine.environment(), behaviour);
  if (!name.empty()) environment.set(name, value, "test");
  return detect(machine, environment);
}

/// Four GPUs of which the container may open three; their PCI order is not that of their numbers.
void add_device_files(const Machine& machine) {
  for (const char* name : {"nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm"})
    machine.write(std::string("dev/") + name);
  machine.make("dev/nvidia3");  // a directory does not open for writing
  const char* const minors[] = {"2", "1", "0", "3"};
  for (int i = 0; i < 4; ++i) {
    const std::string slot = std::to_string(i);
    machine.write("proc/driver/nvidia/gpus/0000:0" + slot + ":00.0/information",
                  "Model: \t\t NVIDIA L4\nIRQ:   \t\t 11\nGPU UUID: \t GPU-" + slot +
                      "\nDevice Minor: \t " + minors[i] + "\n");
  }
}

bool warns(const Gpus& gpus, std::string_view text) {
  for (const std::string& warning : gpus.warnings) {
    if (warning.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a machine without a sign of a GPU is not asked") {
  const Gpus gpus = detect(Machine(), "8");
  CHECK(gpus.count() == 0);
  CHECK(gpus.source == "none");
  CHECK(gpus.warnings.empty());
}

TEST_CASE("device files are left alone when the driver has told of its GPUs") {
  const Machine machine;
  add_device_files(machine);
  const sys::UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  REQUIRE(::inotify_add_watch(watch.get(), (machine.roots().dev + "/nvidia0").c_str(), IN_OPEN) >
          0);
  char event[sizeof(inotify_event) + NAME_MAX + 1];
  CHECK(detect(machine, "8").count() == 8);
  CHECK(::read(watch.get(), event, sizeof event) < 0);
  CHECK(detect(machine, "init_error").count() == 3);
  CHECK(::read(watch.get(), event, sizeof event) > 0);
}

TEST_CASE("a child opens the device files, because a driver may never let it return") {
  const Machine machine;
  machine.make("dev");
  // This opens for ourselves, and for nobody else.
  const std::string ours = fmt::format("/proc/self/task/{}/comm", ::getpid());
  REQUIRE(sys::UniqueFd(::open(ours.c_str(), O_RDWR | O_CLOEXEC)));
  REQUIRE(::symlink(ours.c_str(), (machine.roots().dev + "/nvidia0").c_str()) == 0);
  CHECK(detect(machine, "init_error").count() == 0);
}

TEST_CASE("each sign of a GPU makes the driver be asked") {
  for (const char* sign : {"dev/nvidia0", "dev/nvidia15", "dev/nvidiactl", "dev/dxg", "dev/nvmap",
                           "dev/nvhost-gpu", "proc/driver/nvidia/version"}) {
    CAPTURE(sign);
    const Machine machine;
    machine.write(sign);
    CHECK(detect(machine, "8").count() == 8);
  }
  const Machine other;
  other.write("dev/nvidia-uvm");
  CHECK(detect(other, "8").count() == 0);
}

TEST_CASE("TRAINIT_GPU_PROBE asks always or never") {
  const Machine machine;
  CHECK(detect(machine, "8", "TRAINIT_GPU_PROBE", "always").count() == 8);
  CHECK(detect(machine, "8", "TRAINIT_GPU_PROBE", "auto").count() == 0);
  machine.write("dev/nvidia0");
  const Gpus never = detect(machine, "8", "TRAINIT_GPU_PROBE", "never");
  CHECK(never.count() == 0);
  CHECK(never.source == "TRAINIT_GPU_PROBE=never");
  const Gpus typo = detect(machine, "8", "TRAINIT_GPU_PROBE", "allways");
  CHECK(typo.count() == 8);
  CHECK(warns(typo, "\"allways\"; it can be auto, always or never"));
}

TEST_CASE("a caller's choice counts, and not the variable") {
  const Machine machine;
  Environment environment = with_fake_driver(machine.environment(), "8");
  const auto count = [&](GpuProbe probe) {
    return detect_gpus(environment, probe, kDeadline, machine.roots()).count();
  };
  environment.set("TRAINIT_GPU_PROBE", "always", "test");
  CHECK(count(GpuProbe::kNever) == 0);
  CHECK(detect_gpus(environment, GpuProbe::kNever, kDeadline, machine.roots()).source ==
        "gpu-probe never");
  CHECK(count(GpuProbe::kAuto) == 0);
  environment.set("TRAINIT_GPU_PROBE", "never", "test");
  CHECK(count(GpuProbe::kAlways) == 8);
}

TEST_CASE("an empty CUDA_VISIBLE_DEVICES is no GPU, and nobody is asked") {
  const Machine machine;
  machine.write("dev/nvidia0");
  const Gpus gpus = detect(machine, "hang", "CUDA_VISIBLE_DEVICES", "");
  CHECK(gpus.count() == 0);
  CHECK(gpus.source == "CUDA_VISIBLE_DEVICES=");
}

TEST_CASE("NVIDIA_VISIBLE_DEVICES=none is no GPU, and void is none where no device is in sight") {
  const Machine machine;
  for (const char* value : {"none", "void", ""}) {
    CAPTURE(value);
    Environment environment = with_fake_driver(machine.environment(), "hang");
    environment.set("NVIDIA_VISIBLE_DEVICES", value, "test");
    environment.set("TRAINIT_GPU_PROBE", "always", "test");
    const Gpus gpus = detect(machine, environment);
    CHECK(gpus.count() == 0);
    CHECK(gpus.source == std::string("NVIDIA_VISIBLE_DEVICES=") + value);
  }
  machine.write("dev/nvidia0");
  CHECK(detect(machine, "8", "NVIDIA_VISIBLE_DEVICES", "none").count() == 0);
}

TEST_CASE("void with devices in sight is what other engines set: the driver knows") {
  const Machine machine;
  add_device_files(machine);
  CHECK(detect(machine, "1", "NVIDIA_VISIBLE_DEVICES", "void").count() == 1);
  const Gpus privileged = detect(machine, "init_error", "NVIDIA_VISIBLE_DEVICES", "void");
  CHECK(privileged.count() == 0);
  CHECK(privileged.source == "NVIDIA_VISIBLE_DEVICES=void");
  CHECK(privileged.warnings.empty());
}

TEST_CASE("any other value of NVIDIA_VISIBLE_DEVICES is the runtime's business") {
  const Machine machine;
  machine.write("dev/nvidia0");
  CHECK(detect(machine, "8", "NVIDIA_VISIBLE_DEVICES", "all").count() == 8);
  CHECK(detect(machine, "8", "NVIDIA_VISIBLE_DEVICES", "0").count() == 8);
}

TEST_CASE("a GPU has the NUMA node of its slot") {
  const Machine machine;
  machine.write("dev/nvidia0");
  machine.write("sys/bus/pci/devices/0000:1b:00.0/numa_node", "1\n");
  const Gpus gpus = detect(machine, "8");
  REQUIRE(gpus.count() == 8);
  CHECK(gpus.devices[0].numa_node == -1);
  CHECK(gpus.devices[1].numa_node == 1);
}

TEST_CASE("a driver that finds nothing beside device files that open is told of") {
  const Machine machine;
  add_device_files(machine);
  const Gpus gpus = detect(machine, "0");
  CHECK(gpus.count() == 0);
  CHECK(warns(gpus, "CUDA finds no GPU, but 3 of /dev/nvidia* can be opened"));
  CHECK(detect(machine, "0", "CUDA_VISIBLE_DEVICES", "-1").warnings.empty());
}

TEST_CASE("without an answer of the driver the device files that open are counted") {
  for (const char* behaviour : {"crash", "junk", "init_error"}) {
    CAPTURE(behaviour);
    const Machine machine;
    add_device_files(machine);
    machine.write("sys/module/nvidia/version", "580.65.06\n");
    const Gpus gpus = detect(machine, behaviour);
    REQUIRE(gpus.count() == 3);
    CHECK(gpus.source == "device files");
    CHECK(gpus.driver_version == "580.65.06");
    CHECK(warns(gpus, "the GPUs were counted by device files"));
    CHECK(gpus.devices[0].pci == "0000:00:00.0");
    CHECK(gpus.devices[0].uuid == "GPU-0");
    CHECK(gpus.devices[2].name == "NVIDIA L4");
    CHECK(gpus.devices[2].index == 2);
  }
}

TEST_CASE("a driver that hangs costs no more than the deadline") {
  const Machine machine;
  add_device_files(machine);
  const Gpus gpus = detect(machine, with_fake_driver(machine.environment(), "hang"), 300);
  CHECK(gpus.count() == 3);
  CHECK(warns(gpus, "did not answer in time"));
}

TEST_CASE("the device files that are left are those that CUDA_VISIBLE_DEVICES names") {
  const Machine machine;
  add_device_files(machine);
  const Gpus gpus = detect(machine, "crash", "CUDA_VISIBLE_DEVICES", "2,0");
  REQUIRE(gpus.count() == 2);
  CHECK(gpus.devices[0].uuid == "GPU-2");
  CHECK(gpus.devices[0].index == 0);
  CHECK(gpus.chosen);
}

TEST_CASE("MIG instances cannot be counted by device files, and that is said") {
  const Machine machine;
  add_device_files(machine);
  machine.make("proc/driver/nvidia/capabilities/gpu0/mig/gi1");
  machine.make("proc/driver/nvidia/capabilities/gpu0/mig/gi2");
  CHECK(warns(detect(machine, "crash"), "divided into 2 MIG instances"));
}

TEST_CASE("where no device file opens nvidia-smi is asked") {
  const Machine machine;
  machine.write("dev/dxg");
  machine.install("nvidia-smi",
                  R"(case "$*" in *--query-gpu=*) ;; *) exit 9;; esac
echo 'NVIDIA L4, GPU-1, 00000000:00:1E.0, 23034, 580.65.06'
echo 'NVIDIA L4, GPU-2, 00010000:00:1F.0, [N/A], 580.65.06')");
  const Gpus gpus = detect(machine, "crash");
  REQUIRE(gpus.count() == 2);
  CHECK(gpus.source == "nvidia-smi");
  CHECK(gpus.driver_version == "580.65.06");
  CHECK(gpus.devices[0].pci == "0000:00:1e.0");
  CHECK(gpus.devices[0].memory == 23034ULL << 20);
  CHECK(gpus.devices[1].pci == "10000:00:1f.0");
  CHECK(gpus.devices[1].memory == 0);
  CHECK(detect(machine, "crash", "CUDA_VISIBLE_DEVICES", "1").devices[0].uuid == "GPU-2");
}

TEST_CASE("an nvidia-smi that fails, hangs or talks is no GPU and a warning") {
  const Machine machine;
  machine.write("dev/nvidiactl");
  for (const char* script : {"echo 'NVIDIA-SMI has failed'", "exit 9", "exec sleep 1000"}) {
    CAPTURE(script);
    machine.install("nvidia-smi", script);
    const Gpus gpus = detect(machine, with_fake_driver(machine.environment(), "crash"), 2000);
    CHECK(gpus.count() == 0);
    CHECK(gpus.source == "none");
    CHECK(warns(gpus, "nvidia-smi"));
    CHECK(warns(gpus, "assuming no GPU"));
  }
}

TEST_CASE("nonsense of nvidia-smi fits on a line of the log") {
  const auto gpus = parse_nvidia_smi("a\tb\xFF, GPU-1, 0, 17592186044417, 5\x1b");
  REQUIRE(gpus);
  CHECK(gpus->devices[0].name == "a b\uFFFD");
  CHECK(gpus->devices[0].memory == 0);
  CHECK(gpus->driver_version == "5 ");
  const auto message = parse_nvidia_smi(std::string(5000, 'x') + "\x1b");
  REQUIRE_FALSE(message);
  CHECK(message.error().message.size() < 300);
}

TEST_CASE("a container beside other people's GPUs is not warned about them") {
  const Machine machine;
  machine.write("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX  535.129.03  x\n");
  const Gpus gpus = detect(machine, "crash");
  CHECK(gpus.count() == 0);
  CHECK(gpus.source == "none");
  CHECK(gpus.warnings.empty());
}

TEST_CASE("the version of the kernel's module is read from its banner too") {
  const Machine machine;
  machine.write("dev/nvidia0");
  machine.write(
      "proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
      "GCC version:  gcc version 12.3.0\n");
  CHECK(detect(machine, "crash").driver_version == "580.65.06");
}

TEST_CASE("a whole machine is described without an error, also an empty one") {
  const Machine machine;
  const Hardware nothing = hardware::detect({}, {}, machine.groups(), machine.roots());
  CHECK(nothing.gpus.count() == 0);
  CHECK(nothing.memory_total == 0);
  CHECK(nothing.shm_size == 0);
  CHECK_FALSE(nothing.hostname.empty());
  machine.write("dev/nvidia0");
  machine.write("proc/meminfo", "MemTotal: 1024 kB\n");
  machine.install("neuron-ls", "echo '[{\"nc_count\": 2}]'");
  const Hardware some = hardware::detect(with_fake_driver(machine.environment(), "1"), {},
                                         machine.groups(), machine.roots());
  CHECK(some.gpus.count() == 1);
  CHECK(some.neuron_cores == 2);
  CHECK(some.memory_total == 1 << 20);
}

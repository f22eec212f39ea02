#include "hardware/describe.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::hardware;

namespace {

Gpu gpu(int index, std::string name, std::uint64_t memory) {
  Gpu made;
  made.index = index;
  made.name = std::move(name);
  made.memory = memory;
  return made;
}

Hardware machine() {
  Hardware hardware;
  hardware.cpus = {48, 48, 46.5};
  hardware.memory_total = 180ULL << 30;
  hardware.shm_size = 32ULL << 30;
  hardware.gpus.source = "libcuda";
  hardware.gpus.cuda_version = "12.4";
  for (int i = 0; i < 4; ++i)
    hardware.gpus.devices.push_back(gpu(i, "NVIDIA A10G", 23028ULL << 20));
  return hardware;
}

}  // namespace

TEST_CASE("a machine is one line: GPUs and who says so, cpus, memory, shared memory") {
  CHECK(describe(machine()) ==
        "4 × NVIDIA A10G 22 GB (CUDA driver 12.4, by libcuda) · 46.5 of 48 cpus · 180 GB memory · "
        "/dev/shm 32.0 GB");
}

TEST_CASE("what is not there is left out, and limits stand beside what they limit") {
  Hardware hardware;
  hardware.gpus.source = "none";
  hardware.cpus = {2, 2, 0};
  hardware.memory_total = 8ULL << 30;
  CHECK(describe(hardware) == "no GPU · 2 cpus · 8.0 GB memory");
  hardware.memory_limit = 4ULL << 30;
  hardware.cpus = {1, 1, 0};
  hardware.gpus.source = "NVIDIA_VISIBLE_DEVICES=void";
  hardware.neuron_cores = 32;
  hardware.efa_devices = 8;
  CHECK(
      describe(hardware) ==
      "no GPU (by NVIDIA_VISIBLE_DEVICES=void) · 32 NeuronCores · 1 cpu · 4.0 GB of 8.0 GB memory "
      "· 8 EFA");
  hardware.memory_total = 0;
  CHECK(describe(hardware).find(" · 4.0 GB memory · ") != std::string::npos);
}

TEST_CASE("GPUs of several kinds are told apart, and a name that has its size keeps it") {
  Hardware hardware = machine();
  hardware.gpus.devices[2] = gpu(2, "NVIDIA H100 80GB HBM3", 80ULL << 30);
  hardware.gpus.devices[3] = gpu(3, "", 0);
  hardware.gpus.cuda_version.clear();
  hardware.gpus.source = "device files";
  CHECK(describe(hardware).starts_with(
      "2 × NVIDIA A10G 22 GB + 1 × NVIDIA H100 80GB HBM3 + 1 × GPU (by device files) · "));
}

TEST_CASE("as JSON the unknown is null") {
  Gpus gpus;
  gpus.source = "device files";
  gpus.devices = {gpu(0, "", 0)};
  gpus.warnings = {"careful"};
  CHECK(
      dump_json(to_json(gpus), JsonStyle::kPython) ==
      R"({"count": 1, "source": "device files", "driver_version": null, "cuda_version": null, )"
      R"("devices": [{"index": 0, "name": null, "uuid": null, "pci": null, "memory": null, )"
      R"("compute_capability": null, "mig": false, "numa_node": null}], "warnings": ["careful"]})");
}

TEST_CASE("as JSON all that is known is there") {
  Gpus gpus = machine().gpus;
  gpus.devices.resize(1);
  gpus.driver_version = "550.54.15";
  Gpu& only = gpus.devices[0];
  only.uuid = "GPU-1";
  only.pci = "0000:1b:00.0";
  only.compute_major = 8;
  only.compute_minor = 6;
  only.numa_node = 0;
  CHECK(
      dump_json(to_json(gpus), JsonStyle::kPython) ==
      R"({"count": 1, "source": "libcuda", "driver_version": "550.54.15", "cuda_version": "12.4", )"
      R"("devices": [{"index": 0, "name": "NVIDIA A10G", "uuid": "GPU-1", "pci": "0000:1b:00.0", )"
      R"("memory": 24146608128, "compute_capability": "8.6", "mig": false, "numa_node": 0}], )"
      R"("warnings": []})");
}

TEST_CASE("as a table each GPU is a line, and who said so is below") {
  Gpus gpus = machine().gpus;
  gpus.devices.resize(2);
  gpus.devices[1] = gpu(1, "NVIDIA H100 80GB HBM3", 0);
  gpus.devices[0].uuid = "GPU-1";
  gpus.devices[0].numa_node = 0;
  gpus.driver_version = "550.54.15";
  CHECK(to_table(gpus) ==
        "gpu  name                   memory   compute  pci  numa  uuid\n"
        "0    NVIDIA A10G            22.5 GB  -        -    0     GPU-1\n"
        "1    NVIDIA H100 80GB HBM3  -        -        -    -     -\n"
        "by libcuda · driver 550.54.15 · CUDA 12.4\n");
}

TEST_CASE("a table without GPUs says so, and why where there is a reason") {
  Gpus gpus;
  gpus.source = "none";
  CHECK(to_table(gpus) == "no GPU\n");
  gpus.source = "CUDA_VISIBLE_DEVICES=";
  CHECK(to_table(gpus) == "no GPU\nby CUDA_VISIBLE_DEVICES=\n");
}

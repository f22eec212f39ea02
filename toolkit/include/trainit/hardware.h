#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainit/environment.h"

namespace trainit {

/// One GPU, or one MIG instance of a GPU, as a worker will see it.
struct Gpu {
  int index = 0;             ///< CUDA's ordinal under the present CUDA_VISIBLE_DEVICES
  std::string name;          ///< "NVIDIA H100 80GB HBM3"
  std::string uuid;          ///< "GPU-…" or "MIG-…"
  std::string pci;           ///< "0000:1b:00.0", empty when unknown
  std::uint64_t memory = 0;  ///< bytes
  int compute_major = 0, compute_minor = 0;  ///< compute capability, 9.0; 0.0 when unknown
  bool mig = false;                          ///< it is an instance of a GPU
  int numa_node = -1;                        ///< of its PCI slot; -1 when unknown
};

/// The GPUs of this machine and who told us of them.
struct Gpus {
  std::vector<Gpu> devices;
  /// Who answered: "libcuda", "device files" or "nvidia-smi"; "none" when nothing here looks like
  /// an NVIDIA GPU; or the variable that rules them out: "NVIDIA_VISIBLE_DEVICES=void",
  /// "CUDA_VISIBLE_DEVICES=", "TRAINIT_GPU_PROBE=never"; or "gpu-probe never" for the
  /// caller's own word.
  std::string source;
  std::string driver_version;  ///< "580.65.06", empty when unknown
  std::string cuda_version;    ///< newest CUDA of the driver, "13.0"; empty when unknown
  bool chosen = false;         ///< CUDA_VISIBLE_DEVICES is set: the machine may have more
  std::vector<std::string>
      warnings;  ///< sentences for people: what could not be found out, and why

  int count() const { return static_cast<int>(devices.size()); }
};

/// CPUs that this process may really use.
struct Cpus {
  int online = 1;    ///< of the machine
  int affinity = 1;  ///< of them in this process's affinity mask
  double quota = 0;  ///< cgroup CPU quota in cpus; 0: none
  /// Affinity ∩ quota, rounded down, at least 1: what SM_NUM_CPUS says.
  int usable() const;
};

/// Of the network namespace that this process is in.
struct NetworkInterface {
  std::string name;       ///< "eth0"
  bool up = false;        ///< the administrator's switch (IFF_UP), whatever the cable says
  bool loopback = false;  ///< it reaches this machine only (IFF_LOOPBACK)
};

/// What this machine has, measured once.
struct Hardware {
  std::string hostname;  ///< as the kernel has it, with or without a domain
  Cpus cpus;
  Gpus gpus;
  int neuron_cores = 0;                      ///< of AWS Trainium and Inferentia, by `neuron-ls`
  std::uint64_t memory_total = 0;            ///< bytes of the machine: MemTotal of /proc/meminfo
  std::uint64_t memory_limit = 0;            ///< bytes: memory.max of the cgroup; 0: none
  std::uint64_t shm_size = 0;                ///< bytes of /dev/shm; 0: there is none
  std::uint64_t open_files_limit = 0;        ///< RLIMIT_NOFILE, soft
  int efa_devices = 0;                       ///< Elastic Fabric Adapters, by /sys/class/infiniband
  std::vector<NetworkInterface> interfaces;  ///< by name
  /// Sentences for people, as those of `gpus`: what else could not be found out, and why.
  std::vector<std::string> warnings;

  /// Whether one of `interfaces` has this name.
  bool has_interface(std::string_view name) const;
};

/// Whether the GPU driver is asked. kAuto: where a device file or the kernel's module is there;
/// kAlways: also where nothing looks like an NVIDIA GPU; kNever: GPUs are not looked for at all.
enum class GpuProbe { kAuto, kAlways, kNever };

struct HardwareOptions {
  std::optional<GpuProbe> gpu_probe;  ///< unset: by TRAINIT_GPU_PROBE, and kAuto without that
  int gpu_deadline_ms = 10'000;       ///< how long the GPU driver may take to answer, in all
  int neuron_deadline_ms = 5'000;     ///< how long `neuron-ls` may take
  /// Signals that end both waits at once when they are blocked and come; they stay pending.
  std::vector<int> stop_signals = {SIGTERM, SIGINT};
};

/// Looks at this machine. It never fails: what cannot be found out is left at its default, with a
/// warning where a person would want to know.
///
/// GPUs are those that a CUDA program started with `environment` would see: CUDA_VISIBLE_DEVICES
/// and NVIDIA_VISIBLE_DEVICES=void|none count. TRAINIT_GPU_PROBE is auto, always or never.
Hardware detect_hardware(const Environment& environment, const HardwareOptions& options = {});

/// GPUs that an instance type should have ("ml.p5.48xlarge" → 8), for messages only; nothing when
/// the type is unknown. Source: AWS's pages of instance types.
std::optional<int> expected_gpus(std::string_view instance_type);

/// The same where `gpus` can be compared with it: not what CUDA_VISIBLE_DEVICES chose, nor
/// instances of divided GPUs (MIG), of which there may be any number.
std::optional<int> expected_gpus(std::string_view instance_type, const Gpus& gpus);

/// The same of Elastic Fabric Adapters ("ml.p4d.24xlarge" → 4), of types with GPUs; same source.
std::optional<int> expected_efa_devices(std::string_view instance_type);

}  // namespace trainit

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainit/hardware.h"

namespace trainit::hardware {

/// What a value of CUDA_VISIBLE_DEVICES leaves of `devices`, in its order, as CUDA itself does it:
/// numbers, or beginnings of UUIDs; the first entry that names no device ends the list, and one
/// that comes twice leaves none. MIG instances that `devices` does not know are taken on trust, and
/// so are UUIDs when no device has one; `warnings` says so.
std::vector<Gpu> visible_devices(const std::vector<Gpu>& devices, std::string_view value,
                                 std::vector<std::string>& warnings);

/// How many devices a value of CUDA_VISIBLE_DEVICES means to choose, be they there or not: its
/// entries before the first that is none on purpose ("", "-1", "none", Slurm's "NoDevFiles").
int devices_named(std::string_view value);

}  // namespace trainit::hardware

#pragma once

#include <string>

#include "trainit/environment.h"

/// `environment` in which the dynamic loader finds tests/programs/fake_cuda instead of the
/// machine's driver, behaving as FAKE_CUDA says.
inline trainit::Environment with_fake_driver(trainit::Environment environment,
                                             const std::string& behaviour) {
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "TRAINIT_GPU_PROBE"})
    environment.erase(name);
  environment.set("LD_LIBRARY_PATH", TRAINIT_FAKE_CUDA, "test");
  environment.set("FAKE_CUDA", behaviour, "test");
  return environment;
}

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "check/finding.h"
#include "check/subject.h"

/// Area "visibility": the variables that choose GPUs, and MIG.
namespace trainit::check {

struct VisibilityFacts {
  std::optional<std::string> cuda;    ///< CUDA_VISIBLE_DEVICES; nothing: not set
  std::optional<std::string> nvidia;  ///< NVIDIA_VISIBLE_DEVICES; nothing: not set
  /// Every GPU of this container, whatever CUDA_VISIBLE_DEVICES says; nothing: not known.
  std::optional<std::vector<Gpu>> all;
  int found = 0;                       ///< GPUs that a worker would see
  bool isolated = false;               ///< --isolate-gpus
  std::vector<std::string> empty_mig;  ///< GPUs that are divided, into no instance ("gpu0")
};
/// `ask_driver`: where CUDA_VISIBLE_DEVICES hides GPUs, the driver is asked a second time.
VisibilityFacts visibility_facts(const Subject& subject, bool ask_driver);

AreaReport judge_visibility(const VisibilityFacts& facts);

}  // namespace trainit::check

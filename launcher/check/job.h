#pragma once

#include <string>
#include <vector>

#include "check/finding.h"

/// Area "job": what the platform wrote, and the options in it.
namespace trainit::check {

struct JobFacts {
  std::vector<std::string> errors;    ///< sentences about what cannot be read
  std::vector<std::string> warnings;  ///< about what was missing or is ignored
  bool on_platform = false;
  std::string host, instance_type;
  int hosts = 1, channels = 0, hyperparameters = 0;
};

AreaReport judge_job(const JobFacts& facts);

}  // namespace trainit::check

#pragma once

#include <string>

#include "trainit/environment.h"

namespace trainit {

/// Where a training job has its things, as the platform lays them out; all below `base`.
struct Paths {
  std::string base;          ///< SAGEMAKER_BASE_DIR, or /opt/ml
  std::string code;          ///< <base>/code: the script, unless the job names another directory
  std::string model;         ///< <base>/model: what the job is to leave
  std::string input;         ///< <base>/input
  std::string input_config;  ///< <base>/input/config: the platform's JSON files
  std::string input_data;    ///< <base>/input/data: a directory for each channel
  std::string output;        ///< <base>/output: the markers
  std::string output_data;   ///< <base>/output/data: files that are kept beside the model
  std::string output_intermediate;  ///< <base>/output/intermediate: uploaded while the job runs
  std::string failure, success;     ///< the markers, files in <base>/output

  /// Those of a job that has its things below `base`, an absolute path; nothing is looked at.
  static Paths below(std::string base);
  /// By SAGEMAKER_BASE_DIR.
  static Paths from(const Environment& environment);
};

}  // namespace trainit

#pragma once

#include <string>

#include "trainit/environment.h"

namespace trainit {

/// The directories of a training job, all below `base`: SAGEMAKER_BASE_DIR, or /opt/ml.
struct Paths {
  std::string base, code, model, input, input_config, input_data, output, output_data,
      output_intermediate, failure, success;

  static Paths below(std::string base);
  static Paths from(const Environment& environment);
};

}  // namespace trainit

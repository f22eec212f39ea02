#pragma once

#include <string>
#include <string_view>

#include "trainit/result.h"
#include "trainit/training_job.h"

namespace trainit::code {

/// The directory of the script, as an absolute path: what sagemaker_submit_directory names, or
/// <base>/code where that is not set; for an address in S3 <base>/code, too, when that has
/// something in it. Addresses and archives that would have to be fetched first are refused with a
/// sentence.
Result<std::string> code_directory(const TrainingJob& job);

bool is_in_s3(std::string_view address);

}  // namespace trainit::code

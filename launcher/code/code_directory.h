#pragma once

#include <string>
#include <string_view>

#include "trainit/result.h"
#include "trainit/training_job.h"

namespace trainit::code {

/// The directory of the script, as an absolute path: what sagemaker_submit_directory names, or
/// <base>/code where that is not set; for an address in S3 and an archive <base>/code, too, when
/// that has something in it. Else these are refused with a sentence, as other addresses are.
Result<std::string> code_directory(const TrainingJob& job);

/// What would have to be done first with what sagemaker_submit_directory names, and nothing here
/// does: "fetch" it from S3, "unpack" an archive. Empty: nothing.
std::string_view missing_step(std::string_view address);

}  // namespace trainit::code

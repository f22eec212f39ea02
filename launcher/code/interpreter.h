#pragma once

#include <string>

#include "options.h"
#include "trainit/environment.h"
#include "trainit/result.h"

namespace trainit::code {

/// The absolute path of the Python that runs a script: that of `--python` or SAGEMAKER_PYTHON, else
/// the first that is there of a virtual or conda environment's (VIRTUAL_ENV, CONDA_PREFIX, .venv in
/// the code directory, that of PATH's python3 or python, /opt/venv, /venv, /opt/conda), python3 and
/// python of PATH.
Result<std::string> find_python(const Options& options, const Environment& environment,
                                const std::string& code_directory);

}  // namespace trainit::code

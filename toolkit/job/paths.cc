#include "trainit/paths.h"

#include "sys/files.h"

namespace trainit {

Paths Paths::below(std::string base) {
  while (base.size() > 1 && base.ends_with('/')) base.pop_back();
  const auto in = [](const std::string& directory, std::string_view name) {
    return sys::join_path(directory, name);
  };
  Paths paths;
  paths.code = in(base, "code");
  paths.model = in(base, "model");
  paths.input = in(base, "input");
  paths.input_config = in(paths.input, "config");
  paths.input_data = in(paths.input, "data");
  paths.output = in(base, "output");
  paths.output_data = in(paths.output, "data");
  paths.output_intermediate = in(paths.output, "intermediate");
  paths.failure = in(paths.output, "failure");
  paths.success = in(paths.output, "success");
  paths.base = std::move(base);
  return paths;
}

Paths Paths::from(const Environment& environment) {
  // Workers may start in another directory than ours, where a relative path would lead elsewhere.
  return below(sys::absolute_path(environment.get_or("SAGEMAKER_BASE_DIR", "/opt/ml")));
}

}  // namespace trainit

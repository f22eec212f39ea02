// environment_probe toolkit|v3 BASE…: what a script of the job below each BASE would see, one line
// of JSON each, so that a test can hold many jobs against the software that this has to agree with:
//
//   {"environment": {NAME: VALUE}, "arguments": [TEXT], "left_out": [NAME]}   or   {"error":
//   SENTENCE}
//
// BASE/environment.json (name → value) is what the job's process inherits beside our own
// environment. Bytes that are no UTF-8 are written as Python's surrogateescape has them.

#include <cstdio>
#include <string_view>

#include "environment/host_environment.h"
#include "sys/files.h"

using namespace trainit;
using namespace trainit::environment;

namespace {

Result<Environment> inherited_by(const std::string& base) {
  Environment inherited = Environment::of_process();
  const std::string text = TRAINIT_TRY(sys::read_file(sys::join_path(base, "environment.json")));
  const Json variables = TRAINIT_TRY(Json::parse(text));
  for (const auto& [name, value] : *variables.object()) {
    inherited.set(name, *value.string(), "inherited");
  }
  inherited.set("SAGEMAKER_BASE_DIR", base, "inherited");
  return inherited;
}

/// By the toolkit's rule, without looking whether there is such a script.
Program program_of(const TrainingJob& job, const Environment& inherited) {
  const Hyperparameters& parameters = job.hyperparameters;
  return {inherited.get_or("SAGEMAKER_PROGRAM",
                           parameters.platform_text("sagemaker_program").value_or("")),
          parameters.platform_text("sagemaker_submit_directory").value_or(""),
          {}};
}

Json texts(const std::vector<std::string>& items) {
  return Json::Array(items.begin(), items.end());
}

Result<Json> look_at(const std::string& base, const Hardware& hardware, Contract contract) {
  const Environment inherited = TRAINIT_TRY(inherited_by(base));
  const TrainingJob job = TRAINIT_TRY(TrainingJob::load(inherited));
  const HostEnvironment host =
      TRAINIT_TRY(host_environment(job, hardware, Cluster::of(job.resources, job.hyperparameters),
                                   program_of(job, inherited), inherited, contract));
  const auto arguments = TRAINIT_TRY(script_arguments(
      job.hyperparameters,
      contract == Contract::kV3 ? ArgumentStyle::kJson : ArgumentStyle::kToolkit, contract));
  Json::Object variables;
  for (const auto& [name, variable] : host.variables.variables()) {
    variables.push_back({name, variable.value});
  }
  return Json::Object{{"environment", variables},
                      {"arguments", texts(arguments)},
                      {"left_out", texts(host.left_out)}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const Contract contract = std::string_view(argv[1]) == "v3" ? Contract::kV3 : Contract::kToolkit;
  const Hardware hardware = detect_hardware(Environment::of_process());
  for (int i = 2; i < argc; ++i) {
    const Result<Json> seen = look_at(argv[i], hardware, contract);
    const Json line = seen ? *seen : Json(Json::Object{{"error", seen.error().message}});
    std::puts(dump_json(line).c_str());
  }
  return 0;
}

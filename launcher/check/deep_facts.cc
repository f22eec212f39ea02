// Runs trainit-gpu-probe.
#include <limits.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "check/deep.h"
#include "hardware/tool.h"
#include "sys/files.h"

namespace trainit::check {
namespace {

constexpr char kProgram[] = "trainit-gpu-probe";

/// Where our own program lies; empty: it has no place any more, or /proc is not there.
std::string own_directory() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0 || length == sizeof path) return {};
  const std::string_view own(path, static_cast<std::size_t>(length));
  const std::size_t slash = own.rfind('/');
  return std::string(own.substr(0, slash == 0 ? 1 : slash));
}

void find_program(const Subject& subject, DeepFacts& facts) {
  const std::string own = own_directory();
  if (!own.empty()) facts.looked_in.push_back(own);
  const std::string path = subject.environment.get_or("PATH", sys::kDefaultPath);
  for (const std::string_view entry : split(path, ':')) {
    if (entry.starts_with('/') && entry != own) facts.looked_in.emplace_back(entry);
  }
  const auto found = sys::find_executable(kProgram, join(facts.looked_in, ":"), "");
  if (found) facts.program = *found;
}

/// What the probe sees. NCCL_COMM_ID would have it meet the workers, and the driver is not to leave
/// its translations of the kernels behind.
Environment probe_environment(const Subject& subject) {
  Environment environment = subject.environment;
  environment.erase("NCCL_COMM_ID");
  environment.set("CUDA_CACHE_DISABLE", "1", "the probe");
  return environment;
}

}  // namespace

DeepFacts deep_facts(const Subject& subject, const PythonFacts& python) {
  DeepFacts facts;
  facts.gpus = subject.hardware.gpus.count();
  facts.instance_type = subject.job.resources.instance_type;
  facts.deadline =
      std::min(subject.options.deep_deadline, std::chrono::milliseconds(std::chrono::hours(24)));
  if (facts.gpus == 0) return facts;
  find_program(subject, facts);
  if (facts.program.empty()) return facts;
  sys::SpawnRequest request;
  request.executable = facts.program;
  request.argv = {kProgram};
  if (!python.nccl_library.empty()) {
    request.argv.emplace_back("--nccl");
    request.argv.push_back(python.nccl_library);
  }
  const sys::Patience patience(static_cast<int>(facts.deadline.count()), subject.stops);
  const sys::Heard heard =
      hardware::hear_quietly(std::move(request), probe_environment(subject), patience);
  facts.report = parse_probe_report(heard.text);
  facts.in_time = heard.in_time;
  if (!heard.end) facts.trouble = heard.end.error().message;
  return facts;
}

}  // namespace trainit::check

// Which CUDA the program was built for, and which NCCLs the image has.
#include <limits.h>
#include <stdlib.h>

#include "base/text.h"
#include "check/gpu.h"
#include "check/libraries.h"

namespace trainit::check {
namespace {

/// "12.4" → 12; 0: it is none.
int major_of(std::string_view version) {
  return parse_number<int>(version.substr(0, version.find('.'))).value_or(0);
}

std::optional<CudaNeed> need_of_torch(const PythonFacts& python) {
  const auto torch = python.packages.find("torch");
  const std::string by = torch == python.packages.end() ? "torch" : "torch " + torch->second;
  if (!python.torch_cuda || major_of(*python.torch_cuda) == 0) return std::nullopt;
  return CudaNeed{major_of(*python.torch_cuda), *python.torch_cuda, by, true};
}

/// By the CUDA runtime of the image; of several the newest may be for anybody, so nothing is said.
std::optional<CudaNeed> need_of_runtime(const std::vector<std::string>& directories) {
  const auto runtimes =
      find_libraries(directories, {"libcudart.so.11.0", "libcudart.so.12", "libcudart.so.13"});
  if (runtimes.empty()) return std::nullopt;
  constexpr std::string_view kName = "libcudart.so.";
  const std::string version = runtimes[0].substr(runtimes[0].rfind(kName) + kName.size());
  for (const std::string& other : runtimes) {
    if (!other.ends_with(version)) return std::nullopt;
  }
  return CudaNeed{major_of(version), version, runtimes[0], false};
}

/// "libnccl.so.2" is a link to "libnccl.so.2.21.5", unless a Python package brought it.
std::string version_behind(const std::string& path) {
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real) == nullptr) return {};
  constexpr std::string_view kName = "libnccl.so.";
  const std::string_view name(real);
  const std::size_t at = name.rfind(kName);
  const std::string_view version =
      at == std::string_view::npos ? "" : name.substr(at + kName.size());
  return version.find('.') == std::string_view::npos ? std::string() : std::string(version);
}

std::vector<NcclLibrary> nccl_of(const std::vector<std::string>& directories,
                                 const PythonFacts& python) {
  std::vector<NcclLibrary> found;
  if (!python.nccl_library.empty()) {
    NcclLibrary own{python.nccl_library, {}, {}};
    for (const int major : {11, 12, 13}) {
      const auto package = python.packages.find("nvidia-nccl-cu" + std::to_string(major));
      if (package == python.packages.end()) continue;
      own.version = package->second;
      own.cuda_major = major;
    }
    found.push_back(std::move(own));
  }
  for (const std::string& path : find_libraries(directories, {"libnccl.so.2"})) {
    if (path != python.nccl_library) found.push_back({path, version_behind(path), {}});
  }
  return found;
}

}  // namespace

GpuFacts gpu_facts(const Subject& subject, const PythonFacts& python) {
  const auto directories = library_directories(subject.environment, subject.roots.image);
  GpuFacts facts;
  facts.gpus = subject.hardware.gpus;
  facts.instance_type = subject.job.resources.instance_type;
  facts.required = subject.options.require_gpus;
  facts.workers = subject.workers;
  const bool torch = python.uses_torch && python.torch_cuda;
  facts.cuda = torch ? need_of_torch(python) : need_of_runtime(directories);
  facts.torch_without_cuda = torch && python.torch_cuda->empty();
  facts.python = python.used;
  facts.nccl = nccl_of(directories, python);
  return facts;
}

}  // namespace trainit::check

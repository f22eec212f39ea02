#include "nccl/library.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include <string_view>

#include "base/text.h"
#include "nccl/version.h"

namespace trainit::nccl {

Result<std::shared_ptr<const Library>> Library::load(const std::string& name, int header_version) {
  void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return fail(fmt::format("cannot load NCCL: {}", why != nullptr ? why : name.c_str()));
  }
  std::shared_ptr<Library> library(new Library(handle));
  const std::string path = library->path(name);
  TRAINIT_TRY(library->bind(path));
  int version = 0;
  const ncclResult_t result = library->get_version(&version);
  if (result != ncclSuccess) return library->error("ncclGetVersion", result, nullptr);
  TRAINIT_TRY(check_versions(header_version, version, path));
  return library;
}

Result<void> Library::bind(const std::string& path) {
  const char* missing = nullptr;
  const auto find = [&](auto& pointer, const char* name) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(function(name));
    if (pointer == nullptr) missing = name;
  };
  find(get_version, "ncclGetVersion");
  find(get_unique_id, "ncclGetUniqueId");
  find(init_rank_config, "ncclCommInitRankConfig");
  find(get_async_error, "ncclCommGetAsyncError");
  find(finalize, "ncclCommFinalize");
  find(destroy, "ncclCommDestroy");
  find(abort, "ncclCommAbort");
  find(error_string, "ncclGetErrorString");
  find(last_error, "ncclGetLastError");
  if (missing == nullptr) return {};
  return fail(fmt::format("{} has no {}: NCCL 2.14 or a later 2 is needed", path, missing));
}

void* Library::function(const char* name) const { return ::dlsym(handle_, name); }

/// Where it was found.
std::string Library::path(const std::string& name) const {
  Dl_info info = {};
  void* any = function("ncclGetVersion");
  if (any == nullptr || ::dladdr(any, &info) == 0 || info.dli_fname == nullptr) return name;
  return info.dli_fname;
}

tl::unexpected<Error> Library::error(const char* call, ncclResult_t result, ncclComm_t comm) const {
  const char* kind = error_string(result);
  std::string text = fmt::format("{}: {}", call, kind != nullptr ? kind : "unknown error");
  const char* last = last_error(comm);
  const std::string_view detail = trim(last != nullptr ? last : "");
  if (!detail.empty()) text += fmt::format(": {}", detail);
  return fail(std::move(text));
}

}  // namespace trainit::nccl

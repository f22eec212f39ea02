#pragma once

#include <nccl.h>

#include <memory>
#include <string>

#include "trainit/result.h"

namespace trainit::nccl {

/// NCCL's library, loaded into this process for as long as that lives: its threads stay.
class Library {
 public:
  /// `name` as dlopen takes it. Error: it is not there, cannot be loaded, lacks a function, or does
  /// not fit the header of this version.
  static Result<std::shared_ptr<const Library>> load(const std::string& name, int header_version);

  /// Null: it has none.
  void* function(const char* name) const;
  /// "ncclGetUniqueId: unhandled system error: No usable listening interface found"
  tl::unexpected<Error> error(const char* call, ncclResult_t result, ncclComm_t comm) const;

  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRankConfig) init_rank_config = nullptr;
  decltype(&ncclCommGetAsyncError) get_async_error = nullptr;
  decltype(&ncclCommFinalize) finalize = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;
  decltype(&ncclGetLastError) last_error = nullptr;

 private:
  explicit Library(void* handle) : handle_(handle) {}
  Result<void> bind(const std::string& path);
  std::string path(const std::string& name) const;

  void* handle_;
};

}  // namespace trainit::nccl

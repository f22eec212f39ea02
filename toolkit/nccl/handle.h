#pragma once

#include <nccl.h>

#include <functional>
#include <memory>
#include <string_view>

#include "nccl/library.h"
#include "trainit/result.h"

namespace trainit::nccl {

/// Asked again and again while NCCL works; an error ends the wait.
using GoOn = std::function<Result<void>()>;

/// Owns one ncclComm_t, which does not block. After any error NCCL allows nothing but to abort it.
class Handle {
 public:
  /// Connects rank `rank` of `size`. Error: NCCL's, or that of `go_on`; nothing is left of it then.
  static Result<std::unique_ptr<Handle>> connect(std::shared_ptr<const Library> library,
                                                 const ncclUniqueId& id, int size, int rank,
                                                 const GoOn& go_on);
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  /// Aborts it, unless it was closed.
  ~Handle() { abort(); }

  const Library& library() const { return *library_; }
  ncclComm_t get() const { return comm_; }  ///< null: closed or aborted

  /// Waits until NCCL has done what `call` asked for, which returned `result`.
  Result<void> settle(const char* call, ncclResult_t result, const GoOn& go_on);
  /// Error: one that NCCL has seen since.
  Result<void> check();
  /// Finalizes and destroys it, or aborts it after an error, which it returns.
  Result<void> close(const GoOn& go_on);
  void abort();

 private:
  explicit Handle(std::shared_ptr<const Library> library) : library_(std::move(library)) {}
  Result<void> finalize(const GoOn& go_on);

  std::shared_ptr<const Library> library_;
  ncclComm_t comm_ = nullptr;
  bool failed_ = false;
};

}  // namespace trainit::nccl

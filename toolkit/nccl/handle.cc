#include "nccl/handle.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace trainit::nccl {
namespace {

using namespace std::chrono_literals;

/// Pauses between two looks at what NCCL does in the background: a collective is taken within
/// microseconds, a start takes its hundreds of milliseconds.
constexpr std::chrono::nanoseconds kFirstPause = 10us, kLongestPause = 1ms;

/// A signal ends it, so that who is told to stop notices at once.
void pause_for(std::chrono::nanoseconds time) {
  const timespec span = {0, static_cast<long>(time.count())};
  ::nanosleep(&span, nullptr);
}

tl::unexpected<Error> gone() { return fail("it was closed or aborted before"); }

}  // namespace

Result<std::unique_ptr<Handle>> Handle::connect(std::shared_ptr<const Library> library,
                                                const ncclUniqueId& id, int size, int rank,
                                                const GoOn& go_on) {
  std::unique_ptr<Handle> handle(new Handle(std::move(library)));
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  const ncclResult_t result =
      handle->library_->init_rank_config(&handle->comm_, size, id, rank, &config);
  TRAINIT_TRY(handle->settle("ncclCommInitRankConfig", result, go_on));
  return handle;
}

Result<void> Handle::settle(const char* call, ncclResult_t result, const GoOn& go_on) {
  if (result != ncclInProgress && result != ncclSuccess) {
    failed_ = true;
    return library_->error(call, result, comm_);
  }
  if (comm_ == nullptr) return gone();
  for (auto pause = kFirstPause; result == ncclInProgress;
       pause = std::min(2 * pause, kLongestPause)) {
    const ncclResult_t asked = library_->get_async_error(comm_, &result);
    if (asked != ncclSuccess) result = asked;
    if (result == ncclSuccess) break;
    if (result != ncclInProgress) return settle(call, result, go_on);
    if (auto patient = go_on(); !patient) {
      failed_ = true;
      return patient;
    }
    pause_for(pause);
  }
  return {};
}

Result<void> Handle::check() {
  if (comm_ == nullptr) return gone();
  ncclResult_t state = ncclSuccess;
  const ncclResult_t asked = library_->get_async_error(comm_, &state);
  const ncclResult_t result = asked != ncclSuccess ? asked : state;
  if (result == ncclSuccess || result == ncclInProgress) return {};
  failed_ = true;
  return library_->error("ncclCommGetAsyncError", result, comm_);
}

Result<void> Handle::close(const GoOn& go_on) {
  if (comm_ == nullptr) return {};
  Result<void> finalized = finalize(go_on);
  if (!finalized) {
    abort();
    return finalized;
  }
  // It frees what is here alone, and cannot be asked afterwards how that went.
  library_->destroy(std::exchange(comm_, nullptr));
  return {};
}

Result<void> Handle::finalize(const GoOn& go_on) {
  if (failed_) return fail("it had an error before, and is aborted");
  // A call that is still on its way has to be taken first.
  TRAINIT_TRY(settle("ncclCommGetAsyncError", ncclInProgress, go_on));
  return settle("ncclCommFinalize", library_->finalize(comm_), go_on);
}

void Handle::abort() {
  if (comm_ != nullptr) library_->abort(std::exchange(comm_, nullptr));
}

}  // namespace trainit::nccl

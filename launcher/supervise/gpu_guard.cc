#include "supervise/gpu_guard.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "diagnose/evidence.h"

namespace trainit::supervise {
namespace {

using namespace std::chrono_literals;

/// How long a watch that was sent KILL may take to go. When even that does not end it, the job ends
/// all the same.
constexpr auto kGoes = 500ms;
/// The driver reports what happened to a GPU about when the programs on it fail, and perhaps a
/// moment later.
constexpr auto kFaultComes = 2s;
/// A worker does not fail at once when its GPU has.
constexpr auto kFaultWasThere = 10s;
/// What a worker said last may still be in its pipe, and others may hold that open.
constexpr auto kLastWordsCome = 100ms;

}  // namespace

void GpuGuard::start() {
  if (parts_.watch == nullptr) return;
  const Result<void> started = parts_.watch->start(parts_.loop);
  if (parts_.watch->pid() > 0) parts_.family.exclude(parts_.watch->pid());
  if (started) return;
  parts_.watch->end();
  parts_.log.warning("the GPUs' health is not watched: {}", started.error().message);
}

void GpuGuard::worker_failed(int rank) {
  if (parts_.watch == nullptr) return;
  failed_ranks_.push_back(rank);
  fault_until_ = sys::Clock::now() + kFaultComes;
}

void GpuGuard::workers_ended(bool in_haste) {
  if (parts_.watch == nullptr || parts_.watch->pid() < 0) return;
  if (in_haste || fault_until_ <= sys::Clock::now()) return end();
  fault_timer_ = parts_.loop.after(kLastWordsCome, [this] {
    fault_timer_.reset();
    if (!may_be_a_gpus_fault()) return end();
    fault_timer_ = parts_.loop.at(fault_until_, [this] { end(); });
  });
}

void GpuGuard::look() {
  if (!fault_timer_) return;
  const auto failed_at = fault_until_ - kFaultComes;
  const bool came = parts_.watch->health().hardware_failed_since(failed_at - kFaultWasThere);
  if (came || (parts_.relay.drained() && !may_be_a_gpus_fault())) end();
}

bool GpuGuard::may_be_a_gpus_fault() const {
  return std::any_of(failed_ranks_.begin(), failed_ranks_.end(), [this](int rank) {
    return diagnose::speaks_of_gpu(parts_.relay.tail(rank, logs::Stream::kStderr));
  });
}

void GpuGuard::end() {
  if (fault_timer_) parts_.loop.cancel(*fault_timer_);
  fault_timer_.reset();
  if (parts_.watch->pid() < 0 || gone_timer_) return;
  if (const auto silent = parts_.watch->silence()) {
    parts_.log.warning(
        "the GPUs' health was not watched for the last {}: the driver did not answer",
        human_seconds(sys::in_seconds(*silent)));
  }
  parts_.watch->end();
  gone_timer_ = parts_.loop.after(kGoes, [this] {
    gone_timer_.reset();
    gone_();
  });
}

void GpuGuard::on_ended(const sys::ExitStatus& status, bool with_all) {
  parts_.family.forget(parts_.watch->pid());
  // Where there is no /proc our own signals for what is left reach everybody.
  const auto wrong = parts_.watch->forget(status, with_all);
  if (wrong) parts_.log.warning("the GPUs' health is not watched any more: {}", *wrong);
  cancel_timers();
}

void GpuGuard::leave() {
  wait_no_longer();
  cancel_timers();
}

void GpuGuard::cancel_timers() {
  if (fault_timer_) parts_.loop.cancel(*fault_timer_);
  if (gone_timer_) parts_.loop.cancel(*gone_timer_);
  fault_timer_.reset();
  gone_timer_.reset();
}

}  // namespace trainit::supervise

#include "supervise/store_guard.h"

#include <chrono>
#include <utility>

namespace trainit::supervise {
namespace {

using namespace std::chrono_literals;

/// How long a store that was sent KILL may take to go. When even that does not end it, the job ends
/// all the same.
constexpr auto kGoes = 500ms;

}  // namespace

Result<void> StoreGuard::start(StoreProcess::Callbacks callbacks) {
  if (parts_.store == nullptr) return {};
  TRAINIT_TRY(parts_.store->start(parts_.loop, std::move(callbacks)));
  parts_.family.exclude(parts_.store->pid());
  return {};
}

void StoreGuard::retire() {
  if (parts_.store == nullptr || parts_.store->pid() < 0) return;
  if (parts_.last_round) {
    parts_.store->retire();
  } else {
    parts_.store->end();
  }
  gone_timer_ = parts_.loop.after(kGoes, [this] {
    gone_timer_.reset();
    gone_();
  });
}

void StoreGuard::wait_no_longer() {
  if (gone_timer_) parts_.loop.cancel(*gone_timer_);
  gone_timer_.reset();
}

bool StoreGuard::on_ended(const sys::ExitStatus& status) {
  parts_.family.forget(parts_.store->pid());
  parts_.store->forget();
  const bool told_to = is_awaited();
  wait_no_longer();
  if (told_to) return false;
  Json::Object fields{{"status", Json(sys::describe(status))}};
  report::add_status(status, fields);
  parts_.record.write("store", fields);
  return true;
}

}  // namespace trainit::supervise

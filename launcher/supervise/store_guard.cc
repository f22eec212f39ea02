#include "supervise/store_guard.h"

#include <sys/epoll.h>

#include <chrono>
#include <utility>

#include "sys/process_tree.h"

namespace trainit::supervise {
namespace {

using namespace std::chrono_literals;

/// How long a store that was sent KILL may take to go. When even that does not end it, the job ends
/// all the same.
constexpr auto kGoes = 500ms;

/// Where the kernel has no process or pipe left, others may end soon.
constexpr auto kTryAgain = 500ms;
constexpr int kTries = 20;

}  // namespace

StoreGuard::~StoreGuard() {
  leave_listener();
  wait_no_longer();
}

Result<void> StoreGuard::open() {
  if (parts_.store == nullptr) return {};
  for (const sys::UniqueFd& socket : parts_.store->listener().sockets())
    TRAINIT_TRY(parts_.loop.watch(socket.borrow(), EPOLLIN, [this](std::uint32_t) { start(); }));
  return {};
}

void StoreGuard::start() {
  leave_listener();
  const Result<void> started = parts_.store->start(parts_.loop, callbacks_.of_store);
  if (!started) return try_again(started.error());
  parts_.family.exclude(parts_.store->pid());
}

/// Who has connected waits meanwhile.
void StoreGuard::try_again(const Error& why) {
  ++tries_;
  if (tries_ == 1) callbacks_.of_store.complain(why.message + "; the workers wait for it");
  if (tries_ == kTries) return callbacks_.unstarted(sys::ExitStatus::exited(1));
  start_timer_ = parts_.loop.after(kTryAgain, [this] { start(); });
}

void StoreGuard::leave_listener() {
  if (parts_.store == nullptr) return;
  for (const sys::UniqueFd& socket : parts_.store->listener().sockets())
    parts_.loop.unwatch(socket.borrow());
  if (start_timer_) parts_.loop.cancel(*start_timer_);
  start_timer_.reset();
}

void StoreGuard::retire() {
  if (parts_.store == nullptr) return;
  leave_listener();
  // Who loses it may be seen to end before it, which is still on its way.
  died_first_ = parts_.store->pid() > 0 && sys::is_ending(parts_.store->pid());
  if (parts_.last_round) {
    parts_.store->retire();
  } else {
    parts_.store->end();
  }
  if (parts_.store->pid() < 0) return;
  gone_timer_ = parts_.loop.after(kGoes, [this] {
    gone_timer_.reset();
    callbacks_.gone();
  });
}

void StoreGuard::wait_no_longer() {
  if (gone_timer_) parts_.loop.cancel(*gone_timer_);
  gone_timer_.reset();
}

bool StoreGuard::on_ended(const sys::ExitStatus& status) {
  parts_.family.forget(parts_.store->pid());
  parts_.store->forget();
  const bool told_to = is_awaited() && !died_first_;
  wait_no_longer();
  if (told_to) return false;
  Json::Object fields{{"status", Json(sys::describe(status))}};
  report::add_status(status, fields);
  parts_.record.write("store", fields);
  return true;
}

}  // namespace trainit::supervise

#include "supervise/supervisor.h"

#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::supervise {
namespace {

using namespace std::chrono_literals;

/// When the kernel did not tell what we have to know: the next try, and how many until others need
/// not wait for it.
constexpr sys::Duration kLookAgain = 20ms;
constexpr int kLooks = 25;

/// The others are to be stopped within 5 ms.
constexpr sys::Duration kCatchUp = 2ms;

Limits limits_of(const LaunchPlan& plan) {
  Limits limits;
  limits.stop_leaders = plan.stop.leaders;
  limits.stop_groups = plan.stop.groups;
  limits.failure_grace = plan.failure_grace;
  limits.linger = plan.linger;
  limits.sweep = plan.sweep;
  limits.stop_kill = plan.stop.kill;
  limits.stop_drain = plan.stop.drain;
  return limits;
}

std::string worker_text(long count) {
  return fmt::format("{} worker{}", count, count == 1 ? "" : "s");
}

}  // namespace

Supervisor::Supervisor(const LaunchPlan& plan, Parts parts)
    : plan_(plan),
      parts_(parts),
      machine_(static_cast<int>(plan.workers.size()), limits_of(plan)),
      workers_(plan.workers.size()),
      family_(workers_, parts.log),
      attendance_(plan, {.loop = parts.loop,
                         .record = parts.record,
                         .log = parts.log,
                         .has_store = parts.store != nullptr,
                         .worker_behind = [this](pid_t process) { return worker_behind(process); },
                         .is_stopping = [this] { return machine_.end().stop_at.has_value(); },
                         .peers = parts.peers.attendance}),
      store_guard_({parts.store, parts.loop, parts.record, family_, parts.last_round},
                   {.of_store = reports_of_store(),
                    .gone = [this] { reap(); },
                    .unstarted = [this](const auto& status) { on_store_ended(status); }}),
      gpu_guard_({parts.gpu_watch, parts.loop, parts.relay, family_, parts.log},
                 [this] { reap(); }) {}

StoreProcess::Callbacks Supervisor::reports_of_store() {
  return {.joined = [this](const auto& from, pid_t process) { attendance_.joined(from, process); },
          .joined_nameless = [this](int at_once) { attendance_.joined_nameless(at_once); },
          .complain = [this](std::string_view what) { parts_.log.warning("{}", what); }};
}

Result<void> Supervisor::prepare() {
  family_.begin();
  signal_fd_ = TRAINIT_TRY(sys::open_signal_fd());
  TRAINIT_TRY(
      parts_.loop.watch(signal_fd_.borrow(), EPOLLIN, [this](std::uint32_t) { read_signals(); }));
  null_ = sys::open_nothing();
  directory_ = sys::working_directory();
  terminal_.look();
  sys::raise_open_files();  // each worker takes three
  warn_of_caller();
  oom_kills_before_ = count_oom_kills();
  return store_guard_.open();
}

std::optional<std::int64_t> Supervisor::count_oom_kills() const {
  return parts_.groups == nullptr ? std::nullopt : sys::count_oom_kills(*parts_.groups);
}

std::optional<std::int64_t> Supervisor::oom_kills() const {
  const auto now = count_oom_kills();
  if (!now || !oom_kills_before_) return std::nullopt;
  return *now - *oom_kills_before_;
}

/// What the workers inherit from a caller with odd habits. We are not hurt: take_over_signals.
void Supervisor::warn_of_caller() const {
  const sys::InheritedSignals& inherited = parts_.inheritance.signals;
  for (const int signal : {SIGTERM, SIGCHLD}) {
    const bool ignored = sigismember(&inherited.ignored, signal) == 1;
    if (!ignored && sigismember(&inherited.mask, signal) != 1) continue;
    parts_.log.warning("the caller of trainit {} {}, and the workers inherit that: {}",
                       ignored ? "ignores" : "blocks", sys::signal_name(signal),
                       signal == SIGTERM
                           ? "one that does not change it will end only by SIGKILL"
                           : "one that does not change it may not notice when its children end");
  }
}

Result<JobEnd> Supervisor::run() {
  TRAINIT_TRY(prepare());
  started_at_ = sys::Clock::now();
  post(event::Agreed{});
  handle_events();
  attendance_.begin();
  if (parts_.last_round) leave_to_workers();
  if (!machine_.finished()) gpu_guard_.start();
  reap();  // a child that our caller left may have ended before the signalfd was there
  while (!machine_.finished()) {
    handle_events();
    gpu_guard_.look();
    if (!machine_.finished()) parts_.loop.run_once();
  }
  gpu_guard_.leave();
  ended_ = true;
  if (!has_peers()) parts_.loop.unwatch(signal_fd_.borrow());
  if (reap_timer_) parts_.loop.cancel(*reap_timer_);
  store_guard_.wait_no_longer();
  attendance_.wait_no_longer();
  if (!has_peers()) attendance_.end();
  return end_of_machine();
}

/// A stop that came with the last event of a job is one of it all the same.
JobEnd Supervisor::end_of_machine() const {
  JobEnd end = machine_.end();
  if (!stop_came() || end.stop_signal != 0) return end;
  end.stop_signal = stop_signal_;
  end.stop_asked_at = stop_came_at_;
  return end;
}

/// What our caller gave us for them.
void Supervisor::leave_to_workers() {
  parts_.inheritance.descriptors.clear();
  [[maybe_unused]] const int moved =
      posix::chdir("/");  // ours would keep a file system from being unmounted
}

void Supervisor::stop_for_peers(StopReason reason, int signal) {
  post(event::PeersStop{reason, signal});
}

/// What is left of the time until we are killed goes to the failure file.
void Supervisor::hurry_in_time() {
  constexpr auto kForTheFile = 150ms;
  if (hurry_timer_ || !stop_came_at_) return;
  hurry_timer_ = parts_.loop.at(*stop_came_at_ + plan_.stop.total - kForTheFile, [this] {
    hurry_timer_.reset();
    parts_.peers.hurry();
  });
}

void Supervisor::attend_peers(const std::function<bool()>& done) {
  if (lost_store_) parts_.peers.lost_store(*lost_store_);
  if (stop_came() && machine_.end().stop_signal == 0)
    parts_.peers.tell(StopReason::kPlatform, stop_signal_, {});
  hurry_in_time();
  while (!done()) {
    events_.clear();  // the machine has finished
    parts_.loop.run_once();
  }
  parts_.peers.lost_store = [](const sys::ExitStatus&) {};  // the outcome is known by now
  store_guard_.retire();
  while (store_guard_.is_awaited()) parts_.loop.run_once();
  attendance_.end();
  if (hurry_timer_) parts_.loop.cancel(*hurry_timer_);
  if (reap_timer_) parts_.loop.cancel(*reap_timer_);
  parts_.loop.unwatch(signal_fd_.borrow());
}

void Supervisor::handle_events() {
  look_for_drained_output();
  while (!events_.empty()) {
    const Event event = events_.front();
    events_.pop_front();
    for (const Action& action : machine_.on(event, sys::Clock::now())) {
      std::visit([this](const auto& what) { perform(what); }, action);
    }
  }
}

sys::SpawnRequest Supervisor::request_for(const WorkerSpec& spec,
                                          const logs::WorkerPipes& pipes) const {
  sys::SpawnRequest request;
  request.executable = spec.executable;
  request.argv = spec.argv;
  request.environment = spec.environment.to_strings();
  request.directory = spec.directory;
  request.user = plan_.user;
  request.cpus = spec.cpus;
  // As PID 1 our death takes the namespace along; elsewhere the workers must not outlive us.
  request.death_signal = ::getpid() == 1 ? 0 : SIGKILL;
  request.open_files = parts_.inheritance.open_files;
  request.foreground = has_our_stdin(spec.stdio) && terminal_.ours_to_give();
  if (!has_our_stdin(spec.stdio)) request.stdin_fd = null_.get();
  if (is_relayed(spec.stdio)) {
    request.stdout_fd = pipes.stdout_writer.get();
    request.stderr_fd = pipes.stderr_writer.get();
  }
  return request;
}

void Supervisor::perform(const action::Spawn& action) {
  const WorkerSpec& spec = plan_.workers[static_cast<std::size_t>(action.worker)];
  WorkerProcess& worker = workers_[static_cast<std::size_t>(action.worker)];
  const auto failed = [&](const sys::SpawnError& error, const sys::SpawnRequest& request) {
    worker.spawn_text = sys::describe(error, request);
    post(event::SpawnFailed{action.worker, error});
  };
  logs::WorkerPipes pipes;
  if (is_relayed(spec.stdio)) {
    auto made = logs::make_worker_pipes(plan_.user);
    if (!made) return failed(made.error(), request_for(spec, pipes));
    pipes = std::move(*made);
  }
  const sys::SpawnRequest request = request_for(spec, pipes);
  auto child = sys::spawn(request, parts_.inheritance.signals);
  if (!child) return failed(child.error(), request);
  worker.pid = worker.last_pid = child->pid;
  worker.exec_result = std::move(child->exec_result);
  if (is_relayed(spec.stdio)) parts_.relay.add_worker(spec.rank, std::move(pipes));
  parts_.record.write("spawned",
                      {{"rank", Json(spec.rank)}, {"pid", Json(static_cast<int>(child->pid))}});
  post(event::Spawned{action.worker});
}

/// Whose end stops the workers; empty: no one's.
std::string Supervisor::who_failed() const {
  const JobEnd& end = machine_.end();
  if (end.elsewhere) return {};
  if (end.store && end.reason != StopReason::kWorkerFailed) {
    return fmt::format("the rendezvous store {} after {}", sys::describe(*end.store),
                       human_seconds(sys::in_seconds(sys::Clock::now() - started_at_)));
  }
  if (end.reason != StopReason::kWorkerFailed && end.reason != StopReason::kNone) return {};
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    const WorkerEnd& worker = end.workers[index];
    if (!worker.status || (worker.status->success() && !worker.spawn_error)) continue;
    const int rank = plan_.workers[index].rank;
    if (workers_[index].last_pid < 0) return fmt::format("rank {} could not be started", rank);
    return fmt::format("rank {} (pid {}) {} after {}", rank, workers_[index].last_pid,
                       sys::describe(*worker.status),
                       human_seconds(sys::in_seconds(worker.ended_at - worker.started_at)));
  }
  return {};
}

void Supervisor::perform(const action::SignalLeaders& action) {
  leaders_signalled_ = true;
  for (const WorkerProcess& worker : workers_) {
    family_.signal_leader(worker, action.signal);
    // A stopped process would not see the signal. Continued before, it might stop again before it
    // comes; and that it runs may be wrong by the time that we know it, so all are continued. Who
    // runs ignores that, unless it has a handler.
    family_.signal_leader(worker, SIGCONT);
  }
  if (suspended_) resume();  // they may need their children for a checkpoint
  if (const std::string who = who_failed(); !who.empty()) {
    const bool store = machine_.end().reason == StopReason::kStoreEnded;
    parts_.log.info("{}: stopping the {}", who, store ? "workers" : "others");
  }
  parts_.record.write("stop",
                      {{"signal", Json(sys::signal_name(action.signal))}, {"to", Json("workers")}});
}

void Supervisor::perform(const action::SignalGroups& action) {
  gpu_guard_.wait_no_longer();  // who is that late to end has been waited for
  parts_.log.warning("{} still running: {} for process groups", worker_text(live_workers()),
                     sys::signal_name(action.signal));
  parts_.record.write("stop",
                      {{"signal", Json(sys::signal_name(action.signal))}, {"to", Json("groups")}});
  family_.end_groups(action.signal);
}

void Supervisor::perform(const action::SignalTree& action) {
  gpu_guard_.wait_no_longer();
  const auto left = family_.members();
  const std::size_t count = left ? left->size() : 0;
  if (std::exchange(tree_signal_, action.signal) != action.signal) {
    if (!left || count > 0) {
      parts_.log.info("{} for what is left{}", sys::signal_name(action.signal),
                      left ? fmt::format(": {} process{}", count, count == 1 ? "" : "es") : "");
    }
    parts_.record.write("stop", {{"signal", Json(sys::signal_name(action.signal))},
                                 {"to", Json("tree")},
                                 {"processes", Json(count)}});
  }
  family_.end_all(left, action.signal);
}

void Supervisor::perform(const action::ArmTimer& action) {
  perform(action::CancelTimer{});
  timer_ = parts_.loop.after(action.delay, [this, timer = action.timer] {
    timer_.reset();
    post(event::TimerFired{timer});
  });
}

void Supervisor::perform(const action::CancelTimer&) {
  if (timer_) parts_.loop.cancel(*timer_);
  timer_.reset();
}

void Supervisor::perform(const action::TellPeers& action) {
  if (!has_peers()) return;
  parts_.peers.tell(action.reason, machine_.end().stop_signal, who_failed());
}

void Supervisor::perform(const action::EndHelpers&) {
  gpu_guard_.workers_ended(stop_came());
  // The other hosts' workers may need it longer than ours.
  if (!has_peers()) store_guard_.retire();
}

void Supervisor::perform(const action::AwaitEmptyTree&) {
  awaits_empty_tree_ = true;
  looks_before_answer_ = kLooks;
  reap();
}

/// An answer that is not known yet may be late, but not for ever: the machine waits for it. A store
/// that was sent KILL is awaited first, and so is who watched the GPUs: without /proc nobody could
/// tell them from what outlived the workers, and whoever adopted them might leave them zombies.
void Supervisor::look_for_empty_tree(sys::ReapResult reaped) {
  if (!awaits_empty_tree_ || store_guard_.is_awaited() || gpu_guard_.is_awaited()) return;
  const std::optional<bool> empty = family_.is_empty(reaped);
  if (empty.value_or(false)) {
    awaits_empty_tree_ = false;
    return post(event::TreeEmpty{});
  }
  if (!empty) reap_again();
  if (looks_before_answer_ == 0) return;
  looks_before_answer_ = empty ? 0 : looks_before_answer_ - 1;
  if (looks_before_answer_ > 0) return;
  post(event::TreeNotEmpty{});
}

void Supervisor::perform(const action::AwaitDrain&) {
  awaits_drain_ = true;
  look_for_drained_output();
}

void Supervisor::look_for_drained_output() {
  if (!awaits_drain_ || !parts_.relay.drained()) return;
  awaits_drain_ = false;
  post(event::OutputDrained{});
}

void Supervisor::perform(const action::Finish&) {
  if (machine_.end().output_cut) parts_.relay.cut();
  if (machine_.end().stuck_after) stuck_ = family_.stuck();
}

void Supervisor::read_signals() {
  while (const auto signal = sys::take_signal()) on_signal(signal->number, signal->sender);
}

void Supervisor::on_signal(int signal, pid_t sender) {
  const int meant = plan_.signals.rewrite(signal);
  switch (plan_.signals.fate(meant)) {
    case SignalFate::kReap:
      return on_child();
    case SignalFate::kStop:
      return stop(meant, sender);
    case SignalFate::kForward:
      return forward(meant);
    case SignalFate::kSuspend:
      return suspend();
    case SignalFate::kNothing:
      return;
  }
}

long Supervisor::live_workers() const {
  return std::count_if(workers_.begin(), workers_.end(),
                       [](const WorkerProcess& worker) { return worker.pid > 0; });
}

void Supervisor::stop(int signal, pid_t sender) {
  const bool again = stop_came();
  if (!again) stop_signal_ = signal;
  if (!again) stop_came_at_ = sys::Clock::now();
  const long live = live_workers();
  const std::string then = live == 0 ? "no worker runs any more, and the job is ending"
                           : again   ? "no more waiting for " + worker_text(live)
                                     : "stopping " + worker_text(live);
  parts_.log.info("{} came{}: {}", sys::signal_name(signal), again ? " again" : "", then);
  parts_.record.write("signal", {{"signal", Json(sys::signal_name(signal))},
                                 {"sender", Json(static_cast<int>(sender))}});
  if (ended_ && again) return parts_.peers.hurry();
  if (ended_) {
    parts_.peers.tell(StopReason::kPlatform, signal, {});
    return hurry_in_time();
  }
  post(event::StopRequested{signal});
}

void Supervisor::forward(int signal) {
  parts_.log.debug("{} forwarded to the workers", sys::signal_name(signal));
  parts_.record.write("signal",
                      {{"signal", Json(sys::signal_name(signal))}, {"to", Json("workers")}});
  for (const WorkerProcess& worker : workers_) family_.signal_leader(worker, signal);
  if (signal == SIGCONT && suspended_) resume();
}

void Supervisor::on_child() {
  reap();
  if (terminal_.ours_to_give() && has_our_stdin(plan_.workers[0].stdio)) follow_suspended_worker();
}

/// Ctrl-Z reached the worker alone, because it leads the terminal's foreground group. The shell
/// that started us waits for us, not for it.
void Supervisor::follow_suspended_worker() {
  const pid_t pid = workers_[0].pid;
  const auto signal = pid > 0 ? sys::take_stopped(pid) : std::nullopt;
  if (!signal) return;
  const bool wants_terminal = *signal == SIGTTIN || *signal == SIGTTOU;
  // A shell gives the terminal to our group, which it knows, also after we have given it on: `fg`
  // of a job that runs, and one that is late when it starts us.
  if (wants_terminal && terminal_.give_to(pid)) return family_.send(-pid, SIGCONT);
  suspended_ = true;
  terminal_.take_back_from(pid);
  if (Terminal::suspend_ourselves(wants_terminal ? *signal : SIGTSTP)) return resume();
  terminal_.give_to(pid);
  parts_.log.info("the worker is stopped; SIGCONT to process {} continues it", ::getpid());
}

/// Ctrl-Z reached us: the workers are in groups of their own.
void Supervisor::suspend() {
  suspended_ = true;
  parts_.log.info("SIGTSTP came: {} stopped until SIGCONT comes", worker_text(live_workers()));
  parts_.record.write("signal", {{"signal", Json("SIGTSTP")}, {"to", Json("workers")}});
  for (const WorkerProcess& worker : workers_) {
    if (worker.pid > 0) family_.send(-worker.pid, SIGTSTP);
  }
  if (Terminal::suspend_ourselves(SIGTSTP)) resume();
}

void Supervisor::resume() {
  suspended_ = false;
  for (const WorkerProcess& worker : workers_) {
    if (worker.pid <= 0) continue;
    if (has_our_stdin(plan_.workers[0].stdio)) terminal_.give_to(worker.pid);
    family_.send(-worker.pid, SIGCONT);
  }
}

void Supervisor::reap() {
  sys::Reaped reaped;
  sys::ReapResult result;
  std::optional<sys::ExitStatus> store, gpu_watch;
  while ((result = sys::reap_one(reaped)) == sys::ReapResult::kReaped) {
    if (store_guard_.is(reaped.pid)) {
      store = reaped.status;
    } else if (gpu_guard_.is(reaped.pid)) {
      gpu_watch = reaped.status;
    } else {
      on_reaped(reaped);
    }
  }
  // Workers that ended at the same time did not miss it.
  if (store) on_store_ended(*store);
  if (gpu_watch) gpu_guard_.on_ended(*gpu_watch, tree_signal_ != 0);
  if (result == sys::ReapResult::kFailed) reap_again();
  look_for_empty_tree(result);
}

/// The signal that told us of an end has been taken, and no other may come.
void Supervisor::reap_again() {
  if (reap_timer_) return;
  reap_timer_ = parts_.loop.after(kLookAgain, [this] {
    reap_timer_.reset();
    reap();
  });
}

/// The worker that a process is, or that has started it; -1: none of ours.
int Supervisor::worker_behind(pid_t process) const {
  constexpr int kMostGenerations = 16;
  pid_t pid = process;
  for (int generation = 0; generation < kMostGenerations && pid > 1; ++generation) {
    for (std::size_t index = 0; index < workers_.size(); ++index) {
      if (workers_[index].last_pid == pid) return static_cast<int>(index);
    }
    pid = sys::parent_of(pid);
  }
  return -1;
}

void Supervisor::on_store_ended(const sys::ExitStatus& status) {
  if (!store_guard_.on_ended(status)) return;
  if (machine_.end().leaders_down_at) {
    lost_store_ = status;
    if (ended_ && has_peers()) parts_.peers.lost_store(status);
  }
  post(event::StoreEnded{status});
}

void Supervisor::on_reaped(const sys::Reaped& reaped) {
  const int index = index_of(reaped.pid);
  if (index < 0) {  // an orphan
    family_.forget(reaped.pid);
    return;
  }
  WorkerProcess& worker = workers_[static_cast<std::size_t>(index)];
  const WorkerSpec& spec = plan_.workers[static_cast<std::size_t>(index)];
  worker.pid = -1;
  worker.max_memory_kib = reaped.max_memory_kib;
  if (has_our_stdin(spec.stdio)) terminal_.take_back_from(reaped.pid);
  if (const auto error = sys::read_exec_result(worker.exec_result.borrow())) {
    sys::SpawnRequest request = request_for(spec, {});
    if (request.directory.empty()) request.directory = directory_;  // which we have left
    worker.spawn_text = sys::describe(*error, request);
    post(event::SpawnFailed{index, *error});
  }
  worker.exec_result.reset();
  Json::Object fields{{"rank", Json(spec.rank)}, {"status", Json(sys::describe(reaped.status))}};
  report::add_status(reaped.status, fields);
  fields.push_back({"max_memory_kib", Json(static_cast<std::int64_t>(reaped.max_memory_kib))});
  parts_.record.write("ended", fields);
  if (!reaped.status.success() && !leaders_signalled_) {
    gpu_guard_.worker_failed(spec.rank);
    // Others are stopped in a moment, and what they have said by now is no consequence of that.
    parts_.relay.catch_up(kCatchUp);
  }
  post(event::Exited{index, reaped.status, leaders_signalled_});
}

int Supervisor::index_of(pid_t pid) const {
  const auto found = std::find_if(workers_.begin(), workers_.end(),
                                  [&](const WorkerProcess& worker) { return worker.pid == pid; });
  return found == workers_.end() ? -1 : static_cast<int>(found - workers_.begin());
}

}  // namespace trainit::supervise

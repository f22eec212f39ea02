#include "supervise/job_machine.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "job_actions.h"

using namespace trainit;
using namespace trainit::supervise;
using namespace std::chrono_literals;
using sys::ExitStatus;
using sys::SpawnError;
using sys::SpawnStage;

namespace {

Limits limits() {
  Limits limits = {};
  limits.stop_leaders = 7500ms;
  limits.stop_groups = 1250ms;
  limits.failure_grace = 20s;
  limits.linger = 5s;
  return limits;
}

/// A machine and its clock. Each call tells it what has happened and gives what it wants done.
class Job {
 public:
  explicit Job(int workers, Limits with = limits()) : machine_(workers, with) {}

  std::string on(const Event& event) {
    const std::string actions = supervise::testing::names_of(machine_.on(event, now_));
    signalled_ = signalled_ || actions.starts_with("leaders SIG");
    return actions;
  }
  std::string agreed() { return on(event::Agreed{}); }
  std::string spawned(int worker) { return on(event::Spawned{worker}); }
  std::string exited(int worker, int code) {
    return on(event::Exited{worker, ExitStatus::exited(code), signalled_});
  }
  std::string killed(int worker, int signal) {
    return on(event::Exited{worker, ExitStatus::killed(signal), signalled_});
  }
  std::string failed(int worker, SpawnStage stage, int errno_value) {
    return on(event::SpawnFailed{worker, SpawnError{stage, errno_value}});
  }
  std::string stop(int signal = SIGTERM) { return on(event::StopRequested{signal}); }
  std::string store_killed(int signal) { return on(event::StoreEnded{ExitStatus::killed(signal)}); }
  std::string peers(StopReason reason, int signal = 0) {
    return on(event::PeersStop{reason, signal});
  }
  std::string fired(Timer timer) { return on(event::TimerFired{timer}); }
  std::string tree_empty() { return on(event::TreeEmpty{}); }
  std::string tree_not_empty() { return on(event::TreeNotEmpty{}); }
  std::string drained() { return on(event::OutputDrained{}); }

  /// Brings it to the point where all workers run.
  Job& run() {
    agreed();
    for (std::size_t index = 0; index < end().workers.size(); ++index)
      spawned(static_cast<int>(index));
    return *this;
  }
  Job& after(sys::Duration time) {
    now_ += time;
    return *this;
  }
  const JobEnd& end() const { return machine_.end(); }
  bool finished() const { return machine_.finished(); }
  sys::TimePoint now() const { return now_; }

 private:
  bool signalled_ = false;  ///< the leaders were
  sys::TimePoint now_ = sys::TimePoint(1h);
  JobMachine machine_;
};

const std::string kAllDown = "end helpers, tree?";
const std::string kTellFailed = ", tell peers: worker failed";
const std::string kTellPlatform = ", tell peers: platform";
const std::string kStopped = "leaders SIGTERM, leaders timer 20000" + kTellFailed;
const std::string kDrain = "drain timer 500, drain?";

}  // namespace

TEST_CASE("without a stop KILL has 5 s, and the output half a second") {
  CHECK(Limits{}.kill == 5s);
  CHECK(Limits{}.drain == 500ms);
}

TEST_CASE("workers are started one after the other, in order of rank") {
  Job job(3);
  CHECK(job.agreed() == "spawn 0");
  CHECK(job.spawned(0) == "spawn 1");
  CHECK(job.after(1ms).spawned(1) == "spawn 2");
  CHECK(job.spawned(2) == "");
  CHECK(job.end().workers[1].started_at == job.now());
}

TEST_CASE("a job whose workers all end with 0 waits for nothing and is a success") {
  Job job(2);
  job.run();
  CHECK(job.exited(1, 0) == "");
  CHECK(job.exited(0, 0) == kAllDown);
  CHECK(job.tree_empty() == kDrain);
  CHECK_FALSE(job.finished());
  CHECK(job.drained() == "no timer, finish");
  CHECK(job.finished());
  CHECK(job.end().success());
  CHECK(job.end().reason == StopReason::kNone);
  CHECK_FALSE(job.end().survivors);
}

TEST_CASE("a worker that ends with 0 leaves the others going") {
  Job job(3);
  job.run();
  CHECK(job.exited(0, 0) == "");
  CHECK(job.after(1h).exited(2, 0) == "");
  CHECK_FALSE(job.end().stop_at);
}

TEST_CASE("what outlives the workers is asked to end, and killed after its linger time") {
  Job job(1);
  job.run();
  CHECK(job.exited(0, 0) == kAllDown);
  CHECK(job.tree_not_empty() == "tree SIGTERM, linger timer 5000");
  CHECK(job.after(5s).fired(Timer::kLinger) == "tree SIGKILL, kill timer 100");
  CHECK(job.after(100ms).fired(Timer::kKill) == "tree SIGKILL, kill timer 100");
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.drained() == "no timer, finish");
  CHECK(job.end().success());
  CHECK(job.end().survivors);
}

TEST_CASE("what outlives the workers may end by itself while it lingers") {
  Job job(1);
  job.run();
  job.exited(0, 0);
  job.tree_not_empty();
  CHECK(job.after(1s).tree_empty() == kDrain);
}

TEST_CASE("without a sweep what outlives the workers is left alone") {
  Limits leave = limits();
  leave.sweep = false;
  Job job(1, leave);
  job.run();
  CHECK(job.exited(0, 3) == "end helpers, " + kDrain + kTellFailed);
  CHECK(job.after(500ms).fired(Timer::kDrain) == "finish");
  CHECK(job.end().output_cut);
}

TEST_CASE("without a sweep a stop ends the whole tree all the same") {
  Limits leave = limits();
  leave.sweep = false;
  Job job(1, leave);
  job.run();
  job.stop();
  CHECK(job.killed(0, SIGTERM) == kAllDown);
  CHECK(job.tree_not_empty() == "tree SIGTERM, groups timer 1250");
}

TEST_CASE("a failing worker stops the others: leaders, grace, groups, kill") {
  Job job(3);
  job.run();
  CHECK(job.after(1s).exited(1, 7) == kStopped);
  const sys::TimePoint stop_at = job.now();
  CHECK(job.killed(0, SIGTERM) == "");
  CHECK(job.after(20s).fired(Timer::kLeaders) == "groups SIGTERM, groups timer 1250");
  CHECK(job.after(1250ms).fired(Timer::kGroups) == "tree SIGKILL, kill timer 100");
  CHECK(job.after(1ms).killed(2, SIGKILL) == kAllDown);
  CHECK(job.end().leaders_down_at == job.now());
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.drained() == "no timer, finish");
  CHECK_FALSE(job.end().success());
  CHECK(job.end().reason == StopReason::kWorkerFailed);
  CHECK(job.end().stop_at == stop_at);
  CHECK(job.end().stop_signal == 0);
  CHECK_FALSE(job.end().workers[1].told_to_stop);
  CHECK(job.end().workers[0].told_to_stop);
  CHECK(job.end().workers[2].told_to_stop);
  CHECK_FALSE(job.end().may_have_killed(job.end().workers[0]));
  CHECK(job.end().may_have_killed(job.end().workers[2]));
}

TEST_CASE("a second failure during the stop changes nothing") {
  Job job(3);
  job.run();
  job.exited(1, 7);
  CHECK(job.exited(0, 1) == "");
  CHECK(job.end().workers[0].told_to_stop);
}

TEST_CASE("a worker that was found dead together with the one that stops the job was not told to") {
  Job job(3);
  job.run();
  job.exited(0, 1);
  CHECK(job.on(event::Exited{1, ExitStatus::killed(SIGKILL), false}) == "");
  CHECK_FALSE(job.end().workers[0].told_to_stop);
  CHECK_FALSE(job.end().workers[1].told_to_stop);
}

TEST_CASE("a worker that ended between a stop signal and our own counts as told to stop") {
  Job job(2);
  job.run();
  job.stop();
  job.on(event::Exited{0, ExitStatus::killed(SIGTERM), false});
  CHECK(job.end().workers[0].told_to_stop);
}

TEST_CASE("the last worker that fails is a natural end: nobody is left to be stopped") {
  Job job(2);
  job.run();
  CHECK(job.exited(0, 0) == "");
  CHECK(job.exited(1, 1) == kAllDown + kTellFailed);
  CHECK(job.tree_not_empty() == "tree SIGTERM, linger timer 5000");
  CHECK(job.end().reason == StopReason::kNone);
  CHECK_FALSE(job.end().stop_at);
  job.tree_empty();
  job.drained();
  CHECK_FALSE(job.end().success());
}

TEST_CASE("a stop signal reaches the leaders as it came, and they get the budget's time") {
  Job job(2);
  job.run();
  CHECK(job.stop(SIGINT) == "leaders SIGINT, leaders timer 7500" + kTellPlatform);
  CHECK(job.exited(0, 0) == "");
  CHECK(job.exited(1, 0) == kAllDown);
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.drained() == "no timer, finish");
  CHECK(job.end().success());
  CHECK(job.end().reason == StopReason::kPlatform);
  CHECK(job.end().stop_signal == SIGINT);
}

TEST_CASE("the time of a checkpoint is what the last worker took, be others without one") {
  Job job(2);
  job.run();
  job.after(1s).stop();
  job.killed(0, SIGTERM);
  job.after(3s).exited(1, 0);
  CHECK(job.end().checkpoint_time() == 3s);
  job.after(1s).tree_not_empty();
  job.tree_empty();
  job.drained();
  CHECK(job.end().checkpoint_time() == 3s);
}

TEST_CASE("workers that the stop signal ended took no checkpoint") {
  Job job(2);
  job.run();
  job.stop();
  job.killed(0, SIGTERM);
  job.after(1ms).killed(1, SIGTERM);
  CHECK_FALSE(job.end().checkpoint_time());
}

TEST_CASE("workers that had to be told more than once took no checkpoint") {
  Job job(1);
  job.run();
  job.stop();
  job.after(1s).stop();
  job.after(1s).exited(0, 0);
  CHECK_FALSE(job.end().checkpoint_time());
}

TEST_CASE("without a stop signal to the workers there is no time of a checkpoint") {
  Job failed(2), ended(1);
  failed.run();
  failed.exited(0, 1);
  failed.exited(1, 0);
  CHECK_FALSE(failed.end().checkpoint_time());
  ended.run();
  ended.exited(0, 0);
  ended.stop();
  CHECK_FALSE(ended.end().checkpoint_time());
}

TEST_CASE("what outlives stopped workers is asked to end before it is killed") {
  Job job(1);
  job.run();
  job.stop();
  CHECK(job.exited(0, 143) == kAllDown);
  CHECK(job.tree_not_empty() == "tree SIGTERM, groups timer 1250");
  CHECK(job.after(1250ms).fired(Timer::kGroups) == "tree SIGKILL, kill timer 100");
}

TEST_CASE("each further stop signal shortens to the next step") {
  Job job(1);
  job.run();
  job.stop();
  CHECK(job.stop() == "groups SIGTERM, groups timer 1250");
  CHECK(job.stop() == "tree SIGKILL, kill timer 100");
  CHECK(job.stop() == "");
  CHECK(job.killed(0, SIGKILL) == kAllDown);
  CHECK(job.tree_not_empty() == "");
  CHECK(job.stop() == "");
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.stop() == "");
  CHECK(job.drained() == "no timer, finish");
}

TEST_CASE("leaders that end late do not give their groups more time") {
  Job job(1);
  job.run();
  job.stop();
  job.after(7500ms).fired(Timer::kLeaders);
  CHECK(job.after(1200ms).killed(0, SIGTERM) == kAllDown);
  CHECK(job.tree_not_empty() == "tree SIGTERM");
}

TEST_CASE(
    "a stop signal while siblings of a failed worker have their grace cuts it to the budget") {
  Job job(2);
  job.run();
  job.exited(0, 1);
  CHECK(job.after(5s).stop() == "leaders timer 7500");
  CHECK(job.end().reason == StopReason::kWorkerFailed);
  CHECK(job.end().stop_signal == SIGTERM);
  CHECK(job.stop() == "groups SIGTERM, groups timer 1250");
}

TEST_CASE("a stop signal near the end of the siblings' grace leaves it as it is") {
  Job job(2);
  job.run();
  job.exited(0, 1);
  CHECK(job.after(15s).stop() == "");
  CHECK(job.after(5s).fired(Timer::kLeaders) == "groups SIGTERM, groups timer 1250");
}

TEST_CASE("stop signals while survivors linger: the second kills") {
  Job job(1);
  job.run();
  job.exited(0, 0);
  job.tree_not_empty();
  CHECK(job.stop() == "tell peers: platform");
  CHECK(job.stop() == "tree SIGKILL, kill timer 100");
  job.tree_empty();
  job.drained();
  CHECK(job.end().success());
}

TEST_CASE("a stop before the start means that nothing is ever started") {
  Job job(4);
  CHECK(job.stop() == "tell peers: platform, end helpers, finish");
  CHECK(job.agreed() == "");
  CHECK_FALSE(job.end().success());
  CHECK(job.end().reason == StopReason::kPlatform);
  CHECK_FALSE(job.end().workers[0].status);
}

TEST_CASE("a stop between two starts leaves the rest unstarted") {
  Job job(3);
  CHECK(job.agreed() == "spawn 0");
  CHECK(job.stop() == "leaders SIGTERM, leaders timer 7500" + kTellPlatform);
  CHECK(job.spawned(0) == "");
  CHECK(job.exited(0, 0) == kAllDown);
  job.tree_empty();
  CHECK(job.drained() == "no timer, finish");
  CHECK_FALSE(job.end().success());
  CHECK_FALSE(job.end().workers[2].status);
}

TEST_CASE("a fork that fails starts no more workers and stops those that run") {
  Job job(3);
  job.agreed();
  job.spawned(0);
  CHECK(job.failed(1, SpawnStage::kFork, EAGAIN) == kStopped);
  CHECK(job.killed(0, SIGTERM) == kAllDown);
  CHECK(job.end().reason == StopReason::kWorkerFailed);
  CHECK(job.end().workers[1].status == ExitStatus::exited(125));
  CHECK_FALSE(job.end().workers[1].told_to_stop);
  CHECK(job.end().workers[1].spawn_error == SpawnError{SpawnStage::kFork, EAGAIN});
  CHECK_FALSE(job.end().workers[2].status);
  job.tree_empty();
  job.drained();
  CHECK_FALSE(job.end().success());
  CHECK(job.end().workers[2].told_to_stop);
  CHECK_FALSE(job.end().may_have_killed(job.end().workers[1]));
  CHECK(job.end().may_have_killed(job.end().workers[2]));  // or others would seem to have done it
}

TEST_CASE("a fork that fails for the only worker ends the job") {
  Job job(1);
  job.agreed();
  CHECK(job.failed(0, SpawnStage::kFork, ENOMEM) == kAllDown + kTellFailed);
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.drained() == "no timer, finish");
}

TEST_CASE(
    "an exec that fails counts when its process has ended, and is a failure whatever its code") {
  Job job(2);
  job.run();
  CHECK(job.failed(0, SpawnStage::kExec, ENOENT) == "");
  CHECK(job.exited(0, 0) == kStopped);
  CHECK(job.exited(1, 0) == kAllDown);
  CHECK_FALSE(job.end().success());
}

TEST_CASE("a process that does not even go after KILL does not keep the job from ending") {
  Job job(2);
  job.run();
  job.exited(0, 1);
  job.after(20s).fired(Timer::kLeaders);
  CHECK(job.after(1250ms).fired(Timer::kGroups) == "tree SIGKILL, kill timer 100");
  for (int round = 1; round < 50; ++round)
    REQUIRE(job.after(100ms).fired(Timer::kKill) == "tree SIGKILL, kill timer 100");
  CHECK(job.after(100ms).fired(Timer::kKill) == kDrain);
  CHECK(job.drained() == "no timer, end helpers, finish");
  CHECK(job.end().stuck_after == 5s);
  CHECK_FALSE(job.end().success());
  CHECK_FALSE(job.end().workers[1].status);
  CHECK(job.end().workers[1].told_to_stop);
  CHECK(job.end().workers[1].ended_at == job.now());
}

TEST_CASE("after a stop signal there is less patience with a stuck process") {
  Job job(1);
  job.run();
  job.stop();
  job.stop();
  job.stop();
  for (int round = 1; round < 6; ++round)
    REQUIRE(job.after(100ms).fired(Timer::kKill) == "tree SIGKILL, kill timer 100");
  CHECK(job.after(100ms).fired(Timer::kKill) == kDrain);
}

TEST_CASE("a stop signal during the KILL of a natural end ends the patience") {
  Job job(1);
  job.run();
  job.exited(0, 0);
  job.tree_not_empty();
  job.after(5s).fired(Timer::kLinger);
  CHECK(job.after(50ms).stop() == "tell peers: platform");
  CHECK(job.after(50ms).fired(Timer::kKill) == "tree SIGKILL, kill timer 100");
  for (int round = 2; round <= 5; ++round)
    REQUIRE(job.after(100ms).fired(Timer::kKill) == "tree SIGKILL, kill timer 100");
  CHECK(job.after(100ms).fired(Timer::kKill) == "tree SIGKILL, kill timer 50");
  CHECK(job.after(50ms).fired(Timer::kKill) == kDrain);
}

TEST_CASE("a stuck worker that ends during the drain is noted and starts nothing anew") {
  Job job(1);
  job.run();
  job.stop();
  job.stop();
  job.stop();
  CHECK(job.after(600ms).fired(Timer::kKill) == kDrain);
  CHECK(job.killed(0, SIGKILL) == "");
  CHECK(job.tree_empty() == "");
  CHECK(job.end().workers[0].status == ExitStatus::killed(SIGKILL));
  CHECK(job.drained() == "no timer, end helpers, finish");
}

TEST_CASE("output that somebody holds open is cut at the drain deadline") {
  Job job(1);
  job.run();
  job.exited(0, 0);
  job.tree_empty();
  CHECK(job.after(500ms).fired(Timer::kDrain) == "finish");
  CHECK(job.end().output_cut);
  CHECK(job.end().success());
}

TEST_CASE("after a stop signal the output has as much time as the budget leaves it") {
  Limits tight = limits();
  tight.stop_drain = 50ms;
  Job stopped(1, tight), ended(1, tight);
  stopped.run();
  stopped.stop();
  stopped.exited(0, 0);
  CHECK(stopped.tree_empty() == "drain timer 50, drain?");
  ended.run();
  ended.exited(0, 0);
  CHECK(ended.tree_empty() == kDrain);
  CHECK(ended.after(100ms).stop() == "drain timer 50" + kTellPlatform);
  CHECK(ended.after(50ms).fired(Timer::kDrain) == "finish");
}

TEST_CASE("output that is drained early is no end of the job") {
  Job job(1);
  job.run();
  CHECK(job.drained() == "");
  job.exited(0, 0);
  CHECK(job.drained() == "");
  CHECK_FALSE(job.finished());
}

TEST_CASE("a timer that was on its way when another was armed does nothing") {
  Job job(1);
  job.run();
  job.stop();
  job.stop();
  CHECK(job.fired(Timer::kLeaders) == "");
}

TEST_CASE("nothing is done after the end, whatever comes") {
  Job job(1);
  job.run();
  job.exited(0, 0);
  job.tree_empty();
  job.drained();
  for (const Event& late :
       {Event(event::Agreed{}), Event(event::Spawned{0}),
        Event(event::Exited{0, ExitStatus::exited(1), true}), Event(event::StopRequested{SIGTERM}),
        Event(event::StoreEnded{ExitStatus::killed(SIGSEGV)}),
        Event(event::PeersStop{StopReason::kPlatform, SIGTERM}),
        Event(event::TimerFired{Timer::kDrain}), Event(event::TreeEmpty{}),
        Event(event::TreeNotEmpty{}), Event(event::OutputDrained{})}) {
    CHECK(job.on(late) == "");
  }
  CHECK(job.end().success());
}

TEST_CASE("a job without workers ends and is no success") {
  Job job(0);
  CHECK(job.agreed() == kAllDown);
  job.tree_empty();
  CHECK(job.drained() == "no timer, finish");
  CHECK_FALSE(job.end().success());
}

TEST_CASE("a store that ends under its workers stops them, and is kept as the reason") {
  Job job(2);
  job.run();
  CHECK(job.after(3s).store_killed(SIGSEGV) ==
        "leaders SIGTERM, leaders timer 20000, tell peers: store");
  CHECK(job.end().reason == StopReason::kStoreEnded);
  CHECK(job.end().store == ExitStatus::killed(SIGSEGV));
  CHECK(job.end().stop_at == job.now());
  CHECK(job.end().stop_signal == 0);
  CHECK(job.killed(0, SIGTERM) == "");
  CHECK(job.killed(1, SIGTERM) == kAllDown);
  CHECK(job.end().workers[0].told_to_stop);
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.drained() == "no timer, finish");
  CHECK_FALSE(job.end().success());
}

TEST_CASE("a store that ends between two starts leaves the rest unstarted") {
  Job job(3);
  job.agreed();
  CHECK(job.store_killed(SIGKILL) == "leaders SIGTERM, leaders timer 20000, tell peers: store");
  CHECK(job.spawned(0) == "");
  CHECK(job.killed(0, SIGTERM) == kAllDown);
  CHECK_FALSE(job.end().workers[1].status);
}

TEST_CASE("the end of the store is noted when workers that are being stopped may still need it") {
  Job job(2);
  job.run();
  job.exited(0, 1);
  SUBCASE("in their own time") {}
  SUBCASE("in their groups' time") { job.after(20s).fired(Timer::kLeaders); }
  CHECK(job.store_killed(SIGSEGV) == "");
  CHECK(job.end().reason == StopReason::kWorkerFailed);
  CHECK(job.end().store == ExitStatus::killed(SIGSEGV));
  CHECK(job.killed(1, SIGTERM) == kAllDown);
}

TEST_CASE("the end of the store is noted when the last worker, which failed, was seen before it") {
  Job job(1);
  job.run();
  job.exited(0, 1);
  CHECK(job.store_killed(SIGSEGV) == "");
  CHECK(job.end().reason == StopReason::kNone);
  CHECK(job.end().store == ExitStatus::killed(SIGSEGV));
}

TEST_CASE("the end of the store means nothing once nobody needs it any more") {
  Job job(2);
  job.run();
  SUBCASE("everything was sent KILL, which may have been its end") {
    job.exited(0, 1);
    job.after(20s).fired(Timer::kLeaders);
    job.after(1250ms).fired(Timer::kGroups);
  }
  SUBCASE("the workers have ended, and survivors linger") {
    job.exited(0, 0);
    job.exited(1, 0);
    job.tree_not_empty();
  }
  SUBCASE("the workers were stopped, and nobody has said what is left") {
    job.stop();
    job.exited(0, 0);
    job.exited(1, 0);
  }
  SUBCASE("the output drains") {
    job.exited(0, 0);
    job.exited(1, 0);
    job.tree_empty();
  }
  const StopReason reason = job.end().reason;
  CHECK(job.store_killed(SIGKILL) == "");
  CHECK(job.end().reason == reason);
  CHECK_FALSE(job.end().store);
}

TEST_CASE("before the start no worker needs the store") {
  Job job(1);
  CHECK(job.store_killed(SIGKILL) == "");
  CHECK_FALSE(job.end().store);
  CHECK(job.agreed() == "spawn 0");
}

TEST_CASE("the store is ended once, when the last worker is down") {
  Job job(3);
  job.run();
  CHECK(job.exited(2, 0) == "");
  CHECK(job.exited(1, 3) == kStopped);
  CHECK(job.killed(0, SIGTERM) == "end helpers, tree?");
  CHECK(job.tree_not_empty() == "tree SIGTERM, groups timer 1250");
  CHECK(job.after(1250ms).fired(Timer::kGroups) == "tree SIGKILL, kill timer 100");
  CHECK(job.tree_empty() == kDrain);
  CHECK(job.drained() == "no timer, finish");
}

TEST_CASE("peers are told once, of what came first here") {
  Job job(3);
  job.run();
  CHECK(job.exited(0, 1) == kStopped);
  CHECK(job.exited(1, 1) == "");
  CHECK(job.store_killed(SIGSEGV) == "");
  CHECK(job.after(1s).stop() == "leaders timer 7500");
}

TEST_CASE("peers are told of the last worker's failure too, and not of a success") {
  Job failed(1), ended(1);
  failed.run();
  CHECK(failed.killed(0, SIGSEGV) == kAllDown + kTellFailed);
  failed.tree_not_empty();
  CHECK(failed.stop() == "");
  ended.run();
  CHECK(ended.exited(0, 0) == kAllDown);
  CHECK(ended.tree_empty() == kDrain);
}

TEST_CASE(
    "a failure on another host stops the workers, and they have the grace of one of our own") {
  Job job(2);
  job.run();
  SUBCASE("a worker failed there") {
    CHECK(job.peers(StopReason::kWorkerFailed) == "leaders SIGTERM, leaders timer 20000");
    CHECK(job.end().reason == StopReason::kWorkerFailed);
  }
  SUBCASE("its store is gone") {
    CHECK(job.peers(StopReason::kStoreEnded) == "leaders SIGTERM, leaders timer 20000");
    CHECK(job.end().reason == StopReason::kStoreEnded);
  }
  SUBCASE("it is lost") {
    CHECK(job.peers(StopReason::kHostLost) == "leaders SIGTERM, leaders timer 20000");
    CHECK(job.end().reason == StopReason::kHostLost);
  }
  SUBCASE("it could not be set up") {
    CHECK(job.peers(StopReason::kSetUpFailed) == "leaders SIGTERM, leaders timer 20000");
    CHECK(job.end().reason == StopReason::kSetUpFailed);
  }
  CHECK(job.end().elsewhere);
  CHECK(job.end().stop_at == job.now());
  CHECK(job.end().stop_signal == 0);
  CHECK(job.killed(0, SIGTERM) == "");
  CHECK(job.exited(1, 1) == kAllDown);
  CHECK(job.end().workers[0].told_to_stop);
  CHECK(job.end().workers[1].told_to_stop);
  CHECK_FALSE(job.end().store);
  job.tree_empty();
  CHECK(job.drained() == "no timer, finish");
  CHECK_FALSE(job.end().success());
}

TEST_CASE("a stop signal on another host reaches the workers as it came, with the budget's time") {
  Job job(1);
  job.run();
  CHECK(job.peers(StopReason::kPlatform, SIGINT) == "leaders SIGINT, leaders timer 7500");
  CHECK(job.end().reason == StopReason::kPlatform);
  CHECK(job.end().elsewhere);
  CHECK(job.end().stop_signal == SIGINT);
  CHECK_FALSE(job.end().stop_asked_at);
  CHECK(job.after(2s).exited(0, 0) == kAllDown);
  CHECK(job.end().checkpoint_time() == 2s);
}

TEST_CASE(
    "a host's own stop signal after a travelled one shortens nothing, and the next one does") {
  Job job(1);
  job.run();
  job.peers(StopReason::kPlatform, SIGTERM);
  CHECK(job.after(1s).stop() == "");
  CHECK(job.end().stop_asked_at == job.now());
  CHECK(job.after(1s).stop() == "groups SIGTERM, groups timer 1250");
  CHECK(job.after(100ms).stop() == "tree SIGKILL, kill timer 100");
}

TEST_CASE("the grace after a failure elsewhere is cut to the budget by a first stop signal here") {
  Job job(1);
  job.run();
  job.peers(StopReason::kHostLost);
  CHECK(job.after(5s).stop() == "leaders timer 7500");
  CHECK(job.end().reason == StopReason::kHostLost);
  CHECK(job.end().stop_signal == SIGTERM);
  CHECK(job.stop() == "groups SIGTERM, groups timer 1250");
}

TEST_CASE("what stops the peers means nothing to workers that are stopped or ended already") {
  Job job(2);
  job.run();
  SUBCASE("for a failure of their own") { job.exited(0, 1); }
  SUBCASE("by a stop signal of their own") { job.stop(); }
  SUBCASE("in their groups' time") {
    job.exited(0, 1);
    job.after(20s).fired(Timer::kLeaders);
  }
  SUBCASE("killed") {
    job.exited(0, 1);
    job.after(20s).fired(Timer::kLeaders);
    job.after(1250ms).fired(Timer::kGroups);
  }
  SUBCASE("survivors linger") {
    job.exited(0, 0);
    job.exited(1, 0);
    job.tree_not_empty();
  }
  SUBCASE("the output drains") {
    job.exited(0, 0);
    job.exited(1, 0);
    job.tree_empty();
  }
  const StopReason reason = job.end().reason;
  const int signal = job.end().stop_signal;
  CHECK(job.peers(StopReason::kPlatform, SIGINT) == "");
  CHECK(job.end().reason == reason);
  CHECK(job.end().stop_signal == signal);
  CHECK_FALSE(job.end().elsewhere);
}

TEST_CASE("only the first stop of the peers counts") {
  Job job(1);
  job.run();
  job.peers(StopReason::kWorkerFailed);
  CHECK(job.after(1s).peers(StopReason::kPlatform, SIGTERM) == "");
  CHECK(job.end().stop_signal == 0);
  CHECK(job.end().reason == StopReason::kWorkerFailed);
}

TEST_CASE("peers that stop before the start here mean that nothing is ever started") {
  Job job(2);
  SUBCASE("for a failure") {
    CHECK(job.peers(StopReason::kWorkerFailed) == "end helpers, finish");
    CHECK(job.end().stop_signal == 0);
  }
  SUBCASE("for the platform") {
    CHECK(job.peers(StopReason::kPlatform, SIGTERM) == "end helpers, finish");
    CHECK(job.end().stop_signal == SIGTERM);
  }
  CHECK(job.end().elsewhere);
  CHECK(job.end().stop_at == job.now());
  CHECK(job.agreed() == "");
  CHECK_FALSE(job.end().success());
}

TEST_CASE("peers that stop between two starts leave the rest unstarted") {
  Job job(3);
  job.agreed();
  CHECK(job.peers(StopReason::kHostLost) == "leaders SIGTERM, leaders timer 20000");
  CHECK(job.spawned(0) == "");
  CHECK(job.killed(0, SIGTERM) == kAllDown);
  CHECK_FALSE(job.end().workers[1].status);
}

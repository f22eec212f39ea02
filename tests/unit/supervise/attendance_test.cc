#include "supervise/attendance.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "sys/files.h"
#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::supervise;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

namespace {

constexpr auto kLate = 100ms;
const std::optional<sys::Address> kHere;
const std::optional<sys::Address> kThere = *sys::Address::parse("10.0.0.2");
const std::vector<coordination::HostRanks> kHosts = {{"algo-1", 0, 2}, {"algo-2", 2, 2}};

/// A launcher with two workers, whose pids are 100 and 101, and what it says of who has come. On a
/// host of several it is told what the others want, and tells them.
struct Launcher {
  enum Role { kAlone, kLeader, kFollower, kWithoutStore };

  explicit Launcher(Role its_role, int workers = 2) : role(its_role) {
    for (int index = 0; index < workers; ++index) {
      plan.workers.emplace_back();
      plan.workers.back().rank = index + (role == kFollower ? 2 : 0);
    }
    plan.late_after = kLate;
    log.set_sink([this](std::string_view lines) {
      said += lines;
      return lines.size();
    });
    record = *report::RunRecord::open(directory / "record", {}, {});
  }

  Attendance::Peers peers() {
    Attendance::Peers peers;
    if (role == kLeader) {
      peers.hosts = hosts;
      peers.joined = [this](const auto& from, pid_t process) {
        asked.push_back((from ? from->text() : "here") + " " + std::to_string(process));
      };
      peers.late = [this](sys::Duration after) { told_late.push_back(after); };
    }
    if (role == kFollower) peers.came = [this](int rank) { came.push_back(rank); };
    return peers;
  }

  Attendance& attendance() {
    if (!made) {
      made.emplace(plan, Attendance::Parts{.loop = loop,
                                           .record = record,
                                           .log = log,
                                           .has_store = role == kAlone || role == kLeader,
                                           .worker_behind =
                                               [this](pid_t process) {
                                                 const int index = process - 100;
                                                 const auto count =
                                                     static_cast<int>(plan.workers.size());
                                                 return index >= 0 && index < count ? index : -1;
                                               },
                                           .is_stopping = [this] { return stopping; },
                                           .peers = peers()});
    }
    return *made;
  }

  /// Lets the time pass after which workers are late, and gives what was said.
  std::string wait() {
    bool over = false;
    loop.after(2 * kLate, [&over] { over = true; });
    while (!over) loop.run_once();
    return take();
  }
  std::string take() { return std::exchange(said, {}); }
  /// The events of the record, without their time.
  Texts events() const {
    Texts events;
    const std::string text = sys::read_file(directory / "record").value();
    for (const std::string_view line : split(text, '\n')) {
      if (!line.empty()) events.emplace_back(line.substr(line.find("\"event\"")));
    }
    return events;
  }

  Role role;
  std::vector<coordination::HostRanks> hosts = kHosts;
  LaunchPlan plan;
  TemporaryDirectory directory;
  sys::EventLoop loop = std::move(*sys::EventLoop::create());
  report::RunRecord record;
  Logger log;
  std::string said;
  bool stopping = false;
  Texts asked;
  std::vector<sys::Duration> told_late;
  std::vector<int> came;
  std::optional<Attendance> made;
};

const std::string kNoneOf4 =
    "trainit: warning: after 0.1 s: none of the 4 workers has reached init_process_group: if they "
    "are not meant to work together, use --workers 1\n";

}  // namespace

TEST_CASE("on one host who is late is named, and that all have come then") {
  Launcher launcher(Launcher::kAlone);
  launcher.attendance().begin();
  launcher.attendance().joined(kHere, 101);
  CHECK(launcher.wait() ==
        "trainit: warning: after 0.1 s: rank 0 has not reached init_process_group\n");
  launcher.attendance().joined(kHere, 102);  // none of ours
  CHECK(launcher.take() == "");
  launcher.attendance().joined(kHere, 100);
  CHECK(launcher.take().starts_with(
      "trainit: all 2 workers have reached init_process_group after 0."));
  launcher.attendance().end();
  CHECK(launcher.events() ==
        Texts{R"("event": "rendezvous", "joined": 1, "workers": 2, "missing": [0]})",
              R"("event": "rendezvous", "joined": 2, "workers": 2})"});
}

TEST_CASE("who comes in time is worth no line, and one who is stopped is not late") {
  Launcher launcher(Launcher::kAlone);
  launcher.attendance().begin();
  SUBCASE("all have come") {
    launcher.attendance().joined(kHere, 100);
    launcher.attendance().joined(kHere, 101);
  }
  SUBCASE("the workers are being stopped") { launcher.stopping = true; }
  SUBCASE("the workers have ended") { launcher.attendance().wait_no_longer(); }
  CHECK(launcher.wait() == "");
}

TEST_CASE("the leader asks the host that a process has come from, and names all who are late") {
  Launcher leader(Launcher::kLeader);
  leader.attendance().begin();
  leader.attendance().joined(kThere, 100);  // of another host, where it is another process
  leader.attendance().joined(kHere, 101);
  CHECK(leader.asked == Texts{"10.0.0.2 100", "here 101"});
  leader.attendance().came(3);
  CHECK(leader.wait() ==
        "trainit: warning: after 0.1 s: ranks 0 (algo-1) and 2 (algo-2) have not "
        "reached init_process_group\n");
  CHECK(leader.told_late == std::vector<sys::Duration>{kLate});
  leader.attendance().came(2);
  leader.attendance().joined(kHere, 100);
  CHECK(leader.take().starts_with("trainit: all 4 workers have reached init_process_group after"));
  CHECK(leader.events() ==
        Texts{R"("event": "rendezvous", "joined": 2, "workers": 4, "missing": [0, 2]})",
              R"("event": "rendezvous", "joined": 4, "workers": 4})"});
  CHECK_FALSE(leader.attendance().none_came());
}

TEST_CASE(
    "the leader does not tell others to name late workers of whom nobody knows who they are") {
  Launcher leader(Launcher::kLeader);
  leader.attendance().begin();
  leader.attendance().joined_nameless(3);
  CHECK(leader.wait() ==
        "trainit: warning: after 0.1 s: 1 of 4 workers has not reached init_process_group\n");
  CHECK(leader.told_late.empty());
}

TEST_CASE("when none of any host has come that is said, and at the end once more") {
  Launcher leader(Launcher::kLeader);
  leader.attendance().begin();
  CHECK(leader.wait() == kNoneOf4);
  CHECK(leader.told_late.empty());
  CHECK(leader.attendance().none_came());
  CHECK(leader.attendance().workers() == 4);
  SUBCASE("but not when one of another host has") {
    leader.attendance().came(2);
    CHECK_FALSE(leader.attendance().none_came());
  }
  SUBCASE("nor when it is not known who has") {
    leader.attendance().joined_nameless(1);
    CHECK_FALSE(leader.attendance().none_came());
  }
}

TEST_CASE("none that has come is no news where hosts start what may meet in other ways") {
  Launcher leader(Launcher::kLeader, 1);
  leader.hosts = {{"algo-1", 0, 1}, {"algo-2", 1, 1}};
  std::string late;
  SUBCASE("each host has one worker") {}
  SUBCASE("workers meet through NCCL") {
    leader.hosts[1].workers = 2;
    leader.plan.workers[0].environment.set("NCCL_COMM_ID", "10.0.0.1:1", "");
  }
  SUBCASE("one host has several") {
    leader.hosts[1].workers = 3;
    late = kNoneOf4;
  }
  leader.attendance().begin();
  CHECK(leader.wait() == late);
  CHECK(leader.attendance().none_came() == !late.empty());
  // But those who are missing when others are there are missed.
  leader.attendance().begin();
  leader.attendance().joined(kHere, 100);
  CHECK(leader.wait().find("(algo-2) ha") != std::string::npos);
}

TEST_CASE("another host says who has come, and names its own late workers when it is told to") {
  Launcher follower(Launcher::kFollower);
  follower.attendance().begin();
  CHECK(follower.wait() == "");
  follower.attendance().look_for(7);
  follower.attendance().look_for(101);
  follower.attendance().look_for(101);
  CHECK(follower.came == std::vector<int>{3});
  CHECK(follower.events() == Texts{});
  follower.attendance().late(60s);
  CHECK(follower.take() ==
        "trainit: warning: after 60 s: rank 2 has not reached init_process_group\n");
  follower.attendance().look_for(100);
  CHECK(follower.came == std::vector<int>{3, 2});
  CHECK(follower.take().starts_with(
      "trainit: all 2 workers of this host have reached init_process_group after"));
  follower.attendance().late(60s);
  follower.attendance().end();
  CHECK(follower.take() == "");
  CHECK(follower.events() ==
        Texts{R"("event": "rendezvous", "joined": 1, "workers": 2, "missing": [2]})",
              R"("event": "rendezvous", "joined": 2, "workers": 2})"});
  CHECK_FALSE(follower.attendance().none_came());
}

TEST_CASE("a host of which none has come names all of its own") {
  Launcher follower(Launcher::kFollower, 3);
  follower.attendance().begin();
  SUBCASE("unless its workers are being stopped") {
    follower.stopping = true;
    follower.attendance().late(60s);
    CHECK(follower.take() == "");
  }
  SUBCASE("as late") {
    follower.attendance().late(60s);
    CHECK(follower.take() ==
          "trainit: warning: after 60 s: ranks 2–4 have not reached init_process_group\n");
  }
}

TEST_CASE("where workers meet without a store of ours nobody is late") {
  Launcher launcher(Launcher::kWithoutStore);
  launcher.attendance().begin();
  CHECK(launcher.wait() == "");
  launcher.attendance().end();
  CHECK(launcher.events() == Texts{});
  CHECK_FALSE(launcher.attendance().none_came());
}

TEST_CASE("the record names the first of very many") {
  Launcher leader(Launcher::kLeader);
  leader.hosts = {{"algo-1", 0, 2}, {"algo-2", 2, 2000}};
  leader.attendance().begin();
  leader.attendance().joined(kHere, 100);
  CHECK(leader.wait() ==
        "trainit: warning: after 0.1 s: ranks 1 (algo-1) and 2–2001 (algo-2) have "
        "not reached init_process_group\n");
  const Texts events = leader.events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].ends_with(" 999, 1000]}"));
}

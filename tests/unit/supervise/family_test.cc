#include "supervise/family.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

using namespace trainit;
using namespace trainit::supervise;

namespace {

/// A child that waits for a signal, as the leader of its own process group.
class WaitingChild {
 public:
  WaitingChild() {
    const auto handler = ::signal(SIGTERM, SIG_DFL);  // of the test's own, which is not the child's
    pid_ = ::fork();
    while (pid_ == 0) ::pause();
    ::signal(SIGTERM, handler);
    ::setpgid(pid_, pid_);
  }
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;
  ~WaitingChild() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  pid_t pid() const { return pid_; }
  /// What ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  pid_t pid_ = -1;
};

/// As long as it lives nothing can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none = {0, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_ = {};
};

/// A family, and what it has said.
struct Fixture {
  Fixture() {
    log.set_sink([this](std::string_view lines) {
      said += lines;
      return lines.size();
    });
  }

  void add_worker(pid_t pid) {
    WorkerProcess& worker = workers.emplace_back();
    worker.pid = worker.last_pid = pid;
  }
  std::optional<bool> empty() { return family.is_empty(sys::ReapResult::kNoneEnded); }
  std::ptrdiff_t sentences() const { return std::count(said.begin(), said.end(), '\n'); }

  std::string said;
  Logger log;
  std::vector<WorkerProcess> workers;
  Family family{workers, log};
};

using Pids = std::vector<pid_t>;

}  // namespace

TEST_CASE("who was there before, and who was left out, is no process of the job") {
  Fixture job;
  WaitingChild before;
  job.family.begin();
  WaitingChild worker, helper;
  job.family.exclude(helper.pid());
  CHECK(job.family.members() == Pids{worker.pid()});
  CHECK(job.empty() == false);
  job.family.end_all(job.family.members(), SIGTERM);
  CHECK(worker.wait() == SIGTERM);
  CHECK(job.family.members() == Pids{});
  CHECK(job.empty() == true);
  for (WaitingChild* stranger : {&before, &helper}) {
    CHECK(::kill(stranger->pid(), SIGKILL) == 0);
    CHECK(stranger->wait() == SIGKILL);
  }
}

TEST_CASE("a child that has ended counts until it is reaped") {
  Fixture job;
  WaitingChild before;
  job.family.begin();
  WaitingChild worker;
  CHECK(::kill(worker.pid(), SIGKILL) == 0);
  siginfo_t info = {};
  CHECK(::waitid(P_PID, static_cast<id_t>(worker.pid()), &info, WEXITED | WNOWAIT) == 0);
  CHECK(job.family.members() == Pids{});
  CHECK(job.empty() == false);
}

TEST_CASE("nobody is told to be alone while /proc cannot be read, and that is said once") {
  Fixture job;
  WaitingChild before;
  job.family.begin();
  {
    const NoDescriptors nothing_opens;
    for (int look = 0; look < 3; ++look) {
      CHECK_FALSE(job.empty().has_value());
      CHECK_FALSE(job.family.members().has_value());
    }
    CHECK(job.family.is_empty(sys::ReapResult::kNoChildren) == true);
  }
  CHECK(job.empty() == true);
  CHECK(job.family.members().has_value());
  CHECK(job.said.find("(EMFILE)") != std::string::npos);
  CHECK(job.sentences() == 1);
}

TEST_CASE("nothing is known of a tree whose reaping failed") {
  Fixture job;
  job.family.begin();
  CHECK_FALSE(job.family.is_empty(sys::ReapResult::kFailed).has_value());
}

TEST_CASE("while /proc cannot be read the workers' process groups are ended, and nobody else is") {
  Fixture job;
  WaitingChild before;
  job.family.begin();
  WaitingChild worker;
  job.add_worker(worker.pid());
  {
    const NoDescriptors nothing_opens;
    job.family.end_all(job.family.members(), SIGTERM);
  }
  CHECK(worker.wait() == SIGTERM);
  CHECK(::kill(before.pid(), SIGKILL) == 0);
  CHECK(before.wait() == SIGKILL);
}

TEST_CASE("children that could not be looked at when it began are not taken for the job's") {
  Fixture job;
  WaitingChild before;
  {
    const NoDescriptors nothing_opens;
    job.family.begin();
  }
  CHECK_FALSE(job.family.members().has_value());
  CHECK(job.empty() == false);
}

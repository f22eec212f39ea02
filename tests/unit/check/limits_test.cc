#include "check/limits.h"

#include "hardware/machine.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

LimitFacts healthy(int workers, int gpus) {
  LimitFacts facts;
  facts.open_files = 65536;
  facts.workers = workers;
  facts.gpus = gpus;
  return facts;
}

}  // namespace

TEST_CASE("a machine without limits is well") { check_told(judge_limits(healthy(8, 8)), {}); }

TEST_CASE("the usual number of open files is little for several GPUs only") {
  LimitFacts facts = healthy(1, 1);
  facts.open_files = 1024;
  check_told(judge_limits(facts), {});
  facts.open_files = 1023;
  check_told(judge_limits(facts), {"warning: a process may open only 1023 files"});
  facts.gpus = 8;
  facts.open_files = 8191;
  check_told(judge_limits(facts), {"warning: a process may open only 8191 files"});
}

TEST_CASE("locked memory matters where there are RDMA devices") {
  LimitFacts facts = healthy(1, 0);
  facts.locked_bytes = 64 << 10;
  check_told(judge_limits(facts), {});
  facts.rdma_devices = 1;
  check_told(judge_limits(facts), {"warning: a process may lock only 64"});
  facts.locked_bytes.reset();
  check_told(judge_limits(facts), {});
}

TEST_CASE("too few processes for the workers' threads, and for the workers themselves") {
  LimitFacts facts = healthy(4, 0);
  facts.processes_left = 256;
  check_told(judge_limits(facts), {});
  facts.processes_left = 255;
  check_told(judge_limits(facts), {"warning: only 255 more processes"});
  facts.processes_left = 4;
  check_told(judge_limits(facts), {"error: only 4 more processes"});
}

TEST_CASE("a user's limit of processes counts trainit as well") {
  LimitFacts facts = healthy(4, 0);
  facts.of_user = 256;
  check_told(judge_limits(facts), {});
  facts.of_user = 6;
  check_told(judge_limits(facts), {"warning: this user may have only 6 processes and threads"});
  facts.of_user = 5;
  check_told(judge_limits(facts), {"error: this user may have only 5 processes and threads"});
}

TEST_CASE("memory is shared by the workers") {
  LimitFacts facts = healthy(4, 0);
  facts.memory = std::uint64_t{1} << 30;
  check_told(judge_limits(facts), {});
  facts.memory -= 4;
  check_told(judge_limits(facts), {"warning: the container may have"});
}

TEST_CASE("the narrowest control group on the way up decides how many processes are left") {
  const Machine machine;
  machine.join_group("pids.max", "50", "100");
  machine.write("cgroup/parent/pids.current", "90");
  machine.write("cgroup/parent/own/pids.current", "1");
  Subject subject;
  subject.roots.system = machine.roots();
  CHECK(limit_facts(subject).processes_left == 10);
  machine.make("sys/class/infiniband/rdmap0s6");
  CHECK(limit_facts(subject).rdma_devices == 1);
}

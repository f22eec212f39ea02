#include "check/shared_memory.h"

#include "hardware/machine.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

SharedMemoryFacts with_size(std::uint64_t size, int workers, bool loads_data) {
  SharedMemoryFacts facts;
  facts.there = true;
  facts.size = facts.free = size;
  facts.workers = workers;
  facts.loads_data = loads_data;
  return facts;
}

}  // namespace

TEST_CASE("Docker's 64 MB are little for several workers and for data loaders") {
  constexpr std::uint64_t kDockers = 64 << 20;
  check_told(judge_shared_memory(with_size(kDockers + 1, 4, true)), {});
  check_told(judge_shared_memory(with_size(kDockers, 2, false)), {"warning: /dev/shm has only 64"});
  check_told(judge_shared_memory(with_size(kDockers, 1, true)), {"warning: /dev/shm has only 64"});
  check_told(judge_shared_memory(with_size(kDockers, 1, false)), {"note: /dev/shm has only 64"});
  check_told(judge_shared_memory(with_size(0, 4, true)), {});
}

TEST_CASE("a /dev/shm that is full, closed or not there") {
  SharedMemoryFacts facts = with_size(std::uint64_t{1} << 30, 2, false);
  facts.free = 1 << 20;
  check_told(judge_shared_memory(facts), {"warning: /dev/shm has 1 MB of 1.0 GB left"});
  facts.write_error = "Permission denied (EACCES)";
  check_told(judge_shared_memory(facts), {"error: no file can be made in /dev/shm: Permission"});
  facts.workers = 1;
  check_told(judge_shared_memory(facts), {"note: no file can be made"});
  check_told(judge_shared_memory({}), {"note: there is no /dev/shm"});
}

TEST_CASE("what is there is measured, and nothing is left") {
  const Machine machine;
  Subject subject;
  subject.roots.system = machine.roots();
  CHECK_FALSE(shared_memory_facts(subject, {}).there);
  machine.make("dev/shm");
  const SharedMemoryFacts facts = shared_memory_facts(subject, {});
  CHECK(facts.there);
  CHECK(facts.size > 0);
  CHECK(facts.write_error.empty());
  CHECK(sys::list_directory(machine / "dev/shm")->empty());
}

TEST_CASE("data loaders are likely with torch, and in any Python that was not looked into") {
  PythonFacts python;
  CHECK_FALSE(shared_memory_facts(Subject(), python).loads_data);
  python.used = true;
  CHECK(shared_memory_facts(Subject(), python).loads_data);
  python.version = "3.11.2";
  CHECK_FALSE(shared_memory_facts(Subject(), python).loads_data);
  python.uses_torch = true;
  CHECK(shared_memory_facts(Subject(), python).loads_data);
}

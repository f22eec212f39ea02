#include "check/rendezvous.h"

#include <sched.h>
#include <unistd.h>

#include "sys/capture.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

TEST_CASE("processes meet on loopback, as many as there are workers and at most eight") {
  for (const auto& [workers, processes] : {std::pair{1, 1}, {3, 3}, {64, 8}}) {
    Subject subject;
    subject.workers = workers;
    const RendezvousFacts facts = rendezvous_facts(subject);
    CHECK(facts.trouble == "");
    CHECK(facts.processes == processes);
    CHECK(facts.seconds > 0);
    CHECK(judge_rendezvous(facts).findings.empty());
  }
}

TEST_CASE("a loopback that is down is an error") {
  if (::geteuid() != 0) return;
  const auto in_own_network = [](sys::BorrowedFd output) {
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(3);
    const std::string trouble = rendezvous_facts(Subject(), std::chrono::seconds(3)).trouble;
    [[maybe_unused]] const auto written = ::write(output.get(), trouble.data(), trouble.size());
  };
  const auto trouble = sys::run_forked("test", in_own_network, 20'000);
  REQUIRE(trouble);
  CHECK(trouble->find("127.0.0.1") != std::string::npos);
  check_told(judge_rendezvous({2, 0, *trouble}), {"error: 2 processes did not meet on loopback: "});
}

#include "check/hosts.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::check;

TEST_CASE("names that have addresses are counted, with the time that it took") {
  const AreaReport report =
      judge_hosts({.names = {{"algo-1", ""}, {"algo-2", ""}}, .seconds = 0.0123});
  CHECK(report.findings.empty());
  CHECK(report.text == "2 of 2 names have addresses, found within 12 ms");
}

TEST_CASE("each name without an address is a warning that says why") {
  const AreaReport report =
      judge_hosts({.names = {{"algo-1", ""}, {"algo-2", "no such name"}}, .seconds = 5});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].severity == Severity::kWarning);
  CHECK(report.findings[0].what == "algo-2 has no address: no such name");
  CHECK(report.text.starts_with("1 of 2 names"));
}

TEST_CASE("one host has no names to look up") { CHECK(judge_hosts({}).skipped); }

TEST_CASE("names are looked up as the job does it") {
  Subject subject;
  subject.cluster.hosts = {"127.0.0.1", "trainit-no-such-host.invalid"};
  const HostsFacts facts = hosts_facts(subject);
  REQUIRE(facts.names.size() == 2);
  CHECK(facts.names[0].trouble.empty());
  CHECK(!facts.names[1].trouble.empty());
  subject.cluster.named = false;
  CHECK(hosts_facts(subject).names.empty());
}

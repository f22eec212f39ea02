// hosts_load: the launchers of all hosts of a job but the leader's, as connections of one thread,
// and what they cost that leader, which is a real one.
//
//   hosts_load PORT PID HOSTS JOB REST NAME=VALUE…
//
// The leader listens at PORT of 127.0.0.1, was started with `--nnodes HOSTS --node-rank 0` and
// TRAINING_JOB_NAME=JOB, and is the process PID. NAME=VALUE: the facts that its report has. All
// members come at once, live together for REST seconds, then a worker of the last one dies, all
// are told, and end. Prints one object of JSON:
//
//   agreed            seconds from the first connection until the last member has its ranks
//   told              from the failure until the last member was told to stop
//   ended             from the first member's end until the last was let go
//   turned_away       connections that the leader closed before they were members
//   agreed_cpu        the leader's CPU seconds of all that is before `agreed`; so `ended_cpu`
//   rest_cpu          its CPU seconds for one second together
//   resident, peak    its bytes of memory: at the end of REST, and the most there ever was
//
// Anything that a member must not see, or 60 s of silence, ends it with 1.
#include <fmt/core.h>
#include <sys/resource.h>

#include <cstdlib>
#include <span>

#include "crowd.h"
#include "leader.h"

namespace hosts_load {
namespace {

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

message::Report report_of(std::span<char*> facts) {
  message::Report report;
  for (const std::string fact : facts) {
    const std::size_t equals = fact.find('=');
    if (equals == std::string::npos) fail(fact + " is no NAME=VALUE");
    report.facts.push_back({fact.substr(0, equals), fact.substr(equals + 1), true});
  }
  return report;
}

/// Seconds, and CPU seconds of the leader.
struct Cost {
  double seconds, cpu;
};

template <class Work>
Cost cost_of(const Leader& leader, Work work) {
  const double began = now(), cpu = leader.cpu_seconds();
  work();
  return {now() - began, leader.cpu_seconds() - cpu};
}

void measure(Crowd& crowd, const Leader& leader, double rest) {
  const Cost agreed = cost_of(leader, [&] {
    crowd.connect();
    crowd.run_until(Stage::kTogether);
  });
  crowd.run_for(1);  // until it has started its own worker
  const Cost together = cost_of(leader, [&] { crowd.run_for(rest); });
  const std::int64_t resident = leader.resident_bytes();
  const Cost told = cost_of(leader, [&] {
    crowd.fail_one();
    crowd.run_until(Stage::kStopped);
  });
  const Cost ended = cost_of(leader, [&] {
    crowd.end_all();
    crowd.run_until(Stage::kJudged);
  });
  const std::int64_t peak = leader.peak_bytes();
  const Cost left = cost_of(leader, [&] {
    crowd.all_heard();
    crowd.run_until(Stage::kGone);
  });
  fmt::print(R"({{"agreed": {}, "told": {}, "ended": {}, "turned_away": {}, "agreed_cpu": {}, )"
             R"("rest_cpu": {}, "ended_cpu": {}, "resident": {}, "peak": {}}})"
             "\n",
             agreed.seconds, told.seconds, ended.seconds + left.seconds, crowd.turned_away(),
             agreed.cpu, together.cpu / together.seconds, told.cpu + ended.cpu, resident, peak);
}

int number(const char* text) {
  const int value = std::atoi(text);
  if (value <= 0) fail(std::string(text) + " is no number of anything");
  return value;
}

}  // namespace
}  // namespace hosts_load

int main(int argc, char** argv) {
  using namespace hosts_load;
  if (argc < 6) fail("see the head of main.cc");
  raise_descriptor_limit();
  const Leader leader(number(argv[2]));
  const std::span words(argv, static_cast<std::size_t>(argc));
  Crowd crowd(number(argv[1]), number(argv[3]), argv[4], report_of(words.subspan(6)));
  measure(crowd, leader, std::atof(argv[5]));
  return 0;
}

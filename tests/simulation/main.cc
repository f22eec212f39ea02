/// Lives through jobs of many hosts in simulated time, each as its seed has it, and ends with 1 and
/// the seed when one breaks a promise.
///
///   simulate_hosts [--schedules N] [--first SEED]   N seeds from the first on, on all CPUs
///   simulate_hosts --seed SEED [--trace]            one, with what happens

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/text.h"
#include "job.h"

namespace {

using trainit::simulation::Job;

struct Wanted {
  std::uint64_t schedules = 100'000, first = 1;
  std::uint64_t seed = 0;  ///< 0: all of them
  bool trace = false;
};

Wanted read_arguments(int count, char** arguments) {
  Wanted wanted;
  for (int index = 1; index < count; ++index) {
    const std::string_view argument = arguments[index];
    const auto number = [&] {
      return trainit::parse_number<std::uint64_t>(++index < count ? arguments[index] : "").value();
    };
    if (argument == "--schedules") wanted.schedules = number();
    if (argument == "--first") wanted.first = number();
    if (argument == "--seed") wanted.seed = number();
    if (argument == "--trace") wanted.trace = true;
  }
  return wanted;
}

/// What went wrong; a decoder that takes no frame of ours throws.
std::string live_through(Job& job) {
  try {
    return job.run();
  } catch (const std::exception& problem) {
    return problem.what();
  }
}

int run_one(const Wanted& wanted) {
  Job job(wanted.seed, wanted.trace);
  const std::string problem = live_through(job);
  fmt::print("{}", job.trace());
  fmt::print("seed {}: {}\n", wanted.seed, problem.empty() ? "all promises kept" : problem);
  return problem.empty() ? 0 : 1;
}

int run_many(const Wanted& wanted) {
  std::atomic<std::uint64_t> next = wanted.first;
  std::atomic<int> failures = 0, with_restart = 0, with_two = 0, stopped_between = 0;
  std::mutex printing;
  const std::uint64_t end = wanted.first + wanted.schedules;
  const auto work = [&] {
    for (std::uint64_t seed = next++; seed < end && failures < 20; seed = next++) {
      Job job(seed);
      const std::string problem = live_through(job);
      if (job.restarts() > 0) ++with_restart;
      if (job.restarts() > 1) ++with_two;
      if (job.stopped_between()) ++stopped_between;
      if (problem.empty()) continue;
      ++failures;
      const std::lock_guard lock(printing);
      fmt::print("seed {}: {}\n", seed, problem);
      std::fflush(stdout);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned count = std::max(1U, std::thread::hardware_concurrency()); count > 0; --count)
    threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  fmt::print("{} schedules, {} with a restart, {} with several, {} stopped between two rounds\n",
             wanted.schedules, with_restart.load(), with_two.load(), stopped_between.load());
  fmt::print("{} broke a promise\n", failures.load());
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  const Wanted wanted = read_arguments(count, arguments);
  return wanted.seed != 0 ? run_one(wanted) : run_many(wanted);
}

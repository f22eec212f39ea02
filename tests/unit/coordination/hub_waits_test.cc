#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "coordination/hub.h"

using namespace trainit;
using namespace trainit::coordination;

namespace {

constexpr int kHosts = 5;
const sys::TimePoint kNow = sys::Clock::now();

/// A hub, and what its hosts did in which order.
struct Job {
  Hub hub{{.hosts = {"algo-1", "algo-2", "algo-3", "algo-4", "algo-5"}, .common = {}, .limits = {}},
          kNow};

  template <class What>
  Hub::Actions say(int host, What what) {
    return hub.received(host, what, kNow);
  }
  Hub::Actions report(int host) { return say(host, message::Report{}); }
  Hub::Actions end(int host) {
    message::Ended ended;
    ended.end.success = true;
    return say(host, ended);
  }
  void connect_all() {
    for (int host = 0; host < kHosts; ++host) hub.connected(host, kNow);
  }
};

/// To how many hosts a message of this kind goes.
template <class Kind>
int told(const Hub::Actions& actions) {
  return static_cast<int>(std::count_if(actions.begin(), actions.end(), [](const auto& action) {
    const auto* send = std::get_if<hub_action::Send>(&action);
    return send != nullptr && std::holds_alternative<Kind>(send->message);
  }));
}

std::vector<int> hosts_in_order() {
  std::vector<int> hosts(kHosts);
  std::iota(hosts.begin(), hosts.end(), 0);
  return hosts;
}

}  // namespace

TEST_CASE("in whatever order hosts come and end, what is for all comes with the last one") {
  std::vector<int> coming = hosts_in_order();
  do {
    Job job;
    job.connect_all();
    std::vector<int> ending = coming;
    std::reverse(ending.begin(), ending.end());
    for (const int host : coming)
      REQUIRE(told<message::Agreed>(job.report(host)) == (host == coming.back() ? kHosts : 0));
    for (const int host : ending)
      REQUIRE(told<message::Outcome>(job.end(host)) == (host == ending.back() ? kHosts : 0));
    for (const int host : coming) {
      const auto actions = job.say(host, message::Heard{});
      REQUIRE(told<message::Leave>(actions) == (host == coming.back() ? kHosts : 0));
    }
    REQUIRE(job.hub.finished());
  } while (std::next_permutation(coming.begin(), coming.end()));
}

TEST_CASE("a host that has reported and goes is waited for again, whoever was missing then") {
  for (int gone = 0; gone < kHosts; ++gone) {
    for (int last = 0; last < kHosts; ++last) {
      if (last == gone) continue;
      Job job;
      job.connect_all();
      for (int host = 0; host < kHosts; ++host) {
        if (host != last) job.report(host);
      }
      job.hub.disconnected(gone, "went", kNow);
      REQUIRE(told<message::Agreed>(job.report(last)) == 0);
      job.hub.connected(gone, kNow);
      REQUIRE(told<message::Agreed>(job.report(gone)) == kHosts);
    }
  }
}

TEST_CASE("hosts that are lost or gone are not waited for") {
  Job job;
  job.connect_all();
  for (int host = 0; host < kHosts; ++host) job.report(host);
  for (const int host : {4, 0, 2}) REQUIRE(told<message::Outcome>(job.end(host)) == 0);
  job.hub.disconnected(3, "went", kNow);
  CHECK(told<message::Outcome>(job.end(1)) == kHosts - 1);
  for (const int host : {1, 4, 0})
    REQUIRE(told<message::Leave>(job.say(host, message::Heard{})) == 0);
  const auto actions = job.hub.disconnected(2, "went too", kNow);
  CHECK(told<message::Leave>(actions) == kHosts - 2);
  CHECK(job.hub.finished());
}

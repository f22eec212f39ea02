// The names of the job's hosts, looked up as the job does it.
#include <sys/epoll.h>

#include "check/hosts.h"
#include "names/resolver.h"
#include "sys/event_loop.h"
#include "sys/signals.h"

namespace trainit::check {

HostsFacts hosts_facts(const Subject& subject) {
  constexpr auto kLongest = std::chrono::seconds(5);
  HostsFacts facts;
  if (subject.cluster.host_count() < 2 || !subject.cluster.named) return facts;
  for (const std::string& host : subject.cluster.hosts)
    facts.names.push_back({host, "no time was left to ask for it"});
  auto loop = sys::EventLoop::create();
  const auto stop = sys::open_stop_fd(subject.stops);
  bool stopped = false;
  if (!loop || !stop ||
      !loop->watch(stop->borrow(), EPOLLIN, [&](std::uint32_t) { stopped = true; }))
    return facts;
  names::Resolver resolver(*loop);
  const sys::TimePoint begin = sys::Clock::now();
  std::size_t waiting = facts.names.size();
  for (HostsFacts::Name& name : facts.names) {
    resolver.look_up(name.host, kLongest, [&](const names::Answer& answer) {
      name.trouble = answer ? std::string() : answer.error().message;
      --waiting;
    });
  }
  while (waiting > 0 && !stopped) loop->run_once();
  loop->unwatch(stop->borrow());
  facts.seconds = sys::in_seconds(sys::Clock::now() - begin);
  return facts;
}

}  // namespace trainit::check

#include "network.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace trainit::simulation {
namespace {

using coordination::Message;

/// How long after something was sent TCP sends it again: when a probe for the tail is due, and then
/// after each timeout, which doubles.
constexpr Micros kAgain[] = {10 * kMillisecond,    200 * kMillisecond,   600 * kMillisecond,
                             1400 * kMillisecond,  3000 * kMillisecond,  6200 * kMillisecond,
                             12600 * kMillisecond, 25400 * kMillisecond, 51000 * kMillisecond};
/// With some of it lost and the rest coming, what comes behind tells that something is missing: so
/// many timeouts in a row do not happen.
constexpr int kMostLost = 4;

}  // namespace

void Connection::send(Side from, const Message& message) {
  if (!ends_[from].open) return;
  const Side to = from == kHub ? kMember : kHub;
  std::string bytes = coordination::encode(message);
  ++ends_[to].on_the_way;
  post(to, network_.arrival(host_), [this, to, bytes = std::move(bytes)] { arrive(to, bytes); });
}

void Connection::post(Side to, Micros when, std::function<void()> what) {
  Half& half = ends_[to];
  half.last_arrival = half.last_arrival == kNever ? kNever : std::max(when, half.last_arrival + 1);
  network_.timeline_.at(half.last_arrival, [this, to, what = std::move(what)] {
    network_.attention_.on_host(to == kHub ? 0 : host_, what);
  });
}

void Connection::arrive(Side at, const std::string& bytes) {
  Half& half = ends_[at];
  --half.on_the_way;
  if (!half.open) return;
  const std::size_t cut = network_.dice_.next() % (bytes.size() + 1);
  for (const std::string& piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
    half.reader.feed(piece);
    while (half.open) {
      const auto message = half.reader.next();
      if (!message.value()) break;  // throws when it is no frame
      half.end->received(**message);
    }
  }
}

void Connection::close(Side from) {
  if (!std::exchange(ends_[from].open, false)) return;
  const Side to = from == kHub ? kMember : kHub;
  // Who closes with something unread resets the connection, and what it had said last is lost.
  const bool unread = ends_[from].on_the_way > 0 && network_.dice_.one_in(2);
  const Micros when = network_.arrival(host_);
  if (unread && when != kNever) {
    network_.timeline_.at(when, [this, to] {
      network_.attention_.on_host(to == kHub ? 0 : host_,
                                  [this, to] { tell_closed(to, "reset the connection"); });
    });
    return;
  }
  post(to, when, [this, to] { tell_closed(to, "ended without a word"); });
}

void Connection::tell_closed(Side at, const std::string& how) {
  if (!std::exchange(ends_[at].open, false)) return;
  if (ends_[at].end) ends_[at].end->closed(how);
}

std::shared_ptr<Connection> Network::connect(int host) {
  connections_.push_back(std::make_shared<Connection>(*this, host));
  return connections_.back();
}

bool Network::passes(int host) const {
  return after_cuts(host, timeline_.now()) == timeline_.now();
}

Micros Network::after_cuts(int host, Micros sent) const {
  Micros when = sent;
  for (const int side : {0, host}) {
    for (const Cut& cut : schedule_.hosts[static_cast<std::size_t>(side)].cuts) {
      if (when < cut.from || when >= cut.to) continue;
      if (cut.to == kNever) return kNever;
      const auto* next = std::find_if(std::begin(kAgain), std::end(kAgain),
                                      [&](Micros again) { return sent + again >= cut.to; });
      if (next == std::end(kAgain)) return kNever;
      when = sent + *next;
    }
  }
  return when;
}

Micros Network::arrival(int host) {
  const auto& hosts = schedule_.hosts;
  Micros sent = timeline_.now();
  const int loss = std::max(hosts[0].loss, hosts[static_cast<std::size_t>(host)].loss);
  int lost = 0;
  while (loss > 0 && lost < kMostLost && dice_.roll(100) < loss) ++lost;
  if (lost > 0) sent += kAgain[lost - 1];
  const Micros through = after_cuts(host, sent);
  if (through == kNever) return kNever;
  return through + schedule_.base_delay +
         static_cast<Micros>(dice_.next() % static_cast<std::uint64_t>(schedule_.base_delay));
}

void Network::reset_all(int host) {
  const auto those = connections_;  // who is told may dial anew
  for (const auto& connection : those) {
    if (host != 0 && connection->host() != host) continue;
    for (const auto side : {Connection::kHub, Connection::kMember}) {
      attention_.on_host(side == Connection::kHub ? 0 : connection->host(), [connection, side] {
        connection->tell_closed(side, "reset the connection");
      });
    }
  }
}

}  // namespace trainit::simulation

#include "crowd.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "leader.h"

namespace hosts_load {
namespace {

using trainit::coordination::FrameReader;
using trainit::coordination::JobKey;
using trainit::coordination::Message;
using trainit::diagnose::StopReason;

constexpr double kSilence = 60;
constexpr double kAgain = 0.5;  // as launchers wait, at least
constexpr std::size_t kTurns = 10;
constexpr double kBetweenTurns = 0.1;
constexpr int kFailed = 7;  // the exit code of the worker that dies

std::vector<std::string> names_of(int hosts) {
  std::vector<std::string> names;
  for (int rank = 0; rank < hosts; ++rank) names.push_back(fmt::format("node-{}", rank));
  return names;
}

std::int64_t microseconds() { return static_cast<std::int64_t>(now() * 1e6); }

trainit::sys::TimePoint time_now() { return trainit::sys::Clock::now(); }

/// How the part of a host with one worker ended.
message::Ended end_of(int rank, bool culprit) {
  trainit::diagnose::Evidence evidence;
  evidence.rank = rank;
  evidence.status = culprit ? trainit::sys::ExitStatus::exited(kFailed)
                            : trainit::sys::ExitStatus::killed(SIGTERM);
  evidence.stopped_by_us = !culprit;
  evidence.exited_at = time_now();
  message::Ended ended;
  ended.end.reason = StopReason::kWorkerFailed;
  ended.end.started_at = ended.end.ended_at = ended.end.stop_at = time_now();
  ended.end.evidence.push_back(std::move(evidence));
  return ended;
}

}  // namespace

Crowd::Crowd(int port, int hosts, const std::string& job, message::Report report)
    : port_(port),
      hosts_(names_of(hosts)),
      key_(*JobKey::of(std::nullopt, job, "", hosts_)),
      report_(std::move(report)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  need(epoll_ >= 0, "epoll");
  for (int index = 1; index < hosts; ++index) members_.emplace_back(index);
  at_stage_[0] = members_.size();
}

void Crowd::connect() {
  began_ = last_heard_ = next_beat_ = now();
  for (Member& member : members_) connect(member);
}

void Crowd::connect(Member& member) {
  member.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  need(member.socket >= 0, "a socket");
  const int on = 1;
  setsockopt(member.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* there = reinterpret_cast<const sockaddr*>(&address);
  need(::connect(member.socket, there, sizeof address) == 0 || errno == EINPROGRESS, "connecting");
  member.reader = FrameReader();
  member.handshake.emplace(key_, hosts_[static_cast<std::size_t>(member.index)],
                           trainit::coordination::random_nonce());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &member;
  need(epoll_ctl(epoll_, EPOLL_CTL_ADD, member.socket, &event) == 0, "epoll_ctl");
}

void Crowd::come_again() {
  for (; !again_.empty() && again_.front().first <= now(); again_.pop_front())
    connect(*again_.front().second);
}

void Crowd::fail_one() {
  message::StopBegan began;
  began.text = fmt::format("rank {} (pid 7) ended with code {}", members_.size(), kFailed);
  send(members_.back(), began);
}

void Crowd::end_all() {
  for (const Member& member : members_)
    send(member, end_of(member.index, &member == &members_.back()));
}

void Crowd::all_heard() {
  for (const Member& member : members_) send(member, message::Heard{});
}

void Crowd::run_until(Stage stage) {
  while (at_stage_[static_cast<std::size_t>(stage)] < members_.size()) {
    if (now() - last_heard_ > kSilence)
      fail(fmt::format("{} of {} members have reached stage {}, and nothing comes any more",
                       at_stage_[static_cast<std::size_t>(stage)], members_.size(),
                       static_cast<int>(stage)));
    run_once(now() + kBetweenTurns);
  }
}

void Crowd::run_for(double seconds) {
  const double end = now() + seconds;
  while (now() < end) run_once(end);
}

void Crowd::run_once(double until) {
  std::array<epoll_event, 256> ready;
  double wait = std::min(until, next_beat_) - now();
  if (!again_.empty()) wait = std::min(wait, again_.front().first - now());
  const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()),
                               std::max(0, static_cast<int>(wait * 1e3) + 1));
  need(count >= 0 || errno == EINTR, "epoll_wait");  // who is stopped and goes on is interrupted
  for (int i = 0; i < count; ++i)
    read(*static_cast<Member*>(ready[static_cast<std::size_t>(i)].data.ptr));
  come_again();
  if (now() >= next_beat_) beat();
}

/// Every second of each, a tenth of them at a time: they were not started at one stroke.
void Crowd::beat() {
  next_beat_ += kBetweenTurns;
  turn_ = (turn_ + 1) % kTurns;
  for (std::size_t index = turn_; index < members_.size(); index += kTurns) {
    const Member& member = members_[index];
    if (member.stage == Stage::kGone || member.echo == 0) continue;
    const std::int64_t time = microseconds();
    send(member, message::Heartbeat{time, member.echo, time - member.echo_came});
  }
}

void Crowd::read(Member& member) {
  std::array<char, 65536> buffer;
  const ssize_t count = recv(member.socket, buffer.data(), buffer.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return lose(member);
  last_heard_ = now();
  member.reader.feed({buffer.data(), static_cast<std::size_t>(count)});
  while (member.socket >= 0) {
    const auto message = member.reader.next();
    if (!message) fail("the leader sent " + message.error().message);
    if (!*message) return;
    std::visit([&](const auto& what) { handle(member, what); }, **message);
  }
}

void Crowd::lose(Member& member) {
  if (member.stage != Stage::kComing) fail("the leader has closed a member's connection");
  ++turned_away_;
  close(member);
  again_.emplace_back(now() + kAgain, &member);
}

void Crowd::close(Member& member) {
  ::close(member.socket);
  member.socket = -1;
}

void Crowd::send(const Member& member, const Message& message) {
  const std::string frame = trainit::coordination::encode(message);
  const ssize_t sent = ::send(member.socket, frame.data(), frame.size(), MSG_NOSIGNAL);
  need(sent >= 0, "sending");
  if (static_cast<std::size_t>(sent) != frame.size()) fail("the leader does not read");
}

void Crowd::step(Member& member, Stage from, Stage to) {
  if (member.stage != from)
    fail(fmt::format("member {} went from stage {} to {}", member.index,
                     static_cast<int>(member.stage), static_cast<int>(to)));
  --at_stage_[static_cast<std::size_t>(from)];
  ++at_stage_[static_cast<std::size_t>(to)];
  member.stage = to;
}

void Crowd::handle(Member& member, const message::Challenge& challenge) {
  const auto answer = member.handshake->answer(challenge);
  if (!answer) fail(answer.error().message);
  send(member, *answer);
}

void Crowd::handle(Member& member, const message::Welcome& welcome) {
  if (!member.handshake->accepts(welcome)) fail("the leader is of another job");
  send(member, report_);
}

void Crowd::handle(Member&, const message::Refusal& refusal) { fail("refused: " + refusal.why); }

void Crowd::handle(Member& member, const message::Heartbeat& beat) {
  member.echo = beat.clock;
  member.echo_came = microseconds();
}

void Crowd::handle(Member& member, const message::Agreed& agreed) {
  const auto& ranks = agreed.agreement;
  if (ranks.host_rank != member.index || ranks.first_rank != member.index ||
      ranks.world_size != static_cast<int>(hosts_.size()))
    fail(
        fmt::format("host {} got rank {} of {}", member.index, ranks.first_rank, ranks.world_size));
  step(member, Stage::kComing, Stage::kTogether);
}

void Crowd::handle(Member& member, const message::Stop& stop) {
  if (stop.reason != StopReason::kWorkerFailed || stop.host != hosts_.back())
    fail("told to stop because of " + stop.host + ": " + stop.text);
  step(member, Stage::kTogether, Stage::kStopped);
}

void Crowd::handle(Member& member, const message::Outcome& outcome) {
  if (outcome.verdict.exit_code != kFailed) fail("the outcome is " + outcome.verdict.failure);
  step(member, Stage::kStopped, Stage::kJudged);
}

void Crowd::handle(Member& member, const message::Leave&) {
  step(member, Stage::kJudged, Stage::kGone);
  close(member);
}

template <class Other>
void Crowd::handle(Member& member, const Other&) {
  fail(fmt::format("member {} got what is only for a hub", member.index));
}

}  // namespace hosts_load

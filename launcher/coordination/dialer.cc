#include "coordination/dialer.h"

#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::coordination {
namespace {

using namespace std::chrono_literals;

constexpr auto kAgain = 500ms;

/// A challenge, a welcome, or a refusal with its sentence.
constexpr std::size_t kMostGreeting = 4096;

/// Thousands of hosts that start together should not knock together for ever.
sys::Duration pause_before_next() {
  const auto byte = static_cast<unsigned char>(random_nonce()[0]);
  return kAgain + byte * 1ms;
}

}  // namespace

Dialer::Dialer(sys::EventLoop& loop, Setup setup)
    : loop_(loop), setup_(std::move(setup)), resolver_(loop, setup_.servers) {}

Dialer::~Dialer() { stop_trying(); }

void Dialer::stop_trying() {
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  if (socket_) loop_.unwatch(socket_.borrow());
  socket_.reset();
  connection_.reset();
}

void Dialer::set_timer(sys::Duration delay, void (Dialer::*then)()) {
  if (timer_) loop_.cancel(*timer_);
  timer_ = loop_.after(delay, [this, then] {
    timer_.reset();
    (this->*then)();
  });
}

void Dialer::dial() {
  stop_trying();
  resolver_.look_up(setup_.leader, setup_.patience.look_up,
                    [this](const Result<std::vector<sys::Address>>& found) {
                      if (!found) {
                        return failed(fmt::format("the leader {} has no address yet ({})",
                                                  setup_.leader, found.error().message));
                      }
                      addresses_.assign(found->rbegin(), found->rend());
                      try_next_address();
                    });
}

void Dialer::dial_again() { set_timer(pause_before_next(), &Dialer::dial); }

void Dialer::try_next_address() {
  address_ = addresses_.back();
  addresses_.pop_back();
  connect_to(*address_);
}

void Dialer::connect_to(const sys::Address& address) {
  socklen_t size = 0;
  const sockaddr_storage where = address.socket_address(setup_.port, size);
  socket_ =
      sys::UniqueFd(posix::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return failed("no socket: " + sys::errno_text(errno));
  prepare_socket(socket_);
  if (posix::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0)
    return on_connected();
  if (errno != EINPROGRESS) {
    return failed(fmt::format("the leader {} cannot be reached at {}: {}", setup_.leader,
                              address.text(), sys::errno_text(errno)));
  }
  const auto watched =
      loop_.watch(socket_.borrow(), EPOLLOUT, [this](std::uint32_t) { on_connected(); });
  if (!watched) return failed(watched.error().message);
  doing_ = fmt::format("the leader {} does not answer at {} port {}", setup_.leader, address.text(),
                       setup_.port);
  set_timer(setup_.patience.connect, &Dialer::too_late);
}

void Dialer::on_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  posix::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  loop_.unwatch(socket_.borrow());
  if (error != 0) {
    socket_.reset();
    return failed(error == ECONNREFUSED
                      ? fmt::format("the leader {} refuses port {}", setup_.leader, setup_.port)
                      : fmt::format("the leader {} cannot be reached at {} port {}: {}",
                                    setup_.leader, address_->text(), setup_.port,
                                    sys::errno_text(error)));
  }
  handshake_.emplace(setup_.key, setup_.host, random_nonce());
  connection_ = std::make_unique<Connection>(loop_, std::move(socket_));
  connection_->limit(kMostGreeting);
  doing_ =
      fmt::format("the leader {} does not say who it is at port {}", setup_.leader, setup_.port);
  set_timer(setup_.patience.shake_hands, &Dialer::too_late);
  const Result<void> listening =
      connection_->listen({.received = [this](const Message& message) { hear(message); },
                           .closed =
                               [this](const std::string& how) {
                                 failed(fmt::format("the leader {} {}", setup_.leader, how));
                               }});
  if (!listening) failed(listening.error().message);
}

void Dialer::hear(const Message& message) {
  if (const auto* challenge = std::get_if<message::Challenge>(&message)) {
    const auto answer = handshake_->answer(*challenge);
    if (!answer) {
      return failed(fmt::format("what answers at {} port {} is no trainit: {}", address_->text(),
                                setup_.port, answer.error().message));
    }
    return connection_->send(*answer);
  }
  if (const auto* refusal = std::get_if<message::Refusal>(&message)) {
    if (refusal->final) {
      stop_trying();
      return setup_.refused(refusal->why);
    }
    turned_away_ = refusal->why;
    return try_on(
        fmt::format("the leader {} turns this host away: {}", setup_.leader, turned_away_));
  }
  const auto* welcome = std::get_if<message::Welcome>(&message);
  if (welcome == nullptr || !handshake_->accepts(*welcome)) {
    return failed(fmt::format("what answers at {} port {} does not belong to this job",
                              address_->text(), setup_.port));
  }
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  told_.clear();
  turned_away_.clear();
  connection_->limit(kMostFrame);
  setup_.joined(std::move(connection_), *address_);
}

void Dialer::too_late() { failed(doing_); }

void Dialer::failed(const std::string& why) {
  // When the leader has given up, this says more than that it is gone.
  try_on(turned_away_.empty() ? why : why + ", and had turned this host away: " + turned_away_);
}

void Dialer::try_on(const std::string& why) {
  stop_trying();
  // Another address of the leader may do; that this one does not is no news then.
  if (!addresses_.empty()) return try_next_address();
  dial_again();
  if (told_ == why) return;
  told_ = why;
  setup_.waiting(why);
}

}  // namespace trainit::coordination

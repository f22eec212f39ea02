#include "store/server.h"

#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::store {
namespace {

using namespace std::chrono_literals;

/// What one read takes; a client with more to say waits for its next turn.
constexpr std::size_t kReadBytes = 64 << 10;

/// Connections accepted before others have their turn.
constexpr int kAcceptsPerTurn = 64;

/// A client that leaves more than this unread is not listened to until it has read.
constexpr std::size_t kMostUnsent = 1 << 20;

/// How long a request may be ambiguous (see Session::is_undecided). Torch 2.1 sends both halves of
/// what it could also be in one go.
constexpr auto kDecideAfter = 100ms;

/// So many say nothing, or leave without a word, before that is worth a line. Workers' clients
/// speak at once.
constexpr std::size_t kCrowd = 1000;
constexpr int kScan = 64;

/// A request of which more has come is one of somebody who sends much.
constexpr std::size_t kSmall = 64 << 10;

/// How long nobody is accepted after the kernel had no descriptor or memory for one.
constexpr auto kRest = 100ms;

}  // namespace

Result<std::unique_ptr<Server>> Server::start(sys::EventLoop& loop, const sys::Listener& listener,
                                              ServerOptions options) {
  std::unique_ptr<Server> server(new Server(loop, listener, std::move(options)));
  TRAINIT_TRY(server->watch_listener());
  return server;
}

Server::Server(sys::EventLoop& loop, const sys::Listener& listener, ServerOptions options)
    : loop_(loop),
      listener_(listener),
      options_(std::move(options)),
      spaces_(options_.world_size),
      context_{spaces_, options_.joined, options_.joined_nameless, {}},
      complaints_(options_.complain),
      buffer_(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

Server::~Server() {
  for (const sys::UniqueFd& socket : listener_.sockets()) loop_.unwatch(socket.borrow());
  for (const auto& connection : connections_) {
    if (connection) loop_.unwatch(connection->fd.borrow());
  }
}

Result<void> Server::watch_listener() {
  for (const sys::UniqueFd& socket : listener_.sockets()) {
    const sys::BorrowedFd fd = socket.borrow();
    TRAINIT_TRY(loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_from(fd); }));
  }
  return {};
}

bool Server::is_allowed(const sys::Address& address) const {
  return std::any_of(options_.allowed.begin(), options_.allowed.end(),
                     [&](const sys::AddressRange& range) { return range.contains(address); });
}

void Server::accept_from(sys::BorrowedFd listening) {
  using Result = sys::Accepted::Result;
  for (int turn = 0; turn < kAcceptsPerTurn; ++turn) {
    sys::Accepted accepted = sys::accept_from(listening);
    if (accepted.result == Result::kNobody) return;
    if (accepted.result == Result::kNoRoom) {
      // That there is no descriptor is said before it is looked whether anybody wants one. If so,
      // the next turn begins with it; and whoever has just come gets a chance to speak until then.
      if (turn == 0) no_room();
      return;
    }
    if (accepted.result == Result::kConnection) add(std::move(accepted.socket), accepted.address);
  }
}

void Server::add(sys::UniqueFd socket, const sys::Address& address) {
  const bool loopback = address.is_loopback();
  const bool is_ours = !loopback && sys::is_from_here(socket.borrow(), address);
  if (!is_ours && !is_allowed(address)) return complaints_.foreign(address.text());
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const ClientId client = socket.get();
  const auto index = static_cast<std::size_t>(client);
  if (index >= connections_.size()) connections_.resize(index + 1);
  const auto watched = loop_.watch(
      socket.borrow(), EPOLLIN, [this, client](std::uint32_t events) { on_ready(client, events); });
  if (!watched) return complaints_.full("cannot serve a connection: " + watched.error().message);
  // A process may use several addresses of its own machine.
  std::string place = is_ours || loopback ? std::string(kThisMachine) : address.text();
  connections_[index] =
      std::make_unique<Connection>(std::move(socket), client, std::move(place), context_);
  connections_[index]->serial = next_serial_++;
  if (++open_ > kCrowd) look_later();
}

/// Strangers that say nothing must not keep a worker out.
void Server::no_room() {
  const std::string trouble =
      fmt::format("has no descriptor left for more connections ({}): ", sys::errno_text(errno));
  if (close_oldest_silent())
    return complaints_.full(trouble + "it closes those that have said nothing");
  complaints_.full(trouble + "whoever comes waits until somebody leaves");
  for (const sys::UniqueFd& socket : listener_.sockets())
    [[maybe_unused]] const auto paused = loop_.change(socket.borrow(), 0);
  later(kRest, [this] { listen_again(); });
}

void Server::listen_again() {
  bool all = true;
  for (const sys::UniqueFd& socket : listener_.sockets())
    all = loop_.change(socket.borrow(), EPOLLIN).has_value() && all;
  if (!all) later(kRest, [this] { listen_again(); });
}

void Server::later(sys::Duration delay, std::function<void()> action) {
  loop_.after(delay, [alive = std::weak_ptr(alive_), action = std::move(action)] {
    if (alive.lock()) action();
  });
}

void Server::look_later() {
  if (std::exchange(looks_, true)) return;
  later(options_.look_every, [this] {
    looks_ = false;
    look_for_odd_ones();
  });
}

/// Each of them costs next to nothing, and so none is closed; but somebody may want to know.
void Server::look_for_odd_ones() {
  std::size_t silent = 0;
  bool half = false;
  for (const auto& connection : connections_) {
    if (!connection) continue;
    const Session& session = connection->session;
    if (session.is_silent() && connection->serial < serial_at_last_look_) ++silent;
    if (session.pending_bytes() == 0 || session.pending_bytes() > kSmall) continue;
    if (session.has_more() || connection->unsent() > 0) continue;  // it is the answers that wait
    half = true;
    if (connection->half_since < look_) complaints_.slow(session.place());
  }
  if (silent > kCrowd && !serves_older_) complaints_.crowded(kCrowd);
  ++look_;
  serial_at_last_look_ = next_serial_;
  if (half || open_ > kCrowd) look_later();
}

void Server::note_half(Connection& connection) {
  const std::uint64_t requests = connection.session.requests();
  if (connection.half_since == 0 || connection.half_after != requests) {
    connection.half_after = requests;
    connection.half_since = look_;
  }
  look_later();
}

/// The second connection of a client before torch 2.1 never says anything.
void Server::note_gone(const Connection& connection) {
  const Session& session = connection.session;
  if (session.pending_bytes() > 0) complaints_.lost_half();
  if (session.pending_bytes() > 0 || !session.is_silent() || serves_older_) return;
  if (++left_silent_ == kScan) complaints_.scanned(kScan, session.place());
}

Server::Connection* Server::oldest_silent() const {
  Connection* oldest = nullptr;
  for (const auto& connection : connections_) {
    if (!connection || !connection->session.is_silent()) continue;
    if (oldest == nullptr || connection->serial < oldest->serial) oldest = connection.get();
  }
  return oldest;
}

/// One that has said something which nobody has read yet is heard before it is judged.
bool Server::close_oldest_silent() {
  while (Connection* oldest = oldest_silent()) {
    char byte;
    if (posix::recv(oldest->fd.get(), &byte, sizeof byte, MSG_PEEK) <= 0) {
      close(*oldest);
      return true;
    }
    receive(*oldest);
  }
  return false;
}

void Server::on_ready(ClientId client, std::uint32_t events) {
  Connection& connection = *connections_[static_cast<std::size_t>(client)];
  if ((events & EPOLLOUT) != 0) {
    if (!write_out(connection)) return close(connection);
    if (connection.unsent() == 0) return take(connection, {});
  }
  if ((events & ~EPOLLOUT) != 0) receive(connection);
}

void Server::receive(Connection& connection) {
  const ssize_t size = posix::recv(connection.fd.get(), buffer_.get(), kReadBytes, 0);
  if (size > 0) return take(connection, {buffer_.get(), static_cast<std::size_t>(size)});
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // What it asked for before it ended is still answered.
  if (size == 0 && (connection.unsent() > 0 || connection.session.has_more())) {
    connection.ended = true;
    if (!watch_for(connection)) close(connection);
    return;
  }
  note_gone(connection);
  close(connection);
}

/// Does what a client asked for, and answers, until it has to wait for more or for the client to
/// read. Whoever is woken by that has his answer before anything else is read.
void Server::take(Connection& connection, std::string_view bytes) {
  do {
    answers_.clear();
    const auto refusal = connection.session.take(std::exchange(bytes, {}), answers_);
    const std::vector<ClientId> woken = connection.session.take_woken();
    const bool sent = send(connection, answers_);
    if (!sent) {
      close(connection);
    } else if (refusal) {
      refuse(connection, *refusal);
    }
    wake(woken);
    if (!sent || refusal) return;
  } while (connection.session.has_more() && connection.unsent() == 0);
  serves_older_ = serves_older_ || connection.session.is_older();
  if (connection.session.pending_bytes() > 0) note_half(connection);
  const bool is_over = connection.ended && connection.unsent() == 0;
  if (is_over || !watch_for(connection)) return close(connection);
  if (!connection.session.is_undecided()) return;
  later(kDecideAfter, [this, client = connection.fd.get(), serial = connection.serial] {
    settle(client, serial);
  });
}

void Server::settle(ClientId client, std::uint64_t serial) {
  const auto& connection = connections_[static_cast<std::size_t>(client)];
  if (!connection || connection->serial != serial || !connection->session.is_undecided()) return;
  connection->session.settle();
  take(*connection, {});
}

void Server::wake(const std::vector<ClientId>& clients) {
  for (const ClientId client : clients) {
    Connection& connection = *connections_[static_cast<std::size_t>(client)];
    std::string answer(1, kStopWaiting);
    if (!send(connection, answer) || !watch_for(connection)) close(connection);
  }
}

/// Sends what the kernel takes, and keeps the rest, for which `answers` may be given away. False:
/// the client is gone.
bool Server::send(Connection& connection, std::string& answers) {
  if (answers.empty()) return true;
  if (connection.unsent() > 0) {
    connection.out += answers;
    return true;
  }
  const ssize_t sent =
      posix::send(connection.fd.get(), answers.data(), answers.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (taken == answers.size()) return true;
  connection.out = std::exchange(answers, {});
  connection.sent = taken;
  return true;
}

bool Server::write_out(Connection& connection) {
  const char* rest = connection.out.data() + connection.sent;
  const ssize_t sent = posix::send(connection.fd.get(), rest, connection.unsent(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  connection.sent += static_cast<std::size_t>(sent);
  if (connection.unsent() > 0) return true;
  connection.out = std::string();
  connection.sent = 0;
  return true;
}

/// False: the loop cannot watch it any more.
bool Server::watch_for(Connection& connection) {
  const bool reads =
      !connection.ended && connection.unsent() <= kMostUnsent && !connection.session.has_more();
  std::uint32_t events = 0;
  if (reads) events |= EPOLLIN;
  if (connection.unsent() > 0) events |= EPOLLOUT;
  return loop_.change(connection.fd.borrow(), events).has_value();
}

void Server::refuse(Connection& connection, Refusal refusal) {
  complaints_.refused(refusal, connection.session.place());
  close(connection);
}

void Server::close(Connection& connection) {
  loop_.unwatch(connection.fd.borrow());
  connections_[static_cast<std::size_t>(connection.fd.get())].reset();
  --open_;
}

}  // namespace trainit::store

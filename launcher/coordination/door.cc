#include "coordination/door.h"

#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::coordination {
namespace {

using namespace std::chrono_literals;

constexpr int kAcceptsPerTurn = 64;

/// A name and two hashes.
constexpr std::size_t kMostAnswer = 1024;

/// How long nobody is accepted after the kernel had no descriptor or memory for one.
constexpr auto kRest = 100ms;

/// What a refused guest gets to read why.
constexpr auto kReads = 1s;

}  // namespace

Result<std::unique_ptr<Door>> Door::open(sys::EventLoop& loop, Setup setup) {
  std::unique_ptr<Door> door(new Door(loop, std::move(setup)));
  for (const sys::UniqueFd& socket : door->setup_.listener.sockets()) {
    const sys::BorrowedFd fd = socket.borrow();
    TRAINIT_TRY(
        loop.watch(fd, EPOLLIN, [self = door.get(), fd](std::uint32_t) { self->accept_from(fd); }));
  }
  return door;
}

Door::Door(sys::EventLoop& loop, Setup setup) : loop_(loop), setup_(std::move(setup)) {
  for (const std::string& host : setup_.hosts)
    indices_.emplace(host, static_cast<int>(indices_.size()));
}

Door::~Door() {
  for (const sys::UniqueFd& socket : setup_.listener.sockets()) loop_.unwatch(socket.borrow());
  for (const Guest& guest : guests_) loop_.cancel(guest.timer);
  if (rest_timer_) loop_.cancel(*rest_timer_);
}

void Door::accept_from(sys::BorrowedFd listening) {
  using Result = sys::Accepted::Result;
  for (int turn = 0; turn < kAcceptsPerTurn; ++turn) {
    sys::Accepted accepted = sys::accept_from(listening);
    if (accepted.result == Result::kNobody) return;
    if (accepted.result == Result::kNoRoom && !make_room()) return rest();
    if (accepted.result == Result::kConnection)
      let_in(std::move(accepted.socket), accepted.address);
  }
}

/// Who has not said who it is for the longest time keeps nobody out.
bool Door::make_room() {
  complain("room", fmt::format("the control port cannot accept connections now: {}",
                               sys::errno_text(errno)));
  if (guests_.empty()) return false;
  show_out(guests_.begin());
  return true;
}

/// A connection that cannot be accepted stays in the queue, and would keep us awake.
void Door::rest() {
  if (rest_timer_) return;
  for (const sys::UniqueFd& socket : setup_.listener.sockets()) {
    [[maybe_unused]] const Result<void> paused = loop_.change(socket.borrow(), 0);
  }
  rest_timer_ = loop_.after(kRest, [this] { listen_again(); });
}

/// The kernel may have no memory for that either.
void Door::listen_again() {
  rest_timer_.reset();
  bool all = true;
  for (const sys::UniqueFd& socket : setup_.listener.sockets())
    all = loop_.change(socket.borrow(), EPOLLIN) && all;
  if (!all) rest_timer_ = loop_.after(kRest, [this] { listen_again(); });
}

void Door::let_in(sys::UniqueFd socket, const sys::Address& address) {
  if (!setup_.is_allowed(address)) {
    if (!setup_.knows_hosts()) return;
    return complain("foreign", fmt::format("the control port is closed to {}, which is no host of "
                                           "this job as far as their names have addresses",
                                           address.text()));
  }
  if (guests_.size() >= most_guests()) {
    complain("crowd", fmt::format("more than {} connections to the control port at once have not "
                                  "said who they are: the oldest are closed",
                                  most_guests()));
    show_out(guests_.begin());
  }
  prepare_socket(socket);
  auto connection = std::make_unique<Connection>(loop_, std::move(socket));
  const auto guest = guests_.insert(
      guests_.end(),
      Guest{std::move(connection), HubHandshake(setup_.key, random_nonce()), address});
  guest->connection->limit(kMostAnswer);
  guest->timer = loop_.after(setup_.answers, [this, guest] {
    complain("silent", fmt::format("{} connected to the control port and did not say who it is",
                                   guest->address.text()));
    show_out(guest);
  });
  const Result<void> listening = guest->connection->listen(
      {.received = [this, guest](const Message& message) { hear(guest, message); },
       .closed =
           [this, guest](const std::string& how) {
             // Who only looks whether the port is open is not worth a word.
             if (how.starts_with("sent"))
               complain("odd",
                        fmt::format("{} {}, at the control port", guest->address.text(), how));
             show_out(guest);
           }});
  if (!listening) return show_out(guest);
  guest->connection->send(guest->handshake.challenge());
}

void Door::hear(Guests::iterator guest, const Message& message) {
  if (guest->leaving) return;
  const auto* answer = std::get_if<message::Answer>(&message);
  if (answer == nullptr) {
    complain("odd", fmt::format("{} sent to the control port what is no answer to its challenge",
                                guest->address.text()));
    return show_out(guest);
  }
  const auto judged = guest->handshake.judge(
      *answer, [this](std::string_view host) { return index_of(host) >= 0; });
  if (const auto* refusal = std::get_if<message::Refusal>(&judged)) {
    complain("refused", fmt::format("{} at {} is turned away from the control port: {}",
                                    answer->host, guest->address.text(), refusal->why));
    return refuse(guest, *refusal);
  }
  const std::string closed = setup_.why_closed();
  if (!closed.empty()) return refuse(guest, {closed, true});
  std::unique_ptr<Connection> connection = std::move(guest->connection);
  const sys::Address address = guest->address;
  loop_.cancel(guest->timer);
  guests_.erase(guest);
  connection->limit(kMostFrame);
  connection->send(std::get<message::Welcome>(judged));
  setup_.joined(index_of(answer->host), address, std::move(connection));
}

void Door::refuse(Guests::iterator guest, message::Refusal refusal) {
  guest->leaving = true;
  guest->connection->send(refusal);
  loop_.cancel(guest->timer);
  guest->timer = loop_.after(kReads, [this, guest] { show_out(guest); });
}

void Door::show_out(Guests::iterator guest) {
  loop_.cancel(guest->timer);
  guests_.erase(guest);
}

/// Who have not proved who they are, at once: all hosts may come at the same moment.
std::size_t Door::most_guests() const { return setup_.most_strangers + setup_.hosts.size(); }

int Door::index_of(std::string_view host) const {
  const auto found = indices_.find(host);
  return found == indices_.end() ? -1 : found->second;
}

void Door::complain(const char* kind, const std::string& sentence) {
  if (complained_.insert(kind).second) setup_.complain(sentence);
}

}  // namespace trainit::coordination

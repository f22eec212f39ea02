#include "names/channel.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"

// c-ares refers to these for names of services, and is never asked for one. The C library's own
// would bring its name service switch, which loads modules of the image, into a static binary.
extern "C" servent* getservbyname(const char*, const char*) { return nullptr; }
extern "C" int getservbyport_r(int, const char*, servent*, char*, std::size_t, servent** found) {
  *found = nullptr;
  return ENOENT;
}

namespace trainit::names {
namespace {

/// Until a server is asked again; each time twice as long. A lost packet is nothing rare where a
/// thousand hosts start at once.
constexpr int kFirstTimeoutMilliseconds = 1000;
constexpr int kTries = 4;

std::vector<sys::Address> addresses_of(const ares_addrinfo& info) {
  std::vector<sys::Address> addresses, of_ipv6;
  for (const ares_addrinfo_node* node = info.nodes; node != nullptr; node = node->ai_next) {
    sockaddr_storage socket = {};
    std::copy_n(reinterpret_cast<const char*>(node->ai_addr),
                std::min<std::size_t>(node->ai_addrlen, sizeof socket),
                reinterpret_cast<char*>(&socket));
    const auto address = sys::Address::of(socket);
    auto& alike = address.is_ipv4() ? addresses : of_ipv6;
    if (std::find(alike.begin(), alike.end(), address) == alike.end()) alike.push_back(address);
  }
  addresses.insert(addresses.end(), of_ipv6.begin(), of_ipv6.end());
  return addresses;
}

std::string server_text(const ares_addr_port_node& server) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(server.family, &server.addr, text, sizeof text);
  return text;
}

}  // namespace

Result<std::unique_ptr<Channel>> Channel::open(sys::EventLoop& loop, const Servers& servers,
                                               std::function<void()> worked) {
  std::unique_ptr<Channel> channel(new Channel(loop, servers, std::move(worked)));
  ares_options options = {};
  options.resolvconf_path = channel->servers_.resolv_conf.data();
  options.udp_port = options.tcp_port = servers.port;
  options.timeout = kFirstTimeoutMilliseconds;
  options.tries = kTries;
  options.sock_state_cb = changed;
  options.sock_state_cb_data = channel.get();
  const int status =
      ares_init_options(&channel->channel_, &options,
                        ARES_OPT_RESOLVCONF | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT |
                            ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) return fail("preparing to ask DNS", channel->error(status));
  return channel;
}

Channel::Channel(sys::EventLoop& loop, const Servers& servers, std::function<void()> worked)
    : loop_(loop), servers_(servers), worked_(std::move(worked)) {
  ares_library_init(ARES_LIB_INIT_ALL);
}

Channel::~Channel() {
  if (channel_ != nullptr) ares_destroy(channel_);
  loop_.cancel(timer_);
  ares_library_cleanup();
}

void Channel::ask(const std::string& name, std::optional<Answer>& answer) {
  questions_.push_back({*this, answer});
  ares_addrinfo_hints hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT;  // sorting opens a socket for each address
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, answered, &questions_.back());
  set_timer();
}

void Channel::give_up() { ares_cancel(channel_); }

void Channel::answered(void* question, int status, int, ares_addrinfo* info) {
  const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owned(info, ares_freeaddrinfo);
  if (status == ARES_EDESTRUCTION) return;  // nobody waits any more
  const auto& [channel, answer] = *static_cast<Question*>(question);
  if (status == ARES_SUCCESS && info != nullptr && info->nodes != nullptr) {
    answer = addresses_of(*info);
  } else {
    answer = tl::unexpected(channel.error(status == ARES_SUCCESS ? ARES_ENODATA : status));
  }
}

void Channel::changed(void* channel, int fd, int readable, int writable) {
  static_cast<Channel*>(channel)->wait_for(
      fd, (readable != 0 ? EPOLLIN : 0u) | (writable != 0 ? EPOLLOUT : 0u));
}

void Channel::wait_for(int fd, std::uint32_t events) {
  const sys::BorrowedFd socket(fd);
  if (events == 0) {  // it is about to be closed
    loop_.unwatch(socket);
    watched_.erase(fd);
    return;
  }
  const auto ready = [this, fd](std::uint32_t happened) {
    const std::uint32_t broken = happened & (EPOLLERR | EPOLLHUP);
    process((happened & EPOLLIN) != 0 || broken != 0 ? fd : ARES_SOCKET_BAD,
            (happened & EPOLLOUT) != 0 || broken != 0 ? fd : ARES_SOCKET_BAD);
  };
  const auto watched =
      watched_.contains(fd) ? loop_.change(socket, events) : loop_.watch(socket, events, ready);
  if (watched) {
    watched_.insert(fd);
  } else {
    refused_watch_ = watched.error().message;
  }
}

void Channel::process(int readable, int writable) {
  ares_process_fd(channel_, readable, writable);
  set_timer();
  const auto worked = worked_;  // it may destroy this
  worked();
}

void Channel::set_timer() {
  loop_.cancel(std::exchange(timer_, 0));
  timeval next = {};
  if (ares_timeout(channel_, nullptr, &next) == nullptr) return;
  timer_ = loop_.after(std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec),
                       [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

Error Channel::error(int status) const {
  switch (status) {
    case ARES_ENOTFOUND:
      return {"no such name"};
    case ARES_ENODATA:
      return {"the name has no address"};
    case ARES_EBADNAME:
      return {"no host has such a name"};
    case ARES_ENOMEM:
      return {"out of memory"};
    case ARES_ECONNREFUSED:  // also for SERVFAIL and REFUSED, which make it turn to the next server
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
      return {why_unanswered()};
    default:
      return {fmt::format("DNS: {}: {}", ares_strerror(status), server_texts())};
  }
}

std::string Channel::why_unanswered() const {
  if (!asks_dns()) return "it is not in /etc/hosts, and /etc/nsswitch.conf names no DNS";
  if (!refused_watch_.empty()) return "DNS cannot be heard: " + refused_watch_;
  return "no DNS server could answer: " + server_texts();
}

bool Channel::asks_dns() const {
  ares_options options = {};
  int known = 0;
  if (ares_save_options(channel_, &options, &known) != ARES_SUCCESS) return true;
  const bool asks = options.lookups == nullptr || std::strchr(options.lookups, 'b') != nullptr;
  ares_destroy_options(&options);
  return asks;
}

std::string Channel::server_texts() const {
  ares_addr_port_node* first = nullptr;
  if (channel_ == nullptr || ares_get_servers_ports(channel_, &first) != ARES_SUCCESS)
    return "unknown";
  const std::unique_ptr<ares_addr_port_node, decltype(&ares_free_data)> owned(first,
                                                                              ares_free_data);
  std::vector<std::string> texts;
  for (const auto* server = first; server != nullptr; server = server->next)
    texts.push_back(server_text(*server));
  const bool unread = ::access(servers_.resolv_conf.c_str(), R_OK) != 0;
  return join(texts, ", ") +
         (unread ? fmt::format(", as {} cannot be read", servers_.resolv_conf) : "");
}

}  // namespace trainit::names

#include "names/dns_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>

using namespace trainit::sys;

namespace {

constexpr std::size_t kHeader = 12;
constexpr int kIpv4Question = 1;
constexpr int kIpv6Question = 28;
constexpr char kAnswers = '\x81';  ///< a response to a question that wanted recursion
constexpr char kTruncated = '\x02';

struct Question {
  std::string name;
  int type = 0;
  std::size_t end = kHeader;
};

Question parse(std::string_view message) {
  Question question;
  while (message.at(question.end) != 0) {
    const auto length = static_cast<unsigned char>(message[question.end]);
    question.name += (question.name.empty() ? "" : ".");
    question.name += message.substr(question.end + 1, length);
    question.end += 1u + length;
  }
  question.type = static_cast<unsigned char>(message.at(question.end + 2));
  question.end += 5;
  return question;
}

/// The resource record of an address for the name in the question.
std::string record(const Address& address) {
  socklen_t size = 0;
  const sockaddr_storage socket = address.socket_address(0, size);
  std::string data;
  if (address.is_ipv4()) {
    data.assign(
        reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in&>(socket).sin_addr), 4);
  } else {
    data.assign(
        reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6&>(socket).sin6_addr),
        16);
  }
  std::string record("\xc0\x0c\0\0\0\1\0\0\0\x3c\0\0", 12);
  record[3] = static_cast<char>(address.is_ipv4() ? kIpv4Question : kIpv6Question);
  record[11] = static_cast<char>(data.size());
  return record + data;
}

std::string response(std::string_view message, const Question& question, bool truncated,
                     DnsServer::Code code, const std::vector<std::string>& records) {
  std::string text(message.substr(0, question.end));
  text[2] = static_cast<char>(kAnswers | (truncated ? kTruncated : 0));
  text[3] = static_cast<char>(0x80 | code);
  text.replace(6, 6, std::string(6, '\0'));
  text[7] = static_cast<char>(records.size());
  for (const std::string& each : records) text += each;
  return text;
}

}  // namespace

DnsServer::DnsServer(EventLoop& loop, const std::string& address, int port) : loop_(loop) {
  // A port that is free for one protocol may be taken for the other.
  for (int tries = 0; !bind(*Address::parse(address), port); ++tries) REQUIRE(tries < 100);
  REQUIRE(::listen(tcp_.get(), 16) == 0);
  REQUIRE(loop_.watch(udp_.borrow(), EPOLLIN, [this](std::uint32_t) { take_datagrams(); }));
  REQUIRE(loop_.watch(tcp_.borrow(), EPOLLIN, [this](std::uint32_t) { accept_connection(); }));
}

DnsServer::~DnsServer() {
  loop_.unwatch(udp_.borrow());
  loop_.unwatch(tcp_.borrow());
  for (const UniqueFd& connection : connections_) loop_.unwatch(connection.borrow());
}

bool DnsServer::bind(const Address& address, int port) {
  udp_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  tcp_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  socklen_t size = 0;
  sockaddr_storage here = address.socket_address(port, size);
  auto* const any = reinterpret_cast<sockaddr*>(&here);
  if (::bind(udp_.get(), any, size) != 0 || ::getsockname(udp_.get(), any, &size) != 0)
    return false;
  port_ = ntohs(reinterpret_cast<const sockaddr_in&>(here).sin_port);
  return ::bind(tcp_.get(), any, size) == 0;
}

void DnsServer::take_datagrams() {
  std::array<char, 1024> buffer;
  sockaddr_in peer = {};
  socklen_t size = sizeof peer;
  auto* const any = reinterpret_cast<sockaddr*>(&peer);
  for (ssize_t length;
       (length = ::recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, any, &size)) > 0;) {
    answer({buffer.data(), static_cast<std::size_t>(length)}, true,
           [this, peer](const std::string& text) {
             ::sendto(udp_.get(), text.data(), text.size(), 0,
                      reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
           });
  }
}

void DnsServer::accept_connection() {
  const int fd = ::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  connections_.emplace_back(fd);
  REQUIRE(loop_.watch(BorrowedFd(fd), EPOLLIN, [this, fd](std::uint32_t) {
    std::array<char, 1024> buffer;  // a question is small, and comes whole over loopback
    const ssize_t length = ::read(fd, buffer.data(), buffer.size());
    if (length <= 2) return loop_.unwatch(BorrowedFd(fd));
    for (std::string_view left(buffer.data(), static_cast<std::size_t>(length)); left.size() > 2;) {
      const std::size_t size =
          static_cast<unsigned char>(left[0]) * 256u + static_cast<unsigned char>(left[1]);
      answer(left.substr(2, size), false, [fd](const std::string& text) {
        const std::string frame = {static_cast<char>(text.size() >> 8),
                                   static_cast<char>(text.size())};
        CHECK(::send(fd, (frame + text).data(), text.size() + 2, MSG_NOSIGNAL) > 0);
      });
      left.remove_prefix(std::min(left.size(), size + 2));
    }
  }));
}

void DnsServer::answer(std::string_view message, bool udp,
                       const std::function<void(std::string)>& send) {
  const Question question = parse(message);
  const bool ipv4 = question.type == kIpv4Question;
  asked.push_back((ipv4 ? "A " : "AAAA ") + question.name);
  const auto found = names.find(question.name);
  const Entry entry =
      found == names.end() ? Entry{.addresses = {}, .code = kNoSuchName} : found->second;
  if (!(ipv4 ? entry.answers_ipv4 : entry.answers_ipv6)) return;
  std::vector<std::string> records;
  for (const std::string& text : entry.addresses) {
    const Address address = *Address::parse(text);
    if (address.is_ipv4() == ipv4) records.push_back(record(address));
  }
  const bool truncated = entry.truncated && udp;
  const std::string text = response(message, question, truncated, entry.code,
                                    truncated ? std::vector<std::string>{} : records);
  if (entry.delay == Duration{}) return send(text);
  loop_.after(entry.delay, [send, text] { send(text); });
}

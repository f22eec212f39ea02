#include "exchange.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace store_load {

namespace {

constexpr std::uint32_t kNonce = 4660;

template <typename Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put_text(std::string& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  out += text;
}

std::string& begin_request(Exchange& exchange, char operation) {
  ++exchange.requests;
  return exchange.request += operation;
}

std::string hex(std::string_view bytes) {
  std::string result;
  for (const char byte : bytes.substr(0, 16)) {
    std::array<char, 4> digits{};
    std::snprintf(digits.data(), digits.size(), " %02x", static_cast<unsigned char>(byte));
    result += digits.data();
  }
  return result.empty() ? " nothing" : result;
}

}  // namespace

void fail(const std::string& what) {
  std::fprintf(stderr, "store_load: %s\n", what.c_str());
  std::exit(1);
}

void Exchange::clear() {
  request.clear();
  reply.clear();
  received = 0;
  requests = 0;
}

void validate(Exchange& exchange) { put(begin_request(exchange, 0), std::uint32_t{0x3C85F7CE}); }

void ping(Exchange& exchange) {
  put(begin_request(exchange, 13), kNonce);
  put(exchange.reply, kNonce);
}

void set(Exchange& exchange, std::string_view key, std::string_view value) {
  put_text(begin_request(exchange, 1), key);
  put_text(exchange.request, value);
}

void get(Exchange& exchange, std::string_view key, std::string_view value) {
  put_text(begin_request(exchange, 3), key);
  put_text(exchange.reply, value);
}

void wait(Exchange& exchange, std::string_view key) {
  put(begin_request(exchange, 6), std::uint64_t{1});
  put_text(exchange.request, key);
  exchange.reply += '\0';
}

void add(Exchange& exchange, std::string_view key, std::int64_t delta) {
  put_text(begin_request(exchange, 4), key);
  put(exchange.request, delta);
}

void add(Exchange& exchange, std::string_view key, std::int64_t delta, std::int64_t result) {
  add(exchange, key, delta);
  put(exchange.reply, result);
}

void check(Exchange& exchange, std::string_view came) {
  const auto right = std::string_view(exchange.reply).substr(exchange.received, came.size());
  if (came != right) fail("a wrong answer:" + hex(came) + " instead of" + hex(right));
  exchange.received += came.size();
}

}  // namespace store_load

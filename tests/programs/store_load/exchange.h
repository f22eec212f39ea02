// Requests of the store protocol as clients of torch 2.2 and later send them, and their answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace store_load {

// Says what is wrong, and ends the process with 1.
[[noreturn]] void fail(const std::string& what);

// Requests that are sent at once, and what has to come back for them.
struct Exchange {
  std::string request;
  std::string reply;
  std::size_t received = 0;  // bytes of the reply
  std::uint64_t requests = 0;

  bool answered() const { return received == reply.size(); }
  // Makes it empty, and keeps its memory.
  void clear();
};

// Each appends one request, and its right answer where it has one that is known before.
void validate(Exchange& exchange);
void ping(Exchange& exchange);
void set(Exchange& exchange, std::string_view key, std::string_view value);
void get(Exchange& exchange, std::string_view key, std::string_view value);
void wait(Exchange& exchange, std::string_view key);
void add(Exchange& exchange, std::string_view key, std::int64_t delta);
void add(Exchange& exchange, std::string_view key, std::int64_t delta, std::int64_t result);

// Takes what has come as the next part of the reply. Anything else fails.
void check(Exchange& exchange, std::string_view came);

}  // namespace store_load

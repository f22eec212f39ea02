// What is measured. Each prints one JSON object: times in seconds, memory in bytes.
#pragma once

#include <cstdint>
#include <string>

#include "server.h"

namespace store_load {

// How many requests are answered in these seconds, and what they cost the server. All clients send
// so many requests that `in_flight` answers are due to each, and again when all have all of theirs.
// A client's requests leave in one write; a SET, which has no answer, is always followed by a GET.
// mix: add, set+get, or wait+get.
void rate(const Server& server, const std::string& mix, std::size_t clients,
          std::uint64_t in_flight, double seconds);

// Clients that come all at once: until each has had its answers to VALIDATE, PING and ADD init/.
void connect_storm(const Server& server, std::size_t clients);

// Clients that WAIT for one key: from its SET until each has its answer.
void wake_storm(const Server& server, std::size_t clients);

// What the server needs for clients that are connected and do nothing.
void idle_memory(const Server& server, std::size_t clients);

// The key of a client as Gloo names it, below a name that no earlier run has used.
std::string key_of(std::size_t client);

}  // namespace store_load

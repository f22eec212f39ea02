// store_load: loads a server of PyTorch's TCPStore protocol as clients of torch 2.2 and later speak
// it, from one thread, and measures it. Every answer is compared with the only right one.
//
//   store_load ADDRESS PORT PID rate add|set+get|wait+get CONNECTIONS IN_FLIGHT SECONDS
//   store_load ADDRESS PORT PID connect CLIENTS
//   store_load ADDRESS PORT PID wake CLIENTS
//   store_load ADDRESS PORT PID idle CLIENTS
//
// PID is the server's process. A wrong answer, a closed connection or 60 s of silence end it
// with 1. What each measures, and what it prints: measures.h.
#include <sys/resource.h>

#include <cstdlib>

#include "measures.h"

namespace store_load {

namespace {

// As many as this process may have.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t positive(const char* text) {
  const int number = std::atoi(text);
  if (number <= 0) fail(std::string(text) + " is no number of anything");
  return static_cast<std::size_t>(number);
}

void measure(const Server& server, const std::string& what, char** arguments) {
  if (what == "rate")
    return rate(server, arguments[0], positive(arguments[1]), positive(arguments[2]),
                std::atof(arguments[3]));
  const std::size_t clients = positive(arguments[0]);
  if (what == "connect") return connect_storm(server, clients);
  if (what == "wake") return wake_storm(server, clients);
  if (what == "idle") return idle_memory(server, clients);
  fail(what + " is none of the measures");
}

}  // namespace

}  // namespace store_load

int main(int argc, char** argv) {
  using namespace store_load;
  if (argc < 6 || argc != (argv[4] == std::string("rate") ? 9 : 6)) fail("see the head of main.cc");
  raise_descriptor_limit();
  const Server server(argv[1], argv[2], argv[3]);
  server.wait_until_idle();  // it may still be busy with what came before us
  measure(server, argv[4], argv + 5);
  return 0;
}

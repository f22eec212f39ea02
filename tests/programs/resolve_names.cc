// Looks up each line of stdin as a host name, one after the other, and writes what was found as a
// line: "NAME: 10.0.0.1 fd00::1", or "NAME: why not".
#include <cstdio>
#include <string>

#include "names/resolver.h"

using namespace trainit;

namespace {

constexpr auto kTimeout = std::chrono::seconds(3);

void print(const std::string& name, const names::Answer& answer) {
  std::printf("%s:", name.c_str());
  if (!answer) std::printf(" %s", answer.error().message.c_str());
  if (answer) {
    for (const sys::Address& address : *answer) std::printf(" %s", address.text().c_str());
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main() {
  auto loop = sys::EventLoop::create();
  if (!loop) return 1;
  names::Resolver resolver(*loop);
  char line[1024];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    const std::string name(line, std::string(line).find('\n'));
    bool over = false;
    resolver.look_up(name, kTimeout, [&](const names::Answer& answer) {
      print(name, answer);
      over = true;
    });
    while (!over) loop->run_once();
  }
}

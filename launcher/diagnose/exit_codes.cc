#include "diagnose/exit_codes.h"

#include <fmt/core.h>
#include <signal.h>

#include "sys/signals.h"

namespace trainit::diagnose {
namespace {

constexpr std::string_view kKilled = "SIGKILL from outside, perhaps out of memory";

struct Meaning {
  int code;
  std::string_view text;
};

constexpr Meaning kMeanings[] = {
    {126, "a command was found, but cannot be executed"},
    {127, "a command or a library was not found"},
    {128 + SIGINT, "SIGINT in a program that it ran"},
    {128 + SIGILL, "SIGILL in a program that it ran: built for another kind of cpu"},
    {128 + SIGABRT, "SIGABRT in a program that it ran"},
    {128 + SIGBUS, "SIGBUS in a program that it ran, perhaps /dev/shm is full"},
    {128 + SIGFPE, "SIGFPE in a program that it ran"},
    {128 + SIGKILL, kKilled},
    {128 + SIGSEGV, "segmentation fault in a program that it ran"},
    {128 + SIGTERM, "SIGTERM in a program that it ran"},
    {255, "exit(-1), a failed ssh, or an MPI abort"},
};

std::string_view meaning_of_signal(int signal) {
  if (signal == SIGKILL) return "from outside, perhaps out of memory";
  if (signal == SIGBUS) return "bus error, perhaps /dev/shm is full";
  if (signal == SIGTERM) return "";  // everybody knows it
  return sys::signal_meaning(signal);
}

}  // namespace

std::string_view exit_code_meaning(int code) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.code == code) return meaning.text;
  }
  return {};
}

int signal_behind(const sys::ExitStatus& status) {
  if (status.signal != 0) return status.signal == SIGABRT ? 0 : status.signal;
  switch (status.code - 128) {
    case SIGILL:
    case SIGBUS:
    case SIGFPE:
    case SIGKILL:
    case SIGSEGV:
    case SIGTERM:
      return status.code - 128;
    default:
      return 0;
  }
}

std::string explain(const sys::ExitStatus& status) {
  const std::string_view meaning =
      status.signal != 0 ? meaning_of_signal(status.signal) : exit_code_meaning(status.code);
  const std::string name = status.signal != 0 ? sys::signal_name(status.signal)
                                              : fmt::format("exit code {}", status.code);
  return meaning.empty() ? name : fmt::format("{}: {}", name, meaning);
}

}  // namespace trainit::diagnose

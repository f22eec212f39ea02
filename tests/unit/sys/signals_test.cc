#include "sys/signals.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "sys/exit_status.h"

using namespace trainit::sys;

TEST_CASE("signals have the names that people use") {
  CHECK(signal_name(SIGTERM) == "SIGTERM");
  CHECK(signal_name(SIGRTMIN) == "SIGRTMIN");
  CHECK(signal_name(SIGRTMIN + 2) == "SIGRTMIN+2");
  CHECK(signal_name(99) == "signal 99");
}

TEST_CASE("every name that is printed is read back") {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    const std::string name = signal_name(signal);
    if (name.starts_with("SIG")) CHECK(parse_signal(name) == signal);
  }
  CHECK(parse_signal("TERM") == SIGTERM);
  CHECK(parse_signal("15") == SIGTERM);
  CHECK_FALSE(parse_signal("0"));
  CHECK_FALSE(parse_signal("NOPE"));
  CHECK_FALSE(parse_signal("RTMIN+99"));
}

TEST_CASE("an exit status is reported as a shell does") {
  CHECK(ExitStatus::exited(7).shell_code() == 7);
  CHECK(ExitStatus::killed(SIGKILL).shell_code() == 137);
  CHECK(ExitStatus::exited(0).success());
  CHECK_FALSE(ExitStatus::killed(SIGTERM).success());
  CHECK(describe(ExitStatus::exited(3)) == "ended with code 3");
  CHECK(describe(ExitStatus::killed(SIGSEGV, true)) ==
        "was killed by SIGSEGV (segmentation fault), core dumped");
}

TEST_CASE("a blocked signal that came is taken once, with its sender") {
  sigset_t ours, before;
  sigemptyset(&ours);
  sigaddset(&ours, SIGUSR1);
  sigaddset(&ours, SIGTERM);
  sigprocmask(SIG_BLOCK, &ours, &before);
  ::kill(::getpid(), SIGTERM);
  ::kill(::getpid(), SIGUSR1);
  const auto first = take_signal(), second = take_signal(), none = take_signal();
  sigprocmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->number + second->number == SIGUSR1 + SIGTERM);
  CHECK(first->sender == ::getpid());
  CHECK_FALSE(none);
}

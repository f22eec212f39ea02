#include "plan/signal_rules.h"

#include <doctest/doctest.h>
#include <signal.h>

using namespace trainit;

TEST_CASE("a job stops on SIGTERM and SIGINT, and passes on what means something to workers") {
  const SignalRules rules;
  CHECK(rules.fate(SIGTERM) == SignalFate::kStop);
  CHECK(rules.fate(SIGINT) == SignalFate::kStop);
  for (const int signal : {SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGXCPU, SIGPWR,
                           SIGRTMIN, SIGRTMAX}) {
    CHECK(rules.fate(signal) == SignalFate::kForward);
  }
  for (const int signal : {SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGURG, SIGTTIN, SIGTTOU, SIGIO}) {
    CHECK(rules.fate(signal) == SignalFate::kNothing);
  }
  CHECK(rules.fate(SIGTSTP) == SignalFate::kSuspend);
  CHECK(rules.fate(SIGCHLD) == SignalFate::kReap);
}

TEST_CASE("under exec only SIGTERM begins a stop") {
  const SignalRules rules(SignalRules::Stops::kTermOnly);
  CHECK(rules.fate(SIGTERM) == SignalFate::kStop);
  CHECK(rules.fate(SIGINT) == SignalFate::kForward);
  CHECK(rules.fate(SIGQUIT) == SignalFate::kForward);
}

TEST_CASE("a rule applies before anything is decided") {
  const SignalRules rules(SignalRules::Stops::kTermAndInt,
                          {{SIGTERM, SIGQUIT}, {SIGHUP, SIGTERM}, {SIGUSR1, 0}});
  CHECK(rules.rewrite(SIGTERM) == SIGQUIT);
  CHECK(rules.fate(rules.rewrite(SIGTERM)) == SignalFate::kForward);
  CHECK(rules.fate(rules.rewrite(SIGHUP)) == SignalFate::kStop);
  CHECK(rules.fate(rules.rewrite(SIGUSR1)) == SignalFate::kNothing);
  CHECK(rules.rewrite(SIGUSR2) == SIGUSR2);
  CHECK(rules.dropped() == std::set{SIGUSR1});
}

TEST_CASE("a signal asks for a stop by what it is taken for") {
  CHECK(SignalRules().stops() == std::vector{SIGINT, SIGTERM});
  CHECK(SignalRules(SignalRules::Stops::kTermOnly).stops() == std::vector{SIGTERM});
  const SignalRules rules(SignalRules::Stops::kTermAndInt,
                          {{SIGTERM, SIGUSR1}, {SIGUSR2, SIGTERM}, {SIGINT, 0}});
  CHECK(rules.stops() == std::vector{SIGUSR2});
}

TEST_CASE("what a rule makes is passed on, also a signal that otherwise is not") {
  CHECK(SignalRules().fate(SIGALRM) == SignalFate::kNothing);
  const SignalRules rules(SignalRules::Stops::kTermAndInt, {{SIGUSR1, SIGALRM}});
  CHECK(rules.fate(rules.rewrite(SIGUSR1)) == SignalFate::kForward);
}

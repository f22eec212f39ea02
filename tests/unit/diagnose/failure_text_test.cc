#include "diagnose/failure_text.h"

#include <doctest/doctest.h>
#include <signal.h>

#include "base/utf8.h"
#include "diagnose/exit_codes.h"

using namespace trainit;
using namespace trainit::diagnose;
using sys::ExitStatus;
using namespace std::chrono_literals;

namespace {

std::vector<const Evidence*> pointers_to(const std::vector<Evidence>& gathered) {
  std::vector<const Evidence*> pointers;
  for (const Evidence& evidence : gathered) pointers.push_back(&evidence);
  return pointers;
}

Evidence evidence_of(ExitStatus status) {
  Evidence evidence;
  evidence.host = "algo-2";
  evidence.rank = 5;
  evidence.status = status;
  evidence.after = 48s;
  return evidence;
}

Evidence value_error() {
  Evidence evidence = evidence_of(ExitStatus::exited(1));
  evidence.error.emplace();
  evidence.error->summary = "ValueError: learning rate must be positive";
  evidence.error->location = "train.py:42";
  evidence.error->detail =
      "Traceback (most recent call last):\n  …\nValueError: learning rate must be positive";
  return evidence;
}

Evidence last_line(Evidence evidence, std::string text) {
  evidence.error.emplace();
  evidence.error->summary = evidence.error->detail = std::move(text);
  evidence.error->weight = Weight::kNothing;
  return evidence;
}

std::string text_of(const Evidence& evidence) {
  FirstCause cause;
  cause.evidence = &evidence;
  return failure_text(cause);
}

}  // namespace

TEST_CASE("the summary names host, rank, error, place, code and time") {
  CHECK(summarize(value_error()) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after "
        "48 s)");
  Evidence somewhere = value_error();
  somewhere.host.clear();
  somewhere.error->location.clear();
  CHECK(summarize(somewhere) ==
        "rank 5: ValueError: learning rate must be positive (exit code 1 after 48 s)");
}

TEST_CASE("a worker that had raised before we stopped it is not said to have died of our signal") {
  Evidence stopped = value_error();
  stopped.status = ExitStatus::killed(SIGTERM);
  stopped.stopped_by_us = true;
  stopped.error->last_line.clear();
  CHECK(summarize(stopped) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, stopped after 48 "
        "s)");
  stopped.error->last_line = "epoch 7";
  CHECK(summarize(stopped).find("SIGTERM") != std::string::npos);
}

TEST_CASE("the last line of a worker that went on after its error goes with it") {
  Evidence went_on = value_error();
  went_on.error->last_line = "no training data";
  CHECK(summarize(went_on) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after "
        "48 s); its last line: \"no training data\"");
  CHECK(describe_consequence(evidence_of(ExitStatus::exited(2)), went_on) ==
        "rank 5 had \"no training data\" at the same time");
  went_on.error->last_line = std::string(500, 'x');
  CHECK(summarize(went_on).size() <= 200);
}

TEST_CASE("the last line takes only the room that the error itself leaves") {
  Evidence evidence = value_error();
  evidence.host = std::string(30, 'h');
  evidence.error->location = std::string(30, 'f') + ":42";
  evidence.error->summary = "RuntimeError: " + std::string(90, 'm');
  evidence.error->last_line = "ERROR:launch:the script did not end well, see above for details";
  CHECK(summarize(evidence).size() <= 200);
  CHECK(summarize(evidence).find(evidence.error->summary.substr(0, 80)) != std::string::npos);
  CHECK(summarize(evidence).find("last line") == std::string::npos);
  evidence.error->summary = "RuntimeError: no";
  CHECK(summarize(evidence).size() <= 200);
  CHECK(summarize(evidence).find(": RuntimeError: no (") != std::string::npos);
  CHECK(summarize(evidence).find("; its last line: \"ERROR:launch:the script") !=
        std::string::npos);
  evidence.host = std::string(60, 'h');
  evidence.error->location = std::string(55, 'f');
  CHECK(summarize(evidence).find("last line") == std::string::npos);
  evidence.error->last_line = "fatal";
  CHECK(summarize(evidence).ends_with("; its last line: \"fatal\""));
}

TEST_CASE("a program's own last words lead before a line about an error that it survived") {
  Evidence evidence = evidence_of(ExitStatus::exited(1));
  evidence.error.emplace();
  evidence.error->weight = Weight::kLine;
  evidence.error->summary = "NCCL WARN NET/IB : No device found, using sockets";
  evidence.error->last_line = "the data set has no labels";
  CHECK(
      summarize(evidence) ==
      "algo-2 rank 5: ended with code 1 after 48 s; its last line: \"the data set has no labels\"; "
      "it had printed: NCCL WARN NET/IB : No device found, using sockets");
  evidence.error->last_line = std::string(500, 'x');
  CHECK(summarize(evidence).size() <= 200);
  CHECK(summarize(evidence).find("; it had printed: NCCL WARN") != std::string::npos);
  Evidence killed = evidence;
  killed.status = ExitStatus::killed(SIGSEGV);
  CHECK(
      summarize(killed) ==
      "algo-2 rank 5: killed by SIGSEGV after 48 s: segmentation fault; it had printed: NCCL WARN "
      "NET/IB : No device found, using sockets");
  evidence.error->last_line.clear();
  CHECK(
      summarize(evidence) ==
      "algo-2 rank 5: NCCL WARN NET/IB : No device found, using sockets (exit code 1 after 48 s)");
}

TEST_CASE("a worker that had its last words when the job was stopped is told of by itself") {
  std::vector<Evidence> gathered(1, value_error());
  gathered[0].error->weight = Weight::kLine;
  gathered[0].error->last_line = "no space left";
  CHECK(stop_text("algo-2", SIGTERM, 2s, pointers_to(gathered))
            .find("its last line: \"no space left\"") != std::string::npos);
}

TEST_CASE("the same error on another rank is called the same, not a consequence") {
  Evidence other = value_error();
  other.rank = 0;
  CHECK(describe_consequence(value_error(), other) == "rank 0 had the same error at the same time");
}

TEST_CASE("an error that two ranks had survived is not what they ended with") {
  Evidence cause = value_error();
  cause.error->last_line = "fatal: the data set is empty";
  Evidence other = cause;
  other.rank = 0;
  CHECK(describe_consequence(cause, other) == "rank 0 had the same error at the same time");
  other.error->last_line = "Connection closed by peer";
  other.error->communication = true;
  CHECK(describe_consequence(cause, other) ==
        "rank 0 had \"Connection closed by peer\" at the same time: a consequence");
  other.error->last_line.clear();
  other.error->communication = false;
  CHECK(describe_consequence(cause, other) ==
        "rank 0 had \"ValueError: learning rate must be positive\" at the same time");
}

TEST_CASE("without an error the exit is the message, and the last line goes with it") {
  CHECK(summarize(evidence_of(ExitStatus::exited(3))) ==
        "algo-2 rank 5: ended with code 3 after 48 s");
  CHECK(summarize(last_line(evidence_of(ExitStatus::exited(1)), "no training data")) ==
        "algo-2 rank 5: ended with code 1 after 48 s; its last line: \"no training data\"");
}

TEST_CASE("signals are named and explained") {
  CHECK(summarize(evidence_of(ExitStatus::killed(SIGSEGV))) ==
        "algo-2 rank 5: killed by SIGSEGV after 48 s: segmentation fault");
  CHECK(summarize(evidence_of(ExitStatus::killed(SIGKILL))) ==
        "algo-2 rank 5: killed by SIGKILL after 48 s: from outside, perhaps out of memory");
  CHECK(summarize(evidence_of(ExitStatus::killed(SIGBUS))) ==
        "algo-2 rank 5: killed by SIGBUS after 48 s: bus error, perhaps /dev/shm is full");
  CHECK(summarize(last_line(evidence_of(ExitStatus::killed(SIGUSR1)), "epoch 3")) ==
        "algo-2 rank 5: killed by SIGUSR1 after 48 s; its last line: \"epoch 3\"");
}

TEST_CASE("an abort leads with its own words, a kill does not") {
  Evidence aborted = value_error();
  aborted.status = ExitStatus::killed(SIGABRT);
  CHECK(summarize(aborted) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, SIGABRT after 48 "
        "s)");
  aborted.status = ExitStatus::killed(SIGKILL);
  CHECK(summarize(aborted) ==
        "algo-2 rank 5: killed by SIGKILL after 48 s: from outside, perhaps out of memory; it had "
        "printed: ValueError: learning rate must be positive");
}

TEST_CASE("exit codes that people misread are explained") {
  const auto meaning = [](int code) {
    const std::string head =
        "algo-2 rank 5: ended with code " + std::to_string(code) + " after 48 s";
    const std::string text = summarize(evidence_of(ExitStatus::exited(code)));
    CHECK(text.starts_with(head));
    return text.substr(head.size());
  };
  CHECK(meaning(126) == ": a command was found, but cannot be executed");
  CHECK(meaning(127) == ": a command or a library was not found");
  CHECK(meaning(134) == ": SIGABRT in a program that it ran");
  CHECK(meaning(135) == ": SIGBUS in a program that it ran, perhaps /dev/shm is full");
  CHECK(meaning(137) == ": SIGKILL from outside, perhaps out of memory");
  CHECK(meaning(139) == ": segmentation fault in a program that it ran");
  CHECK(meaning(143) == ": SIGTERM in a program that it ran");
  CHECK(meaning(255) == ": exit(-1), a failed ssh, or an MPI abort");
  for (const int code : {1, 2, 3, 125, 128, 254}) {
    CAPTURE(code);
    CHECK(meaning(code).empty());
  }
  CHECK(explain(ExitStatus::exited(127)) == "exit code 127: a command or a library was not found");
  CHECK(explain(ExitStatus::exited(1)) == "exit code 1");
}

TEST_CASE("what the kernel counted is said instead of a guess") {
  Evidence killed = evidence_of(ExitStatus::killed(SIGKILL));
  killed.oom_ruled_out = true;
  CHECK(summarize(killed) ==
        "algo-2 rank 5: killed by SIGKILL after 48 s: from outside, not for want of memory");
}

TEST_CASE("the size of /dev/shm is said when a bus error hits, or the worker speaks of it") {
  Evidence bus = evidence_of(ExitStatus::killed(SIGBUS));
  bus.shared_memory = std::uint64_t{64} << 20;
  CHECK(summarize(bus) ==
        "algo-2 rank 5: killed by SIGBUS after 48 s: bus error, /dev/shm is 64 MB");
  Evidence loader = value_error();
  loader.shared_memory = bus.shared_memory;
  CHECK(summarize(loader).find("/dev/shm") == std::string::npos);
  loader.error->detail =
      "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient "
      "shared memory (shm).";
  CHECK(summarize(loader) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after "
        "48 s; /dev/shm is 64 MB)");
}

TEST_CASE("memory is blamed for code 137 only as far as it is known") {
  Evidence killed = evidence_of(ExitStatus::exited(137));
  CHECK(summarize(killed).find("perhaps out of memory") != std::string::npos);
  killed.oom = true;
  CHECK(summarize(killed).starts_with("algo-2 rank 5: out of memory: the kernel killed"));
  CHECK(summarize(killed).find("perhaps") == std::string::npos);
}

TEST_CASE("a code that is explained keeps its meaning beside the worker's own error") {
  Evidence error = value_error();
  error.status = ExitStatus::exited(255);
  CHECK(summarize(error) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 255 "
        "after 48 s: exit(-1), a failed ssh, or an MPI abort)");
}

TEST_CASE("the kernel's OOM kill is said first") {
  Evidence oom = evidence_of(ExitStatus::killed(SIGKILL));
  oom.oom = true;
  CHECK(summarize(oom) ==
        "algo-2 rank 5: out of memory: the kernel killed this worker (SIGKILL after 48 s)");
  oom.memory_limit = std::uint64_t{16} << 30;
  CHECK(summarize(oom) ==
        "algo-2 rank 5: out of memory: the kernel killed this worker; the container has 16.0 GB "
        "(SIGKILL after 48 s)");
  Evidence child = value_error();
  child.oom = true;
  CHECK(
      summarize(child) ==
      "algo-2 rank 5: out of memory: the kernel killed a process of this worker (exit code 1 after "
      "48 s); it had printed: ValueError: learning rate must be positive");
}

TEST_CASE("a program that cannot be run speaks by its own sentence") {
  Evidence evidence = evidence_of({});
  evidence.spawn_error = sys::SpawnError{sys::SpawnStage::kExec, 2};
  evidence.spawn_text = "cannot run /app/train: No such file or directory (ENOENT)";
  CHECK(summarize(evidence) ==
        "algo-2 rank 5: cannot run /app/train: No such file or directory (ENOENT)");
}

TEST_CASE("the failure text is the summary and the worker's own block") {
  CHECK(text_of(value_error()) ==
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after "
        "48 s)\n"
        "\n"
        "Traceback (most recent call last):\n"
        "  …\n"
        "ValueError: learning rate must be positive");
  CHECK(text_of(last_line(evidence_of(ExitStatus::exited(1)), "no data")) ==
        "algo-2 rank 5: ended with code 1 after 48 s; its last line: \"no data\"");
}

TEST_CASE(
    "a long message leaves room for host, rank, place, code and time in the first 200 bytes") {
  Evidence evidence = value_error();
  evidence.error->summary = "ValueError: ";
  for (int i = 0; i < 1000; ++i) evidence.error->summary += "größer ";
  evidence.error->detail = "Traceback (most recent call last):\n" + evidence.error->summary;
  const std::string summary = summarize(evidence);
  CHECK(summary.size() <= 200);
  CHECK(summary.starts_with("algo-2 rank 5: ValueError: größer"));
  CHECK(summary.ends_with("… (train.py:42, exit code 1 after 48 s)"));
  const std::string text = text_of(evidence);
  CHECK(text.size() <= 1024);
  CHECK(text.size() > 1000);
  CHECK(text.starts_with(summary + "\n\n"));
  CHECK(utf8::sanitize(text) == text);
}

TEST_CASE("of a long traceback the end is kept, from the start of a line") {
  Evidence evidence = value_error();
  evidence.error->detail = "Traceback (most recent call last):\n";
  for (int i = 0; i < 100; ++i) {
    evidence.error->detail +=
        "  File \"/opt/ml/code/train.py\", line " + std::to_string(i) + ", in f\n";
  }
  evidence.error->detail += "ValueError: learning rate must be positive";
  const std::string text = text_of(evidence);
  CHECK(text.size() <= 1024);
  CHECK(text.find("\n\n…\n  File \"") != std::string::npos);
  CHECK(text.ends_with("line 99, in f\nValueError: learning rate must be positive"));
}

TEST_CASE("hosts, messages and places of any length and bytes give 1,024 bytes of valid text") {
  for (std::size_t length = 0; length < 1500; length += 7) {
    Evidence evidence = value_error();
    evidence.host = std::string(length, 'h');
    evidence.error->summary = "E: \xff\n" + std::string(length, 'm');
    evidence.error->location = std::string(length, 'l');
    for (std::size_t i = 0; i < length; ++i)
      evidence.error->detail += i % 3 == 0 ? "ü" : "\xf0\x9f";
    const std::string text = text_of(evidence);
    CHECK(text.size() <= 1024);
    CHECK(utf8::sanitize(text) == text);
    CHECK(text.find('\n') <= 200);
  }
}

TEST_CASE("a failure without a cause says so") {
  CHECK(failure_text({}) == "the job failed, but none of its workers did by itself");
}

TEST_CASE("a consequence is told with its own words and its distance from the cause") {
  Evidence cause = value_error();
  cause.first_error_at = sys::TimePoint(10s);
  Evidence victim = value_error();
  victim.rank = 0;
  victim.error->summary = "NCCL error: remote process exited";
  victim.first_error_at = sys::TimePoint(10'200ms);
  CHECK(describe_consequence(cause, victim) ==
        "rank 0 had \"NCCL error: remote process exited\" 0.2 s later: a consequence");
  victim.host = "algo-1";
  victim.error.reset();
  victim.first_error_at = {};
  victim.exited_at = sys::TimePoint(9'500ms);
  CHECK(describe_consequence(cause, victim) ==
        "algo-1 rank 0 ended with code 1 0.5 s earlier: a consequence");
}

TEST_CASE("what came within a moment of the cause came at the same time") {
  Evidence cause = value_error();
  cause.first_error_at = sys::TimePoint(10s);
  Evidence victim = cause;
  victim.first_error_at -= 10ms;
  victim.error->summary = "RuntimeError: Connection closed by peer";
  victim.error->communication = true;
  CHECK(describe_consequence(cause, victim).ends_with("at the same time: a consequence"));
  // An error of its own is not blamed on the other.
  victim.error->communication = false;
  CHECK(describe_consequence(cause, victim).ends_with("at the same time"));
  victim.stopped_by_us = true;
  CHECK(describe_consequence(cause, victim).ends_with("at the same time: a consequence"));
}

TEST_CASE(
    "a stop by the platform says signal and time, who failed at it, and how the others ended") {
  std::vector<Evidence> gathered(9, evidence_of(ExitStatus::killed(SIGTERM)));
  gathered[3].status = ExitStatus::exited(0);
  gathered[5] = value_error();
  gathered[7].status = ExitStatus::exited(143);
  for (std::size_t i = 0; i < gathered.size(); ++i) gathered[i].rank = static_cast<int>(i);
  CHECK(stop_text("algo-2", SIGTERM, 372s, pointers_to(gathered)) ==
        "algo-2: stopped by the platform with SIGTERM after 6 min 12 s\n"
        "\n"
        "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after "
        "48 s)\n"
        "ended with code 143: rank 7\n"
        "killed by SIGTERM: ranks 0–2, 4, 6 and 8");
  CHECK(stop_text("", SIGTERM, 2s, {}) == "stopped by the platform with SIGTERM after 2.0 s");
  const std::vector<Evidence> crowd(64, value_error());
  const std::string many = stop_text("algo-2", SIGTERM, 1s, pointers_to(crowd));
  CHECK(many.size() <= 1024);
  CHECK(many.ends_with("\n…"));
}

TEST_CASE("a store that ended says how and when, who failed by it, and how the others ended") {
  std::vector<Evidence> gathered(4, evidence_of(ExitStatus::killed(SIGTERM)));
  gathered[2] = value_error();
  gathered[3].status = ExitStatus::exited(0);
  for (std::size_t i = 0; i < gathered.size(); ++i) gathered[i].rank = static_cast<int>(i);
  CHECK(
      store_text("algo-2", ExitStatus::killed(SIGSEGV), std::nullopt, 3s, pointers_to(gathered)) ==
      "algo-2: the rendezvous store was killed by SIGSEGV (segmentation fault) after 3.0 s: the "
      "workers cannot find each other any more\n"
      "\n"
      "algo-2 rank 2: ValueError: learning rate must be positive (train.py:42, exit code 1 after "
      "48 s)\n"
      "killed by SIGTERM: ranks 0 and 1");
  CHECK(store_text("", ExitStatus::exited(1), 0, 90s, {}) ==
        "the rendezvous store ended with code 1 after 1 min 30 s: the workers cannot find each "
        "other any more");
  const std::vector<Evidence> crowd(64, value_error());
  const std::string many = store_text("algo-2", ExitStatus::exited(1), 0, 1s, pointers_to(crowd));
  CHECK(many.size() <= 1024);
  CHECK(many.ends_with("\n…"));
}

TEST_CASE("a store that was killed may have been so for want of memory") {
  CHECK(store_text("algo-1", ExitStatus::killed(SIGKILL), std::nullopt, 61s, {}) ==
        "algo-1: the rendezvous store was killed by SIGKILL (perhaps for want of memory) after 1 "
        "min 1 s: the workers cannot find each other any more");
  CHECK(store_text("", ExitStatus::killed(SIGKILL), 1, 3s, {}) ==
        "the rendezvous store was killed by SIGKILL (for want of memory) after 3.0 s: the workers "
        "cannot find each other any more");
  CHECK(
      store_text("", ExitStatus::killed(SIGKILL), 0, 3s, {}) ==
      "the rendezvous store was killed by SIGKILL after 3.0 s: the workers cannot find each other "
      "any more");
}

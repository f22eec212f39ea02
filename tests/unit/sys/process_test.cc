#include "sys/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "sys/capture.h"
#include "sys/process_tree.h"
#include "temporary_directory.h"
#include "trainit/environment.h"

using namespace trainit;
using namespace trainit::sys;

namespace {

InheritedSignals no_signals() {
  InheritedSignals signals = {};
  sigemptyset(&signals.mask);
  sigemptyset(&signals.ignored);
  return signals;
}

SpawnRequest shell(const std::string& script) {
  SpawnRequest request;
  request.executable = "/bin/sh";
  request.argv = {"sh", "-c", script};
  request.environment = Environment::of_process().to_strings();
  return request;
}

Reaped wait_until_reaped(pid_t pid) {
  Reaped reaped;
  while (reap_one(reaped) != ReapResult::kReaped || reaped.pid != pid) ::usleep(1000);
  return reaped;
}

struct Ended {
  ExitStatus status;
  std::optional<SpawnError> error;
};
Ended run(const SpawnRequest& request) {
  const auto child = spawn(request, no_signals());
  REQUIRE(child);
  const ExitStatus status = wait_until_reaped(child->pid).status;
  return {status, read_exec_result(child->exec_result.borrow())};
}

std::string write_script(const std::string& name, std::string_view content, mode_t mode) {
  std::string path = "/tmp/trainit-process-" + std::to_string(::getpid()) + "-" + name;
  write_file(path, content, mode);
  return path;
}

}  // namespace

TEST_CASE("a child's code and signal come back as they were") {
  CHECK(run(shell("exit 7")).status == ExitStatus::exited(7));
  CHECK(run(shell("kill -9 $$")).status == ExitStatus::killed(SIGKILL));
}

TEST_CASE("a child leads its own process group when asked to") {
  CHECK(run(shell("test $(cut -d' ' -f5 /proc/$$/stat) = $$")).status.success());
  SpawnRequest ours = shell("test $(cut -d' ' -f5 /proc/$$/stat) = $$");
  ours.lead_process_group = false;
  CHECK_FALSE(run(ours).status.success());
}

TEST_CASE("what fails before the exec comes back with its stage and its errno") {
  SpawnRequest request = shell("true");
  request.executable = "/no/such/program";
  Ended ended = run(request);
  CHECK(ended.error == SpawnError{SpawnStage::kExec, ENOENT});
  CHECK(ended.status == ExitStatus::exited(127));

  request = shell("true");
  request.directory = "/no/such/directory";
  ended = run(request);
  CHECK(ended.error == SpawnError{SpawnStage::kDirectory, ENOENT});
  CHECK(ended.status == ExitStatus::exited(125));
}

TEST_CASE("a child that ran has no spawn error, whatever its code") {
  CHECK_FALSE(run(shell("exit 127")).error);
}

TEST_CASE("a closed stdin stays closed and the others go where they were sent") {
  SpawnRequest request = shell("test ! -e /proc/self/fd/0 || exit 3; echo out; echo err >&2");
  int out[2], err[2];
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(err, O_CLOEXEC) == 0);
  request.stdin_fd = -1;
  request.stdout_fd = out[1];
  request.stderr_fd = err[1];
  CHECK(run(request).status == ExitStatus::exited(0));
  char buffer[16];
  CHECK(std::string(buffer, ::read(out[0], buffer, sizeof buffer)) == "out\n");
  CHECK(std::string(buffer, ::read(err[0], buffer, sizeof buffer)) == "err\n");
  for (const int fd : {out[0], out[1], err[0], err[1]}) ::close(fd);
}

TEST_CASE("no descriptor of ours reaches a child") {
  const UniqueFd ours(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string number = std::to_string(ours.get());
  CHECK(run(shell("test ! -e /proc/$$/fd/" + number)).status.success());
}

TEST_CASE("what our caller left open is passed on, or not") {
  const UniqueFd callers(::open("/dev/null", O_RDONLY));
  SpawnRequest request = shell("test -e /proc/$$/fd/" + std::to_string(callers.get()));
  CHECK(run(request).status.success());
  request.pass_on = false;
  CHECK(run(request).status == ExitStatus::exited(1));
}

TEST_CASE("each failure to run a program is one sentence that says what to do") {
  SpawnRequest request;
  const auto sentence = [&](const std::string& path, int errno_value) {
    request.executable = path;
    return describe(SpawnError{SpawnStage::kExec, errno_value}, request);
  };
  CHECK(sentence("/no/such/program", ENOENT) ==
        "cannot run /no/such/program: there is no such file");
  const std::string windows = write_script("crlf.sh", "#!/bin/bash\r\necho\r\n", 0755);
  CHECK(sentence(windows, ENOENT) ==
        "cannot run " + windows +
            ": its first line names /bin/bash\\r: the file has Windows line ends; save it with LF");
  const std::string missing = write_script("missing.sh", "#!/no/such/interpreter -x\n", 0755);
  CHECK(sentence(missing, ENOENT) ==
        "cannot run " + missing +
            ": its first line names /no/such/interpreter, which is not in this image");
  CHECK(sentence(missing, EACCES).find("may not execute it") != std::string::npos);
  CHECK(sentence(missing, EACCES).find("execute it or /no/such/interpreter, which its first") !=
        std::string::npos);
  ::chmod(missing.c_str(), 0644);
  CHECK(sentence(missing, EACCES).find("chmod +x") != std::string::npos);
  const std::string by_directory = write_script("by-directory", "#!/tmp\n", 0755);
  CHECK(sentence(by_directory, EACCES) ==
        "cannot run " + by_directory + ": its first line names /tmp, which is a directory");
  const std::string by_plain = write_script("by-plain", "#!" + missing + "\n", 0755);
  CHECK(sentence(by_plain, EACCES) == "cannot run " + by_plain + ": its first line names " +
                                          missing + ", which is not executable: chmod +x it");
  const std::string marked = write_script("marked", "\xEF\xBB\xBF#!/bin/sh\n", 0755);
  CHECK(sentence(marked, ENOEXEC).find(": the file begins with a byte order mark") !=
        std::string::npos);
  CHECK(sentence(by_plain, ENOEXEC).find(": it is neither a script") != std::string::npos);
  const std::string link = marked + ".link";
  REQUIRE(::symlink("/no/such/program", link.c_str()) == 0);
  CHECK(sentence(link, ENOENT) ==
        "cannot run " + link + ": it is a dangling link to /no/such/program");
  CHECK(sentence("/tmp", EACCES) == "cannot run /tmp: it is a directory");
  for (const std::string& file : {windows, missing, by_directory, by_plain, marked, link})
    ::unlink(file.c_str());
}

TEST_CASE("whether we may run a file is told before it is run") {
  const std::string script = write_script("script", "#!/bin/sh\n", 0755);
  CHECK(execute_errno(script) == 0);
  ::chmod(script.c_str(), 0644);
  CHECK(execute_errno(script) == EACCES);
  CHECK(execute_errno("/tmp") == EACCES);
  CHECK(execute_errno("/no/such/program") == ENOENT);
  CHECK(why_exec_fails(EACCES, script) == "it is not executable: chmod +x it");
  ::unlink(script.c_str());
}

TEST_CASE("a limit that keeps a worker from starting is named") {
  const auto sentence = [](int errno_value) {
    SpawnRequest request;
    request.argv = {"train"};
    return describe(SpawnError{SpawnStage::kPipes, errno_value}, request);
  };
  CHECK(sentence(EMFILE) ==
        "cannot run train: cannot make the pipes for its output: Too many open files (EMFILE); "
        "trainit's limit of open files (RLIMIT_NOFILE) is reached: each worker takes three");
  CHECK(sentence(ENFILE) ==
        "cannot run train: cannot make the pipes for its output: Too many open files in system "
        "(ENFILE); this machine has no room for more open files (fs.file-max) or for more pipes of "
        "this user "
        "(fs.pipe-user-pages-hard)");
}

TEST_CASE("a program is found on the path as execvp finds it") {
  CHECK(*find_executable("sh", "/nowhere:/bin", "") == "/bin/sh");
  CHECK(*find_executable("./x", "/bin", "") == "./x");
  CHECK(find_executable("no-such-program", "/bin", "").error() ==
        SpawnError{SpawnStage::kExec, ENOENT});
  const std::string plain = write_script("plain", "x", 0644);
  CHECK(find_executable(plain.substr(5), "/tmp", "").error() ==
        SpawnError{SpawnStage::kExec, EACCES});
  ::unlink(plain.c_str());
}

TEST_CASE("a process in uninterruptible sleep is told from one that sleeps otherwise") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    // Until it ends, or becomes another program, its parent waits in the kernel. ThreadSanitizer
    // makes a fork of vfork.
    if (::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, nullptr, nullptr, nullptr, nullptr) == 0) {
      ::pause();
      ::_exit(0);
    }
    ::_exit(0);
  }
  const TimePoint deadline = Clock::now() + std::chrono::seconds(20);
  while (!is_in_uninterruptible_sleep(child) && Clock::now() < deadline) ::usleep(1000);
  CHECK(is_in_uninterruptible_sleep(child));
  CHECK_FALSE(is_in_uninterruptible_sleep(::getpid()));
  CHECK_FALSE(is_in_uninterruptible_sleep(::getppid()));
  ::kill(-child, SIGKILL);
  CHECK(::waitpid(child, nullptr, 0) == child);
}

TEST_CASE("a process that ends is told from one that runs, until it was reaped") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  CHECK_FALSE(is_ending(child));
  CHECK_FALSE(is_ending(::getpid()));
  ::kill(child, SIGKILL);
  siginfo_t info = {};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
  CHECK(is_ending(child));
  CHECK(::waitpid(child, nullptr, 0) == child);
  CHECK_FALSE(is_ending(child));
}

TEST_CASE("descendants are found through several generations, and the dead are none") {
  int ready[2];
  REQUIRE(::pipe2(ready, 0) == 0);
  SpawnRequest request = shell("(sleep 1000 & echo $!; wait) & wait");
  request.stdout_fd = ready[1];
  const auto child = spawn(request, no_signals());
  REQUIRE(child);
  char buffer[32] = {};
  REQUIRE(::read(ready[0], buffer, sizeof buffer) > 0);
  const pid_t grandchild = ::atoi(buffer);
  const auto family = *descendants_of(::getpid());
  CHECK(std::count(family.begin(), family.end(), grandchild) == 1);
  CHECK(std::count(family.begin(), family.end(), child->pid) == 1);
  CHECK(descendants_of(::getpid(), {child->pid})->empty());
  CHECK(has_children());
  CHECK(has_children_besides({}) == true);
  CHECK(has_children_besides({child->pid}) == false);
  ::kill(-child->pid, SIGKILL);
  wait_until_reaped(child->pid);
  const auto rest = *descendants_of(::getpid());
  CHECK_FALSE(has_children());
  CHECK(has_children_besides({}) == false);
  CHECK(std::count(rest.begin(), rest.end(), child->pid) == 0);
  for (const int fd : ready) ::close(fd);
}

TEST_CASE("a helper's answer is captured, and its failure is said") {
  CHECK(*run_and_capture(shell("echo hello"), 10'000) == "hello\n");
  CHECK(run_and_capture(shell("exit 3"), 10'000).error().message == "/bin/sh ended with code 3");
  CHECK(run_and_capture(shell("head -c 2000000 /dev/zero"), 10'000).error().message ==
        "/bin/sh: its answer is longer than 1 MiB");
}

TEST_CASE("what a helper has said is known also when it comes to no good end") {
  const Heard well = run_and_hear(shell("echo hello"), 10'000);
  CHECK(well.text == "hello\n");
  CHECK(well.end);
  CHECK(well.in_time);
  const Heard failed = run_and_hear(shell("echo hello; exit 3"), 10'000);
  CHECK(failed.text == "hello\n");
  CHECK(failed.end.error().message == "/bin/sh ended with code 3");
  CHECK(failed.in_time);
  const Heard hangs = run_and_hear(shell("echo hello; exec sleep 1000"), 1'000);
  CHECK(hangs.text == "hello\n");
  CHECK(hangs.end.error().message == "/bin/sh: it did not answer in time");
  CHECK_FALSE(hangs.in_time);
  SpawnRequest nowhere = shell("");
  nowhere.executable = "/nowhere";
  std::fflush(stdout);  // else ThreadSanitizer's _exit writes it for the child
  const Heard silent = run_and_hear(nowhere, 10'000);
  CHECK(silent.text == "");
  CHECK(silent.end.error().message.starts_with("cannot run "));
  CHECK(silent.in_time);
  CHECK_FALSE(has_children());
}

TEST_CASE("a helper is no success when somebody else has reaped it") {
  const auto before = ::signal(SIGCHLD, SIG_IGN);  // the kernel does
  const auto answer = run_and_capture(shell("exit 3"), 10'000);
  ::signal(SIGCHLD, before);
  CHECK(answer.error().message ==
        "/bin/sh: how it ended is not known: No child processes (ECHILD)");
}

TEST_CASE("code of ours is run in a child, which is left when it does not come back") {
  const pid_t ourselves = ::getpid();
  const auto tell = [&](BorrowedFd output) {
    static_cast<void>(write_all(output, ::getppid() == ourselves ? "a child" : "not a child"));
  };
  CHECK(*run_forked("telling", tell, 10'000) == "a child");
  const auto hang = [](BorrowedFd) { ::pause(); };
  CHECK(run_forked("hanging", hang, 50).error().message == "hanging: it did not answer in time");
  const auto crash = [](BorrowedFd) { ::raise(SIGKILL); };
  CHECK(run_forked("crashing", crash, 10'000).error().message ==
        "crashing: its process was killed by SIGKILL");
  CHECK_FALSE(has_children());
}

TEST_CASE("a stop signal ends a helper before its time, and another signal does not") {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &before);
  ::raise(SIGTERM);
  const auto hang = [](BorrowedFd) { ::pause(); };
  const auto answer = run_forked("hanging", hang, 60'000);
  const auto by_other_rules = run_forked("hanging", hang, {50, {SIGUSR1}});
  CHECK(pending_signal({SIGUSR1, SIGTERM}) == SIGTERM);
  CHECK_FALSE(pending_signal({SIGUSR1}));
  siginfo_t taken;
  CHECK(sigwaitinfo(&term, &taken) == SIGTERM);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  CHECK(answer.error().message == "hanging: a stop signal came");
  CHECK(by_other_rules.error().message == "hanging: it did not answer in time");
}

TEST_CASE("a helper that hangs is ended at its deadline, also when it has closed its output") {
  CHECK(run_and_capture(shell("exec sleep 1000"), 50).error().message ==
        "/bin/sh: it did not answer in time");
  CHECK(run_and_capture(shell("exec sleep 1000 >&-"), 50).error().message ==
        "/bin/sh: it did not end in time");
  Reaped reaped;
  CHECK(reap_one(reaped) == ReapResult::kNoChildren);
}

"""One system call of the launcher fails, in every place where it makes that call, one run each.

The launcher under test is `trainit_faults`, made of the same sources, in which toolkit/sys/posix.h stands for
functions that can fail (tests/faults/faulty_posix.h). Whatever fails: it ends, no process is left, and what it
leaves is the truth. Calls after the first worker's fork do not end the job, unless what failed is what the job
needs; then a sentence says so.

The rendezvous store, which is forked when the first worker connects, counts its own calls ("child/read"). What fails there may
cost a client its connection or the store its life, and both of them the job; then that is what the job says.
"""

import errno
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from trainit_testing import jobs, small_jobs
from trainit_testing.ports import free_port
from trainit_testing.processes import pid_namespace
from trainit_testing.small_jobs import BEGIN, BLOCK
from trainit_testing.waiting import wait_until

PART = 0  # fewer bytes than were asked for
ERRORS = {
    "accept4": ["ECONNABORTED", "EMFILE"],
    "access": ["EACCES"],
    "chdir": ["EACCES"],
    "close": ["EIO", "EINTR"],
    "close_range": ["ENOSYS"],
    "connect": ["EADDRNOTAVAIL", "ECONNREFUSED"],
    "epoll_create1": ["EMFILE"],
    "epoll_ctl": ["ENOSPC", "ENOMEM"],
    "epoll_wait": ["EINTR"],
    "fchown": ["EPERM"],
    "fcntl": ["EPERM", "EBUSY"],
    "fdopendir": ["ENOMEM"],
    "fork": ["EAGAIN", "ENOMEM"],
    "fstat": ["ENOMEM", "EIO"],
    "fsync": ["EIO", "ENOSPC", "EINVAL"],
    "getpgid": ["ESRCH", "EPERM"],
    "getpeername": ["ENOTCONN"],
    "getsockopt": ["ENOBUFS"],
    "ioctl": ["ENOTTY"],
    "isatty": ["ENOTTY"],
    "kill": ["ESRCH", "EPERM"],
    "link": ["EPERM", "EIO"],
    "linkat": ["ENOENT", "ENOSPC"],
    "lstat": ["EACCES", "EIO"],
    "mkdir": ["ENOSPC", "EROFS"],
    "mkdtemp": ["ENOSPC"],
    "open": ["EMFILE", "ENOSPC", "EACCES", "EINTR"],
    "openat": ["EMFILE", "ENOSPC", "EACCES", "EINTR"],
    "pipe2": ["EMFILE", "ENFILE"],
    "poll": ["EINTR", "ENOMEM"],
    "prctl": ["EINVAL"],
    "read": ["EIO", "EINTR", "EAGAIN", "ENOMEM", PART],
    "readdir": ["EIO"],
    "readlink": ["EACCES"],
    "recv": ["ECONNRESET", "EINTR", "EAGAIN", PART],
    "rename": ["EIO", "ENOSPC", "EROFS"],
    "renameat": ["EIO", "ENOSPC"],
    "renameat2": ["ENOSYS", "EINVAL", "EIO"],
    "rmdir": ["EROFS"],
    "send": ["EAGAIN", "EPIPE", PART],
    "setpgid": ["EACCES"],
    "setsockopt": ["ENOPROTOOPT"],
    "shutdown": ["ENOTCONN"],
    "signalfd": ["EMFILE"],
    "sigprocmask": ["EINVAL"],
    "sigtimedwait": ["EAGAIN", "EINTR"],
    "socket": ["EMFILE"],
    "stat": ["EACCES"],
    "tcgetpgrp": ["ENOTTY"],
    "tcsetpgrp": ["EPERM"],
    "unlink": ["EROFS", "ENOENT"],
    "unlinkat": ["EROFS"],
    "waitid": ["EINTR", "EPERM"],
    "write": ["ENOSPC", "EINTR", "EAGAIN", "EIO", "EPIPE", PART],
}


# What may go on failing for as long as the machine is as it is.
FOR_EVER = [("write", "ENOSPC"), ("write", "EIO"), ("read", "EIO"), ("open", "EMFILE"), ("openat", "EMFILE"),
            ("fdopendir", "ENOMEM"), ("fork", "EAGAIN"), ("pipe2", "EMFILE"), ("fcntl", "EPERM"), ("epoll_ctl", "ENOSPC"),
            ("kill", "EPERM"), ("close", "EIO"), ("fstat", "ENOMEM"), ("fsync", "EIO"), ("poll", "ENOMEM"),
            ("mkdir", "EROFS"), ("rename", "EROFS"), ("renameat2", "EROFS"), ("unlink", "EROFS"), ("stat", "EACCES"),
            ("lstat", "EACCES"), ("access", "EACCES"), ("readlink", "EACCES"), ("getpgid", "EPERM"),
            ("child/epoll_ctl", "ENOSPC"), ("child/recv", "EIO"), ("child/send", "EPIPE"),
            ("child/write", "EPIPE"), ("child/close", "EIO"), ("child/prctl", "EINVAL")]
# By what nobody can look for the processes of a job.
BLIND = [("open", "ENFILE"), ("open", "EACCES"), ("openat", "EMFILE"), ("openat", "EACCES"), ("fdopendir", "ENOMEM"),
         ("readdir", "EIO")]
# What a job cannot do without. When one of these fails, a success may become a failure, with a sentence.
NEEDED = {"fork", "pipe2", "fcntl"}
ERRNO = re.compile(r"\(E[A-Z]+\)")
# What the failure file says of "failure" when nothing of what its worker wrote can be read.
UNREAD_FAILURE = re.compile(r"\S+ rank 1: ended with code 7 after \S+ s\n?")
# Our caller's own child, which is there until we were reaped, and leaves a witness then.
COMPANY = """(tail --pid=$$ --sleep-interval=0.02 --follow /dev/null; : > "$OUT/company") > /dev/null 2>&1 & exec "$@\""""
PLACES = {"init": pid_namespace("/proc"), "child": [], "beside": ["sh", "-c", COMPANY, "sh"]}
CHILD = "child/"
SEVERAL = 8
OFTEN = 30
# How a job fails that lost its store, or a worker's connection to it.
THROUGH_STORE = re.compile("the rendezvous store ended with code 1 after|the store is lost")


class Calls(list):
    """The calls of a run; `forks_before`: how many forks are not those of workers, and come before these."""

    def __init__(self, lines, forks_before):
        super().__init__(lines)
        self.forks_before = forks_before


class Run(small_jobs.SmallJob):
    """One run of the case; `fault` is (call, its number, errno's name or PART), or None."""

    forks_before = 0  # the first worker's

    cases = {
        **small_jobs.CASES,
        # More lines than the log files of a rank keep.
        "rotation": (BEGIN + 'for line in 1 2 3 4 5 6; do echo "line $line"; done; : > "$OUT/done.$RANK"',
                     0, {"0", "1"}),
    }

    def __init__(self, directory, launcher, case, place, fault=None, grace="5s"):
        super().__init__(directory, case)
        self.grace = grace
        self.lines = [f"line {number}" for number in range(1, 7)] if case == "rotation" else []
        self.call, self.number, self.error = fault or (None, None, None)
        log = directory / "calls"
        # The same leak would be found a thousand times, and to look for it takes as long as all else.
        variables = {"TRAINIT_FAULT_LOG": str(log), "ASAN_OPTIONS": "detect_leaks=0"}
        if fault:
            error = getattr(errno, self.error) if self.error else 0
            variables["TRAINIT_FAULT"] = f"{self.call} {self.number} {error}"
        self.run(launcher, *self.options(), wrapper=PLACES[place], env=variables)
        self.calls = Calls(log.read_text().splitlines(), self.forks_before)
        at = next((number for number, line in enumerate(self.calls) if line.endswith("!")), None)
        self.struck = None if at is None else self.calls[at][:-2].strip()
        self.in_store = self.struck is not None and self.struck.startswith(CHILD)
        self.before_workers = at is not None and not self.in_store and self.calls[:at].count("fork ") <= self.forks_before
        self.for_ever = str(self.number).endswith("+")
        self.company_ended = place == "beside" and not (self.out_directory / "company").exists()
        self.problems = [problem for problem in [*self.untruths(), *self.of_the_end()] if not self.excuses(problem)]

    def options(self):
        return ["--failure-grace", self.grace, "--stop-budget", "12s", "--linger", "50ms",
                "--log-dir", self.directory / "logs", "--log-file-size", "8"]

    def excuses(self, problem):
        """What a job cannot help, and says."""
        # An earlier job's marker that cannot be moved is removed.
        marker = self.call == "rename" and "of an earlier job is lost" in problem
        # Orphans go to another process then.
        orphan = self.call == "prctl" and "(EINVAL)" in self.err and problem == "a process is left"
        return marker or orphan

    def of_the_end(self):
        if self.code is None:
            yield "it never ended"
        elif self.code < 0:
            yield f"a signal ended it: {-self.code}"
        if self.company_ended:
            yield "it ended its caller's own child"
        yield from self.of_the_markers()
        if self.code == self.wanted_code:
            yield from self.of_the_wanted_end()
        else:
            yield from self.of_another_end()

    def of_the_markers(self):
        if (self.code == 0) != (self.marker("success") is not None):
            yield f"it ended with {self.code} and the marker of success is {self.marker('success')!r}"
        if self.code not in (0, self.wanted_code) and self.marker("failure") is None and not self.for_ever:
            yield f"it ended with {self.code} and there is no failure file"

    def is_heard(self):
        """Whether what we say can be read."""
        return self.call != "write" or not self.for_ever

    def of_the_wanted_end(self):
        if self.ranks("done") != self.wanted_done:
            yield f"done are {self.ranks('done')}"
        if self.wanted_code != 0:
            yield from self.of_the_failure_file()
        if not self.says_what_it_dropped():
            yield from self.of_the_output()

    def of_the_failure_file(self):
        text = self.marker("failure")
        if text is None and not self.is_heard():
            return
        if text is None and self.for_ever:
            text = "".join(line.removeprefix("trainit: ") + "\n" for line in self.err.splitlines())
            text = text[text.find("its text:\n") + len("its text:\n"):]
        if not (UNREAD_FAILURE if self.is_unread() else small_jobs.FAILURE).fullmatch(text or ""):
            yield f"the failure file says {text!r}"

    def is_unread(self):
        """Whether what the workers say cannot be read."""
        return self.call == "read" and self.for_ever and "cannot be read" in self.err

    def says_what_it_dropped(self):
        dropped = self.call == "write" and f"({self.error})" in self.err
        return dropped or not self.is_heard() or self.is_unread()

    def of_the_output(self):
        written = [[f"rank {rank}", *self.lines] for rank in range(2)]
        if sorted(self.out.splitlines()) != sorted([*written[0], *(f"[rank 1] {line}" for line in written[1])]):
            yield f"the output is {self.out!r}"
        for rank in range(2):
            kept = self.kept_lines(rank)
            # A file that cannot be moved grows on, or another takes the place of an older one.
            whole = kept == written[rank][-4:] if self.call != "renameat" else kept[-1:] == written[rank][-1:]
            if not whole and "cannot be written" not in self.err:
                yield f"the log files of rank {rank} hold {kept}"

    def kept_lines(self, rank):
        """What the rank's log files hold, the oldest first."""
        files = [self.directory / f"logs/rank-{rank}.stdout.log{ending}" for ending in (".3", ".2", ".1", "")]
        return [line for file in files if file.exists() for line in file.read_text().splitlines()]

    def of_another_end(self):
        if self.in_store:
            if not THROUGH_STORE.search(self.marker("failure") or ""):
                yield f"{self.struck} ended the job with {self.code} and the failure file {self.marker('failure')!r}"
            return
        needed = self.call in NEEDED or self.for_ever
        if not self.before_workers and not needed:
            yield f"{self.struck} ended the job with {self.code}"
        once = not self.before_workers and not self.for_ever
        if not ERRNO.search(self.err) or (once and f"({self.error})" not in self.err):
            yield f"no sentence of ours says {self.error}"
        if self.code == 0:
            yield "it ended with 0"

    def __str__(self):
        when = " before the workers" if self.before_workers else ""
        return f"{self.call} {self.number} {self.error} at {self.struck}{when}: {'; '.join(self.problems)}\n" \
               f"{self.out[-10_000:]}{self.err}"


class ExecRun(Run):
    """The same of `trainit exec`, which leaves no markers, and whose command writes to our own stdout."""

    cases = {
        "exec": (BEGIN + ': > "$OUT/done.0"', 0, {"0"}),
        "exec stop": (BEGIN + f"""trap ': > "$OUT/done.0"; exit 0' TERM; kill -TERM "$PPID"; {BLOCK}""", 0, {"0"}),
        "exec survivors": (BEGIN + f"""(trap '' TERM; {BLOCK}) > /dev/null 2>&1 & : > "$OUT/done.0\"""", 0, {"0"}),
    }
    command = ("exec",)

    def run(self, *arguments, env, **options):
        return super().run(*arguments, env={**env, "RANK": "0"}, **options)

    def options(self):
        return ["--stop-budget", "12s", "--linger", "50ms", "--sweep"]

    def untruths(self):
        if self.left:
            yield "a process is left"

    def of_the_markers(self):
        if not self.is_earlier("success") or not self.is_earlier("failure"):
            yield "it has touched a marker"

    def says_what_it_dropped(self):
        return False

    def of_the_output(self):
        if self.out != "rank 0\n":
            yield f"the output is {self.out!r}"


class SpillRun(Run):
    """The same of a job that writes more than we keep in memory; nobody reads our stdout until all is written."""

    cases = {"spill": (BEGIN + '[ "$RANK" = 1 ] || seq 5000000; : > "$OUT/done.$RANK"', 0, {"0", "1"})}
    bytes_of_seq = 38_888_896

    def options(self):
        return ["--linger", "50ms", "--logs-full", f"spill={self.directory}/spilled"]

    def end_of(self, argv, **options):
        with open(self.directory / "stderr", "wb") as stderr:
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, **options)
        limit = threading.Timer(small_jobs.RUN_SECONDS, process.kill)
        limit.start()
        wait_until(lambda: "0" in self.ranks("done") or process.poll() is not None, "rank 0 has written all")
        out = process.stdout.read()
        code = process.wait()
        limit.cancel()
        return code, out, (self.directory / "stderr").read_bytes()

    def of_the_output(self):
        spilled = sum(file.stat().st_size for file in (self.directory / "spilled").glob("*.log"))
        # Where rank 0 was read up to the middle of a line when rank 1's came, it was given an end.
        ends = re.search(r"(\d+) lines? of the output had no end when another came", self.err)
        shown = len(self.out) - len("rank 0\n[rank 1] rank 1\n") - (int(ends[1]) if ends else 0)
        told = "cannot be written" in self.err or "were not read in time, and are dropped" in self.err
        if shown + spilled != self.bytes_of_seq and not told:
            yield f"of {self.bytes_of_seq} bytes {shown} came through, and {spilled} were spilled"
        if spilled == 0 and self.call is None:
            yield "nothing was spilled"


class GpuRun(Run):
    """The same of a job with two GPUs, which are watched. Rank 0 waits until the record tells how they fare."""

    forks_before = 1  # the driver is asked first
    cases = {"gpus": (BEGIN + """
        if [ "$RANK" = 0 ]; then
          for turn in 1 2 3 4 5 6 7 8 9 10; do
            if grep -qs '"event":"gpu"' "$SM_OUTPUT_DIR"/data/trainit/*.jsonl; then break; fi; sleep 0.1
          done
        fi
        : > "$OUT/done.$RANK\"""", 0, {"0", "1"})}

    def run(self, launcher, *arguments, env, **options):
        driver = Path(launcher).parent.parent / "programs/fake_cuda"
        (self.directory / "gpus").touch()
        gpus = {"TRAINIT_GPU_PROBE": "always", "LD_LIBRARY_PATH": str(driver), "FAKE_CUDA": "2",
                "FAKE_NVML": str(self.directory / "gpus")}
        return super().run(launcher, *arguments, env={**env, **gpus}, **options)

    def options(self):
        return [*super().options(), "--gpu-health", "100ms"]


class RestartRun(Run):
    """The same of a job that begins once more. What fails lies between the last worker's start in the first round and that in the
    second, or what a job needs is not there for the second."""

    cases = {"restart": (BEGIN + f"""if [ "$TORCHELASTIC_RESTART_COUNT" = 0 ]; then
          if [ "$RANK" = 1 ]; then until [ -e "$OUT/ready.0" ]; do :; done; exit 7; fi; : > "$OUT/ready.0"; {BLOCK}
        fi
        : > "$OUT/done.$RANK\"""", 0, {"0", "1"})}
    command = ("--workers", "2", "--max-restarts", "1", "--restart-delay", "0")

    def of_the_output(self):
        if sorted(self.out.splitlines()) != 2 * ["[rank 1] rank 1"] + 2 * ["rank 0"]:
            yield f"the output is {self.out!r}"

    def of_another_end(self):
        if not self.marker("failure") or "first cause: algo-1 rank 1: ended with code 7" not in self.err:
            yield f"it ended with {self.code} and no word of what had failed"
        if not ERRNO.search(self.err):
            yield f"no sentence of ours says {self.error}"


class HostsRun(Run):
    """The same of two hosts with a worker each. What fails is what the launcher of one of them calls, the leader's."""

    cases = {"hosts": small_jobs.CASES["success"], "hosts failure": small_jobs.CASES["failure"]}
    command = ("--workers", "1")
    node_rank = 0

    def run(self, launcher, *options, **more):
        self.other = jobs.lay_out(self.directory / "other")
        words = [*options, "--nnodes", "2", "--leader", "127.0.0.1", "--control-port", str(free_port()),
                 "--meet-timeout", "20s", "--node-rank"]
        self.other_argv = [launcher, *self.command, *words, str(1 - self.node_rank), "--", "sh", "-c", self.script]
        return super().run(launcher, *words, str(self.node_rank), **more)

    def end_of(self, argv, *, env, **options):
        # A host of another run, whose leader has gone, may still knock at the port that this one has now.
        env = env | {"TRAINING_JOB_NAME": str(self.directory).replace("/", "-")}
        untouched = {name: value for name, value in env.items() if not name.startswith("TRAINIT_FAULT")} | self.other.env
        with open(self.directory / "other.err", "wb") as err, \
                subprocess.Popen(self.other_argv, env=untouched, stdout=err, stderr=err, **options) as other:
            end = super().end_of(argv, env=env, **options)
            try:
                self.other_code = other.wait(small_jobs.RUN_SECONDS)
            except subprocess.TimeoutExpired:
                self.other_code = None
                other.kill()
        return end

    def other_err(self):
        return (self.directory / "other.err").read_text()

    def of_the_end(self):
        yield from super().of_the_end()
        if self.other_code is None:
            yield "the other host never ended"
        elif (self.other_code == 0) != (self.code == 0) and not self.cut_off():
            yield f"it ended with {self.code}, and the other host with {self.other_code}"
        if self.other.success != (self.other_code == 0):
            yield f"the other host ended with {self.other_code} and its marker of success is {self.other.success}"
        if self.other_code and not self.other.failure:
            yield "the other host has no failure file"

    def cut_off(self):
        """Whether the follower never heard the outcome, and the leader says so."""
        leaders_err = self.other_err() if self.node_rank else self.err
        return (self.for_ever and "does not say that it has heard the outcome" in leaders_err) or (
            self.error == "ECONNRESET" and "(ECONNRESET)) before it had heard the outcome" in leaders_err)

    def of_the_output(self):
        if self.out != f"rank {self.node_rank}\n":
            yield f"the output is {self.out!r}"

    def of_another_end(self):
        # The other host is lost then; had it told of a failure before, that stays the cause.
        cause = r"node-\d: (lost: ended its connection|rank \d \(pid \d+\) ended with code 7 after)"
        lost = (self.error == "ECONNRESET" and "lost: ended its connection" in self.err
                and re.match(cause, self.marker("failure") or ""))
        if not lost and not self.before_workers and not self.for_ever:
            yield f"{self.struck} ended the job with {self.code}"
        if not self.marker("failure"):
            yield f"it ended with {self.code} and no word"

    def __str__(self):
        return f"{super().__str__()}-- the other host\n{self.other_err()}"


class FollowerRun(HostsRun):
    """The same, but for what the other one's launcher calls."""

    cases = {case.replace("hosts", "follower"): job for case, job in HostsRun.cases.items()}
    node_rank = 1


def run_of(directory, launcher, case, *arguments, **options):
    kinds = (Run, ExecRun, FollowerRun, GpuRun, HostsRun, RestartRun, SpillRun)
    kind = next(kind for kind in kinds if case in kind.cases)
    return kind(directory, launcher, case, *arguments, **options)


def places_of(calls):
    """(call, its number, whether a worker has been started by then) of each call of a run."""
    counts = Counter()
    for line in calls:
        call = line.split()[0]
        started = counts["fork"] > calls.forks_before or call.startswith(CHILD)
        counts[call] += 1
        yield call, counts[call], started


def errors_of(call):
    return ERRORS[call.removeprefix(CHILD)]


def faults_once(calls):
    """Each call with each error that it may have; before the workers, with the first of these only."""
    for call, number, started in places_of(calls):
        errors = errors_of(call)
        for error in errors if started else errors[:1]:
            yield call, number, error


def faults_of_supervision(calls):
    """Of these, those after what is the same in every job: from the supervisor's event loop on. A call that comes more than
    SEVERAL times fails in one way each time from then on, in turn. Looks at /proc are made again and again until nobody is
    left: of the calls that come more than OFTEN times only a part is struck from then on.
    """
    faults = list(faults_once(calls))
    begin = next(index for index, fault in enumerate(faults) if fault[0] == "epoll_create1")
    before = Counter({call: number for call, number, _ in faults[:begin]})
    for call, number, error in faults[begin:]:
        nth, errors = number - before[call], errors_of(call)
        if nth <= OFTEN:
            turn = nth
        elif nth % 10 == 0:
            turn = nth // 10
        else:
            continue
        if nth <= SEVERAL or error == errors[turn % len(errors)]:
            yield call, number, error


def faults_of_spilling(calls):
    """Those around the first line that is spilled."""
    first = next(index for index, line in enumerate(calls) if "spilled.log" in line)
    places = list(places_of(calls))[first:first + 8]
    yield from ((call, number, error) for call, number, _ in places for error in errors_of(call))
    numbers = {call: number for call, number, _ in reversed(places)}
    yield from ((call, f"{numbers[call]}+", error) for call, error in (("write", "ENOSPC"), ("openat", "EMFILE")))


def faults_between(calls, pattern):
    """Those of the calls from the first such one to the last, once all workers have been started."""
    started = max(index for index, line in enumerate(calls) if line.startswith("fork "))
    indices = [index for index in range(started, len(calls)) if re.match(pattern, calls[index])]
    for call, number, _ in list(places_of(calls))[indices[0]:indices[-1] + 1]:
        yield from ((call, number, error) for error in errors_of(call))


def faults_of_looking(calls):
    """Those from the first look at /proc to the last, with one error each, because all mean the same there; of the many
    readdir calls that it takes, a part."""
    faults = faults_between(calls, "openat /proc$|waitid")
    return [(call, number, error) for call, number, error in faults
            if error == errors_of(call)[0] and (call != "readdir" or number % 10 == 0)]


def faults_of_restarting(calls):
    """Those from the first round's last worker on to the second's; of what is looked for in /proc a part."""
    forks = [index for index, line in enumerate(calls) if line.startswith("fork ")]
    numbers = Counter()
    for call, number, _ in list(places_of(calls))[forks[1] + 1:forks[-1] + 1]:
        numbers[call] += 1
        if numbers[call] <= OFTEN or number % 10 == 0:
            yield from ((call, number, error) for error in errors_of(call))


def faults_of_rotating(calls):
    return faults_between(calls, "renameat ")


DIALLING = ("connect", "getsockopt", "setsockopt", "socket")


def faults_between_hosts(calls):
    """Those of what the hosts say to each other, from the launcher's event loop on."""
    begin = next(index for index, call in enumerate(calls) if call.startswith("epoll_create1"))
    places = [(call, number) for call, number, _ in list(places_of(calls))[begin + 1:]
              if call in (*DIALLING, "accept4", "getpeername", "recv", "send", "epoll_ctl", "epoll_wait")]
    numbers = Counter()
    for call, number in places:
        numbers[call] += 1
        if numbers[call] <= OFTEN:
            yield from ((call, number, error) for error in errors_of(call))
        if numbers[call] % 3 == 1 and call not in (*DIALLING, "epoll_wait"):  # without them nobody comes, and nothing
            yield call, f"{number}+", errors_of(call)[0]


def faults_for_ever(calls, faults=FOR_EVER):
    """From the first worker on."""
    before = Counter(call for call, _, started in places_of(calls) if not started)
    for call, error in faults:
        yield call, f"{before[call] + 1}+", error


@pytest.fixture(scope="session")
def launcher(trainit):
    path = Path(trainit).parent.parent / "tests/faults/trainit_faults"
    assert path.exists(), f"{path} is not there: build the target {path.name} too"
    return str(path)


@pytest.fixture
def runs_of(launcher, tmp_path):
    """runs_of(case, place, faults_of, …): the runs of all faults that belong to the calls of an untouched one."""
    numbers = itertools.count()

    def run(*arguments, **options):
        directory = tmp_path / f"run-{next(numbers)}"
        result = run_of(directory, launcher, *arguments, **options)
        if not result.problems:
            shutil.rmtree(directory)
        return result

    def all_runs(case, place, faults_of, **options):
        untouched = run(case, place)
        assert not untouched.problems, str(untouched)
        started = time.monotonic()
        with ThreadPoolExecutor(4 * os.cpu_count()) as pool:  # most of them wait most of the time
            runs = list(pool.map(lambda fault: run(case, place, fault, **options), faults_of(untouched.calls)))
        struck = [result for result in runs if result.struck]
        print(f"{case}, {place}: {len(struck)} of {len(runs)} runs struck, {time.monotonic() - started:.1f} s")
        return runs

    return all_runs


def check(runs):
    bad = [str(result) for result in runs if result.problems]
    assert not bad, f"{len(bad)} of {len(runs)}\n" + "\n".join(bad)


@pytest.mark.parametrize("case, place, faults_of", [
    ("success", "init", faults_once),
    ("failure", "child", faults_of_supervision),
    ("stop", "init", faults_of_supervision),
    ("rendezvous", "child", faults_of_supervision),
    ("survivors", "child", faults_of_supervision),
    ("survivors", "beside", faults_of_looking),
    ("rotation", "child", faults_of_rotating),
    ("gpus", "init", faults_of_supervision),
    ("gpus", "child", faults_of_supervision),
    ("restart", "child", faults_of_restarting),
    ("hosts", "child", faults_between_hosts),
    ("hosts failure", "init", faults_between_hosts),
    ("follower", "init", faults_between_hosts),
    ("follower failure", "child", faults_between_hosts),
    ("exec", "init", faults_once),
    ("exec stop", "init", faults_of_supervision),
    ("exec survivors", "child", faults_of_supervision),
])
def test_whatever_call_fails_it_ends_and_leaves_the_truth_and_no_process(runs_of, case, place, faults_of):
    runs = runs_of(case, place, faults_of)
    check(runs)
    # The number of calls differs between runs, most where hosts wait for each other.
    assert sum(1 for result in runs if result.struck) > 0.75 * len(runs)


@pytest.mark.parametrize("case, place", [("success", "child"), ("failure", "init"), ("stop", "child"),
                                         ("rendezvous", "init"), ("survivors", "init"), ("rotation", "child"), ("exec stop", "init")])
def test_a_call_that_fails_for_ever_once_workers_run_leaves_the_truth_and_no_process(runs_of, case, place):
    check(runs_of(case, place, faults_for_ever, grace="1s"))


def test_whatever_call_fails_while_lines_are_spilled_none_is_lost_without_a_word(runs_of):
    check(runs_of("spill", "child", faults_of_spilling))


def test_it_ends_its_own_processes_and_no_others_also_when_it_can_never_look_for_them(runs_of):
    runs = runs_of("survivors", "beside", lambda calls: faults_for_ever(calls, BLIND))
    check(runs)
    assert all(result.struck for result in runs)


def test_the_plan_is_in_the_record_also_when_no_worker_could_be_started(launcher, tmp_path):
    run = Run(tmp_path / "run", launcher, "success", "child", ("fork", 1, "EAGAIN"))
    assert run.code == 125 and not run.problems, str(run)
    record = run.here.output / "data/trainit/algo-1.jsonl"
    events = {event["event"]: event for event in map(json.loads, record.read_text().splitlines())}
    assert "spawned" not in events
    assert events["plan"]["argv"][0] == "sh" and events["environment"]["variables"]["WORLD_SIZE"]["value"] == "2"

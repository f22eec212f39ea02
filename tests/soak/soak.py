"""Many short jobs with faults at random, and one long job with many orphans: does anything leak, lie or stay?

Every job is made from the printed seed and its number alone: --seed S --only N runs one again.
"""

import argparse
import collections
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests/lib"))

from trainit_testing import jobs  # noqa: E402

WORKER = ["/usr/bin/python3", "-S", str(Path(__file__).parent / "worker.py")]
JOB_SECONDS = 60
#: 64 MiB of unread output, and what the launcher needs itself.
MOST_MEMORY_KIB = 80 * 1024
FAILURE_BYTES = 1024
ALLOWED_IN_OUTPUT = {"success", "failure", "data", "filling"}


class Wrong(Exception):
    pass


def check(holds, text):
    if not holds:
        raise Wrong(text)


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def comm(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "trainit"


def status_kib(pid, key):
    try:
        found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) if found else 0


def reads_signals(pid, binary):
    """The launcher itself, after its exec, has blocked SIGTERM. unshare(1) blocks it for a moment, too."""
    try:
        if not os.path.samefile(f"/proc/{pid}/exe", binary):
            return False
        found = re.search(r"^SigBlk:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return found is not None and bool(int(found[1], 16) >> (signal.SIGTERM - 1) & 1)


class Launcher:
    """A job as it runs, in a pid namespace of its own: as PID 1, or below a shell that says what is left at the end."""

    def __init__(self, argv, here, as_pid_1=True, pass_fds=()):
        self.left = here.base / "left"
        shell = [] if as_pid_1 else ["sh", "-c", '"$@"; code=$?; echo /proc/[0-9]* >"$LEFT"; exit $code', "sh"]
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--", *shell, *argv],
            env={"PATH": os.environ["PATH"], "HOME": "/root", "LEFT": str(self.left), **here.env},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(here.base / "stderr", "wb"), pass_fds=pass_fds,
            start_new_session=True)
        self.stderr = here.base / "stderr"
        self.as_pid_1 = as_pid_1
        self.out = b""
        self.reads = True
        self.pause = 0
        self.memory_kib = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        stream = self.process.stdout
        while self.reads:
            piece = os.read(stream.fileno(), 4096 if self.pause else 65536)
            if not piece:
                return
            self.out += piece
            time.sleep(self.pause)
        stream.close()

    @property
    def pid(self):
        below = children(self.process.pid)
        if below and not self.as_pid_1:
            below = children(below[0])
        return below[0] if below else None

    def workers(self):
        """Those that run their program: the store is a child too, and so is a worker before its exec."""
        return [child for child in children(self.pid) if not comm(child).startswith("trainit")] if self.pid else []

    def wait_for(self, count, pattern=rb"fds "):
        self.wait_until(lambda: len(re.findall(pattern, self.out)) >= count, f"{count} times {pattern} in the output")

    def wait_until(self, holds, what):
        deadline = time.monotonic() + JOB_SECONDS
        while not holds():
            check(time.monotonic() < deadline, f"it never came to: {what}")
            check(self.process.poll() is None or holds(), f"it ended before: {what}")
            self.look()
            time.sleep(0.01)

    def look(self):
        if self.pid:
            self.memory_kib = max(self.memory_kib, status_kib(self.pid, "VmHWM"))

    def wait(self):
        deadline = time.monotonic() + JOB_SECONDS
        while self.process.poll() is None:
            check(time.monotonic() < deadline, "it hangs")
            self.look()
            time.sleep(0.01)
        if self.reads:
            self.reader.join(JOB_SECONDS)
        return self.process.returncode if self.process.returncode >= 0 else 128 - self.process.returncode

    def end(self):
        """--kill-child takes the namespace along."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Soak:
    def __init__(self, binary, seed, directory):
        self.binary = str(binary)
        self.seed = seed
        self.directory = directory
        self.count = collections.Counter()

    def run(self, number):
        self.random = random.Random(f"{self.seed}/{number}")
        fault = self.random.choice(FAULTS)
        self.count[fault.__name__] += 1
        self.here = jobs.lay_out(self.directory / f"job-{number}")
        self.workers = self.random.randint(1, 4)
        self.as_pid_1 = self.random.random() < 0.5
        self.launcher = None
        try:
            fault(self)
        except Wrong as wrong:
            said = self.launcher.stderr.read_text(errors="replace") if self.launcher else ""
            return f"job {number} ({fault.__name__}, {self.workers} workers, {'' if self.as_pid_1 else 'not '}as PID 1): {wrong}\n{said}"
        finally:
            if self.launcher:
                self.launcher.end()
            subprocess.run(["umount", "-q", str(self.here.output)], stderr=subprocess.DEVNULL)
            shutil.rmtree(self.here.base)
        return None

    def start(self, what, *options, command=None):
        extra = []
        if self.random.random() < 0.3:  # a descriptor of our caller's, which is the workers' too
            extra.append(os.open(os.devnull, os.O_RDONLY))
        argv = [self.binary, "--workers", str(self.workers), *options, "--", *(command or [*WORKER, what])]
        self.launcher = Launcher(argv, self.here, self.as_pid_1, pass_fds=extra)
        self.expected_fds = str([0, 1, 2, *extra])
        for fd in extra:
            os.close(fd)
        return self.launcher

    def expect(self, code, words="", marker=True):
        """Ends the job and checks all that is true of every job's end. `marker`: there was room for one."""
        found = self.launcher.wait()
        check(found == code, f"exit code {found} instead of {code}")
        check((code == 0) == self.here.success, f"exit code {code}, and success is {self.here.success}")
        self.check_failure(code, words, marker)
        strange = {entry.name for entry in self.here.output.iterdir()} - ALLOWED_IN_OUTPUT
        check(not strange, f"left in the output directory: {strange}")
        check(self.launcher.memory_kib < MOST_MEMORY_KIB, f"the launcher took {self.launcher.memory_kib} KiB")
        if not self.as_pid_1:
            left = self.launcher.left.read_text().split()
            check(left == ["/proc/1"], f"processes are left: {left}")
        for fds in re.findall(rb"fds (\[.*\])", self.launcher.out):
            check(fds.decode() == self.expected_fds, f"a worker got {fds.decode()} instead of {self.expected_fds}")

    def check_failure(self, code, words, marker):
        failure = self.here.failure
        if code == 0:
            check(failure is None, f"exit code 0, and a failure: {failure}")
        elif marker or failure is not None:
            check(failure, "no failure, or an empty one")
            check(len(failure.encode()) <= FAILURE_BYTES and words in failure, f"'{words}' is not in the failure: {failure}")

    def some_worker(self):
        self.launcher.wait_for(self.workers)
        return self.random.choice(self.launcher.workers())

    # ---- what can happen to a job

    def all_well(self):
        self.start("well")
        self.expect(0)

    def worker_fails(self):
        code, rank = self.random.randint(1, 120), self.random.randrange(self.workers)
        self.start(f"exit={rank}={code}")
        self.expect(code, f"rank {rank}")

    def worker_is_killed(self):
        self.start("wait")
        os.kill(self.some_worker(), signal.SIGKILL)
        self.expect(137, "SIGKILL")

    def stop_is_heeded(self):
        self.start("heed")
        self.launcher.wait_for(self.workers)
        os.kill(self.launcher.pid, signal.SIGTERM)
        self.expect(0)

    def stop_is_not_heeded(self):
        self.start("ignore", "--stop-budget", "1500ms")
        self.launcher.wait_for(self.workers)
        os.kill(self.launcher.pid, signal.SIGTERM)
        self.expect(137, "SIGTERM")

    def stop_comes_at_any_time(self):
        self.start("heed")
        # Until then the kernel's default holds, which no program can change.
        self.launcher.wait_until(lambda: reads_signals(self.launcher.pid, self.binary), "the launcher has taken over signals")
        time.sleep(self.random.random() * 0.05)
        os.kill(self.launcher.pid, signal.SIGTERM)
        code = self.launcher.wait()
        check(code in (0, 143), f"exit code {code} after a SIGTERM")
        self.expect(code)

    def worker_stands_still(self):
        self.start("stopped")
        os.kill(self.some_worker(), signal.SIGSTOP)
        os.kill(self.launcher.pid, signal.SIGTERM)
        self.expect(0)

    def reader_goes(self):
        self.start("print=20000")
        self.launcher.wait_for(1, rb"line ")
        self.launcher.reads = False
        self.expect(0)

    def reader_is_slow(self):
        lines = 5_000
        self.start(f"print={lines}").pause = 0.002
        self.expect(0)
        count = len(re.findall(rb"line \d+ of rank \d+ \.*\n", self.launcher.out))
        check(count == lines * self.workers, f"{count} lines came instead of {lines * self.workers}")

    def disk_is_full(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(self.here.output)], check=True)
        with open(self.here.output / "filling", "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        code = self.random.choice([0, 5])
        self.start(f"exit={self.random.randrange(self.workers)}={code}")
        self.expect(code, marker=False)

    def children_stay(self):
        self.start("children", "--linger", "200ms")
        self.expect(0)

    def program_is_missing(self):
        self.start("", command=["/no/such/program"])
        self.expect(127, "/no/such/program")

    def program_cannot_run(self):
        self.start("", command=["/etc/passwd"])
        self.expect(126, "/etc/passwd")


FAULTS = [Soak.all_well, Soak.worker_fails, Soak.worker_is_killed, Soak.stop_is_heeded, Soak.stop_is_not_heeded,
          Soak.stop_comes_at_any_time, Soak.worker_stands_still, Soak.reader_goes, Soak.reader_is_slow, Soak.disk_is_full,
          Soak.children_stay, Soak.program_is_missing, Soak.program_cannot_run]


class LongJob:
    """One launcher that reaps orphans all the time."""

    MOST_GROWTH_KIB = 1024

    def __init__(self, binary, directory):
        self.here = jobs.lay_out(directory / "long")
        self.launcher = Launcher([str(binary), "--", *WORKER, "orphans"], self.here)
        self.launcher.wait_for(1, rb"orphans 100\b")
        self.first = self.figures()

    def figures(self):
        pid = self.launcher.pid
        return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "memory": status_kib(pid, "VmRSS"),
                "zombies": sum(self.is_zombie(child) for child in children(pid))}

    @staticmethod
    def is_zombie(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def look(self):
        """What is wrong with it, if anything is."""
        if self.launcher.process.poll() is not None:
            return f"the long job has ended with {self.launcher.process.returncode}"
        now = self.figures()
        if now["descriptors"] > self.first["descriptors"]:
            return f"the long job's descriptors grew: {self.first} to {now}"
        if now["memory"] > self.first["memory"] + self.MOST_GROWTH_KIB:
            return f"the long job's memory grew: {self.first} to {now}"
        return None if now["zombies"] < 50 else f"the long job does not reap: {now}"

    def finish(self):
        orphans = re.findall(rb"orphans (\d+)", self.launcher.out)[-1].decode()
        text = f"the long job reaped {orphans} orphans: at first {self.first}, at last {self.figures()}"
        os.kill(self.launcher.pid, signal.SIGTERM)
        code = self.launcher.wait()
        return text, None if code == 0 else f"the long job ended with {code}"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="over which the jobs are spread (60)")
    parser.add_argument("--jobs", type=int, default=1000, help="how many at most (1000)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", type=int, help="only the job of this number")
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build/release")
    return parser.parse_args()


def say(text):
    print(f"soak: {text}", flush=True)


def soak(options, directory):
    binary = (options.build / "launcher/trainit").resolve()
    short = Soak(binary, options.seed, directory)
    if options.only is not None:
        wrong = short.run(options.only)
        say(wrong or f"job {options.only} is well")
        return [wrong] if wrong else []
    begun, problems = time.monotonic(), []
    long = LongJob(binary, directory)
    for number in range(options.jobs):
        due = begun + number * options.minutes * 60 / options.jobs
        time.sleep(max(0, due - time.monotonic()))
        if time.monotonic() > begun + options.minutes * 60:
            say(f"the time is over after {number} of {options.jobs} jobs")
            break
        for problem in (short.run(number), long.look()):
            if problem:
                problems.append(problem)
                say(problem)
    text, problem = long.finish()
    say(text)
    if problem:
        problems.append(problem)
    say(f"{sum(short.count.values())} short jobs: " + ", ".join(f"{count} {name}" for name, count in sorted(short.count.items())))
    return problems


def main():
    options = arguments()
    say(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="trainit-soak-") as directory:
        problems = soak(options, Path(directory))
    say(f"{len(problems)} problems" if problems else "nothing was wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run by the Python of a torch: its client of the rendezvous store, against some server.

    store_peer.py cases RELEASE trainit BINARY    each case of trainit_testing/store_cases.py, with a server of its own
    store_peer.py cases RELEASE reference         the same against the server of this torch
    store_peer.py together PORT NAME NAME…        the first of several processes that share one server

The first two print a line of JSON for each case: {"case": NAME, "problem": TEXT or null, "seconds": NUMBER}. Each
case is a process group of its own with a deadline, so that one that hangs or crashes leaves the others alone.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from concurrent import futures
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

from trainit_testing import store_cases  # noqa: E402

CASE_SECONDS = 80
CASES_AT_ONCE = 3
PATIENCE = 30  # of a client, in seconds; all that it asks for should be there long before
ADDRESS = "127.0.0.1"


def connect(port, patience=PATIENCE, **options):
    store = distributed.TCPStore(ADDRESS, port, is_master=False, timeout=timedelta(seconds=PATIENCE), **options)
    store.set_timeout(timedelta(seconds=patience))  # older releases connect within whole seconds only
    return store


class Child:
    """A fork that calls a function. What it raises is what `result` raises."""

    def __init__(self, function):
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.write(writer, problem_of(function).encode()[-60000:])  # less than a pipe holds
            os._exit(0)
        os.close(writer)

    def has_ended(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def problem(self):
        """What went wrong, or ""; waits for the end."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        with os.fdopen(self.reader, "rb") as reader:
            os.set_blocking(self.reader, False)
            text = (reader.read() or b"").decode()
        return text or ("" if status == 0 else f"ended with {status}")

    def result(self):
        problem = self.problem()
        assert not problem, problem

    def kill(self):
        """Returns when it is gone, and its connections are closed."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def problem_of(function):
    try:
        function()
        return ""
    except BaseException:
        return traceback.format_exc()


class OurServer:
    def __init__(self, binary, world_size):
        known = ["--world-size", str(world_size)] if world_size else []
        self.process = subprocess.Popen([binary, "store", "--port", "0", *known], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith(f"listening on {ADDRESS}:"), f"the server's first line is {line!r}"
        self.port = int(line.rpartition(":")[2])

    def end(self):
        if self.process.returncode is None:
            self.process.terminate()
            code = self.process.wait(10)
            assert code == 0, f"the server ended with {code}"


class TheirServer:
    def __init__(self):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            store = distributed.TCPStore(ADDRESS, 0, is_master=True, wait_for_workers=False)
            os.write(writer, f"{store.port}\n".encode())
            signal.pause()
        with os.fdopen(reader) as file:
            self.port = int(file.readline())

    def end(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None


class Here:
    """What a case has: a server, clients of it, and others that do something meanwhile."""

    def __init__(self, server):
        self.server = server
        self.threads = futures.ThreadPoolExecutor(128)

    def connect(self, patience=PATIENCE, **options):
        return connect(self.server.port, patience, **options)

    @staticmethod
    def prefix(name, store):
        return distributed.PrefixStore(name, store)

    def start(self, function, *arguments):
        """Calls it in a thread: a future."""
        return self.threads.submit(function, *arguments)

    @staticmethod
    def first_of(started, seconds):
        done, _ = futures.wait(started, seconds, futures.FIRST_COMPLETED)
        assert len(done) == 1, f"{len(done)} have ended"
        return done.pop()

    @staticmethod
    def fork(function):
        return Child(function)


def run_case(case, server_name, binary):
    os.setpgrp()
    server = OurServer(binary, case.world_size) if server_name == store_cases.OURS else TheirServer()
    case.run(Here(server))
    server.end()


class RunningCase:
    def __init__(self, case, server_name, binary):
        self.case = case
        self.started = time.monotonic()
        self.child = Child(lambda: run_case(case, server_name, binary))

    def is_over(self):
        return self.child.has_ended() or self.seconds() > CASE_SECONDS

    def seconds(self):
        return time.monotonic() - self.started

    def report(self):
        hangs = not self.child.has_ended()
        try:
            os.killpg(self.child.pid, signal.SIGKILL)  # also what the case has left behind
        except ProcessLookupError:
            pass
        problem = self.child.problem()
        if hangs:
            problem = f"hangs: still there after {CASE_SECONDS} s"
        print(json.dumps({"case": self.case.name, "problem": problem or None, "seconds": round(self.seconds(), 2)}),
              flush=True)


def cases(release, server_name, binary=None):
    assert torch.__version__.startswith(release + "."), f"this is torch {torch.__version__}"
    waiting = [case for case in store_cases.CASES if case.holds_for(release, server_name)]
    running = []
    while waiting or running:
        while waiting and len(running) < CASES_AT_ONCE:
            running.append(RunningCase(waiting.pop(0), server_name, binary))
        over = [each for each in running if each.is_over()]
        for each in over:
            each.report()
            running.remove(each)
        if not over:
            time.sleep(0.005)


def together(port, name, *others):
    """Shares keys with clients of other releases, each step in the sight of all."""
    port = int(port)
    names = sorted([name, *others])
    store = connect(port, world_size=len(names))
    store.set(f"from {name}", name)
    for other in names:
        assert store.get(f"from {other}") == other.encode()
    pass_a_token(store, names.index(name), len(names))
    count_below_a_lock(store, name)
    begin_with_any_request(port, store, name)
    store.add("done", 1)
    while store.add("done", 0) < len(names):
        time.sleep(0.01)
    assert store.get("sum") == str(50 * len(names)).encode()


def pass_a_token(store, mine, of):
    for turn in range(mine, 60, of):
        if turn > 0:
            assert store.get(f"turn {turn - 1}") == str(turn - 1).encode()
        store.set(f"turn {turn}", str(turn))


def count_below_a_lock(store, name):
    store.compare_set("lock", "", "free")
    store.compare_set("sum", "", "0")
    for _ in range(50):
        while store.compare_set("lock", "free", name) != name.encode():
            time.sleep(0.001)
        store.set("sum", str(int(store.get("sum")) + 1))
        store.set("lock", "free")


def begin_with_any_request(port, store, name):
    """New connections, whose first request says which generation of clients this is, or does not."""
    for number in range(10):
        key = f"{name} {number}"
        store.set(key, "value")
        assert connect(port).delete_key(key)
        assert not connect(port).delete_key(key)
        if hasattr(store, "append"):
            connect(port).append(key, "appended")
            assert connect(port).get(key) == b"appended"
        try:
            connect(port, patience=0.05).get(f"missing {key}")
            raise AssertionError("it did not fail")
        except RuntimeError:
            pass
        assert connect(port).add(f"sum {key}", 1) == 1
        assert connect(port).num_keys() > 0


if __name__ == "__main__":
    {"cases": cases, "together": together}[sys.argv[1]](*sys.argv[2:])

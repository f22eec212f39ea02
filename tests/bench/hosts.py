"""What many hosts cost their leader, and how soon the workers of other hosts hear of a failure.

For the first, one program plays the launchers of all hosts but the leader's (tests/programs/hosts_load), and the leader
is a real one whose soft limit of open files is the 1,024 that containers often have. For the second, three hosts in
namespaces of their own run real launchers (trainit_testing.hosts); all clocks are the same kernel's.
"""

import os
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import common
from trainit_testing import cache, host_crowd, hosts, processes
from trainit_testing.ports import free_port

COUNTS = (100, 1000, 5000)
AIMED = 1000  # hosts that the targets are for
AGREED_S, TOLD_S, BYTES = 2, 0.5, 20_000  # to reach
REST_SECONDS = 3
SOFT_LIMIT = 1024

REAL, WORKERS = 3, 2  # hosts, and the workers of each
DIES = REAL * WORKERS - 1
SLOW_RUNS = 2  # of torchrun
LIMIT_S = 45
PROGRAM = ["sleep", "1000"]


def lead(count):
    """One job of so many hosts; what it took of its leader."""
    port = free_port()
    argv = [common.BINARY, *host_crowd.leader_options(count, port), "--record", "none", "--", *PROGRAM]
    with tempfile.TemporaryDirectory() as directory:
        env = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": directory, "TRAINING_JOB_NAME": host_crowd.JOB,
               "TRAINIT_GPU_PROBE": "never"}
        leader = processes.start(argv, env=env, wrapper=["prlimit", f"--nofile={SOFT_LIMIT}:"])
        try:
            return host_crowd.load(common.PROGRAMS / "hosts_load", common.BINARY, leader, port, count, PROGRAM, REST_SECONDS)
        finally:
            leader.end()


def take_turns(runs):
    """Hosts → what came out of each run; 2 hosts are what a leader takes by itself."""
    found = {count: [] for count in (2, *COUNTS)}
    for _ in range(runs):
        for count in found:
            found[count].append(lead(count))
    return found


class Figures:
    """Medians."""

    def __init__(self, found):
        self.found = found

    def median(self, count, key):
        return statistics.median(result[key] for result in self.found[count])

    def each(self, count, key):
        """More than with two hosts, for each host more."""
        return (self.median(count, key) - self.median(2, key)) / (count - 2)

    def turned_away(self, count):
        return max(result["turned_away"] for result in self.found[count])


def verdicts(figures):
    agreed, told = figures.median(AIMED, "agreed"), figures.median(AIMED, "told")
    most = max(figures.each(AIMED, "peak"), figures.each(AIMED, "resident"))
    return [common.verdict(f"{AIMED:,} hosts agreed in less than {AGREED_S} s", agreed < AGREED_S, f"{agreed:.2f} s"),
            common.verdict(f"{AIMED:,} hosts told in less than {TOLD_S} s", told < TOLD_S, f"{told:.3f} s"),
            common.verdict(f"at most {BYTES / 1000:.0f} KB of the leader's memory for each of {AIMED:,} hosts", most <= BYTES,
                           f"{most / 1000:.1f} KB")]


def crowds(figures):
    rows, costs = [], []
    for count in COUNTS:
        rows.append([f"{count:,}", *(f"{figures.median(count, key) * 1e3:,.1f} ms" for key in ("agreed", "told", "ended")),
                     figures.turned_away(count)])
        costs.append([f"{count:,}", f"{figures.each(count, 'agreed_cpu') * 1e6:.1f} µs", f"{figures.each(count, 'rest_cpu') * 1e6:.1f} µs",
                      f"{figures.each(count, 'ended_cpu') * 1e6:.1f} µs", f"{figures.each(count, 'resident') / 1000:.1f} KB",
                      f"{figures.each(count, 'peak') / 1000:.1f} KB"])
    times = ["hosts", "all come at once, until the last has its ranks", "a worker fails, until the last is told",
             "the first part is over, until the last is let go", "connections turned away, at most"]
    cost = ["hosts", "its CPU time to agree", "to live together for a second", "to stop and end", "memory together", "at most"]
    return ["### One leader, and the launchers of all other hosts as connections of one program", common.table(times, rows),
            "What each host costs the leader (the kernel's memory for its socket is not in it):", common.table(cost, costs),
            *verdicts(figures)]


def trainit(_, clock):
    return [common.BINARY, "--workers", WORKERS, "--record", "none", "--", *clock]


def torchrun(_, clock):
    return [cache.peer("torch").parent / "torchrun", "--nnodes", REAL, "--nproc-per-node", WORKERS, "--rdzv-backend", "c10d",
            "--rdzv-endpoint", "algo-1:29500", "--rdzv-id", "bench", "--no-python", *clock]


def on_board(board):
    """(workers there, when each died or was told, 0: not yet)."""
    data = board.read_bytes() if board.exists() else b""
    size = struct.calcsize(f"<q{REAL * WORKERS}q")
    there, *at = struct.unpack(f"<q{REAL * WORKERS}q", data[:size].ljust(size, b"\0"))
    return there, at


def told_elsewhere(at):
    """Milliseconds from the death until the last worker of another host was told; None: some was not."""
    others = [when for rank, when in enumerate(at) if rank // WORKERS != DIES // WORKERS]
    return None if not at[DIES] or 0 in others else (max(others) - at[DIES]) / 1e6


def told_ms(launcher):
    with tempfile.TemporaryDirectory() as directory, hosts.Hosts(directory, REAL) as real:
        board = Path(directory) / "board"
        clock = [common.PROGRAMS / "stop_clock", board, REAL * WORKERS, DIES]
        env = {"PATH": os.environ["PATH"], "TRAINING_JOB_NAME": "bench", "TRAINIT_GPU_PROBE": "never", "OMP_NUM_THREADS": "1"}
        for host in real:
            host.lay_out()
            host.start(list(map(str, launcher(host, clock))), env=env)
        wait_for_death(board, real)
        end = time.monotonic() + LIMIT_S
        while (told := told_elsewhere(on_board(board)[1])) is None and time.monotonic() < end:
            time.sleep(0.05)
        return told


def wait_for_death(board, real, timeout=180):
    end = time.monotonic() + timeout
    while not on_board(board)[1][DIES]:
        if time.monotonic() > end:
            raise SystemExit("the worker never died:\n" + "".join(host.run.output() for host in real))
        time.sleep(0.05)


def three_hosts(runs):
    launchers = {"trainit": (trainit, runs), "torchrun": (torchrun, min(runs, SLOW_RUNS))}
    figures = {name: [] for name in launchers}
    for turn in range(runs):
        for name, (launcher, most) in launchers.items():
            if turn < most:
                figures[name].append(told_ms(launcher))
    return ["### Three real hosts: from a worker's death on one until the last worker of the others has its SIGTERM",
            common.table(["launcher", "median", "longest", "runs"], [told_row(name, values) for name, values in figures.items()])]


def told_row(name, values):
    """A run in which somebody was never told counts as one without an end."""
    endless = [float("inf") if value is None else value for value in values]
    texts = [f"not in {LIMIT_S} s" if value == float("inf") else f"{value:,.2f} ms"
             for value in (statistics.median_high(endless), max(endless))]
    return [name, *texts, len(values)]


def main():
    options = common.arguments(runs=5)
    version = subprocess.run([cache.peer("torch"), "-c", "import torch; print(torch.__version__.split('+')[0])"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    load = os.getloadavg()[0]
    others = f", busy with other work (a load of {load:.0f} when this began)" if load > os.cpu_count() / 2 else ""
    real = three_hosts(options.runs)
    figures = Figures(take_turns(options.runs))
    head = (f"## Many hosts\n\n`scripts/bench hosts`, on {common.machine()}{others}; "
            f"medians of {options.runs} runs. The leader is the real one, started with a limit of {SOFT_LIMIT:,} open "
            "files. The program that plays the others shares the cores with it and speaks the whole protocol: each host proves who "
            "it is, reports, sends a sign of life every second, and says how it ended; it checks what it is told. torchrun is that of "
            f"PyTorch {version}, with its c10d rendezvous.")
    common.publish("hosts", "\n\n".join([head, *crowds(figures), *real]), options.print)


if __name__ == "__main__":
    main()

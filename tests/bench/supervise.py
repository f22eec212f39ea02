"""How soon the others are told when a worker dies, and how often an init wakes up while nothing happens.

One worker dies, and the others write down when SIGTERM reached them, all by the same clock of the kernel. For the
second figure each launcher looks after one sleeping worker, all of them during the same seconds.
"""

import os
import re
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import common
from trainit_testing import cache, processes

WORKERS = (8, 64)
SLOW_RUNS = 3  # of torchrun
TARGET_MS = 5
IDLE_SECONDS = 10


def trainit(count):
    return [str(common.BINARY), "--workers", str(count), "--record", "none", "--"]


def torchrun(count):
    return [str(cache.peer("torch").parent / "torchrun"), "--nproc-per-node", str(count), "--no-python"]


def last_told_ms(argv, count):
    """From the death of rank 0 until SIGTERM has reached the last of the others."""
    with tempfile.TemporaryDirectory() as directory:
        board = Path(directory) / "board"
        end = subprocess.run([*argv, str(common.PROGRAMS / "stop_clock"), str(board), str(count)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env={**os.environ, "SAGEMAKER_BASE_DIR": directory})
        there, *at = struct.unpack_from(f"<q{count}q", board.read_bytes())
    if end.returncode == 0 or there != count - 1 or 0 in at:
        raise SystemExit(f"{' '.join(argv)} did not tell all of the workers: no figure can be given")
    return (max(at[1:]) - at[0]) / 1e6


def told(count, runs):
    """name → milliseconds, from runs that take turns."""
    launchers = {"wait and kill": [str(common.PROGRAMS / "kill_others"), str(count)], "trainit": trainit(count),
                 "torchrun": torchrun(count)}
    figures = {name: [] for name in launchers}
    for turn in range(runs):
        for name, argv in launchers.items():
            if turn < SLOW_RUNS or name != "torchrun":
                figures[name].append(last_told_ms(argv, count))
    return figures


def switches(pid):
    """How often its threads have gone to sleep, each of which a wake-up ended."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.MULTILINE)[1])
    return total


def idle_launchers():
    return {
        "trainit exec": [str(common.BINARY), "exec", "--"],
        "trainit, 8 workers": trainit(8),
        "tini": [common.program("tini"), "--"],
        "dumb-init": [common.program("dumb-init"), "--"],
        "catatonit": [common.program("catatonit"), "--"],
        "torchrun": torchrun(1),
    }


def wake_ups():
    """name → wake-ups in IDLE_SECONDS. Each is PID 1, as it would be in a container."""
    with tempfile.TemporaryDirectory() as directory:
        env = {"PATH": os.environ["PATH"], "HOME": directory, "SAGEMAKER_BASE_DIR": directory}
        running = {name: processes.start([*argv, "sh", "-c", "echo there; exec sleep 1000"], env=env)
                   for name, argv in idle_launchers().items()}
        try:
            for name, process in running.items():
                process.wait_for("there", count=8 if "8 workers" in name else 1)
            time.sleep(2)
            before = {name: switches(process.pid) for name, process in running.items()}
            time.sleep(IDLE_SECONDS)
            return {name: switches(process.pid) - before[name] for name, process in running.items()}
        finally:
            for process in running.values():
                process.end()


def reaction(count, runs):
    figures = told(count, runs)
    rows = [[name, f"{statistics.median(values):.2f} ms", f"{max(values):.2f} ms", len(values)]
            for name, values in figures.items()]
    reached = "Reached" if statistics.median(figures["trainit"]) < TARGET_MS else "Missed"
    return "\n\n".join([f"### {count} workers: from a worker's death until the last of the others has its SIGTERM",
                        common.table(["launcher", "median", "longest", "runs"], rows),
                        f"To reach: {TARGET_MS} ms. {reached}."])


def main():
    options = common.arguments(runs=20)
    sections = [reaction(count, options.runs) for count in WORKERS]
    idle = [[name, count] for name, count in wake_ups().items()]
    sections.append(f"### Wake-ups in {IDLE_SECONDS} s in which nothing happens\n\n" + common.table(["launcher", "wake-ups"], idle) +
                    "\n\nTo reach: 0.")
    head = (f"## Reaction and rest\n\n`scripts/bench supervise`, on {common.machine()}; interleaved runs. torchrun looks at its "
            "workers once in 0.1 s; \"wait and kill\" is a C program that does nothing else.")
    common.publish("supervise", "\n\n".join([head, *sections]), options.print)


if __name__ == "__main__":
    main()

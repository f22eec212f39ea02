"""What it costs to pass the workers' output on: speed, and the launcher's own CPU time, against its peers.

Workers write lines as fast as they are taken; the launcher's stdout is a pipe, with the same reader for all. Speed
is that of the workers' bytes, from the first to the last that the reader got, so that starting up does not count.
CPU time is the launcher's own, without the workers', less what the same launcher needs for a single line; where that
differs from run to run by more than is left, there is no figure.
"""

import os
import statistics
import subprocess
import time

import common
from trainit_testing import cache

LINE, LONG_LINE = 100, 10_000
# From what a launcher relays in about a second.
BYTES = {"cat": 2_000_000_000, "trainit": 1_500_000_000, "mpirun": 60_000_000, "torchrun": 60_000_000}
SLOW_RUNS = 5  # of the last two
TARGET = {1: 0.8, 8: 0.6}  # of cat's speed
CPU_TARGET = 1.5  # of cat's CPU time


def writer(count, total, length):
    return [str(common.PROGRAMS / "write_lines"), str(max(total // count, length)), str(length)]


def launcher(name, count, worker):
    if name == "trainit":
        return [str(common.BINARY), "--workers", str(count), "--", *worker]
    if name == "torchrun":
        return [str(cache.peer("torch").parent / "torchrun"), "--nproc-per-node", str(count), "--tee", "3", "--no-python",
                *worker]
    return [common.program("mpirun"), "--allow-run-as-root", "--oversubscribe", "--tag-output", "-n", str(count), *worker]


def cpu_seconds(pid):
    """All that an ended process has used itself, before it is reaped."""
    process_clock = (~pid << 3) | 2  # clock_getcpuclockid(3)
    return time.clock_gettime(process_clock)


def started(name, count, worker, output):
    """The processes of one run, the launcher last."""
    options = dict(stdout=output, stderr=subprocess.DEVNULL)
    if name != "cat":
        return [subprocess.Popen(launcher(name, count, worker), stdin=subprocess.DEVNULL, **options)]
    reader, end = os.pipe()
    writers = [subprocess.Popen(worker, stdout=end) for _ in range(count)]
    os.close(end)
    cat = subprocess.Popen(["/bin/cat"], stdin=reader, **options)
    os.close(reader)
    return [*writers, cat]


def relayed(name, count, total, length):
    """Runs it once: (seconds from the first to the last byte, CPU seconds of the launcher)."""
    drain = subprocess.Popen([str(common.PROGRAMS / "drain")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    processes = started(name, count, writer(count, total, length), drain.stdin)
    drain.stdin.close()
    pid = processes[-1].pid
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    cpu = cpu_seconds(pid)
    came, nanoseconds = map(int, drain.stdout.read().split())
    if any(process.wait() != 0 for process in processes) or drain.wait() != 0 or came < total // count // length * length * count:
        raise SystemExit(f"{name} with {count} workers failed: no figure can be given")
    return nanoseconds / 1e9, cpu


def cost_of_work(busy, idle):
    """CPU seconds that the work itself took, from several runs with and without it; None: less than their noise."""
    difference = statistics.median(busy) - statistics.median(idle)
    return difference if difference > max(idle) - min(idle) else None


def measure(names, count, length, runs):
    """name → (median of MB/s, CPU seconds per GB or None), from runs that take turns."""
    speeds, busy, idle = ({name: [] for name in names} for _ in range(3))
    for turn in range(runs):
        for name in names:
            if turn >= SLOW_RUNS and name in ("torchrun", "mpirun"):
                continue
            seconds, cpu = relayed(name, count, BYTES[name], length)
            speeds[name].append(BYTES[name] / seconds / 1e6)
            busy[name].append(cpu / BYTES[name] * 1e9)
            idle[name].append(relayed(name, count, length * count, length)[1] / BYTES[name] * 1e9)
    return {name: (statistics.median(speeds[name]), cost_of_work(busy[name], idle[name])) for name in names}


def rows(figures, length):
    speed_of_cat, cost_of_cat = figures["cat"]
    for name, (speed, cost) in sorted(figures.items(), key=lambda item: -item[1][0]):
        yield [name, f"{speed:,.0f} MB/s", f"{speed * 1e6 / length:,.0f}", f"{speed / speed_of_cat:.2f}×" if speed > speed_of_cat / 20 else f"1/{speed_of_cat / speed:.0f}",
               *(("–", "–") if cost is None else (f"{cost:.2f} s", f"{cost / cost_of_cat:.2f}×"))]


def verdict(figures, count):
    speed, cost = (own / peer for own, peer in zip(figures["trainit"], figures["cat"]))
    well = speed >= TARGET[count] and cost <= CPU_TARGET
    return (f"To reach: {TARGET[count]} of cat's speed and at most {CPU_TARGET} times its CPU time. "
            f"{'Reached' if well else 'Missed'}: {speed:.2f} and {cost:.2f}.")


def section(count, length, names, runs):
    figures = measure(names, count, length, runs)
    if None in (figures["cat"][1], figures["trainit"][1]):
        raise SystemExit("this machine is too busy: the CPU time of cat or trainit is below its noise")
    title = f"### {count} worker{'s' if count > 1 else ''}, lines of {length:,} bytes"
    header = ["launcher", "speed", "lines a second", "against cat", "its CPU time for 1 GB", "against cat"]
    parts = [title, common.table(header, rows(figures, length))]
    return "\n\n".join(parts if length == LONG_LINE else [*parts, verdict(figures, count)])


def main():
    options = common.arguments(runs=15)
    everybody = ["cat", "trainit", "torchrun", "mpirun"]
    sections = [section(1, LINE, everybody, options.runs), section(8, LINE, everybody, options.runs),
                section(8, LONG_LINE, ["cat", "trainit"], options.runs)]
    head = (f"## Passing output on\n\n`scripts/bench relay`, on {common.machine()}; medians of {options.runs} interleaved runs "
            f"({min(SLOW_RUNS, options.runs)} of slow peers). Workers write as fast as they can, and one reader takes all. With 8 workers, cat "
            "reads one pipe that all of them write to, and neither keeps lines whole nor says whose they are; trainit, "
            "`torchrun --tee 3` and `mpirun --tag-output` do both. A dash: it is less than by what the launcher's CPU time "
            "without that work differs from run to run.")
    common.publish("relay", "\n\n".join([head, *sections]), options.print)


if __name__ == "__main__":
    main()

"""What it costs to start and to end: an empty job with 1, 8 and 64 workers, against its peers.

Every figure is the median of whole runs, from exec to exit, of commands that take turns. The workers
run /bin/true, so that what is left is the launcher's own. The job's directories and the temporary
files of all of them are in memory, since no disk is to be measured. Peers that are not installed fail
the run.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import common
from trainit_testing import cache, jobs

WORKERS = (1, 8, 64)
SLOW_RUNS = 5  # of peers that take seconds
BEHIND_TINI_MS, THAN_TOOLKIT, THAN_TORCHRUN, RESIDENT_MB, END_MS = 3, 100, 200, 8, 20  # to reach


def trainit(count, *command):
    return [str(common.BINARY), "--workers", str(count), "--", *command]


def torchrun(count, *command):
    return [str(cache.peer("torch").parent / "torchrun"), "--nproc-per-node", str(count), "--no-python", *command]


def commands(count):
    true = "/bin/true"
    found = {
        "trainit": (trainit(count, true), 10**9),
        "fork and exec": ([str(common.PROGRAMS / "fork_exec"), str(count), true], 10**9),
        "torchrun": (torchrun(count, true), SLOW_RUNS if count < 64 else 2),
    }
    if count < 64:  # with 64 processes on two cores Open MPI 4.1 was seen to hang for minutes
        found["mpirun"] = ([common.program("mpirun"), "--allow-run-as-root", "--oversubscribe", "-n", str(count), true],
                           SLOW_RUNS * 2)
    if count == 1:
        found["tini"] = ([common.program("tini"), "-s", "--", true], 10**9)
        found["Python toolkit"] = ([str(cache.peer("sagemaker-training").parent / "train")], SLOW_RUNS * 2)
    return found


def lay_out_job():
    base = Path(tempfile.mkdtemp(prefix="trainit-bench-", dir="/dev/shm"))
    job = jobs.lay_out(base, hyperparameters={"sagemaker_program": "nothing.sh"}, code={"nothing.sh": "#!/bin/sh\n"})
    (job.code / "nothing.sh").chmod(0o755)
    return job


def own_processes(pid):
    """The launcher's processes: those of its tree that run its program, and no worker's."""
    program = os.readlink(f"/proc/{pid}/exe")
    tree = [pid]
    for parent in tree:
        for task in Path(f"/proc/{parent}/task").iterdir():
            tree += map(int, (task / "children").read_text().split())
    return [each for each in tree if os.readlink(f"/proc/{each}/exe") == program]


def peak_memory_kib(argv, env):
    """The peak resident memory of the launcher's own processes, summed, read while its workers sleep.

    They are connected to the rendezvous store, which trainit has no process for until somebody is."""
    process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.read(1)  # a worker runs
    time.sleep(0.5)
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in own_processes(process.pid)]
    process.stdout.close()
    process.wait()
    return sum(int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) for status in statuses)


def tail_ms(count, runs, env):
    """From the last worker's own last instruction to the launcher's exit."""
    figures = []
    for _ in range(runs):
        process = subprocess.run(trainit(count, str(common.PROGRAMS / "stamp")), env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, check=True)
        ended = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        last = max(int(number) for number in re.findall(rb"\d{6,}", process.stdout))
        figures.append((ended - last) / 1e6)
    return sorted(figures)[len(figures) // 2]


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def start_verdicts(count, medians):
    """What is to be reached with so many workers; `medians` in seconds."""
    own = medians["trainit"]
    if count == 1:
        behind, faster = (own - medians["tini"]) * 1000, medians["Python toolkit"] / own
        return [common.verdict(f"at most {BEHIND_TINI_MS} ms behind tini", behind <= BEHIND_TINI_MS, f"{behind:.1f} ms"),
                common.verdict(f"{THAN_TOOLKIT} times faster than the Python toolkit", faster >= THAN_TOOLKIT, f"{faster:.0f} times")]
    if count == 8:
        faster = medians["torchrun"] / own
        return [common.verdict(f"{THAN_TORCHRUN} times faster than torchrun", faster >= THAN_TORCHRUN, f"{faster:.0f} times")]
    return []


def memory_verdict(kib):
    """With 8 workers."""
    return common.verdict(f"less than {RESIDENT_MB} MB with 8 workers", kib < RESIDENT_MB * 1024, f"{kib / 1024:.1f} MB")


def end_verdict(longest_ms):
    return common.verdict(f"at most {END_MS} ms", longest_ms <= END_MS, f"{longest_ms:.1f} ms")


def main():
    options = common.arguments(runs=40)
    job = lay_out_job()
    # The toolkit would wait for the job's host to have an address.
    env = {"PATH": os.environ["PATH"], "HOME": "/root", "SM_STUDIO_LOCAL_MODE": "true", "TMPDIR": str(job.base), **job.env}
    sections = []
    for count in WORKERS:
        medians = common.interleaved(commands(count), options.runs if count < 64 else options.runs // 2, env)
        own = medians["trainit"]
        rows = [[name, milliseconds(value), f"{value / own:.2f}×" if value / own < 10 else f"{value / own:.0f}×"]
                for name, value in sorted(medians.items(), key=lambda item: item[1])]
        sections += [f"### {count} worker{'s' if count > 1 else ''}", common.table(["launcher", "exec to exit", "against trainit"], rows),
                     *start_verdicts(count, medians)]
    sleeping = ["bash", "-c", 'exec 3<> "/dev/tcp/$MASTER_ADDR/$MASTER_PORT"; echo; exec sleep 2']
    memory = {(name, count): peak_memory_kib(launcher(count, *sleeping), env)
              for name, launcher, counts in (("trainit", trainit, (8, 64)), ("torchrun", torchrun, (8,))) for count in counts}
    own = memory["trainit", 8]
    memory = [[name, count, f"{value / 1024:.1f} MB", f"{value / own:.1f}×" if value < 10 * own else f"{value / own:.0f}×"]
              for (name, count), value in memory.items()]
    tails = {count: tail_ms(count, options.runs, env) for count in WORKERS}
    shutil.rmtree(job.base)
    sections += ["### Memory and end",
                 common.table(["launcher", "workers", "peak resident memory of its processes", "against trainit with 8"], memory),
                 memory_verdict(own),
                 common.table(["workers", "last worker's end to launcher's exit"], [[count, f"{tail:.1f} ms"] for count, tail in tails.items()]),
                 end_verdict(max(tails.values()))]
    head = f"## Start and end of an empty job\n\n`scripts/bench start`, on {common.machine()}; medians of {options.runs} interleaved runs (fewer for peers that take seconds); what is written is in memory. " \
        "tini and the Python toolkit start one process; mpirun was seen to hang for minutes with 64 on two cores."
    common.publish("start", "\n\n".join([head, *sections]), options.print)


if __name__ == "__main__":
    main()

"""Three jobs of three hosts each, at the same time, on networks that lose packets all the time.

Each host is in namespaces of its own (trainit_testing.hosts). Its worker sleeps, and ends well when the time is over: a
job of which a host ends otherwise has raised a false alarm. Exit code: how many have.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests/lib"))

from trainit_testing.hosts import Hosts  # noqa: E402

BINARY = REPOSITORY / "build/release/launcher/trainit"
#: What is lost of what comes and goes, in percent, by host.
LOSSES = {
    "20 % on a follower's way": {"algo-3": 20},
    "20 % on the leader's way": {"algo-1": 20},
    "5 % on everybody's way": {"algo-1": 5, "algo-2": 5, "algo-3": 5},
}
#: Beyond the workers' time, on a machine that has much to do.
PATIENCE = 120


def inside(host, *command):
    return subprocess.run(["nsenter", "-t", str(host.pid), "-n", *command], stdout=subprocess.PIPE, text=True).stdout


def lost_packets(host):
    lines = inside(host, "iptables", "-nvxL", "INPUT").splitlines()
    return sum(int(line.split()[0]) for line in lines if " DROP " in line)


def sent_again(host):
    """How many segments of TCP, of how many."""
    names, values = (line.split() for line in inside(host, "cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:"))
    tcp = dict(zip(names, values))
    return int(tcp["RetransSegs"]), int(tcp["OutSegs"])


def tell(name, host, end):
    well = end.code == 0 and host.job.success
    again, of = sent_again(host)
    print(f"{name}: {host.name} ended with {end.code}{'' if well else ' – a false alarm'}; {lost_packets(host)} packets that "
          f"came were lost, {again} of {of} segments sent again", flush=True)
    if not well:
        print(f"-- failure\n{host.job.failure}\n-- log\n{end.err}", flush=True)
    return well


def lossy_job(name, losses, seconds, results):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="loss-hour."))
        hosts = stack.enter_context(Hosts(directory, 3))
        for host in hosts:
            host.lay_out()
        for which, percent in losses.items():
            hosts[which].lose(percent)
        for host in hosts:
            host.start([BINARY, "--workers", "1", "--", "sh", "-c", f"echo up; exec sleep {seconds}"],
                       env={"PATH": os.environ["PATH"], "TRAINING_JOB_NAME": "loss-hour", "TRAINIT_GPU_PROBE": "never"})
        for host in hosts:
            host.run.wait_for("up$", timeout=PATIENCE)
        print(f"{time.strftime('%T')} {name}: three hosts are up", flush=True)
        ends = hosts.wait(seconds + PATIENCE)
        results[name] = all([tell(name, host, end) for host, end in zip(hosts, ends)])


def main():
    parser = argparse.ArgumentParser(prog="scripts/loss-hour", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    seconds = 60 * parser.parse_args().minutes
    results = {}
    jobs = [threading.Thread(target=lossy_job, args=(name, losses, seconds, results)) for name, losses in LOSSES.items()]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    wrong = [name for name in LOSSES if not results.get(name)]
    print("no false alarm" if not wrong else f"false alarms, or no result: {'; '.join(wrong)}")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())

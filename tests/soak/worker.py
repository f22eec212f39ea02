"""A worker of the soak: worker.py WHAT. Says which descriptors it got, does what it is told, and ends with 0."""

import os
import signal
import sys
import time


def descriptors():
    return sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))


def say(text):
    print(text, flush=True)


def leave_children():
    """Two in sessions of their own, one of which ignores SIGTERM."""
    for ignores in (False, True):
        if os.fork() == 0:
            os.setsid()
            if ignores:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(0)


def make_orphans():
    """For ever: processes whose parent is gone, and that end at once or a little later."""
    for number in range(10**9):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(number % 5 / 100)
            os._exit(0)
        os.wait()
        if number % 100 == 0:
            say(f"orphans {number}")
        time.sleep(0.01)


def main():
    what, *values = sys.argv[1].split("=")
    if what in ("heed", "stopped"):
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if what == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"fds {descriptors()}")
    if what in ("heed", "ignore", "stopped", "wait"):
        time.sleep(1000)
    if what == "orphans":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        make_orphans()
    if what == "print":
        for number in range(int(values[0])):
            print(f"line {number} of rank {os.environ['RANK']} " + "." * (number % 150))
    if what == "children":
        leave_children()
    if what == "exit" and os.environ["RANK"] == values[0]:
        raise SystemExit(int(values[1]))


main()

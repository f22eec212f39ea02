"""Control groups of the tests' own, of either version."""

import contextlib
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class CannotMake(Exception):
    """This machine lets nobody make a control group."""


def _parent(controller):
    unified = (ROOT / "cgroup.controllers").exists()
    if not unified:
        return ROOT / controller
    control = ROOT / "cgroup.subtree_control"
    with contextlib.suppress(OSError):
        control.write_text(f"+{controller}")
    if controller not in control.read_text().split():
        raise CannotMake(f"{control} does not take {controller}")
    return ROOT


@contextlib.contextmanager
def control_group(controller, limits):
    """The directory of a new group. `limits`: pairs of file and value, for whichever version has the file."""
    try:
        parent = _parent(controller)
        directory = parent / f"trainit-test-{os.getpid()}-{time.monotonic_ns()}"
        directory.mkdir()
    except OSError as error:
        raise CannotMake(str(error)) from error
    try:
        for file, value in limits:
            if (directory / file).exists():
                (directory / file).write_text(str(value))
        yield directory
    finally:
        _remove(directory)


def _remove(directory):
    deadline = time.monotonic() + 30
    while True:
        try:
            return directory.rmdir()
        except OSError:  # its last process is still on its way out
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def inside(directory):
    """What to put before a command so that it runs in the group, as the same process."""
    return ["sh", "-c", f'echo $$ > {directory}/cgroup.procs && exec "$@"', "sh"]

"""What the benchmarks share: interleaved runs of whole commands, and the document of their results."""

import argparse
import os
import platform
import re
import shutil
import statistics
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests/lib"))

BINARY = REPOSITORY / "build/release/launcher/trainit"
PROGRAMS = REPOSITORY / "build/release/tests/programs"
DOCUMENT = REPOSITORY / "docs/benchmarks.md"


def arguments(runs):
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=runs, help="of each command")
    parser.add_argument("--print", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser.parse_args()


def program(name):
    path = shutil.which(name)
    if not path:
        raise SystemExit(f"{name} is not installed: run scripts/setup")
    return path


def wall(argv, env):
    """Seconds from exec to exit, by the parent's clock. The command must end with 0."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in range(3)]
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - begin
    os.close(null)
    if status != 0:
        raise SystemExit(f"{' '.join(argv)} ended with status {status}: no figure can be given")
    return seconds


def interleaved(commands, runs, env):
    """Runs every command in turn, so that a disturbance of the machine meets them all.

    commands: name → (argv, at most so many runs). Gives name → the median in seconds.
    """
    figures = {name: [] for name in commands}
    for turn in range(runs):
        for name, (argv, most) in commands.items():
            if turn < most:
                figures[name].append(wall(argv, env))
    return {name: statistics.median(values) for name, values in figures.items()}


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), Linux {platform.release().split('-')[0]}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def verdict(aim, well, found):
    return f"To reach: {aim}. {'Reached' if well else 'Missed'}: {found}."


def publish(name, text, only_print):
    """Puts the section of this suite into the document, in place of the one of an earlier run."""
    print(text)
    if only_print:
        return
    begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
    section = f"{begin}\n{text}\n{end}"
    document = DOCUMENT.read_text() if DOCUMENT.exists() else "# Benchmarks\n"
    if begin in document:
        head, rest = document.split(begin)
        document = head + section + rest.split(end)[1]
    else:
        document += f"\n{section}\n"
    DOCUMENT.write_text(document)

"""Runs the built fuzz targets on their kept inputs and on what libFuzzer makes of them (see scripts/fuzz).

A target passes when it ended by itself, nothing was broken, and it did run: more inputs than the kept ones,
in code that counts its coverage. A report for machines, one test case a target, goes where --report says.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROGRAMS = REPOSITORY / "build/fuzz/tests/fuzz"
KEPT = REPOSITORY / "tests/fuzz/corpus"
# Inputs that are there for other tests.
MORE_INPUTS = {"errors": REPOSITORY / "tests/fixtures/errors"}
WORK = REPOSITORY / "build/fuzz"
# One input may take this long on a busy machine, and a run this much longer than it was told to.
INPUT_SECONDS = 30
EXTRA_SECONDS = 300
# Of the finds of earlier runs, so that a run's beginning takes no longer the more there were.
MOST_FINDS = 200
LINES_OF_A_FAILURE = 40


@dataclass
class Outcome:
    target: str
    problem: str  # empty: it passed
    detail: str
    seconds: float = 0


def say(text):
    print(f"fuzz: {text}", flush=True)


def name(path):
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


def environment(scratch):
    # addr2line is there wherever the compiler is; clang's own symbolizer is not.
    addr2line = shutil.which("addr2line") or ""
    options = f"allow_addr2line=1:external_symbolizer_path={addr2line}" if addr2line else ""
    return os.environ | {"TMPDIR": scratch, "ASAN_OPTIONS": options, "UBSAN_OPTIONS": "print_stacktrace=1"}


def scratch_directory():
    """Where targets write files: in memory, where that is possible."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="trainit-fuzz-", dir=memory)


def run(command, seconds):
    """Its exit code and all that it said; 124: it did not end in time."""
    with scratch_directory() as scratch:
        try:
            done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, env=environment(scratch), timeout=seconds)
            return done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as expired:
            return 124, (expired.stdout or b"").decode(errors="replace")


def files_in(directory):
    return sorted(file for file in directory.glob("*") if file.is_file())


def size_of(file):
    return file.stat().st_size


def given(target):
    """The directories of inputs that are there before anything is made up."""
    return [KEPT / target, *([MORE_INPUTS[target]] if target in MORE_INPUTS else [])]


def what_ran(output):
    """The number of inputs that were run, and the coverage at the end; 0 for what was not said."""
    executed = re.findall(r"^stat::number_of_executed_units:\s*(\d+)", output, re.MULTILINE)
    coverage = re.findall(r"^#\d+\t\w+\s+cov: (\d+)", output, re.MULTILINE)
    return int(executed[-1]) if executed else 0, int(coverage[-1]) if coverage else 0


def problem_of(code, output, kept):
    """What is wrong with a run that ended so; empty: nothing."""
    if code == 124:
        return "it did not end in time"
    broken = re.search(r"Test unit written to (\S+)", output)
    if broken:
        return f"broken by {name(Path(broken[1]))}"
    if code != 0:
        return f"it ended with {code}"
    executed, coverage = what_ran(output)
    if executed <= kept:
        return f"it ran {executed} inputs, and {kept} are kept: it made none up"
    if coverage == 0:
        return "it covered nothing: its code does not count"
    return ""


def how_to_replay(target, output):
    broken = re.search(r"Test unit written to (\S+)", output)
    return f"to see it again: {name(PROGRAMS / f'fuzz_{target}')} {name(Path(broken[1]))}" if broken else ""


def fuzz(target, seconds):
    kept = sum(len(files_in(directory)) for directory in given(target))
    if not files_in(KEPT / target):
        return Outcome(target, f"there are no inputs in {name(KEPT / target)}", "")
    finds, broken = WORK / "finds" / target, WORK / "broken" / target
    finds.mkdir(parents=True, exist_ok=True)
    broken.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    options = [f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", f"-report_slow_units={INPUT_SECONDS}",
               "-print_final_stats=1", f"-artifact_prefix={broken}/"]
    with tempfile.TemporaryDirectory(dir=WORK) as directory:
        here, earlier = Path(directory), files_in(finds)
        for file in random.sample(earlier, min(len(earlier), MOST_FINDS)):
            shutil.copy(file, here)
        kept += len(files_in(here))
        code, output = run([PROGRAMS / f"fuzz_{target}", *options, here, *given(target)], seconds + EXTRA_SECONDS)
        new = [file for file in files_in(here) if not (finds / file.name).exists()]
        for file in new:
            shutil.move(file, finds)
    (WORK / f"{target}.log").write_text(output)
    problem = problem_of(code, output, kept)
    executed, coverage = what_ran(output)
    said = f"{executed} inputs, coverage {coverage}, {len(new)} new finds"
    say(f"{target}: {problem or 'passed'} ({said})")
    tail = [*output.splitlines()[-LINES_OF_A_FAILURE:], how_to_replay(target, output)] if problem else []
    return Outcome(target, problem, "\n".join([said, *tail]), time.monotonic() - begin)


def merge(target):
    """As few of the finds as reach all code that the finds reach and the given inputs do not become kept ones."""
    finds, kept = WORK / "finds" / target, KEPT / target
    finds.mkdir(parents=True, exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as joined:
        before = [file for directory in given(target) for file in files_in(directory)]
        for number, file in enumerate(before):
            shutil.copyfile(file, Path(joined) / f"given-{number}")
        code, output = run([PROGRAMS / f"fuzz_{target}", "-set_cover_merge=1", "-use_counters=0", joined, finds], 3600)
        for file in files_in(Path(joined)):
            if not file.name.startswith("given-"):
                shutil.copyfile(file, kept / file.name[:12])
    files = files_in(kept)
    problem = f"merging ended with {code}" if code != 0 else ""
    say(f"{target}: {problem or 'merged'} ({len(files)} kept inputs, {sum(map(size_of, files))} bytes)")
    return Outcome(target, problem, output)


def write_report(path, outcomes):
    suite = xml.Element("testsuite", name="fuzz")
    for outcome in outcomes:
        case = xml.SubElement(suite, "testcase", name=outcome.target, time=f"{outcome.seconds:.1f}")
        if outcome.problem:
            xml.SubElement(case, "failure", message=outcome.problem)
    xml.ElementTree(suite).write(path)


def built_targets():
    return sorted(file.name.removeprefix("fuzz_") for file in PROGRAMS.glob("fuzz_*")
                  if file.is_file() and os.access(file, os.X_OK))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--report", type=Path)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    known = built_targets()
    unknown = [target for target in arguments.targets if target not in known]
    if unknown or not known:
        say(f"there is no target {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    task = merge if arguments.merge else lambda target: fuzz(target, arguments.seconds)
    with ThreadPoolExecutor(max_workers=arguments.jobs) as pool:
        outcomes = list(pool.map(task, arguments.targets or known))
    for outcome in outcomes:
        if outcome.problem:
            say(f"{outcome.target}: {outcome.problem}\n{outcome.detail}")
    if arguments.report:
        write_report(arguments.report, outcomes)
    return 1 if any(outcome.problem for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

"""The launcher is killed at every one of its system calls, one run each, and what is left behind is looked at.

Whatever the moment: no marker of success without success, no half of a file, no other file than is documented, no
marker of an earlier job once a worker has begun, and no process; and `trainit failure` and `trainit explain` can tell of
it. As PID 1 the kernel ends what the launcher leaves; elsewhere the workers are sent SIGKILL when it dies.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from trainit_testing import small_jobs

KILLED = 128 + signal.SIGKILL
# The number of calls differs between runs, by how the workers' output comes.
MORE_CALLS = 40
# All that a job has in its output directory.
FILES = {"success", "failure", "success.previous", "failure.previous", "data", "data/trainit", "data/trainit/algo-1.jsonl"}
# And where the file system does not know files without a name.
UNFINISHED = re.compile(r"failure\.\d+\.tmp")


def can_be_nameless(directory):
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY))
        return True
    except OSError:
        return False


class Run(small_jobs.SmallJob):
    """One run that is killed at call number `point` (0: never)."""

    def __init__(self, directory, tool, trainit, case, place, point):
        super().__init__(directory, case)
        report = directory / "report"
        self.run(trainit, "--failure-grace", "60s", "--linger", "100ms", wrapper=[tool, report, str(point), place])
        self.report = report.read_text().strip()
        self.killed = self.report.startswith("killed")
        self.problems = [*self.untruths(), *(self.of_a_kill() if self.killed else self.of_an_end())]

    def of_a_kill(self):
        if self.code != KILLED:
            yield f"it ended with {self.code}"
        failure = self.marker("failure")
        if failure is not None and (self.wanted_code == 0 or not small_jobs.FAILURE.fullmatch(failure)):
            yield f"the failure file says {failure!r}"
        events, torn = self.record()
        if torn:
            yield f"the record ends in {torn!r}"
        outcomes = [event["success"] for event in events if event["event"] == "outcome"]
        if outcomes == [True] and self.marker("success") is None:
            yield "the record tells of a success that has no marker"
        yield from self.of_the_files()

    def of_the_files(self):
        found = {str(file.relative_to(self.here.output)): file for file in self.here.output.rglob("*")}
        others = {name for name in found.keys() - FILES if can_be_nameless(self.here.output) or not UNFINISHED.fullmatch(name)}
        if others:
            yield f"{others} are left"
        for name, text in (("success", ""), ("success.previous", small_jobs.EARLIER), ("failure.previous", small_jobs.EARLIER)):
            if name in found and found[name].read_text() not in (text, small_jobs.EARLIER):
                yield f"{name} says {found[name].read_text()!r}"

    def leftovers(self):
        """What a reader could tell apart."""
        return (*(event["event"] for event in self.record()[0]), *map(self.marker, ("success", "failure")))

    def read_back(self, trainit):
        """What is wrong with what our own readers make of it."""
        for word in ("failure", "explain"):
            end = subprocess.run([trainit, word, self.here.base], capture_output=True, text=True, timeout=60)
            if end.returncode != 0 and (self.record()[0] or end.returncode != 1):
                self.problems.append(f"trainit {word} ended with {end.returncode}: {end.stdout}{end.stderr}")

    def of_an_end(self):
        success, failure = self.marker("success"), self.marker("failure")
        if self.code != self.wanted_code:
            yield f"it ended with {self.code}"
        if (success is not None) != (self.wanted_code == 0):
            yield f"the marker of success is {success!r}"
        if self.wanted_code != 0 and not small_jobs.FAILURE.fullmatch(failure or ""):
            yield f"the failure file says {failure!r}"
        if self.ranks("done") != self.wanted_done:
            yield f"done are {self.ranks('done')}"
        events, torn = self.record()
        if not events or events[-1]["event"] != "outcome" or torn:
            yield "the record is not complete"

    def __str__(self):
        return f"{self.report}: {'; '.join(self.problems)}\n{self.out}{self.err}"


# Elsewhere than as PID 1 nothing ends what the workers themselves have started.
PLACES = [(case, place) for case in small_jobs.CASES for place in ("init", "child")
          if (case, place) != ("survivors", "child")]


@pytest.mark.parametrize("case, place", PLACES)
def test_killed_at_any_system_call_it_leaves_the_truth_and_no_process(trainit, program, tmp_path, case, place):
    tool = program("kill_at_syscall")
    numbers = itertools.count()
    read_back = set()

    def run(point):
        directory = tmp_path / f"run-{next(numbers)}"
        result = Run(directory, tool, trainit, case, place, point)
        if result.leftovers() not in read_back:
            read_back.add(result.leftovers())
            result.read_back(trainit)
        if not result.problems:
            shutil.rmtree(directory)
        return result

    untouched = run(0)
    assert not untouched.problems, str(untouched)
    points = int(re.search(r"\d+$", untouched.report)[0]) + MORE_CALLS
    started = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = list(pool.map(run, range(1, points + 1)))
    killed = [result for result in runs if result.killed]
    print(f"{case}, {place}: {len(killed)} of {len(runs)} runs killed, {time.monotonic() - started:.1f} s")
    assert not runs[-1].killed, "the job made more calls than were tried"
    bad = [str(result) for result in runs if result.problems]
    assert not bad, f"{len(bad)} of {len(runs)}\n" + "\n".join(bad[:5])

"""The launcher is killed at every one of its system calls, one run each, and what is left behind is looked at.

Whatever the moment: no marker of success without success, no half of a file, no marker of an earlier job once a
worker has begun, and no process. As PID 1 the kernel ends what the launcher leaves; elsewhere the workers are sent
SIGKILL when it dies.
"""

import itertools
import os
import re
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from trainit_testing import small_jobs

KILLED = 128 + signal.SIGKILL
# The number of calls differs between runs, by how the workers' output comes.
MORE_CALLS = 40


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
        events, _ = self.record()
        outcomes = [event["success"] for event in events if event["event"] == "outcome"]
        if outcomes == [True] and self.marker("success") is None:
            yield "the record tells of a success that has no marker"

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

    def run(point):
        directory = tmp_path / f"run-{next(numbers)}"
        result = Run(directory, tool, trainit, case, place, point)
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

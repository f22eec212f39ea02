"""Builds what the named suites need, runs them, and sums up what their own reports say.

Numbers come from reports that the test runners write for machines; a runner that ended badly without a
report counts as one failure, and a suite that ran nothing makes the whole fail.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BUILD = REPOSITORY / "build"
RESULTS = BUILD / "test-results"
SUITE_SECONDS = 1800
LINES_OF_A_FAILURE = 60


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    skip_reasons: collections.Counter = field(default_factory=collections.Counter)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skip_reasons.update(other.skip_reasons)

    def ran(self):
        return self.passed + self.failed + self.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed"

    def with_skipped(self):
        return f"{self}, {self.skipped} skipped" if self.skipped else str(self)


def say(text):
    print(text, flush=True)


def run(command, log, **options):
    """Runs a command with all output in a log; its exit code (124: it took too long)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as output:
        try:
            return subprocess.run(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, timeout=SUITE_SECONDS, **options).returncode
        except subprocess.TimeoutExpired:
            output.write(f"\nended after {SUITE_SECONDS} s\n")
            return 124


def show(log):
    lines = log.read_text(errors="replace").splitlines()
    if not lines:
        return
    say("\n".join(lines[-LINES_OF_A_FAILURE:]))
    say(f"(all of it: {log.relative_to(REPOSITORY)})")


def build(preset):
    started = time.monotonic()
    for step, command in (("configure", ["cmake", "--preset", preset]),
                          ("build", ["cmake", "--build", "--preset", preset])):
        log = RESULTS / f"{step}-{preset}.log"
        if run(command, log, cwd=REPOSITORY) != 0:
            show(log)
            return False
    say(f"build {preset}: {time.monotonic() - started:.0f} s")
    return True


# ---- unit tests: doctest programs, known to CTest

def doctest_count(report):
    try:
        total = xml.parse(report).getroot().find("OverallResultsTestCases")
        return Count(int(total.get("successes")), int(total.get("failures")))
    except (OSError, xml.ParseError, AttributeError):
        return None


def run_doctest(test, preset):
    report = RESULTS / f"{test['name']}-{preset}.xml"
    log = report.with_suffix(".log")
    report.unlink(missing_ok=True)
    properties = {item["name"]: item["value"] for item in test.get("properties", [])}
    variables = dict(item.split("=", 1) for item in properties.get("ENVIRONMENT", []))
    code = run([*test["command"], "--reporters=xml", f"--out={report}"], log,
               cwd=properties.get("WORKING_DIRECTORY"), env=os.environ | variables)
    count = doctest_count(report)
    if count is None:
        say(f"{test['name']} ended with {code} and left no report")
        count = Count(failed=1)
    elif code != 0 and count.failed == 0:
        say(f"{test['name']} ended with {code} after its last test")
        count.failed += 1
    if count.failed:
        show(log)
        if report.exists():
            say("".join(failed_doctests(report)))
    return count


def failed_doctests(report):
    try:
        cases = xml.parse(report).getroot().iter("TestCase")
    except xml.ParseError:
        return
    for case in cases:
        for problem in [*case.iter("Expression"), *case.iter("Exception"), *case.iter("Message")]:
            place = f"{problem.get('filename', case.get('filename'))}:{problem.get('line', case.get('line'))}"
            detail = " ".join(" ".join(problem.itertext()).split())
            if problem.get("success") != "true":
                yield f"FAILED {case.get('name')}\n  {place}: {detail}\n"


def run_other_ctests(preset, names):
    """Tests of CTest that are no doctest programs, for instance a consumer of the installed package."""
    report = RESULTS / f"ctest-{preset}.xml"
    log = report.with_suffix(".log")
    code = run(["ctest", "--preset", preset, "--output-junit", report, "-R", f"^({'|'.join(names)})$"], log,
               cwd=REPOSITORY)
    count = junit_count(report, code, passing_codes=(0, 8))
    if count.failed:
        show(log)
    return count


def unit(preset):
    listing = subprocess.run(["ctest", "--test-dir", BUILD / preset, "--show-only=json-v1"], check=True,
                             stdout=subprocess.PIPE, cwd=REPOSITORY)
    tests = json.loads(listing.stdout)["tests"]
    count = Count()
    for test in tests:
        if test["name"].startswith("unit_"):
            count.add(run_doctest(test, preset))
    others = [test["name"] for test in tests if not test["name"].startswith("unit_")]
    if others:
        count.add(run_other_ctests(preset, others))
    return count


# ---- pytest

def junit_count(report, code, passing_codes):
    """The sum of a JUnit report. An exit code that the report does not explain is one more failure."""
    count = Count()
    try:
        cases = list(xml.parse(report).getroot().iter("testcase"))
    except (OSError, xml.ParseError):
        return Count(failed=1)
    for case in cases:
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif skipped is not None:
            count.skipped += 1
            count.skip_reasons[skipped.get("message", "")] += 1
        else:
            count.passed += 1
    if code not in passing_codes or (code != 0 and count.failed == 0):
        count.failed += 1
    return count


# An init that is wrong may signal every process it can see.
OWN_PIDS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def pytest(name, paths, binary, arguments=(), namespace=()):
    report = RESULTS / f"{name}.xml"
    log = report.with_suffix(".log")
    report.unlink(missing_ok=True)
    code = run([*namespace, sys.executable, "-m", "pytest", "-ra", f"--junitxml={report}", *arguments,
                *(REPOSITORY / "tests" / path for path in paths)],
               log, cwd=REPOSITORY, env=os.environ | {"TRAINIT_BINARY": str(binary)})
    nothing_collected = 5
    if code == nothing_collected:
        return Count()
    count = junit_count(report, code, passing_codes=(0, 1))
    if count.failed:
        show(log)
    return count


def binary(preset):
    return BUILD / preset / "launcher/trainit"


# What shares one engine.
DOCKER = "images/test_docker.py"
SDK = "conformance/test_sagemaker_sdk.py"
HOSTS_THEMSELVES = "hosts/test_hosts_themselves.py"
HOSTS_TRAIN = "hosts/test_training.py"


def without(path):
    return f"--ignore={REPOSITORY / 'tests' / path}"


def demo():
    log = RESULTS / "demo.log"
    if run([REPOSITORY / "scripts/demo"], log) == 0:
        return Count(passed=1)
    show(log)
    return Count(failed=1)


def fuzz_seconds():
    """Of each target: a minute where nobody waits for it."""
    if os.environ.get("TRAINIT_QUICK"):
        return 5
    return 60 if os.environ.get("CI") else 20


def fuzz():
    seconds = fuzz_seconds()
    report = RESULTS / "fuzz.xml"
    log = report.with_suffix(".log")
    report.unlink(missing_ok=True)
    code = run(["nice", "-n", "5", sys.executable, REPOSITORY / "scripts/lib/fuzz.py", "--jobs", "1",
                "--seconds", seconds, "--report", report], log)
    count = junit_count(report, code, passing_codes=(0, 1))
    if count.failed:
        show(log)
    return count


@dataclass
class Suite:
    presets: list
    what: str
    run: object
    #: Takes the CPU time that the others leave.
    left_over: bool = False


#: Suites at the same time: with two cores, so many that hardly any time is left while some wait.
AT_ONCE = 3
WAITS_MUCH = ["-n", "3"]  # and computes little

#: In the order in which they start: the long ones first.
SUITES = {
    "conformance": Suite(["release"], "against real peers",
                         lambda: pytest("conformance", ["conformance"], binary("release"), [*WAITS_MUCH, without(SDK)])),
    "faults": Suite(["release"], "each system call of jobs of many kinds fails, one run each",
                    lambda: pytest("faults", ["faults"], binary("release"), WAITS_MUCH, OWN_PIDS)),
    "docker": Suite(["release"], "in containers of a real engine, and with the SageMaker SDK's local mode",
                    lambda: pytest("docker", [DOCKER, SDK], binary("release"))),
    "blackbox-dev": Suite(["dev"], "the binary with sanitizers, as PID 1, from outside",
                          lambda: pytest("blackbox-dev", ["blackbox"], binary("dev"), WAITS_MUCH, OWN_PIDS)),
    "blackbox": Suite(["release"], "the static binary, as PID 1, from outside",
                      lambda: pytest("blackbox", ["blackbox"], binary("release"), WAITS_MUCH, OWN_PIDS)),
    "fuzz": Suite(["fuzz"], "inputs that are made up, against what must always hold: 20 s a target, in CI a minute", fuzz, left_over=True),
    "scripts": Suite([], "set-up and this sum themselves", lambda: pytest("scripts", ["scripts"], binary("release"))),
    "hosts": Suite(["release"], "jobs over several hosts, each in namespaces of its own, and what can befall them",
                   lambda: pytest("hosts", ["hosts"], binary("release"), ["-n", "6"], OWN_PIDS)),
    "hosts-dev": Suite(["dev"], "the same with sanitizers, without what proves the hosts themselves, and without PyTorch",
                       lambda: pytest("hosts-dev", ["hosts"], binary("dev"), ["-n", "6", without(HOSTS_THEMSELVES), without(HOSTS_TRAIN)], OWN_PIDS)),
    "faults-dev": Suite(["dev"], "each system call of a job that succeeds and of one that fails fails, with sanitizers",
                        lambda: pytest("faults-dev", ["faults"], binary("dev"), ["-k", "(success or failure) and not hosts and not follower"],
                                       OWN_PIDS)),
    "crash": Suite(["release"], "killed at each system call of small jobs, one run each",
                   lambda: pytest("crash", ["crash"], binary("release"), namespace=OWN_PIDS)),
    "unit-dev": Suite(["dev"], "unit tests with AddressSanitizer and UndefinedBehaviorSanitizer",
                      lambda: unit("dev")),
    "unit": Suite(["release"], "the same, as the product is built", lambda: unit("release")),
    "simulation-dev": Suite(["dev"], "jobs of many hosts in simulated time, with sanitizers",
                            lambda: pytest("simulation-dev", ["simulation"], binary("dev"))),
    "simulation": Suite(["release"], "100,000 of the same, with all that may befall hosts and their network",
                        lambda: pytest("simulation", ["simulation"], binary("release"))),
    "roots": Suite(["release"], "in the root file systems of several distributions, and in an empty one",
                   lambda: pytest("roots", ["images"], binary("release"), [without(DOCKER)])),
    "demo": Suite(["release"], "scripts/demo", demo),
}


def run_suite(name):
    started = time.monotonic()
    count = SUITES[name].run()
    lines = [f"{name}: {count.with_skipped()} ({time.monotonic() - started:.0f} s)"]
    lines += [f"  skipped {times}: {reason}" for reason, times in sorted(count.skip_reasons.items())]
    if count.ran() == 0:
        lines.append(f"{name}: ran nothing, which counts as a failure")
    say("\n".join(lines))
    return count


def run_suites(names):
    """The sum over the suites, and whether each of them ran something."""
    with ThreadPoolExecutor(AT_ONCE) as places, ThreadPoolExecutor() as beside:
        running = [(beside if SUITES[name].left_over else places).submit(run_suite, name) for name in names]
        counts = [suite.result() for suite in running]
    total = Count()
    for count in counts:
        total.add(count)
    return total, all(count.ran() for count in counts)


def main():
    parser = argparse.ArgumentParser(prog="test")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true", help="look at the arguments alone")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.suites if name not in SUITES]
    if unknown:
        parser.error(f"no such suite: {', '.join(unknown)} (see --help)")
    if arguments.check:
        return 0
    if arguments.list:
        say("\nSuites:\n" + "\n".join(f"  {name:14} {suite.what}" for name, suite in SUITES.items()))
        return 0
    names = arguments.suites or list(SUITES)
    RESULTS.mkdir(parents=True, exist_ok=True)
    if arguments.quick:
        say("quick: without the test peers from PyPI and CUDA's toolkit: their tests are skipped, and the example for GPUs "
            "is not compiled for them")
    for preset in dict.fromkeys(preset for name in names for preset in SUITES[name].presets):
        if not build(preset):
            say("0 passed, 1 failed")
            return 1
    total, complete = run_suites(names)
    if total.skipped:
        say(f"{total.skipped} skipped, for the reasons above")
    # Who reads the last line by machine finds just these two numbers there.
    say(f"{total}")
    return 0 if complete and total.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the sum of scripts/test is made of: reports of test runners, read without any guess."""

import importlib.util
import sys
import threading
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def suites(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("suites", REPOSITORY / "scripts/lib/suites.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "suites", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    module.RESULTS.mkdir()
    return module


def doctest_program(tmp_path, report, code):
    """A stand-in for a unit test program: writes its report and ends."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n"
                       'for argument; do case $argument in --out=*) file=${argument#--out=};; esac; done\n'
                       f"printf '%s' '{report}' > \"$file\"\n{code}\n")
    program.chmod(0o755)
    return {"name": "unit_x", "command": [str(program)]}


def totals(successes, failures):
    return f'<doctest><OverallResultsTestCases successes="{successes}" failures="{failures}"/></doctest>'


@pytest.mark.parametrize("report, code, passed, failed", [
    (totals(5, 0), "exit 0", 5, 0),
    (totals(4, 1), "exit 1", 4, 1),
    (totals(5, 0), "exit 1", 5, 1),      # a leak that was found when all tests were over
    ("<doctest><TestCase", "kill -SEGV $$", 0, 1),
    ("", "exit 0", 0, 1),
])
def test_a_unit_test_program_counts_by_its_report_and_its_end(suites, tmp_path, report, code, passed, failed):
    count = suites.run_doctest(doctest_program(tmp_path, report, code), "dev")
    assert (count.passed, count.failed) == (passed, failed)


JUNIT = """<testsuites><testsuite>
  <testcase name="a"/>
  <testcase name="b"><failure message="no"/></testcase>
  <testcase name="c"><error message="no"/></testcase>
  <testcase name="d"><skipped message="no engine"/></testcase>
</testsuite></testsuites>"""


def test_a_junit_report_is_summed_with_the_reasons_of_what_was_skipped(suites, tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(JUNIT)
    count = suites.junit_count(report, 1, passing_codes=(0, 1))
    assert count.with_skipped() == "1 passed, 2 failed, 1 skipped"
    assert count.skip_reasons == {"no engine": 1}


def test_a_runner_that_ends_badly_without_a_failure_in_its_report_is_a_failure(suites, tmp_path):
    report = tmp_path / "report.xml"
    report.write_text('<testsuite><testcase name="a"/></testsuite>')
    assert suites.junit_count(report, 3, passing_codes=(0, 1)).failed == 1
    assert suites.junit_count(report, 1, passing_codes=(0, 1)).failed == 1
    assert suites.junit_count(tmp_path / "nothing.xml", 0, passing_codes=(0, 1)).failed == 1


@pytest.mark.parametrize("quick, ci, seconds", [("", "true", "60"), ("", "", "20"), ("1", "", "5"), ("1", "true", "5")])
def test_each_fuzz_target_counts_and_has_most_time_in_ci(suites, tmp_path, monkeypatch, quick, ci, seconds):
    runner = tmp_path / "scripts/lib/fuzz.py"
    runner.parent.mkdir(parents=True)
    runner.write_text("import sys\n"
                      "open(sys.argv[sys.argv.index('--report') + 1], 'w').write(" + repr(JUNIT) + ")\n"
                      "open('seconds', 'w').write(sys.argv[sys.argv.index('--seconds') + 1])\n"
                      "sys.exit(1)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAINIT_QUICK", quick)
    monkeypatch.setenv("CI", ci)
    count = suites.fuzz()
    assert (count.passed, count.failed) == (1, 2)
    assert (tmp_path / "seconds").read_text() == seconds


def test_a_suite_that_ran_nothing_makes_the_whole_fail(suites, monkeypatch, capsys):
    monkeypatch.setattr(suites, "build", lambda preset: True)
    monkeypatch.setattr(suites, "SUITES", {
        "full": suites.Suite([], "", lambda: suites.Count(passed=2)),
        "empty": suites.Suite([], "", suites.Count)})
    monkeypatch.setattr(sys, "argv", ["suites", "full"])
    assert suites.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"
    monkeypatch.setattr(sys, "argv", ["suites"])
    assert suites.main() == 1


def test_the_last_line_is_the_plain_sum_and_what_was_skipped_stands_before_it(suites, monkeypatch, capsys):
    monkeypatch.setattr(suites, "build", lambda preset: True)
    monkeypatch.setattr(suites, "SUITES", {
        "one": suites.Suite([], "", lambda: suites.Count(passed=2, skipped=1)),
        "two": suites.Suite([], "", lambda: suites.Count(passed=1, failed=1, skipped=2))})
    monkeypatch.setattr(sys, "argv", ["suites"])
    assert suites.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("one: 2 passed, 0 failed, 1 skipped (")
    assert lines[-2:] == ["3 skipped, for the reasons above", "3 passed, 1 failed"]


@pytest.mark.parametrize("names, together", [(["one", "two", "three"], 3), (["one", "two", "three", "beside"], 4)])
def test_a_few_suites_run_at_the_same_time_and_beside_them_what_takes_the_time_they_leave(suites, monkeypatch, names, together):
    meeting = threading.Barrier(together, timeout=20)
    ended = []

    def meet():
        meeting.wait()
        ended.append(None)
        return suites.Count(passed=1)

    def run_last():
        assert ended
        return suites.Count(passed=1)

    table = {name: suites.Suite([], "", meet, left_over=name == "beside") for name in names}
    monkeypatch.setattr(suites, "SUITES", table | {"last": suites.Suite([], "", run_last)})
    total, complete = suites.run_suites([*names[:3], "last", *names[3:]])
    assert complete and total.passed == together + 1


def test_a_suite_that_breaks_down_is_no_pass(suites, monkeypatch):
    def breaks_down():
        raise OSError("no more processes")

    monkeypatch.setattr(suites, "SUITES", {"one": suites.Suite([], "", lambda: suites.Count(passed=1), left_over=True),
                                           "two": suites.Suite([], "", breaks_down)})
    with pytest.raises(OSError):
        suites.run_suites(["one", "two"])


def test_what_cannot_be_built_is_a_failure(suites, monkeypatch, capsys):
    monkeypatch.setattr(suites, "build", lambda preset: False)
    monkeypatch.setattr(sys, "argv", ["suites", "unit"])
    assert suites.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"

"""What scripts/fuzz makes of a fuzz target's end, with stand-ins for the targets."""

import importlib.util
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RAN = "echo '#90\tNEW    cov: 12 ft: 20'; echo 'stat::number_of_executed_units: 90'"


@pytest.fixture
def fuzz(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("fuzz", REPOSITORY / "scripts/lib/fuzz.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fuzz", module)
    spec.loader.exec_module(module)
    for name, path in (("REPOSITORY", "."), ("PROGRAMS", "programs"), ("KEPT", "kept"), ("WORK", "work")):
        monkeypatch.setattr(module, name, tmp_path / path)
    monkeypatch.setattr(module, "MORE_INPUTS", {})
    module.PROGRAMS.mkdir()
    return module


def target(fuzz, name, script, kept=2):
    program = fuzz.PROGRAMS / f"fuzz_{name}"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    (fuzz.KEPT / name).mkdir(parents=True, exist_ok=True)
    for i in range(kept):
        (fuzz.KEPT / name / str(i)).write_text("x")


def run(fuzz, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["fuzz", *map(str, arguments)])
    return fuzz.main()


def test_a_target_that_made_inputs_up_and_broke_nothing_passes(fuzz, monkeypatch, capsys):
    target(fuzz, "a", f"{RAN}; for last; do :; done; touch \"${{@: -2:1}}/new\"")
    assert run(fuzz, monkeypatch) == 0
    assert capsys.readouterr().out == "fuzz: a: passed (90 inputs, coverage 12, 1 new finds)\n"


def test_a_run_begins_with_some_of_the_finds_of_earlier_ones_and_loses_none(fuzz, monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "MOST_FINDS", 3)
    finds = fuzz.WORK / "finds/a"
    finds.mkdir(parents=True)
    for number in range(10):
        (finds / f"find-{number}").touch()
    here = '"${@: -2:1}"'
    target(fuzz, "a", f'{RAN}; ls {here} > "{tmp_path}/begun"; rm {here}/*; touch {here}/new')
    assert run(fuzz, monkeypatch) == 0
    begun = (tmp_path / "begun").read_text().split()
    assert len(begun) == 3 and set(begun) < {file.name for file in finds.iterdir()}
    assert len(list(finds.iterdir())) == 11


@pytest.mark.parametrize("script, problem", [
    (RAN.replace("90'", "2'"), "made none up"),
    (RAN.replace("cov: 12", "cov: 0"), "covered nothing"),
    ("exit 0", "made none up"),
    (f"{RAN}; exit 3", "it ended with 3"),
    (f"{RAN}; kill -KILL $$", "it ended with -9"),
])
def test_a_target_that_did_not_run_as_it_should_fails(fuzz, monkeypatch, capsys, script, problem):
    target(fuzz, "a", script)
    assert run(fuzz, monkeypatch) == 1
    assert problem in capsys.readouterr().out


def test_a_target_that_does_not_end_fails(fuzz, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "EXTRA_SECONDS", 1)
    target(fuzz, "a", "exec sleep 1000")
    assert run(fuzz, monkeypatch, "--seconds", 0) == 1
    assert "it did not end in time" in capsys.readouterr().out


def test_a_target_gets_the_inputs_that_are_there_for_other_tests(fuzz, monkeypatch, capsys, tmp_path):
    (tmp_path / "fixtures").mkdir()
    for i in range(90):
        (tmp_path / "fixtures" / str(i)).touch()
    monkeypatch.setitem(fuzz.MORE_INPUTS, "a", tmp_path / "fixtures")
    target(fuzz, "a", f"{RAN}; echo got \"${{@: -1}}\"; exit 1")
    assert run(fuzz, monkeypatch) == 1
    assert f"got {tmp_path / 'fixtures'}" in capsys.readouterr().out
    target(fuzz, "a", RAN)
    assert run(fuzz, monkeypatch) == 1
    assert "92 are kept: it made none up" in capsys.readouterr().out


def test_a_target_without_kept_inputs_fails(fuzz, monkeypatch, capsys):
    target(fuzz, "a", RAN, kept=0)
    assert run(fuzz, monkeypatch) == 1
    assert "there are no inputs" in capsys.readouterr().out


def test_what_broke_a_target_is_named_with_the_way_to_see_it_again(fuzz, monkeypatch, capsys, tmp_path):
    target(fuzz, "a", 'for argument; do case $argument in -artifact_prefix=*) at=${argument#*=}; esac; done\n'
                      'touch "${at}crash-1"; echo "this must hold, and does not: x"\n'
                      'echo "Test unit written to ${at}crash-1"; exit 77')
    assert run(fuzz, monkeypatch) == 1
    said = capsys.readouterr().out
    assert "this must hold, and does not: x" in said
    program, broken = re.search(r"to see it again: (\S+) (\S+)", said).groups()
    assert (tmp_path / program).exists() and (tmp_path / broken).exists()


def test_one_target_that_fails_does_not_keep_the_others_from_running(fuzz, monkeypatch, tmp_path):
    target(fuzz, "a", "exit 1")
    target(fuzz, "b", RAN)
    report = tmp_path / "report.xml"
    assert run(fuzz, monkeypatch, "--report", report) == 1
    cases = xml.parse(report).getroot().findall("testcase")
    assert [(case.get("name"), case.find("failure") is not None) for case in cases] == [("a", True), ("b", False)]


def test_only_the_named_targets_run_and_an_unknown_one_is_a_mistake(fuzz, monkeypatch, capsys):
    target(fuzz, "a", RAN)
    target(fuzz, "b", "exit 1")
    assert run(fuzz, monkeypatch, "a") == 0
    assert run(fuzz, monkeypatch, "c") == 2
    assert "there is no target c; there are: a, b" in capsys.readouterr().out


def test_merging_adds_what_the_target_chose_to_the_kept_inputs(fuzz, monkeypatch):
    target(fuzz, "a", '[ "$(ls "$3" | wc -l)" = 2 ] && [ -d "$4" ] && echo y > "$3/chosen"')
    assert run(fuzz, monkeypatch, "--merge") == 0
    assert sorted(file.name for file in (fuzz.KEPT / "a").iterdir()) == ["0", "1", "chosen"]


def test_a_merge_that_fails_is_said(fuzz, monkeypatch, capsys):
    target(fuzz, "a", "echo why; exit 1")
    assert run(fuzz, monkeypatch, "--merge") == 1
    said = capsys.readouterr().out
    assert "merging ended with 1" in said and "why" in said

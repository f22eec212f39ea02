"""What scripts say of their arguments, before they set anything up."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SET_UP = 77


@pytest.fixture
def script(tmp_path):
    """Runs a script of a copy whose set-up ends with SET_UP, and with it the script."""
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scripts/setup").write_text(f"#!/bin/sh\nexit {SET_UP}\n")

    def run(name, *words):
        return subprocess.run([tmp_path / "scripts" / name, *words], text=True, capture_output=True)

    return run


@pytest.mark.parametrize("name, words, told", [
    ("test", ["nosuch"], "test: error: no such suite: nosuch (see --help)"),
    ("test", ["--quick", "unit", "none"], "no such suite: none"),
    ("test", ["--bogus"], "unrecognized arguments: --bogus"),
    ("demo", ["--bogus"], "demo: unknown argument: --bogus (see --help)"),
    ("bench", ["common"], "usage: scripts/bench start|relay|supervise|store|hosts"),
    ("bench", ["nosuch"], "usage: scripts/bench start|"),
    ("bench", [], "usage: scripts/bench start|"),
])
def test_a_mistake_is_told_before_anything_is_set_up(script, name, words, told):
    done = script(name, *words)
    assert done.returncode in (1, 2) and told in done.stderr and done.stdout == "", done


@pytest.mark.parametrize("name, words", [("test", []), ("test", ["--quick", "unit"]), ("demo", []), ("bench", ["start"])])
def test_without_a_mistake_the_set_up_comes_first(script, name, words):
    assert script(name, *words).returncode == SET_UP


@pytest.mark.parametrize("word", ["-h", "--help"])
@pytest.mark.parametrize("name, told", [("test", "  scripts/test [--quick] [SUITE…]\n"), ("demo", "  scripts/demo\n"),
                                        ("fuzz", "  scripts/fuzz --merge [TARGET…]\n")])
def test_help_is_printed_and_nothing_is_done(script, name, told, word):
    done = script(name, word)
    assert done.returncode == 0 and told in done.stdout and "set -e" not in done.stdout, done


def test_every_benchmark_can_be_named(script):
    suites = {file.stem for file in (REPOSITORY / "tests/bench").glob("*.py")} - {"common"}
    told = script("bench").stderr.split()[2]
    assert set(told.split("|")) == suites

"""The benchmarks publish no figure that their runs do not give."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "bench"


def module(monkeypatch, name):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, loaded)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def start(monkeypatch):
    return module(monkeypatch, "start")


@pytest.fixture
def relay(monkeypatch):
    return module(monkeypatch, "relay")


@pytest.fixture
def hosts(monkeypatch):
    return module(monkeypatch, "hosts")


# name → seconds, as docs/benchmarks.md has them.
ONE = {"trainit": 0.0033, "tini": 0.0017, "Python toolkit": 0.4138}
EIGHT = {"trainit": 0.0076, "torchrun": 2.41}


def verdicts(start, one=ONE, eight=EIGHT, kib=3.9 * 1024, tail=2.3):
    return [*start.start_verdicts(1, one), *start.start_verdicts(8, eight), start.memory_verdict(kib), start.end_verdict(tail)]


def test_the_document_says_of_the_start_what_is_to_be_reached_and_whether_it_is(start):
    text = start.common.DOCUMENT.read_text()
    section = text[text.index("<!-- start begins"):text.index("<!-- start ends")]
    aims = [line.partition(". ")[0] for line in verdicts(start)]
    said = [line for line in section.splitlines() if line.startswith("To reach")]
    assert [line.partition(". ")[0] for line in said] == aims and all(". Reached: " in line for line in said)


@pytest.mark.parametrize("worse, missed", [
    ({}, []),
    ({"one": {**ONE, "trainit": 0.0049, "Python toolkit": 1}}, ["at most 3 ms behind tini. Missed: 3.2 ms."]),
    ({"one": {**ONE, "Python toolkit": 0.32}}, ["100 times faster than the Python toolkit. Missed: 97 times."]),
    ({"eight": {**EIGHT, "trainit": 0.0125}}, ["200 times faster than torchrun. Missed: 193 times."]),
    ({"kib": 8 * 1024}, ["less than 8 MB with 8 workers. Missed: 8.0 MB."]),
    ({"tail": 20.1}, ["at most 20 ms. Missed: 20.1 ms."]),
])
def test_a_start_that_takes_too_much_has_missed_what_it_takes_too_much_of(start, worse, missed):
    assert [line for line in verdicts(start, **worse) if ". Reached: " not in line] == [f"To reach: {line}" for line in missed]


def test_the_cost_of_work_is_what_it_takes_more_than_none_by_medians(relay):
    assert relay.cost_of_work(busy=[5.0, 5.5, 9.0], idle=[1.0, 1.5, 1.4]) == pytest.approx(4.1)


def test_a_cost_that_is_lost_in_the_noise_is_none(relay):
    assert relay.cost_of_work(busy=[20.1, 20.2, 20.3], idle=[20.0, 20.6, 19.8]) is None
    assert relay.cost_of_work(busy=[19.0], idle=[20.0]) is None


def test_where_there_is_no_cost_a_dash_is_printed(relay):
    figures = {"cat": (1000.0, 0.5), "torchrun": (100.0, None)}
    cat, torchrun = relay.rows(figures, length=100)
    assert cat[-2:] == ["0.50 s", "1.00×"]
    assert torchrun[-2:] == ["–", "–"]


def result(**figures):
    return {"agreed": 0.1, "told": 0.1, "ended": 0.1, "turned_away": 0, "agreed_cpu": 0.1, "rest_cpu": 0.1, "ended_cpu": 0.1,
            "resident": 2_000_000, "peak": 2_000_000, **figures}


def test_what_a_leader_takes_by_itself_is_no_host_s(hosts):
    figures = hosts.Figures({2: [result()], 1000: [result(resident=2_000_000 + 998 * 5000)]})
    assert figures.each(1000, "resident") == 5000
    assert figures.each(1000, "agreed_cpu") == 0


def test_memory_that_a_leader_needs_for_a_moment_counts_too(hosts):
    small = hosts.Figures({2: [result()], 1000: [result()]})
    large = hosts.Figures({2: [result()], 1000: [result(peak=2_000_000 + 998 * 20_001)]})
    assert all("Reached" in line for line in hosts.verdicts(small))
    assert ["Missed" in line for line in hosts.verdicts(large)] == [False, False, True]


def test_only_workers_of_other_hosts_have_to_be_told_by_another_host(hosts):
    second = 1_000_000_000
    assert hosts.told_elsewhere([2 * second, second + 3_000_000, second + 1, second + 2, 0, second]) == 1000
    assert hosts.told_elsewhere([second + 5_000_000, second + 3_000_000, second + 1, second + 2, 9 * second, second]) == 5


def test_nobody_is_said_to_be_told_who_was_not(hosts):
    second = 1_000_000_000
    assert hosts.told_elsewhere([0] * 6) is None
    assert hosts.told_elsewhere([2 * second, 0, 2 * second, 2 * second, second, second]) is None
    assert hosts.told_row("torchrun", [None, 4.0]) == ["torchrun", "not in 45 s", "not in 45 s", 2]
    assert hosts.told_row("torchrun", [None, 4.0, 5.0]) == ["torchrun", "5.00 ms", "not in 45 s", 3]

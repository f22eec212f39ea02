"""The benchmarks publish no figure that their runs do not give."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "bench"


@pytest.fixture
def relay(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("relay", BENCHMARKS / "relay.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "relay", module)
    spec.loader.exec_module(module)
    return module


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

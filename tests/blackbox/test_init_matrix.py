"""The table that sets trainit beside other inits says of trainit what is so."""

from pathlib import Path

import pytest
from trainit_testing import init_matrix

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs/init.md"


@pytest.fixture(scope="module")
def documented():
    return init_matrix.parse(DOCUMENT.read_text())


def test_the_table_has_every_probe_of_every_init(documented):
    assert list(documented) == ["trainit exec", *init_matrix.PEERS]
    for init, cells in documented.items():
        assert list(cells) == list(init_matrix.PROBES), init
        assert all(cells.values()), init


@pytest.fixture(scope="module")
def measured(trainit):
    witness = Path(trainit).parent.parent / "tests/programs/signal_witness"
    assert witness.exists(), f"{witness} is not there: build the target {witness.name} too"
    return init_matrix.column([trainit, "exec", "--"], str(witness))


# A sanitizer's runtime has signal handlers of its own.
@pytest.mark.release_only
@pytest.mark.parametrize("probe", init_matrix.PROBES)
def test_trainit_does_what_the_table_says(documented, measured, probe):
    assert documented["trainit exec"][probe] == measured[probe], "scripts/init-matrix measures all of them anew"

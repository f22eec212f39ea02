"""Fixtures of the tests that hold this project against the software it has to agree with.

build_dir      the build directory: `TRAINIT_BUILD_DIR`, or build/release
program(NAME)  path of a helper program of tests/programs in it
"""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def build_dir():
    return Path(os.environ.get("TRAINIT_BUILD_DIR", REPOSITORY / "build/release")).resolve()


@pytest.fixture(scope="session")
def program(build_dir):
    def find(name):
        path = build_dir / "tests/programs" / name
        if not path.exists():
            pytest.fail(f"{path} is not there: cmake --build {build_dir} --target {name}")
        return str(path)

    return find

"""scripts/setup, with stand-ins for the package manager: it installs what is missing and nothing else."""

import os
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parent.parent.parent / "scripts/setup"


@pytest.fixture
def setup(tmp_path):
    """Runs scripts/setup, if not told otherwise --demo; gives the finished process and the calls of apt-get."""
    calls = tmp_path / "calls"
    calls.touch()

    def program(name, text):
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)

    def run(missing=(), apt="exit 0", words=("--demo",), prefix=()):
        absent = "|".join(missing) or "-"
        program("dpkg-query", 'for name in "${@:3}"; do case $name in '
                f'{absent}) ;; *) echo "$name installed";; esac; done')
        program("apt-get", f'echo "$@" >> {calls}\n{apt}')
        done = subprocess.run([*prefix, SETUP, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
        return done, calls.read_text().splitlines()

    return run


def test_what_is_there_is_left_alone(setup):
    done, calls = setup()
    assert done.returncode == 0, done.stdout
    assert calls == []


def test_where_all_is_there_it_needs_no_network(setup):
    words = ["--quick"] if os.environ.get("TRAINIT_QUICK") else []
    done, calls = setup(words=words, prefix=["unshare", "--net"])
    assert done.returncode == 0, done.stdout
    assert calls == []
    kinds = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert {"setup", "export-digits", "roots", "fetch-cuda-headers"} <= kinds
    assert all(line.endswith(("there", "include")) or " is in " in line for line in done.stdout.splitlines()), done.stdout


def test_only_what_is_missing_is_installed(setup):
    done, calls = setup(missing=["cmake", "python3-torch"])
    assert done.returncode == 0, done.stdout
    install = [call for call in calls if " install " in call]
    assert len(install) == 1
    assert install[0].split("--no-install-recommends")[1].split() == ["cmake", "python3-torch"]


def test_old_package_lists_are_renewed_once(setup, tmp_path):
    tried = tmp_path / "tried"
    done, calls = setup(missing=["cmake"],
                        apt=f'case "$*" in *install*) [ -e {tried} ] || {{ touch {tried}; exit 100; }};; esac')
    assert done.returncode == 0, done.stdout
    assert [call.split()[-1] for call in calls][-3:] == ["cmake", "update", "cmake"]


def test_a_package_that_cannot_be_installed_is_an_error(setup):
    done, _ = setup(missing=["cmake"], apt='case "$*" in *install*) exit 100;; esac')
    assert done.returncode != 0

"""What scripts/setup put into the cache: digits, roots, test peers, CUDA's toolkit."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("TRAINIT_CACHE") or Path.home() / ".cache/trainit")


def digits():
    """The directory with the channels train and test of the handwritten digits."""
    directory = CACHE / "digits"
    assert directory.is_dir(), "the digits are not there: run scripts/setup"
    return directory


def has_peer(name):
    return _peer_python(name).exists()


def _peer_python(name):
    return CACHE / "peers" / name / "bin/python"


def peer(name):
    """The Python of a test peer's environment. `scripts/test --quick` does without peers, and says so."""
    python = _peer_python(name)
    if not python.exists():
        if os.environ.get("TRAINIT_QUICK"):
            pytest.skip(f"--quick leaves out the test peer {name}")
        pytest.fail(f"the test peer {name} is not there: run scripts/setup")
    return python


def cuda_toolkit():
    """The directory of CUDA's toolkit. `scripts/test --quick` does without, and says so."""
    pins = Path(__file__).resolve().parents[3] / "scripts/lib/cuda-toolkit.txt"
    directory = CACHE / f"cuda-toolkit-{hashlib.sha256(pins.read_bytes()).hexdigest()[:16]}"
    if not (directory / "complete").exists():
        if os.environ.get("TRAINIT_QUICK"):
            pytest.skip("--quick leaves out CUDA's toolkit: the example for GPUs is not compiled for them")
        pytest.fail("CUDA's toolkit is not there: run scripts/setup")
    return directory


def root_archive(name):
    """The checked archive of a root file system."""
    archive = CACHE / "roots" / f"{name}.tar.zst"
    if not archive.exists():
        pytest.skip(f"scripts/setup could not make the root {name}")
    archive = archive.resolve()
    expected = Path(f"{archive}.sha256").read_text().split()[0]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert found == expected, f"{archive} has changed since it was made: remove it"
    return archive


def unpack_root(name, directory):
    subprocess.run(["tar", "--zstd", "-xpf", root_archive(name), "-C", directory, "--numeric-owner"],
                   check=True)

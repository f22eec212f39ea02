"""scripts/fetch-cuda-headers and scripts/fetch-cuda-toolkit, with packages of the test's own: they keep what is needed and
nothing else, and fetch it once."""

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
HEADERS = {"cuda.h": "cu13", "nvml.h": "cu13", "cuda_runtime.h": "cu13", "crt/host_config.h": "cu13", "nccl.h": "nccl"}


def write_wheel(directory, files):
    """The archive of a package, and its line among the pins."""
    directory.mkdir()
    wheel = directory / "nvidia_headers-1.0-py3-none-any.whl"
    metadata = "nvidia_headers-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: nvidia-headers\nVersion: 1.0\n")
        archive.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{metadata}/RECORD", "")
    return f"nvidia-headers==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class Fetch:
    """A copy of one of the scripts, which finds its packages in a directory."""

    def __init__(self, directory, files, what="cuda-headers"):
        self.directory = directory
        self.script = directory / f"scripts/fetch-{what}"
        self.pins = directory / f"scripts/lib/{what}.txt"
        shutil.copytree(SCRIPTS, directory / "scripts")
        self.pins.write_text(write_wheel(directory / "packages", files))

    def run(self):
        environment = os.environ | {"TRAINIT_CACHE": str(self.directory / "cache"), "PIP_NO_INDEX": "1",
                                    "PIP_FIND_LINKS": str(self.directory / "packages")}
        return subprocess.run([self.script], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def kept(self):
        (only,) = (self.directory / "cache").iterdir()
        return only, sorted(str(file.relative_to(only)) for file in only.rglob("*") if file.is_file())


@pytest.fixture
def files():
    return {f"nvidia/{package}/include/{name}": name for name, package in HEADERS.items()} | \
        {"nvidia/nccl/lib/libnccl.so.2": "large", "nvidia/cu13/bin/nvcc": "tool"}


def test_the_headers_are_kept_and_nothing_else_and_are_fetched_once(tmp_path, files):
    fetch = Fetch(tmp_path, files)
    done = fetch.run()
    assert done.returncode == 0, done.stdout
    directory, kept = fetch.kept()
    assert directory.name == f"cuda-headers-{hashlib.sha256(fetch.pins.read_bytes()).hexdigest()[:16]}"
    assert kept == sorted(["complete", *(f"include/{name}" for name in HEADERS)])
    assert (directory / "include/crt/host_config.h").read_text() == "crt/host_config.h"
    shutil.rmtree(tmp_path / "packages")
    again = fetch.run()
    assert again.returncode == 0 and "fetching" not in again.stdout, again.stdout
    assert fetch.kept() == (directory, kept)


def test_a_package_with_another_checksum_is_an_error(tmp_path, files):
    fetch = Fetch(tmp_path, files)
    fetch.pins.write_text("nvidia-headers==1.0 --hash=sha256:" + "0" * 64 + "\n")
    done = fetch.run()
    assert done.returncode != 0 and "hash" in done.stdout.lower(), done.stdout
    _, kept = fetch.kept()
    assert "complete" not in kept and not any(name.startswith("include") for name in kept)


# ---- the toolkit

TOOLS = ["bin/nvcc", "bin/ptxas", "nvvm/bin/cicc"]
KEPT = [*TOOLS, "bin/nvcc.profile", "nvvm/libdevice/libdevice.10.bc", "include/cuda_runtime.h", "lib/libcudart_static.a",
        "lib/libcudart.so.13"]


@pytest.fixture
def toolkit_files():
    return {f"nvidia/cu13/{name}": name for name in [*KEPT, "lib/libnvvm.so.4", ".metadata/x.txt"]} | \
        {"nvidia/nccl/lib/libnccl.so.2": "nccl", "nvidia/nccl/include/nccl.h": "nccl.h"}


def test_the_toolkit_is_kept_so_that_it_runs_and_is_fetched_once(tmp_path, toolkit_files):
    fetch = Fetch(tmp_path, toolkit_files, "cuda-toolkit")
    done = fetch.run()
    assert done.returncode == 0, done.stdout
    directory, kept = fetch.kept()
    assert done.stdout.splitlines()[-1].endswith(f" is in {directory}")
    # Through the links, too.
    assert {name for name in kept if not name.startswith("lib64/")} == \
        {"complete", *KEPT, "include/nccl.h", "lib/libcudart.so", "lib/libnccl.so", "lib/libnccl.so.2"}
    assert all(os.access(directory / tool, os.X_OK) for tool in TOOLS)
    assert not os.access(directory / "include/nccl.h", os.X_OK)
    assert (directory / "lib/libnccl.so").read_text() == "nccl" and (directory / "lib64/libcudart_static.a").exists()
    shutil.rmtree(tmp_path / "packages")
    again = fetch.run()
    assert again.returncode == 0 and "fetching" not in again.stdout, again.stdout


def test_packages_without_a_compiler_are_no_toolkit(tmp_path, toolkit_files):
    del toolkit_files["nvidia/cu13/nvvm/bin/cicc"]
    fetch = Fetch(tmp_path, toolkit_files, "cuda-toolkit")
    done = fetch.run()
    assert done.returncode != 0 and "the packages do not hold nvvm/bin/cicc" in done.stdout, done.stdout
    assert "complete" not in fetch.kept()[1]

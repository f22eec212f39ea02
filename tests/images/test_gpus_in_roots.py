"""The GPU helper in the root file systems of other systems, with a stand-in for NVIDIA's driver."""

import json
import shutil
from pathlib import Path

import pytest
from trainit_testing import cache

pytestmark = pytest.mark.release_only


def ask(start, directory, trainit):
    """What the binary says of the GPUs in this root, whose stand-in driver has two."""
    shutil.copy(trainit, directory / "trainit")
    shutil.copytree(Path(trainit).parent.parent / "tests/programs/fake_cuda", directory / "driver",
                    ignore=shutil.ignore_patterns("CMakeFiles", "*.cmake"))
    (directory / "proc").mkdir(exist_ok=True)
    end = start(["chroot", directory, "/trainit", "gpus", "--format", "json"],
                mount_proc=directory / "proc",
                env={"TRAINIT_GPU_PROBE": "always", "FAKE_CUDA": "2", "LD_LIBRARY_PATH": "/driver"}).wait()
    assert end.code == 0, end
    return json.loads(end.out)


@pytest.mark.parametrize("name", ["debian-11", "debian-12", "debian-13"])
def test_the_helper_asks_the_driver_with_any_glibc(start, trainit, tmp_path, name):
    cache.unpack_root(name, tmp_path)
    found = ask(start, tmp_path, trainit)
    assert (found["source"], found["count"]) == ("libcuda", 2)


def test_an_image_without_glibc_cannot_run_the_helper_and_says_so(start, trainit, tmp_path):
    found = ask(start, tmp_path, trainit)
    assert found["count"] == 0
    assert any("the dynamic loader of glibc is not in this image" in warning
               for warning in found["warnings"])

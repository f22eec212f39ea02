"""scripts/gpu-check, with stand-ins for the driver (tests/programs/fake_cuda) and for nvidia-smi."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GPU = r'"Fake ""GPU"" é\", GPU-00112233-4455-6677-8899-aabbccddee0{0}, 00000000:1{1}:00.0, 24576, 550.54.15'


@pytest.fixture
def check(trainit, tmp_path):
    """Runs it with these lines of nvidia-smi; gives the finished process and the page that it wrote."""
    build = Path(trainit).parent.parent
    page = tmp_path / "gpu.md"
    shutil.copy(REPOSITORY / "docs/gpu.md", page)
    smi = tmp_path / "bin/nvidia-smi"
    smi.parent.mkdir()

    def run(rows, **variables):
        smi.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(rows) + "\nEND\n")
        smi.chmod(0o755)
        environment = os.environ | {"PATH": f"{smi.parent}:{os.environ['PATH']}", "FAKE_CUDA": "2",
                                    "TRAINIT_GPU_PROBE": "always",
                                    "LD_LIBRARY_PATH": f"{build}/tests/programs/fake_cuda"} | variables
        done = subprocess.run([REPOSITORY / "scripts/gpu-check", "--build", build, "--record", page],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        return done, page.read_text()

    return run


def test_answers_that_agree_are_recorded_with_their_times(check):
    done, page = check([GPU.format(0, "a"), GPU.format(1, "b")])
    assert done.returncode == 0, done.stdout
    assert "all agrees" in done.stdout
    assert "2 × Fake" in page and "| cuInit within it |" in page and "CUDA 12.4" in page
    assert page.startswith("# GPUs") and page.count("gpu-check: end") == 1
    assert "No figures from a real GPU" not in page


def test_a_gpu_that_only_one_of_them_sees_is_a_failure(check):
    done, page = check([GPU.format(0, "a")])
    assert done.returncode == 1, done.stdout
    assert "FAIL number of GPUs: 2 but it should be 1" in done.stdout
    assert "Did not agree: number of GPUs" in page


def test_an_address_that_differs_is_a_failure(check):
    done, _ = check([GPU.format(0, "a"), GPU.format(1, "f")])
    assert done.returncode == 1, done.stdout
    assert "FAIL PCI address" in done.stdout


def test_a_driver_that_cannot_start_is_a_failure_and_leaves_the_page(check):
    done, page = check([], FAKE_CUDA="init_error")
    assert done.returncode == 1, done.stdout
    assert "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" in done.stdout
    assert page == (REPOSITORY / "docs/gpu.md").read_text()


def test_without_a_gpu_it_says_so_and_leaves_the_page(check):
    if any(Path("/dev").glob("nvidia*")):
        pytest.skip("this machine has a GPU")
    done, page = check([], TRAINIT_GPU_PROBE="auto")
    assert done.returncode == 0, done.stdout
    assert "no NVIDIA GPU here" in done.stdout
    assert page == (REPOSITORY / "docs/gpu.md").read_text()

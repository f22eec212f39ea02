"""What scripts/gpu-check runs, built without a GPU into one directory that can be carried to a machine with one."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("TRAINIT_CACHE") or Path.home() / ".cache/trainit")
LARGEST = 64 << 20

TRAINER, SPEED, CPU_TRAINER = "train-digits-nccl", "nccl-speed", "train-digits"
LAUNCHER, PROBE, HELPER = "trainit", "trainit-gpu-probe", "trainit_gpu_helper"
PYTORCH_SCRIPT = "train.py"


def run(*command):
    done = subprocess.run([str(word) for word in command], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\ngpu-check: failed: {' '.join(map(str, command))}")


def fetched_toolkit():
    """Where scripts/fetch-cuda-toolkit puts it."""
    pins = (REPOSITORY / "scripts/lib/cuda-toolkit.txt").read_bytes()
    return CACHE / f"cuda-toolkit-{hashlib.sha256(pins).hexdigest()[:16]}"


def toolkit():
    """The directory of a toolkit: this machine's own, else the one that was fetched."""
    own = os.environ.get("CUDACXX") or shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    fetched = fetched_toolkit()
    if Path(own).exists():
        return Path(own).resolve().parent.parent
    if (fetched / "complete").exists():
        return fetched
    sys.exit("gpu-check: there is no CUDA toolkit: scripts/fetch-cuda-toolkit brings one")


def header_settings(build):
    """The header of NCCL that the library was built with, where it still is: the trainer is to be built with the same."""
    found = re.search(r"^TRAINIT_NCCL_INCLUDE:PATH=(/.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)
    if not found:
        sys.exit(f"gpu-check: {build} was built without NCCL's header: scripts/fetch-cuda-headers brings it")
    return [f"-DTRAINIT_NCCL_INCLUDE={found[1]}"] if (Path(found[1]) / "nccl.h").exists() else []


def build_project(source, directory, prefix, *settings):
    run("cmake", "-S", source, "-B", directory, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", *settings)
    run("cmake", "--build", directory)
    return directory


def prepare(build, into):
    """Fills `into` with programs, and the digits that they learn; what is built on the way lies beside it."""
    work = into.with_name(into.name + ".work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(into, ignore_errors=True)
    prefix, cuda = work / "prefix", toolkit()
    run("cmake", "--install", build, "--component", "library", "--prefix", prefix)
    settings = [f"-DCMAKE_CUDA_COMPILER={cuda}/bin/nvcc", *header_settings(build)]
    print(f"gpu-check: building with {cuda}")
    examples = REPOSITORY / "docker/examples"
    trainer = build_project(examples / "nccl", work / "nccl", prefix, *settings)
    speed = build_project(REPOSITORY / "tests/gpu", work / "gpu", prefix, *settings)
    cpu_trainer = build_project(examples / "cpp", work / "cpp", prefix, "-DSTATIC=ON")
    into.mkdir(parents=True)
    for program in (trainer / TRAINER, speed / SPEED, cpu_trainer / CPU_TRAINER, build / "launcher" / LAUNCHER,
                    build / "launcher" / PROBE, build / "toolkit/hardware/gpu_helper" / HELPER):
        run("strip", "-o", into / program.name, program)
    shutil.copy(examples / "pytorch" / PYTORCH_SCRIPT, into)
    shutil.copytree(CACHE / "digits", into / "digits", dirs_exist_ok=True)
    size = sum(file.stat().st_size for file in into.rglob("*") if file.is_file())
    if size > LARGEST:
        sys.exit(f"gpu-check: {into} has {size} bytes, too many to be carried")
    print(f"gpu-check: {into} has all that is needed, {size / 2**20:.1f} MiB. PyTorch and NCCL are not in it: those of "
          "the machine with the GPU are used, where it has them")

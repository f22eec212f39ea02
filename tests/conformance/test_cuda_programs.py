"""The programs for GPUs, built with NVIDIA's own compiler and headers as scripts/gpu-check --prepare does. There need be
no GPU: they compile, have code for the GPUs that they should, and say what they lack."""

import json
import mmap
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from trainit_testing import cache, package

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "scripts/lib"))

import gpu_prepare  # noqa: E402

NO_GPU = not any(Path("/dev").glob("nvidia*"))


@pytest.fixture(scope="module")
def toolkit():
    return cache.cuda_toolkit()


# The machine's own toolkit must not make up for what the pinned one lacks.
HIDES_OTHERS = """
for directory in /usr/local/cuda*; do
  [ ! -d "$directory" ] || mount -t tmpfs none "$directory" || exit
done
exec "$@"
"""


@pytest.fixture(scope="module")
def programs(toolkit, trainit, tmp_path_factory):
    """The directory that scripts/gpu-check --prepare makes."""
    directory = tmp_path_factory.mktemp("gpu") / "programs"
    prepare = [REPOSITORY / "scripts/gpu-check", "--prepare", "--build", Path(trainit).parent.parent, "--programs", directory]
    done = subprocess.run(["unshare", "--mount", "sh", "-c", HIDES_OTHERS, "sh", *prepare], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | {"CUDACXX": f"{toolkit}/bin/nvcc"})
    assert done.returncode == 0, done.stdout
    return directory


@pytest.mark.parametrize("program, headers", [("gpu_helper", ["CUDA", "NVML"]), ("gpu_probe", ["CUDA", "NCCL"])])
def test_prototypes_of_what_asks_gpus_were_held_against_nvidias_headers(build_dir, program, headers):
    """They are when it is built, where those headers are; scripts/setup brings them."""
    for header in headers:
        assert Path(package.setting(build_dir, f"TRAINIT_{header}_INCLUDE")).is_dir()
    name = f"trainit_{program}_prototypes"
    commands = json.loads((build_dir / "compile_commands.json").read_text())
    (checked,) = [command["command"] for command in commands if name in command.get("output", command["command"])]
    for header in headers:
        assert f"-DTRAINIT_HAS_{header}_H" in checked
    assert (build_dir / f"toolkit/hardware/{program}/CMakeFiles/{name}.dir/prototypes_check.c.o").exists()


MAGIC = struct.pack("<I", 0xBA55ED50)
PTX, MACHINE_CODE = 1, 2


def device_code(program):
    """(kind, architecture) of each piece of code for GPUs: what `cuobjdump` lists, whose format is NVIDIA's own."""
    found = set()
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(MAGIC)
        while at >= 0:
            header, size = struct.unpack_from("<HQ", data, at + 6)
            entry, end = at + header, at + header + size
            while entry < end:
                kind, head, payload = struct.unpack_from("<HxxIQ", data, entry)
                found.add((kind, struct.unpack_from("<I", data, entry + 28)[0]))
                entry += head + payload
            at = data.find(MAGIC, end)
    return found


def test_the_trainer_has_code_for_the_data_centres_gpus_and_for_any_other(programs):
    assert device_code(programs / gpu_prepare.TRAINER) == {(PTX, 75), (MACHINE_CODE, 80), (MACHINE_CODE, 90),
                                                           (MACHINE_CODE, 100)}


@pytest.mark.parametrize("name", [gpu_prepare.TRAINER, gpu_prepare.SPEED])
def test_they_need_nothing_but_the_c_library(programs, name):
    dynamic = subprocess.run(["readelf", "-d", programs / name], check=True, text=True, stdout=subprocess.PIPE).stdout
    needed = {line.split("[")[1].split("]")[0] for line in dynamic.splitlines() if "NEEDED" in line}
    assert needed <= {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2",
                      "ld-linux-aarch64.so.1"}


@pytest.mark.skipif(not NO_GPU, reason="here it would learn")
def test_where_there_is_no_gpu_the_trainer_says_so_in_one_sentence(programs, trainit, pid1, job):
    channels = {name: cache.digits() / name for name in ("train", "test")}
    here = job(hyperparameters={"epochs": 1}, channels=channels)
    end = pid1([trainit, "--workers", "2", "--", programs / gpu_prepare.TRAINER], job=here)
    assert end.code == 1
    assert here.failure.startswith("no CUDA device: ") and len(here.failure.splitlines()) == 1


def test_the_fetched_nccl_is_the_one_that_is_pinned(toolkit, program):
    done = subprocess.run([program("nccl_worker"), f"library={toolkit}/lib/libnccl.so.2", "header=21400", "version"],
                          text=True, stdout=subprocess.PIPE, check=True)
    pins = (REPOSITORY / "scripts/lib/cuda-toolkit.txt").read_text()
    assert f"nvidia-nccl-cu13=={done.stdout.split()[1]} " in pins


@pytest.mark.usefixtures("toolkit")
def test_the_kernels_of_the_probe_are_those_of_their_source(tmp_path):
    made = tmp_path / "kernels.ptx"
    subprocess.run([REPOSITORY / "scripts/generate-gpu-kernels", made], check=True)
    assert made.read_text() == (REPOSITORY / "toolkit/hardware/gpu_probe/kernels.ptx").read_text(), \
        "run scripts/generate-gpu-kernels"


def test_the_toolkit_and_the_headers_are_of_one_version():
    def pins(name):
        lines = (REPOSITORY / f"scripts/lib/{name}.txt").read_text().splitlines()
        return dict(line.split("==") for line in lines if not line.startswith("#"))

    headers, toolkit = pins("cuda-headers"), pins("cuda-toolkit")
    common = set(headers) & set(toolkit)
    assert common == {"nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-nccl-cu13"}
    assert all(headers[name] == toolkit[name] for name in common)

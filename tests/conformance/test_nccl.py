"""Communicators with the real things: NCCL's own headers and library, and PyTorch's own rendezvous store."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from trainit_testing import cache

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# Prints its port, then serves until its stdin ends.
STORE = """
import sys, torch
store = torch.distributed.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False, use_libuv=sys.argv[1] == "libuv")
print(store.port, flush=True)
sys.stdin.read()
"""


def fetched_headers():
    """Where scripts/fetch-cuda-headers put NVIDIA's."""
    pins = (REPOSITORY / "scripts/lib/cuda-headers.txt").read_bytes()
    directory = cache.CACHE / f"cuda-headers-{hashlib.sha256(pins).hexdigest()[:16]}/include"
    assert (directory / "nccl.h").exists(), "NCCL's header is not there: run scripts/setup"
    return directory


def torchs_nccl():
    """NCCL as PyTorch brings it."""
    return next(cache.peer("torch").parent.parent.glob("lib/python3*/site-packages/nvidia/nccl"))


# ---- headers

@pytest.mark.parametrize("header", ["pinned", "of torch"])
def test_the_layer_and_its_stand_in_compile_with_nccls_header(header):
    first = fetched_headers() if header == "pinned" else torchs_nccl() / "include"
    includes = [f"-isystem{first}", f"-isystem{fetched_headers()}", f"-I{REPOSITORY}/toolkit/include", f"-I{REPOSITORY}/toolkit"]
    layer, stand_in = REPOSITORY / "toolkit/nccl", REPOSITORY / "tests/programs/fake_nccl"
    for source in ("library.cc", "handle.cc", "communicator.cc"):
        subprocess.run(["c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *includes, layer / source], check=True)
    subprocess.run(["cc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *includes, stand_in / "fake_nccl.c"],
                   check=True)


# ---- the library

def test_the_real_library_is_loaded_without_a_gpu_and_says_its_version(program):
    nccl = torchs_nccl()
    expected = next(nccl.parent.parent.glob("nvidia_nccl_cu*.dist-info")).name.split("-")[1].removesuffix(".dist")
    done = subprocess.run([program("nccl_worker"), f"library={nccl}/lib/libnccl.so.2", "header=21400", "version"],
                          text=True, stdout=subprocess.PIPE, check=True)
    assert done.stdout == f"NCCL {expected}\n"


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="here it would succeed")
def test_the_real_library_says_on_all_ranks_what_it_lacks_where_there_is_no_gpu(trainit, program, pid1, job):
    library = f"{torchs_nccl()}/lib/libnccl.so.2"
    end = pid1([trainit, "--workers", "2", "--", program("nccl_worker"), "up", f"library={library}", "header=21400",
                "make=world"], job=job())
    errors = [line for line in end.err.splitlines() if "error: " in line and not line.startswith("trainit:")]
    assert len(errors) == 2, end
    assert all("ncclCommInitRankConfig: unhandled cuda error" in line for line in errors), end


# ---- the store

@pytest.fixture(params=["libuv", "the other"])
def pytorchs_store(request):
    """Its port, of each of PyTorch's two servers."""
    server = subprocess.Popen([cache.peer("torch"), "-c", STORE, request.param], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().strip()
    server.stdin.close()
    assert server.wait(60) == 0


def ranks(program, port, count, *steps):
    """What each rank prints, stdout before stderr."""
    fixed = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count),
             "LD_LIBRARY_PATH": program("fake_nccl")}
    started = [subprocess.Popen([program("nccl_worker"), *steps], env=fixed | {"RANK": str(rank)}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE) for rank in range(count)]
    return ["".join(process.communicate(timeout=60)) for process in started]


def test_ranks_meet_in_pytorchs_own_store_too(program, pytorchs_store):
    said = ranks(program, pytorchs_store, 3, "deaf", "make=world", "sum=world", "make=world", "@2,0:make=ends:2,0", "sum=world")
    assert [text.count("world: sum 3") for text in said] == [2, 2, 2], said
    assert "ends:2,0: rank 0 of 2" in said[2] and "ends:2,0: rank 1 of 2" in said[0]


def test_who_gives_up_ends_the_others_in_pytorchs_own_store_too(program, pytorchs_store):
    said = ranks(program, pytorchs_store, 4, "deaf", "timeout=600", "@1:timeout=0.5", "@0,1,2:make=world")
    sentence = 'error: rank 3 has not come to the communicator "world" within 0.5 s\n'
    assert said == [sentence] * 3 + [""]
    said = ranks(program, pytorchs_store, 3, "deaf", "timeout=600", "@1:library=libnone.so", "make=again")
    words = 'error: rank 1 could not make the communicator "again": cannot load NCCL: libnone.so: '
    assert said[0] == said[2] and said[0].startswith(words), said

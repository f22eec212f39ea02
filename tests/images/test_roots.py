"""The one static binary as PID 1 in the root file systems of other systems, and in an empty one."""

import subprocess
from pathlib import Path

import pytest
from trainit_testing import cache, jobs

pytestmark = pytest.mark.release_only

SOURCE = Path(__file__).parent.parent / "programs/training_worker.c"
MUSL_LOADER = Path("/lib/ld-musl-x86_64.so.1")
DEBIAN = ["debian-11", "debian-12", "debian-13"]
BARE = ["empty", "musl"]


def compile_worker(compiler, program, *flags):
    subprocess.run([compiler, "-Os", "-Wall", "-Werror", *flags, "-o", program, SOURCE], check=True)


def make_empty(root):
    """Nothing at all but the program that is to be trained."""
    compile_worker("gcc", root / "worker", "-static")


def make_musl(root):
    """musl's loader, which is its whole C library, and a program that needs it."""
    compile_worker("musl-gcc", root / "worker")
    (root / "lib").mkdir()
    (root / "lib" / MUSL_LOADER.name).write_bytes(MUSL_LOADER.resolve().read_bytes())
    (root / "lib" / MUSL_LOADER.name).chmod(0o755)


class Root:
    """A root file system with the binary at /trainit, a worker at /worker and a job below /opt/ml."""

    def __init__(self, directory, trainit):
        self.directory = directory
        (directory / "trainit").write_bytes(Path(trainit).read_bytes())
        (directory / "trainit").chmod(0o755)

    def lay_out(self, **parts):
        subprocess.run(["rm", "-rf", self.directory / "opt/ml"], check=True)
        return jobs.lay_out(self.directory / "opt/ml", **parts)


@pytest.fixture(scope="module", params=[*DEBIAN, *BARE])
def root(request, tmp_path_factory, trainit):
    directory = tmp_path_factory.mktemp(request.param)
    if request.param in DEBIAN:
        cache.unpack_root(request.param, directory)
    {"musl": make_musl}.get(request.param, make_empty)(directory)
    # The kernel's processes are there in every container, whatever its image holds.
    (directory / "proc").mkdir(exist_ok=True)
    return Root(directory, trainit)


@pytest.fixture
def inside(start, root):
    """Runs a command line in the root as PID 1, as a container's runtime would."""

    def run(*argv):
        return start(["chroot", root.directory, *argv], mount_proc=root.directory / "proc").wait()

    return run


def test_it_says_its_version(inside):
    end = inside("/trainit", "--version")
    assert end.code == 0, end
    assert end.out.startswith("trainit ")


def test_it_trains_and_leaves_a_model_and_the_marker_of_success(inside, root):
    here = root.lay_out(channels={"train": {"data.txt": "digits"}})
    end = inside("/trainit", "--workers", "2", "--", "/worker")
    assert end.code == 0, end
    assert {"rank 0 of 2 learnt digits", "[rank 1] rank 1 of 2 learnt digits"} <= set(end.out.splitlines())
    assert (here.model / "model-0").read_text() == (here.model / "model-1").read_text() == "digits"
    assert here.success and here.failure is None


def test_it_reports_a_failure_truthfully(inside, root):
    here = root.lay_out(hyperparameters={"code": 7}, channels={"train": {"data.txt": "digits"}})
    end = inside("/trainit", "--", "/worker")
    assert end.code == 7, end
    assert not here.success and "7" in here.failure


def test_it_says_that_a_program_is_not_there(inside, root):
    here = root.lay_out()
    end = inside("/trainit", "--", "no-such-program")
    assert end.code == 127, end
    assert not here.success and "no-such-program" in here.failure


@pytest.mark.parametrize("root", DEBIAN, indirect=True)
def test_it_runs_a_shell_script_where_there_is_a_shell(inside, root):
    here = root.lay_out(hyperparameters={"sagemaker_program": "train.sh", "word": "a b"})
    here.write_code("train.sh", '#!/bin/sh\necho "$SM_HP_WORD" "$@" > "$SM_MODEL_DIR/words"\n', 0o755)
    end = inside("/trainit", "train")
    assert end.code == 0, end
    assert (here.model / "words").read_text() == "a b --word a b\n"
    assert here.success

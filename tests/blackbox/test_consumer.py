"""The library as a package that somebody else's project finds and uses."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from trainit_testing import package
from trainit_testing.jobs import Job

# Objects with sanitizers need their run-time libraries, which a package does not bring.
pytestmark = pytest.mark.release_only

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def consumer(installed_library, tmp_path_factory):
    return package.build_project(TESTS / "consumer", tmp_path_factory.mktemp("consumer"), installed_library)


@pytest.fixture
def seed_job(tmp_path):
    shutil.copytree(TESTS / "fixtures/seed-job", tmp_path / "job")
    return Job(tmp_path / "job")


def headers(prefix):
    found = sorted((prefix / "include").rglob("*.h"))
    assert len(found) > 10
    return found


@pytest.mark.parametrize("launcher, store", [(False, "MASTER_ADDR is not set: where is the rendezvous store?"), (True, "joined the store")])
def test_a_project_that_finds_the_package_reads_the_job(consumer, trainit, pid1, seed_job, launcher, store):
    end = pid1([*([trainit, "--"] if launcher else []), consumer / "print-job"], job=seed_job)
    assert end.code == 0, end
    assert end.out.splitlines()[:-1] == [
        f"channel train {seed_job.data}/train",
        f"channel test {seed_job.data}/test",
        "hyperparameter batch-size 64",
        "hyperparameter epochs 10",
        "hyperparameter learning-rate 0.1",
        "rank 0 of 1",
        store,
    ]
    assert int(end.out.splitlines()[-1].removeprefix("cpus ")) >= 1
    assert seed_job.success and seed_job.failure is None


def test_a_project_leaves_its_failure_as_the_platform_wants_it(consumer, pid1, seed_job):
    seed_job.write_config("hyperparameters.json", {"epochs": "ten"})
    end = pid1([consumer / "print-job"], job=seed_job)
    assert end.code == 1
    assert seed_job.failure == ('hyperparameter "epochs" is a string ("ten"); '
                                "it has to be an integer of at most 64 bits")
    assert not seed_job.success


def test_one_layer_can_be_linked_by_itself(consumer, pid1):
    assert pid1([consumer / "print-host"]).out == "alone leads\n"


def test_each_header_stands_alone(installed_library, build_directory, tmp_path):
    # nccl.h alone includes another project's header.
    others = [f"-isystem{package.setting(build_directory, name)}" for name in ("TRAINIT_NCCL_INCLUDE", "TRAINIT_CUDART_INCLUDE")]
    for header in headers(installed_library):
        source = tmp_path / "alone.cc"
        source.write_text(f'#include "{header}"\n')
        compiled = subprocess.run(["c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                                   f"-I{installed_library}/include", *(others if header.name == "nccl.h" else []), source],
                                  text=True, stderr=subprocess.PIPE)
        assert compiled.returncode == 0, compiled.stderr


def test_the_package_can_be_moved(installed_library):
    for file in installed_library.rglob("*.cmake"):
        assert str(TESTS.parent) not in file.read_text(), file
        assert str(installed_library) not in file.read_text(), file


# ---- the component for NCCL

def test_a_project_with_the_component_for_nccl_uses_it_without_linking_it(consumer, trainit, pid1, job, program):
    end = pid1([trainit, "--workers", "3", "--log-prefix", "", "--", consumer / "print-sum"], job=job(),
               env={"LD_LIBRARY_PATH": program("fake_nccl")})
    assert end.code == 0 and end.out == "sum 3\n" * 3, end


NO_HEADER = {"TRAINIT_NCCL_INCLUDE": ""}
WANTS_NCCL = "cmake_minimum_required(VERSION 3.25)\nproject(wants LANGUAGES CXX)\nfind_package(trainit REQUIRED COMPONENTS nccl)\n"


def configure(source, directory, prefix, **variables):
    """What CMake says."""
    settings = [f"-D{name}={value}" for name, value in variables.items()]
    done = subprocess.run(["cmake", "-S", source, "-B", directory, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", *settings],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, " ".join(done.stdout.split())


@pytest.fixture
def wants_nccl(tmp_path):
    directory = tmp_path / "wants"
    directory.mkdir()
    (directory / "CMakeLists.txt").write_text(WANTS_NCCL)
    return directory


@pytest.fixture
def without_nccl(installed_library, tmp_path):
    """What is installed where the build finds no header of NCCL's."""
    prefix = shutil.copytree(installed_library, tmp_path / "without")
    removed = [file for file in prefix.rglob("*") if file.name in ("nccl.h", "libtrainit_nccl.a") or
               file.name.startswith("trainitNcclTargets")]
    assert len(removed) >= 4
    for file in removed:
        file.unlink()
    return prefix


def test_a_project_without_nccls_header_uses_the_rest(installed_library, without_nccl, tmp_path):
    for number, (prefix, variables) in enumerate([(installed_library, NO_HEADER), (without_nccl, {})]):
        built = package.build_project(TESTS / "consumer", tmp_path / f"build-{number}", prefix, **variables)
        assert (built / "print-job").exists() and not (built / "print-sum").exists()


def test_a_project_that_cannot_have_nccl_is_told_why(installed_library, without_nccl, wants_nccl, tmp_path):
    code, text = configure(wants_nccl, tmp_path / "a", installed_library, **NO_HEADER)
    assert code != 0 and "trainit::nccl needs nccl.h and cuda_runtime.h: set NCCL_HOME and CUDA_HOME" in text
    code, text = configure(wants_nccl, tmp_path / "b", without_nccl)
    assert code != 0 and "this trainit was built without NCCL's header, and so without trainit::nccl" in text


@pytest.mark.parametrize("variables, words", [
    (NO_HEADER, "no nccl.h with cuda_runtime.h"),
    ({"TRAINIT_NCCL_INCLUDE": "old"}, "old/nccl.h does not compile, or is older than 2.14"),
])
def test_without_a_header_of_nccls_everything_else_is_built(tmp_path, variables, words):
    old = tmp_path / "old"
    old.mkdir()
    (old / "nccl.h").write_text("#define NCCL_VERSION_CODE 21304\n#define NCCL_VERSION(X, Y, Z) ((X) * 10000 + (Y) * 100 + (Z))\n"
                                "struct ncclConfig_t { int blocking; };\n#define NCCL_CONFIG_INITIALIZER { 1 }\n")
    variables = {name: str(tmp_path / value) if value else "" for name, value in variables.items()}
    code, text = configure(TESTS.parent, tmp_path / "build", "", **variables)
    assert code == 0 and words in text and "trainit::nccl is left out" in text
    targets = subprocess.run(["ninja", "-C", tmp_path / "build", "-t", "targets", "all"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    assert "trainit_store" in targets and "unit_store" in targets and not re.search("nccl_worker|trainit_nccl|unit_nccl", targets)

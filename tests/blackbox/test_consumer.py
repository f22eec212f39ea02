"""The library as a package that somebody else's project finds and uses."""

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


def test_a_project_that_finds_the_package_reads_the_job(consumer, pid1, seed_job):
    end = pid1([consumer / "print-job"], job=seed_job)
    assert end.code == 0, end
    assert end.out.splitlines()[:-1] == [
        f"channel train {seed_job.data}/train",
        f"channel test {seed_job.data}/test",
        "hyperparameter batch-size 64",
        "hyperparameter epochs 10",
        "hyperparameter learning-rate 0.1",
        "rank 0 of 1",
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


def test_each_header_stands_alone(installed_library, tmp_path):
    for header in headers(installed_library):
        source = tmp_path / "alone.cc"
        source.write_text(f'#include "{header}"\n')
        compiled = subprocess.run(["c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                                   f"-I{installed_library}/include", source], text=True,
                                  stderr=subprocess.PIPE)
        assert compiled.returncode == 0, compiled.stderr


def test_the_package_can_be_moved(installed_library):
    for file in installed_library.rglob("*.cmake"):
        assert str(TESTS.parent) not in file.read_text(), file
        assert str(installed_library) not in file.read_text(), file

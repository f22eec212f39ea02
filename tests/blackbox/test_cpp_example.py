"""The example of a trainer in C++: built against the installed package, and really learning."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
from trainit_testing import package

pytestmark = pytest.mark.release_only

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "docker/examples/cpp"


@pytest.fixture(scope="session")
def trainer(installed_library, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cpp-example")
    return package.build_project(EXAMPLE, directory, installed_library, STATIC="ON") / "train-digits"


def accuracy(end):
    return float(re.search(r"^test_accuracy=(\S+)$", end.out, re.MULTILINE)[1])


def test_it_learns_to_read_digits_and_saves_the_model(trainer, pid1, digits_job):
    here = digits_job(**{"epochs": 10, "batch-size": 64, "learning-rate": 0.1})
    end = pid1([trainer], job=here)
    assert end.code == 0, end
    losses = [float(loss) for loss in re.findall(r"^epoch \d+ loss (\S+)$", end.out, re.MULTILINE)]
    assert len(losses) == 10 and losses[-1] < losses[0] / 4
    assert accuracy(end) > 0.9
    assert (here.model / "model.txt").read_text().startswith("epochs 10\n")
    assert here.failure is None


def test_the_launcher_runs_it_to_success(trainer, trainit, pid1, digits_job):
    here = digits_job(epochs=10)
    end = pid1([trainit, "--workers", "1", "--", trainer], job=here)
    assert end.code == 0, end
    assert accuracy(end) > 0.9
    assert here.success


def test_stopped_and_started_again_it_comes_to_the_same_model(trainer, start, digits_job):
    whole = digits_job(epochs=500)
    assert start([trainer], job=whole).wait().code == 0
    parts = digits_job(epochs=500)
    first = start([trainer], job=parts)
    first.wait_for(r"^epoch 2 ")
    first.signal(signal.SIGTERM)
    end = first.wait()
    assert end.code == 0 and "asked to stop: checkpoint after epoch" in end.out, end
    assert not (parts.model / "model.txt").exists()
    second = start([trainer], job=parts).wait()
    assert second.code == 0 and "going on after epoch" in second.out, second
    assert "epoch 1 loss" not in second.out
    assert (parts.model / "model.txt").read_bytes() == (whole.model / "model.txt").read_bytes()


@pytest.mark.parametrize("hyperparameters, reason", [
    ({"epochs": "ten"}, 'hyperparameter "epochs" is a string ("ten"); it has to be an integer'),
    ({"learning-rate": -1.0}, "learning rate must be positive"),
    ({"batch-size": 0}, "epochs and batch-size must be positive"),
    ({"epochs": 2 ** 32 + 1}, "epochs and batch-size must be positive, and at most 2147483647"),
    ({"batch-size": 2 ** 32}, "epochs and batch-size must be positive, and at most 2147483647"),
    ({"learning-rate": "inf"}, "learning rate must be positive, and within the range of a float"),
    ({"learning-rate": 1e-300}, "learning rate must be positive, and within the range of a float"),
    ({"seed": -1}, "seed must not be negative, and at most 4294967295"),
    ({"seed": 2 ** 32}, "seed must not be negative, and at most 4294967295"),
])
def test_a_hyperparameter_that_cannot_be_is_the_job_s_failure(trainer, pid1, digits_job, hyperparameters, reason):
    here = digits_job(**hyperparameters)
    end = pid1([trainer], job=here)
    assert end.code == 1
    assert here.failure.startswith(reason)


def test_a_line_that_is_no_image_is_named(trainer, pid1, job):
    line = ",".join(["3"] * 64 + ["7"])
    here = job(channels={"train": {"digits.csv": f"{line}\n{line.replace('3', '99', 1)}\n"}})
    assert pid1([trainer], job=here).code == 1
    assert here.failure.startswith(f"{here.data}/train/digits.csv: line 2: expected 64 pixel values")


def test_a_job_without_the_channel_says_which(trainer, pid1, job):
    here = job()
    assert pid1([trainer], job=here).code == 1
    assert here.failure == "the job has no channel train"


def test_it_needs_no_library_of_the_image(trainer):
    dynamic = subprocess.run(["readelf", "-d", trainer], check=True, text=True, stdout=subprocess.PIPE)
    assert "NEEDED" not in dynamic.stdout

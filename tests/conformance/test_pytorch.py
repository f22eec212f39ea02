"""Real PyTorch, of the distribution and of today, trains the example script under the launcher."""

import signal
import subprocess
from pathlib import Path

import pytest
from trainit_testing import cache

SCRIPT = Path(__file__).resolve().parent.parent.parent / "docker/examples/pytorch/train.py"


@pytest.fixture(params=["distribution", "peer"])
def python(request):
    return cache.peer("torch") if request.param == "peer" else Path("/usr/bin/python3")


def accuracy(output):
    return float(output.split("test_accuracy=")[1].split()[0])


def test_two_workers_learn_and_leave_a_model_that_can_be_loaded(trainit, pid1, digits_job, python):
    here = digits_job(**{"epochs": 8, "batch-size": 64, "learning-rate": 0.1})
    end = pid1([trainit, "--workers", "2", "--args", "toolkit", "--", python, SCRIPT], job=here)
    assert end.code == 0, end
    assert accuracy(end.out) > 0.9 and "epoch 8 loss" in end.out
    assert here.success
    load = "import sys, torch; print(tuple(torch.jit.load(sys.argv[1])(torch.zeros(3, 64)).shape))"
    shape = subprocess.run([python, "-c", load, here.model / "model.pt"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    assert shape == "(3, 10)\n"


def test_script_mode_trains_in_one_process_without_ranks(trainit, pid1, digits_job, python):
    text = SCRIPT.read_text() + '    print("ranks:", "RANK" in os.environ)\n'
    here = digits_job(code={"train.py": text}, epochs=5, sagemaker_program="train.py")
    end = pid1([trainit, "--python", python, "train"], job=here)
    assert end.code == 0, end
    assert accuracy(end.out) > 0.9
    assert "ranks: False" in end.out
    assert here.success and (here.model / "model.pt").exists()


def test_a_stopped_job_leaves_a_checkpoint_from_which_the_next_goes_on(trainit, start, digits_job, python):
    here = digits_job(epochs=100000)
    command = [trainit, "--workers", "2", "--args", "toolkit", "--", python, SCRIPT]
    first = start(command, job=here)
    first.wait_for(r"^epoch 2 loss")
    first.signal(signal.SIGTERM)
    end = first.wait()
    assert "asked to stop: checkpoint after epoch" in end.out, end
    second = start(command, job=here)
    second.wait_for(r"^going on after epoch \d+\nepoch \d+ loss")
    second.signal(signal.SIGTERM)
    second.wait()


def test_one_worker_that_fails_ends_the_others_that_wait_for_it(trainit, pid1, digits_job, python):
    text = SCRIPT.read_text().replace("loss_sum = 0.0", 'if ranks.rank == 1: raise RuntimeError("rank one is lost")\n'
                                      "    loss_sum = 0.0")
    here = digits_job(code={"train.py": text}, epochs=3)
    end = pid1([trainit, "--workers", "3", "--args", "toolkit", "--", python, here.code / "train.py"], job=here)
    assert end.code == 1, end
    assert "rank 1: RuntimeError: rank one is lost" in here.failure.splitlines()[0]
    assert not here.success

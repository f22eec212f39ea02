"""The example of a trainer for GPUs, compiled for the CPU, with stand-ins for CUDA's runtime and for NCCL.

All of it but the compiler and the device is the real thing: its kernels' arithmetic, its ranks, how it stops and goes on."""

import os
import re
import signal
from pathlib import Path

import pytest
from trainit_testing.processes import workers_of
from trainit_testing.waiting import wait_until


@pytest.fixture
def trainer(program):
    return program("on_cpu/train-digits-nccl")


@pytest.fixture
def train(trainit, trainer, program, start, clean_env):
    """Starts the trainer with some workers; options= of the launcher, wrapper= before the trainer."""
    # The ranks of a job that is stopped may be ended while LeakSanitizer looks.
    sanitizers = {"ASAN_OPTIONS": f"{clean_env['ASAN_OPTIONS']}:detect_leaks=0"} if "ASAN_OPTIONS" in clean_env else {}

    def begin(here, workers, *, wrapper=(), leaks=False, **variables):
        environment = {"LD_LIBRARY_PATH": program("fake_nccl")} | ({} if leaks else sanitizers) | variables
        return start([trainit, "--workers", str(workers), "--", *wrapper, trainer], job=here, env=environment)

    return begin


def numbers(here):
    first, *lines = (here.model / "model.txt").read_text().splitlines()
    assert re.fullmatch(r"epochs \d+", first)
    return [float.fromhex(line) for line in lines]


def distance(here, there):
    return max(abs(one - other) for one, other in zip(numbers(here), numbers(there), strict=True))


def progress(end):
    return re.findall(r"^(epoch \d+ loss \S+|test_accuracy=\S+)$", end.out, re.MULTILINE)


@pytest.fixture
def on_cpu(program, pid1, digits_job):
    """The job and the end of the trainer for the CPU."""
    here = digits_job(epochs=10)
    end = pid1([program("on_cpu/train-digits")], job=here)
    assert end.code == 0, end
    return here, end


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_ranks_comes_to_the_model_of_one_cpu(train, digits_job, on_cpu, workers):
    there, expected = on_cpu
    here = digits_job(epochs=10)
    end = train(here, workers, leaks=True).wait()
    assert end.code == 0 and here.success, end
    assert progress(end) == progress(expected) and len(progress(end)) == 11
    assert distance(here, there) < 1e-5


def test_more_ranks_than_images_in_a_batch_learn_as_well(train, digits_job):
    here = digits_job(**{"epochs": 1, "batch-size": 2, "learning-rate": 0.01})
    end = train(here, 4).wait()
    assert end.code == 0, end
    assert float(progress(end)[-1].split("=")[1]) > 0.8


def stop_in_the_middle(running):
    running.wait_for(r"^epoch 2 ")
    running.signal(signal.SIGTERM)
    return running.wait()


def test_stopped_and_started_again_two_ranks_come_to_the_same_model(train, digits_job):
    whole, parts = digits_job(epochs=120), digits_job(epochs=120)
    assert train(whole, 2).wait().code == 0
    end = stop_in_the_middle(train(parts, 2))
    (stopped,) = re.findall(r"^asked to stop: checkpoint after epoch (\d+) written to (.*)$", end.out, re.MULTILINE)
    assert end.code == 0 and stopped[1] == f"{parts.output}/data/checkpoint" and not (parts.model / "model.txt").exists()
    second = train(parts, 2).wait()
    assert second.code == 0 and f"going on after epoch {stopped[0]}\n" in second.out, second
    assert second.out.count("going on") == 1 and progress(second)[0].startswith(f"epoch {int(stopped[0]) + 1} ")
    assert (parts.model / "model.txt").read_bytes() == (whole.model / "model.txt").read_bytes()


def calls(directory, rank):
    file = directory / f"rank-{rank}"
    return file.read_text() if file.exists() else ""


STOP_ITSELF = """
[ $RANK = 1 ] || exec "$0"
"$0" &
until [ -e "$STOP" ]; do sleep 0.05; done
kill -TERM $!
wait $!
"""


def test_a_stop_of_one_rank_alone_is_a_stop_of_all_at_the_same_step(train, digits_job, tmp_path):
    here = digits_job(epochs=100000)
    running = train(here, 3, wrapper=["sh", "-c", STOP_ITSELF], STOP=str(tmp_path / "stop"))
    running.wait_for(r"^epoch 1 ")
    (tmp_path / "stop").touch()
    end = running.wait()
    assert end.code == 0 and end.out.count("asked to stop: checkpoint after epoch") == 1, end
    assert (here.output / "data/checkpoint/checkpoint.txt").exists()


def test_the_reason_of_the_rank_that_fails_is_the_failure_not_what_the_others_say(train, digits_job):
    here = digits_job(epochs=1)
    file = here.output / "data/checkpoint/checkpoint.txt"
    file.parent.mkdir(parents=True)
    file.write_text("epochs 3\n0x1p+0\n")
    end = train(here, 2).wait()
    assert end.code == 1
    assert f"{file} is not of this network; remove it to begin anew" in here.failure


KILL_ITSELF = STOP_ITSELF.replace("-TERM", "-KILL")


def test_a_rank_that_is_killed_while_they_learn_is_the_cause_and_not_what_the_others_say(train, digits_job):
    here = digits_job(epochs=100000)
    running = train(here, 3)
    running.wait_for(r"^epoch 1 ")
    (rank_1,) = [pid for pid in workers_of(running.pid) if b"\0RANK=1\0" in Path(f"/proc/{pid}/environ").read_bytes()]
    os.kill(rank_1, signal.SIGKILL)
    end = running.wait()
    assert end.code == 137, end
    assert "rank 1" in here.failure and "SIGKILL" in here.failure


def test_a_rank_that_is_killed_before_all_have_met_is_the_cause_too(train, digits_job, tmp_path):
    here = digits_job(epochs=100000)
    # Connecting never ends, so that it surely strikes then.
    running = train(here, 3, wrapper=["sh", "-c", KILL_ITSELF], STOP=str(tmp_path / "stop"), FAKE_NCCL="hang=connect@2",
                    FAKE_NCCL_LOG=str(tmp_path))
    wait_until(lambda: "ncclCommInitRankConfig" in calls(tmp_path, 1), "rank 1 connects")
    (tmp_path / "stop").touch()
    end = running.wait()
    assert end.code == 137, end
    assert "rank 1" in here.failure and "SIGKILL" in here.failure
    assert "asked to stop before all ranks had met\n" in end.out


def test_a_rank_whose_nccl_fails_is_named_with_nccls_reason(train, digits_job):
    here = digits_job(epochs=1)
    end = train(here, 2, FAKE_NCCL="fail=ncclCommInitRankConfig@1").wait()
    assert end.code == 1
    assert "rank 1" in here.failure and "unhandled system error: the fake was told to fail" in here.failure, end


def test_without_a_device_it_says_so_in_one_sentence(train, digits_job):
    here = digits_job(epochs=1)
    end = train(here, 1, FAKE_CUDA="0").wait()
    assert end.code == 1
    assert here.failure == "no CUDA device: no CUDA-capable device is detected"
    assert "error: no CUDA device: no CUDA-capable device is detected\n" in end.err


def test_alone_it_says_which_variable_it_lacks(trainer, pid1, digits_job):
    here = digits_job(epochs=1)
    assert pid1([trainer], job=here).code == 1
    assert here.failure == "RANK is not set: which rank is this?"

"""The kernel's own count of out-of-memory kills is evidence, in a control group with a small limit."""

import pytest
from trainit_testing import control_groups

#: The launcher with sanitizers takes a good part of it, and must not be the largest when the kernel chooses.
MEMORY = 200 << 20

TAKE_TOO_MUCH = f"taken = b'x' * {3 * MEMORY}"


@pytest.fixture
def small_memory():
    """What to put before a command, so that it has 200 MB."""
    limits = [("memory.max", MEMORY), ("memory.swap.max", 0), ("memory.limit_in_bytes", MEMORY),
              ("memory.memsw.limit_in_bytes", MEMORY)]
    try:
        with control_groups.control_group("memory", limits) as directory:
            counts = [directory / "memory.events", directory / "memory.oom_control"]
            if not any("oom_kill " in file.read_text() for file in counts if file.exists()):
                pytest.skip("this kernel does not count out-of-memory kills")
            yield control_groups.inside(directory)
    except control_groups.CannotMake as reason:
        pytest.skip(f"no control group can be made here: {reason}")


def of_rank_1(script):
    return ["python3", "-c", f"import os, time\nif os.environ['RANK'] == '1':\n  {script}\ntime.sleep(1000)"]


def test_a_worker_that_the_kernel_killed_for_memory_is_the_cause(trainit, pid1, job, small_memory):
    here = job()
    end = pid1([*small_memory, trainit, "--workers", "2", "--", *of_rank_1(TAKE_TOO_MUCH)], job=here)
    assert end.code == 137
    assert here.failure_reason.startswith(
        "algo-1 rank 1: out of memory: the kernel killed this worker; the container has 200 MB (SIGKILL after")
    assert "the kernel killed 1 process of this container for want of memory" in end.ours


def test_a_killed_data_loader_is_the_cause_although_the_worker_raised(trainit, pid1, job, small_memory):
    here = job()
    script = f"""if os.fork() == 0:
    {TAKE_TOO_MUCH}
  os.wait()
  raise EOFError('the loader is gone')"""
    end = pid1([*small_memory, trainit, "--workers", "2", "--", *of_rank_1(script)], job=here)
    assert end.code == 1
    assert here.failure_reason.startswith("algo-1 rank 1: out of memory: the kernel killed a process of this worker")
    assert "EOFError: the loader is gone" in here.failure_reason


def test_a_job_that_survives_such_a_kill_is_a_success_that_tells_of_it(trainit, pid1, job, small_memory):
    here = job()
    script = f"import os\nif os.fork() == 0:\n  {TAKE_TOO_MUCH}\nos.wait()"
    end = pid1([*small_memory, trainit, "--", "python3", "-c", script], job=here)
    assert end.code == 0 and here.success
    assert "the kernel killed 1 process of this container for want of memory" in end.ours


def test_a_sigkill_of_somebody_else_is_not_taken_for_one(trainit, pid1, job, small_memory):
    here = job()
    end = pid1([*small_memory, trainit, "--", "sh", "-c", "kill -9 $$"], job=here)
    assert end.code == 137
    assert "killed by SIGKILL" in here.failure_reason and "not for want of memory" in here.failure_reason

"""The kernel's own count of out-of-memory kills is evidence, in a control group with a small limit."""

import pytest
from trainit_testing import control_groups, processes, waiting

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


# ---- the kernel takes who watches the GPUs, which is no process of the workers

GONE = "warning: the GPUs' health is not watched any more: its process was killed by SIGKILL"


@pytest.fixture
def hungry_watch(trainit, start, fake_gpus, small_memory, tmp_path):
    """hungry_watch(JOB, COMMAND…): a job whose watch over two GPUs the kernel has killed; the command waits for $WATCHED."""
    def begin(here, *command, **options):
        script, watched = tmp_path / "gpus", tmp_path / "watched"
        script.touch()
        env = fake_gpus("2", FAKE_NVML=str(script), WATCHED=str(watched))
        running = start([*small_memory, trainit, "--gpu-health", "100ms", "--", *command], job=here, env=env, **options)
        waiting.wait_until(lambda: processes.gpu_watch_of(running.pid), "somebody who watches the GPUs")
        script.write_text(f"eat 0 {3 * MEMORY >> 20}\n")
        running.wait_for(GONE, stream="err")
        watched.touch()
        return running

    return begin


def then(script):
    return ["python3", "-c", "import os, signal, time\nwhile not os.path.exists(os.environ['WATCHED']): time.sleep(0.02)\n"
                             f"rank = os.environ['RANK']\n{script}"]


def test_a_job_goes_on_when_the_kernel_has_killed_who_watches_its_gpus(hungry_watch, job):
    here = job()
    end = hungry_watch(here, *then("")).wait()
    assert end.code == 0 and here.success, end
    assert [line for line in end.ours if line.startswith("warning: ") and "GPU" in line] == [GONE]
    assert "the kernel killed 1 process of this container for want of memory" in end.ours


def test_a_watch_that_the_kernel_killed_does_not_make_a_workers_sigkill_one_for_want_of_memory(hungry_watch, job):
    here = job()
    end = hungry_watch(here, *then("if rank == '1': os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(1000)")).wait()
    assert end.code == 137
    assert here.failure_reason.startswith("algo-1 rank 1: killed by SIGKILL"), here.failure_reason
    assert "not for want of memory" in here.failure_reason


def test_a_worker_that_the_kernel_killed_after_the_watch_is_the_cause(hungry_watch, job):
    here = job()
    end = hungry_watch(here, *then(f"if rank == '1':\n  {TAKE_TOO_MUCH}\ntime.sleep(1000)")).wait()
    assert end.code == 137
    assert here.failure_reason.startswith("algo-1 rank 1: out of memory: the kernel killed this worker")
    assert "the kernel killed 2 processes of this container for want of memory" in end.ours


#: PID 1 of a pid namespace whose /proc is that of another one, so that it takes everybody for a process of the job.
FOREIGN_PROC = ["unshare", "--pid", "--fork", "--kill-child", "--"]


def test_a_watch_that_went_with_all_that_was_left_is_none_of_those_that_the_kernel_killed(trainit, start, job, fake_gpus,
                                                                                          small_memory):
    here = job()
    script = ("import os, signal, time\nsignal.signal(15, signal.SIG_IGN)\n"
              f"if os.environ['RANK'] == '1':\n  time.sleep(1)\n  {TAKE_TOO_MUCH}\ntime.sleep(1000)")
    end = start([*small_memory, trainit, "--failure-grace", "1s", "--", "python3", "-c", script], job=here,
                env=fake_gpus("2"), wrapper=FOREIGN_PROC).wait()
    assert end.code == 137
    assert here.failure_reason.startswith("algo-1 rank 1: out of memory: the kernel killed this worker"), here.failure_reason

"""Containers in which something is missing, forbidden or full: the job runs, or ends with one clear sentence."""

import errno
import os
import shutil
import signal
import tempfile

import pytest
from trainit_testing import control_groups, jobs
from trainit_testing.processes import state_of, workers_of
from trainit_testing.waiting import wait_until

#: System calls that a seccomp profile or an old kernel may not have, by their numbers on x86-64.
NEW_CALLS = {"memfd_create": 319, "statx": 332, "pidfd_open": 434, "clone3": 435, "close_range": 436,
             "faccessat2": 439, "epoll_pwait2": 441, "execveat": 322, "pidfd_send_signal": 424}


def in_mounts(script):
    """What to put before a command: it runs where `script` has changed the mounts, as the same process."""
    return ["unshare", "--mount", "sh", "-ec", f'{script}; exec "$@"', "sh"]


NO_PROC = "umount -l /proc"
NO_TMP = "mount -t tmpfs -o ro none /tmp; mount -t tmpfs -o ro none /dev/shm"


def read_only_root(base):
    """A root in which nothing but the job's directory can be written, /tmp and /dev/shm neither."""
    others = "for at in /tmp /dev/shm /var /run; do mount --bind $at $at 2>/dev/null && mount -o remount,ro,bind $at; done"
    return in_mounts(f"mount --bind {base} /mnt; {others}; mount -o remount,ro,bind /; mount --bind /mnt {base}")


def two_workers(code):
    """Rank 1 ends with `code`, when rank 0 has said what it has to say."""
    return ["sh", "-c", 'echo rank $RANK; [ $RANK = 1 ] || exec touch "$SM_MODEL_DIR/said"; '
                        f'while [ ! -e "$SM_MODEL_DIR/said" ]; do sleep 0.01; done; exit {code}']


@pytest.fixture
def far_away(trainit):
    """A job and the binary, not below /tmp, which may be hidden, and they with it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield jobs.lay_out(os.path.join(directory, "job")), shutil.copy2(trainit, directory)


# ---- files

def test_a_read_only_root_is_enough(trainit, pid1, job):
    here = job()
    script = 'touch /tmp/x 2>/dev/null && exit 9; echo model > "$SM_MODEL_DIR/model"; echo trained'
    end = pid1([*read_only_root(here.base), trainit, "--workers", "2", "--", "sh", "-c", script], job=here)
    assert (end.code, here.success) == (0, True), end
    assert (here.model / "model").exists()


def test_without_a_place_for_error_files_there_are_none(trainit, pid1, job):
    here = job()
    end = pid1([*read_only_root(here.base), trainit, "--", "sh", "-c", "echo \"<$TORCHELASTIC_ERROR_FILE>\"; exit 4"],
               job=here)
    assert end.code == 4 and "<>" in end.out and "code 4" in here.failure


@pytest.mark.parametrize("missing", [NO_TMP, NO_PROC, f"{NO_TMP}; {NO_PROC}", "mount -t tmpfs none /dev"],
                         ids=["no /tmp", "no /proc", "neither", "no devices"])
@pytest.mark.parametrize("code", [0, 6])
def test_a_job_runs_where_something_is_missing(far_away, pid1, missing, code):
    here, binary = far_away
    end = pid1([*in_mounts(missing), binary, "--workers", "2", "--", *two_workers(code)], job=here)
    assert end.code == code, end
    assert "rank 0\n" in end.out and "[rank 1] rank 1" in end.out
    assert here.success == (code == 0) and (code == 0 or f"code {code}" in here.failure)


@pytest.mark.release_only  # LeakSanitizer needs /proc
def test_a_command_runs_and_is_stopped_in_every_way_where_something_is_missing(way, far_away, pid1, start):
    here, way.trainit = far_away
    stopped = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"
    places = [*map(in_mounts, (NO_TMP, NO_PROC, f"{NO_TMP}; {NO_PROC}", "mount -t tmpfs none /dev")), read_only_root(here.base)]
    for place in places:
        end = pid1([*place, *way.argv("sh", "-c", "echo ran; exit 6")], job=here, namespace=way.as_pid_1)
        assert end.code == 6 and end.out == "ran\n", (place, end)
        running = start([*place, *way.argv("sh", "-c", stopped)], job=here, namespace=way.as_pid_1)
        running.wait_for("ready")
        running.signal(signal.SIGTERM)
        end = running.wait()
        assert end.code == 9, (place, end)


def test_without_proc_as_pid_1_everything_is_ended(trainit, start, program, job):
    here = job()
    running = start([*in_mounts(NO_PROC), trainit, "--stop-budget", "4s", "--", program("signal_witness"), "-c", "-e",
                     "-i", "escapee", "-i", "child"], job=here)
    for name in ("leader", "child", "escapee"):
        running.wait_for(f"{name} ready")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0 and "escapee got 15" in end.out


def test_without_proc_a_stopped_process_is_continued_when_it_is_asked_to_end(trainit, start, program, job):
    running = start([*in_mounts(NO_PROC), trainit, "--stop-budget", "40s", "--", program("signal_witness"), "-e"],
                    job=job())
    running.wait_for("leader ready")
    running.wait_for("escapee ready")
    escapee = workers_of(running.pid)[-1]
    os.kill(escapee, signal.SIGSTOP)
    wait_until(lambda: state_of(escapee) == "T", "it is stopped")
    running.signal(signal.SIGTERM)
    assert "escapee got 15" in running.wait().out


@pytest.mark.release_only  # LeakSanitizer needs /proc
def test_without_proc_elsewhere_what_stays_in_the_group_is_ended_and_the_rest_is_said(trainit, pid1, job, program):
    here = job()
    # The inner trainit is not PID 1; the shell is, and tells what is left.
    left = f"""{trainit} --linger 200ms -- sh -c '
        {program("signal_witness")} -i leader & while ! kill -0 $! 2>/dev/null; do :; done; sleep 0.3'
        code=$?; kill -0 -1 2>/dev/null && echo left; exit $code"""
    end = pid1([*in_mounts(NO_PROC), "sh", "-c", left], job=here)
    assert end.code == 0 and here.success
    assert "leader got 15" in end.out and "left" not in end.out
    assert end.err.count("there is no /proc of this pid namespace") == 1
    assert "uninterruptible" not in end.err


# ---- limits

#: Writes more to /dev/shm than it holds, through memory.
FILLS_SHM = """
import mmap
with open("/dev/shm/filled", "w+b") as file:
    file.truncate(65 << 20)
    memory = mmap.mmap(file.fileno(), 0)
for at in range(0, len(memory), mmap.PAGESIZE):
    memory[at] = 1
"""


def test_a_worker_that_fills_dev_shm_is_told_its_size(trainit, pid1, job):
    here = job()
    small = in_mounts("mount -t tmpfs -o size=64m none /dev/shm")
    end = pid1([*small, trainit, "--", "python3", "-c", FILLS_SHM], job=here)
    assert end.code == 128 + signal.SIGBUS and not here.success, end
    assert here.failure_reason.splitlines()[0].endswith("bus error, /dev/shm is 64 MB"), here.failure


def test_the_limit_of_processes_is_a_sentence_and_a_failure_file(trainit, pid1, job):
    here = job()
    try:
        with control_groups.control_group("pids", [("pids.max", 4)]) as directory:
            end = pid1([*control_groups.inside(directory), trainit, "--workers", "8", "--", "sleep", "1000"], job=here)
    except control_groups.CannotMake as reason:
        pytest.skip(f"no control group can be made here: {reason}")
    assert end.code == 125 and not here.success
    assert "cannot start another process" in here.failure_reason and "pids.max" in here.failure_reason


@pytest.mark.parametrize("workers", ["1", "3"])
def test_many_variables_and_long_arguments_arrive(trainit, pid1, job, workers):
    many = {f"MANY_{number}": str(number) * 20 for number in range(2000)}
    long = ["x" * 100_000] * 10  # 1 MB; one alone may have 128 KiB
    script = "import os, sys; print(sum(name.startswith('MANY_') for name in os.environ), sum(map(len, sys.argv[1:])))"
    here = job()
    end = pid1([trainit, "--workers", workers, "--log-level", "warning", "--", "python3", "-c", script, *long],
               job=here, env=many)
    assert end.code == 0 and here.success
    assert end.out.count("2000 1000000\n") == int(workers)


def test_an_argument_that_is_too_long_for_the_kernel_is_a_sentence(trainit, pid1, job):
    here = job(hyperparameters={"long": "x" * 200_000})
    end = pid1([trainit, "--args", "toolkit", "--", "echo"], job=here)
    assert end.code == 125 and not here.success
    assert "--long" in here.failure_reason and "131071" in here.failure_reason


# ---- system calls

@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])
@pytest.mark.parametrize("code", [0, 5])
def test_newer_system_calls_are_not_needed(trainit, pid1, program, job, error, code):
    here = job()
    numbers = ",".join(str(number) for number in NEW_CALLS.values())
    end = pid1([program("deny_syscalls"), str(error), numbers, trainit, "--workers", "2", "--",
                *two_workers(code)], job=here, env={"TRAINIT_GPU_PROBE": "always"})
    assert end.code == code and here.success == (code == 0)
    assert "rank 0\n" in end.out


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])
def test_a_stop_needs_no_newer_system_call(way, start, program, job, error):
    here = job()
    numbers = ",".join(str(number) for number in NEW_CALLS.values())
    running = start([program("deny_syscalls"), str(error), numbers, *way.argv(program("signal_witness"), "-e")],
                    job=here, namespace=way.as_pid_1)
    running.wait_for("leader ready")
    running.wait_for("escapee ready")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0 and here.success == way.is_job and "escapee got 15" in end.out

"""Supervision: exit codes, orphans, signals, the stop sequence, and workers that fail."""

import ctypes
import errno
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from trainit_testing import jobs
from trainit_testing.processes import children_of, name_of, state_of, workers_of
from trainit_testing.waiting import wait_until

#: Everything that means something to a worker and does not stop the job.
FORWARDED = [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGWINCH,
             signal.SIGXCPU, signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX]

#: A user whose processes nobody else's tests have: the kernel counts them.
STRANGER = random.randrange(20_000, 60_000)

#: Of ptrace(2) and waitpid(2).
PTRACE_SEIZE, WALL = 0x4206, 0x40000000

#: Waits, in a worker, until a condition holds; the worker fails when it never does.
WAIT_UNTIL = """
import os, sys, time
def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(99)
        time.sleep(0.005)
"""


def python(script):
    return ["python3", "-c", WAIT_UNTIL + script]


def lines_of(running, who):
    return [line for line in running.out.splitlines() if who in line]


# ---- exit codes

@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_the_code_of_the_worker_is_ours(trainit, pid1, job, code):
    assert pid1([trainit, "--", "sh", "-c", f"exit {code}"], job=job()).code == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGUSR1])
def test_a_worker_that_a_signal_killed_is_128_and_the_signal(trainit, pid1, job, number):
    end = pid1([trainit, "--", "sh", "-c", f"kill -{int(number)} $$"], job=job())
    assert end.code == 128 + number


def test_a_program_that_is_not_there_is_127(trainit, pid1, job):
    here = job()
    assert pid1([trainit, "--", "no-such-program"], job=here).code == 127
    assert "no-such-program" in here.failure
    here = job()
    assert pid1([trainit, "--", "/no/such/program"], job=here).code == 127
    assert "/no/such/program" in here.failure


def test_a_program_that_cannot_be_run_is_126(trainit, pid1, job, tmp_path):
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    here = job()
    assert pid1([trainit, "--", str(tmp_path / "plain")], job=here).code == 126
    assert "not executable" in here.failure
    here = job()
    assert pid1([trainit, "--", str(tmp_path)], job=here).code == 126
    assert "it is a directory" in here.failure


def test_the_code_is_the_commands_in_every_way(way, pid1, job, tmp_path):
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    for code, command in ((7, ["sh", "-c", "exit 7"]), (137, ["sh", "-c", "kill -9 $$"]), (127, ["no-such-program"]),
                          (126, [str(tmp_path / "plain")])):
        end = pid1(way.argv(*command), job=job(), namespace=way.as_pid_1)
        assert end.code == code, end


def test_a_program_that_is_no_program_is_126(trainit, pid1, job, tmp_path):
    (tmp_path / "text").write_text("just text\n")
    (tmp_path / "text").chmod(0o755)
    here = job()
    assert pid1([trainit, "--workers", "2", "--", str(tmp_path / "text")], job=here).code == 126
    assert not here.success and "#!" in here.failure


# ---- orphans

def test_every_orphan_is_reaped_before_what_comes_later_is_looked_at(way, pid1, job):
    # A signal on its way through the launcher comes out behind the death that it has learnt of before. The second one has
    # certainly been sent after that.
    script = """
import select, signal
launcher, came = os.getppid(), []
signal.signal(signal.SIGWINCH, lambda *_: came.append(1))
def through_the_launcher():
    came.clear()
    os.kill(launcher, signal.SIGWINCH)
    wait_until(lambda: came)
for _ in range(20):
    reader, writer = os.pipe()
    if os.fork() == 0:
        orphan = os.fork()
        if orphan == 0:
            wait_until(lambda: os.getppid() == launcher)
            os.setsid()
            os._exit(0)
        os.write(writer, str(orphan).encode())
        os._exit(0)
    os.wait()
    orphan = int(os.read(reader, 20))
    try:
        select.select([os.pidfd_open(orphan)], [], [])
    except ProcessLookupError:
        continue
    through_the_launcher()
    through_the_launcher()
    if os.path.exists(f"/proc/{orphan}"):
        sys.exit(98)
"""
    end = pid1(way.argv(*python(script)), job=job(), namespace=way.as_pid_1)
    assert end.code == 0, end


def test_orphans_become_ours(way, pid1, job):
    script = """
ours = os.getppid()
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() != 0:
        os._exit(0)
    wait_until(lambda: os.getppid() == ours)
    os.write(writer, b"adopted")
    os._exit(0)
os.wait()
os.close(writer)
print(os.read(reader, 7).decode())
"""
    end = pid1(way.argv(*python(script)), job=job(), namespace=way.as_pid_1)
    assert end.code == 0 and "adopted" in end.out


PRCTL = 157  # on x86-64


def test_only_where_orphans_go_to_somebody_else_that_is_said(way, program, pid1, job):
    said = "warning: processes that outlive their parent cannot be looked after here: Invalid argument (EINVAL)"
    refused = [program("deny_syscalls"), str(errno.EINVAL), str(PRCTL)]
    end = pid1([*refused, *way.argv("true")], job=job(), namespace=way.as_pid_1)
    assert end.code == 0 and end.ours.count(said) == (0 if way.as_pid_1 else 1), end
    end = pid1(way.argv("true"), job=job(), namespace=way.as_pid_1)
    assert end.code == 0 and "outlive" not in end.err, end


@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "as a subreaper"])
def test_what_outlives_the_workers_is_asked_to_end_before_the_job_ends(trainit, start, program, job, namespace):
    here = job()
    command = f'{program("signal_witness")} -e & sleep 0.01; while [ ! -e go ]; do sleep 0.01; done; kill -9 $!'
    running = start([trainit, "--linger", "60s", "--", "sh", "-c", command], job=here, cwd=here.base,
                    namespace=namespace)
    pid = int(running.wait_for(r"escapee ready (\d+)")[1])
    running.wait_for("leader ready")
    (here.base / "go").touch()
    end = running.wait()
    assert "escapee got 15" in end.out
    assert end.code == 0 and here.success
    if not namespace:
        assert state_of(pid) == ""


def test_what_ignores_the_request_is_killed_and_the_code_stays(trainit, start, program, job):
    command = f'{program("signal_witness")} -e -i escapee & while [ ! -e go ]; do sleep 0.01; done; kill -9 $!; exit 4'
    here = job()
    running = start([trainit, "--linger", "100ms", "--", "sh", "-c", command], job=here, cwd=here.base, namespace=False)
    pid = int(running.wait_for(r"escapee ready (\d+)")[1])
    (here.base / "go").touch()
    end = running.wait()
    assert end.code == 4
    assert state_of(pid) == ""


def test_a_process_that_was_there_before_us_is_none_of_ours(trainit, start, program, job):
    # An entry point may send its log through a process of its own, which has to live to the end of the log.
    script = f'exec 3>&2; exec {trainit} -- sh -c "{program("signal_witness")} -e & sleep 1000" ' \
             f'> >(trap "echo asked to end >&3" TERM; cat >&3; echo all read >&3)'
    running = start(["bash", "-c", script], job=job(), namespace=False)
    running.wait_for("escapee ready", stream="err")
    running.signal(signal.SIGTERM)
    running.wait_for("all read", stream="err")
    end = running.wait()
    assert end.code == 143 and "escapee got 15" in end.err
    assert "asked to end" not in end.err


def test_a_shell_that_somebody_opened_in_the_container_is_none_of_ours(trainit, start, program, job):
    running = start([trainit, "--", program("signal_witness"), "-e"], job=job())
    running.wait_for("escapee ready")
    shell = start(["nsenter", "--pid", "--target", str(running.pid), program("signal_witness")], namespace=False)
    shell.wait_for("leader ready")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0
    assert "got" not in shell.wait().out  # the kernel ended it with its pid namespace


def test_a_process_beside_us_outlives_the_end_of_all_that_is_ours(trainit, pid1, job):
    stubborn = 'trap "" TERM; kill -TERM $PPID; while :; do sleep 1; done'
    script = f"sleep 1000 & other=$!; {trainit} --stop-budget 1s -- sh -c '{stubborn}'; kill -0 $other && echo lives"
    end = pid1(["sh", "-c", script], job=job())
    assert "SIGKILL for" in end.err and end.out == "lives\n", end


def test_nobody_is_woken_while_nothing_happens(trainit, start, program, job):
    def switches(pid):
        text = Path(f"/proc/{pid}/status").read_text()
        return [int(count) for count in re.findall(r"^\w*voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)][0]

    for argv, count in ((["exec"], 1), (["--workers", "2"], 2)):
        running = start([trainit, *argv, "--", program("signal_witness")], job=job())
        running.wait_for("leader ready", count=count)
        launcher = running.pid
        wait_until(lambda: state_of(launcher) == "S", "the launcher sleeps")
        time.sleep(0.5)  # what a start leaves to be done is done
        before = switches(launcher)
        time.sleep(2)
        assert switches(launcher) == before
        running.signal(signal.SIGTERM)
        assert running.wait().code == 0


# ---- signals

def test_signals_are_forwarded_to_the_leaders_and_to_nobody_else(way, start, program, job):
    running = start(way.argv(program("signal_witness"), "-c", "-e"), job=job(), namespace=way.as_pid_1)
    for name in ("leader", "child", "escapee"):
        running.wait_for(f"{name} ready")
    for number in FORWARDED:
        running.signal(number)
        running.wait_for(f"leader got {int(number)}$")
    assert not lines_of(running, "child got") and not lines_of(running, "escapee got")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0


def test_every_worker_gets_a_forwarded_signal(trainit, start, program, job):
    running = start([trainit, "--workers", "3", "--", program("signal_witness")], job=job())
    running.wait_for("leader ready", count=3)
    running.signal(signal.SIGUSR1)
    running.wait_for(r"leader got 10", count=3)
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0


def test_signals_that_are_the_receivers_own_affair_stay_here(trainit, start, program, job):
    running = start([trainit, "--", program("signal_witness")], job=job())
    running.wait_for("leader ready")
    for number in (signal.SIGPIPE, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGURG):
        running.signal(number)
    running.signal(signal.SIGUSR1)
    running.wait_for("leader got 10")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0
    assert lines_of(running, "leader got") == ["leader got 10", "leader got 15"]


# ---- the stop

def test_a_stop_that_the_worker_obeys_well_is_a_success(trainit, start, program, job):
    here = job()
    running = start([trainit, "--workers", "2", "--", program("signal_witness")], job=here)
    running.wait_for("leader ready", count=2)
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0 and here.success and here.failure is None
    assert end.out.count("leader got 15") == 2


def test_a_stop_that_ends_a_worker_badly_is_its_code_and_no_success(trainit, start, program, job):
    here = job()
    running = start([trainit, "--", program("signal_witness"), "-x", "9"], job=here)
    running.wait_for("leader ready")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 9
    assert not here.success and "SIGTERM" in here.failure_reason


def test_a_stop_kills_the_worker_that_has_no_handler(trainit, start, job):
    here = job()
    running = start([trainit, "--", "sh", "-c", "echo ready; exec sleep 1000"], job=here)
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 143
    assert not here.success and "SIGTERM" in here.failure_reason


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_stop_signal_reaches_the_worker_as_it_came(trainit, start, job, number, code):
    running = start([trainit, "--", "python3", "-c", "import signal, time; signal.signal(2, signal.SIG_DFL); "
                     "print('ready', flush=True); time.sleep(1000)"], job=job())
    running.wait_for("ready")
    running.signal(number)
    assert running.wait().code == code


def test_leaders_are_stopped_first_and_the_rest_only_when_they_are_down(way, start, program, job):
    running = start(way.argv(program("signal_witness"), "-c", "-e", "-i", "leader", options=["--stop-budget", "1h"]),
                    job=job(), namespace=way.as_pid_1)
    for name in ("leader", "child", "escapee"):
        running.wait_for(f"{name} ready")
    leader = workers_of(running.pid)[0]
    running.signal(signal.SIGTERM)
    running.wait_for("leader got 15")
    running.signal(signal.SIGUSR1)  # it still works on its checkpoint, and signals still come through
    running.wait_for("leader got 10")
    assert not lines_of(running, "child got") and not lines_of(running, "escapee got")
    os.kill(leader, signal.SIGKILL)
    end = running.wait()
    assert "child got 15" in end.out and "escapee got 15" in end.out


def test_a_stop_that_everybody_ignores_ends_within_the_budget_all_the_same(way, start, program, job):
    here = job()
    command = [program("signal_witness"), "-c", "-e", "-i", "leader", "-i", "child", "-i", "escapee"]
    running = start(way.argv(*command, options=["--stop-budget", "4s"]), job=here, namespace=way.as_pid_1)
    pids = [int(running.wait_for(rf"{name} ready (\d+)")[1]) for name in ("leader", "child", "escapee")]
    stopped_at = time.monotonic()
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert time.monotonic() - stopped_at < 4
    assert end.code == 137
    said = [line for line in end.out.splitlines() if " got 15" in line]
    assert said[:3] in (["leader got 15", "leader got 15", "child got 15"],
                        ["leader got 15", "child got 15", "leader got 15"])
    assert not way.is_job or (not here.success and "SIGTERM" in here.failure_reason)
    if not way.as_pid_1:
        assert [state_of(pid) for pid in pids] == ["", "", ""]


@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "as a subreaper"])
def test_each_further_stop_signal_shortens_to_the_next_step(trainit, start, program, job, namespace):
    command = [program("signal_witness"), "-c", "-i", "leader", "-i", "child"]
    running = start([trainit, "--stop-budget", "1h", "--", *command], job=job(), namespace=namespace)
    running.wait_for("leader ready")
    running.wait_for("child ready")
    running.signal(signal.SIGTERM)
    running.wait_for("leader got 15")
    assert not lines_of(running, "child got")
    running.signal(signal.SIGTERM)
    running.wait_for("child got 15")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 137
    told = [line for line in end.ours if "SIGTERM" in line or "SIGKILL for" in line]
    assert told[:5] == ["SIGTERM came: stopping 1 worker",
                        "SIGTERM came again: no more waiting for 1 worker",
                        "warning: 1 worker still running: SIGTERM for process groups",
                        "SIGTERM came again: no more waiting for 1 worker",
                        "SIGKILL for what is left: 2 processes"]


#: Forks as fast as it can from its first SIGTERM on. What it forks ignores that, and waits for ever.
FORKS_ON = """
trap 'trap "" TERM; i=0; while [ $i -lt 4000 ]; do (read -r line < fifo) & i=$((i + 1)); done' TERM
echo ready
while :; do read -r line < fifo; done
"""


def test_what_is_forked_while_everything_is_killed_is_killed_too(trainit, start, job):
    here = job()
    os.mkfifo(here.base / "fifo")
    held, alive = os.pipe()  # whoever runs has the second end
    running = start([trainit, "--stop-budget", "1h", "--", "sh", "-c", FORKS_ON], job=here, cwd=here.base, namespace=False,
                    pass_fds=[alive])
    os.close(alive)
    running.wait_for("ready")
    (worker,) = workers_of(running.pid)
    running.signal(signal.SIGTERM)
    wait_until(lambda: len(children_of(worker)) > 300, "there is much to look at while it forks")
    for count in (1, 2):
        running.signal(signal.SIGTERM)
        running.wait_for("SIGTERM came again", stream="err", count=count)
    end = running.wait()
    assert end.code == 137 and "did not end" not in end.err, end
    assert select.select([held], [], [], 30)[0] and os.read(held, 1) == b"", "a process is left"
    os.close(held)


@pytest.mark.parametrize("number, options", [(signal.SIGTERM, []), (signal.SIGRTMIN, ["--rewrite", "RTMIN:15"])],
                         ids=["read before SIGCHLD", "read after it"])
def test_a_stop_signal_that_comes_together_with_the_last_workers_end_is_told_and_obeyed(trainit, start, job, number, options):
    here = job()
    script = "echo $$; until [ -e go ]; do sleep 0.01; done; exit 3"
    running = start([trainit, "--max-restarts", "5", "--restart-delay", "0", *options, "--", "sh", "-c", script], job=here,
                    cwd=here.base, namespace=False)
    worker = int(running.wait_for(r"(\d+)")[1])
    running.signal(signal.SIGSTOP)
    (here.base / "go").touch()
    wait_until(lambda: state_of(worker) == "Z", "the worker has ended")
    running.signal(number)
    running.signal(signal.SIGCONT)
    end = running.wait()
    assert end.code == 3 and "not restarted: a stop was asked for" in end.ours, end
    assert [line for line in end.ours if line.startswith("SIGTERM came: ")]
    record = [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]
    assert record[-1]["event"] == "outcome" and record[-1]["stop_signal"] == "SIGTERM", record[-1]


def test_a_stop_signal_after_the_workers_end_is_not_said_to_stop_them(trainit, start, program, job):
    here = job()
    command = f'{program("signal_witness")} -e -i escapee & while [ ! -e go ]; do sleep 0.01; done; kill -9 $!'
    running = start([trainit, "--linger", "1h", "--workers", "2", "--", "sh", "-c", command], job=here, cwd=here.base)
    running.wait_for("escapee ready", count=2)
    (here.base / "go").touch()
    running.wait_for("escapee got 15", count=2)
    running.signal(signal.SIGTERM)
    running.wait_for("SIGTERM came: no worker runs any more, and the job is ending", stream="err")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert "SIGTERM came again: no worker runs any more, and the job is ending" in end.ours
    assert "SIGKILL for what is left: 2 processes" in end.ours
    assert "stopping" not in end.err


def test_nothing_is_said_of_a_kill_that_finds_nobody(trainit, start, program, job):
    here = job()
    command = f'{program("signal_witness")} -e & while [ ! -e go ]; do sleep 0.01; done; kill -9 $!; wait $! || true'
    running = start([trainit, "--linger", "1h", "--", "sh", "-c", command], job=here, cwd=here.base, namespace=False)
    pid = int(running.wait_for(r"escapee ready (\d+)")[1])
    # Who traces a process is told of its end first: until then its parent cannot reap it, and it is there and gone.
    assert ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    (here.base / "go").touch()
    running.wait_for("SIGTERM for what is left: 1 process", stream="err")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: state_of(pid) == "Z", "what was left has ended")
    for said in ("SIGTERM came: ", "SIGTERM came again: "):
        running.signal(signal.SIGTERM)
        running.wait_for(said, stream="err")
    assert os.waitpid(pid, WALL)[0] == pid
    end = running.wait()
    record = [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]
    assert [event["processes"] for event in record if event["event"] == "stop" and event["signal"] == "SIGKILL"] == [0]
    assert "SIGKILL for" not in end.err, end


#: Its first thread ends, and another one goes on.
WITHOUT_A_FIRST_THREAD = """
import ctypes, signal, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def go_on():
    while open("/proc/self/stat").read().rpartition(")")[2].split()[0] != "Z": time.sleep(0.01)
    print("ready", flush=True)
    time.sleep(1000)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_worker_whose_first_thread_has_ended_is_killed_like_any_other(trainit, start, job):
    running = start([trainit, "--stop-budget", "1h", "--", "python3", "-c", WITHOUT_A_FIRST_THREAD], job=job(), namespace=False)
    running.wait_for("ready")
    for count in (1, 2, 3):
        running.signal(signal.SIGTERM)
        running.wait_for("SIGTERM came", stream="err", count=count)
    end = running.wait()
    assert end.code == 137 and "SIGKILL for what is left: 1 process" in end.ours, end
    assert "did not end" not in end.err


def test_a_stopped_worker_is_continued_before_it_is_asked_to_end(trainit, start, program, job):
    running = start([trainit, "--stop-budget", "1h", "--", program("signal_witness")], job=job(), namespace=False)
    pid = int(running.wait_for(r"leader ready (\d+)")[1])
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state_of(pid) == "T", "the worker is stopped")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0


@pytest.fixture(params=["driver", "nvidia-smi"])
def hanging_gpu_query(request, program, tmp_path, clean_env):
    """The environment of a machine on which the question for its GPUs is never answered."""
    libraries = str(Path(program("fake_cuda/libcuda.so.1")).parent)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexec sleep 1000\n")
    tool.chmod(0o755)
    if request.param == "driver":
        return {"TRAINIT_GPU_PROBE": "always", "LD_LIBRARY_PATH": libraries, "FAKE_CUDA": "hang"}
    return {"TRAINIT_GPU_PROBE": "always", "PATH": f"{tmp_path}:{clean_env['PATH']}"}


def asks_somebody(running):
    """Whether the launcher has a child that runs a program of its own."""
    try:
        programs = [os.readlink(f"/proc/{pid}/exe") for pid in children_of(running.pid)]
    except FileNotFoundError:  # it has ended since, and the next one is not there yet
        return False
    return any(program != os.readlink(f"/proc/{running.pid}/exe") for program in programs)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_before_the_first_worker_ends_at_once_with_a_failure_text(trainit, start, hanging_gpu_query, job,
                                                                         number, code):
    here = job()
    running = start([trainit, "--gpu-deadline", "1h", "--", "echo", "started"], job=here, env=hanging_gpu_query)
    wait_until(lambda: asks_somebody(running), "somebody is asked for the GPUs")
    stopped_at = time.monotonic()
    running.signal(number)
    end = running.wait()
    assert time.monotonic() - stopped_at < 1
    assert end.code == code and "started" not in end.out
    assert signal.Signals(number).name in here.failure_reason and not here.success


def test_a_signal_that_is_taken_for_a_stop_ends_the_wait_before_the_first_worker_too(trainit, start, hanging_gpu_query,
                                                                                     job):
    here = job()
    running = start([trainit, "--rewrite", "10:15", "--gpu-deadline", "1h", "--", "echo", "started"], job=here,
                    env=hanging_gpu_query)
    wait_until(lambda: asks_somebody(running), "somebody is asked for the GPUs")
    running.signal(signal.SIGUSR1)
    end = running.wait()
    assert end.code == 143 and "started" not in end.out
    assert "stopped by SIGTERM" in here.failure_reason and not here.success


def test_a_stop_signal_that_is_taken_for_another_waits_for_the_first_worker(trainit, start, hanging_gpu_query, job):
    running = start([trainit, "--rewrite", "15:10", "--gpu-deadline", "1s", "--", "sleep", "1000"], job=job(),
                    env=hanging_gpu_query)
    wait_until(lambda: asks_somebody(running), "somebody is asked for the GPUs")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 128 + signal.SIGUSR1


def test_exit_codes_are_mapped_for_a_stop_before_the_first_worker_too(trainit, start, hanging_gpu_query, job):
    here = job()
    running = start([trainit, "--exit-map", "143=0", "--gpu-deadline", "1h", "--", "true"], job=here,
                    env=hanging_gpu_query)
    wait_until(lambda: asks_somebody(running), "somebody is asked for the GPUs")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0
    assert "stopped by SIGTERM" in here.failure_reason and not here.success


# ---- workers that fail, and workers that end

def test_one_failing_worker_stops_the_others_and_is_the_outcome(trainit, start, program, job):
    here = job()
    command = f'[ $RANK = 1 ] || exec {program("signal_witness")} -x 5; while [ ! -e go ]; do sleep 0.01; done; exit 3'
    running = start([trainit, "--workers", "3", "--", "sh", "-c", command], job=here, cwd=here.base)
    running.wait_for("leader ready", count=2)
    (here.base / "go").touch()
    end = running.wait()
    assert end.code == 3
    assert end.out.count("leader got 15") == 2
    assert not here.success
    assert "rank 1" in here.failure_reason and "code 3" in here.failure_reason


def test_of_two_workers_that_are_found_dead_at_the_same_time_none_was_told_to_stop(trainit, start, job):
    script = """
print("rank", os.environ["RANK"], "is", os.getpid())
wait_until(lambda: os.environ["RANK"] == "0" and os.path.exists("go"))
raise ConnectionResetError(104, "Connection reset by peer")
"""
    here = job()
    running = start([trainit, "--workers", "2", "--", *python(script)], job=here, cwd=here.base, namespace=False)
    workers = [int(running.wait_for(rf"rank {rank} is (\d+)$")[1]) for rank in (0, 1)]
    running.signal(signal.SIGSTOP)
    os.kill(workers[1], signal.SIGKILL)
    (here.base / "go").touch()
    wait_until(lambda: [state_of(pid) for pid in workers] == ["Z", "Z"], "both have ended")
    running.signal(signal.SIGCONT)
    assert running.wait(30).code == 137
    assert here.failure.startswith("algo-1 rank 1: killed by SIGKILL"), here.failure


def test_a_worker_that_ignores_the_stop_after_a_failure_is_killed_after_its_grace(trainit, start, program, job):
    here = job()
    command = f'[ $RANK = 1 ] || exec {program("signal_witness")} -i leader; while [ ! -e go ]; do sleep 0.01; done; exit 3'
    running = start([trainit, "--workers", "2", "--failure-grace", "50ms", "--stop-budget", "800ms", "--",
                     "sh", "-c", command], job=here, cwd=here.base)
    running.wait_for("leader ready")
    (here.base / "go").touch()
    assert running.wait().code == 3
    assert "rank 1" in here.failure_reason


def test_a_worker_that_ends_well_leaves_the_others_going(trainit, pid1, job):
    here = job()
    script = """
if os.environ["RANK"] == "0":
    open("pid", "w").write(str(os.getpid()))
    sys.exit()
wait_until(lambda: os.path.exists("pid") and open("pid").read() and
           not os.path.exists("/proc/" + open("pid").read()))
print("rank 0 was reaped, and I am still here")
"""
    end = pid1([trainit, "--workers", "2", "--", *python(script)], job=here, cwd=here.base)
    assert end.code == 0 and "still here" in end.out and here.success


@pytest.fixture
def job_of_a_stranger():
    """A job whose files belong to a user that has no other process here. pytest's own places are root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        here = jobs.lay_out(Path(directory) / "job")
        subprocess.run(["chown", "-R", f"{STRANGER}:{STRANGER}", directory], check=True)
        yield here


def test_a_fork_that_is_refused_stops_the_workers_that_run_and_starts_no_more(trainit, pid1, job_of_a_stranger):
    limited = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "prlimit", "--nproc=3"]
    # Through /proc/self/fd, because a stranger may not look for the binary where it lies.
    with open(trainit, "rb") as binary:
        end = pid1([*limited, f"/proc/self/fd/{binary.fileno()}", "--workers", "5", "--", "sleep", "1000"],
                   job=job_of_a_stranger, pass_fds=[binary.fileno()])
    assert end.code == 125 and not job_of_a_stranger.success
    assert "rank 2" in job_of_a_stranger.failure_reason and "EAGAIN" in job_of_a_stranger.failure_reason
    assert [line.split()[2] for line in end.ours if re.match(r" +\d ", line)] == ["SIGTERM", "SIGTERM", "125", "not", "not"]


@pytest.mark.release_only  # LeakSanitizer forks
def test_a_fork_of_the_store_that_is_refused_is_tried_again(trainit, start, job_of_a_stranger):
    """There is room for the launcher and its two workers, until one of them ends. Rank 0 says PING, and hears its bytes again."""
    fifo = job_of_a_stranger.model / "fifo"
    os.mkfifo(fifo)
    os.chown(fifo, STRANGER, STRANGER)
    script = r"""if [ "$RANK" = 1 ]; then read -r line < "$SM_MODEL_DIR/fifo"; exit; fi
        exec 3<> "/dev/tcp/$MASTER_ADDR/$MASTER_PORT"; printf '\x00\xce\xf7\x85\x3c\x0dPING' >&3
        read -r -N 4 answer <&3; echo "answer: $answer" """
    limited = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "prlimit", "--nproc=3"]
    with open(trainit, "rb") as binary:
        running = start([*limited, f"/proc/self/fd/{binary.fileno()}", "--workers", "2", "--", "bash", "-c", script],
                        job=job_of_a_stranger, pass_fds=[binary.fileno()])
    sentence = r"warning: starting the rendezvous store: .*\(EAGAIN\); the workers wait for it$"
    running.wait_for(sentence, stream="err")
    time.sleep(1.5)  # a try later
    assert "answer" not in running.out
    fifo.write_text("\n")
    end = running.wait()
    assert (end.code, end.out) == (0, "answer: PING\n") and len(re.findall(sentence, end.err, re.MULTILINE)) == 1, end


@pytest.mark.release_only  # LeakSanitizer forks
@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "as a subreaper"])
def test_a_fork_that_is_refused_to_exec_is_a_sentence(trainit, pid1, job_of_a_stranger, namespace):
    limited = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "prlimit", "--nproc=1"]
    with open(trainit, "rb") as binary:
        end = pid1([*limited, f"/proc/self/fd/{binary.fileno()}", "exec", "--", "true"], namespace=namespace,
                   pass_fds=[binary.fileno()])
    assert end.code == 125 and len(end.ours) == 1 and "EAGAIN" in end.err, end


def become_root(job):
    """What a program begins with that the launcher of a stranger may not signal."""
    program = job.base / "become_root"
    shutil.copy(shutil.which("setpriv"), program)
    program.chmod(0o4755)
    return [str(program), "--reuid=0", "--regid=0", "--clear-groups"]


@pytest.mark.parametrize("script, told", [
    ("time.sleep(1000)", r"1 process did not end within \S+ s of SIGKILL$"),
    # Its parent waits in the kernel until the child ends.
    ("ctypes.CDLL(None).vfork(); time.sleep(1000)",
     r"2 processes did not end within \S+ s of SIGKILL, 1 of them in uninterruptible sleep, most likely in a driver$"),
], ids=["asleep", "in the kernel"])
def test_what_sigkill_did_not_end_is_told_with_what_is_known_of_it(trainit, start, job_of_a_stranger, script, told):
    stranger = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    program = ["python3", "-c", f"import ctypes, time; print('ready', flush=True); {script}"]
    with open(trainit, "rb") as binary:
        running = start([*stranger, f"/proc/self/fd/{binary.fileno()}", "--stop-budget", "2s", "--",
                         *become_root(job_of_a_stranger), *program],
                        job=job_of_a_stranger, pass_fds=[binary.fileno()])
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert [line for line in end.ours if re.match(told, line)], end.err


def test_a_job_of_which_a_process_is_left_is_not_started_once_more(trainit, pid1, job_of_a_stranger):
    stays = " ".join(become_root(job_of_a_stranger))
    script = (f'ready=$SM_MODEL_DIR/ready; [ "$RANK" = 0 ] && exec {stays} sh -c ": > $ready; exec sleep 1000"; '
              'until [ -e "$ready" ]; do sleep 0.05; done; exit 3')
    with open(trainit, "rb") as binary:
        end = pid1(["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", f"/proc/self/fd/{binary.fileno()}",
                    "--workers", "2", "--max-restarts", "3", "--failure-grace", "100ms", "--", "sh", "-c", script],
                   job=job_of_a_stranger, pass_fds=[binary.fileno()])
    assert end.code == 3, end
    assert "not restarted: processes of algo-1 are left that SIGKILL has not reached or not ended" in end.ours


@pytest.mark.parametrize("argv, workers", [(["--workers", "1"], 1), (["--workers", "2"], 2), (["exec"], 1)])
def test_a_launcher_that_is_killed_leaves_no_worker(trainit, start, program, job, argv, workers):
    running = start([trainit, *argv, "--", program("signal_witness")], job=job(), namespace=False)
    pids = [int(running.wait_for(r"leader ready (\d+)", count=count)[1]) for count in range(1, workers + 1)]
    running.signal(signal.SIGKILL)
    running.wait()
    wait_until(lambda: all(state_of(pid) in ("", "Z") for pid in pids), "the workers are gone")


# ---- a signal in the moment of a worker's start

#: Each exec takes three seconds.
SLOW_EXEC = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=execve", "-e", "inject=execve:delay_enter=3000000"]


@pytest.mark.release_only  # sanitizers do not work under a tracer
@pytest.mark.parametrize("argv, number, code", [([], signal.SIGTERM, 143), ([], signal.SIGUSR1, 138),
                                                (["exec"], signal.SIGTERM, 143)])
def test_a_signal_between_the_start_and_the_workers_exec_ends_the_worker_before_its_program_runs(trainit, start, job,
                                                                                                 argv, number, code):
    running = start([*SLOW_EXEC, trainit, *argv, "--stop-budget", "1h", "--", "sh", "-c", "echo began; exec sleep 1000"],
                    job=job())
    def launchers():
        return [child for child in children_of(running.pid) if name_of(child) == "trainit"]

    wait_until(launchers, "there is a launcher")
    (launcher,) = launchers()
    wait_until(lambda: children_of(launcher), "there is a worker")
    (worker,) = children_of(launcher)
    assert os.readlink(f"/proc/{worker}/exe") == os.readlink(f"/proc/{launcher}/exe")  # it is not sh yet
    os.kill(launcher, number)
    end = running.wait()
    assert (end.code, end.out) == (code, "")

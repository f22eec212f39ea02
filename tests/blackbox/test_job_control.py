"""What a person at a terminal does with Ctrl-C and Ctrl-Z, and what a caller with odd habits leaves us."""

import os
import signal
from pathlib import Path

import pytest
from trainit_testing.processes import children_of, state_of, workers_of
from trainit_testing.waiting import wait_until

#: Ignores SIGTERM or SIGCHLD, or blocks one of them, and becomes its arguments, as some callers do.
ODD_CALLER = """
import os, signal, sys
habit, number, *command = sys.argv[1:]
if habit == "ignores":
    signal.signal(int(number), signal.SIG_IGN)
else:
    signal.pthread_sigmask(signal.SIG_BLOCK, [int(number)])
os.execv(command[0], command)
"""


def wait_for_state(pid, state):
    wait_until(lambda: state_of(pid) == state, f"process {pid} in state {state}")


# ---- a terminal

#: A shell with job control on a terminal; it tells what it sees of its job.
SHELL = "set -m; {command}; echo code $?; jobs -r; fg; echo end $?"

#: A shell that gives the terminal to its job only when the job has passed it on.
LATE_SHELL = """
import os, signal, sys, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
ours, job = os.getpgrp(), os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while os.tcgetpgrp(0) in (ours, job):
    time.sleep(0.001)
os.tcsetpgrp(0, job)
print("given", flush=True)
_, status = os.waitpid(job, os.WUNTRACED)
print("stopped" if os.WIFSTOPPED(status) else f"end {os.waitstatus_to_exitcode(status)}", flush=True)
"""


def press_ctrl_z(shell):
    # A shell that has started its job but does not wait yet may just be giving it the terminal.
    wait_for_state(shell.pid, "S")
    shell.type("\x1a")


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def foreground_group(pid):
    """Of the terminal of this process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[5])


def test_ctrl_z_gives_the_shell_back_and_fg_goes_on(trainit, start, program):
    command = f"{trainit} exec -- {program('signal_witness')} -c -z"
    running = start(["bash", "-c", SHELL.format(command=command)], tty=True, namespace=False)
    running.wait_for("child ready")
    running.wait_for("leader ready")
    press_ctrl_z(running)
    running.wait_for("code 14[0-9]")  # 128 and the signal that stopped it
    running.wait_for("leader got 18")  # fg continued it
    running.type("\x03")
    running.wait_for("leader got 2")  # and gave it the terminal back
    running.signal(signal.SIGKILL)


def test_ctrl_z_stops_the_worker_and_what_it_started(trainit, start, program):
    script = f"set -m; {trainit} exec -- {program('signal_witness')} -c -z; echo stopped; sleep 1000"
    running = start(["bash", "-c", script], tty=True, namespace=False)
    worker = int(running.wait_for(r"leader ready (\d+)")[1])
    child = int(running.wait_for(r"child ready (\d+)")[1])
    press_ctrl_z(running)
    running.wait_for("stopped")
    wait_for_state(worker, "T")
    wait_for_state(child, "T")
    running.signal(signal.SIGKILL)


def test_ctrl_z_of_several_workers_stops_all_of_them_and_fg_continues_them(trainit, start, program, job):
    command = f"{trainit} --workers 2 -- {program('signal_witness')} -z"
    running = start(["bash", "-c", SHELL.format(command=command)], tty=True, namespace=False, job=job())
    running.wait_for("leader ready", count=2)
    press_ctrl_z(running)
    running.wait_for("code 14[0-9]")
    running.wait_for("leader got 18", count=2)
    running.type("\x03")
    running.wait_for("end 0")
    assert running.out.count("leader got 2\r") == 2


def test_where_nobody_could_continue_us_only_the_worker_stops(trainit, start, program):
    running = start([trainit, "--log-level", "info", "exec", "--", program("signal_witness"), "-z"], tty=True)
    running.wait_for("leader ready")
    (worker,) = workers_of(running.pid)
    running.type("\x1a")
    running.wait_for("the worker is stopped")
    wait_for_state(worker, "T")
    assert state_of(running.pid) in "SR"
    running.signal(signal.SIGCONT)
    running.wait_for("leader got 18")
    running.type("\x03")
    assert running.wait().code == 0
    assert "leader got 2" in running.out


def test_a_stop_continues_what_ctrl_z_had_stopped_with_the_workers_too(trainit, start, program, job):
    running = start([trainit, "--stop-budget", "1h", "--", program("signal_witness"), "-c", "-z", "-i", "leader"],
                    job=job())
    running.wait_for("leader ready")
    running.wait_for("child ready")
    (worker,) = workers_of(running.pid)
    (child,) = children_of(worker)
    running.signal(signal.SIGTSTP)
    wait_for_state(worker, "T")
    wait_for_state(child, "T")
    running.wait_for("SIGTSTP came: 1 worker stopped until SIGCONT comes", stream="err")
    running.signal(signal.SIGTERM)
    running.wait_for("leader got 15")  # it may want something of its child now
    running.wait_for("child got 18")
    assert "child got 15" not in running.out


def test_a_worker_that_comes_back_from_the_background_can_read_the_terminal(trainit, start):
    command = f"{trainit} exec -- sh -c 'echo ready; read a; echo got $a'"
    running = start(["bash", "-c", SHELL.format(command=command)], tty=True, namespace=False)
    running.wait_for("ready")
    press_ctrl_z(running)
    running.wait_for("code 14[0-9]")
    running.type("word\n")
    running.wait_for("got word")
    running.wait_for("end 0")


def test_a_worker_that_stops_in_the_background_leaves_the_terminal_to_the_shell(trainit, start):
    script = f"set -m; {trainit} exec -- sh -c 'echo ready $$; exec cat'; bg; echo in the background; " \
             "read word; echo the shell read $word; set -o posix; jobs"
    running = start(["bash", "-c", script], tty=True, namespace=False)
    worker = int(running.wait_for(r"ready (\d+)")[1])
    launcher = parent_of(worker)
    press_ctrl_z(running)
    running.wait_for("in the background")
    wait_for_state(launcher, "T")  # again, because cat may not read from there
    running.type("word\n")
    running.wait_for("the shell read word")
    running.wait_for(r"Stopped\(SIGTTIN\)")
    os.kill(launcher, signal.SIGKILL)


def test_a_worker_that_comes_to_the_foreground_while_it_runs_can_read_the_terminal(trainit, start, tmp_path):
    os.mkfifo(tmp_path / "go")
    worker = 'echo ready $$; read go < "$GO"; read a; echo got $a'
    script = f"set -m; {trainit} exec -- sh -c '{worker}'; bg; read; fg; echo end $?"
    running = start(["bash", "-c", script], tty=True, namespace=False, env={"GO": str(tmp_path / "go")})
    pid = int(running.wait_for(r"ready (\d+)")[1])
    launcher = parent_of(pid)
    press_ctrl_z(running)
    running.wait_for("Stopped")
    wait_for_state(pid, "S")
    running.type("\n")
    wait_until(lambda: foreground_group(pid) == launcher, "the launcher in the foreground")
    (tmp_path / "go").write_text("go\n")
    running.type("word\n")
    running.wait_for("got word")
    running.wait_for("end 0")


def test_a_shell_that_gives_us_the_terminal_late_does_not_take_it_from_the_worker(trainit, start):
    worker = "echo ready; read a; read b; echo got $a and $b"
    running = start(["python3", "-c", LATE_SHELL, trainit, "exec", "--", "sh", "-c", worker], tty=True, namespace=False)
    running.wait_for("ready")
    running.wait_for("given")
    running.type("one\ntwo\n")
    running.wait_for("got one and two")
    running.wait_for("end 0")


# ---- the caller

@pytest.mark.parametrize("habit", ["ignores", "blocks"])
@pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGTERM])
def test_a_caller_with_odd_habits_does_not_break_us(way, start, program, job, habit, number):
    here = job()
    command = ["python3", "-c", ODD_CALLER, habit, str(int(number)), *way.argv(program("signal_witness"))]
    running = start(command, job=here, namespace=way.as_pid_1)
    running.wait_for("leader ready")
    running.wait_for(f"{habit} {signal.Signals(number).name}", stream="err")
    running.signal(signal.SIGUSR1)
    running.wait_for("leader got 10")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0 and here.success == way.is_job


@pytest.mark.parametrize("habit", ["ignores", "blocks"])
def test_workers_inherit_the_habits_of_our_caller(trainit, pid1, job, habit):
    field = {"ignores": "SigIgn", "blocks": "SigBlk"}[habit]
    end = pid1(["python3", "-c", ODD_CALLER, habit, str(int(signal.SIGTERM)), trainit, "--",
                "grep", field, "/proc/self/status"], job=job())
    assert int(end.out.split()[1], 16) & (1 << (signal.SIGTERM - 1))


def test_a_worker_gets_the_limit_of_open_files_of_our_caller(trainit, pid1, job):
    end = pid1(["prlimit", "--nofile=77:999", trainit, "--", "sh", "-c", "ulimit -Sn; ulimit -Hn"], job=job())
    assert end.out.split() == ["77", "999"]


def test_a_limit_of_64_open_files_is_enough_for_15_workers(trainit, pid1, job):
    here = job()
    end = pid1(["prlimit", "--nofile=64", trainit, "--workers", "15", "--", "true"], job=here)
    assert end.code == 0 and here.success


def test_too_few_open_files_is_a_sentence_and_a_failure_file(trainit, pid1, job):
    here = job()
    end = pid1(["prlimit", "--nofile=64", trainit, "--workers", "40", "--", "sleep", "1000"], job=here)
    assert end.code == 125 and not here.success
    assert "open files" in here.failure_reason and "RLIMIT_NOFILE" in here.failure_reason


def test_descriptors_that_socket_activation_passed_are_meant_for_the_worker(way, pid1, job):
    meant = way.argv("sh", "-c", 'test "$LISTEN_PID" = $$ && echo for me')
    end = pid1(["sh", "-c", 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@"', "sh", *meant], job=job(), namespace=way.as_pid_1)
    assert end.out == "for me\n"
    other = pid1(["env", "LISTEN_PID=12345", *way.argv("sh", "-c", "echo $LISTEN_PID")], job=job(), namespace=way.as_pid_1)
    assert other.out == "12345\n"


def test_the_launcher_keeps_no_directory_of_its_caller(trainit, start, program, job, tmp_path):
    running = start([trainit, "--", program("signal_witness")], job=job(), cwd=tmp_path)
    running.wait_for("leader ready")
    (worker,) = workers_of(running.pid)
    assert os.path.samefile(f"/proc/{running.pid}/cwd", f"/proc/{running.pid}/root")
    assert os.path.samefile(f"/proc/{worker}/cwd", tmp_path)
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0

"""trainit exec: the same init around any command, and the rules for signals and exit codes that both have."""

import fcntl
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from trainit_testing.processes import children_of, workers_of

# ---- which signals stop

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_interrupts_are_only_passed_on_to_a_command(trainit, start, program, number):
    running = start([trainit, "exec", "--stop-budget", "1s", "--", program("signal_witness"), "-i", "leader"])
    running.wait_for("leader ready")
    running.signal(number)
    running.wait_for(f"leader got {int(number)}")
    time.sleep(1.2)  # longer than a stop would leave it
    running.signal(signal.SIGUSR1)
    running.wait_for("leader got 10")
    running.signal(signal.SIGKILL)


@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "as a subreaper"])
def test_a_second_sigterm_reaches_the_command_and_shortens_its_time(trainit, start, program, namespace):
    running = start([trainit, "exec", "--stop-budget", "1h", "--", program("signal_witness"), "-c", "-i", "leader",
                     "-i", "child"], namespace=namespace)
    running.wait_for("leader ready")
    running.wait_for("child ready")
    running.signal(signal.SIGTERM)
    running.wait_for("leader got 15")
    assert "child got 15" not in running.out
    running.signal(signal.SIGTERM)
    running.wait_for("leader got 15", count=2)
    running.wait_for("child got 15")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 137


# ---- rewriting

@pytest.mark.parametrize("how, namespace", [("flag", True), ("variable", True), ("flag", False)])
def test_a_signal_is_taken_for_another_before_it_can_stop_anything(trainit, start, program, how, namespace):
    flags = ["--rewrite", "TERM:QUIT"] if how == "flag" else []
    env = {} if how == "flag" else {"TRAINIT_REWRITE": "15:3"}
    running = start([trainit, "exec", *flags, "--", program("signal_witness"), "-i", "leader"], env=env,
                    namespace=namespace)
    running.wait_for("leader ready")
    running.signal(signal.SIGTERM)
    running.wait_for("leader got 3")
    assert "leader got 15" not in running.out
    running.signal(signal.SIGKILL)


@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "as a subreaper"])
def test_another_signal_can_stop_the_job(trainit, start, program, job, namespace):
    here = job()
    running = start([trainit, "--rewrite", "10:15", "--", program("signal_witness")], job=here, namespace=namespace)
    running.wait_for("leader ready")
    running.signal(signal.SIGUSR1)
    end = running.wait()
    assert end.code == 0 and here.success and "leader got 15" in end.out
    assert "SIGTERM came: stopping 1 worker" in end.ours


def test_a_dropped_signal_never_arrives_and_workers_do_not_inherit_that(way, start, program, job):
    running = start(way.argv(program("signal_witness"), options=["--rewrite", "10:0", "--rewrite", "TERM:0"]), job=job(),
                    namespace=way.as_pid_1)
    running.wait_for("leader ready")
    (worker,) = workers_of(running.pid)
    ignored = next(line for line in Path(f"/proc/{worker}/status").read_text().splitlines() if "SigIgn" in line)
    assert not int(ignored.split()[1], 16) & (1 << signal.SIGUSR1 - 1 | 1 << signal.SIGTERM - 1)
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR2):
        running.signal(number)
    running.wait_for("leader got 12")
    assert "leader got 10" not in running.out and "leader got 15" not in running.out
    running.signal(signal.SIGINT)  # which the witness heeds, whether trainit takes it for a stop or not
    assert running.wait().code == 0


@pytest.mark.parametrize("rule", ["15", "15:", "NOPE:1", "9:1", "CHLD:1", "11:1", "15:99"])
def test_a_rule_that_cannot_be_is_refused(trainit, pid1, rule):
    end = pid1([trainit, "exec", f"--rewrite={rule}", "--", "echo", "started"])
    assert end.code == 125 and "started" not in end.out
    assert f'--rewrite is "{rule}": expected FROM:TO' in end.err


# ---- options

@pytest.mark.parametrize("argv", [["exec", "--workers", "4"], ["--log-dir", "/tmp", "exec"], ["exec", "--record=none"]])
def test_an_option_that_exec_does_not_heed_is_refused(trainit, pid1, argv):
    end = pid1([trainit, *argv, "--", "echo", "started"])
    (flag,) = [word.partition("=")[0] for word in argv if word.startswith("--")]
    assert end.code == 125 and end.out == ""
    assert end.ours == [f"{flag} means nothing to trainit exec, which starts one command and no job; see trainit exec --help"]


def test_the_help_of_exec_lists_what_it_heeds(trainit, pid1):
    text = pid1([trainit, "exec", "--help"]).out
    assert "hyperparameter trainit_" not in text
    listed = re.findall(r"^  (--[\w-]+)", text, re.MULTILINE)
    assert listed == ["--user", "--stop-budget", "--linger", "--sweep", "--rewrite", "--exit-map", "--log-level",
                      "--log-format"]


@pytest.mark.parametrize("argv, env", [(["--user", "nobody"], {}), ([], {"TRAINIT_USER": "nobody"})])
def test_exec_runs_a_command_as_a_user(trainit, pid1, argv, env):
    assert pid1([trainit, "exec", *argv, "--", "id", "-un"], env=env, cwd="/").out == "nobody\n"


# ---- what outlives the command

LEAVES_A_CHILD = "sleep 1000 >/dev/null 2>&1 & echo $!"


def test_what_outlives_a_command_is_left_alone_when_we_are_not_pid_1(trainit, pid1):
    # In a namespace of its own, whose PID 1 is the shell here, nothing is left behind by this test.
    script = f"pid=$({trainit} exec -- sh -c '{LEAVES_A_CHILD}'); kill -0 $pid && echo lives; true"
    assert pid1(["sh", "-c", script]).out == "lives\n"


def test_with_sweep_it_is_ended_there_too(trainit, pid1):
    script = f"pid=$({trainit} exec --sweep -- sh -c '{LEAVES_A_CHILD}'); echo $pid; kill -0 $pid || echo gone; true"
    end = pid1(["sh", "-c", script])
    assert re.fullmatch(r"\d+\ngone\n", end.out) and "No such process" in end.err, end


def test_as_pid_1_it_is_asked_to_end_and_then_killed(trainit, start, program, tmp_path):
    command = f"{program('signal_witness')} -e -i escapee & while [ ! -e go ]; do sleep 0.01; done; kill -9 $!"
    running = start([trainit, "exec", "--linger", "300ms", "--", "sh", "-c", command], cwd=tmp_path)
    running.wait_for("escapee ready")
    running.wait_for("leader ready")
    (tmp_path / "go").touch()
    end = running.wait()
    assert end.code == 0 and "escapee got 15" in end.out


# ---- what it says

@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "as a subreaper"])
def test_a_command_that_ends_well_is_alone_on_stderr(trainit, pid1, namespace):
    end = pid1([trainit, "exec", "--exit-map", "0=3", "--", "sh", "-c", "echo theirs >&2"], namespace=namespace)
    assert (end.code, end.err) == (3, "theirs\n")


@pytest.mark.parametrize("argv, env", [(["--log-level", "info"], {}), ([], {"TRAINIT_LOG_LEVEL": "info"})])
def test_the_log_level_is_that_of_the_flag_or_the_variable(trainit, pid1, argv, env):
    assert pid1([trainit, "exec", *argv, "--exit-map", "0=3", "--", "true"], env=env).ours == ["exit 3 instead of 0 (--exit-map)"]


def test_the_flag_for_the_log_level_wins_over_the_variable(trainit, pid1):
    end = pid1([trainit, "exec", "--log-level", "error", "--exit-map", "0=3", "--", "true"], env={"TRAINIT_LOG_LEVEL": "info"})
    assert end.err == ""


def test_a_full_stderr_that_nobody_reads_keeps_no_command_alive(trainit, program, clean_env):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)  # as long as it may be, so that nobody makes room by a longer one
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    argv = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", trainit, "exec", "--stop-budget", "400ms", "--",
            program("signal_witness"), "-i", "leader"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=writer, env=clean_env) as running:
        try:
            assert running.stdout.readline().startswith(b"leader ready")
            launcher = children_of(running.pid)[0]
            os.kill(launcher, signal.SIGTERM)
            assert running.wait(timeout=30) == 137
        finally:
            running.kill()
            os.close(reader)
            os.close(writer)


# ---- exit codes

def test_a_mapped_code_changes_the_exit_status_alone(trainit, start, job):
    here = job()
    running = start([trainit, "--exit-map", "143=0,7=8", "--", "sh", "-c", "echo ready; exec sleep 1000"], job=here)
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0
    assert not here.success and "SIGTERM" in here.failure_reason
    assert "exit 0 instead of 143 (--exit-map)" in end.ours
    record = (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()
    assert json.loads(record[-1])["exit_code"] == 143


@pytest.mark.parametrize("command, code", [("exit 7", 8), ("exit 9", 9), ("kill -9 $$", 5)])
def test_exec_maps_codes_too(trainit, pid1, command, code):
    assert pid1([trainit, "exec", "--exit-map=7=8", "--exit-map=137=5", "--", "sh", "-c", command]).code == code


@pytest.mark.parametrize("command, code", [("/etc/passwd", 126), ("/no/such/program", 127)])
@pytest.mark.parametrize("words", [["exec"], []])
def test_a_command_that_cannot_be_started_has_its_code_mapped(trainit, pid1, job, words, command, code):
    assert pid1([trainit, *words, "--", command], job=job()).code == code
    assert pid1([trainit, *words, f"--exit-map={code}=4", "--", command], job=job()).code == 4


@pytest.mark.parametrize("value", ["143", "143=", "x=0", "256=0", "1=-1"])
def test_a_map_that_cannot_be_is_refused(trainit, pid1, value):
    end = pid1([trainit, "exec", f"--exit-map={value}", "--", "true"])
    assert end.code == 125 and f'--exit-map is "{value}": expected CODE=CODE' in end.err


def test_a_success_that_is_mapped_to_a_failure_leaves_the_marker_of_success(trainit, pid1, job):
    here = job()
    assert pid1([trainit, "--exit-map", "0=3", "--", "true"], job=here).code == 3
    assert here.success and here.failure is None


# ---- the time of a checkpoint

def test_log_and_record_tell_how_long_a_checkpoint_took(trainit, start, program, job):
    here = job()
    script = "trap 'sleep 0.5; exit 0' TERM; echo ready; while :; do sleep 0.02; done"
    running = start([trainit, "--stop-budget", "120", "--", "sh", "-c", script], job=here)
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0
    assert [line for line in end.ours if line.startswith("checkpoint took ")][0].endswith(" of 1 min 50 s")
    record = [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]
    checkpoint = next(event for event in record if event["event"] == "checkpoint")
    assert checkpoint["seconds"] >= 0.5 and checkpoint["of"] == 110


def test_workers_that_did_not_end_in_their_time_took_no_checkpoint(trainit, start, program, job):
    running = start([trainit, "--stop-budget", "1s", "--", program("signal_witness"), "-i", "leader"], job=job())
    running.wait_for("leader ready")
    running.signal(signal.SIGTERM)
    assert "checkpoint" not in running.wait().err


def test_workers_that_the_stop_signal_ended_took_no_checkpoint(trainit, start, job):
    running = start([trainit, "--", "sh", "-c", "echo ready; exec sleep 1000"], job=job())
    running.wait_for("ready")
    running.signal(signal.SIGTERM)
    assert "checkpoint" not in running.wait().err


# ---- our own descriptors for the workers

def test_workers_can_be_given_our_own_descriptors(trainit, job, tmp_path, clean_env):
    here = job()
    with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
        script = 'readlink /proc/self/fd/1 /proc/self/fd/2; readlink /proc/self/fd/0'
        code = subprocess.run([trainit, "--workers", "2", "--logs", "inherit", "--", "sh", "-c", script],
                              stdin=subprocess.PIPE, stdout=out, stderr=err, env=clean_env | here.env).returncode
    assert code == 0 and here.success
    lines = (tmp_path / "out").read_text().splitlines()
    assert sorted(lines) == sorted(2 * [str(tmp_path / "out"), str(tmp_path / "err"), "/dev/null"])


def test_one_worker_with_our_descriptors_has_our_stdin_too(trainit, pid1, job):
    end = pid1([trainit, "--logs", "inherit", "--", "cat"], job=job(), stdin=b"typed\n")
    assert end.out == "typed\n" and end.code == 0


def test_a_failure_without_a_relay_still_has_its_code_and_its_file(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--logs", "inherit", "--workers", "2", "--", "sh", "-c", "exit $((RANK * 7))"], job=here)
    assert end.code == 7 and "rank 1: ended with code 7" in here.failure


@pytest.mark.parametrize("option, value", [
    ("--log-dir", "logs"), ("--log-ranks", "0"), ("--log-prefix", "x"), ("--log-prefix-rank-0", "true"),
    ("--logs-full", "drop"), ("--progress", "collapse")])
def test_nothing_is_made_of_output_that_nobody_relays(trainit, pid1, job, tmp_path, option, value):
    here = job()
    end = pid1([trainit, "--logs", "inherit", f"{option}={value}", "--", "true"], job=here, cwd=tmp_path)
    assert end.code == 125 and here.failure.endswith(f"{option} means nothing: give one of the two"), here.failure
    assert not (tmp_path / "logs").exists()


def test_options_that_ask_for_what_is_so_anyway_stand_beside_output_that_nobody_relays(trainit, pid1, job):
    options = ["--log-ranks=all", "--log-prefix-rank-0=false", "--logs-full=block", "--progress=pass"]
    end = pid1([trainit, "--logs", "inherit", *options, "--", "echo", "done"], job=job())
    assert (end.code, end.out) == (0, "done\n")


def test_a_relative_log_directory_is_that_of_the_start(trainit, pid1, job, tmp_path):
    end = pid1([trainit, "--log-dir", "logs", "--", "echo", "kept"], job=job(), cwd=tmp_path)
    assert end.code == 0
    assert (tmp_path / "logs/rank-0.stdout.log").read_text() == "kept\n"
    assert not os.path.exists("/logs")

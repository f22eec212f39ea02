"""--max-restarts: workers that failed begin once more, with nothing left of the last round, or the job ends and says why."""

import json
import os
import re
import signal
import time

import pytest
from trainit_testing import jobs, processes, store_client
from trainit_testing.ports import free_port
from trainit_testing.waiting import wait_until

SOON = ["--restart-delay", "0"]


def sh(script):
    return ["--", "sh", "-c", script]


def failing_once(then="exit 3", afterwards="exit 0"):
    """The worker of the first round does `then`; those of later rounds do `afterwards`."""
    return sh(f'if [ "$TORCHELASTIC_RESTART_COUNT" = 0 ]; then {then}; fi; {afterwards}')


def raises(error, code):
    """The commands of a worker that dies of this Python error."""
    return (f"printf 'Traceback (most recent call last):\\n  File \"train.py\", line 5, in <module>\\n{error}\\n' >&2; "
            f"exit {code}")


def events(job, name=None):
    (file,) = (job.output / "data/trainit").glob("*.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in found if name in (None, event["event"])]


# ---- how often

def test_a_job_that_fails_once_and_may_begin_again_ends_with_success(trainit, pid1, job, tmp_path):
    here = job()
    end = pid1([trainit, "--workers", "2", "--max-restarts", "3", *SOON,
                *sh('echo "round $TORCHELASTIC_RESTART_COUNT of $TORCHELASTIC_MAX_RESTARTS, rank $RANK"; '
                    f'touch {tmp_path}/$RANK; until [ -e {tmp_path}/0 ]; do sleep 0.01; done; '
                    '[ "$TORCHELASTIC_RESTART_COUNT" = 1 ] || [ "$RANK" = 0 ] && exit 0; exit 3')], job=here)
    assert end.code == 0 and here.success and here.failure is None, end
    assert sorted(re.findall(r"round .*", end.out)) == [f"round {count} of 3, rank {rank}" for count in (0, 1)
                                                        for rank in (0, 1)]
    assert "restart 1 of 3" in end.ours


def test_without_being_asked_for_there_is_no_restart_and_no_word_of_it(trainit, pid1, job):
    end = pid1([trainit, "--workers", "2", *sh('echo "round $TORCHELASTIC_RESTART_COUNT"; exit 3')], job=job())
    assert end.code == 3 and "round 0" in end.out and "round 1" not in end.out and "restart" not in end.err, end


def test_a_job_that_fails_always_ends_with_the_last_failure_when_its_restarts_are_used_up(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--workers", "2", "--max-restarts", "2", *SOON,
                *sh('[ "$RANK" = 0 ] && exec sleep 300; echo "ValueError: round $TORCHELASTIC_RESTART_COUNT" >&2; '
                    'exit $((5 + TORCHELASTIC_RESTART_COUNT))')], job=here)
    assert end.code == 7 and not here.success, end
    assert here.failure.startswith("algo-1 rank 1: ended with code 7") and "ValueError: round 2" in here.failure
    assert "not restarted: it was restarted 2 times already (--max-restarts)" in end.ours
    assert [event["round"] for event in events(here, "restart")] == [1, 2]
    assert [event["exit_code"] for event in events(here, "restart")] == [5, 6]


def test_one_worker_without_ranks_begins_again_too(trainit, pid1, job, tmp_path):
    here = job()
    end = pid1([trainit, "--max-restarts", "1", *SOON,
                *sh(f'[ -e {tmp_path}/again ] && exit 0; touch {tmp_path}/again; exit 3')], job=here)
    assert end.code == 0 and here.success, end


@pytest.mark.parametrize("wrong", ["-1", "many", "1.5"])
def test_a_number_of_restarts_that_is_none_is_said_so(trainit, pid1, job, wrong):
    end = pid1([trainit, "--max-restarts", wrong, *sh("exit 0")], job=job())
    assert end.code == 125 and "--max-restarts" in end.err and wrong in end.err, end


# ---- when not

def test_a_code_that_says_so_ends_the_job_at_once(trainit, pid1, job):
    end = pid1([trainit, "--workers", "2", "--max-restarts", "5", "--no-restart-exit-codes", "93,94", *SOON,
                *sh('[ "$RANK" = 1 ] && exit 93; exec sleep 300')], job=job())
    assert end.code == 93, end
    assert "not restarted: rank 1 ended with code 93 (--no-restart-exit-codes)" in end.ours


@pytest.mark.parametrize("wrong", ["0", "256", "1,,2", "all"])
def test_codes_that_are_none_are_said_so(trainit, pid1, job, wrong):
    end = pid1([trainit, "--no-restart-exit-codes", wrong, *sh("exit 0")], job=job())
    assert end.code == 125 and "--no-restart-exit-codes" in end.err and "from 1 to 255" in end.err, end


def test_workers_that_fail_too_soon_are_not_started_again(trainit, pid1, job):
    end = pid1([trainit, "--max-restarts", "5", "--min-uptime", "1h", *SOON, *sh("exit 4")], job=job())
    assert end.code == 4, end
    assert re.search(r"not restarted: the workers had run for .* only, less than .* \(--min-uptime\)", end.err)


def test_a_program_that_is_not_there_is_not_looked_for_again(trainit, pid1, job):
    end = pid1([trainit, "--max-restarts", "5", "--", "no-such-program"], job=job())
    assert end.code == 127 and "restart 1" not in end.err, end


@pytest.fixture
def vanishing(tmp_path):
    """A program that removes itself and fails."""
    program = tmp_path / "bin/vanishing"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nrm {program}\nexit 4\n")
    program.chmod(0o755)
    return program


def test_a_program_that_cannot_be_found_again_ends_the_job_with_what_had_failed(trainit, pid1, job, vanishing, clean_env):
    here = job()
    end = pid1([trainit, "--max-restarts", "5", *SOON, "--", vanishing.name], job=here,
               env={"PATH": f"{vanishing.parent}:{clean_env['PATH']}"})
    assert end.code == 4 and "ended with code 4" in here.failure and not here.success, end
    assert re.search("not restarted: .*vanishing", end.err), end
    assert "restarts" not in events(here, "outcome")[0]


def test_a_program_that_cannot_be_run_again_is_the_failure_of_the_last_round(trainit, pid1, job, vanishing):
    here = job()
    end = pid1([trainit, "--max-restarts", "5", *SOON, "--", str(vanishing)], job=here)
    assert end.code == 127 and "there is no such file" in here.failure and end.err.count("restart 1 of 5") == 1, end
    assert "not restarted: rank 0 could not be started" in end.ours


def test_after_a_stop_there_is_none(trainit, start, job):
    here = job()
    running = start([trainit, "--workers", "2", "--max-restarts", "5", *SOON,
                     *sh("trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done")], job=here)
    running.wait_for("up", count=2)
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 9 and "not restarted: a stop was asked for" in end.ours, end
    assert "stopped by the platform" in here.failure


def test_a_stop_between_two_rounds_ends_the_job_at_once_with_what_had_failed(trainit, start, job):
    here = job()
    running = start([trainit, "--workers", "2", "--max-restarts", "5", "--restart-delay", "5m", *sh("exit 3")], job=here)
    running.wait_for("restart 1 of 5 in", stream="err")
    before = time.monotonic()
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 3 and "ended with code 3" in here.failure and not here.success, end
    assert "not restarted: a stop was asked for" in end.ours
    assert time.monotonic() - before < 60


def test_a_stop_that_comes_to_a_host_when_all_others_know_of_a_restart_ends_the_job(trainit, start, tmp_path):
    """The host does not run while it is told of the restart, and is stopped before it can know of it."""
    port = free_port()
    common = ["--workers", "1", "--nnodes", "2", "--leader", "127.0.0.1", "--control-port", str(port), "--max-restarts", "5",
              "--restart-delay", "5m"]
    # The leader's worker takes its time to end.
    script = ('until_go() { until [ -e go ]; do sleep 0.01; done; }; trap "until_go; exit 0" TERM; echo up; '
              '[ "$RANK" = 0 ] || { until_go; exit 3; }; while :; do sleep 0.01; done')
    places = [jobs.lay_out(tmp_path / f"host-{rank}") for rank in range(2)]
    leader, other = [start([trainit, *common, "--node-rank", str(rank), *sh(script)], job=here, cwd=here.base)
                     for rank, here in enumerate(places)]
    for running in (leader, other):
        running.wait_for("up")
    (places[1].base / "go").touch()
    other.wait_for("this host's part is over", stream="err")
    other.signal(signal.SIGSTOP)
    (places[0].base / "go").touch()
    leader.wait_for("restart 1 of 5 in", stream="err")
    other.signal(signal.SIGTERM)
    other.signal(signal.SIGCONT)
    for end, here in zip((leader.wait(), other.wait()), places):
        assert end.code == 3 and "ended with code 3" in here.failure and not here.success, end
        assert "not restarted: a stop was asked for" in end.ours and end.out == "up\n", end


def test_the_pause_grows_with_each_restart(trainit, pid1, job):
    end = pid1([trainit, "--max-restarts", "3", "--restart-delay", "100ms", *sh("exit 3")], job=job())
    assert [line for line in end.ours if line.startswith("restart ")] == [
        "restart 1 of 3 in 0.1 s", "restart 2 of 3 in 0.2 s", "restart 3 of 3 in 0.4 s"], end


# ---- nothing is left of the last round

def test_the_next_round_begins_when_every_process_of_the_last_is_gone(trainit, pid1, job, tmp_path):
    """A sibling that ignores TERM, and a process that has left its worker's group and session."""
    pids = tmp_path / "pids"
    end = pid1([trainit, "--workers", "2", "--max-restarts", "1", "--failure-grace", "500ms", *SOON,
                *sh(f'''if [ "$TORCHELASTIC_RESTART_COUNT" = 1 ]; then
                          for pid in $(cat {pids}); do [ -e /proc/$pid ] && echo "left: $(cat /proc/$pid/cmdline)"; done
                          exit 0
                        fi
                        trap "" TERM
                        setsid sleep 1000 & echo $! >> {pids}; echo $$ >> {pids}
                        until [ "$(wc -l < {pids})" = 4 ]; do sleep 0.01; done
                        [ "$RANK" = 1 ] && exit 3
                        while :; do sleep 0.1; done''')], job=job())
    assert end.code == 0 and "left" not in end.out, end
    assert len(pids.read_text().split()) == 4


def test_the_next_round_has_a_store_without_keys_at_the_same_address(trainit, pid1, job):
    script = f'''
import os, sys
sys.path.insert(0, {store_client.SEARCH_PATH!r})
from trainit_testing.store_client import Client
store = Client.of_worker()
first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
print("store at", os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], "key there:", store.check("key0", "key1"))
store.set("key" + os.environ["RANK"], b"of this round")
store.wait("key0", "key1")
sys.exit(3 if first else 0)
'''
    end = pid1([trainit, "--workers", "2", "--max-restarts", "1", *SOON, "--", "python3", "-c", script], job=job())
    assert end.code == 0, end
    places = set(re.findall(r"store at (\S+ \d+)", end.out))
    assert len(places) == 1 and end.out.count("key there: False") == 4


def test_what_a_worker_of_the_last_round_left_unread_does_not_reach_the_next_store(trainit, pid1, job):
    """Its connection waits, with a key in it, because the store's process does not run."""
    script = f'''
import os, signal, socket, subprocess, sys, time
sys.path.insert(0, {store_client.SEARCH_PATH!r})
from trainit_testing.store_client import Client, HELLO, SET, request
client = Client.of_worker()
client.join()
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    store = int(subprocess.check_output(["pgrep", "-x", "trainit-store"]))
    os.kill(store, signal.SIGSTOP)
    late = socket.create_connection((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])))
    late.sendall(HELLO + request(SET, "key", b"stale"))
    sys.exit(3)
time.sleep(0.5)
print("stale:", client.check("key"))
'''
    end = pid1([trainit, "--rank-env", "always", "--max-restarts", "1", *SOON, "--", "python3", "-c", script], job=job())
    assert end.code == 0 and "stale: False" in end.out, end


def test_an_error_file_of_the_last_round_is_no_evidence_of_the_next(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--workers", "2", "--max-restarts", "1", *SOON,
                *failing_once('echo \'{"message": {"message": "ValueError: of the first round"}}\' '
                              '> "$TORCHELASTIC_ERROR_FILE"; exit 3',
                              '[ -e "$TORCHELASTIC_ERROR_FILE" ] && exit 5; exit 4')], job=here)
    assert end.code == 4 and "first round" not in here.failure, end


@pytest.mark.parametrize("code", [0, 4])
def test_a_failure_file_of_the_last_round_is_not_the_next_ones(trainit, pid1, job, code):
    here = job()
    end = pid1([trainit, "--workers", "2", "--max-restarts", "1", *SOON,
                *failing_once(f"[ $RANK = 1 ] && exec sleep 300; echo 'the first round was bad' > {here.output}/failure; exit 3",
                              f"exit {code}")], job=here)
    assert end.code == code, end
    assert here.failure is None if code == 0 else re.match("algo-1 rank [01]: ended with code 4", here.failure), here.failure
    assert here.success == (code == 0)
    assert "first round" in (here.output / "failure.previous").read_text()


def test_the_callers_directory_descriptors_and_limits_are_those_of_every_round(trainit, pid1, job, tmp_path):
    (tmp_path / "given").write_text("from the caller")
    end = pid1(["sh", "-c", f'ulimit -Sn 77; exec 9< {tmp_path}/given; exec "$0" "$@"', trainit, "--max-restarts", "2",
                *SOON, *sh('pwd; ulimit -Sn; cat <&9; echo; readlink /proc/self/fd/9; '
                           'exit $((2 - ${TORCHELASTIC_RESTART_COUNT:-0}))'), ], job=job(), cwd=tmp_path,
               env={"TRAINIT_RANK_ENV": "always"})
    assert end.code == 0, end
    assert end.out.split("\n").count(str(tmp_path)) == 3 and end.out.count("\n77\n") == 3
    assert end.out.count(str(tmp_path / "given")) == 3


# ---- the output and the record

def test_the_output_of_every_round_comes_through_and_stands_in_the_files(trainit, pid1, job, tmp_path):
    fails = f'echo "first of $RANK"; touch {tmp_path}/$RANK; until [ -e {tmp_path}/$((1 - RANK)) ]; do sleep 0.01; done; exit 3'
    end = pid1([trainit, "--workers", "2", "--max-restarts", "1", *SOON, "--log-dir", str(tmp_path / "logs"),
                *failing_once(fails, 'echo "second of $RANK"; printf unfinished')], job=job())
    assert end.code == 0, end
    for rank in (0, 1):
        text = (tmp_path / f"logs/rank-{rank}.stdout.log").read_text()
        assert text == f"first of {rank}\nsecond of {rank}\nunfinished"
        assert f"first of {rank}\n" in end.out and f"second of {rank}\n" in end.out


def test_the_record_tells_each_round_and_explain_shows_them(trainit, pid1, job):
    here = job()
    pid1([trainit, "--workers", "2", "--max-restarts", "1", *SOON,
          *failing_once('[ "$RANK" = 0 ] && exec sleep 300; ' + raises("ValueError: too large", 3))], job=here)
    (restart,) = events(here, "restart")
    assert {key: restart[key] for key in ("round", "of", "delay", "exit_code")} == {
        "round": 1, "of": 1, "delay": 0, "exit_code": 3}
    assert "rank 1: ValueError: too large" in restart["failure"]
    names = [event["event"] for event in events(here)]
    assert [event["workers"][0]["rank"] for event in events(here, "plan")] == [0, 0]
    counts = [event["variables"]["TORCHELASTIC_RESTART_COUNT"]["value"] for event in events(here, "environment")]
    assert counts == ["0", "1"]
    assert names.count("spawned") == names.count("ended") == 4 and names.count("evidence") == 2
    assert names.index("evidence") < names.index("restart")
    (outcome,) = events(here, "outcome")
    assert outcome["success"] and outcome["restarts"] == 1
    told = pid1([trainit, "explain", str(here.base)]).out
    assert "restart 1 of 1 after: " in told and "the job succeeded" in told
    failure = pid1([trainit, "failure", str(here.base)])
    assert failure.code == 0 and "too large" not in failure.out, failure


def test_a_later_failure_is_explained_by_the_last_round_alone(trainit, pid1, job):
    here = job()
    pid1([trainit, "--workers", "2", "--max-restarts", "1", "--restart-delay", "1s",
          *failing_once('[ "$RANK" = 0 ] && exec sleep 300; ' + raises("ValueError: first", 3),
                        '[ "$RANK" = 1 ] && exec sleep 300; ' + raises("KeyError: second", 4))], job=here)
    failure = pid1([trainit, "failure", str(here.base)]).out
    assert "KeyError: second" in failure and "ValueError: first" not in failure
    lines = pid1([trainit, "explain", str(here.base)]).out
    # Times count from the first worker of all.
    assert all(event["ended_after"] > 1 for event in events(here, "evidence")[2:])
    assert lines.index("restart 1 of 1") < lines.index("printed KeyError: second") < lines.index("the job failed, exit code 4")


# ---- the store, and GPUs

def test_a_store_that_is_killed_is_served_anew_in_the_next_round(trainit, start, job):
    here = job()
    meet = (f'exec python3 -c "import os, sys; sys.path.insert(0, {store_client.SEARCH_PATH!r}); '
            "from trainit_testing.store_client import Client; store = Client.of_worker(); "
            "store.set('key' + os.environ['RANK'], b'1'); store.wait('key0', 'key1')\"")
    running = start([trainit, "--workers", "2", "--max-restarts", "1", *SOON,
                     *failing_once("echo port $MASTER_PORT; exec sleep 300", meet)], job=here)
    store_client.Client(running.wait_for(r"port (\d+)$", count=2)[1]).check("key")
    os.kill(processes.store_of(running.pid), signal.SIGKILL)
    end = running.wait()
    assert end.code == 0 and here.success, end
    assert "the rendezvous store was killed by SIGKILL" in events(here, "restart")[0]["failure"]


@pytest.fixture
def gpus(fake_gpus, tmp_path):
    script = tmp_path / "gpus"
    script.touch()
    return script, fake_gpus("2", FAKE_NVML=str(script))


def test_workers_begin_again_when_the_memory_of_the_gpus_is_free(trainit, start, job, gpus):
    script, env = gpus
    script.write_text("used 1 600\n")
    running = start([trainit, "--max-restarts", "1", *SOON, *failing_once("exit 3", "echo again")], job=job(), env=env)
    running.wait_for("restart 1 of 1", stream="err")
    time.sleep(2)
    assert "again" not in running.out
    with script.open("a") as more:
        more.write("used 1 300\n")
    assert running.wait().code == 0
    assert "again" in running.out and "still has" not in running.err


def test_memory_of_gpus_that_is_not_given_back_is_waited_for_so_long_and_then_told(trainit, pid1, job, gpus):
    script, env = gpus
    script.write_text("used 1 600\n")
    end = pid1([trainit, "--max-restarts", "1", "--gpu-memory-wait", "2s", *SOON, *failing_once("exit 3", "echo again")],
               job=job(), env=env)
    assert end.code == 0 and "again" in end.out and end.seconds >= 2, end
    assert "warning: GPU 1 still has 600 MB of its memory in use after 2.0 s: going on all the same" in end.ours, end


def test_memory_of_gpus_that_nobody_can_see_is_not_waited_for(trainit, pid1, job, gpus):
    script, env = gpus
    script.write_text("init_error\n")
    end = pid1([trainit, "--max-restarts", "1", *SOON, *failing_once()], job=job(), env=env)
    assert end.code == 0 and end.seconds < 40, end


def test_who_looks_at_the_memory_and_does_not_answer_does_not_keep_the_job(trainit, start, job, gpus):
    """Nor is its process left."""
    script, env = gpus
    running = start([trainit, "--gpu-health", "0", "--max-restarts", "1", *SOON, *failing_once("exit 3", "exec sleep 300")],
                    job=job(), env=env)
    running.wait_for("restart 1 of 1", stream="err")
    script.write_text("crash\n")
    wait_until(lambda: processes.workers_of(running.pid), "workers of the second round")
    assert processes.gpu_watch_of(running.pid) is None
    running.signal(signal.SIGTERM)
    running.wait()

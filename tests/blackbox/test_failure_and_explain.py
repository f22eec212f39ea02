"""`trainit failure` and `trainit explain`: what real jobs leave behind, told later."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from trainit_testing.ports import free_port
from trainit_testing.processes import store_of
from trainit_testing.store_client import Client

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RUN_RECORD = REPOSITORY / "docs/run-record.md"

# Rank 1 raises, rank 0 loses its connection and says so, and only then rank 1 ends; rank 2 sleeps.
RAISES = """
import os, socket, time, traceback
rank, address = os.environ["RANK"], ("127.0.0.1", int(os.environ["MASTER_PORT"]))

def connect():
    while True:
        try: return socket.create_connection(address)
        except ConnectionRefusedError: time.sleep(0.01)

if rank == "1":
    server = socket.create_server(address)
    peer, _ = server.accept()
    try: raise ValueError("loss is nan")
    except ValueError: traceback.print_exc()
    peer.close()
    server.accept()
    os._exit(1)
if rank == "0":
    try:
        if not connect().recv(1): raise ConnectionResetError("Connection closed by peer")
    except ConnectionResetError: traceback.print_exc()
    connect()
time.sleep(600)
"""


def record_of(here):
    return here.output / "data/trainit/algo-1.jsonl"


def events_of(here):
    return [json.loads(line) for line in record_of(here).read_text().splitlines()]


@pytest.fixture
def failed(trainit, pid1, job):
    """A job of three workers, of which rank 1 was the first cause."""
    here = job(hyperparameters={"epochs": 3}, code={"train.py": RAISES})
    end = pid1([trainit, "--workers", "3", "--worker-store", "--", "python3", str(here.code / "train.py")], job=here)
    assert end.code == 1, end.err
    return here


@pytest.fixture
def ask(trainit, pid1):
    """ask(WORD, …): what a command of ours answers."""
    return lambda *words, **options: pid1([trainit, *map(str, words)], **options)


def test_the_record_keeps_the_end_of_what_a_victim_said_from_a_whole_character_on(trainit, pid1, job, tmp_path):
    said = r"""printf 'Traceback (most recent call last):\n  File "t.py", line 1, in f\nValueError: '; printf 'é%.0s' $(seq 1500)"""
    # Of those that are not the cause some end at an even byte, and some at an odd one.
    script = (f"trap '' TERM; {said}; printf '%*s\n' $((RANK + 1)) . ; : > said.$RANK; "
              "while [ $(ls said.* | wc -l) -lt 4 ]; do sleep 0.01; done; exit 3")
    here = job()
    assert pid1([trainit, "--workers", "4", "--", "sh", "-c", script], job=here, cwd=tmp_path).code == 3
    details = [event["detail"] for event in events_of(here) if event["event"] == "evidence" and event["class"] != "cause"]
    assert len(details) == 3
    assert all(re.fullmatch(r"…é{900,} *\.\n?", detail) for detail in details), details


def test_a_failed_job_says_later_what_failed_first_and_why(ask, failed):
    end = ask("failure", failed.base)
    assert end.code == 0 and end.err == ""
    lines = end.out.splitlines()
    assert re.match(r"algo-1: the job failed with exit code 1 after .* s$", lines[0])
    first = failed.failure.splitlines()[0]
    assert lines[1] == f"first cause: {first}"
    assert '    try: raise ValueError("loss is nan")' in end.out
    assert re.search(r'^rank 0 had "ConnectionResetError: Connection closed by peer" .*: a consequence$', end.out, re.M)
    assert re.search(r"^ +2 +\d+ +SIGTERM ", end.out, re.M)
    assert lines[-1] == f"the whole story: trainit explain {failed.base}"
    assert len(lines) <= 40


def test_the_job_of_the_environment_is_meant_where_no_place_is_named(ask, failed):
    end = ask("failure", job=failed)
    assert "loss is nan" in end.out and end.out.endswith("\nthe whole story: trainit explain\n")


@pytest.mark.parametrize("place", ["output", "output/data", "output/data/trainit", "output/data/trainit/algo-1.jsonl"])
def test_any_directory_above_the_record_and_the_record_itself_will_do(ask, failed, place):
    assert "first cause: algo-1 rank 1: ValueError: loss is nan" in ask("failure", failed.base / place).out


def test_a_copy_of_the_output_elsewhere_tells_the_same(ask, failed, tmp_path):
    shutil.copytree(failed.output, tmp_path / "copy")
    here, there = ask("failure", failed.output), ask("failure", tmp_path / "copy")
    assert here.out.splitlines()[:-1] == there.out.splitlines()[:-1]


def test_a_record_that_was_put_elsewhere_is_found_by_its_option(trainit, pid1, ask, job, tmp_path):
    here, record = job(), tmp_path / "elsewhere.jsonl"
    pid1([trainit, "--record", str(record), "--", "sh", "-c", "exit 3"], job=here)
    assert "exit code 3" in ask("failure", record).out
    assert "exit code 3" in ask("failure", job=here, env={"TRAINIT_RECORD": str(record)}).out
    assert "exit code 3" in ask("failure", "--record", record, job=here).out


def test_the_whole_story_has_the_time_line_the_command_the_evidence_and_the_variables(ask, failed):
    end = ask("explain", failed.base)
    assert end.code == 0 and end.err == ""
    time_line = re.findall(r"^ +-?[\d.]+ s  (.*)$", end.out.split("\n\n")[1], re.M)
    places = [next(i for i, line in enumerate(time_line) if re.fullmatch(wanted, line)) for wanted in
              (r"trainit \S+ began", r"rank 2 was started as process \d+", r"rank 1 printed ValueError: loss is nan",
               r"rank 1 ended with code 1", r"SIGTERM was sent to the workers",
               r"rank 2 was killed by SIGTERM \(termination\)", r"the job failed, exit code 1")]
    assert places == sorted(places)
    assert f"\ncommand\n  python3 {failed.code}/train.py\n" in end.out
    assert "\n  rank 1: the first cause (exception)\n" in end.out
    assert "\n  rank 0: a consequence\n" in end.out and "\n  rank 2: it was stopped\n" in end.out
    assert "\n  hyperparameters.json\n" in end.out and "    SM_HP_EPOCHS=3\n" in end.out
    assert "    LOCAL_RANK=0 | 1 | 2\n" in end.out


def test_one_ranks_story_leaves_the_others_out(ask, failed):
    end = ask("explain", "rank", "1", failed.base)
    assert end.code == 0
    assert "    RANK=1\n" in end.out and "    SM_HP_EPOCHS=3\n" in end.out
    assert "rank 1 printed ValueError: loss is nan" in end.out and "SIGTERM was sent to the workers" in end.out
    assert "rank 0" not in end.out and "rank 2" not in end.out


def test_a_rank_that_was_not_there_is_named_with_those_that_were(ask, failed):
    end = ask("explain", "rank", "9", failed.base)
    assert end.code == 1 and end.ours == ["the run record has no rank 9; it has ranks 0–2"]


def test_the_environment_is_what_the_worker_really_had(trainit, pid1, ask, job):
    here = job(hyperparameters={"epochs": 3}, channels={"train": {}})
    end = pid1([trainit, "--workers", "2", "--", "python3", "-c",
                "import json, os\nif os.environ['RANK'] == '1': print(json.dumps(dict(os.environ)))"],
               job=here, env={"ODD": "two\nlines ä"})
    assert end.code == 0, end.err
    seen = json.loads(end.out.removeprefix("[rank 1] "))
    told = json.loads(ask("explain", "rank", "1", "--format", "json", here.base).out)
    (worker,) = told["hosts"][0]["workers"]
    values = {name: variable["value"] for name, variable in worker["environment"].items()}
    # Python itself adds this one in the C locale.
    assert values == {name: value for name, value in seen.items() if name in values or name != "LC_CTYPE"}
    assert worker["environment"]["SM_CHANNEL_TRAIN"]["origin"] == "inputdataconfig.json"
    assert worker["environment"]["ODD"]["origin"] == "inherited"


def test_both_commands_answer_in_json(ask, failed):
    told = json.loads(ask("failure", failed.base, "--format", "json").out)
    assert (told["hosts"][0]["state"], told["cause"]["rank"]) == ("failed", 1)
    assert told["cause"]["evidence"]["error"] == "ValueError: loss is nan"
    assert {worker["rank"]: worker.get("code", worker.get("signal")) for worker in told["workers"]} == \
        {0: "SIGTERM", 1: 1, 2: "SIGTERM"}
    whole = json.loads(ask("explain", failed.base, "--format", "json").out)["hosts"][0]
    assert whole["workers"][1]["argv"] == ["python3", str(failed.code / "train.py")]
    assert whole["time_line"][-1]["text"] == "the job failed, exit code 1"


SECRET = "hunter2-swordfish"


def test_secrets_are_masked_in_the_environment_too_also_short_ones(trainit, pid1, ask, job):
    here = job(hyperparameters={"api_key": SECRET})
    env = {"DB_PASSWORD": "abc", "DATABASE": f"user:{SECRET}@host"}
    pid1([trainit, "--", "sh", "-c", "exit 3", "--token", "xyz"], job=here, env=env)
    assert SECRET not in record_of(here).read_text()
    end = ask("explain", here.base)
    assert "DB_PASSWORD=***" in end.out and "DATABASE=user:***@host" in end.out and "--token '***'" in end.out


def test_a_job_that_succeeded_is_said_to_have(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--workers", "2", "--", "true"], job=here)
    end = ask("failure", here.base)
    assert end.code == 0
    assert re.match(r"algo-1: the job succeeded: all 2 workers ended with 0 after .* s\n", end.out)


def test_a_job_that_was_told_to_stop_says_by_whom(trainit, start, ask, job):
    here = job()
    running = start([trainit, "--", "sh", "-c", "echo up; exec sleep 600"], job=here)
    running.wait_for("up")
    running.signal(15)
    assert running.wait(30).code == 143
    end = ask("failure", here.base)
    assert re.match(r"algo-1: the job was told to stop with SIGTERM and failed with exit code 143 after ", end.out)
    assert "  algo-1: stopped by the platform with SIGTERM after " in end.out and "first cause" not in end.out


def test_a_running_job_is_said_to_run_and_a_killed_launcher_to_be_gone(trainit, start, ask, job):
    here = job()
    running = start([trainit, "--workers", "2", "--", "sh", "-c", "echo up; exec sleep 600"], job=here)
    running.wait_for("up", count=2)
    end = ask("failure", here.base)
    assert end.code == 0
    assert re.match(r"algo-1: the job has been running for .* s: 2 of 2 workers run\n", end.out)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(30)
    end = ask("failure", here.base)
    assert end.code == 0
    assert "has no outcome" in end.out and "trainit was killed, or its machine was lost" in end.out
    assert re.search(r"^ +1 +\d+ +not seen ", end.out, re.M)
    assert json.loads(ask("failure", here.base, "--format", "json").out)["hosts"][0]["state"] == "killed"
    assert "rank 1 was started as process" in ask("explain", here.base).out


def test_a_record_that_was_torn_off_tells_what_is_left(ask, failed):
    record = record_of(failed)
    text = record.read_text()
    at = text.index('"event": "outcome"') + 30
    record.write_text(text[:at])
    end = ask("explain", failed.base)
    assert end.code == 0
    assert "the record's last line is cut off" in end.out and "has no outcome" in end.out
    assert "rank 1: the first cause (exception)" in end.out
    assert "first cause: algo-1 rank 1: ValueError: loss is nan" in ask("failure", failed.base).out


def test_a_file_that_is_no_record_is_refused_with_the_line(ask, tmp_path):
    file = tmp_path / "loss.jsonl"
    file.write_text('{"loss": 0.3}\n')
    end = ask("failure", file)
    assert end.code == 1
    assert end.ours == [f'{file} is no run record: line 1: an object without "event"']


@pytest.mark.parametrize("word", ["failure", "explain"])
def test_where_nothing_is_left_it_is_said_where_it_was_looked_for(ask, tmp_path, word):
    for place in (tmp_path, tmp_path / "nowhere"):
        end = ask(word, place)
        assert end.code == 1 and end.out == ""
        assert str(place) in end.ours[0]
    assert f"{tmp_path}/output/data/trainit" in ask(word, tmp_path).ours[0]


def test_the_failure_file_speaks_where_there_is_no_record(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--record", "none", "--", "sh", "-c", "exit 3"], job=here)
    end = ask("failure", here.base)
    assert end.code == 0
    assert f"there is no run record; {here.output}/failure says:\n  algo-1 rank 0: ended with code 3" in end.out
    assert ask("explain", here.base).code == 1


def test_the_marker_of_success_speaks_where_there_is_no_record(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--record", "none", "--", "true"], job=here)
    end = ask("failure", here.base)
    assert end.code == 0 and "succeeded" in end.out


def test_a_job_that_failed_before_its_first_worker_has_a_record(trainit, pid1, ask, job):
    here = job()
    assert pid1([trainit, "--", "/nowhere/train"], job=here).code == 127
    nowhere = ask("failure", here.base)
    assert pid1([trainit], job=here).code == 125
    end = ask("failure", here.base)
    assert "cannot run /nowhere/train" in nowhere.out
    assert end.out.startswith("algo-1: the job failed with exit code 125 before any worker was started\n")
    assert here.failure.splitlines()[0] in end.out


def test_a_later_job_whose_configuration_is_broken_is_not_hidden_by_the_record_before(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--", "true"], job=here)
    here.write_config("resourceconfig.json", "{")
    assert pid1([trainit, "--", "true"], job=here).code == 125
    end = ask("failure", here.base)
    assert "says something else, perhaps of a later job" in end.out and "resourceconfig.json" in end.out
    assert "resourceconfig.json" in ask("failure", job=here).out


def test_a_failure_file_that_the_program_wrote_is_shown(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--", "sh", "-c", f"echo my own words >{here.output}/failure; exit 3"], job=here)
    end = ask("failure", here.base)
    assert "first cause: algo-1 rank 0: ended with code 3" in end.out
    assert f"{here.output}/failure, which the program wrote itself, says:\n  my own words\n" in end.out


@pytest.mark.parametrize("program", [
    ["sh", "-c", 'mkdir "$SAGEMAKER_BASE_DIR/output/success"'],
    ["no-such-program-" + "x" * 1500],
    [f"no-such-program-of-{SECRET}"],
], ids=["a marker that cannot be", "a long sentence", "a sentence with a secret"])
def test_a_failure_file_of_our_own_is_not_said_to_be_the_programs(trainit, pid1, ask, job, program):
    here = job()
    pid1([trainit, "--", *program], job=here, env={"API_TOKEN": SECRET})
    outcome = events_of(here)[-1]
    assert outcome["failure_file"] == {"by": "trainit", "bytes": len(here.failure.encode())}
    assert not outcome["success"] and outcome["failure"].startswith(here.failure[:500])
    end = ask("failure", here.base)
    assert "wrote itself" not in end.out and here.failure[:60] in end.out


def test_a_record_of_several_jobs_tells_the_last(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--", "sh", "-c", "exit 3"], job=here)
    pid1([trainit, "--", "true"], job=here)
    assert "succeeded" in ask("failure", here.base).out
    assert "1 earlier job in the same record is not shown" in ask("explain", here.base).out


def test_of_two_hosts_the_one_whose_worker_raised_is_named(trainit, pid1, ask, job, tmp_path):
    hosts = {"algo-2": "raise ConnectionResetError('Connection closed by peer')",  # also the earlier one
             "algo-1": "raise ValueError('the data is broken')"}
    for host, script in hosts.items():
        here = job(resources={"current_host": host, "hosts": list(hosts)})
        pid1([trainit, "--alone", "--rank-env", "never", "--", "python3", "-c", script], job=here)
        shutil.copy(here.output / f"data/trainit/{host}.jsonl", tmp_path)
    end = ask("failure", tmp_path)
    assert end.code == 0
    assert "first cause: algo-1 rank 0: ValueError: the data is broken" in end.out
    assert "algo-1: the job failed" in end.out and "algo-2: the job failed" in end.out


@pytest.mark.parametrize("words, sentence", [
    (["explain", "rank"], "explain rank: expected a number such as 0, found nothing"),
    (["explain", "rank", "one"], 'explain rank: expected a number such as 0, found "one"'),
    (["failure", "a", "b"], 'failure: expected one directory or record, found "b" too'),
    (["explain", "--format", "yaml"], "--format"),
])
def test_a_mistake_in_typing_is_a_sentence_and_not_the_jobs_failure(ask, job, words, sentence):
    here = job()
    end = ask(*words, job=here)
    assert end.code == 125 and sentence in end.err
    assert here.failure is None


def test_looking_changes_nothing(ask, failed):
    def files():
        return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in failed.base.rglob("*") if file.is_file()}

    before = files()
    for words in (["failure"], ["explain"], ["explain", "rank", "0"]):
        assert ask(*words, job=failed).code == 0
    assert files() == before


def test_nothing_in_a_record_is_obeyed_by_a_terminal(trainit, pid1, ask, job):
    here = job()
    pid1([trainit, "--", "sh", "-c", "printf 'ValueError: \\033]0;owned\\007\\n' >&2; exit 3", "\x1b[2J"], job=here,
         env={"ODD": "\x1b[2J"})
    for word in ("failure", "explain"):
        assert "\x1b" not in ask(word, here.base).out


# --------------------------------------------------------------------------------- docs/run-record.md

def documented():
    """event → its members, by the table."""
    members, event = {}, None
    for line in RUN_RECORD.read_text().split("\n| event |")[1].split("\n\n")[0].splitlines()[2:]:
        first, names = (cell.strip() for cell in line.split("|")[1:3])
        event = first.strip("`") or event
        members.setdefault(event, set()).update(re.findall(r"`(\w+)`", names))
    return members


def test_every_event_and_member_that_a_job_writes_is_documented(trainit, pid1, start, job, failed, fake_gpus, tmp_path):
    stopped = job()
    running = start([trainit, "--", "sh", "-c", "trap '' TERM; (trap '' TERM; sleep 600) & echo up; sleep 600"],
                    job=stopped, env={"TRAINIT_STOP_BUDGET": "1"})
    running.wait_for("up")
    running.signal(10)
    running.signal(15)
    running.wait(30)
    saved = job()
    running = start([trainit, "--preflight", "--", "sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"], job=saved)
    running.wait_for("up")
    running.signal(15)
    running.wait(30)
    not_there = job()
    not_there.write_code("script.sh", "#!/nowhere/interpreter\n", 0o755)
    pid1([trainit, "--", str(not_there.code / "script.sh")], job=not_there)
    storeless = job()
    running = start([trainit, "--", "sh", "-c", "echo port $MASTER_PORT; exec sleep 600"], job=storeless)
    Client(running.wait_for(r"port (\d+)")[1]).check("key")
    os.kill(store_of(running.pid), 9)
    running.wait(30)
    with_gpus = job()
    gpus = tmp_path / "gpus"
    gpus.write_text("xid 0 79\nlost 1 1\n")
    pid1([trainit, "--", "sleep", "0.3"], job=with_gpus, env=fake_gpus("2", FAKE_NVML=str(gpus)))
    leading, following = job(), job()
    together = [trainit, "--nnodes", "2", "--leader", "127.0.0.1", "--control-port", str(free_port())]
    command = ["--", "sh", "-c", '[ "$RANK" = 0 ] || exit 3; exec sleep 600']
    leader = start([*together, "--node-rank", "0", *command], job=leading)
    pid1([*together, "--node-rank", "1", *command], job=following)
    leader.wait(30)
    restarted = job()
    pid1([trainit, "--max-restarts", "1", "--restart-delay", "0", "--", "sh", "-c", "exit 3"], job=restarted)
    known, seen = documented(), {}
    for here in (failed, stopped, saved, not_there, storeless, with_gpus, leading, following, restarted):
        for event in events_of(here):
            seen.setdefault(event["event"], set()).update(event)
    assert seen.keys() == known.keys()
    for event, members in seen.items():
        assert members - {"time", "event"} <= known[event], event

"""Which worker is named as the cause, and what is kept out of what people read."""

import json
import os
import re
import shutil
import signal

import pytest
from trainit_testing.processes import state_of, workers_of
from trainit_testing.waiting import wait_until


def python(text):
    return ["--", "python3", "-c", text]


def test_the_worker_that_raised_is_the_cause_with_its_error_place_and_code(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--workers", "3", *python("import os\nif os.environ['RANK'] == '1': raise ValueError('too steep')\nimport time; time.sleep(60)")], job=here)
    assert end.code == 1
    first = here.failure.splitlines()[0]
    assert first.startswith("algo-1 rank 1: ValueError: too steep (") and "exit code 1 after" in first
    assert "Traceback (most recent call last):" in here.failure
    assert re.search(r"rank 1 \(pid \d+\) ended with code 1 after .*: stopping the others", end.err)
    assert "first cause: " + first in end.err


@pytest.mark.parametrize("level", ["info", "error", "off"])
def test_a_log_of_errors_has_the_failure_of_the_job(trainit, pid1, job, level):
    good, bad = job(), job()
    assert not pid1([trainit, "--log-level", "error", "--", "true"], job=good).ours
    end = pid1([trainit, "--log-level", level, "--workers", "2", "--", "sh", "-c", "exit 7"], job=bad)
    assert end.code == 7
    told = [line for line in end.ours if line.startswith("first cause: ") or "; exit 7" in line]
    expected = [f"first cause: {bad.failure_reason}", f"failure written to {bad.output}/failure; exit 7"]
    assert told == ([] if level == "off" else expected), end
    assert level == "info" or not any("2 workers, ranks" in line for line in end.ours)


def test_a_victim_that_dies_first_of_a_closed_connection_is_not_the_cause(trainit, pid1, job):
    text = """
import os, socket, sys, time
if os.environ["RANK"] == "0":
    server = socket.create_server(("127.0.0.1", int(os.environ["MASTER_PORT"])))
    peer, _ = server.accept()
    peer.close()
    time.sleep(0.3)  # the victim is gone before this one has printed anything
    raise RuntimeError("the data is broken")
peer = None
while peer is None:
    try: peer = socket.create_connection(("127.0.0.1", int(os.environ["MASTER_PORT"])))
    except ConnectionRefusedError: time.sleep(0.01)
if not peer.recv(1): raise ConnectionResetError("Connection closed by peer")
"""
    here = job()
    end = pid1([trainit, "--workers", "2", "--worker-store", "--failure-grace", "30", *python("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + text)], job=here)
    assert end.code == 1
    assert here.failure.startswith("algo-1 rank 0: RuntimeError: the data is broken"), here.failure


# Lines about an error that a program may well survive, and one that only informs.
SURVIVED = {
    "NCCL": "vm:1:1 [0] NCCL WARN NET/IB : No device found, using sockets",
    "memory": "WARNING: CUDA out of memory with batch 64, trying 32",
}
INFORMS = "[I ProcessGroupNCCL.cpp:587] [Rank 0] ProcessGroupNCCL initialized with following options:"


def headline(here):
    return here.failure.splitlines()[0]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("line", SURVIVED.values(), ids=SURVIVED)
def test_what_a_program_said_at_its_end_leads_before_a_line_that_it_survived(trainit, pid1, job, line, stream):
    here = job()
    text = f"import sys\nprint({line!r}, file=sys.{stream}, flush=True)\nsys.exit('the data set has no labels')"
    assert pid1([trainit, *python(text)], job=here).code == 1
    said = line.partition("[0] ")[2] or line
    assert re.fullmatch(r'algo-1 rank 0: ended with code 1 after \S+ s; its last line: "the data set has no labels"; '
                        f"it had printed: {re.escape(said)}", headline(here))
    assert here.failure.index(line) < here.failure.rindex("the data set has no labels")


def test_a_line_for_information_does_not_explain_the_end(trainit, pid1, job):
    here = job()
    pid1([trainit, *python(f"import sys\nprint({INFORMS!r}, file=sys.stderr)\nsys.exit('no labels')")], job=here)
    assert re.fullmatch(r'algo-1 rank 0: ended with code 1 after \S+ s; its last line: "no labels"', headline(here))


def test_a_traceback_in_stdout_goes_before_a_line_about_a_connection_in_stderr(trainit, pid1, job):
    text = """
import sys, traceback
try: raise ValueError("loss is nan")
except ValueError: print(traceback.format_exc(), flush=True)
sys.stderr.write("vm:1:1 [0] misc/socket.cc:50 NCCL WARN socketProgress: Connection closed by remote peer\\n")
sys.exit(1)
"""
    here = job()
    end = pid1([trainit, *python(text)], job=here)
    assert here.failure.startswith("algo-1 rank 0: ValueError: loss is nan (<string>:3, exit code 1 after "), end
    assert '"kind": "exception"' in (here.output / "data/trainit/algo-1.jsonl").read_text()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("keys", [1_400, 2_700, 20_000])
@pytest.mark.parametrize("between", [", ", "\n\t"], ids=["one line", "many lines"])
def test_of_an_error_that_is_longer_than_what_is_kept_the_beginning_is_known(trainit, pid1, job, tmp_path, keys, between, stream):
    text = f"""
import sys
sys.stderr = sys.{stream}
raise RuntimeError("Error(s) in loading state_dict:\\n\\tMissing key(s): " + {between!r}.join(f"layers.{{i}}.experts.down_proj.weight.{{i}}" for i in range({keys})))
"""
    (tmp_path / "train.py").write_text("print('epoch 1')\n" + text)
    here = job()
    end = pid1([trainit, "--", "python3", tmp_path / "train.py"], job=here)
    assert re.match(r"algo-1 rank 0: RuntimeError: Error\(s\) in loading state_dict: Missing key\(s\): layers\.0\..*"
                    r"… \(train\.py:5, exit code 1 after \S+ s\)", headline(here)), end
    assert f"weight.{keys - 1}" in here.failure


def test_a_dump_after_an_error_leaves_its_beginning_known(trainit, pid1, job):
    text = "import atexit\natexit.register(lambda: [print('thread', i, 'of the dump', file=sys.stderr) for i in range(20_000)])\nimport sys\nraise ValueError('loss is nan')"
    here = job()
    pid1([trainit, *python(text)], job=here)
    assert here.failure.startswith("algo-1 rank 0: ValueError: loss is nan (<string>:4, exit code 1 after "), here.failure
    assert headline(here).endswith('; its last line: "thread 19999 of the dump"')


def test_of_a_very_long_last_line_beginning_and_end_are_known(trainit, pid1, job):
    here = job()
    pid1([trainit, *python("import sys; print('epoch 1', file=sys.stderr); sys.exit('no labels in ' + 'x' * 100_000 + ' the end')")], job=here)
    assert re.match(r'algo-1 rank 0: ended with code 1 after \S+ s; its last line: "no labels in xxx', headline(here))
    assert here.failure.endswith("xxx the end")


@pytest.mark.parametrize("length", [20, 300])
def test_no_part_of_a_secret_that_is_cut_off_is_shown(trainit, pid1, job, length):
    secret = "s3cr3t-" * length
    text = f"raise ValueError(('#' * 50 + {secret!r}) * 5_000)"
    here = job(raw_hyperparameters={"password": secret})
    assert pid1([trainit, "--args", "none", *python(text)], job=here).code == 1
    assert "ValueError: ###" in headline(here)
    shown = [event for event in map(json.loads, (here.output / "data/trainit/algo-1.jsonl").open()) if event["event"] == "evidence"]
    assert len(shown) == 1 and "s3cr" not in json.dumps(shown) + here.failure


@pytest.mark.parametrize("words", ["ConnectionResetError: Connection closed by peer", "RuntimeError: where is everybody?"])
def test_a_worker_that_was_being_killed_when_we_stopped_it_is_the_cause_whatever_its_peers_say(trainit, pid1, job, tmp_path, words):
    # What others kill may be seen to end after its peers, which lose their connections first.
    script = (f"""if [ "$RANK" = 0 ]; then while [ ! -e up ]; do sleep 0.01; done; echo "{words}" >&2; exit 1; fi; """
              "trap 'kill -KILL $$' TERM; : > up; while :; do sleep 0.01; done")
    here = job()
    end = pid1([trainit, "--workers", "2", "--", "sh", "-c", script], job=here, cwd=tmp_path)
    assert end.code == 137, end
    assert here.failure.startswith("algo-1 rank 1: killed by SIGKILL"), here.failure


def test_what_a_worker_said_before_another_one_failed_counts_also_when_all_is_read_later(trainit, start, job, tmp_path):
    said = r"""printf 'Traceback (most recent call last):\n  File "/app/train.py", line 5, in step\nValueError: loss is nan\n' >&2"""
    wait = "while [ ! -e {} ]; do sleep 0.01; done; "
    script = (f'echo up; if [ "$RANK" = 1 ]; then {wait.format("go")} {said}; : > said; exec sleep 600; fi; '
              f'{wait.format("said")} {said}; exit 3')
    running = start([trainit, "--workers", "2", "--", "sh", "-c", script], job=job(), cwd=tmp_path)
    running.wait_for("^up", count=1)
    running.wait_for(r"^\[rank 1\] up")
    first = min(workers_of(running.pid))
    os.kill(running.pid, signal.SIGSTOP)
    os.kill(running.pid, signal.SIGWINCH)  # what tells it of signals is ready before their words are
    (tmp_path / "go").touch()
    wait_until(lambda: state_of(first) == "Z", "rank 0 has ended")
    os.kill(running.pid, signal.SIGCONT)
    end = running.wait()
    assert end.code == 3
    assert "trainit: rank 1 had the same error" in end.err, end


def test_a_failure_after_a_stop_signal_tells_of_the_stop(trainit, start, job):
    here = job()
    running = start([trainit, "--", "sh", "-c", "echo up; exec sleep 60"], job=here)
    running.wait_for("up")
    running.signal(15)
    assert running.wait(30).code == 143
    assert "stopped by the platform with SIGTERM after" in here.failure


def test_the_code_after_a_stop_is_that_of_the_worker_that_failed_at_it(trainit, start, job):
    text = """
import os, signal, time
def save(*_): raise OSError(28, "No space left on device")
if os.environ["RANK"] == "1": signal.signal(signal.SIGTERM, save)
print("up")
time.sleep(60)
"""
    here = job()
    running = start([trainit, "--workers", "2", *python(text)], job=here)
    running.wait_for("up", count=2)
    running.signal(15)
    assert running.wait(30).code == 1
    assert "rank 1: OSError" in here.failure and "killed by SIGTERM: rank 0" in here.failure


def test_a_job_that_ends_well_after_a_stop_signal_is_a_success(trainit, start, job):
    here = job()
    running = start([trainit, "--", "sh", "-c", "trap 'echo saved; exit 0' TERM; echo up; while :; do sleep 0.1; done"], job=here)
    running.wait_for("up")
    running.signal(15)
    end = running.wait(30)
    assert end.code == 0 and here.success and "saved" in end.out


SECRET = "hunter2-swordfish"


def test_a_secret_is_masked_in_all_that_we_say_and_never_in_what_workers_get(trainit, pid1, job):
    here = job(hyperparameters={"api_key": SECRET, "nested": {"password": SECRET}, "epochs": 3})
    script = 'import os, sys\nprint(os.environ["SM_HP_API_KEY"])\nraise ValueError("no access with " + os.environ["SM_HP_API_KEY"])'
    end = pid1([trainit, "--args", "toolkit", *python(script)], job=here, env={"DB_PASSWORD": SECRET})
    assert end.out == SECRET + "\n"
    ours = "\n".join(line for line in end.err.splitlines() if line.startswith("trainit:"))
    assert SECRET not in ours and "***" in ours
    assert SECRET not in here.failure and "no access with ***" in here.failure
    records = list((here.output / "data/trainit").iterdir())
    assert records and all(SECRET not in record.read_text() for record in records)


def test_a_short_secret_is_masked_where_its_name_tells_it(trainit, pid1, job):
    here = job(hyperparameters={"password": "a7", "db": {"account": "c7", "passwd": "b7"}, "pin_secret": 17})
    end = pid1([trainit, "--args", "toolkit", "--", "echo", "--token", "d7"], job=here)
    assert end.out == "--token d7 --db account=c7,passwd=b7 --password a7 --pin_secret 17\n"
    ours = "\n".join(end.ours)
    assert "echo --token *** --db account=c7,passwd=*** --password *** --pin_secret ***" in ours
    assert "hyperparameters: password=*** db={'account': 'c7', 'passwd': '***'} pin_secret=***" in ours
    record = (here.output / "data/trainit/algo-1.jsonl").read_text()
    plan = next(event for event in map(json.loads, record.splitlines()) if event["event"] == "plan")
    assert plan["argv"][1:] == [
        "--token", "***", "--db", "account=c7,passwd=***", "--password", "***", "--pin_secret", "***"]
    assert not re.search(r"\b[abd]7\b", record), record


@pytest.mark.parametrize("style, shown", [
    ("json", ['--db {"account": "c7", "passwd": "***"}', '--l [{"token": "***"}]']),
    ("toolkit", ["--db account=c7,passwd=***", "-l [{'token': '***'}]"]),
])
def test_a_short_secret_is_masked_in_an_argument_that_holds_a_list_or_an_object(trainit, pid1, job, style, shown):
    here = job(hyperparameters={"db": {"account": "c7", "passwd": "b7"}, "l": [{"token": "q9"}]})
    end = pid1([trainit, "--args", style, "--", "true"], job=here)
    assert f"true {' '.join(shown)}" in "\n".join(end.ours)
    record = (here.output / "data/trainit/algo-1.jsonl").read_text()
    assert not re.search(r"\b(b7|q9)\b", "\n".join(end.ours) + record)


@pytest.mark.parametrize("value", [
    json.dumps(json.dumps({"password": SECRET, "port": 25})),  # as an SDK's estimator encodes a text
    json.dumps({"text": json.dumps({"password": SECRET, "port": 25})}),
    str({"password": SECRET, "port": 25}),
], ids=["JSON", "JSON in JSON", "Python"])
def test_a_secret_in_a_hyperparameter_that_is_text_is_masked(trainit, pid1, job, value):
    here = job(hyperparameters={"cfg": value})
    end = pid1([trainit, "--args", "toolkit", "--", "sh", "-c", f"echo no access with {SECRET} >&2; exit 3"], job=here)
    record = (here.output / "data/trainit/algo-1.jsonl").read_text()
    assert end.code == 3
    assert SECRET not in "\n".join(end.ours) + here.failure + record
    assert "25" in "\n".join(end.ours) and "no access with ***" in here.failure
    masked = pid1([trainit, "env", "--mask", "--args", "toolkit"], job=here)
    assert masked.code == 0 and SECRET not in masked.out and "***" in masked.out


@pytest.mark.parametrize("value, shown", [
    (f'["--token","{SECRET}"]', '["--token","***"]'),
    (f'["a","--password={SECRET}"]', '["a","--password=***"]'),
    (f'["--api-key","{SECRET}",5]', '["--api-key","***",5]'),
    (f"db_password={SECRET}", "db_password=***"),
], ids=["option", "option with its value", "beside a number", "name=value"])
@pytest.mark.parametrize("by_script", [False, True], ids=["command", "script"])
def test_a_secret_in_a_hyperparameter_that_holds_arguments_is_masked_everywhere(trainit, pid1, job, value, shown, by_script):
    text = f"raise ValueError('no access with {SECRET}')"
    program = {"sagemaker_program": "train.py"} if by_script else {}
    here = job(hyperparameters={"x": value, **program}, code={"train.py": text})
    end = pid1([trainit, *([] if by_script else ["--", "python3", f"{here.code}/train.py"])], job=here)
    assert "no access with ***" in here.failure
    record = (here.output / "data/trainit/algo-1.jsonl").read_text()
    assert SECRET not in "\n".join(end.ours) + here.failure + record
    assert f"hyperparameters: x={shown}" in "\n".join(end.ours)


def test_a_secret_that_terminal_escapes_break_up_is_masked(trainit, pid1, job, tmp_path):
    """Some consoles colour each number, and what we say is without colours."""
    (tmp_path / "said").write_text("login failed with password Zx\x1b[1;36m9\x1b[0mplmQ\x1b[1;36m7\x1b[0mrt\n")
    for head in ("OperationalError: ", "and so, "):
        here = job()
        end = pid1([trainit, "--", "sh", "-c", f"printf '{head}' >&2; cat {tmp_path}/said >&2; exit 1"], job=here, env={"DB_PASSWORD": "Zx9plmQ7rt"})
        told = pid1([trainit, "failure", "--format", "json"], job=here).out
        assert end.code == 1
        for text in (here.failure, "\n".join(end.ours), told, (here.output / "data/trainit/algo-1.jsonl").read_text()):
            assert "Zx9" not in text and "7rt" not in text and "password ***" in text, text


def test_a_secret_in_a_url_is_masked(trainit, pid1, job):
    token = "IQoJb3JpZ2luX2VjEJz//////////wEa+abc/def=="
    for quote in ("quote(token, safe='')", "quote(token)", "quote_plus(token)"):
        here = job()
        text = f"import os\nfrom urllib.parse import quote, quote_plus\ntoken = os.environ['AWS_SESSION_TOKEN']\nraise ValueError('no access with ' + {quote})"
        end = pid1([trainit, *python(text)], job=here, env={"AWS_SESSION_TOKEN": token})
        assert "ValueError: no access with *** (" in here.failure
        assert "b3JpZ2lu" not in here.failure + "\n".join(end.ours)


def test_the_end_of_a_secret_at_the_front_of_the_tail_is_not_shown(trainit, pid1, job):
    token = "Sk9abcDEFghiJKLmnoPQRstuVWX"
    here = job()
    text = "import os, sys; sys.stderr.write((os.environ['API_TOKEN'] + ' ') * 8000); sys.exit(1)"
    end = pid1([trainit, *python(text)], job=here, env={"API_TOKEN": token})
    record = (here.output / "data/trainit/algo-1.jsonl").read_text()
    assert end.code == 1 and " *** ***" in record
    assert "VWX" not in record + here.failure + "\n".join(end.ours)


@pytest.mark.parametrize("value, quote", [
    (SECRET + "\n", ".strip()"),
    ("-----BEGIN KEY-----\nMIIEvQ\n" + SECRET + "\n-----END KEY-----\n", ".splitlines()[2]"),
], ids=["trimmed", "one line of it"])
def test_a_part_of_a_secret_that_programs_quote_is_masked(trainit, pid1, job, value, quote):
    here = job()
    text = f'import os\nraise ValueError("key " + os.environ["API_KEY"]{quote} + " is bad")'
    end = pid1([trainit, *python(text)], job=here, env={"API_KEY": value})
    assert "key *** is bad" in here.failure
    assert SECRET not in here.failure + "\n".join(end.ours)


def test_the_code_of_a_program_is_no_secret(trainit, pid1, job):
    text = 'import os; print(os.environ["DATABASE_PASSWORD"], dict(safe=""), "code")'
    end = pid1([trainit, *python(text)], job=job(), env={"DATABASE_PASSWORD": SECRET})
    assert end.code == 0 and "***" not in "\n".join(end.ours)
    assert 'dict(safe=""), "code")' in "\n".join(end.ours)


def test_a_value_cannot_make_a_line_of_our_log(trainit, pid1, job):
    here = job(hyperparameters={"text": "1\ntrainit: success\x1b[2K"})
    end = pid1([trainit, "--args", "toolkit", "--", "false"], job=here)
    assert end.code == 1 and "success" not in end.ours
    assert "text=1\\ntrainit: success\\x1b[2K" in end.err
    assert "false --text 1\\ntrainit: success\\x1b[2K" in end.err
    assert "\x1b" not in end.err


def test_a_secret_on_the_command_line_is_masked_too(trainit, pid1, job):
    end = pid1([trainit, "--", "echo", "--token", SECRET], job=job())
    assert end.out == f"--token {SECRET}\n"
    assert SECRET not in end.err


UNLIKE_ANY_WORD = "Zq7!Xw9#Kv3@Jp5%Ym8&"


def assert_nothing_left_of_it(text):
    for at in range(len(UNLIKE_ANY_WORD) - 2):
        assert UNLIKE_ANY_WORD[at:at + 3] not in text, text


@pytest.mark.parametrize("lengths, text", [
    (range(90, 200, 5), "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nValueError: {filler}{secret}"),
    (range(90, 200, 5), "{filler}{secret}"),
    (range(795, 820, 4), "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nValueError: {secret}{filler}"),
], ids=["summary", "last line", "front of the block"])
def test_a_secret_is_masked_before_anything_is_cut(trainit, pid1, job, tmp_path, lengths, text):
    """Of a half of it nobody would know that it is one."""
    for length in lengths:
        (tmp_path / "said").write_text(text.format(filler="x" * length, secret=UNLIKE_ANY_WORD))
        here = job(hyperparameters={"api_key": UNLIKE_ANY_WORD})
        end = pid1([trainit, "--", "sh", "-c", f"cat {tmp_path}/said >&2; exit 3"], job=here)
        assert end.code == 3
        assert_nothing_left_of_it(here.failure)
        assert_nothing_left_of_it("\n".join(end.ours))


@pytest.mark.parametrize("secret", [
    "".join(f"<{number:04}>" for number in range(1500)),  # longer than what is kept of an error
    "\n".join(f"-----<{number:04}>-----" for number in range(30)),
], ids=["long", "of lines"])
def test_a_secret_longer_than_a_line_or_than_an_error_is_masked_whole(trainit, pid1, job, tmp_path, secret):
    (tmp_path / "said").write_text(f"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nValueError: {secret}\n")
    here = job()
    end = pid1([trainit, "--", "sh", "-c", f"cat {tmp_path}/said >&2; exit 3"], job=here, env={"SIGNING_KEY": secret})
    assert end.code == 3 and "ValueError: ***" in here.failure
    assert not re.search(r"<\d{4}>", here.failure + "\n".join(end.ours))


def test_a_secret_in_an_error_file_is_masked_before_anything_is_cut(trainit, pid1, job, tmp_path):
    for length in range(110, 150, 5):
        here = job(hyperparameters={"api_key": UNLIKE_ANY_WORD})
        message = "ValueError: " + "x" * length + UNLIKE_ANY_WORD
        (tmp_path / "error.json").write_text(json.dumps({"message": {"message": message}}))
        script = f'cp {tmp_path}/error.json "$TORCHELASTIC_ERROR_FILE"; exit 3'
        end = pid1([trainit, "--", "sh", "-c", script], job=here)
        assert end.code == 3 and "ValueError: xxx" in here.failure
        assert_nothing_left_of_it(here.failure)
        assert_nothing_left_of_it("\n".join(end.ours))


def test_a_secret_in_an_error_of_our_own_is_masked(trainit, pid1, job):
    here = job(hyperparameters={"sagemaker_program": f"{SECRET}.py"}, code={"train.py": ""})
    end = pid1([trainit], job=here, env={"DB_PASSWORD": SECRET})
    assert end.code == 127 and SECRET not in end.err
    assert "***.py (sagemaker_program) does not exist" in here.failure


def test_a_failure_file_of_a_job_that_ended_well_stays_and_is_told_of(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", "echo 'my reason' > $SM_OUTPUT_FAILURE"], job=here)
    assert end.code == 0 and here.success and here.failure == "my reason\n"
    assert any(f"the job wrote {here.output}/failure and ended well all the same" in line for line in end.ours)


@pytest.mark.parametrize("inner, outer, code", [("exit 6", "exit 0", 0), ("exit 0", "exit 7", 7), ("exit 0", "true", 0)])
def test_a_script_that_starts_trainit_once_more_keeps_the_outcome_of_the_job(trainit, pid1, job, inner, outer, code):
    here = job()
    script = f"{trainit} -- sh -c '{inner}'; echo inner $?; {outer}"
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    record = here.output / "data/trainit/algo-1.jsonl"
    assert end.code == code and f"inner {inner.split()[-1]}" in end.out
    assert here.success == (code == 0) and (here.failure is not None) == (code != 0)
    warned = [line for line in end.err.splitlines() if "another trainit runs this job" in line]
    assert len(warned) == 1 and str(record) in warned[0]
    events = [json.loads(line)["event"] for line in record.read_text().splitlines()]
    assert events.count("start") == events.count("outcome") == 1
    # A mistake of the inner one is no failure of the job either.
    there = job()
    end = pid1([trainit, "--", "sh", "-c", f"{trainit} --workers 0 -- true || exit 0"], job=there)
    assert end.code == 0 and there.success and there.failure is None


def test_the_record_has_a_line_for_each_event(trainit, pid1, job):
    here = job()
    pid1([trainit, "--workers", "2", "--", "true"], job=here)
    events = [json.loads(line)["event"] for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]
    assert events[-1] == "outcome" and events.count("spawned") == events.count("ended") == 2
    # It is whole before the first worker can end: who writes it listens to nobody meanwhile.
    assert events[:5] == ["start", "environment", "plan", "spawned", "spawned"]


def test_an_error_file_of_torch_elastic_is_the_workers_own_word(trainit, pid1, job):
    here = job()
    text = """
import json, os
json.dump({"message": {"message": "OSError: the disk is gone", "extraInfo": {"py_callstack": "Traceback\\n  File \\"/a/train.py\\", line 7, in x\\nOSError: the disk is gone", "timestamp": "1700000000"}}}, open(os.environ["TORCHELASTIC_ERROR_FILE"], "w"))
os._exit(4)
"""
    end = pid1([trainit, *python(text)], job=here)
    assert end.code == 4 and "OSError: the disk is gone" in here.failure.splitlines()[0]


# `fail(ERROR)` leaves it in an error file; `told(NAME)` waits for `tell(NAME)` of another rank.
ERROR_FILES = """
import json, os, signal, sys, time
rank = os.environ["RANK"]
def fail(error):
    with open(os.environ["TORCHELASTIC_ERROR_FILE"], "w") as file:
        json.dump({"message": f"{type(error).__name__}: {error}"}, file)
def tell(name): open(name, "w").close()
def told(name):
    while not os.path.exists(name): time.sleep(0.01)
"""


def test_an_error_file_that_was_written_after_the_stop_is_no_cause(trainit, pid1, job):
    text = ERROR_FILES + """
if rank == "1":
    told("ready")
    raise ValueError("the cause")
print("ERROR: tensorboard is not installed, going on without it", file=sys.stderr, flush=True)
class Stopped(Exception): pass
def stop(*_):
    time.sleep(0.1)  # the file's time stamp is rough
    raise Stopped("at epoch 3")
signal.signal(signal.SIGTERM, stop)
tell("ready")
try: time.sleep(60)
except Stopped as error: fail(error)
os._exit(1)
"""
    here = job()
    end = pid1([trainit, "--workers", "2", *python(text)], job=here, cwd=here.base)
    assert end.code == 1
    assert here.failure.startswith("algo-1 rank 1: ValueError: the cause"), here.failure


def test_an_error_file_that_was_written_before_another_worker_failed_is_the_cause(trainit, pid1, job):
    text = ERROR_FILES + """
if rank == "1":
    told("written")
    time.sleep(0.1)
    raise ValueError("a consequence")
fail(OSError("the disk is gone"))
tell("written")
signal.signal(signal.SIGTERM, lambda *_: os._exit(4))
time.sleep(60)
"""
    here = job()
    pid1([trainit, "--workers", "2", *python(text)], job=here, cwd=here.base)
    assert here.failure.startswith("algo-1 rank 0: OSError: the disk is gone"), here.failure


def test_an_error_file_whose_time_stamp_is_a_little_too_early_counts_as_written_at_the_start(trainit, pid1, job):
    """So it is where the kernel's tick is late, in a virtual machine that waits for its processors."""
    text = ERROR_FILES + """
if rank == "1":
    told("written")
    raise ValueError("a consequence")
age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(open("/proc/self/stat").read().split()[21]) / os.sysconf("SC_CLK_TCK")
fail(OSError("the disk is gone"))
early = time.time() - age - 0.5
os.utime(os.environ["TORCHELASTIC_ERROR_FILE"], (early, early))
tell("written")
time.sleep(60)
"""
    here = job()
    pid1([trainit, "--workers", "2", *python(text)], job=here, cwd=here.base)
    assert here.failure.startswith("algo-1 rank 0: OSError: the disk is gone"), here.failure


def test_a_fifo_or_too_much_in_place_of_an_error_file_is_neither_waited_for_nor_read(trainit, pid1, job):
    for make in ("mkfifo", "truncate -s 100M"):
        here = job()
        end = pid1([trainit, "--", "sh", "-c", f'{make} "$TORCHELASTIC_ERROR_FILE"; exit 3'], job=here, timeout=30)
        assert end.code == 3 and "code 3" in here.failure_reason


def test_what_workers_make_beside_their_error_files_goes_with_them(trainit, pid1, job, tmp_path):
    kept, place = tmp_path / "kept", tmp_path / "place"
    (kept / "inner").mkdir(parents=True)
    place.mkdir()
    script = f'cd "$(dirname "$TORCHELASTIC_ERROR_FILE")" && mkdir -p a/b/c && touch a/b/c/d a/e && ln -s {kept} a/link && ln -s {kept} link'
    end = pid1([trainit, "--", "sh", "-c", script], job=job(), env={"TMPDIR": str(place)})
    assert end.code == 0, end
    assert list(place.iterdir()) == [] and (kept / "inner").is_dir()


def copied(trainit, here):
    """Its path where the job's directory is at /mnt: whatever else may be hidden."""
    return f"/mnt/{os.path.basename(shutil.copy2(trainit, here.base))}"


@pytest.mark.parametrize("place", ["", "/proc", "not/there"])
def test_without_a_place_for_error_files_workers_are_told_of_none_and_that_is_said(trainit, pid1, job, place):
    here = job()
    script = ('mount --bind "$BASE" /mnt && for place in /tmp /dev/shm; do mount -t tmpfs -o ro none $place; done; '
              'cd /; exec "$@"')
    end = pid1(["unshare", "--mount", "sh", "-c", script, "sh", copied(trainit, here), "--", "sh", "-c", 'echo "${TORCHELASTIC_ERROR_FILE-none}"'],
               env={"BASE": str(here.base), "SAGEMAKER_BASE_DIR": "/mnt", "TMPDIR": place})
    assert (end.code, end.out) == (0, "none\n"), end.err
    assert ("warning: no directory for error files can be made in TMPDIR, /tmp or /dev/shm: TORCHELASTIC_ERROR_FILE is not set"
            in end.ours)


@pytest.mark.parametrize("read_only, found", [(["/dev/shm"], "/tmp/"), (["/tmp"], "/dev/shm/")])
def test_error_files_go_where_one_can_write_when_tmpdir_is_no_such_place(trainit, pid1, job, read_only, found):
    here = job()
    script = (f'mount --bind "$BASE" /mnt && for place in {" ".join(read_only)}; do mount -t tmpfs -o ro none $place; done; '
              'cd /; exec "$@"')
    end = pid1(["unshare", "--mount", "sh", "-c", script, "sh", copied(trainit, here), "--", "sh", "-c", 'echo "$TORCHELASTIC_ERROR_FILE"'],
               env={"BASE": str(here.base), "SAGEMAKER_BASE_DIR": "/mnt", "TMPDIR": "/proc"})
    assert end.code == 0 and end.out.startswith(f"{found}trainit-errors-"), end


@pytest.mark.parametrize("place", ["relative", "./relative"])
def test_the_path_of_an_error_file_does_not_depend_on_where_a_worker_runs(trainit, pid1, job, tmp_path, place):
    (tmp_path / "relative").mkdir()
    here = job(hyperparameters={"sagemaker_program": "t.sh"}, code={"t.sh": 'echo "$TORCHELASTIC_ERROR_FILE"\n'})
    end = pid1([trainit], job=here, cwd=tmp_path, env={"TMPDIR": place})
    assert end.out.startswith("/") and "relative/trainit-errors-" in end.out, end.err
    assert list((tmp_path / "relative").iterdir()) == []

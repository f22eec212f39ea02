"""trainit env: what a worker would see, from the command line, and a sentence when that cannot be told."""

import json
import re
import socket

import pytest

SECRET = "hunter2-swordfish"
FORMATS = ["json", "shell", "dotenv"]


@pytest.fixture
def ask(trainit, pid1):
    """ask(JOB, words…): `trainit env` with a secret in its environment."""
    def run(here, *words):
        return pid1([trainit, "env", *words], job=here, env={"DB_PASSWORD": SECRET})

    return run


@pytest.mark.parametrize("form", FORMATS)
def test_a_script_that_is_not_there_is_a_sentence_without_the_secrets(ask, job, form):
    here = job(hyperparameters={"sagemaker_program": f"{SECRET}.py"}, code={"train.py": ""})
    end = ask(here, "--format", form)
    assert end.code == 127 and end.out == ""
    assert "***.py (sagemaker_program) does not exist" in end.err
    assert SECRET not in end.err


@pytest.mark.parametrize("form", FORMATS)
def test_a_value_that_no_process_can_be_given_is_a_sentence(ask, job, form):
    end = ask(job(raw_hyperparameters={"a": "x\0y"}), "--format", form)
    assert end.code == 125 and end.out == ""
    assert "hyperparameters.json" in end.err and "NUL" in end.err


def test_a_job_of_several_hosts_is_shown_with_the_ranks_that_this_host_expects(trainit, pid1, job):
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2", "algo-10"]}
    end = pid1([trainit, "env", "--workers", "4", "--", "python3", "train.py"], job=job(resources=hosts))
    assert end.code == 0, end.err
    seen = json.loads(end.out)["environment"]
    assert [seen[name] for name in ("RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "SM_HOST_COUNT")] == [
        "4", "12", "1", "algo-1", "3"]
    assert any("3 hosts with 4 workers each" in line for line in end.ours)


def test_without_a_command_it_says_that_the_ranks_are_left_out(trainit, pid1, job):
    here = job()
    bare, whole = (pid1([trainit, "env", *words], job=here) for words in ([], ["--", "true"]))
    assert "RANK" not in json.loads(bare.out)["environment"] and "RANK" in json.loads(whole.out)["environment"]
    assert [any("trainit env -- COMMAND" in line for line in end.ours) for end in (bare, whole)] == [True, False]


#: Told to each run anew, and what only a shell adds.
OF_ONE_RUN = {"MASTER_PORT", "JAX_COORDINATOR_ADDRESS", "TORCHELASTIC_ERROR_FILE", "_"}


@pytest.mark.parametrize("words", [["--workers", "1"], ["--workers", "2", "--rank-env", "always"], ["--rank-env", "never"]])
def test_what_is_shown_is_what_a_worker_gets(trainit, pid1, job, words):
    here = job(hyperparameters={"epochs": 3, "name": "a b"}, channels={"train": {}})
    shown = json.loads(pid1([trainit, "env", *words, "--", "env"], job=here).out)["environment"]
    printed = pid1([trainit, *words, "--log-ranks", "0", "--", "env", "-0"], job=here)
    seen = dict(pair.split("=", 1) for pair in printed.out.split("\0") if pair)
    for variables in (shown, seen):
        for name in OF_ONE_RUN:
            variables.pop(name, None)
    assert seen == shown


EXPLAINED = {
    "json": r'"SM_HP_EPOCHS": {"value": "3", "origin": "hyperparameters.json"}',
    "shell": '# "SM_HP_EPOCHS": "hyperparameters.json"\nexport SM_HP_EPOCHS=\'3\'\n',
    "dotenv": '# "SM_HP_EPOCHS": "hyperparameters.json"\nSM_HP_EPOCHS=3\n',
}


@pytest.mark.parametrize("form", FORMATS)
def test_where_a_value_comes_from_can_be_asked_for(trainit, pid1, job, form):
    here = job(hyperparameters={"epochs": 3})
    explained = pid1([trainit, "env", "--explain", "--format", form], job=here, env={"MINE": "x"})
    assert explained.code == 0 and EXPLAINED[form] in explained.out
    assert "inherited" in explained.out and "hyperparameters.json" not in pid1(
        [trainit, "env", "--format", form], job=here, env={"MINE": "x"}).out


@pytest.mark.parametrize("form", FORMATS)
def test_short_secrets_are_masked_in_aggregates_too_when_masks_are_asked_for(trainit, pid1, job, form):
    here = job(hyperparameters={"password": "a7", "db": {"passwd": "b7", "user": "c7"}})
    env = {"SETTINGS": '{"smtp": {"password": "d7", "port": 25}}', "HF_TOKEN": "e7"}
    masked = pid1([trainit, "env", "--mask", "--args", "toolkit", "--format", form], job=here, env=env)
    plain = pid1([trainit, "env", "--args", "toolkit", "--format", form], job=here, env=env)
    for secret in ("a7", "b7", "d7", "e7"):
        assert secret in plain.out
        assert not re.search(rf"\b{secret}\b", masked.out), masked.out
    assert re.search(r"\bc7\b", masked.out) and "25" in masked.out


@pytest.fixture
def taken_port():
    with socket.create_server(("0.0.0.0", 0)) as listener:
        yield listener.getsockname()[1]


def test_beside_a_running_job_its_port_is_told_although_it_is_taken(ask, job, taken_port):
    end = ask(job(), "--master-port", str(taken_port), "--", "true")
    assert end.code == 0, end.err
    assert json.loads(end.out)["environment"]["MASTER_PORT"] == str(taken_port)


def test_workers_that_meet_cannot_have_a_port_that_is_taken(trainit, pid1, job, taken_port):
    end = pid1([trainit, "--master-port", str(taken_port), "--", "true"], job=job())
    assert end.code == 125 and str(taken_port) in end.err


def test_workers_that_run_alone_need_no_port(trainit, pid1, job, taken_port):
    end = pid1([trainit, "--rank-env", "never", "--master-port", str(taken_port), "--", "sh", "-c", 'echo "${MASTER_PORT-none}"'],
               job=job())
    assert (end.code, end.out) == (0, "none\n"), end.err

"""trainit env: what a worker would see, from the command line, and a sentence when that cannot be told."""

import re

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

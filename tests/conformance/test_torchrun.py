"""What workers get under torchrun and under trainit.

What differs on purpose is listed in exceptions.json under "torchrun". The launcher of the distribution's release, 1.13, does not
run with the distribution's Python.
"""

import json

import pytest
from trainit_testing import torches
from trainit_testing.both_sides import EXCEPTIONS

TELL = """#!/usr/bin/python3
import json, os
with open(os.environ["OUT"] + os.environ["RANK"], "w") as file:
    json.dump(dict(os.environ), file)
"""
BEFORE_THE_RANKS = ("SM_", "SAGEMAKER_", "CURRENT_HOST")  # what a host's environment has
OPTIONS = {"torchrun": ["--nproc-per-node", "2", "--max-restarts", "2", "--no-python"],
           "trainit": ["--workers", "2", "--max-restarts", "2", "--"]}


@pytest.fixture
def workers(pid1, clean_env, tmp_path):
    """What each of two workers has beyond what their launcher was given."""
    worker = tmp_path / "worker"
    worker.write_text(TELL)
    worker.chmod(0o755)

    def run(name, launcher):
        directory = tmp_path / name
        directory.mkdir()
        end = pid1([*launcher, *OPTIONS[name], worker], env={"OUT": f"{directory}/"}, cwd=tmp_path)
        assert end.code == 0, end
        given = [json.loads((directory / str(rank)).read_text()) for rank in range(2)]
        return [{name: value for name, value in environment.items()
                 if name not in clean_env and name != "OUT" and not name.startswith(BEFORE_THE_RANKS)} for environment in given]

    return run


def names(of_which=lambda entry: True):
    return {name for entry in EXCEPTIONS["torchrun"] if of_which(entry) for name in entry["where"].split(", ")}


ONLY_OURS = names(lambda entry: entry["theirs"] == "not set")
ONLY_THEIRS = names(lambda entry: entry["ours"].startswith("not set"))
OTHER_VALUES = names() - ONLY_OURS - ONLY_THEIRS


@pytest.mark.parametrize("release", torches.PEERS)
def test_workers_get_what_torchrun_gives_them(trainit, workers, release):
    theirs = workers("torchrun", [torches.python(release), "-m", "torch.distributed.run"])
    ours = workers("trainit", [trainit])
    for their, our in zip(theirs, ours):
        assert their.keys() - our.keys() <= ONLY_THEIRS
        assert our.keys() - their.keys() - {"TORCH_NCCL_ASYNC_ERROR_HANDLING"} == ONLY_OURS
        alike = (their.keys() & our.keys()) - OTHER_VALUES
        assert {name: our[name] for name in alike} == {name: their[name] for name in alike}
        assert {"RANK", "LOCAL_RANK", "WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "TORCHELASTIC_RESTART_COUNT",
                "TORCHELASTIC_MAX_RESTARTS", "TORCHELASTIC_USE_AGENT_STORE"} <= alike

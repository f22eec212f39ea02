"""`--contract v3` against the real drivers that the SDK's ModelTrainer uploads.

What differs on purpose is listed in exceptions.json under "v3"; the random jobs keep away from it, and each
has a test of its own that shows both behaviours.
"""

import json

import pytest

from trainit_testing.both_sides import (CONFORMANCE, JOBS, SEED, answers, assert_documented, shell_spelling,
                                        write_job)
from trainit_testing.cache import peer
from trainit_testing.random_jobs import RandomJob


@pytest.fixture(scope="session")
def drivers():
    def look(bases):
        return answers([peer("sagemaker-v3-drivers"), CONFORMANCE / "v3_drivers_peer.py"], bases)

    return look


@pytest.fixture(scope="session")
def ours(program):
    def look(bases):
        return answers([program("environment_probe"), "v3"], bases)

    return look


@pytest.fixture
def look(drivers, ours, tmp_path):
    """A small job through both: (what the drivers give, what we give)."""

    def at(source_code=None, **parts):
        parts.setdefault("environment", {"TRAINING_JOB_NAME": "job-1"})
        base = write_job(tmp_path / "job", **parts)
        (base / "input/data/sm_drivers").mkdir(parents=True)
        (base / "input/data/sm_drivers/sourcecode.json").write_text(json.dumps(source_code))
        return drivers([base])[0], ours([base])[0]

    return at


class ModelTrainerJob(RandomJob):
    """What the SDK's ModelTrainer makes: complete files, and hyperparameters in its own dialect."""

    def __init__(self, seed):
        super().__init__(seed)
        self.environment["TRAINING_JOB_NAME"] = "job-1"
        self.resources.setdefault("current_instance_type", "ml.g5.xlarge")
        self.resources.setdefault("network_interface_name", "eth0")
        taken = set()
        self.hyperparameters = [(name, value) for name, value in self.hyperparameters
                                if not self._becomes_equal(name, taken) and not self._needs_more_than_dashes(name)]

    def _text(self):
        return "".join(character for character in super()._text() if not "\ud800" <= character <= "\udfff")

    def _in_some_dialect(self, value):
        return value if isinstance(value, str) else json.dumps(value)

    def _platform_parameters(self):
        return [(name, value) for name, value in super()._platform_parameters() if not str(value).startswith('"')]

    @staticmethod
    def _needs_more_than_dashes(name):
        return "-" in name and shell_spelling(name) != name.replace("-", "_")

    @staticmethod
    def _becomes_equal(name, taken):
        before = name.replace("-", "_").upper() in taken
        taken.add(name.replace("-", "_").upper())
        return before

    def write(self, base):
        super().write(base)
        files = {"sourcecode": {"source_dir": "/home/me", "entry_script": "train.py", "command": None},
                 "distributed": self.random.choice([{}, {"process_count_per_node": 2, "smp": None}])}
        for name, value in files.items():
            path = base / f"input/data/sm_drivers/{name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(value))
        return str(base)


def with_leader(theirs, mine):
    """The drivers' variables, had they asked who leads."""
    leader = mine["environment"]["SM_MASTER_ADDR"]
    whole = json.loads(theirs["environment"]["SM_TRAINING_ENV"])
    whole["master_addr"] = leader
    return {**theirs["environment"], "SM_MASTER_ADDR": leader, "SM_TRAINING_ENV": json.dumps(whole)}


def test_random_jobs_give_the_variables_and_arguments_of_the_drivers(drivers, ours, tmp_path):
    seeds = range(SEED, SEED + JOBS)
    bases = [ModelTrainerJob(seed).write(tmp_path / str(seed)) for seed in seeds]
    for seed, theirs, mine in zip(seeds, drivers(bases), ours(bases)):
        assert "error" not in theirs and "error" not in mine, f"seed {seed}: {theirs} / {mine}"
        for name, value in with_leader(theirs, mine).items():
            assert mine["environment"].get(name) == value, f"seed {seed}: {name}"
        assert mine["arguments"] == theirs["arguments"], f"seed {seed}"


# ------------------------------------------------------------------------- each documented exception


def leader(look):
    theirs, mine = look(resources={"current_host": "node-b", "hosts": ["node-b", "node-a"],
                                   "current_instance_type": "local", "network_interface_name": "eth0"})
    assert theirs["environment"]["SM_MASTER_ADDR"] == "algo-1"
    assert mine["environment"]["SM_MASTER_ADDR"] == "node-a"
    assert json.loads(mine["environment"]["SM_TRAINING_ENV"])["master_addr"] == "node-a"


def values_decoded_twice(look):
    theirs, mine = look(hyperparameters={"name": '"[1,2]"'})
    assert theirs["arguments"] == ["--name", "[1, 2]"]
    assert mine["arguments"] == ["--name", "[1,2]"]
    assert theirs["environment"]["SM_HP_NAME"] == "[1,2]" == mine["environment"]["SM_HP_NAME"]


def command_without_a_script(look):
    theirs, mine = look(source_code={"entry_script": None, "command": "trainit"})
    assert theirs["environment"]["SM_ENTRY_SCRIPT"] == "null"
    assert mine["environment"]["SM_ENTRY_SCRIPT"] == ""


def names_that_become_equal(look):
    theirs, mine = look(hyperparameters={"a_b": "1", "a-b": "2"})
    assert theirs["environment"]["SM_HP_A_B"] == "2"
    assert mine["environment"]["SM_HP_A_B"] == "1"


def dots_beside_dashes(look):
    theirs, mine = look(hyperparameters={"a-b.c": "1"})
    assert theirs["environment"]["SM_HP_A_B.C"] == "1"
    assert mine["environment"]["SM_HP_A-B.C"] == "1" == mine["environment"]["SM_HP_A_B_C"]


def characters_for_bytes(look):
    theirs, mine = look(hyperparameters={"name": "\udc80"})
    assert theirs["error"].startswith("UnicodeEncodeError")
    assert mine["environment"]["SM_HP_NAME"] == "\udc80"


def missing_files_and_keys(look):
    theirs, mine = look(environment={})
    assert theirs["error"] == "KeyError: 'TRAINING_JOB_NAME'"
    assert json.loads(mine["environment"]["SM_TRAINING_ENV"])["job_name"] is None


SHOWN = {
    "leader": leader,
    "values decoded twice": values_decoded_twice,
    "command without a script": command_without_a_script,
    "names that become equal": names_that_become_equal,
    "dots beside dashes": dots_beside_dashes,
    "characters that stand for bytes": characters_for_bytes,
    "files and keys that are missing": missing_files_and_keys,
}


def test_every_exception_is_shown():
    assert_documented("v3", SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_both_behave_as_the_exception_says(name, look):
    SHOWN[name](look)

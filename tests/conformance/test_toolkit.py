"""Every variable and argument of a script, against the real Python toolkit.

What differs on purpose is listed in exceptions.json, which docs/environment.md tells, too: the random jobs
keep away from it, and each has a test of its own that shows both behaviours.
"""

import itertools
import json
import os
import re
import subprocess

import pytest

from trainit_testing import jobs
from trainit_testing.both_sides import (CONFORMANCE, EXCEPTIONS, JOBS, SEED, answers, assert_documented,
                                        second_spellings, write_job, write_tool)
from trainit_testing.cache import peer
from trainit_testing.random_jobs import RandomJob

DOCUMENT = CONFORMANCE.parent.parent / "docs/environment.md"


@pytest.fixture(scope="session")
def toolkit():
    def look(bases, env=None, prefix=()):
        return answers([peer("sagemaker-training"), CONFORMANCE / "toolkit_peer.py"], bases, env, prefix)

    return look


@pytest.fixture(scope="session")
def ours(program):
    def look(bases, env=None, prefix=()):
        return answers([program("environment_probe"), "toolkit"], bases, env, prefix)

    return look


@pytest.fixture
def look(toolkit, ours, tmp_path):
    """A small job through both: (what the toolkit gives, what we give)."""
    bases = (tmp_path / f"job-{number}" for number in itertools.count(1))

    def at(env=None, prefix=(), change=lambda base: None, **parts):
        base = write_job(next(bases), **parts)
        change(base)
        return toolkit([base], env, prefix)[0], ours([base], env, prefix)[0]

    return at


def without_path(environment):
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}


def assert_same(theirs, mine, seed):
    """The same variables and arguments, and beside them only what is documented."""
    expected = without_path(theirs["environment"])
    found = mine["environment"]
    for name, value in expected.items():
        assert found.get(name) == value, f"seed {seed}: {name}"
    assert mine["arguments"] == theirs["arguments"], f"seed {seed}"
    more = set(found) - set(expected) - set(EXCEPTIONS["additions"])
    assert more == second_spellings(expected), f"seed {seed}"


@pytest.mark.parametrize("unfit", [False, True], ids=["fit", "unfit"])
def test_random_jobs_give_the_same_variables_and_arguments_or_are_refused_by_both(toolkit, ours, tmp_path, unfit):
    seeds = range(SEED, SEED + JOBS)
    bases = [RandomJob(seed, unfit).write(tmp_path / str(seed)) for seed in seeds]
    refused = 0
    for seed, theirs, mine in zip(seeds, toolkit(bases), ours(bases)):
        assert ("error" in theirs) == ("error" in mine), f"seed {seed}: {theirs.get('error')} / {mine.get('error')}"
        if "error" in theirs:
            refused += 1
            assert ".json: " in mine["error"], f"seed {seed}"
        else:
            assert_same(theirs, mine, seed)
    # Or the jobs would not be what their name says.
    assert (refused > JOBS // 20) if unfit else (refused == 0)


def test_trainit_env_prints_what_the_toolkit_gives(toolkit, trainit, start, tmp_path):
    for seed in range(SEED, SEED + 10):
        job = RandomJob(seed)
        base = write_job(tmp_path / str(seed), channels=job.channels, environment={"SAGEMAKER_PROGRAM": "train.py"},
                         hyperparameters={name: value for name, value in job.hyperparameters
                                          if not name.startswith("sagemaker_")})
        (base / "code").mkdir()
        (base / "code/train.py").write_text("")
        end = start([trainit, "env"], env={"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_PROGRAM": "train.py"},
                    namespace=False).wait(60)
        assert end.code == 0, end.err
        seen = json.loads(end.out)
        theirs = toolkit([base])[0]
        for name, value in without_path(theirs["environment"]).items():
            assert seen["environment"].get(name) == value, f"seed {seed}: {name}"
        assert seen["arguments"] == theirs["arguments"], f"seed {seed}"
        assert seen["environment"]["PYTHONPATH"] == f"{base}/code"


def test_the_document_tells_each_exception_and_each_variable():
    text = DOCUMENT.read_text()
    for entry in EXCEPTIONS["toolkit"] + EXCEPTIONS["v3"] + EXCEPTIONS["torchrun"]:
        row = " | ".join(entry[key] for key in ("name", "where", "theirs", "ours", "why"))
        assert f"| {row} |" in text
    for name in EXCEPTIONS["additions"]:
        assert f"| `{name}` |" in text


def test_the_document_has_a_row_for_whatever_a_worker_is_given(trainit, tmp_path):
    """Of a job with ranks, with all that a platform may say of one host."""
    rows = re.findall(r"^\| (`.*?`) \|", DOCUMENT.read_text(), re.MULTILINE)
    named = [re.escape(name).replace(re.escape("<NAME>"), ".+") for row in rows for name in re.findall(r"`([^`]+)`", row)]
    here = jobs.lay_out(tmp_path / "job")
    told = subprocess.run([trainit, "env", "--workers", "2", "--nccl-comm-id", "--", "true"], check=True, text=True,
                          stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"], **here.env}).stdout
    given = set(json.loads(told)["environment"]) - {"PATH", *here.env}
    assert len(given) > 60
    assert [name for name in sorted(given) if not any(re.fullmatch(row, name) for row in named)] == []


# ------------------------------------------------------------------------- each documented exception


def usable_cpus(look, tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has one CPU")
    theirs, mine = look(prefix=("taskset", "-c", "0"))
    assert int(theirs["environment"]["SM_NUM_CPUS"]) == os.cpu_count()
    assert mine["environment"]["SM_NUM_CPUS"] == "1"
    assert json.loads(mine["environment"]["SM_TRAINING_ENV"])["num_cpus"] == 1


def usable_gpus(look, tmp_path):
    tools = write_tool(tmp_path / "bin", "nvidia-smi", "GPU 0: NVIDIA A10G (UUID: GPU-1)\nGPU 1: NVIDIA A10G\n")
    theirs, mine = look(env={**tools, "NVIDIA_VISIBLE_DEVICES": "void"})
    assert theirs["environment"]["SM_NUM_GPUS"] == "2"
    assert mine["environment"]["SM_NUM_GPUS"] == "0"


def neuron_answers(look, tmp_path):
    theirs, mine = look(env=write_tool(tmp_path / "bin", "neuron-ls", "no devices\n"))
    assert theirs["error"].startswith("JSONDecodeError")
    assert mine["environment"]["SM_NUM_NEURONS"] == "0"


def second_spelling(look, tmp_path):
    theirs, mine = look(hyperparameters={"batch-size": "64", "a-b": "1", "a_b": "2"}, channels={"my.data": {}})
    assert "SM_HP_BATCH_SIZE" not in theirs["environment"]
    assert mine["environment"]["SM_HP_BATCH_SIZE"] == "64"
    assert mine["environment"]["SM_HP_A_B"] == "2" == theirs["environment"]["SM_HP_A_B"]
    assert mine["environment"]["SM_CHANNEL_MY_DATA"] == mine["environment"]["SM_CHANNEL_MY.DATA"]


def more_variables(look, tmp_path):
    def all_files(base):
        files = {"checkpointconfig": {"LocalPath": "/opt/ml/checkpoints"},
                 "tensorboardoutputconfig": {"LocalPath": "/opt/ml/output/tensorboard"},
                 "debughookconfig": {"LocalPath": "/opt/ml/output/tensors"},
                 "profilerconfig": {"S3OutputPath": "s3://b/p"},
                 "trainingjobconfig": {"StoppingCondition": {"MaxRuntimeInSeconds": 3600}},
                 "init-config": {"jobRunInfo": {"jobRunNumber": 2}}}
        for name, value in files.items():
            (base / f"input/config/{name}.json").write_text(json.dumps(value))
        drivers = base / "input/data/sm_drivers"
        drivers.mkdir(parents=True)
        (drivers / "sourcecode.json").write_text('{"entry_script": "train.py"}')
        (drivers / "distributed.json").write_text('{"process_count_per_node": 2}')

    theirs, mine = look(change=all_files, env={"AWS_REGION": "eu-west-1"})
    assert not set(EXCEPTIONS["additions"]) & set(theirs["environment"])
    assert set(EXCEPTIONS["additions"]) == set(mine["environment"]) - set(theirs["environment"])


def aws_region(look, tmp_path):
    theirs, mine = look(env={"AWS_REGION": "eu-west-1"})
    assert theirs["environment"]["SAGEMAKER_REGION"] == ""
    assert mine["environment"]["SAGEMAKER_REGION"] == "eu-west-1" == mine["environment"]["AWS_DEFAULT_REGION"]


def region_of_a_profile(look, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-north-1\n")
    theirs, mine = look(env={"HOME": str(tmp_path)})
    assert theirs["environment"]["SAGEMAKER_REGION"] == "eu-north-1"
    assert mine["environment"]["SAGEMAKER_REGION"] == ""


def names_that_are_numbers(look, tmp_path):
    theirs, mine = look(hyperparameters={"sagemaker_job_name": "123"})
    assert theirs["error"].startswith("TypeError")
    assert mine["environment"]["SAGEMAKER_JOB_NAME"] == "123"
    theirs, mine = look(hyperparameters={"sagemaker_region": "123"})
    assert theirs["error"].startswith("TypeError")
    assert mine["environment"]["SAGEMAKER_REGION"] == "123"
    _, mine = look(hyperparameters={"sagemaker_job_name": "1e5"})
    assert mine["environment"]["SAGEMAKER_JOB_NAME"] == "1e5"


def switches_that_say_no(look, tmp_path):
    theirs, mine = look(hyperparameters={"sagemaker_mpi_enabled": "False"})
    assert theirs["environment"]["SM_DISTRIBUTION_INSTANCE_GROUPS"] == '["homogeneousCluster"]'
    assert mine["environment"]["SM_DISTRIBUTION_INSTANCE_GROUPS"] == "[]"


def own_hyperparameters(look, tmp_path):
    theirs, mine = look(hyperparameters={"trainit_workers": "2", "x": "1"})
    assert theirs["arguments"] == ["--trainit_workers", "2", "-x", "1"]
    assert mine["arguments"] == ["-x", "1"]
    assert mine["environment"]["SM_HPS"] == '{"x":1}'


def python_path(look, tmp_path):
    theirs, mine = look()
    assert "site-packages" in theirs["environment"]["PYTHONPATH"]
    assert "PYTHONPATH" not in mine["environment"]


def values_that_are_too_long(look, tmp_path):
    theirs, mine = look(hyperparameters={f"h{number}": "x" * 2500 for number in range(60)})
    assert len(theirs["environment"]["SM_HPS"]) > 128 * 1024
    assert mine["left_out"] == ["SM_HPS", "SM_USER_ARGS", "SM_TRAINING_ENV"]
    assert not set(mine["left_out"]) & set(mine["environment"])
    assert mine["environment"]["SM_HP_H59"] == "x" * 2500


def deeply_nested_values(look, tmp_path):
    theirs, mine = look(change=lambda base: (base / "input/config/hyperparameters.json").write_text(
        '{"x": ' + 250 * "[" + 250 * "]" + "}"))
    assert theirs["environment"]["SM_HP_X"] == 250 * "[" + 250 * "]"
    assert "at most 200 levels of nesting" in mine["error"]
    inner = 250 * "[ " + 250 * "]"
    theirs, mine = look(hyperparameters={"x": inner})
    assert theirs["environment"]["SM_HP_X"] == 250 * "[" + 250 * "]"
    assert mine["environment"]["SM_HP_X"] == inner


def log_level_of_the_environment(look, tmp_path):
    theirs, mine = look(environment={"SAGEMAKER_CONTAINER_LOG_LEVEL": "abc"})
    assert theirs["error"].startswith("ValueError")
    assert mine["environment"]["SM_LOG_LEVEL"] == "20"


def missing_files(look, tmp_path):
    theirs, mine = look(change=lambda base: (base / "input/config/inputdataconfig.json").unlink())
    assert theirs["error"].startswith("FileNotFoundError")
    assert mine["environment"]["SM_CHANNELS"] == "[]"
    theirs, mine = look(change=lambda base: (base / "input/config/inputdataconfig.json").write_text(""))
    assert theirs["error"].startswith("JSONDecodeError")
    assert mine["environment"]["SM_CHANNELS"] == "[]"


def byte_order_mark(look, tmp_path):
    theirs, mine = look(change=lambda base: (base / "input/config/hyperparameters.json").write_bytes(
        b'\xef\xbb\xbf{"lr": "0.1"}'))
    assert theirs["error"].startswith("JSONDecodeError")
    assert mine["environment"]["SM_HP_LR"] == "0.1"


def contradicting_hosts(look, tmp_path):
    theirs, mine = look(resources={"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]})
    assert theirs["environment"]["SM_CURRENT_HOST"] == "algo-3"
    assert "not among" in mine["error"]


def channels_elsewhere(look, tmp_path):
    theirs, mine = look(channels={"/etc": {}})
    assert theirs["environment"]["SM_CHANNEL_/ETC"] == "/etc"
    assert "channel" in mine["error"]


def wrong_kinds(look, tmp_path):
    theirs, mine = look(resources={"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": 5})
    assert theirs["environment"]["SM_NETWORK_INTERFACE_NAME"] == "5"
    assert '"network_interface_name"' in mine["error"]
    _, mine = look(hyperparameters={"sagemaker_region": ["a"]})
    assert 'hyperparameter "sagemaker_region"' in mine["error"]
    _, mine = look(hyperparameters={"sagemaker_container_log_level": '"INFO"'})
    assert 'hyperparameter "sagemaker_container_log_level"' in mine["error"]


def empty_program(look, tmp_path):
    theirs, mine = look(hyperparameters={"sagemaker_program": '"train.py"'}, environment={"SAGEMAKER_PROGRAM": ""})
    assert theirs["environment"]["SM_MODULE_NAME"] == ""
    assert mine["environment"]["SM_MODULE_NAME"] == "train"
    assert theirs["environment"]["SM_USER_ENTRY_POINT"] == "train.py" == mine["environment"]["SM_USER_ENTRY_POINT"]


SHOWN = {
    "usable CPUs": usable_cpus,
    "usable GPUs": usable_gpus,
    "Neuron answers that are no JSON": neuron_answers,
    "second spelling": second_spelling,
    "more variables": more_variables,
    "AWS_REGION": aws_region,
    "region of a profile": region_of_a_profile,
    "job name or region that is a number": names_that_are_numbers,
    "switches that say no": switches_that_say_no,
    "trainit's own hyperparameters": own_hyperparameters,
    "PYTHONPATH": python_path,
    "values that are too long": values_that_are_too_long,
    "values that are nested too deeply": deeply_nested_values,
    "log level of the environment": log_level_of_the_environment,
    "files that are missing or empty": missing_files,
    "byte order mark": byte_order_mark,
    "hosts that contradict each other": contradicting_hosts,
    "channels that are no directory": channels_elsewhere,
    "values of the wrong kind": wrong_kinds,
    "empty SAGEMAKER_PROGRAM": empty_program,
}


def test_every_exception_is_shown():
    assert_documented("toolkit", SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_both_behave_as_the_exception_says(name, look, tmp_path):
    SHOWN[name](look, tmp_path)

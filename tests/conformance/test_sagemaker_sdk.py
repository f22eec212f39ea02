"""The real SageMaker Python SDK trains the example image in its local mode."""

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from trainit_testing import cache

pytestmark = pytest.mark.release_only

FIT = Path(__file__).parent / "sdk_fit.py"
# The engine is behind a socket of the file system.
WITHOUT_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@pytest.fixture
def fit(engine, pytorch_image, tmp_path):
    """Runs Estimator.fit(); gives the finished process and the directory that the SDK filled."""
    python = cache.peer("sagemaker-sdk")
    config = tmp_path / "sdk-config.yaml"
    config.write_text("SchemaVersion: '1.0'\n"
                      "SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n")
    output = tmp_path / "output"
    output.mkdir()
    # The SDK mounts no directory below /root, where the cache may be.
    channels = {name: str(shutil.copytree(cache.digits() / name, tmp_path / name)) for name in ("train", "test")}
    made_up = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up",
               "AWS_EC2_METADATA_DISABLED": "true", "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
               "HOME": str(tmp_path)}

    def run(hyperparameters, environment=None, *, image=pytorch_image, hosts=1):
        request = {"image": image, "hyperparameters": hyperparameters, "output": str(output),
                   "environment": environment or {}, "channels": channels, "hosts": hosts}
        done = subprocess.run([*WITHOUT_NETWORK, python, FIT, json.dumps(request)], env=engine.client_env | made_up, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        return done, output

    return run


def members(archive):
    with tarfile.open(archive) as content:
        return {name.removeprefix("./"): content.extractfile(member).read() if member.isfile() else None
                for name, member in zip(content.getnames(), content.getmembers())}


def test_fit_trains_with_all_kinds_of_hyperparameters_and_two_channels(fit):
    hyperparameters = {"epochs": 8, "batch-size": 64, "learning-rate": 0.1, "debug": True, "none": None,
                       "layers": [64, "a b"], "nested": {"k": {"deep": 1.5}}, "name": "it's $HOME `x` \"q\"",
                       "umlaut": "größe"}
    done, output = fit(hyperparameters, {"TRAINIT_WORKERS": "2"})
    assert done.returncode == 0, done.stdout
    assert "fitted: Completed" in done.stdout
    assert float(done.stdout.split("test_accuracy=")[1].split()[0]) > 0.9
    model = members(output / "model.tar.gz")
    assert {"model.pt", "weights.pt"} <= set(model)
    # The SDK sends Python's text of each value, and the example names the arguments that it has no use for.
    (unused,) = {line.partition("not used: ")[2] for line in done.stdout.splitlines() if "not used: " in line}
    assert unused == ("--debug True --layers [64, 'a b'] --name it's $HOME `x` \"q\" --nested {'k': {'deep': 1.5}} --none None "
                      "--umlaut größe")
    assert "success" in members(output / "output.tar.gz")


def test_values_reach_the_script_unchanged_through_the_sdk(fit):
    done, _ = fit({"epochs": 1, "odd": "it's $HOME `x` \"q\" ü"})
    assert done.returncode == 0, done.stdout
    # The example names the arguments that it has no use for.
    assert "not used: --odd it's $HOME `x` \"q\" ü" in done.stdout


def test_a_failing_fit_leaves_the_cause_in_the_output(fit):
    done, output = fit({"learning-rate": -1})
    assert done.returncode != 0
    assert "Process exited with code: 1" in done.stdout
    left = members(output / "output.tar.gz")
    assert "success" not in left
    assert "ValueError: learning rate must be positive" in left["failure"].decode().splitlines()[0]


# ---- two hosts: the first container to exit decides the job, and the other gets 10 s

def test_two_hosts_train_together_and_no_host_ends_the_job_before_the_other_is_done(fit):
    done, output = fit({"epochs": 4, "learning-rate": 0.1}, {"TRAINIT_WORKERS": "2"}, hosts=2)
    assert done.returncode == 0, done.stdout
    assert "fitted: Completed" in done.stdout
    assert "ranks 0–1 of 4" in done.stdout and "ranks 2–3 of 4" in done.stdout
    assert float(done.stdout.split("test_accuracy=")[1].split()[0]) > 0.8
    assert {"model.pt", "weights.pt"} <= set(members(output / "model.tar.gz"))
    left = members(output / "output.tar.gz")
    assert "success" in left and "failure" not in left
    assert done.stdout.count("trainit: success") == 2, done.stdout
    assert "file of the same name" not in done.stdout  # the SDK gives both the same model directory


def test_a_worker_that_raises_ends_both_hosts_and_each_names_the_workers_host_and_rank(fit, raising_image):
    done, output = fit({"epochs": 4}, {"TRAINIT_WORKERS": "2"}, image=raising_image, hosts=2)
    assert done.returncode != 0
    assert "Process exited with code: 1" in done.stdout
    left = members(output / "output.tar.gz")
    assert "success" not in left
    cause = r"algo-2-\w+ rank 3: RuntimeError: rank three is lost"
    assert re.match(cause, left["failure"].decode()), left["failure"].decode()
    assert len(re.findall(f"trainit: first cause: {cause}", done.stdout)) == 2, done.stdout

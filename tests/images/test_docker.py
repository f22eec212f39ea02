"""The images that this repository describes, built and run by a real Docker engine."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from trainit_testing import cache, jobs

pytestmark = pytest.mark.release_only

HOSTS_SECONDS = 150  # six Pythons that import torch, on a machine that has much to do

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def run_image(engine):
    """Runs an image over a job directory as the platform does: `docker run IMAGE train`, without network."""

    def run(image, job, *arguments, environment=None):
        flags = [f"--env={name}={value}" for name, value in (environment or {}).items()]
        return engine.docker("run", "--rm", "--network=none", f"--volume={job.base}:/opt/ml", *flags, image,
                             *arguments, check=False)

    return run


@pytest.fixture
def run_hosts(engine, tmp_path):
    """Runs an image on three hosts, which are containers of one network, to their ends; gives their jobs and what became
    of them, by name."""
    network = engine.docker("network", "create", "--driver=bridge", f"trainit-{os.getpid()}").stdout.strip()
    names = ("algo-1", "algo-2", "algo-3")
    made = []

    def run(image, hyperparameters, interface="eth0"):
        here = {}
        for name in names:
            resources = jobs.default_resources(names, name) | {"network_interface_name": interface}
            here[name] = jobs.lay_out(tmp_path / name, hyperparameters=hyperparameters, resources=resources, channels={
                channel: cache.digits() / channel for channel in ("train", "test")})
            made.append(engine.docker(
                "run", "--detach", f"--network={network}", f"--hostname={name}", f"--network-alias={name}",
                f"--volume={here[name].base}:/opt/ml", "--env=TRAINIT_WORKERS=2", "--env=TRAINING_JOB_NAME=digits",
                image, "train").stdout.strip())
        return here, dict(zip(names, map(end_of, made)))

    def end_of(container):
        code = int(engine.docker("wait", container, timeout=HOSTS_SECONDS).stdout)
        logs = engine.docker("logs", container)
        return subprocess.CompletedProcess(container, code, logs.stdout, logs.stderr)

    yield run
    if made:
        engine.docker("rm", "--force", *made)
    engine.docker("network", "rm", network)


def test_the_dockerfile_makes_an_image_with_one_static_file_and_the_probe(engine, trainit_image, tmp_path):
    container = engine.docker("create", trainit_image).stdout.strip()
    engine.docker("cp", f"{container}:/trainit", tmp_path / "trainit")
    listing = engine.docker("export", container, "--output", tmp_path / "all.tar")
    assert listing.returncode == 0
    names = subprocess.run(["tar", "-tf", tmp_path / "all.tar"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    # The engine itself adds mount points for what every container gets.
    added = {"dev", "etc", "proc", "sys", ".dockerenv"}
    assert {name.split("/")[0] for name in names} - added == {"trainit", "trainit-gpu-probe"}
    dynamic = subprocess.run(["readelf", "-d", tmp_path / "trainit"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    assert "NEEDED" not in dynamic


def test_the_image_from_scratch_starts(engine, trainit_image):
    assert engine.docker("run", "--rm", "--network=none", trainit_image, "--version").stdout.startswith("trainit ")


def test_the_pytorch_image_trains_two_workers_to_a_good_model(run_image, pytorch_image, digits_job):
    here = digits_job(**{"epochs": 8, "batch-size": 64, "learning-rate": 0.1})
    end = run_image(pytorch_image, here, "train", environment={"TRAINIT_WORKERS": "2"})
    assert end.returncode == 0, end.stdout + end.stderr
    assert float(end.stdout.split("test_accuracy=")[1].split()[0]) > 0.9
    assert here.success and here.failure is None
    assert (here.model / "model.pt").stat().st_size > 0


def test_the_model_of_the_pytorch_image_answers_when_loaded_for_serving(run_image, engine, pytorch_image,
                                                                       digits_job):
    here = digits_job(epochs=8)
    run_image(pytorch_image, here, "train")
    serve = """
import numpy, torch
table = numpy.loadtxt("/opt/ml/input/data/test/digits.csv", delimiter=",", dtype="float32")[:100]
model = torch.jit.load("/opt/ml/model/model.pt")
answers = model(torch.from_numpy(table[:, :64] / 16)).argmax(dim=1).numpy()
print((answers == table[:, 64]).mean())
"""
    end = engine.docker("run", "--rm", "--network=none", f"--volume={here.base}:/opt/ml",
                        "--entrypoint=python3", pytorch_image, "-c", serve)
    assert float(end.stdout) > 0.9


def test_an_image_of_nothing_but_a_cpp_trainer_learns_and_says_why_it_fails(run_image, cpp_image, digits_job):
    here = digits_job(epochs=10)
    end = run_image(cpp_image, here, "train")
    assert end.returncode == 0, end.stdout + end.stderr
    assert float(end.stdout.split("test_accuracy=")[1].split()[0]) > 0.9
    assert here.success and (here.model / "model.txt").stat().st_size > 0
    there = digits_job(epochs="ten")
    assert run_image(cpp_image, there, "train").returncode == 1
    assert not there.success
    assert 'hyperparameter "epochs" is a string ("ten")' in there.failure_reason


@pytest.mark.skipif(any(Path("/dev").glob("nvidia*")), reason="here it may have a GPU")
def test_the_image_for_gpus_brings_nccl_and_says_that_there_is_no_gpu(run_image, engine, nccl_image, digits_job):
    here = digits_job(epochs=1)
    end = run_image(nccl_image, here, "train")
    assert end.returncode == 1, end.stdout + end.stderr
    assert not here.success and here.failure.startswith("no CUDA device: ")
    known = engine.docker("run", "--rm", "--network=none", "--entrypoint=ldconfig", nccl_image, "-p").stdout
    assert "libnccl.so.2 " in known


def test_a_failing_container_tells_its_code_and_its_cause(run_image, pytorch_image, digits_job):
    here = digits_job(**{"learning-rate": -1.0})
    end = run_image(pytorch_image, here, "train")
    assert end.returncode == 1, end.stdout + end.stderr
    assert not here.success
    assert "ValueError: learning rate must be positive" in here.failure_reason.splitlines()[0]


@pytest.mark.parametrize("interface", ["eth0", "ethwe"])  # local mode of the SDK v3 says ethwe
def test_three_containers_train_together_also_when_the_platform_names_an_interface_that_is_not_there(
        run_hosts, pytorch_image, interface):
    jobs_of, ends = run_hosts(pytorch_image, {"epochs": 4, "batch-size": 32, "learning-rate": 0.1}, interface)
    for name, end in ends.items():
        assert (end.returncode, jobs_of[name].success, jobs_of[name].failure) == (0, True, None), f"{name}: {end}"
        first = 2 * (int(name[-1]) - 1)
        assert f"2 workers, ranks {first}–{first + 1} of 6" in end.stderr
        assert "control port" not in end.stderr, end.stderr
    assert float(ends["algo-1"].stdout.split("test_accuracy=")[1].split()[0]) > 0.85
    assert (jobs_of["algo-1"].model / "model.pt").stat().st_size > 0
    assert "test_accuracy" not in ends["algo-2"].stdout + ends["algo-3"].stdout


def test_a_worker_that_raises_in_one_container_ends_all_with_its_code_and_its_host_and_rank(run_hosts, raising_image):
    jobs_of, ends = run_hosts(raising_image, {"epochs": 4})
    for name, end in ends.items():
        assert (end.returncode, jobs_of[name].success) == (1, False), f"{name}: {end}"
        first = jobs_of[name].failure.splitlines()[0]
        assert re.match("algo-2 rank 3: RuntimeError: rank three is lost", first), f"{name}: {first}\n{end}"


def test_docker_stop_lets_the_script_write_a_checkpoint(engine, pytorch_image, digits_job):
    here = digits_job(epochs=100000)
    name = "trainit-stopped"
    container = engine.docker("run", "--detach", "--network=none", f"--volume={here.base}:/opt/ml",
                              "--env=TRAINIT_WORKERS=2", f"--name={name}", pytorch_image, "train").stdout.strip()
    follow_until(engine, container, "epoch 2 ")
    engine.docker("stop", "--time=10", container)
    state = json.loads(engine.docker("inspect", container).stdout)[0]["State"]
    log = engine.docker("logs", container)
    assert state["ExitCode"] == 0 and not state["OOMKilled"], log.stdout + log.stderr
    assert (here.output / "data/checkpoint/checkpoint.pt").exists()


def follow_until(engine, container, text):
    """Reads a container's log until a line has `text`."""
    with subprocess.Popen(["docker", "logs", "--follow", container], env=engine.client_env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as following:
        seen = []
        for line in following.stdout:
            seen.append(line)
            if text in line:
                following.kill()
                return
    raise AssertionError(f"{text!r} never came:\n{''.join(seen)}")

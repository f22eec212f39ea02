"""What a host's GPUs mean for its workers: how many there are, which of them each one sees, on which CPUs it runs.

The GPUs are those of a stand-in for NVIDIA's driver (tests/programs/fake_cuda)."""

import os
import re

import pytest


def lines(end):
    assert end.code == 0, end
    return sorted(re.sub(r"^\[rank \d+\] ", "", line) for line in end.out.splitlines())


SEEN = ["--", "sh", "-c", 'echo "$RANK $CUDA_VISIBLE_DEVICES"']


def test_all_gpus_stay_visible_to_every_worker(trainit, pid1, job, fake_gpus):
    assert lines(pid1([trainit, *SEEN], job=job(), env=fake_gpus("2"))) == ["0 ", "1 "]


@pytest.mark.parametrize("driver, chosen, workers, seen", [
    ("4", None, "gpu", ["0 0", "1 1", "2 2", "3 3"]),
    ("4", "3,1", "gpu", ["0 3", "1 1"]),
    ("mig", None, "gpu", [r"0 MIG-[0-9a-f-]+"]),
    ("2", None, "3", ["0 0", "1 1", "2 0"]),
])
def test_isolated_workers_see_one_gpu_each(trainit, pid1, job, fake_gpus, driver, chosen, workers, seen):
    env = fake_gpus(driver) | ({"CUDA_VISIBLE_DEVICES": chosen} if chosen else {})
    end = pid1([trainit, "--isolate-gpus", "--workers", workers, *SEEN], job=job(), env=env)
    found = lines(end)
    assert len(found) == len(seen)
    assert all(re.fullmatch(pattern, line) for pattern, line in zip(seen, found)), found


TWO_NODES = """
set -e
mount -t tmpfs none /sys/devices/system/node
mkdir -p /sys/devices/system/node/node0 /sys/devices/system/node/node1
echo "$FIRST" >/sys/devices/system/node/node0/cpulist
echo "$SECOND" >/sys/devices/system/node/node1/cpulist
mount -t tmpfs none /sys/bus/pci/devices
mkdir -p /sys/bus/pci/devices/0000:1a:00.0 /sys/bus/pci/devices/0000:1b:00.0
echo 1 >/sys/bus/pci/devices/0000:1a:00.0/numa_node
echo 0 >/sys/bus/pci/devices/0000:1b:00.0/numa_node
exec "$@"
"""


@pytest.mark.parametrize("bound", [True, False])
def test_workers_run_on_the_cpus_next_to_their_gpu_when_that_is_asked_for(trainit, pid1, job, fake_gpus, bound):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU cannot be divided among two nodes")
    first, second = str(cpus[0]), str(cpus[1])
    command = ["sh", "-c", 'echo "$RANK $(sed -n "s/^Cpus_allowed_list:[[:space:]]*//p" /proc/self/status)"']
    end = pid1(["unshare", "--mount", "sh", "-c", TWO_NODES, "sh", trainit, *(["--bind", "numa"] if bound else []),
                "--", *command], job=job(), env=fake_gpus("2") | {"FIRST": first, "SECOND": second})
    if bound:
        assert lines(end) == [f"0 {second}", f"1 {first}"]
    else:
        for line in lines(end):
            assert line.split()[1] not in (first, second)


def of_type(job, instance_type):
    return job(resources={"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": instance_type})


@pytest.mark.parametrize("instance_type, gpus, words", [
    ("ml.p5.48xlarge", "7", "--require-gpus: ml.p5.48xlarge has 8 GPUs, 7 found (by libcuda)"),
    ("ml.m5.xlarge", "0", "--require-gpus: this host has no GPU that a worker could use (by libcuda)"),
    ("local", "0", "--require-gpus: this host has no GPU that a worker could use (by libcuda)"),
])
def test_too_few_gpus_are_fatal_when_that_is_asked_for(trainit, pid1, job, fake_gpus, instance_type, gpus, words):
    here = of_type(job, instance_type)
    end = pid1([trainit, "--require-gpus", "--", "echo", "started"], job=here, env=fake_gpus(gpus))
    assert end.code == 125 and end.out == "" and here.failure_reason == words


def test_a_choice_that_leaves_no_gpu_is_named_when_gpus_are_asked_for(trainit, pid1, job, fake_gpus):
    here = of_type(job, "ml.p5.48xlarge")
    end = pid1([trainit, "--require-gpus", "--", "echo", "started"], job=here,
               env=fake_gpus("8") | {"CUDA_VISIBLE_DEVICES": "9"})
    assert end.code == 125 and end.out == ""
    assert here.failure_reason == ("--require-gpus: this host has no GPU that a worker could use "
                                   "(CUDA_VISIBLE_DEVICES=9, by libcuda)")


@pytest.mark.parametrize("chosen, named, found", [("9", "1 GPU", 0), ("0,9,1", "3 GPUs", 1)])
def test_a_choice_that_names_gpus_that_are_not_there_is_a_warning(trainit, pid1, job, fake_gpus, chosen, named, found):
    end = pid1([trainit, "--", "true"], job=job(), env=fake_gpus("8") | {"CUDA_VISIBLE_DEVICES": chosen})
    assert end.code == 0
    assert any(f"warning: CUDA_VISIBLE_DEVICES={chosen} names {named}, and CUDA finds {found}: " in line
               for line in end.err.splitlines()), end.err


@pytest.mark.parametrize("chosen", ["", "-1", "0,1", "0,-1", "NoDevFiles"])
def test_a_choice_of_what_is_there_or_of_nothing_is_no_warning(trainit, pid1, job, fake_gpus, chosen):
    end = pid1([trainit, "--", "true"], job=job(), env=fake_gpus("8") | {"CUDA_VISIBLE_DEVICES": chosen})
    assert end.code == 0 and "CUDA finds" not in end.err


@pytest.mark.parametrize("instance_type, gpus, chosen", [
    ("ml.p5.48xlarge", "8", None), ("ml.p5.48xlarge", "8", "1"), ("ml.unheard.of", "1", None),
    ("ml.p4d.24xlarge", "mig", None)])
def test_enough_gpus_or_a_choice_of_fewer_are_fine(trainit, pid1, job, fake_gpus, instance_type, gpus, chosen):
    env = fake_gpus(gpus) | ({"CUDA_VISIBLE_DEVICES": chosen} if chosen else {})
    assert pid1([trainit, "--require-gpus", "--", "true"], job=of_type(job, instance_type), env=env).code == 0


def test_fewer_gpus_than_the_machine_has_are_a_warning_otherwise(trainit, pid1, job, fake_gpus):
    end = pid1([trainit, "--", "true"], job=of_type(job, "ml.p5.48xlarge"), env=fake_gpus("7"))
    assert end.code == 0
    assert any(re.search("warning: .*p5.48xlarge has 8 GPUs, 7 found", line) for line in end.ours), end.err


@pytest.mark.parametrize("gpus, words", [("4", True), ("1", False)])
def test_one_process_for_several_gpus_is_said_with_the_way_to_one_for_each(trainit, pid1, job, fake_gpus, gpus, words):
    here = job(hyperparameters={"sagemaker_program": "train.sh"}, code={"train.sh": "true\n"})
    end = pid1([trainit], job=here, env=fake_gpus(gpus))
    assert end.code == 0
    said = [line for line in end.ours if line.startswith("one process for")]
    assert bool(said) == words
    assert not words or said[0].startswith("one process for 4 GPUs") and "--workers gpu" in said[0]


def groups(job, current, distribution):
    """A job of two instance groups, of which one is to be distributed."""
    hosts = {"a": ["algo-1"], "b": ["algo-3"]}
    return job(
        hyperparameters={"sagemaker_program": "train.sh", "sagemaker_torch_distributed_enabled": True,
                         "sagemaker_distribution_instance_groups": distribution},
        code={"train.sh": 'echo "worker ${RANK-alone} of host $SM_CURRENT_HOST_RANK"\n'},
        resources={"current_host": current, "hosts": ["algo-1", "algo-3"], "current_group_name": "a",
                   "instance_groups": [{"instance_group_name": name, "instance_type": "ml.m5.large", "hosts": members}
                                       for name, members in hosts.items()]})


def test_a_host_outside_the_distributions_groups_runs_the_script_as_one_plain_process(pid1, trainit, fake_gpus, job):
    inside = pid1([trainit], job=groups(job, "algo-1", ["a"]), env=fake_gpus("4"))
    assert inside.code == 0, inside
    assert sorted(re.findall(r"worker .*", inside.out)) == [f"worker {rank} of host 0" for rank in range(4)]
    outside = pid1([trainit], job=groups(job, "algo-1", ["b"]), env=fake_gpus("4"))
    assert (outside.code, outside.out) == (0, "worker alone of host -1\n"), outside

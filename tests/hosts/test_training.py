"""Real PyTorch trains the example script over three hosts."""

import pytest
from trainit_testing import cache
from trainit_testing.example_scripts import TRAIN, raising
from trainit_testing.host_ends import TOLD, assert_failed, assert_well

TRAINED = 150  # six Pythons that import torch, on two cores that others use too


def begin(hosts, launch, code=None, **hyperparameters):
    for host in hosts:
        host.lay_out(hyperparameters=hyperparameters, code=code,
                     channels={name: cache.digits() / name for name in ("train", "test")})
        script = host.job.code / "train.py" if code else TRAIN
        launch(host, "--workers", "2", "--args", "toolkit", "--", "/usr/bin/python3",
               "/opt/ml/code/train.py" if code else script, env={"OMP_NUM_THREADS": "1"})


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_six_workers_on_three_hosts_learn_together(cluster, launch, ipv6):
    hosts = cluster(3, lay_out=False, ipv6=ipv6)
    begin(hosts, launch, **{"epochs": 4, "batch-size": 32, "learning-rate": 0.1})
    ends = assert_well(hosts, within=TRAINED)
    assert float(ends["algo-1"].out.split("test_accuracy=")[1].split()[0]) > 0.85
    assert (hosts["algo-1"].job.model / "model.pt").exists()
    assert "test_accuracy" not in ends["algo-2"].out + ends["algo-3"].out


def test_a_worker_that_raises_is_the_cause_and_not_its_peers_whose_connections_close(cluster, launch):
    hosts = cluster(3, lay_out=False)
    begin(hosts, launch, code={"train.py": raising(rank=3, text="rank three is lost")}, epochs=4)
    for host in hosts:
        host.run.wait_for("rank 3", stream="err", timeout=TRAINED)
    assert_failed(hosts, 1, "^algo-2 rank 3: RuntimeError: rank three is lost", within=2 * TOLD)

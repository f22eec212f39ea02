"""A leader of more hosts than tests can start: tests/programs/hosts_load plays their launchers."""

from trainit_testing import host_crowd
from trainit_testing.ports import free_port

HOSTS = 150
OPEN_FILES = (40, 4000)  # soft, and as far as it may be raised

WORKER = """
import resource, signal
open("seen", "w").write(str(resource.getrlimit(resource.RLIMIT_NOFILE)))
signal.pause()
"""


def test_a_leader_has_a_descriptor_for_every_host_and_its_workers_keep_their_limit(trainit, program, start, tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    worker, port = ["/usr/bin/python3", "worker.py"], free_port()
    limited = ["prlimit", f"--nofile={OPEN_FILES[0]}:{OPEN_FILES[1]}"]
    leader = start([*limited, trainit, *host_crowd.leader_options(HOSTS, port), "--", *worker],
                   env={"TRAINING_JOB_NAME": host_crowd.JOB, "SAGEMAKER_BASE_DIR": str(tmp_path)}, cwd=tmp_path)
    result = host_crowd.load(program("hosts_load"), trainit, leader, port, HOSTS, worker, rest=2)
    end = leader.wait()
    assert end.code == 7 and f"first cause: node-{HOSTS - 1} rank {HOSTS - 1}: ended with code 7" in end.err
    assert "cannot accept connections" not in end.err and result["turned_away"] == 0
    assert (tmp_path / "seen").read_text() == str(OPEN_FILES)

"""Thousands of hosts for one real leader: tests/programs/hosts_load plays the launchers of all others.

    leader = start([trainit, *host_crowd.leader_options(1000, port), "--", *PROGRAM], env={"TRAINING_JOB_NAME": JOB, …})
    result = host_crowd.load(program("hosts_load"), trainit, leader, port, 1000, PROGRAM)

What the result has: see the head of tests/programs/hosts_load/main.cc.
"""

import json
import subprocess

JOB = "crowd"


def leader_options(hosts, port):
    return ["--nnodes", str(hosts), "--node-rank", "0", "--leader", "127.0.0.1", "--control-port", str(port)]


def facts(trainit, program):
    """What all hosts have to agree in, as the leader reports it."""
    version = subprocess.run([trainit, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1]
    return {"the version of trainit": version, "the program": " ".join(program), "whether workers get ranks": "they do",
            "--max-restarts": "0"}


def load(hosts_load, trainit, leader, port, hosts, program, rest=0.1):
    """Runs a job of so many hosts to its end, in which a worker fails with code 7; what that took of the leader."""
    leader.wait_for("the hosts know each other", stream="err")
    words = [f"{name}={value}" for name, value in facts(trainit, program).items()]
    end = subprocess.run([str(word) for word in (hosts_load, port, leader.pid, hosts, JOB, rest, *words)],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert end.returncode == 0, f"{hosts} hosts: {end.stderr.strip()}\n{leader.output()}"
    return json.loads(end.stdout)

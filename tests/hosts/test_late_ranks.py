"""Workers that do not come to the rendezvous, over three hosts: the leader names those of the job, each host its own.

Each host has pids of its own, and so workers of different hosts have the same ones.
"""

import json
import re

import pytest
from trainit_testing import store_client
from trainit_testing.host_ends import TOLD, assert_well
from trainit_testing.host_scripts import GO, let_go

#: Enough for six workers to start and meet; where it was not, there is more the next time.
SECONDS = (2, 8, 32)
MET = 30

# LATE has the ranks that wait in each round for a file which `let` makes on their host. All of them meet then.
WORKER = f"""
import os, sys, time
sys.path.insert(0, {store_client.SEARCH_PATH!r})
from trainit_testing.store_client import Client
RANK, ROUND = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
print("pid", os.getpid(), flush=True)
while RANK in LATE[ROUND] and not os.path.exists(f"{{os.environ['SM_MODEL_DIR']}}/go{{ROUND}}"):
    time.sleep(0.02)
store = Client.of_worker()
store.join()
store.set(f"rank {{RANK}}", "is there")
store.wait(*[f"rank {{rank}}" for rank in range(6)])
"""
LATE = r"^trainit: warning: after [\d.]+ s: (.*)$"


@pytest.fixture
def told_late(cluster, launch):
    """told_late(SCRIPT, SAID, OPTION, …): three hosts whose leader says this of who is late."""
    def begin(script, said, *options):
        hosts = cluster(3)
        for seconds in SECONDS:
            for host in hosts:
                launch(host, "--workers", "2", "--late-after", f"{seconds}s", *options, "--", "python3", "-S", "-c", script)
            told = hosts["algo-1"].run.wait_for(LATE, stream="err")[1]
            if told == said:
                return hosts
            for host in hosts:
                host.run.end()
        raise AssertionError(f"{told!r} instead of {said!r}")

    return begin


def let(hosts, name):
    for host in hosts:
        (host.job.model / name).touch()


def lines(end, *, about="reached init_process_group"):
    return [re.sub(r"after \S+ s(ec)?", "after a while", line) for line in end.ours if about in line]


def events(host):
    """What its record has of who has come."""
    (file,) = (host.job.output / "data/trainit").glob("*.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [(event["joined"], event["workers"], event.get("missing")) for event in found if event["event"] == "rendezvous"]


def test_late_ranks_of_the_leader_and_of_a_follower_are_named_and_that_they_have_come(told_late):
    hosts = told_late(f"LATE = [(1, 3)]{WORKER}",
                      "ranks 1 (algo-1) and 3 (algo-2) have not reached init_process_group")
    hosts["algo-2"].run.wait_for(LATE, stream="err")
    let(hosts, "go0")
    ends = assert_well(hosts, within=MET)
    pids = {name: sorted(map(int, re.findall(r"pid (\d+)", end.out))) for name, end in ends.items()}
    # Rank 5, which came at once, has the same pid on algo-3 as each of the late ones on its host.
    assert pids["algo-1"] == pids["algo-2"] == pids["algo-3"], pids
    assert {name: lines(end) for name, end in ends.items()} == {
        "algo-1": ["warning: after a while: ranks 1 (algo-1) and 3 (algo-2) have not reached init_process_group",
                   "all 6 workers have reached init_process_group after a while"],
        "algo-2": ["warning: after a while: rank 3 has not reached init_process_group",
                   "all 2 workers of this host have reached init_process_group after a while"],
        "algo-3": []}
    assert {host.name: events(host) for host in hosts} == {
        "algo-1": [(4, 6, [1, 3]), (6, 6, None)], "algo-2": [(1, 2, [3]), (2, 2, None)], "algo-3": []}
    assert not any("none ever joined" in end.err for end in ends.values())


def test_who_was_there_in_one_round_may_be_late_in_the_next(told_late):
    script = f"LATE = [(3,), (0, 4)]{WORKER}\nif RANK == 2 and ROUND == 0: sys.exit(7)"
    hosts = told_late(script, "rank 3 (algo-2) has not reached init_process_group",
                      "--max-restarts", "1", "--restart-delay", "0")
    let(hosts, "go0")
    for name, count in (("algo-1", 2), ("algo-3", 1)):
        hosts[name].run.wait_for(LATE, stream="err", count=count)
    let(hosts, "go1")
    ends = assert_well(hosts, within=MET)
    told = {name: [line for line in lines(end) if "warning" in line] for name, end in ends.items()}
    assert told == {
        "algo-1": ["warning: after a while: rank 3 (algo-2) has not reached init_process_group",
                   "warning: after a while: ranks 0 (algo-1) and 4 (algo-3) have not reached init_process_group"],
        "algo-2": ["warning: after a while: rank 3 has not reached init_process_group"],
        "algo-3": ["warning: after a while: rank 4 has not reached init_process_group"]}


def test_when_none_of_any_host_comes_the_leader_says_what_to_do(cluster, begin):
    hosts = cluster(3)
    begin(hosts, GO, "--late-after", "300ms")
    hosts["algo-1"].run.wait_for(LATE, stream="err")
    let_go(*hosts)
    ends = assert_well(hosts, within=TOLD)
    hint = "if they are not meant to work together, use --workers 1"
    assert {name: lines(end, about=hint) for name, end in ends.items()} == {
        "algo-1": [f"warning: after a while: none of the 6 workers has reached init_process_group: {hint}",
                   f"6 workers, none ever joined the rendezvous: {hint}"],
        "algo-2": [], "algo-3": []}


MEET_AT_RANK_0 = """
import os, socket, sys, time
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if os.environ["RANK"] == "0":
    server = socket.create_server(("", address[1]))
    for _ in range(5):
        server.accept()[0].sendall(b"rank 0")
else:
    while True:
        try: peer = socket.create_connection(address, 10)
        except ConnectionRefusedError: time.sleep(0.05)
        else: break
    print("served by", peer.recv(99).decode(), os.environ["TORCHELASTIC_USE_AGENT_STORE"], flush=True)
time.sleep(0.5)
"""


def test_with_worker_store_rank_0_serves_workers_of_all_hosts_and_nobody_is_late(cluster, launch):
    hosts = cluster(3)
    for host in hosts:
        launch(host, "--workers", "2", "--worker-store", "--late-after", "100ms", "--", "python3", "-S", "-c", MEET_AT_RANK_0)
    ends = assert_well(hosts, within=MET)
    assert [end.out.count("served by rank 0 False") for end in ends.values()] == [1, 2, 2]
    assert not any("init_process_group" in end.err or "rendezvous" in end.err for end in ends.values())


def test_hosts_with_one_worker_that_come_to_no_store_are_not_late(cluster, begin):
    hosts = cluster(2)
    begin(hosts, "sleep 0.7", "--late-after", "100ms", workers=1)
    ends = assert_well(hosts, within=MET)
    assert not any("init_process_group" in end.err or "--workers 1" in end.err for end in ends.values())

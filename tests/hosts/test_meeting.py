"""How hosts find each other, who gets which ranks, and what happens when they do not come together."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import time
from pathlib import Path

import pytest
from trainit_testing import jobs
from trainit_testing.host_ends import LOST, SET_UP_FAILED, TOLD, assert_failed, assert_nothing_left, assert_well
from trainit_testing.host_scripts import GO, STAY, UP, let_go, wait_until_up
from trainit_testing.waiting import wait_until

CONTROL_PORT = 29400
OPEN_TO_ATTACKERS = "which keeps strays out but no attacker"
MET = 30  # three hosts have met, on a machine that has much to do

SHOW = """python3 -S -c '
import os, socket
store = socket.create_connection((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])), 10)
store.sendall(b"\\x00\\xce\\xf7\\x85\\x3c" + b"\\x0dPING")
assert store.recv(4) == b"PING"
names = "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE"
print("ranks", *(os.environ[name] for name in names), "at", os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"])'"""


# Where the store listens, as rank 0 sees it.
LISTENS = ('; if [ "$RANK" = 0 ]; then ss -Hltn "sport = :$MASTER_PORT" | '
           'while read -r _ _ _ at _; do echo "listens at ${at%:*}"; done; fi')


def listening(end):
    return sorted(re.findall(r"listens at (\S+)", end.out))


def ranks_of(end):
    """What the workers of a host showed, in order of their ranks; and where all of them meet."""
    shown = re.findall(r"ranks ([\d ]+) at (\S+) (\d+)$", end.out, re.MULTILINE)
    return sorted(tuple(map(int, numbers.split())) for numbers, *_ in shown), {tuple(place) for _, *place in shown}


def ledger_of(host):
    (file,) = (host.job.output / "data/trainit").glob("*.jsonl")
    (ledger,) = [event for event in map(json.loads, file.read_text().splitlines()) if event["event"] == "ledger"]
    return ledger


# ---- ranks

def test_ranks_are_contiguous_also_when_hosts_have_different_numbers_of_workers(cluster, launch):
    hosts = cluster(3)
    for host, workers in zip(hosts, (1, 3, 2)):
        launch(host, "--", "sh", "-c", SHOW, env={"TRAINIT_WORKERS": str(workers)})
    shown = [ranks_of(end) for end in assert_well(hosts, within=MET).values()]
    assert [ranks for ranks, _ in shown] == [
        [(0, 0, 6, 1, 0, 3)],
        [(1, 0, 6, 3, 1, 3), (2, 1, 6, 3, 1, 3), (3, 2, 6, 3, 1, 3)],
        [(4, 0, 6, 2, 2, 3), (5, 1, 6, 2, 2, 3)]]
    assert len({place for _, places in shown for place in places}) == 1  # all meet at one place


@pytest.mark.parametrize("chosen, names", [
    ([], ["algo-1", "algo-2", "algo-10"]),
    (["--leader", "algo-2"], ["algo-2", "algo-1", "algo-10"]),
], ids=["the first leads", "another leads"])
def test_hosts_are_ranked_by_their_numbers_behind_the_one_that_leads(cluster, begin, chosen, names):
    hosts = cluster(names=["algo-10", "algo-2", "algo-1"])
    begin(hosts, SHOW, *chosen, workers=1)
    ends = assert_well(hosts, within=MET)
    for rank, name in enumerate(names):
        ranks, places = ranks_of(ends[name])
        assert ranks[0][0] == rank and [address for address, _ in places] == [hosts[names[0]].address], ends[name]
        source = "resourceconfig.json and --leader" if chosen else "resourceconfig.json"
        said = f"3 hosts, by {source}: {names[0]} leads, this is host {rank} of them, from 0"
        assert said in ends[name].ours, ends[name]


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_three_hosts_form_one_group(cluster, begin, ipv6):
    hosts = cluster(3, ipv6=ipv6)
    begin(hosts, SHOW + LISTENS + '; echo "nccl $NCCL_COMM_ID"', "--nccl-comm-id")
    ends = assert_well(hosts, within=MET)
    own = f"[{hosts[0].address}]" if ipv6 else hosts[0].address
    assert listening(ends["algo-1"]) == sorted(["127.0.0.1", "[::1]", own])
    ids = [re.findall(r"nccl (\S+):(\d+)$", end.out, re.MULTILINE) for end in ends.values()]
    assert ids == 3 * [2 * ids[0][:1]] and ids[0][0][0] == own, ends
    assert [rank[0] for end in ends.values() for rank in ranks_of(end)[0]] == [0, 1, 2, 3, 4, 5]
    for name, end in ends.items():
        assert re.search(rf"job digits · host {name} \({name[-1]} of 3\)", end.err), end
        assert OPEN_TO_ATTACKERS in end.err, end


def test_hosts_that_are_only_numbered_form_one_group_and_all_their_workers_are_served(cluster, launch):
    hosts = cluster(3, lay_out=False)
    for index, host in enumerate(hosts):
        host.lay_out(resources=None)
        leader = "algo-1" if index == 2 else hosts[0].address
        launch(host, "--workers", "2", "--nnodes", "3", "--node-rank", str(index), "--leader", leader, "--",
               "sh", "-c", SHOW + LISTENS, env={"TRAINING_JOB_NAME": ""})
    ends = assert_well(hosts, within=MET)
    assert listening(ends["algo-1"]) == ["0.0.0.0", "[::]"]  # nobody says which interface is between them
    assert [rank[0] for end in ends.values() for rank in ranks_of(end)[0]] == [0, 1, 2, 3, 4, 5]
    assert not any("does not serve" in end.err for end in ends.values())
    unguarded = "the job has no name and no TRAINIT_JOB_KEY: hosts of another one are let in that has as many"
    assert all(any(line.startswith("3 hosts, by --nnodes: ") for line in end.ours) for end in ends.values())
    assert all(unguarded in end.ours and OPEN_TO_ATTACKERS not in end.err for end in ends.values())


def test_hosts_of_the_distributions_groups_form_one_group_and_one_outside_runs_for_itself(cluster, launch):
    hosts = cluster(3, lay_out=False)
    groups = {"gpu": ["algo-3", "algo-1"], "cpu": ["algo-2"]}  # in no order, as on the platform
    # The one outside fails, while the others run.
    script = ('import os, sys, time\nprint("ranks", os.environ.get("RANK"), os.environ.get("WORLD_SIZE"), flush=True)\n'
              'if "RANK" not in os.environ: sys.exit(3)\n'
              'while not os.path.exists(os.environ["SM_MODEL_DIR"] + "/go"): time.sleep(0.05)')
    for host in hosts:
        resources = jobs.default_resources(hosts.names, host.name)
        resources["current_group_name"] = "cpu" if host.name in groups["cpu"] else "gpu"
        resources["instance_groups"] = [{"instance_group_name": name, "instance_type": "ml.m5.xlarge", "hosts": members}
                                        for name, members in groups.items()]
        host.lay_out(resources=resources, code={"train.py": script}, hyperparameters={
            "sagemaker_program": "train.py", "sagemaker_torch_distributed_enabled": True,
            "sagemaker_distribution_instance_groups": ["gpu"]})
        launch(host, "train")
    for name in ("algo-1", "algo-3"):
        hosts[name].run.wait_for("ranks")
    outside = assert_failed(hosts, 3, "^algo-2 rank 0: ", within=TOLD, names=["algo-2"])["algo-2"]
    assert outside.out == "ranks None None\n"
    assert "2 hosts, by resourceconfig.json: algo-1 leads, and this host takes no part in what they do together" in outside.ours
    let_go(hosts["algo-1"], hosts["algo-3"])
    ends = assert_well(hosts, within=TOLD, names=["algo-1", "algo-3"])
    assert [end.out for end in ends.values()] == ["ranks 0 2\n", "ranks 1 2\n"]
    assert_nothing_left(hosts)


def test_strangers_are_not_served_by_the_store(cluster, begin):
    hosts = cluster(3)
    begin(hosts, SHOW + "; " + STAY)
    hosts["algo-1"].run.wait_for(r"ranks .* at (\S+) (\d+)$", count=2)
    (place,) = ranks_of(hosts["algo-1"].run)[1]
    with hosts.switch.connect(place[0], int(place[1])) as stranger:
        stranger.sendall(b"\x00\xce\xf7\x85\x3c\x0dPING")
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(4) == b""
    hosts["algo-1"].run.wait_for(f"the rendezvous store does not serve {re.escape(hosts.switch.address)}", stream="err")
    hosts["algo-1"].run.signal(signal.SIGTERM)  # it stops the job on all of them
    ends = [host.run.wait(TOLD) for host in hosts]
    assert ends[0].err.count("does not serve") == 1


def test_a_job_on_one_host_opens_no_control_port(cluster, begin):
    hosts = cluster(1)
    with hosts[0].listen(CONTROL_PORT):
        begin(hosts, SHOW)
        assert_well(hosts, within=MET)


def test_script_mode_without_ranks_ends_together_too(cluster, launch):
    hosts = cluster(3, lay_out=False)
    script = ('import os, sys, time\nprint("up 0", flush=True)\n'
              'while not os.path.exists(os.environ["SM_MODEL_DIR"] + "/go"): time.sleep(0.05)\n'
              'sys.exit(5 if os.environ["SM_CURRENT_HOST"] == "algo-2" else "RANK" in os.environ)')
    for host in hosts:
        host.lay_out(hyperparameters={"sagemaker_program": "train.py"}, code={"train.py": script})
        launch(host, "train")
    wait_until_up(hosts, workers=1)
    let_go(hosts["algo-1"], hosts["algo-3"])
    time.sleep(1)
    assert all(host.run.process.poll() is None for host in hosts)
    let_go(hosts["algo-2"])
    assert_failed(hosts, 5, "^algo-2.*(exit|ended with) code 5", within=TOLD)


def test_without_ranks_a_worker_that_was_stopped_for_another_host_is_no_cause_in_the_record(cluster, launch):
    hosts = cluster(3, lay_out=False)
    script = ('import os, sys, time\nprint("up 0", flush=True)\n'
              'while not os.path.exists(os.environ["SM_MODEL_DIR"] + "/go"): time.sleep(0.05)\nsys.exit(5)')
    for host in hosts:
        host.lay_out(hyperparameters={"sagemaker_program": "train.py"}, code={"train.py": script})
        launch(host, "train")
    wait_until_up(hosts, workers=1)
    let_go(hosts["algo-2"])
    assert_failed(hosts, 5, "^algo-2 rank 0: ", within=TOLD)
    for host in hosts:
        (file,) = (host.job.output / "data/trainit").glob("*.jsonl")
        (evidence,) = [event for event in map(json.loads, file.read_text().splitlines()) if event["event"] == "evidence"]
        assert evidence["class"] == ("cause" if host.name == "algo-2" else "stopped"), (host.name, evidence)


# ---- late, or never

@pytest.mark.parametrize("dns", [False, True], ids=["hosts file", "name server"])
def test_names_that_come_20_s_late_are_waited_for(cluster, begin, dns):
    hosts = cluster(3, known=False, dns=dns)
    begin(hosts, SHOW)
    hosts["algo-1"].run.wait_for(r"waiting for 2 of 3 hosts: algo-2 \(no address yet\), algo-3 \(no address yet\)", stream="err")
    for name in ("algo-2", "algo-3"):
        hosts[name].run.wait_for(r"waiting: the leader algo-1 has no address yet", stream="err")
    time.sleep(20)
    assert all(host.run.process.poll() is None for host in hosts)
    hosts.announce(*hosts)
    ends = assert_well(hosts, within=MET)
    assert [rank[0] for end in ends.values() for rank in ranks_of(end)[0]] == [0, 1, 2, 3, 4, 5]


def test_a_host_that_comes_before_its_name_has_an_address_is_no_stranger(cluster, begin):
    hosts = cluster(3, known=False)
    hosts.announce(hosts["algo-1"])
    begin(hosts, SHOW)
    for name in ("algo-2", "algo-3"):
        hosts[name].run.wait_for("waiting: the leader algo-1 ended", stream="err")
    hosts.announce(*hosts)
    ends = assert_well(hosts, within=MET)
    assert "control port" not in ends["algo-1"].err, ends["algo-1"]


def test_a_host_whose_name_had_another_hosts_address_is_no_stranger_when_it_has_its_own(cluster, begin):
    hosts = cluster(2, known=False)
    own, hosts["algo-2"].address = hosts["algo-2"].address, "10.77.0.99"
    hosts.announce(*hosts)
    hosts["algo-2"].address = own
    begin(hosts, SHOW, "--meet-timeout", "40s")
    hosts["algo-1"].run.wait_for(r"waiting for 1 of 2 hosts: algo-2 \(not heard from\)", stream="err")
    hosts["algo-2"].run.wait_for("waiting: the leader algo-1 ended", stream="err")
    hosts.announce(*hosts)
    assert_well(hosts, within=MET)


def test_a_host_that_starts_late_is_waited_for(cluster, begin):
    hosts = cluster(3)
    begin([hosts["algo-1"], hosts["algo-3"]], SHOW)
    for name in ("algo-1", "algo-3"):
        hosts[name].run.wait_for(r"waiting for 1 of 3 hosts: algo-2 \(not heard from\)", stream="err")
    begin([hosts["algo-2"]], SHOW)
    assert_well(hosts, within=MET)


def test_a_leader_that_starts_late_is_waited_for(cluster, begin):
    hosts = cluster(3)
    followers = [hosts["algo-2"], hosts["algo-3"]]
    begin(followers, SHOW)
    for host in followers:
        host.run.wait_for(rf"algo-1.*{CONTROL_PORT}", stream="err")  # which refuses that port
    begin([hosts["algo-1"]], SHOW)
    assert_well(hosts, within=MET)


@pytest.mark.parametrize("missing", ["algo-1", "algo-3"], ids=["leader", "follower"])
def test_a_host_that_never_comes_is_named_when_the_time_to_meet_is_over(cluster, begin, missing):
    hosts = cluster(3)
    there = [host for host in hosts if host.name != missing]
    begin(there, STAY, "--meet-timeout", "4s")
    said = f"the leader {missing} refuses port {CONTROL_PORT}" if missing == "algo-1" else rf"{missing} \(not heard from\)"
    ends = assert_failed(hosts, SET_UP_FAILED, said, within=4 + LOST, names=[host.name for host in there])
    assert not any("up" in end.out for end in ends.values())
    for host in there:
        ledger = ledger_of(host)
        assert ledger["waiting_for_hosts"] > 3.5 and ledger["training"] == ledger["after_the_end"] == 0, ledger
        assert 0 < ledger["set_up"] <= ends[host.name].seconds - ledger["waiting_for_hosts"], ledger
    assert_nothing_left(hosts)


def test_a_leader_that_never_has_an_address_is_named_with_that_when_the_time_to_meet_is_over(cluster, begin):
    hosts = cluster(2, known=False)
    begin([hosts["algo-2"]], STAY, "--meet-timeout", "2s")
    assert_failed(hosts, SET_UP_FAILED, "the leader algo-1 has no address yet", within=2 + LOST, names=["algo-2"])


@pytest.mark.parametrize("stopped, other", [("algo-1", "algo-2"), ("algo-2", "algo-1")], ids=["leader", "follower"])
def test_a_stop_at_one_host_while_hosts_are_waited_for_is_the_end_of_all_that_are_there(cluster, begin, stopped, other):
    hosts = cluster(3)
    begin([hosts["algo-1"], hosts["algo-2"]], STAY)
    for name in ("algo-1", "algo-2"):
        hosts[name].run.wait_for("waiting for 1 of 3 hosts: algo-3", stream="err")
    hosts[stopped].run.signal(signal.SIGTERM)
    said = "stopped by SIGTERM before any worker was started"
    ends = assert_failed(hosts, 143, f"^{said}", within=TOLD, names=[stopped])
    ends |= assert_failed(hosts, 143, f"^{stopped}: {said}", within=TOLD, names=[other])
    assert not any("up" in end.out for end in ends.values())
    assert_nothing_left(hosts)


def test_a_stop_while_hosts_are_waited_for_ends_at_once(cluster, begin):
    hosts = cluster(3)
    there = [hosts["algo-1"], hosts["algo-2"]]
    begin(there, STAY)
    hosts["algo-2"].run.wait_for("waiting for", stream="err")
    hosts["algo-1"].run.wait_for("waiting for", stream="err")
    for host in there:
        host.run.signal(signal.SIGTERM)
    assert_failed(hosts, 143, "SIGTERM", within=TOLD, names=["algo-1", "algo-2"])
    assert_nothing_left(hosts)


def test_a_host_that_is_killed_while_others_are_waited_for_may_come_again(cluster, begin):
    hosts = cluster(3)
    there = [hosts["algo-1"], hosts["algo-2"]]
    begin(there, SHOW)
    hosts["algo-1"].run.wait_for(r"waiting for 1 of 3 hosts: algo-3", stream="err")
    hosts["algo-2"].run.signal(signal.SIGKILL)
    hosts["algo-1"].run.wait_for(r"waiting for 2 of 3 hosts: algo-2", stream="err")
    begin([hosts["algo-2"], hosts["algo-3"]], SHOW)
    assert_well(hosts, within=MET)


# ---- what does not fit

def begin_one_last(hosts, last, start):
    """Starts the host of this name when the others are there, so that all hear of what is found."""
    for host in hosts:
        if host.name != last:
            start(host)
    hosts["algo-1"].run.wait_for(f"waiting for 1 of 3 hosts: {last}", stream="err")
    start(hosts[last])


@pytest.mark.parametrize("name, values, said", [
    ("lr", (0.1, 0.2), [r"\blr\b", r"0\.1", r"0\.2"]),
    ("text", ("a" * 200 + "b", "a" * 200 + "c"), [r"\btext\b"]),
    ("api_key", ("hunter-swordfish-1", "hunter-swordfish-2"), ["api_key"]),
], ids=["short", "long", "secret"])
def test_different_hyperparameters_are_found_before_any_worker_starts(cluster, begin, name, values, said):
    hosts = cluster(3, lay_out=False)
    for host in hosts:
        host.lay_out(hyperparameters={"epochs": 3, name: values[host.name == "algo-3"]})
    begin_one_last(hosts, "algo-3", lambda host: begin([host], STAY))
    ends = assert_failed(hosts, SET_UP_FAILED, "algo-3", *said, within=TOLD)
    for end_of, end in ends.items():
        assert "up" not in end.out
        assert "swordfish" not in end.err + hosts[end_of].job.failure, end


def test_different_commands_are_found_before_any_worker_starts(cluster, begin):
    hosts = cluster(3)
    begin_one_last(hosts, "algo-2", lambda host: begin([host], STAY if host.name != "algo-2" else UP + "exec sleep 299"))
    ends = assert_failed(hosts, SET_UP_FAILED, "algo-2", "program", within=TOLD)
    assert not any("up" in end.out for end in ends.values())


def test_set_up_that_fails_on_one_host_is_the_failure_of_all(cluster, launch):
    hosts = cluster(3)
    hosts["algo-2"].job.write_config("hyperparameters.json", "{broken")
    for host in hosts:
        launch(host, "--workers", "2", "--meet-timeout", "20s", "--", "sh", "-c", STAY)
    ends = assert_failed(hosts, SET_UP_FAILED, "algo-2|hyperparameters.json", within=20 + LOST)
    assert not any("up" in end.out for end in ends.values())


@pytest.mark.parametrize("victim, other", [("algo-1", "algo-2"), ("algo-2", "algo-1")], ids=["leader", "follower"])
def test_a_host_whose_preflight_fails_does_not_let_the_other_wait_for_it(cluster, launch, victim, other):
    hosts = cluster(2)
    launch(hosts[other], "--workers", "1", "--preflight", "--", "sh", "-c", STAY)
    launch(hosts[victim], "--workers", "1", "--preflight", "--", "sh", "-c", STAY, env={"GLOO_SOCKET_IFNAME": "nowhere"})
    said = "preflight: .*GLOO_SOCKET_IFNAME"
    assert_failed(hosts, SET_UP_FAILED, f"^{said}", within=TOLD, names=[victim])
    end = assert_failed(hosts, SET_UP_FAILED, f"^{victim}: {said}", within=TOLD, names=[other])[other]
    assert "up" not in end.out
    assert_nothing_left(hosts)


@pytest.mark.parametrize("victim", ["algo-1", "algo-2"], ids=["leader", "follower"])
def test_who_comes_a_little_later_hears_it_too(cluster, launch, victim):
    hosts = cluster(3)
    first = [hosts["algo-1"], hosts["algo-2"]]
    for host in first:
        launch(host, "--workers", "1", "--preflight", "--meet-timeout", "60s", "--", "sh", "-c", STAY,
               env={"GLOO_SOCKET_IFNAME": "nowhere"} if host.name == victim else {})
    hosts[victim].run.wait_for("telling the other hosts, which have 15 s to come", stream="err")
    time.sleep(1)  # the others are there long ago
    assert not any(host.job.failure for host in first if host.name != victim)
    launch(hosts["algo-3"], "--workers", "1", "--meet-timeout", "60s", "--", "sh", "-c", STAY)
    ends = assert_failed(hosts, SET_UP_FAILED, "preflight: .*GLOO_SOCKET_IFNAME", within=TOLD)
    assert hosts["algo-3"].job.failure.startswith(f"{victim}: preflight"), ends
    assert_nothing_left(hosts)


def test_a_leader_that_cannot_begin_says_so_also_when_there_is_little_time_to_meet(cluster, launch):
    hosts = cluster(3)
    launch(hosts["algo-1"], "--workers", "1", "--preflight", "--meet-timeout", "6s", "--", "true", env={"GLOO_SOCKET_IFNAME": "nowhere"})
    launch(hosts["algo-2"], "--workers", "1", "--meet-timeout", "6s", "--", "sh", "-c", STAY)
    assert_failed(hosts, SET_UP_FAILED, "preflight: .*GLOO_SOCKET_IFNAME", within=6 + TOLD, names=["algo-1", "algo-2"])


def test_a_host_that_cannot_begin_waits_for_the_others_and_not_when_it_is_stopped(cluster, begin):
    hosts = cluster(2)
    begin([hosts["algo-2"]], STAY, "--require-gpus")
    hosts["algo-2"].run.wait_for("telling the other hosts, which have 15 s to come", stream="err")
    hosts["algo-2"].run.signal(signal.SIGTERM)
    (end,) = assert_failed(hosts, SET_UP_FAILED, "^--require-gpus: ", within=TOLD, names=["algo-2"]).values()
    assert end.seconds < 10


# ---- the control port

def test_a_taken_control_port_is_named_on_all_hosts(cluster, begin):
    hosts = cluster(3)
    with hosts["algo-1"].listen(CONTROL_PORT):
        begin(hosts, STAY, "--meet-timeout", "4s")
        assert_failed(hosts, SET_UP_FAILED, str(CONTROL_PORT), within=TOLD, names=["algo-1"])
        assert "is taken" in hosts["algo-1"].job.failure
        assert_failed(hosts, SET_UP_FAILED, "algo-1", within=4 + LOST, names=["algo-2", "algo-3"])
    assert_nothing_left(hosts)


def test_another_control_port_can_be_chosen(cluster, begin):
    hosts = cluster(3)
    with hosts["algo-1"].listen(CONTROL_PORT):
        begin(hosts, SHOW, "--control-port", "29555")
        assert_well(hosts, within=MET)


SECRET, ANOTHER = "an excellent secret of many bytes", "quite another secret, also long"


def assert_no_secret(host, end):
    """Neither is where somebody could read it."""
    said = end.out + end.err + (host.job.failure or "")
    said += "".join(file.read_text() for file in (host.job.output / "data/trainit").glob("*"))
    assert "excellent" not in said and "another secret" not in said


def launch_with_key_file(launch, host, secret, *words):
    (host.job.base / "job-key").write_text(secret + "\n")
    launch(host, "--job-key-file", "/opt/ml/job-key", *words)


def test_a_job_key_lets_in_who_has_it_be_it_in_a_variable_or_in_a_file(cluster, launch):
    hosts = cluster(3)
    launch(hosts["algo-1"], "--", "sh", "-c", SHOW, env={"TRAINIT_JOB_KEY": SECRET})
    for name in ("algo-2", "algo-3"):
        launch_with_key_file(launch, hosts[name], SECRET, "--", "sh", "-c", SHOW)
    for name, end in assert_well(hosts, within=MET).items():
        assert OPEN_TO_ATTACKERS not in end.err, end
        assert_no_secret(hosts[name], end)


def test_a_host_with_another_job_key_is_kept_out(cluster, launch):
    hosts = cluster(3)
    for host in hosts:
        launch_with_key_file(launch, host, ANOTHER if host.name == "algo-3" else SECRET, "--meet-timeout", "4s", "--", "sh",
                             "-c", STAY)
    ends = assert_failed(hosts, SET_UP_FAILED, "", within=4 + LOST)
    for name, end in ends.items():
        assert "up" not in end.out
        assert_no_secret(hosts[name], end)
    said = "algo-3 does not know this job's key: give all hosts the same TRAINIT_JOB_KEY, or it sees another job name"
    assert any(said in line for line in ends["algo-1"].ours) and said in hosts["algo-3"].job.failure, ends
    assert "algo-3" in hosts["algo-2"].job.failure


def test_a_host_of_another_job_is_kept_out(cluster, launch):
    hosts = cluster(3)
    for host in hosts:
        name = "digits-again" if host.name == "algo-3" else "digits"
        launch(host, "--meet-timeout", "4s", "--", "sh", "-c", STAY, env={"TRAINING_JOB_NAME": name})
    ends = assert_failed(hosts, SET_UP_FAILED, "algo-3", within=4 + LOST)
    assert not any("up" in end.out for end in ends.values())
    said = "algo-3 does not know this job's key, which is made of the job's name and its hosts: it belongs to another job"
    assert any(said in line for line in ends["algo-1"].ours) and said in hosts["algo-3"].job.failure, ends


GARBAGE = [b"", b"GET / HTTP/1.1\r\nHost: algo-1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
           b"\xff" * 4096, b"\x00\x00\x00\x01", b"\x00\x00\x00\x00", b"\x00\x03\xff\xff\x01abc", bytes(range(256))]


def molest(network, address, port):
    """All kinds of connections from there: the ones that are left open."""
    kept = []
    for _ in range(25):
        for garbage in GARBAGE:
            with contextlib.suppress(OSError):
                connection = network.connect(address, port)
                connection.sendall(garbage)
                kept.append(connection)
    for connection in kept[::2]:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset it
        connection.close()
    return kept[1::2]


@pytest.mark.parametrize("who", ["a stranger", "a host of the job"])
def test_garbage_at_the_control_port_disturbs_no_job(cluster, begin, who):
    hosts = cluster(3)
    network = hosts.switch if who == "a stranger" else hosts["algo-3"]
    begin([hosts["algo-1"], hosts["algo-2"]], GO)
    hosts["algo-1"].run.wait_for("waiting for 1 of 3", stream="err")
    kept = molest(network, hosts["algo-1"].address, CONTROL_PORT)
    begin([hosts["algo-3"]], GO)
    wait_until_up(hosts)
    kept += molest(network, hosts["algo-1"].address, CONTROL_PORT)
    let_go(*hosts)
    ends = assert_well(hosts, within=TOLD)
    for connection in kept:
        connection.close()
    address = re.escape(network.address)
    assert 1 <= len(re.findall(rf"^trainit: .*{address}", ends["algo-1"].err, re.MULTILINE)) <= 5, ends["algo-1"]


def test_the_control_port_and_the_store_are_open_at_the_platforms_interface_alone(cluster, begin):
    hosts = cluster(2)
    leader = hosts["algo-1"]
    leader.add_interface("eth1", "10.88.0.1")
    begin([leader], SHOW + "; " + GO)
    leader.run.wait_for("waiting for 1 of 2", stream="err")
    begin([hosts["algo-2"]], SHOW + "; " + GO)
    leader.run.wait_for("ranks", count=2)
    ((_, store_port),) = ranks_of(leader.run)[1]
    for port in (CONTROL_PORT, int(store_port)):
        leader.connect(leader.address, port).close()
        with pytest.raises(ConnectionRefusedError):
            leader.connect("10.88.0.1", port)
    let_go(*hosts)
    assert_well(hosts, within=TOLD)


def swarm(network, address, port, count):
    """So many connections from there, one after the other, each of which is reset at once."""
    def connect():
        for _ in range(count):
            with socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.connect((address, port))

    network.inside(connect)


def silent_crowd(network, address, port, count):
    """So many connections from there at once, which say nothing."""
    return network.inside(lambda: [socket.create_connection((address, port), 60) for _ in range(count)])


def scan(network, address, ports):
    """Which of these ports are open, as who looks for one finds out."""
    found = []
    for port in ports:
        with contextlib.suppress(ConnectionRefusedError):
            network.connect(address, port).close()
            found.append(port)
    return found


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid):
    """In KiB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


@pytest.fixture
def many_descriptors():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.release_only  # whose memory is its own
@pytest.mark.parametrize("when", ["while hosts meet", "while the job runs"])
def test_ten_thousand_connections_and_a_silent_crowd_disturb_no_job(cluster, begin, many_descriptors, when):
    hosts = cluster(2)
    leader, other = hosts["algo-1"], hosts["algo-2"]
    begin([leader], GO)
    leader.run.wait_for("waiting for 1 of 2", stream="err")
    if when == "while the job runs":
        begin([other], GO)
        wait_until_up(hosts)
    pid = leader.run.pid
    usual, before = descriptors_of(pid), memory_of(pid)
    assert CONTROL_PORT in scan(other, leader.address, range(CONTROL_PORT - 50, CONTROL_PORT + 50))
    swarm(other, leader.address, CONTROL_PORT, 10_000)
    crowd = silent_crowd(other, leader.address, CONTROL_PORT, 1500)
    leader.run.wait_for("connections to the control port at once have not said who they are", stream="err")
    wait_until(lambda: descriptors_of(pid) > usual + 1000, "the crowd is let in")
    assert descriptors_of(pid) < usual + 1100 and memory_of(pid) < before + 8192
    if when == "while hosts meet":
        begin([other], GO)
        wait_until_up(hosts)
    for connection in crowd:
        connection.close()
    wait_until(lambda: descriptors_of(pid) < usual + 100, "the crowd's descriptors are closed")
    let_go(*hosts)
    ends = assert_well(hosts, within=TOLD)
    said = [line for line in ends["algo-1"].ours if "control port" in line]
    assert len([line for line in said if "at once" in line]) == 1 and len(said) <= 2, ends["algo-1"]


# ---- where the time goes

def test_the_ledger_of_each_host_tells_where_all_of_its_time_has_gone(cluster, launch, program):
    hosts = cluster(3)
    gpus = {"LD_LIBRARY_PATH": program("fake_cuda"), "TRAINIT_GPU_PROBE": "always"}
    script = ("trap 'sleep 1; exit 0' TERM; " + UP + 'if [ "$RANK" = 4 ]; then until_file go; exit 7; fi; '
              "while :; do sleep 0.1; done")

    def start(host, count):
        launch(host, "--gpu-health", "0", "--workers", "2", "--", "sh", "-c", script, env={**gpus, "FAKE_CUDA": count})

    for name in ("algo-1", "algo-2"):
        start(hosts[name], "2")
    for name in ("algo-1", "algo-2"):
        hosts[name].run.wait_for("waiting for 1 of 3", stream="err")  # said after two seconds
    start(hosts["algo-3"], "4")
    wait_until_up(hosts)
    time.sleep(1)
    let_go(hosts["algo-3"])
    ends = assert_failed(hosts, 7, "^algo-3 rank 4: ", within=TOLD)
    ledgers = {host.name: ledger_of(host) for host in hosts}
    assert [ledger["gpus"] for ledger in ledgers.values()] == [2, 2, 4]
    for name, ledger in ledgers.items():
        parts = {part: ledger[part] for part in ("set_up", "waiting_for_hosts", "training", "after_the_failure")}
        # What is not in it is the time to begin and to end a process, on a machine that has much to do.
        assert ends[name].seconds - 5 < sum(parts.values()) <= ends[name].seconds, (parts, ends[name])
        assert parts["set_up"] > 0 and parts["training"] >= 1 and parts["after_the_failure"] >= 1, parts
        assert (parts["waiting_for_hosts"] >= 2) == (name != "algo-3"), parts

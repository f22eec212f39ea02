"""--max-restarts over three hosts: all workers begin once more, or the job ends on all hosts with the same words."""

import json
import re
import signal

import pytest
from trainit_testing import store_client
from trainit_testing.host_ends import (LOST, SET_UP_FAILED, TOLD, assert_failed, assert_nothing_left, assert_well,
                                       lost)
from trainit_testing.host_scripts import let_go

leader_or_follower = pytest.mark.parametrize("victim", ["algo-1", "algo-3"], ids=["leader", "follower"])

# What a worker says first, and how it waits for a file that `let_go` makes on its host.
UP = ('echo "up $RANK in round $TORCHELASTIC_RESTART_COUNT of $TORCHELASTIC_MAX_RESTARTS"; '
      'until_file() { until [ -e "$SM_MODEL_DIR/$1" ]; do sleep 0.05; done; }; ')
STAY = "exec sleep 300"
# The workers of algo-3 take their time.
SLOW_TO_END = 'if [ "$GROUP_RANK" = 2 ]; then trap "DO; exit 1" TERM; ' + UP + "while :; do sleep 0.1; done; fi; " + UP
SOON = ["--restart-delay", "0"]


def in_round(number, what):
    return f'if [ "$TORCHELASTIC_RESTART_COUNT" = {number} ]; then {what}; fi; '


def rank_fails(rank, code=7):
    return f'if [ "$RANK" = {rank} ]; then until_file go; exit {code}; fi; {STAY}'


def wait_for_round(hosts, number):
    for host in hosts:
        host.run.wait_for(rf"up \d+ in round {number}", count=2)


def between_rounds(cluster, begin):
    """Three hosts after a failure of rank 2, long before the next round."""
    hosts = cluster(3)
    begin(hosts, UP + rank_fails(2), "--max-restarts", "2", "--restart-delay", "5m")
    wait_for_round(hosts, 0)
    let_go(hosts["algo-2"])
    for host in hosts:
        host.run.wait_for("restart 1 of 2 in", stream="err")
    return hosts


def rounds_of(end):
    """Which ranks were up in each round."""
    rounds = {}
    for rank, number in re.findall(r"up (\d+) in round (\d+)", end.out):
        rounds.setdefault(int(number), set()).add(int(rank))
    return rounds


def said(end, text):
    return any(text in line for line in end.ours)


@pytest.mark.parametrize("pid1", [True, False], ids=["as PID 1", "not as PID 1"])
@pytest.mark.parametrize("rank, host", [(0, "algo-1"), (5, "algo-3")], ids=["leader", "follower"])
def test_a_failure_that_a_restart_heals(cluster, begin, rank, host, pid1):
    hosts = cluster(3)
    begin(hosts, UP + in_round(0, rank_fails(rank)) + "exit 0", "--max-restarts", "2", *SOON, pid1=pid1)
    wait_for_round(hosts, 0)
    let_go(hosts[host])
    ends = assert_well(hosts, within=2 * TOLD)
    for index, end in enumerate(ends.values()):
        ranks = {2 * index, 2 * index + 1}
        assert rounds_of(end) == {0: ranks, 1: ranks}, end
        assert "of 2" in end.out and said(end, "restart 1 of 2") and said(end, f"{host} rank {rank}"), end


@pytest.mark.parametrize("options", [[], ["--host-outcome"]], ids=["outcome of all", "host outcome"])
def test_failures_that_no_restart_heals_end_the_job_with_the_last(cluster, begin, options):
    hosts = cluster(3)
    begin(hosts, UP + f'if [ "$RANK" = 3 ]; then exit $((7 + TORCHELASTIC_RESTART_COUNT)); fi; {STAY}',
          "--max-restarts", "2", *SOON, *options)
    ends = assert_failed(hosts, 9, "^algo-2 rank 3: .*ended with code 9", within=3 * TOLD)
    for end in ends.values():
        assert said(end, "not restarted: it was restarted 2 times already"), end


def test_workers_of_the_next_round_begin_when_those_of_all_hosts_are_gone(cluster, begin, tmp_path):
    """Those of one host take their time to end."""
    hosts = cluster(3)
    log = tmp_path / "log"
    slow = SLOW_TO_END.replace("DO", f"sleep 2; echo gone >> {log}")
    begin(hosts, in_round(0, slow + rank_fails(0)) + UP + f"echo begun >> {log}; exit 0",
          "--max-restarts", "1", *SOON)
    wait_for_round(hosts, 0)
    let_go(hosts["algo-1"])
    assert_well(hosts, within=2 * TOLD)
    assert log.read_text().split() == 2 * ["gone"] + 6 * ["begun"]


MEET = f"""python3 -S -c '
import os, sys
sys.path.insert(0, "{store_client.SEARCH_PATH}")
from trainit_testing.store_client import Client
count = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
last, now = ([f"key{{rank}}-{{number}}" for rank in range(6)] for number in (count - 1, count))
store = Client.of_worker()
print("keys are there:", any(map(store.check, last)), "at", os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"])
store.set(now[int(os.environ["RANK"])], b"1")
store.wait(*now)
'; """


def test_the_address_of_the_store_stays_and_its_keys_do_not(cluster, begin):
    hosts = cluster(3)
    begin(hosts, UP + MEET + in_round(0, rank_fails(0)) + "exit 0", "--max-restarts", "1", *SOON)
    wait_for_round(hosts, 0)
    let_go(hosts["algo-1"])
    ends = assert_well(hosts, within=2 * TOLD)
    said = re.findall(r"keys are there: (\w+) at (\S+ \d+)", "".join(end.out for end in ends.values()))
    assert len(said) == 12 and {there for there, _ in said} == {"False"} and len({place for _, place in said}) == 1


@leader_or_follower
def test_a_stop_at_one_host_between_two_rounds_ends_the_job_with_what_had_failed(cluster, begin, victim):
    hosts = between_rounds(cluster, begin)
    hosts[victim].run.signal(signal.SIGTERM)
    for end in assert_failed(hosts, 7, "^algo-2 rank 2: ", within=TOLD).values():
        assert said(end, "not restarted: a stop was asked for"), end


@leader_or_follower
def test_a_launcher_that_is_killed_between_two_rounds_ends_the_job_on_the_others(cluster, begin, victim):
    hosts = between_rounds(cluster, begin)
    hosts[victim].run.signal(signal.SIGKILL)
    others = [name for name in hosts.names if name != victim]
    assert_failed(hosts, 7, "^algo-2 rank 2: ", within=LOST, names=others)
    assert_nothing_left(hosts)


@leader_or_follower
def test_a_host_that_is_lost_in_the_second_round_is_the_end_of_the_job(cluster, begin, victim):
    hosts = cluster(3)
    begin(hosts, UP + in_round(0, rank_fails(2)) + STAY, "--max-restarts", "5", *SOON)
    wait_for_round(hosts, 0)
    let_go(hosts["algo-2"])
    wait_for_round(hosts, 1)
    hosts[victim].run.signal(signal.SIGKILL)
    others = [name for name in hosts.names if name != victim]
    assert_failed(hosts, 1, lost(victim), within=LOST, names=others)
    assert_nothing_left(hosts)


def test_a_failure_of_the_second_round_is_told_and_stops_as_one_of_the_first(cluster, begin):
    hosts = cluster(3)
    begin(hosts, UP + in_round(0, rank_fails(2, 3)) + rank_fails(5, 4).replace("go;", "more;"), "--max-restarts", "1", *SOON)
    wait_for_round(hosts, 0)
    let_go(hosts["algo-2"])
    wait_for_round(hosts, 1)
    (hosts["algo-3"].job.model / "more").touch()
    for end in assert_failed(hosts, 4, "^algo-3 rank 5: .*ended with code 4", within=TOLD).values():
        assert said(end, "not restarted: it was restarted once already"), end


def test_a_stop_in_the_second_round_is_a_stop_of_the_job(cluster, begin):
    hosts = cluster(3)
    begin(hosts, in_round(1, "trap 'exit 0' TERM") + UP + in_round(0, rank_fails(2)) + "while :; do sleep 0.1; done",
          "--max-restarts", "5", *SOON)
    wait_for_round(hosts, 0)
    let_go(hosts["algo-2"])
    wait_for_round(hosts, 1)
    hosts["algo-3"].run.signal(signal.SIGTERM)
    assert_well(hosts, within=TOLD)


def test_a_stop_that_comes_to_a_host_whose_workers_have_failed_already_ends_the_job(cluster, begin):
    """Those of another host take longer to end."""
    hosts = cluster(3)
    begin(hosts, SLOW_TO_END.replace("DO", "until_file gone") + rank_fails(0), "--max-restarts", "5", *SOON)
    wait_for_round(hosts, 0)
    let_go(hosts["algo-1"])
    hosts["algo-1"].run.wait_for("waiting for the other hosts", stream="err")
    hosts["algo-1"].run.signal(signal.SIGTERM)
    hosts["algo-1"].run.wait_for("SIGTERM came", stream="err")
    (hosts["algo-3"].job.model / "gone").touch()
    for end in assert_failed(hosts, 7, "^algo-1 rank 0: ", within=TOLD).values():
        assert said(end, "not restarted: a stop was asked for"), end


def test_a_host_that_cannot_start_its_workers_again_ends_the_job_on_all(cluster, launch, tmp_path):
    hosts = cluster(3)
    for host in hosts:
        program = tmp_path / host.name / "worker"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n" + UP + rank_fails(0))
        program.chmod(0o755)
        launch(host, "--workers", "2", "--max-restarts", "5", *SOON, "--", "worker",
               env={"PATH": f"{program.parent}:/usr/bin:/bin"})
    wait_for_round(hosts, 0)
    (tmp_path / "algo-3/worker").unlink()
    let_go(hosts["algo-1"])
    assert_failed(hosts, 127, "^algo-3: .*worker", within=TOLD)


def test_hosts_that_differ_in_their_restarts_do_not_begin(cluster, launch):
    hosts = cluster(3)
    for host, restarts in zip(hosts, "223"):
        launch(host, "--workers", "2", "--max-restarts", restarts, "--", "sleep", "300")
    assert_failed(hosts, SET_UP_FAILED, "differ in --max-restarts: 2 on algo-1, 3 on algo-3", within=2 * TOLD)


def test_the_record_of_each_host_has_the_restart_and_its_time(cluster, begin):
    hosts = cluster(3)
    begin(hosts, UP + in_round(0, rank_fails(2)) + "exit 0", "--max-restarts", "1", "--restart-delay", "2s")
    wait_for_round(hosts, 0)
    let_go(hosts["algo-2"])
    assert_well(hosts, within=2 * TOLD)
    for host in hosts:
        (file,) = (host.job.output / "data/trainit").glob("*.jsonl")
        events = [json.loads(line) for line in file.read_text().splitlines()]
        (restart,) = [event for event in events if event["event"] == "restart"]
        assert (restart["round"], restart["of"], restart["exit_code"]) == (1, 1, 7)
        assert "algo-2 rank 2" in restart["failure"]
        (ledger,) = [event for event in events if event["event"] == "ledger"]
        assert ledger["restarting"] >= 2 and "after_the_end" in ledger, ledger

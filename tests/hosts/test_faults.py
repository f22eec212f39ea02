"""Whatever befalls one host, all hosts end in time, with the same code and text, and leave no process."""

import os
import re
import signal
import time

import pytest
from trainit_testing import store_client
from trainit_testing.host_ends import (LOST, SET_UP_FAILED, THAWED, TOLD, assert_failed, assert_nothing_left,
                                       assert_well, lost)
from trainit_testing.host_scripts import ERROR, GO, STAY, let_go, on_term, one_does, one_raises, wait_until_up
from trainit_testing.processes import store_of

CONNECT = f"""
import sys
sys.path.insert(0, "{store_client.SEARCH_PATH}")
from trainit_testing.store_client import Client
Client.of_worker()
"""
# Longer than any silence after which a host counts as lost.
LONG_ENOUGH = 11
# Bytes of the leader's last word, that all may go. All others that it says are longer.
LAST_WORD = 5

leader_or_follower = pytest.mark.parametrize("victim", ["algo-1", "algo-3"], ids=["leader", "follower"])
as_pid_1_or_not = pytest.mark.parametrize("pid1", [True, False], ids=["as PID 1", "not as PID 1"])


def others(hosts, victim):
    return [name for name in hosts.names if name != victim]


# ---- workers

@as_pid_1_or_not
@pytest.mark.parametrize("rank, host", [(0, "algo-1"), (3, "algo-2")], ids=["leader", "follower"])
def test_a_failing_worker_is_the_cause_on_all_hosts_and_its_code_theirs(cluster, begin, rank, host, pid1):
    hosts = cluster(3)
    begin(hosts, one_raises(rank), pid1=pid1)
    wait_until_up(hosts)
    let_go(hosts[host])
    ends = assert_failed(hosts, 7, rf"^{host} rank {rank}: ValueError: learning rate must be positive \(train.py:53, "
                         "exit code 7 after", within=TOLD)
    for name, end in ends.items():
        assert f"rank {rank} " in end.err and host in end.err, f"{name}: {end}"
        assert "Traceback (most recent call last):" in hosts[name].job.failure


def test_a_killed_worker_is_the_cause_on_all_hosts(cluster, begin):
    hosts = cluster(3)
    begin(hosts, one_does(4, "kill -KILL $$"))
    wait_until_up(hosts)
    let_go(hosts["algo-3"])
    assert_failed(hosts, 137, r"^algo-3 rank 4: .*SIGKILL", within=TOLD)


def test_the_first_cause_is_the_same_everywhere_when_workers_of_all_hosts_fail(cluster, begin):
    hosts = cluster(3)
    raises = one_raises(2).replace("exec sleep 300", "until_file go; sleep 1; echo 'RuntimeError: Connection closed by "
                                   "peer [10.77.0.12]:9095' >&2; exit 1")
    begin(hosts, raises)
    wait_until_up(hosts)
    let_go(*hosts)
    assert_failed(hosts, 7, "^algo-2 rank 2: ValueError", within=TOLD)


def test_the_first_cause_is_the_first_by_one_clock_whatever_those_of_the_hosts_are(cluster, launch):
    """The worker of algo-2 has its error first, and ends when it is told to; that of algo-3 fails at once."""
    hosts = cluster(3)
    early = one_does(1, f"{ERROR}; trap 'exit 5' TERM; echo raised; while :; do sleep 0.1; done")
    for host in hosts:
        script = early if host.name == "algo-2" else one_does(2, "exit 7")
        launch(host, "--", "sh", "-c", 'eval "$SCRIPT"', env={"SCRIPT": script}, ahead=3600 if host.name == "algo-2" else 0)
    wait_until_up(hosts, workers=1)
    time.sleep(1)  # signs of life have gone both ways
    let_go(hosts["algo-2"])
    hosts["algo-2"].run.wait_for("raised")
    time.sleep(0.5)
    let_go(hosts["algo-3"])
    assert_failed(hosts, 7, "^algo-2 rank 1: ValueError", within=TOLD)


def test_workers_that_ignore_the_stop_are_ended_after_the_grace_of_a_failure(cluster, begin):
    hosts = cluster(3)
    begin(hosts, "trap '' TERM; " + one_raises(3), "--failure-grace", "2s")
    wait_until_up(hosts)
    let_go(hosts["algo-2"])
    assert_failed(hosts, 7, "^algo-2 rank 3: ValueError", within=TOLD)


@pytest.mark.parametrize("needed_by", ["all hosts", "the others alone"])
def test_a_store_that_is_killed_is_the_cause_on_all_hosts(cluster, begin, needed_by):
    hosts = cluster(3)
    # Who has read here that all are up has been served by it.
    begin(hosts, f"python3 -S -c '{CONNECT}'; {GO}")
    wait_until_up(hosts)
    if needed_by == "the others alone":
        let_go(hosts["algo-1"])
        hosts["algo-1"].run.wait_for("waiting for the other hosts", stream="err")
    os.kill(store_of(hosts["algo-1"].run.pid), signal.SIGKILL)
    assert_failed(hosts, 1, "algo-1: the rendezvous store was killed by SIGKILL", within=TOLD)


# ---- launchers and hosts

@as_pid_1_or_not
@leader_or_follower
def test_a_killed_launcher_ends_the_job_on_all_other_hosts(cluster, begin, victim, pid1):
    hosts = cluster(3)
    begin(hosts, STAY, pid1=pid1)
    wait_until_up(hosts)
    hosts[victim].run.signal(signal.SIGKILL)
    assert_failed(hosts, 1, lost(victim), within=LOST, names=others(hosts, victim))
    assert hosts[victim].run.wait().code != 0 and not hosts[victim].job.success
    assert_nothing_left(hosts)


@leader_or_follower
def test_a_frozen_host_is_lost_to_the_others_and_never_ends_with_success(cluster, begin, victim):
    hosts = cluster(3)
    begin(hosts, GO)
    wait_until_up(hosts)
    hosts[victim].freeze()
    assert_failed(hosts, 1, lost(victim), within=LOST, names=others(hosts, victim))
    let_go(hosts[victim])  # its workers end well as soon as they can
    hosts[victim].thaw()
    assert_failed(hosts, 1, "algo-", within=THAWED, names=[victim])
    assert_nothing_left(hosts)


@leader_or_follower
def test_a_host_that_is_cut_off_for_good_is_lost_to_the_others_and_they_to_it(cluster, begin, victim):
    hosts = cluster(3)
    begin(hosts, STAY)
    wait_until_up(hosts)
    hosts[victim].cut()
    assert_failed(hosts, 1, lost(victim), within=LOST, names=others(hosts, victim))
    lost_to_it = "algo-1" if victim != "algo-1" else "algo-[23]"
    assert_failed(hosts, 1, lost(lost_to_it), within=LOST, names=[victim])
    assert_nothing_left(hosts)


@leader_or_follower
def test_a_failure_stays_the_cause_when_a_launcher_is_killed_before_all_parts_are_over(cluster, begin, victim):
    """Until then no more is known of it than what made all stop."""
    hosts = cluster(3)
    stays = 'if [ "$RANK" = 5 ] || [ "$RANK" = 0 ]; then trap "" TERM; fi; '
    begin(hosts, stays + one_does(4, "exit 9"), "--failure-grace", "5s")
    wait_until_up(hosts)
    let_go(hosts["algo-3"])
    hosts["algo-2"].run.wait_for("stopping the workers here too", stream="err")
    hosts[victim].run.signal(signal.SIGKILL)
    names = others(hosts, victim)
    ends = assert_failed(hosts, 1, r"^algo-3: rank 4 \(pid \d+\) ended with code 9 after", within=2 * LOST,
                         names=[name for name in names if name != "algo-3"])
    for name, end in ends.items():
        assert re.search(f"^trainit: {victim}: lost: ", end.err, re.MULTILINE), f"{name}: {end}"
    if victim != "algo-3":
        assert_failed(hosts, 9, "^algo-3 rank 4: ", within=2 * LOST, names=["algo-3"])
    assert_nothing_left(hosts)


# ---- what a job survives

@leader_or_follower
def test_a_cut_of_3_s_is_survived(cluster, begin, victim):
    hosts = cluster(3)
    begin(hosts, GO)
    wait_until_up(hosts)
    hosts[victim].cut()
    time.sleep(3)
    hosts[victim].mend()
    time.sleep(LONG_ENOUGH)
    let_go(*hosts)
    assert_well(hosts, within=TOLD)


def test_a_failure_that_falls_into_a_cut_of_3_s_is_told_after_it(cluster, begin):
    hosts = cluster(3)
    begin(hosts, one_raises(5))
    wait_until_up(hosts)
    hosts["algo-3"].cut()
    let_go(hosts["algo-3"])
    time.sleep(3)
    hosts["algo-3"].mend()
    assert_failed(hosts, 7, "^algo-3 rank 5: ValueError", within=TOLD)


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_a_loss_of_20_percent_on_one_hosts_way_is_survived(cluster, begin, ipv6):
    hosts = cluster(3, ipv6=ipv6)
    hosts["algo-3"].lose(20)
    begin(hosts, GO)
    wait_until_up(hosts)
    time.sleep(2 * LONG_ENOUGH)
    let_go(*hosts)
    assert_well(hosts, within=2 * TOLD)


def test_a_loss_of_5_percent_on_everybodys_way_is_survived(cluster, begin):
    hosts = cluster(3)
    for host in hosts:
        host.lose(5)
    begin(hosts, GO)
    wait_until_up(hosts)
    time.sleep(LONG_ENOUGH)
    let_go(*hosts)
    assert_well(hosts, within=2 * TOLD)


# ---- stops

def test_a_stop_at_one_host_stops_all_and_is_a_success_when_all_workers_end_well(cluster, begin):
    hosts = cluster(3)
    begin(hosts, on_term("echo saved; exit 0"))
    wait_until_up(hosts)
    hosts["algo-2"].run.signal(signal.SIGTERM)
    for end in assert_well(hosts, within=TOLD).values():
        assert end.out.count("saved") == 2


def test_a_stop_at_one_host_of_which_workers_die_is_told_as_that_hosts_stop(cluster, begin):
    hosts = cluster(3)
    begin(hosts, STAY)
    wait_until_up(hosts)
    hosts["algo-3"].run.signal(signal.SIGTERM)
    assert_failed(hosts, 143, "^algo-3: stopped by the platform with SIGTERM", within=TOLD)


def test_a_stop_that_comes_twice_shortens_nobodys_grace(cluster, begin):
    hosts = cluster(3)
    begin(hosts, on_term("trap : TERM; sleep 4; echo saved; exit 0"), "--stop-budget", "30s")
    wait_until_up(hosts)
    hosts["algo-2"].run.signal(signal.SIGTERM)
    hosts["algo-1"].run.wait_for("SIGTERM", stream="err")
    for name in ("algo-1", "algo-3"):
        hosts[name].run.signal(signal.SIGTERM)
    for end in assert_well(hosts, within=4 + TOLD).values():
        assert end.out.count("saved") == 2


def test_after_a_stop_a_worker_that_dies_of_it_shortens_nobodys_grace(cluster, begin):
    hosts = cluster(3)
    script = '[ "$RANK" = 5 ] || ' + on_term("sleep 4; echo saved; exit 0")
    begin(hosts, script, "--stop-budget", "30s", "--failure-grace", "1s")
    wait_until_up(hosts)
    hosts["algo-2"].run.signal(signal.SIGTERM)
    ends = assert_failed(hosts, 143, "^algo-2: stopped by the platform with SIGTERM", within=4 + TOLD)
    assert [end.out.count("saved") for end in ends.values()] == [2, 2, 1]


# ---- the end

def test_hosts_that_have_finished_wait_for_the_others_and_the_store_stays(cluster, begin):
    hosts = cluster(3)
    meets = GO + "exec python3 -c 'import os, socket; socket.create_connection((os.environ[\"MASTER_ADDR\"], " \
                 "int(os.environ[\"MASTER_PORT\"])), 10)'"
    begin(hosts, meets)
    wait_until_up(hosts)
    let_go(hosts["algo-1"], hosts["algo-2"])
    time.sleep(LONG_ENOUGH)
    assert all(host.run.process.poll() is None for host in hosts)
    assert not any(host.job.success for host in hosts)
    let_go(hosts["algo-3"])
    assert_well(hosts, within=TOLD)


def test_a_host_that_has_finished_fails_when_it_loses_one_that_has_not(cluster, begin):
    hosts = cluster(3)
    begin(hosts, GO)
    wait_until_up(hosts)
    let_go(hosts["algo-1"], hosts["algo-2"])
    time.sleep(1)
    hosts["algo-3"].run.signal(signal.SIGKILL)
    assert_failed(hosts, 1, lost("algo-3"), within=LOST, names=["algo-1", "algo-2"])
    assert_nothing_left(hosts)


def test_a_host_that_has_finished_fails_when_a_worker_elsewhere_fails(cluster, begin):
    hosts = cluster(3)
    begin(hosts, GO + '[ "$RANK" != 4 ] || exit 9')
    wait_until_up(hosts)
    let_go(hosts["algo-1"], hosts["algo-2"])
    time.sleep(1)
    let_go(hosts["algo-3"])
    assert_failed(hosts, 9, "^algo-3 rank 4: .*(exit|ended with) code 9", within=TOLD)


@pytest.mark.parametrize("fails", [False, True], ids=["success", "failure"])
def test_a_host_that_misses_only_the_last_word_reports_the_outcome_that_it_knows_and_says_so(cluster, begin, fails):
    hosts = cluster(3)
    begin(hosts, one_raises(5) if fails else GO)
    wait_until_up(hosts)
    hosts["algo-2"].miss(LAST_WORD)
    let_go(*hosts)
    ends = assert_failed(hosts, 7, "^algo-3 rank 5: ValueError", within=LOST) if fails else assert_well(hosts, within=LOST)
    for name, end in ends.items():
        said = re.findall("^trainit: algo-1 .* after it had told the outcome: whether all hosts have heard it is not known$",
                          end.err, re.MULTILINE)
        assert len(said) == (name == "algo-2"), f"{name}: {end}"


def test_with_host_outcome_each_host_tells_of_its_own_workers(cluster, begin):
    hosts = cluster(3)
    begin(hosts, GO + '[ "$RANK" != 4 ] || exit 9', "--host-outcome")
    wait_until_up(hosts)
    let_go(hosts["algo-1"], hosts["algo-2"])
    time.sleep(1)
    let_go(hosts["algo-3"])
    assert_well(hosts, within=TOLD, names=["algo-1", "algo-2"])
    assert_failed(hosts, 9, "^algo-3 rank 4: .*(exit|ended with) code 9", within=TOLD, names=["algo-3"])
    assert_nothing_left(hosts)


def test_with_host_outcome_a_host_that_was_only_stopped_for_another_tells_of_that_one(cluster, begin):
    hosts = cluster(3)
    begin(hosts, one_does(4, "exit 9"), "--host-outcome")
    wait_until_up(hosts)
    let_go(hosts["algo-3"])
    assert_failed(hosts, 9, "^algo-3 rank 4: .*(exit|ended with) code 9", within=TOLD)


def test_equal_names_in_the_model_directories_are_warned_of(cluster, begin):
    hosts = cluster(3)
    # Their names do not stand in the command, which the log shows.
    begin(hosts, 'touch "$SM_MODEL_DIR/weights".bin "$SM_MODEL_DIR/only-$RANK"; ' + GO.replace("/$1", "/../$1"))
    for host in hosts:
        (host.job.base / "go").touch()
    ends = assert_well(hosts, within=60)
    said = "\n".join(line for end in ends.values() for line in end.ours)
    assert "weights.bin" in said and "only-1" not in said


@pytest.mark.parametrize("saves", ["0", "2"])
def test_only_the_host_of_rank_0_needs_a_model(cluster, begin, saves):
    hosts = cluster(2)
    begin(hosts, f'[ "$RANK" != {saves} ] || touch "$SM_MODEL_DIR/model.pt"')
    ends = assert_well(hosts, within=60)
    said = {name: [line for line in end.ours if "leaves no model" in line] for name, end in ends.items()}
    warning = "warning: /opt/ml/model is empty: algo-1, which leads the job, leaves no model behind"
    assert said == {"algo-1": [] if saves == "0" else [warning], "algo-2": []}


def test_files_of_one_name_clash_in_directories_too_and_directories_of_one_name_do_not(cluster, begin):
    hosts = cluster(3)
    many = 'if [ "$RANK" = 2 ]; then mkdir -p many; cd many; seq 1100 | xargs touch; fi'
    begin(hosts, f'cd "$SM_MODEL_DIR"; mkdir -p shards all; touch shards/part-"$RANK" all/index".json"; {many}')
    ends = assert_well(hosts, within=60)
    for name, end in ends.items():
        said = "only 1024 of 1103 names in the model directory are compared with those of the other hosts"
        assert (said in end.ours) == (name == "algo-2"), end
    said = "\n".join(line for end in ends.values() for line in end.ours)
    assert "all/index.json (3 hosts)" in said and "shards" not in said.replace("mkdir -p shards", "").replace("touch shards", "")


@pytest.mark.release_only  # sanitizers do not work under a tracer
@leader_or_follower
def test_a_host_whose_model_directory_is_slow_to_look_at_is_not_taken_for_lost(cluster, clean_env, trainit, victim):
    """Each look at a file takes 5 ms here, and all of them 15 s."""
    slow = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=newfstatat,lstat", "-e",
            "inject=newfstatat,lstat:delay_enter=5000"]
    hosts = cluster(3)
    for number in range(3000):
        (hosts[victim].job.model / f"shard-{number}").touch()
    for host in hosts:
        host.start([*(slow if host.name == victim else []), trainit, "--workers", "1", "--", "true"], pid1=False,
                   env={**clean_env, "TRAINIT_GPU_PROBE": "never", "TRAINING_JOB_NAME": "digits"})
    ends = assert_well(hosts, within=60)
    said = r"only (\d+) of more than (\d+) names in the model directory are compared with those of the other hosts$"
    for name, end in ends.items():
        assert bool(re.search(said, end.err, re.MULTILINE)) == (name == victim), f"{name}: {end}"


def test_one_model_directory_of_all_hosts_is_no_clash(cluster, begin, tmp_path):
    shared = tmp_path / "shared-model"
    shared.mkdir()
    hosts = cluster(3)
    for host in hosts:
        host.job.model.rmdir()
        host.job.model.symlink_to(shared)
    begin(hosts, 'touch "$SM_MODEL_DIR/weights".bin')
    for end in assert_well(hosts, within=60).values():
        assert "weights.bin" not in end.err, end


# ---- disks

@pytest.mark.parametrize("victim", ["algo-1", "algo-2"], ids=["leader", "follower"])
def test_a_host_that_cannot_write_its_marker_says_so_and_the_others_tell_the_jobs_outcome(cluster, begin, victim):
    hosts = cluster(3, lay_out=False)
    hosts[victim].limit_output()
    for host in hosts:
        host.lay_out()
    begin(hosts, GO)
    wait_until_up(hosts)
    hosts[victim].fill_output()
    let_go(*hosts)
    assert_well(hosts, within=TOLD, names=others(hosts, victim))
    end = hosts[victim].run.wait(TOLD)
    assert end.code == SET_UP_FAILED and not hosts[victim].job.success
    assert any("success" in line and "No space left on device" in line for line in end.ours), end
    assert_nothing_left(hosts)


def test_a_failure_is_told_by_all_hosts_that_have_a_place_for_it(cluster, begin):
    hosts = cluster(3, lay_out=False)
    hosts["algo-3"].limit_output()
    for host in hosts:
        host.lay_out()
    begin(hosts, one_raises(5))
    wait_until_up(hosts)
    hosts["algo-3"].fill_output()
    let_go(hosts["algo-3"])
    assert_failed(hosts, 7, "^algo-3 rank 5: ValueError", within=TOLD, names=["algo-1", "algo-2"])
    end = hosts["algo-3"].run.wait(TOLD)
    assert end.code != 0 and not hosts["algo-3"].job.success and "No space left on device" in end.err
    assert_nothing_left(hosts)

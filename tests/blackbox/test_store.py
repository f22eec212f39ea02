"""The rendezvous store: who serves it, what its end means, who has not come, and `trainit store`.

The workers are small scripts that speak the protocol over a plain socket. What PyTorch's own clients find, the
conformance tests tell.
"""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from trainit_testing import store_client
from trainit_testing.ports import free_port
from trainit_testing.processes import name_of, state_of, store_of, workers_of
from trainit_testing.store_client import Client
from trainit_testing.waiting import wait_until

WORKER = f"""
import os, signal, socket, subprocess, sys, time
sys.path.insert(0, {store_client.SEARCH_PATH!r})
from trainit_testing.store_client import Client, Closed
RANK, WORLD_SIZE = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])

def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(99)
        time.sleep(0.005)

def name_of(pid):
    try:
        return open(f"/proc/{{pid}}/comm").read().strip()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return ""

def store_pid():
    store, = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and name_of(pid) == "trainit-store"]
    return store

def kill_store(number=signal.SIGKILL):
    os.kill(store_pid(), number)

def has_ended(store):
    try:
        return not store.socket.recv(1)
    except ConnectionResetError:  # it had not read all
        return True
"""
NO_PROC = ["unshare", "--mount", "sh", "-ec", 'umount -l /proc; exec "$@"', "sh"]
#: A parameter of tests, `wrapper`. LeakSanitizer needs /proc.
WITH_PROC_AND_WITHOUT = [pytest.param([], id="with /proc"),
                         pytest.param(NO_PROC, id="without /proc", marks=pytest.mark.release_only)]


def worker(script):
    return ["--", "python3", "-S", "-c", WORKER + script]


#: Each meets all the others.
MEET = """
store = Client.of_worker()
store.join()
store.set(f"rank {RANK}", str(RANK))
store.wait(*[f"rank {rank}" for rank in range(WORLD_SIZE)])
"""


def listening(port):
    """The addresses at which somebody listens on the port."""
    lines = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {line.split()[3].rpartition(":")[0] for line in lines.splitlines()}


def events_of(here, name):
    lines = (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


# ---- who serves it

def test_the_launcher_serves_a_store_that_all_workers_are_clients_of(trainit, pid1, job):
    here = job()
    tell = 'print(os.environ["MASTER_ADDR"], os.environ["TORCHELASTIC_USE_AGENT_STORE"], store.get("rank 3"), flush=True)'
    end = pid1([trainit, "--workers", "4", *worker(MEET + tell)], job=here)
    assert end.code == 0 and here.success, end
    assert [line.rpartition("] ")[2] for line in end.out.splitlines()] == ["127.0.0.1 True b'3'"] * 4
    assert not [line for line in end.ours if "rendezvous" in line or "init_process_group" in line]


def test_it_is_a_process_of_its_own_with_a_name_that_holds_on_to_nothing(trainit, start, job, tmp_path):
    script = MEET + "print('up', flush=True); time.sleep(600)"
    running = start([trainit, "--workers", "2", *worker(script)], job=job(), cwd=tmp_path)
    running.wait_for("up", count=2)
    store = store_of(running.pid)
    assert Path(f"/proc/{store}/cmdline").read_bytes().rstrip(b"\0") == b"trainit-store"
    assert os.path.samefile(f"/proc/{store}/cwd", "/")
    assert len(os.listdir(f"/proc/{store}/task")) == len(os.listdir(f"/proc/{running.pid}/task")) == 1
    held = [os.readlink(f"/proc/{store}/fd/{fd}") for fd in os.listdir(f"/proc/{store}/fd")]
    kinds = sorted(re.sub(r":\[\d+\]", "", what) for what in held)
    assert kinds == ["/dev/null"] * 3 + ["anon_inode:[eventpoll]", "pipe"] + ["socket"] * 4  # two listen


def test_it_begins_with_the_first_connection(trainit, start, job):
    running = start([trainit, "--", "sh", "-c", "echo port $MASTER_PORT; exec sleep 600"], job=job())
    port = running.wait_for(r"port (\d+)")[1]
    assert store_of(running.pid) is None
    client = Client(port)
    client.set("key", "value")
    assert client.get("key") == b"value" and store_of(running.pid) is not None


def test_it_listens_on_the_loopback_interface_alone(trainit, start, job):
    running = start([trainit, "--", "sh", "-c", "echo port $MASTER_PORT; exec sleep 600"], job=job())
    port = running.wait_for(r"port (\d+)")[1]
    assert listening(port) == {"127.0.0.1", "[::1]"}
    for host in ("127.0.0.1", "::1"):
        Client(port, host).join()


def test_it_listens_on_every_interface_when_others_are_let_in(trainit, start, job):
    running = start([trainit, "--store-allow", "192.0.2.0/24", "--", "sh", "-c", "echo port $MASTER_PORT; exec sleep 600"],
                    job=job())
    port = running.wait_for(r"port (\d+)")[1]
    assert listening(port) == {"0.0.0.0", "[::]"}
    for host in ("127.0.0.1", "::1"):
        Client(port, host).join()


def test_rank_0_can_serve_it_instead(trainit, pid1, job):
    here = job()
    script = """
address = ("127.0.0.1", int(os.environ["MASTER_PORT"]))
print(os.environ["TORCHELASTIC_USE_AGENT_STORE"], flush=True)
if RANK == 0:
    server = socket.create_server(address)
    server.accept()[0].sendall(b"from rank 0")
else:
    while True:
        try: peer = socket.create_connection(address)
        except ConnectionRefusedError: time.sleep(0.01)
        else: break
    print(peer.recv(99))
"""
    end = pid1([trainit, "--worker-store", "--workers", "2", *worker(script)], job=here)
    assert end.code == 0 and here.success, end
    assert sorted(end.out.splitlines()) == ["False", "[rank 1] False", "[rank 1] b'from rank 0'"]
    assert "rendezvous" not in end.err


def test_what_is_chosen_on_the_command_line_wins_over_the_hyperparameter(trainit, pid1, job):
    tell = ["--", "sh", "-c", "echo $TORCHELASTIC_USE_AGENT_STORE"]
    here = job(hyperparameters={"trainit_worker_store": True})
    assert pid1([trainit, *tell], job=here).out == "False\n"
    assert pid1([trainit, "--worker-store=false", *tell], job=here).out == "True\n"


def test_the_port_can_be_chosen(trainit, pid1, job):
    here, port = job(), free_port()
    end = pid1([trainit, "--workers", "2", "--master-port", str(port), *worker(MEET + 'print(os.environ["MASTER_PORT"])')],
               job=here)
    assert end.code == 0 and here.success, end
    assert sorted(end.out.splitlines()) == [str(port), f"[rank 1] {port}"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_a_port_that_is_taken_is_one_sentence(trainit, pid1, job, host):
    here = job()
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        port = server.getsockname()[1]
        end = pid1([trainit, "--master-port", str(port), "--", "echo", "started"], job=here)
    assert end.code == 125 and not here.success and end.out == ""
    sentence = f"port {port} is taken: choose another with --master-port, or 0 for a free one"
    assert here.failure == sentence and end.err.count(sentence) == 1


def test_a_taken_port_is_the_same_sentence_where_a_worker_serves(trainit, pid1, job):
    here = job()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        end = pid1([trainit, "--worker-store", "--master-port", str(port), "--", "echo", "started"], job=here)
    assert end.code == 125 and end.out == ""
    assert here.failure == f"port {port} is taken: choose another with --master-port, or 0 for a free one"


def test_where_the_kernel_has_no_port_left_nobody_is_told_to_choose_one(trainit, pid1, job):
    here = job()
    alone = ["unshare", "--net", "sh", "-ec", 'echo 50000 50000 > /proc/sys/net/ipv4/ip_local_port_range; ip link set lo up; exec "$@"', "sh"]
    end = pid1([*alone, trainit, "--", "echo", "started"], job=here)
    assert end.code == 125 and end.out == ""
    assert here.failure == "no port is free"


def test_a_worker_that_comes_at_once_is_served_like_a_later_one(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--workers", "16", *worker(MEET)], job=here)
    assert end.code == 0 and here.success, end


@pytest.mark.parametrize("wrapper", WITH_PROC_AND_WITHOUT)
def test_it_is_served_where_there_is_no_ipv6(trainit, pid1, job, wrapper):
    here = job()
    alone = ["unshare", "--net", "sh", "-ec", 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up; exec "$@"', "sh"]
    end = pid1([*alone, *wrapper, trainit, "--workers", "2", *worker(MEET)], job=here)
    assert end.code == 0 and here.success, end


# ---- its end before the workers'

def waits_for_ever(said="up"):
    return f"""{MEET}
print({said!r}, flush=True)
store.wait("what never comes")
"""


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGKILL,  # sanitizers catch the other one
                                    pytest.param(signal.SIGSEGV, marks=pytest.mark.release_only)])
def test_a_store_that_is_killed_fails_the_job_as_its_cause(trainit, start, job, number, workers):
    here = job()
    # Who has lost the store may end before the kernel tells of the store's own end: which comes first is chance then.
    script = waits_for_ever().replace("store.wait(", "atexit.register(time.sleep, 0.5); store.wait(")
    running = start([trainit, "--workers", str(workers), *worker(f"import atexit\n{script}")], job=here)
    running.wait_for("up", count=workers)
    os.kill(store_of(running.pid), number)
    end = running.wait()
    assert end.code == 1 and not here.success, end
    cause = here.failure.splitlines()[0]
    assert re.match(rf"algo-1: the rendezvous store was killed by {signal.Signals(number).name}\b.* after .* s", cause)
    assert f"first cause: {cause}" in end.ours
    (ended,), stops = events_of(here, "store"), events_of(here, "stop")
    assert ended["signal"] == signal.Signals(number).name
    assert stops[0]["to"] == "workers"


def test_a_worker_that_loses_the_store_and_ends_before_it_is_no_cause(trainit, pid1, job):
    """Its connection is closed before the kernel tells of the store's end: which of both is seen first is chance."""
    script = f"""{MEET}
kill_store()
has_ended(store)
print("RuntimeError: Connection closed by peer", file=sys.stderr, flush=True)
os._exit(1)
"""
    for _ in range(10):
        here = job()
        end = pid1([trainit, *worker(script)], job=here)
        assert end.code == 1 and here.failure.startswith("algo-1: the rendezvous store was killed by SIGKILL"), end
        assert len(events_of(here, "store")) == 1
        assert {event["class"] for event in events_of(here, "evidence")} <= {"consequence", "stopped"}


def test_workers_are_given_their_grace_when_the_store_is_gone(trainit, start, job):
    here = job()
    script = f"signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), os._exit(0)))\n{waits_for_ever()}"
    # It does not look at its connection.
    script = script.replace('store.wait("what never comes")', "time.sleep(600)")
    running = start([trainit, "--workers", "2", *worker(script)], job=here)
    running.wait_for("up", count=2)
    os.kill(store_of(running.pid), signal.SIGKILL)
    end = running.wait()
    assert end.out.count("saved") == 2
    assert end.code == 1 and not here.success and "rendezvous store" in here.failure
    said = next(line for line in end.ours if line.startswith("the rendezvous store was killed"))
    cause = f"first cause: {here.failure.splitlines()[0]}"
    assert said.endswith("stopping the workers") and end.ours.index(said) < end.ours.index(cause)


def test_a_store_that_floods_the_launcher_is_not_listened_to_and_serves_all_the_same(trainit, pid1, job):
    here = job()
    script = f"""{MEET}
if RANK == 0:
    fds = f"/proc/{{store_pid()}}/fd/"
    def is_pipe(fd):
        try:
            return os.readlink(fds + fd).startswith("pipe:")
        except FileNotFoundError:  # a connection of the other worker, which has ended
            return False
    pipe, = filter(is_pipe, os.listdir(fds))
    with open(fds + pipe, "wb", buffering=0) as reports:
        try:
            while True: reports.write(bytes(65536))
        except BrokenPipeError:
            print("nobody listens", flush=True)
Client.of_worker(ping=1).join()  # which would be told
"""
    end = pid1([trainit, "--workers", "2", *worker(script)], job=here)
    assert end.code == 0 and here.success, end
    assert end.out == "nobody listens\n"
    assert sum("reports what makes no sense" in line for line in end.ours) == 1


@pytest.mark.parametrize("pause", [0, 0.5], ids=["at once", "later"])
def test_what_workers_say_when_the_store_breaks_away_is_a_consequence(trainit, pid1, job, pause):
    here = job()
    script = f"""{MEET}
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if RANK == 1:
    time.sleep({pause})
    kill_store()
store.wait("what never comes")
"""
    end = pid1([trainit, "--workers", "3", *worker(script)], job=here)
    assert end.code == 1
    assert here.failure.startswith("algo-1: the rendezvous store was killed by SIGKILL"), here.failure
    assert "Connection closed by peer" in here.failure or "Connection reset by peer" in here.failure
    evidence = events_of(here, "evidence")
    assert {event["class"] for event in evidence} <= {"consequence", "stopped"}
    told = pid1([trainit, "failure", here.base])
    assert "the rendezvous store was killed by SIGKILL" in told.out and "first cause" not in told.out
    assert re.search(r"s  the rendezvous store was killed by SIGKILL$", pid1([trainit, "explain", here.base]).out, re.M)


def test_a_worker_that_failed_before_the_store_stays_the_cause(trainit, pid1, job):
    here = job()
    script = f"""{MEET}
if RANK == 1: raise ValueError("the data is broken")
def on_term(*_):
    kill_store()
    wait_until(lambda: has_ended(store))
    raise ConnectionResetError("Connection closed by peer")
signal.signal(signal.SIGTERM, on_term)
time.sleep(600)
"""
    end = pid1([trainit, "--workers", "2", *worker(script)], job=here)
    assert end.code == 1
    assert here.failure.startswith("algo-1 rank 1: ValueError: the data is broken"), here.failure


def test_a_stop_signal_stays_the_reason_when_the_store_dies_in_its_time(trainit, start, job):
    here = job()
    script = f"""
def on_term(*_):
    kill_store()
    wait_until(lambda: has_ended(store))
    os._exit(0)
signal.signal(signal.SIGTERM, on_term)
{waits_for_ever()}
"""
    running = start([trainit, *worker(script)], job=here)
    running.wait_for("up")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 0 and here.success, end


def test_a_stop_that_ends_workers_badly_is_told_as_one_when_the_store_dies_in_its_time(trainit, start, job):
    here = job()
    script = f"signal.signal(signal.SIGTERM, lambda *_: (kill_store(), time.sleep(0.3), os._exit(9)))\n{waits_for_ever()}"
    running = start([trainit, *worker(script)], job=here)
    running.wait_for("up")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 9 and not here.success, end
    assert "SIGTERM" in here.failure.splitlines()[0] and "rendezvous store" not in here.failure


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE])
def test_signals_that_are_meant_for_the_job_do_not_end_the_store(trainit, start, job, tmp_path, number):
    here = job()
    script = f"""{MEET}
print("up", flush=True)
wait_until(lambda: os.path.exists({str(tmp_path / "go")!r}))
store.set("after", "all is well")
print(store.get("after"))
"""
    running = start([trainit, *worker(script)], job=here)
    running.wait_for("up")
    store = store_of(running.pid)
    os.kill(store, number)
    (tmp_path / "go").touch()
    end = running.wait()
    assert end.code == 0 and here.success and "all is well" in end.out, end


# ---- who has not come

LATE = """
def wait_for_go():
    wait_until(lambda: os.path.exists(os.environ["SM_MODEL_DIR"] + "/go"))
"""

#: Enough for workers to start and meet; where it was not, there is more the next time.
SECONDS = (1, 4, 16)


@pytest.fixture
def told_late(trainit, start, job):
    """told_late(WORKERS, SCRIPT, TOLD): a job of which the log says this of who is late, and its directory."""
    def begin(workers, script, told, wrapper=(), meanwhile=lambda running: None):
        for seconds in SECONDS:
            here = job()
            running = start([*wrapper, trainit, "--workers", str(workers), "--late-after", f"{seconds}s", *worker(LATE + script)],
                            job=here)
            meanwhile(running)
            said = running.wait_for(r"^trainit: warning: after \d+(\.\d)? s: (.*)$", stream="err")[2]
            if said == told:
                return running, here
            running.end()
        raise AssertionError(f"{said!r} instead of {told!r}")

    return begin


def go_on(running, here):
    (here.model / "go").touch()
    end = running.wait()
    assert end.code == 0 and here.success, end
    return end


@pytest.mark.parametrize("wrapper", WITH_PROC_AND_WITHOUT)
def test_ranks_that_are_late_are_named_and_that_they_have_come(trainit, pid1, told_late, wrapper):
    script = f"if RANK in (1, 3): wait_for_go()\n{MEET}"
    running, here = told_late(4, script, "ranks 1 and 3 have not reached init_process_group", wrapper)
    end = go_on(running, here)
    assert sum("all 4 workers have reached init_process_group after" in line for line in end.ours) == 1
    late, complete = events_of(here, "rendezvous")
    assert (late["joined"], late["workers"], late["missing"]) == (2, 4, [1, 3])
    assert (complete["joined"], complete["workers"]) == (4, 4) and "missing" not in complete
    story = pid1([trainit, "explain", here.base]).out
    assert "2 of 4 workers had reached init_process_group, but not ranks 1 and 3" in story


def test_one_that_is_late_is_named_alone(told_late):
    script = f"if RANK == 1: wait_for_go()\n{MEET}"
    go_on(*told_late(2, script, "rank 1 has not reached init_process_group"))


def test_a_worker_may_come_in_a_process_that_it_has_started(told_late):
    script = f"""
if len(sys.argv) == 1 and RANK != 2:
    # A grandchild of the worker.
    sys.exit(subprocess.call(["sh", "-c", '"$@"; exit $?', "sh", *sys.orig_argv, "inner"]))
if RANK == 2: wait_for_go()
{MEET}"""
    end = go_on(*told_late(3, script, "rank 2 has not reached init_process_group"))
    assert any("all 3 workers have reached" in line for line in end.ours), end


def test_of_clients_that_do_not_say_who_they_are_only_the_number_is_known(told_late):
    script = f"if RANK < 3: wait_for_go()\n{MEET.replace('of_worker()', 'of_worker(ping=None)')}"
    running, here = told_late(8, script, "3 of 8 workers have not reached init_process_group")
    end = go_on(running, here)
    assert any("all 8 workers have reached" in line for line in end.ours), end
    assert "missing" not in events_of(here, "rendezvous")[0]


def test_one_of_those_that_comes_twice_does_not_count_as_two(told_late):
    twice = "Client.of_worker(ping=None).join()\n"  # and closed again, as nothing holds it
    script = f"if RANK == 1: wait_for_go()\n{twice}{MEET.replace('of_worker()', 'of_worker(ping=None)')}"
    end = go_on(*told_late(2, script, "1 of 2 workers has not reached init_process_group"))
    assert any("all 2 workers have reached" in line for line in end.ours), end


def test_a_process_that_is_none_of_the_workers_is_no_worker_that_has_come(told_late):
    strangers = []

    def stranger_joins(running):
        strangers.append(Client(running.wait_for(r"port (\d+)")[1], ping=4_000_000))
        strangers[-1].join()

    script = f"print('port', os.environ['MASTER_PORT'], flush=True)\nif RANK == 1: wait_for_go()\n{MEET}"
    go_on(*told_late(2, script, "rank 1 has not reached init_process_group", meanwhile=stranger_joins))
    for stranger in strangers:
        stranger.close()


def test_launchers_that_share_a_machine_name_those_who_are_late(trainit, start, job):
    script, machine = f"if RANK == 3: wait_for_go()\n{MEET}", Host()
    for seconds in SECONDS:
        heres = [job(resources=None), job(resources=None)]
        leader, follower = [
            start([*machine.inside, trainit, "--workers", "2", "--late-after", f"{seconds}s", "--nnodes", "2", "--node-rank",
                   str(rank), "--leader", "127.0.0.1", *worker(LATE + script)], job=here, namespace=False,
                  pass_fds=machine.pass_fds, env={"TRAINING_JOB_NAME": "digits"}) for rank, here in enumerate(heres)]
        said = leader.wait_for(r"^trainit: warning: after \d+(\.\d)? s: (.*)$", stream="err")[2]
        if said == "rank 3 (node-1) has not reached init_process_group":
            break
        leader.end()
        follower.end()
    follower.wait_for("rank 3 has not reached init_process_group", stream="err")
    (heres[1].model / "go").touch()
    assert "all 4 workers have reached init_process_group" in leader.wait().err
    assert "all 2 workers of this host have reached init_process_group" in follower.wait().err
    machine.end()


def test_when_none_comes_that_is_said_with_what_to_do(told_late):
    running, here = told_late(2, "wait_for_go()", "none of the 2 workers has reached init_process_group: if they are not meant "
                              "to work together, use --workers 1")
    end = go_on(running, here)
    hint = "2 workers, none ever joined the rendezvous: if they are not meant to work together, use --workers 1"
    assert end.ours.count(hint) == 1
    assert [(event["joined"], event["workers"]) for event in events_of(here, "rendezvous")] == [(0, 2)] * 2


@pytest.mark.parametrize("script", ["raise ValueError('too steep')", MEET])
def test_that_none_came_is_no_news_of_a_job_that_failed_or_met(trainit, pid1, job, script):
    end = pid1([trainit, "--workers", "2", *worker(script)], job=job())
    assert "none ever joined" not in end.err


@pytest.mark.parametrize("options", [["--workers", "1", "--late-after", "50ms"], ["--workers", "2", "--late-after", "0"],
                                     ["--workers", "2", "--late-after", "50ms", "--worker-store"]])
def test_nobody_is_late_who_is_alone_or_not_waited_for(trainit, pid1, job, options):
    end = pid1([trainit, *options, "--", "sleep", "0.5"], job=job())
    assert end.code == 0 and "init_process_group" not in end.err


def test_nobody_is_late_once_the_job_is_told_to_stop(trainit, start, job):
    for seconds in SECONDS:
        script = f"signal.signal(signal.SIGTERM, lambda *_: None)\nprint('up', flush=True)\ntime.sleep({seconds} + 0.5)"
        running = start([trainit, "--workers", "2", "--late-after", f"{seconds}s", "--stop-budget", "60s", *worker(script)],
                        job=job())
        running.wait_for("up", count=2)
        if "init_process_group" in running.err:  # that was before the stop
            running.end()
            continue
        running.signal(signal.SIGTERM)
        end = running.wait()
        assert end.code == 0
        if "init_process_group" not in end.err:
            return
    raise AssertionError(end)


@pytest.mark.parametrize("options, env", [(["--nccl-comm-id"], {}), ([], {"NCCL_COMM_ID": "127.0.0.1:1"})])
def test_that_none_came_is_no_news_of_workers_that_meet_through_nccl_alone(trainit, pid1, job, options, env):
    here = job()
    end = pid1([trainit, "--workers", "2", "--late-after", "50ms", *options, "--", "sleep", "0.5"], job=here, env=env)
    assert end.code == 0 and "--workers 1" not in end.err and "init_process_group" not in end.err
    assert [(event["joined"], event["workers"]) for event in events_of(here, "rendezvous")] == [(0, 2)]


# ---- its end with the job

@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "not as PID 1"])
@pytest.mark.parametrize("code", [0, 3])
def test_it_is_gone_when_the_job_is(trainit, start, job, namespace, code):
    script = f"{MEET}\nprint('up', flush=True)\nsys.stdin.readline()\nsys.exit({code})"
    here = job()
    running = start([trainit, *worker(script)], job=here, namespace=namespace, stdin=subprocess.PIPE)
    running.wait_for("up")
    store = store_of(running.pid)
    assert name_of(store) == "trainit-store"
    running.process.stdin.close()
    assert running.wait().code == code
    assert state_of(store) == ""  # no zombie for whoever started us either


def test_it_dies_with_a_launcher_that_is_killed(trainit, start, job):
    running = start([trainit, "--workers", "2", *worker(waits_for_ever())], job=job(), namespace=False)
    running.wait_for("up", count=2)
    store, workers = store_of(running.pid), workers_of(running.pid)
    running.signal(signal.SIGKILL)
    running.wait()
    wait_until(lambda: all(state_of(pid) in ("", "Z") for pid in [store, *workers]), "store and workers are gone")


@pytest.mark.parametrize("wrapper", WITH_PROC_AND_WITHOUT)
@pytest.mark.parametrize("namespace", [True, False], ids=["as PID 1", "not as PID 1"])
def test_it_is_nothing_that_outlived_the_workers(trainit, pid1, job, wrapper, namespace):
    here = job()
    end = pid1([*wrapper, trainit, "--workers", "2", *worker(MEET)], job=here, namespace=namespace)
    assert end.code == 0 and here.success
    assert "outlived" not in end.err and "what is left" not in end.err
    assert [event["to"] for event in events_of(here, "stop")] == []


def test_what_outlives_the_workers_is_ended_all_the_same(trainit, pid1, job, program):
    here = job()
    out = here.output / "witness"
    end = pid1([trainit, "--", "sh", "-c", f'{program("signal_witness")} > "$OUT" & until [ -s "$OUT" ]; do sleep 0.01; done'],
               job=here, env={"OUT": str(out)})
    assert end.code == 0 and here.success
    assert "leader got 15" in out.read_text()
    assert "processes outlived their worker and were ended" in end.ours


# ---- whom it serves

class Host:
    """A network namespace of its own, which `inside` enters; give `pass_fds` to whoever starts a program in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 600"],
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"up\n"
        # Its pid means nothing in the pid namespaces of the tests.
        self.net = os.open(f"/proc/{self.process.pid}/ns/net", os.O_RDONLY)
        self.pass_fds = [self.net]
        self.inside = ["nsenter", f"--net=/proc/self/fd/{self.net}", "--"]

    def run(self, argv, **options):
        return subprocess.run([*self.inside, *argv], check=True, pass_fds=self.pass_fds, timeout=60, **options)

    def python(self, script):
        """What a client there prints."""
        head = f"import sys; sys.path.insert(0, {store_client.SEARCH_PATH!r})\nfrom trainit_testing.store_client import Client\n"
        return self.run(["python3", "-S", "-c", head + script], text=True, stdout=subprocess.PIPE).stdout.strip()

    def ask(self, source, address, port):
        """What becomes of a client at `source` there."""
        return self.python(f"""
try:
    store = Client({port}, {address!r}, source=({source!r}, 0))
    store.set("greeting", "hello")
    print("served" if store.get("greeting") == b"hello" else "lied to")
except ConnectionError:
    print("closed")
""")

    def end(self):
        os.close(self.net)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def two_hosts():
    """The job's host is 10.77.0.1 and fd77::1; the other one has .2, .3, ::2 and ::3."""
    ours, other = Host(), Host()
    ours.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(other.process.pid)])
    for host, numbers in ((ours, [1]), (other, [2, 3])):
        for number in numbers:
            host.run(["ip", "address", "add", f"10.77.0.{number}/24", "dev", "eth0"])
            host.run(["ip", "address", "add", f"fd77::{number}/64", "dev", "eth0", "nodad"])
        host.run(["ip", "link", "set", "eth0", "up"])
    yield ours, other
    ours.end()
    other.end()


def test_hosts_that_are_let_in_are_served_and_others_closed_with_one_line(trainit, start, job, two_hosts):
    ours, other = two_hosts
    here = job()
    script = f"{MEET}\nprint('port', os.environ['MASTER_PORT'], flush=True)\nwait_until(lambda: store.get('enough'))"
    running = start([*ours.inside, trainit, "--workers", "2", "--store-allow", "10.77.0.2", "--store-allow", "fd77::2/127",
                     *worker(script)], job=here, pass_fds=ours.pass_fds)
    port = running.wait_for(r"port (\d+)")[1]
    assert other.ask("10.77.0.2", "10.77.0.1", port) == "served"
    assert other.ask("fd77::2", "fd77::1", port) == "served"
    assert other.ask("fd77::3", "fd77::1", port) == "served"
    for _ in range(3):
        assert other.ask("10.77.0.3", "10.77.0.1", port) == "closed"
    line = "the rendezvous store does not serve 10.77.0.3, which is no host of this job (--store-allow lets others in)"
    running.wait_for(re.escape(line), stream="err")
    ours.python(f"Client({port}).set('enough', 'yes')")
    end = running.wait()
    assert end.code == 0 and here.success, end
    assert len([text for text in end.ours if "does not serve" in text]) == 1


def test_a_job_of_one_host_cannot_be_reached_from_another(trainit, start, job, two_hosts):
    ours, other = two_hosts
    running = start([*ours.inside, trainit, "--", "sh", "-c", "echo port $MASTER_PORT; exec sleep 600"], job=job(),
                    pass_fds=ours.pass_fds)
    port = running.wait_for(r"port (\d+)")[1]
    assert other.ask("10.77.0.2", "10.77.0.1", port) == "closed"  # refused: nobody listens there
    assert ours.ask("127.0.0.1", "127.0.0.1", port) == "served"
    assert "does not serve" not in running.err


@pytest.mark.parametrize("value", ["nowhere", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "10.0.0", "10.0.0.7 ",
                                   "10.0.0.0/8/8", "10.0.0.7,nowhere", "localhost:29500"])
def test_a_range_that_is_none_is_a_sentence(trainit, pid1, job, value):
    here = job()
    end = pid1([trainit, f"--store-allow={value}", "--", "echo", "started"], job=here)
    assert end.code == 125 and end.out == ""
    assert here.failure == f'--store-allow is "{value}": expected IP addresses or ranges such as 10.0.0.7 or 10.0.0.0/8'


# ---- trainit store

def test_the_store_alone_says_first_where_it_listens_and_ends_well_when_it_is_told_to(store_alone):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        running = store_alone("--port", "0")
        assert running.address == "127.0.0.1" and listening(running.port) == {"127.0.0.1", "[::1]"}
        one, other = Client(running.port, ping=1), Client(running.port, "::1", ping=2)
        one.set("key", "value")
        other.wait("key")
        assert other.get("key") == b"value"
        running.signal(number)
        end = running.wait()
        assert (end.code, end.out, end.err) == (0, f"listening on 127.0.0.1:{running.port}\n", "")
        assert one.socket.recv(1) == b""


def test_the_store_alone_listens_on_pytorchs_own_port_unless_it_is_told(store_alone):
    host = Host()
    running = store_alone(wrapper=host.inside, pass_fds=host.pass_fds)
    assert (running.address, running.port) == ("127.0.0.1", 29500)
    assert host.ask("127.0.0.1", "127.0.0.1", 29500) == "served"
    host.end()


def test_the_store_alone_need_not_be_pid_1(store_alone):
    running = store_alone("--port", "0", namespace=False)
    Client(running.port).set("key", "value")
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0


def test_the_store_alone_ignores_signals_that_mean_nothing_to_it(store_alone):
    running = store_alone("--port", "0")
    for number in (signal.SIGUSR1, signal.SIGQUIT, signal.SIGPIPE, signal.SIGWINCH):
        running.signal(number)
    client = Client(running.port)
    assert client.add("number", 7) == 7
    assert client.get("number") == b"7"


def test_the_store_alone_listens_on_the_port_that_it_is_told(store_alone, trainit, pid1):
    port = free_port()
    assert store_alone("--port", str(port)).port == port
    end = pid1([trainit, "store", "--port", str(port)])
    assert (end.code, end.out) == (125, "") and f"port {port} is taken" in end.err and end.err.count("\n") == 1


@pytest.mark.parametrize("options, addresses, first", [
    (["--listen", "127.0.0.2"], {"127.0.0.2"}, "127.0.0.2"),
    (["--listen", "::1"], {"[::1]"}, "[::1]"),
    (["--listen", "::1,127.0.0.3"], {"[::1]", "127.0.0.3"}, "[::1]"),
    (["--listen", "127.0.0.2", "--listen", "127.0.0.3"], {"127.0.0.2", "127.0.0.3"}, "127.0.0.2"),
    (["--listen", "localhost"], {"127.0.0.1"}, "127.0.0.1"),
    (["--listen", "0.0.0.0"], {"0.0.0.0"}, "0.0.0.0"),
    (["--listen", "::"], {"[::]"}, "[::]"),
])
def test_the_store_alone_listens_where_it_is_told(store_alone, options, addresses, first):
    running = store_alone("--port", "0", *options)
    assert listening(running.port) == addresses
    assert running.address == first
    for address in addresses:
        Client(running.port, address.strip("[]")).set("key", "value")


@pytest.mark.parametrize("options, sentence", [
    (["--listen", "nowhere"], '"nowhere" is no IP address'),
    (["--listen", "127.0.0.1:80"], '"127.0.0.1:80" is no IP address'),
    (["--listen", ""], "--listen"),
    (["--listen", "192.0.2.7"], "192.0.2.7"),
    (["--port", "0", "--listen", "127.0.0.1,127.0.0.1"], "--listen: 127.0.0.1 stands there twice"),
    (["--port", "0", "--listen", "::1", "--listen", "0:0::1"], "--listen: ::1 stands there twice"),
    (["--port", "0", "--", "sleep", "1"], "trainit store starts no command"),
    (["--port", "65536"], "--port"),
    (["--port", "-1"], "--port"),
    (["--port", "http"], "--port"),
    (["--port"], "--port"),
    (["--world-size", "-1"], "--world-size"),
    (["--world-size", "many"], "--world-size"),
    (["--store-allow", "nowhere"], "expected IP addresses or ranges"),
    (["--prot", "1"], "--port"),
    (["now"], "now"),
])
def test_what_cannot_be_served_is_one_sentence(trainit, pid1, options, sentence):
    end = pid1([trainit, "store", *options])
    assert (end.code, end.out) == (125, "")
    assert sentence in end.err and end.err.count("\n") == 1 and end.err.startswith("trainit: ")


def test_the_store_alone_serves_strangers_only_when_it_is_told_to(store_alone, two_hosts):
    ours, other = two_hosts
    closed = store_alone("--port", "0", "--listen", "10.77.0.1", wrapper=ours.inside, pass_fds=ours.pass_fds)
    assert other.ask("10.77.0.2", "10.77.0.1", closed.port) == "closed"
    closed.wait_for("does not serve 10.77.0.2", stream="err")
    open_store = store_alone("--port", "0", "--listen", "10.77.0.1", "--store-allow", "10.77.0.0/30", wrapper=ours.inside, pass_fds=ours.pass_fds)
    assert other.ask("10.77.0.2", "10.77.0.1", open_store.port) == "served"


def test_the_store_alone_listens_for_those_whom_it_lets_in(store_alone, two_hosts):
    ours, other = two_hosts
    alone = store_alone("--port", "0", wrapper=ours.inside, pass_fds=ours.pass_fds)
    assert other.ask("10.77.0.2", "10.77.0.1", alone.port) == "closed"  # refused: nobody listens there
    running = store_alone("--port", "0", "--store-allow", "10.77.0.2", wrapper=ours.inside, pass_fds=ours.pass_fds)
    assert running.address == "0.0.0.0"
    assert other.ask("10.77.0.2", "10.77.0.1", running.port) == "served"
    assert other.ask("fd77::2", "fd77::1", running.port) == "closed"


def test_the_store_alone_keeps_groups_apart_when_it_knows_their_size(store_alone):
    running = store_alone("--port", "0", "--world-size", "2")
    first = [Client(running.port, ping=pid) for pid in (1, 2)]
    for client in first:
        client.join()
    first[0].set("address", "of the first group")
    first[1].wait("address")
    assert first[1].get("address") == b"of the first group"
    for client in first:
        client.close()
    second = [Client(running.port, ping=pid) for pid in (1, 2)]
    for client in second:
        assert client.join() in (1, 2)
        assert client.get("address") == b""


def test_the_store_alone_gives_up_when_nobody_can_hear_where_it_listens(trainit, clean_env):
    end = subprocess.run(["sh", "-c", 'exec "$1" store --port 0 > /dev/full', "sh", trainit], env=clean_env, timeout=60,
                         stderr=subprocess.PIPE, text=True)
    assert end.returncode == 125 and end.stderr.count("\n") == 1

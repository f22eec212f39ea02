"""Communicators of NCCL: workers of one job make them, with a stand-in for NCCL's library (tests/programs/fake_nccl).

The stand-in ends a worker that uses NCCL in a way that its documents forbid, or leaves a communicator behind, with
SIGABRT and a sentence, so that each test also holds all calls against these rules."""

import re
import time

import pytest


class Group:
    """How to start workers of tests/programs/nccl_worker.cc with the stand-in."""

    def __init__(self, trainit, program, start, job, directory, clean_env):
        self.trainit = trainit
        self.worker = program("nccl_worker")
        self.library = program("fake_nccl")
        self.start_process = start
        self.job = job
        self.directory = directory
        # LeakSanitizer stops a process that ends by SIGSTOP, and waits for ever when SIGCONT comes just then, which is a
        # part of the launcher's stop.
        options = clean_env.get("ASAN_OPTIONS")
        self.sanitizers = {"ASAN_OPTIONS": f"{options}:detect_leaks=0"} if options else {}

    def start(self, *steps, workers=4, fake="", options=(), wrapper=(), env=None):
        self.directory.mkdir(exist_ok=True)
        variables = {"LD_LIBRARY_PATH": self.library, "FAKE_NCCL": fake, "FAKE_NCCL_LOG": str(self.directory)}
        prefix = ["--log-prefix", "[rank {rank}] ", "--log-prefix-rank-0"]
        return self.start_process([self.trainit, "--workers", str(workers), *prefix, *options, "--", *wrapper, self.worker,
                                   *steps], job=self.job(), env=variables | self.sanitizers | (env or {}))

    def run(self, *steps, **options):
        end = self.start(*steps, **options).wait()
        assert "fake NCCL:" not in end.err, end  # it says so when NCCL is used as it must not be
        return end

    def calls(self, rank):
        file = self.directory / f"rank-{rank}"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def group(trainit, program, start, job, tmp_path, clean_env):
    return Group(trainit, program, start, job, tmp_path / "calls", clean_env)


def said(end, rank):
    return re.findall(rf"^\[rank {rank}\] (.*)$", end.out, re.MULTILINE)


def errors(end):
    """What each rank's last step failed with."""
    return {int(rank): text for rank, text in re.findall(r"^\[rank (\d+)\] error: (.*)$", end.err, re.MULTILINE)}


MADE = ["ncclGetVersion", "ncclCommInitRankConfig"]
MADE_BY_FIRST = ["ncclGetVersion", "ncclGetUniqueId", "ncclCommInitRankConfig"]
ENDED = ["ncclCommFinalize", "ncclCommDestroy"]


# ---- meeting

def test_all_ranks_meet_and_work_together(group):
    end = group.run("make=world", "sum=world", "sum=world")
    assert end.code == 0, end
    for rank in range(4):
        assert said(end, rank) == [f"world: rank {rank} of 4", "world: sum 6", "world: sum 6"]
        made = MADE_BY_FIRST if rank == 0 else MADE
        assert group.calls(rank) == [*made, "ncclAllReduce", "ncclAllReduce", *ENDED]


def test_a_single_rank_is_a_group_too(group):
    end = group.run("make=world", "sum=world", workers=1)
    assert end.code == 0 and end.out.splitlines() == ["[rank 0] world: rank 0 of 1", "[rank 0] world: sum 0"], end


def test_some_ranks_make_one_of_their_own_in_the_order_that_they_name(group):
    end = group.run("@4,1:make=pair:4,1", "@4,1:sum=pair", workers=5)
    assert end.code == 0, end
    assert said(end, 4) == ["pair:4,1: rank 0 of 2", "pair: sum 5"]
    assert said(end, 1) == ["pair:4,1: rank 1 of 2", "pair: sum 5"]
    assert group.calls(4)[:3] == MADE_BY_FIRST and group.calls(1)[:2] == MADE and group.calls(0) == []


def test_groups_of_one_name_and_groups_that_overlap_are_kept_apart(group):
    end = group.run("make=world", "@0,1:make=half:0,1", "@2,3:make=half:2,3", "make=odd and even:3,1,0,2",
                    "sum=half", "sum=odd and even", "sum=world")
    assert end.code == 0, end
    for rank, half in enumerate([1, 1, 5, 5]):
        assert said(end, rank)[-3:] == [f"half: sum {half}", "odd and even: sum 6", "world: sum 6"]


def test_one_name_serves_for_one_communicator_after_the_other(group):
    end = group.run("make=world", "sum=world", "close=world", "make=world", "make=world", "sum=world",
                    "same=world", "same=world", "sum=world")
    assert end.code == 0, end
    assert [line for line in said(end, 3) if "sum" in line] == ["world: sum 6"] * 3
    assert group.calls(3).count("ncclCommInitRankConfig") == group.calls(3).count("ncclCommDestroy") == 5


def test_who_made_one_with_some_ranks_before_meets_those_who_did_not(group):
    end = group.run("@0,1:make=pair:0,1", "@0,1:close=pair", "make=world", "sum=world", workers=3)
    assert end.code == 0, end
    assert said(end, 2) == ["world: rank 2 of 3", "world: sum 3"]


def test_workers_that_only_make_communicators_count_as_come(group):
    end = group.run("make=world", options=["--late-after", "1ms"], wrapper=["sh", "-c", 'sleep 0.2; exec "$0" "$@"'])
    assert end.code == 0, end
    assert "none ever joined" not in end.err
    end = group.run("version", options=["--late-after", "1ms"])
    assert "none ever joined" in end.err


# ---- who does not come

def test_the_ranks_that_do_not_come_are_named_by_all_others(group):
    end = group.run("up", "@3,5:hold", "@0,1,2:timeout=600", "@4:timeout=1", "make=world", workers=6)
    sentence = 'ranks 3 and 5 have not come to the communicator "world" within 1.0 s'
    told = errors(end)
    assert {rank: told[rank] for rank in (0, 1, 2, 4)} == dict.fromkeys((0, 1, 2, 4), sentence), end
    assert end.code == 1 and all("ncclGetUniqueId" not in group.calls(rank) for rank in range(6))


WHO_COMES_LATE = 'if [ $RANK = 2 ]; then while [ ! -e "$GONE" ]; do sleep 0.05; done; exec "$0" make=world; fi\n' \
                 '"$0" timeout=0.5 make=world || { [ $RANK = 1 ] || : >"$GONE"; exec sleep 1000; }'


def test_who_comes_when_the_others_have_given_up_is_told_so_at_once(group, tmp_path):
    end = group.start(wrapper=["sh", "-c", WHO_COMES_LATE], workers=3, env={"GONE": str(tmp_path / "gone")}).wait()
    assert errors(end)[2] == 'rank 2 has not come to the communicator "world" within 0.5 s', end


@pytest.mark.parametrize("hang, sentence", [
    ("connect@1", 'NCCL has not connected the ranks of the communicator "world" within 1.0 s'),
    ("ncclGetUniqueId@0", 'rank 0 has not made the id of the communicator "world" within 1.0 s'),
])
def test_an_nccl_that_hangs_ends_at_the_deadline(group, hang, sentence):
    end = group.run("up", "timeout=1", "make=world", fake=f"hang={hang}", options=["--failure-grace", "1s"])
    told = errors(end)
    told.pop(0, None)
    assert told == dict.fromkeys((1, 2, 3), sentence), end
    if "connect" in hang:
        assert all(group.calls(rank)[-1] == "ncclCommAbort" for rank in range(4))


# ---- a stop

def stopped(group, running):
    """What ranks say that end by themselves: whoever were killed would say nothing."""
    running.signal(15)
    end = running.wait()
    assert "fake NCCL:" not in end.err, end
    return errors(end)


def test_a_stop_ends_the_wait_for_others(group):
    running = group.start("up", "@2:hold", "make=world", workers=3)
    running.wait_for("holding")
    told = stopped(group, running)
    assert told.pop(2) == "was held until SIGTERM"
    assert set(told) == {0, 1} and len(set(told.values())) == 1
    assert re.fullmatch(r'rank [01] was told to stop before the communicator "world" was made', told[0])


def test_a_stop_ends_the_wait_for_nccl(group):
    running = group.start("make=world", fake="hang=connect")
    deadline = time.monotonic() + 60
    while not all(group.calls(rank)[-1:] == ["ncclCommInitRankConfig"] for rank in range(4)):
        assert time.monotonic() < deadline, running.output()
        time.sleep(0.01)
    told = stopped(group, running)
    assert len(told) == 4 and all("was told to stop before the communicator" in text for text in told.values()), told
    assert all(group.calls(rank)[-1] == "ncclCommAbort" for rank in range(4))


STOP_ONE = """
[ $RANK = 1 ] || exec "$0" "$@"
"$0" "$@" &
until grep -q InitRank "$FAKE_NCCL_LOG/rank-1"; do sleep 0.05; done
kill $!
wait $!
"""


def test_a_stop_of_one_rank_ends_the_others(group):
    end = group.run("up", "timeout=600", "make=world", workers=3, wrapper=["sh", "-c", STOP_ONE], fake="hang=connect@2")
    assert errors(end) == dict.fromkeys(range(3), 'rank 1 was told to stop before the communicator "world" was made'), end


# ---- what goes wrong in NCCL

def test_one_rank_without_the_library_ends_all(group):
    end = group.run("up", "@2:library=libnone.so.2", "timeout=600", "make=world")
    why = "cannot load NCCL: libnone.so.2: cannot open shared object file: No such file or directory"
    assert errors(end) == {2: f'the communicator "world": {why}'} | \
        dict.fromkeys((0, 1, 3), f'rank 2 could not make the communicator "world": {why}'), end


def test_a_library_without_ncclcomminitrankconfig_is_refused(group):
    end = group.run("library=libc.so.6", "make=world", workers=1)
    assert re.fullmatch(r'the communicator "world": \S+ has no ncclGetLastError: NCCL 2\.14 or a later 2 is needed',
                        errors(end)[0]), end


@pytest.mark.parametrize("library, header, words", [
    (22602, 22707, "is NCCL 2.26.2, and the program was compiled with the header of NCCL 2.27.7: it needs 2.27 or a later 2"),
    (30001, 22707, "is NCCL 3.0.1, and the program was compiled with the header of NCCL 2.27.7: it needs 2.27 or a later 2"),
])
def test_a_library_that_does_not_fit_the_header_is_refused(group, library, header, words):
    end = group.run("up", f"header={header}", "timeout=600", "make=world", fake=f"version={library}@1")
    path = f"{group.library}/libnccl.so.2"
    assert errors(end)[1] == f'the communicator "world": {path} {words}', end
    assert errors(end)[0] == f'rank 1 could not make the communicator "world": {path} {words}'
    assert group.calls(0) == ["ncclGetVersion"]


def test_a_library_that_is_newer_than_the_header_is_taken(group):
    end = group.run("header=22707", "make=world", "sum=world", fake="version=23007")
    assert end.code == 0, end


@pytest.mark.parametrize("call, rank", [("ncclGetUniqueId", 0), ("ncclCommInitRankConfig", 1), ("connect", 3)])
def test_a_failure_of_nccl_on_one_rank_ends_all_with_ncclgetlasterror(group, call, rank):
    end = group.run("up", "timeout=600", "make=world", fake=f"fail={call}@{rank}")
    shown = "ncclCommInitRankConfig" if call == "connect" else call
    why = f"{shown}: unhandled system error: the fake was told to fail"
    assert errors(end) == {rank: f'the communicator "world": {why}'} | \
        dict.fromkeys({0, 1, 2, 3} - {rank}, f'rank {rank} could not make the communicator "world": {why}'), end


def test_after_a_failure_the_same_ranks_can_try_again(group):
    end = group.run("@1:library=libnone.so", "no=world", "library=libnccl.so.2", "make=world", "sum=world")
    assert end.code == 0, end
    assert all(said(end, rank)[-1] == "world: sum 6" for rank in range(4))


# ---- afterwards

GONE = "remote process exited or there was a network error: rank {} is gone"


def test_an_asynchronous_error_is_told_with_its_reason_and_the_communicator_aborted(group):
    end = group.run("make=world", "sum=world", "break=world", fake="break=1@2")
    told = errors(end)
    assert told.pop(2) == 'the communicator "world": ncclCommGetAsyncError: remote process exited or there was a network ' \
                          "error: the fake was told to break", end
    assert set(told) == {0, 1, 3} and all(text.endswith(GONE.format(2)) for text in told.values()), end
    assert all(group.calls(rank)[-1] == "ncclCommAbort" for rank in range(4))


def test_a_peer_that_dies_is_an_error_and_no_hang(group):
    end = group.run("make=world", "sum=world", "@1:kill", "sum=world", "break=world")
    told = errors(end)
    assert set(told) == {0, 2, 3} and all(text.endswith(GONE.format(1)) for text in told.values()), end
    assert all(group.calls(rank)[-1] == "ncclCommAbort" for rank in (0, 2, 3))


def test_a_call_that_fails_is_told_and_the_communicator_aborted(group):
    end = group.run("make=world", "sum=world", fake="fail=ncclAllReduce", workers=1)
    assert errors(end) == {0: 'the communicator "world": NCCL: unhandled system error: the fake was told to fail'}, end
    assert group.calls(0)[-1] == "ncclCommAbort"


def test_a_finalize_that_hangs_ends_at_the_deadline(group):
    end = group.run("timeout=1", "make=brief", "close=brief", fake="hang=finalize", workers=2)
    assert errors(end) == dict.fromkeys(range(2), 'the communicator "brief": NCCL has not done what it was asked for '
                                                  "within 1.0 s"), end
    assert group.calls(0)[-1] == "ncclCommAbort"


def test_what_was_closed_or_aborted_is_not_touched_again(group):
    end = group.run("make=a", "make=b", "close=a", "close=a", "abort=a", "abort=b", "abort=b", "close=b")
    assert end.code == 0, end
    assert sorted(group.calls(1)[-3:]) == sorted([*ENDED, "ncclCommAbort"])
    end = group.run("make=a", "close=a", "check=a", workers=1)
    assert errors(end)[0] == 'the communicator "a": it was closed or aborted before', end
    end = group.run("make=a", "move=a", workers=1)
    assert errors(end)[0] == "this communicator was moved from: nothing is left of it", end


@pytest.mark.parametrize("step, words", [
    ("make=few:0,9", 'the ranks of the communicator "few": there is no rank 9 of 2'),
    ("make=few:0,1,0", 'the ranks of the communicator "few": rank 0 stands there twice'),
    ("@1:make=few:0", 'rank 1 is none of the ranks of the communicator "few"'),
])
def test_ranks_that_make_no_sense_are_refused(group, step, words):
    assert words in errors(group.run(step, workers=2)).values()


@pytest.mark.parametrize("change, words", [
    ("unset RANK", "RANK is not set: which rank is this?"),
    ("unset WORLD_SIZE", "WORLD_SIZE is not set: which rank is this?"),
    ("export WORLD_SIZE=two", 'WORLD_SIZE is "two": expected a number'),
    ("export RANK=7", "there is no rank 7 of 1"),
    ("unset MASTER_PORT", "MASTER_PORT is not set: where is the rendezvous store?"),
])
def test_an_environment_that_makes_no_sense_is_refused(group, change, words):
    end = group.run("make=world", workers=1, wrapper=["sh", "-c", f'{change}; exec "$0" "$@"'])
    assert words in end.err, end


# ---- programs that know NCCL alone

def test_programs_that_know_nccl_alone_meet_by_its_own_variable(group):
    end = group.run("plain", options=["--nccl-comm-id"])
    assert end.code == 0, end
    assert all(said(end, rank) == ["plain: sum 6"] for rank in range(4))
    note = next(line for line in end.ours if line.startswith("set because unset:"))
    assert re.search(r" NCCL_COMM_ID=127\.0\.0\.1:[1-9]\d+\b", note)


SHOW = ["--", "sh", "-c", 'echo "${NCCL_COMM_ID-none}"']


def test_the_variable_is_set_only_when_that_is_asked_for_and_never_over_the_users_own(trainit, pid1, job):
    assert pid1([trainit, *SHOW], job=job()).out == "none\n"
    assert re.fullmatch(r"127\.0\.0\.1:\d+\n", pid1([trainit, "--nccl-comm-id", *SHOW], job=job()).out)
    own = {"NCCL_COMM_ID": "10.0.0.1:1234"}
    assert pid1([trainit, "--nccl-comm-id", *SHOW], job=job(), env=own).out == "10.0.0.1:1234\n"
    never = ["--nccl-comm-id", "--rank-env", "never"]
    assert pid1([trainit, *never, *SHOW], job=job()).out == "none\n"


PORT = """
import errno, os, socket
port = int(os.environ["NCCL_COMM_ID"].rpartition(":")[2])
for options in [], [socket.SO_REUSEADDR, socket.SO_REUSEPORT]:
    with socket.socket() as one:
        for option in options:
            one.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            one.bind(("127.0.0.1", port))
            one.listen()
            print("free")
        except OSError as error:
            print(errno.errorcode[error.errno])
"""


def test_its_port_is_held_against_strangers_and_open_to_nccl(trainit, pid1, job):
    end = pid1([trainit, "--nccl-comm-id", "--", "python3", "-c", PORT], job=job())
    assert end.out.split() == ["EADDRINUSE", "free"], end

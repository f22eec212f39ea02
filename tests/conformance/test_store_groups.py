"""Process groups of PyTorch (Gloo) in workers of the launcher, which serves the store where they meet."""

from pathlib import Path

import pytest
from trainit_testing import torches

PEER = Path(__file__).resolve().parent / "group_peer.py"
ROUNDS = 5


@pytest.fixture(params=torches.RELEASES)
def release(request):
    return request.param


@pytest.fixture
def run_groups(trainit, pid1, job, tmp_path, release):
    """Runs the script on so many workers, and looks at how the job ended."""
    def run(workers, *arguments, options=()):
        here = job()
        command = [trainit, "--workers", str(workers), *options, "--", torches.python(release), PEER, *arguments]
        end = pid1(torches.without_resolver(tmp_path, command), job=here, env=torches.environment({}), timeout=180)
        assert end.code == 0, end
        assert here.success and here.failure is None
        done = [f"rank {rank} of {workers} is done" for rank in range(workers)]
        assert sorted(line.partition("] ")[2] or line for line in end.out.splitlines()) == done, end

    return run


@pytest.mark.parametrize("workers", [2, 4])
def test_groups_are_made_and_destroyed_again_and_again(run_groups, workers):
    run_groups(workers, str(ROUNDS))


def test_rank_0_may_serve_the_store_itself(run_groups):
    run_groups(2, "1", options=["--worker-store"])


def test_a_script_may_open_stores_of_its_own_beside_its_group(run_groups):
    run_groups(2, "2", "beside")


@pytest.mark.parametrize("release", ["2.15"], indirect=True)
def test_a_model_may_be_trained_in_a_group(run_groups):
    run_groups(2, "1", "model")


def test_some_ranks_may_make_a_group_without_the_others(run_groups, release):
    # Older clients do not say which process they are, so that their second group could be the rest of the first.
    run_groups(4, str(ROUNDS if release == "2.15" else 1), "members")


FAILS = """
import os
import torch.distributed as dist
import torch

dist.init_process_group("gloo")
numbers = torch.ones(4)
dist.all_reduce(numbers)
count = os.environ["TORCHELASTIC_RESTART_COUNT"]
print(f"round {count}: rank {dist.get_rank()} has the sum {int(numbers[0])}", flush=True)
dist.barrier()
if count != os.environ["TORCHELASTIC_MAX_RESTARTS"] and dist.get_rank() == 1:
    os._exit(5)
dist.barrier()
"""


def test_ranks_of_a_job_that_fails_again_and_again_meet_each_time(trainit, pid1, job, tmp_path, release):
    here = job()
    command = [trainit, "--workers", "2", "--max-restarts", "2", "--restart-delay", "0", "--",
               torches.python(release), "-c", FAILS]
    end = pid1(torches.without_resolver(tmp_path, command), job=here, env=torches.environment({}), timeout=180)
    assert end.code == 0 and here.success, end
    for count in range(3):
        for rank in range(2):
            assert f"round {count}: rank {rank} has the sum 2" in end.out, end

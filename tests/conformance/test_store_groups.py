"""Process groups of PyTorch (Gloo) in workers of the launcher, which serves the store where they meet."""

from pathlib import Path

import pytest
from trainit_testing import torches

PEER = Path(__file__).resolve().parent / "group_peer.py"
# Torch 2.1's destroy_process_group has been seen to wait for ever for a thread of Gloo.
ROUNDS = {"1.13": 5, "2.1": 1, "2.15": 5}


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
def test_groups_are_made_and_destroyed_again_and_again(run_groups, release, workers):
    run_groups(workers, str(ROUNDS[release]))


def test_rank_0_may_serve_the_store_itself(run_groups):
    run_groups(2, "1", options=["--worker-store"])


def test_a_script_may_open_stores_of_its_own_beside_its_group(run_groups, release):
    run_groups(4, str(min(2, ROUNDS[release])), "beside")


def test_some_ranks_may_make_a_group_without_the_others(run_groups, release):
    # Older clients do not say which process they are, so that their second group could be the rest of the first.
    run_groups(4, str(ROUNDS[release] if release == "2.15" else 1), "members")

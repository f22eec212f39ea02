"""Run by each worker of a job: PyTorch's process groups with Gloo, in the ways in which scripts use them.

    group_peer.py ROUNDS [WAY]    makes a group, uses it and destroys it, ROUNDS times over

WAY: "beside" also opens stores of its own meanwhile; "members" is for ranks 0 and 1 alone, the others have nothing
to do with torch; "model" trains one, for one round: from then on DistributedDataParallel holds on to the group.
"""

import os
import random
import sys
import time
from datetime import timedelta

RANK, WORLD = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
PATIENCE = timedelta(seconds=30)


def main(rounds, way=""):
    world = 2 if way == "members" else WORLD
    if RANK < world:
        use_groups(int(rounds), way, world)
    print(f"rank {RANK} of {WORLD} is done", flush=True)


def use_groups(rounds, way, world):
    import torch  # not before: it takes seconds

    groups = Groups(torch, world)
    chance = random.Random(RANK)
    for number in range(rounds):
        time.sleep(chance.uniform(0, 0.2))  # no rank knows how far the others are
        groups.join(number)
        groups.talk(number)
        groups.talk_in_parts(number)
        if way == "beside":
            share_keys(torch.distributed, world, number)
            groups.talk_in_parts(number)
        if way == "model":
            model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
            model(torch.ones(1, 2)).sum().backward()
        if torch.__version__.startswith("2.1."):
            # Gloo may wait for ever in here when the last messages have only just gone through, also where PyTorch's own
            # server brought the ranks together.
            time.sleep(0.5)
        torch.distributed.destroy_process_group()


class Groups:
    def __init__(self, torch, world):
        self.torch, self.dist, self.world = torch, torch.distributed, world

    def join(self, number):
        """By env:// and by tcp:// in turn."""
        options = {"rank": RANK, "world_size": self.world}
        if number % 2 == 1:
            options["init_method"] = "tcp://{MASTER_ADDR}:{MASTER_PORT}".format_map(os.environ)
        elif self.world == WORLD:
            options = {}
        self.dist.init_process_group("gloo", timeout=PATIENCE, **options)
        assert (self.dist.get_rank(), self.dist.get_world_size()) == (RANK, self.world)

    def talk(self, number):
        self.add_up(range(self.world), None)
        self.dist.barrier()
        told = [{"round": number, "from": 0}] if RANK == 0 else [None]
        self.dist.broadcast_object_list(told)
        assert told == [{"round": number, "from": 0}], told
        self.dist.monitored_barrier(timeout=PATIENCE)
        found = [None] * self.world
        self.dist.all_gather_object(found, (RANK, number))
        assert found == [(rank, number) for rank in range(self.world)], found

    def talk_in_parts(self, number):
        """Each rank takes part in making every group, and in the use of its own."""
        for ranks in ([0], list(range(self.world))[::-1], list(range(1, self.world)), list(range(0, self.world, 2))):
            group = self.dist.new_group(ranks, timeout=PATIENCE)
            if RANK in ranks:
                self.add_up(ranks, group)
        self.dist.barrier()

    def add_up(self, ranks, group):
        total = self.torch.full((3,), RANK + 1.0)
        self.dist.all_reduce(total, group=group)
        assert total.tolist() == [sum(rank + 1.0 for rank in ranks)] * 3, total


def share_keys(dist, world, number):
    """With stores of the script's own: one that counts its clients, and one that does not."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    for name, options in (("counted", {"world_size": world}), ("not counted", {})):
        store = dist.PrefixStore(name, dist.TCPStore(address, port, is_master=False, timeout=PATIENCE, **options))
        store.set(f"from {RANK}", f"{RANK} in {number}")
        for rank in range(world):
            found = store.get(f"from {rank}")
            assert found == f"{rank} in {number}".encode(), found


main(*sys.argv[1:])

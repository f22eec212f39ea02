"""Learns handwritten digits: an ordinary training script with PyTorch's DistributedDataParallel.

It knows nothing of who starts it. Hyperparameters come as arguments, data directories as SM_CHANNEL_…,
ranks as RANK, WORLD_SIZE and so on; without ranks it trains alone. A channel holds digits.csv, one image
a line: 64 pixel values of 0 to 16, then the digit.

On SIGTERM it writes a checkpoint and ends well; started again, it goes on from there.
"""

import argparse
import gc
import os
import signal
import sys
from pathlib import Path

import numpy
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def parse_arguments():
    output = os.environ.get("SM_OUTPUT_DATA_DIR", "output")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64, help="images per step and worker")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "train"))
    parser.add_argument("--test", default=os.environ.get("SM_CHANNEL_TEST", "test"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--checkpoint-dir", default=os.environ.get("SM_CHECKPOINT_DIR", f"{output}/checkpoint"))
    arguments, unknown = parser.parse_known_args()  # a job may have hyperparameters of no use here
    if unknown:
        print("not used:", *unknown, file=sys.stderr)
    return arguments


def load_digits(directory):
    table = torch.from_numpy(numpy.loadtxt(Path(directory) / "digits.csv", delimiter=",", dtype="float32"))
    return TensorDataset(table[:, :64] / 16, table[:, 64].long())


def make_model():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def make_optimizer(model, learning_rate):
    if learning_rate <= 0:
        raise ValueError("learning rate must be positive")
    return torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)


class Ranks:
    """This worker's place among the others; alone when nobody said otherwise."""

    def __init__(self):
        self.distributed = "RANK" in os.environ
        self.device = torch.device("cpu")
        if torch.cuda.is_available():
            number = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()  # they may share one
            self.device = torch.device("cuda", number)
            torch.cuda.set_device(self.device)
        if self.distributed:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        self.rank = dist.get_rank() if self.distributed else 0
        self.size = dist.get_world_size() if self.distributed else 1
        self.amount = torch.zeros((), device=self.device)

    def wrap(self, model):
        model = model.to(self.device)
        if not self.distributed:
            return model
        return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)

    def sampler(self, data):
        return DistributedSampler(data) if self.distributed else None

    def total(self, value):
        """The sum of `value` over all workers."""
        self.amount.fill_(float(value))
        if self.distributed:
            dist.all_reduce(self.amount)
        return self.amount.item()

    def say(self, text):
        if self.rank == 0:
            print(text, flush=True)

    def leave(self):
        """Together, when rank 0 has written its files, and with nothing left that holds the process group:
        Python must not end while the group's threads may still let go of a tensor."""
        if self.distributed:
            dist.barrier()
            gc.collect()
            dist.destroy_process_group()


class StopRequest:
    """Set by SIGTERM. All workers must leave the loop at the same step, or those that go on would wait for
    the others forever; so the question is answered together."""

    def __init__(self, ranks):
        self.ranks = ranks
        self.here = False
        signal.signal(signal.SIGTERM, self.note)

    def note(self, number, frame):
        self.here = True

    def everywhere(self):
        return self.ranks.total(self.here) > 0


class Checkpoint:
    def __init__(self, directory):
        self.file = Path(directory) / "checkpoint.pt"

    def load(self, model, optimizer):
        """The number of epochs that are done already."""
        if not self.file.exists():
            return 0
        state = torch.load(self.file, map_location="cpu")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return state["epochs"]

    def save(self, model, optimizer, epochs):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # Renamed when it is whole: a kill while it is being written must not cost the last one.
        partial = self.file.with_suffix(".partial")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epochs}, partial)
        partial.rename(self.file)


def train_epoch(model, optimizer, loader, ranks, stop):
    """Goes through the data once; the mean loss of this epoch, or None when a stop was asked for."""
    loss_sum = 0.0
    for pixels, digits in loader:
        if stop.everywhere():
            return None
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(pixels.to(ranks.device)), digits.to(ranks.device))
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
    return ranks.total(loss_sum / len(loader)) / ranks.size


def accuracy(model, data, device):
    pixels, digits = data.tensors
    with torch.no_grad():
        guesses = model(pixels.to(device)).argmax(dim=1).cpu()
    return (guesses == digits).float().mean().item()


def save_model(model, directory):
    """For serving: a TorchScript module that needs none of this code, and the plain weights."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    model = model.cpu().eval()
    torch.jit.trace(model, torch.zeros(1, 64)).save(str(directory / "model.pt"))
    torch.save(model.state_dict(), directory / "weights.pt")


def run(arguments, ranks):
    stop = StopRequest(ranks)
    torch.manual_seed(1)
    plain = make_model()
    learner = ranks.wrap(plain)
    optimizer = make_optimizer(plain, arguments.learning_rate)
    checkpoint = Checkpoint(arguments.checkpoint_dir)
    done = checkpoint.load(plain, optimizer)
    if done:
        ranks.say(f"going on after epoch {done}")

    data = load_digits(arguments.train)
    sampler = ranks.sampler(data)
    loader = DataLoader(data, batch_size=arguments.batch_size, sampler=sampler, shuffle=sampler is None)
    for epoch in range(done + 1, arguments.epochs + 1):
        if sampler:
            sampler.set_epoch(epoch)
        loss = train_epoch(learner, optimizer, loader, ranks, stop)
        if loss is None:
            if ranks.rank == 0:
                checkpoint.save(plain, optimizer, epoch - 1)
            ranks.say(f"asked to stop: checkpoint after epoch {epoch - 1} written to {checkpoint.file}")
            return
        ranks.say(f"epoch {epoch} loss {loss:.2f}")

    if ranks.rank == 0:
        ranks.say(f"test_accuracy={accuracy(plain, load_digits(arguments.test), ranks.device):.2f}")
        save_model(plain, arguments.model_dir)


def main():
    arguments = parse_arguments()
    ranks = Ranks()
    run(arguments, ranks)
    ranks.leave()


if __name__ == "__main__":
    main()

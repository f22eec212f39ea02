"""The PyTorch example's training script, as it is and with an error in it."""

from pathlib import Path

TRAIN = Path(__file__).resolve().parents[3] / "docker/examples/pytorch/train.py"


def raising(rank, text):
    """The script with a worker that raises an error when it is to train: all have met by then."""
    begin = "    loss_sum = 0.0"
    plain = TRAIN.read_text()
    assert plain.count(begin) == 1
    return plain.replace(begin, f"    if ranks.rank == {rank}:\n        raise RuntimeError({text!r})\n{begin}")

"""The releases of PyTorch that tests have, one of each generation of its store's clients."""

from pathlib import Path

from . import cache

PEERS = {"2.1": "torch-2.1", "2.15": "torch"}
RELEASES = ["1.13", *PEERS]  # the first is the distribution's


def python(release):
    return cache.peer(PEERS[release]) if release in PEERS else Path("/usr/bin/python3")


def is_there(release):
    return release not in PEERS or cache.has_peer(PEERS[release])


def without_resolver(directory, argv):
    """argv in front of which name servers are out of reach, in a mount namespace that is there already.

    Clients since torch 2.5 ask them for the name of each server's address, 127.0.0.1 too, and wait for 5 s when
    a question is lost.
    """
    file = Path(directory) / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    return ["sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file, *argv]


def environment(base):
    """Few threads, for the sake of a machine with few cores, and nothing but errors on stderr."""
    return {**base, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}

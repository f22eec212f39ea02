"""TCP ports for tests that have to name one."""

import contextlib
import random
import socket

# Below those that the kernel gives to who asks for none.
POSSIBLE = range(10_000, 32_000)


def free_port():
    """A port of 127.0.0.1 that nobody uses, chosen at random: tests that run at the same time choose others."""
    while True:
        port = random.choice(POSSIBLE)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port

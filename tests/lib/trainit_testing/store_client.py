"""PyTorch's TCPStore protocol over a plain socket, for tests of the rendezvous store and for the small workers in them.

    store = Client.of_worker()            as `init_process_group` would: MASTER_ADDR, MASTER_PORT, PING with our pid
    store.join()
    store.set("key", b"value"); store.wait("key"); store.get("key")

    Client(port)                          a client of torch 2.5 and later
    Client(port, ping=None)               one of torch 2.2 to 2.4, which does not say who it is
    socket.create_connection(…)           anybody else
"""

import os
import socket
import struct
from pathlib import Path

#: Where a worker finds this module.
SEARCH_PATH = str(Path(__file__).resolve().parent.parent)

HELLO = b"\x00\xce\xf7\x85\x3c"
SET, GET, ADD, CHECK, WAIT, MULTI_GET, MULTI_SET, PING, LIST_KEYS = 1, 3, 4, 5, 6, 10, 11, 13, 17
MOST_KEY, MOST_VALUE, MOST_KEYS = 8 << 10, 8 << 20, 128 << 10
OURS = object()


def number(value):
    return struct.pack("<q", value)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def request(operation, *fields):
    """Fields are keys and values (text or bytes), or numbers."""
    return bytes([operation]) + b"".join(number(field) if isinstance(field, int) else text(field) for field in fields)


class Closed(ConnectionError):
    """The store has closed the connection."""


class Client:
    """`ping`: the pid that it says it has, our own if nothing is said; None: it does not say any."""

    def __init__(self, port, host="127.0.0.1", ping=OURS, timeout=30, source=None):
        self.socket = socket.create_connection((host, int(port)), timeout, source_address=source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(HELLO)
        if ping is not None:
            self.ping(os.getpid() if ping is OURS else ping)

    @classmethod
    def of_worker(cls, **options):
        return cls(os.environ["MASTER_PORT"], os.environ["MASTER_ADDR"], **options)

    def send(self, data):
        self.socket.sendall(data)

    def take(self, size):
        """Exactly that many bytes of answers."""
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise Closed("Connection closed by peer")
            data += piece
        return data

    def take_number(self):
        return struct.unpack("<q", self.take(8))[0]

    def ping(self, nonce):
        word = struct.pack("<I", nonce)
        self.send(bytes([PING]) + word)
        assert self.take(4) == word

    def set(self, key, value):
        self.send(request(SET, key, value))

    def get(self, key):
        self.send(request(GET, key))
        return self.take(self.take_number())

    def add(self, key, amount=1):
        self.send(request(ADD, key, amount))
        return self.take_number()

    def wait(self, *keys):
        self.send(request(WAIT, len(keys), *keys))
        assert self.take(1) == b"\x00"

    def check(self, *keys):
        """Whether all of them are there."""
        self.send(request(CHECK, len(keys), *keys))
        return self.take(1) == b"\x00"

    def join(self):
        """What tells that this process has reached init_process_group."""
        return self.add("init/")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

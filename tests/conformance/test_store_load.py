"""The load generator of `scripts/bench store` measures a server that answers rightly, and no other."""

import json
import os
import socket
import socketserver
import struct
import subprocess
import threading

import pytest

RATES = [("rate", mix, "2", "4", "0.05") for mix in ("add", "set+get", "wait+get")]
MEASURES = [*RATES, ("connect", "20"), ("wake", "20"), ("idle", "20")]


class Client(socketserver.StreamRequestHandler):
    """Speaks as much of the protocol as the load generator does."""

    def number(self, form="<Q"):
        return struct.unpack(form, self.rfile.read(struct.calcsize(form)))[0]

    def text(self):
        return self.rfile.read(self.number())

    def answer(self, kind, right):
        self.wfile.write(self.server.what_is_said(kind, right))

    def validate(self):
        assert self.number("<I") == 0x3C85F7CE

    def set(self):
        key, value = self.text(), self.text()
        with self.server.changed:
            self.server.values[key] = value
            self.server.changed.notify_all()

    def get(self):
        value = self.server.values[self.text()]
        self.answer("get", struct.pack("<Q", len(value)) + value)

    def add(self):
        key, amount = self.text(), self.number("<q")
        with self.server.changed:
            self.server.values[key] = self.server.values.get(key, 0) + amount
            answer = struct.pack("<q", self.server.values[key])
        self.answer("add", answer)

    def wait(self):
        assert self.number() == 1
        key = self.text()
        with self.server.changed:
            self.server.changed.wait_for(lambda: key in self.server.values or self.server.early)
        self.answer("wait", b"\0")

    def ping(self):
        self.answer("ping", self.rfile.read(4))

    def handle(self):
        requests = {0: self.validate, 1: self.set, 3: self.get, 4: self.add, 6: self.wait, 13: self.ping}
        try:
            while request := self.rfile.read(1):
                requests[request[0]]()
        except (ConnectionError, struct.error):
            pass  # the load generator has seen enough


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 100
    daemon_threads = True
    block_on_close = False

    def __init__(self, kind="", mistake=None, early=False):
        super().__init__(("127.0.0.1", 0), Client)
        self.kind, self.mistake, self.early = kind, mistake, early
        self.values, self.changed, self.right_answers = {}, threading.Condition(), 4

    def what_is_said(self, kind, right):
        if kind != self.kind:
            return right
        with self.changed:
            self.right_answers -= 1
            return self.mistake(right) if self.right_answers < 0 else right

    def serve(self):
        """Without waking up for anything but a client: the load generator waits until the server rests."""
        while not self.ended:
            self.handle_request()

    def __enter__(self):
        self.ended = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        socket.create_connection(self.server_address).close()
        self.thread.join()
        self.server_close()


def hang_up(_):
    raise ConnectionError


@pytest.fixture
def load(program):
    def run(server, measure):
        argv = [program("store_load"), "127.0.0.1", str(server.server_address[1]), str(os.getpid()), *measure]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize("measure", MEASURES, ids=" ".join)
def test_a_server_that_answers_rightly_is_measured(load, measure):
    with Server() as server:
        end = load(server, measure)
    assert end.returncode == 0, end.stderr
    figures = json.loads(end.stdout)
    assert figures and ("requests" not in figures or figures["requests"] > 0)


@pytest.mark.parametrize("measure, kind, mistake, sentence", [
    pytest.param(RATES[0], "add", lambda right: bytes([right[0] + 1]) + right[1:], "a wrong answer", id="adds one too many"),
    pytest.param(RATES[0], "add", lambda right: right + b"\0", "a wrong answer", id="says more"),
    pytest.param(RATES[0], "add", hang_up, "closed a connection", id="hangs up"),
    pytest.param(RATES[1], "get", lambda right: right[:-1] + b"?", "a wrong answer", id="gives another value"),
    pytest.param(RATES[2], "get", lambda right: b"\0" * 8, "a wrong answer", id="has lost the key"),
    pytest.param(RATES[2], "wait", lambda right: b"\1", "a wrong answer", id="cancels the wait"),
    pytest.param(("connect", "20"), "add", lambda right: b"\1" + right[1:], "not counted one by one", id="counts wrongly"),
    pytest.param(("connect", "20"), "ping", lambda right: b"\0" + right[1:], "a wrong answer", id="greets another"),
    pytest.param(("wake", "20"), "wait", lambda right: b"\1", "a wrong answer", id="cancels a waiter"),
    pytest.param(("wake", "20"), "wait", lambda right: b"\0\0", "a wrong answer", id="wakes one twice"),
    pytest.param(("idle", "20"), "ping", hang_up, "closed a connection", id="drops an idle client"),
])
def test_one_wrong_answer_among_right_ones_ends_it(load, measure, kind, mistake, sentence):
    with Server(kind, mistake) as server:
        end = load(server, measure)
    assert end.returncode == 1 and sentence in end.stderr, end


def test_waiters_that_are_woken_before_the_key_is_set_end_it(load):
    with Server(early=True) as server:
        end = load(server, ("wake", "20"))
    assert end.returncode == 1 and "before the key was set" in end.stderr, end

"""What comes to a rendezvous store's port besides workers: it costs them their connection, and the log one line a kind.

All of it happens to the store of a running job, whose workers use it all the while and would fail if it left them
waiting; afterwards the job goes on to its end.
"""

import contextlib
import os
import random
import re
import resource
import select
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from trainit_testing import store_client
from trainit_testing.processes import store_of
from trainit_testing.store_client import (ADD, GET, HELLO, LIST_KEYS, MOST_KEY, MOST_VALUE, MULTI_GET, MULTI_SET, PING, SET,
                                          WAIT, Client, request, text)

#: What no answer may take, on a machine that has other things to do.
PATIENCE = 20

STRANGER = "what it sends is not PyTorch's store protocol"
TOO_LONG = "it sends a length over the protocol's limits"
HALF = "lost a client in the middle of a request"
NO_NUMBER = "it adds to a value that is no number"
FULL = "has no descriptor left for more connections"
SCAN = "by somebody who left without a word"

WORKER = f"""
import os, sys, time
sys.path.insert(0, {store_client.SEARCH_PATH!r})
from trainit_testing.store_client import Client
rank = os.environ["RANK"]
store = Client.of_worker(timeout={PATIENCE})
store.join()
print("port", os.environ["MASTER_PORT"], flush=True)
while store.get("enough") != b"yes":
    turn = store.add(f"turns of {{rank}}")
    store.set(f"word of {{rank}}", f"turn {{turn}}")
    store.wait(f"word of {{rank}}")
    if store.get(f"word of {{rank}}") != f"turn {{turn}}".encode():
        sys.exit("the store mixes things up")
    time.sleep(0.002)
"""


class Attacked:
    """The store of a job that runs until `finish`."""

    def __init__(self, running, here):
        self.running, self.here = running, here
        self.port = int(running.wait_for(r"port (\d+)", count=2)[1])
        self.store = store_of(running.pid)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def client(self, **options):
        return Client(self.port, timeout=PATIENCE, **options)

    def serves(self):
        """A newcomer is served, and the workers are."""
        with self.client() as good:
            before = self.turns(good)
            good.set("greeting", "hello")
            good.wait("greeting")
            assert good.get("greeting") == b"hello"
            deadline = time.monotonic() + PATIENCE
            while any(now == then for now, then in zip(self.turns(good), before)):
                assert time.monotonic() < deadline, "the workers got no further"

    @staticmethod
    def turns(client):
        """How far each worker has got."""
        return [int(client.get(f"turns of {rank}") or b"0") for rank in (0, 1)]

    def closes(self, attacker):
        """Whether the store has closed this connection, whatever it had sent before."""
        attacker.settimeout(PATIENCE)
        try:
            while attacker.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def resident_mib(self):
        status = Path(f"/proc/{self.store}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def finish(self):
        """The job ends well; gives what the log said of the store, a line each, but not of who took long: that
        depends on how much else the machine has to do."""
        self.serves()
        with self.client() as good:
            good.set("enough", "yes")
            with contextlib.suppress(store_client.Closed, ConnectionError):  # the workers may know it, and all have ended, by then
                good.wait("enough")
        end = self.running.wait()
        assert end.code == 0 and self.here.success, end
        took_long = ("connections that say nothing", "waits for the rest of a request")
        return [line for line in end.ours if "rendezvous store" in line and not any(words in line for words in took_long)]


@pytest.fixture
def attacked(trainit, start, job):
    """attacked(): a job with two workers, whose store is to be attacked."""
    def begin(wrapper=()):
        here = job()
        return Attacked(start([*wrapper, trainit, "--workers", "2", "--", "python3", "-S", "-c", WORKER], job=here), here)

    return begin


def one_line_each(lines, *kinds):
    assert len(lines) == len(kinds), lines
    for kind in kinds:
        assert sum(kind in line for line in lines) == 1, lines


MANY = 10_000


@pytest.fixture
def many_open_files():
    """As many for us and for what we start as thousands of connections take."""
    before = _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + 1000:
        pytest.skip(f"only {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


# ---- strangers

def test_a_connection_now_and_then_that_says_nothing_is_no_news(attacked):
    store = attacked()
    for _ in range(30):
        store.connect().close()
    assert store.finish() == []


def test_a_port_scan_is_told_of_once(attacked):
    store = attacked()
    for _ in range(300):
        store.connect().close()
    reset = struct.pack("ii", 1, 0)
    for _ in range(100):
        scanner = store.connect()
        scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        scanner.close()
    one_line_each(store.finish(), SCAN)


STRANGERS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + bytes(range(200)),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SMB": bytes.fromhex("ff534d4272000000"),
    "lines": b"\r\n\r\n",
    "HELP": b"HELP\r\n",
    "a generation that never was": HELLO[1:] + b"\x01",
    "a number that is none": HELLO + b"\x13",
    "the last number": HELLO + b"\xff",
    "an older client's that is none": request(0, "key", "value") + b"\x0c",
}


def test_who_speaks_something_else_is_closed_and_told_of_once(attacked):
    store = attacked()
    for _ in range(3):
        for name, words in STRANGERS.items():
            stranger = store.connect()
            stranger.sendall(words)
            assert store.closes(stranger), name
    store.serves()
    one_line_each(store.finish(), STRANGER)


def test_no_number_but_those_of_requests_is_served(attacked):
    store = attacked()
    for number in range(19, 256):
        stranger = store.connect()
        stranger.sendall(HELLO + bytes([number]) + bytes(64))
        assert store.closes(stranger), number
    one_line_each(store.finish(), STRANGER)


def test_random_bytes_do_no_harm(attacked):
    store = attacked()
    chance = random.Random(1)
    for turn in range(400):
        stranger = store.connect()
        hello = HELLO if turn % 2 else b""
        try:
            stranger.sendall(hello + chance.randbytes(chance.choice([1, 9, 100, 5000])))
        except ConnectionError:
            pass
        stranger.close()
    lines = store.finish()
    for kind in (STRANGER, TOO_LONG, HALF, NO_NUMBER):
        assert sum(kind in line for line in lines) <= 1, lines
    assert any(STRANGER in line for line in lines)


# ---- requests that are too long, cut or slow

def length(value):
    return struct.pack("<Q", value)


HUGE = [1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1]
TOO_LONG_REQUESTS = [
    *[bytes([SET]) + length(huge) for huge in [MOST_KEY + 1, *HUGE]],
    *[bytes([SET]) + text("key") + length(huge) for huge in [MOST_VALUE + 1, *HUGE]],
    *[bytes([operation]) + length(huge) for operation in (WAIT, MULTI_GET, MULTI_SET) for huge in [(128 << 10) + 1, *HUGE]],
    bytes([MULTI_SET]) + length(1) + text("key") + length(1 << 40),
    bytes([MULTI_GET]) + length(1) + length(1 << 40),
]
ANOTHER_MAGIC = b"\x00\xce\xf7\x85\x3d" + request(SET, "key", "value")  # an older client's SET with an endless key


@pytest.mark.parametrize("hello", [HELLO, b""], ids=["a current client", "an older one"])
def test_a_length_over_the_limits_costs_the_connection_and_no_memory(attacked, hello):
    store = attacked()
    before = store.resident_mib()
    for words in TOO_LONG_REQUESTS:
        stranger = store.connect()
        # Each number of an older client is one lower.
        stranger.sendall(hello + words if hello else bytes([words[0] - 1]) + words[1:])
        assert store.closes(stranger), words[:40]
    stranger = store.connect()
    stranger.sendall(ANOTHER_MAGIC)
    assert store.closes(stranger)
    assert store.resident_mib() < before + 16
    one_line_each(store.finish(), TOO_LONG)


def test_lengths_that_are_promised_cost_no_memory_until_they_come(attacked):
    store = attacked()
    before = store.resident_mib()
    promising = []
    for _ in range(500):
        promising.append(store.connect())
        promising[-1].sendall(HELLO + bytes([SET]) + text("key") + length(MOST_VALUE) + b"x")
    store.serves()
    assert store.resident_mib() < before + 64
    for stranger in promising:
        stranger.close()
    one_line_each(store.finish(), HALF)


HALF_REQUESTS = [
    request(SET, "half", "value")[:-1],
    request(ADD, "half", 7)[:-3],
    bytes([MULTI_SET]) + length(2) + text("half") + text("value") + text("other"),
    request(SET, "half", "value")[:1],
    request(SET, "half", "value")[:12],
    bytes([PING]) + b"ab",
]


def test_a_request_that_is_cut_off_is_not_applied(attacked):
    store = attacked()
    for words in HALF_REQUESTS:
        stranger = store.connect()
        stranger.sendall(HELLO + words)
        stranger.shutdown(socket.SHUT_WR)
        assert store.closes(stranger)
    with store.client() as good:
        assert good.get("half") == b"" and good.get("other") == b""
    one_line_each(store.finish(), HALF)


def test_who_sends_byte_by_byte_is_served_like_the_others(attacked):
    store = attacked()
    slow = store.connect()
    slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    words = HELLO + bytes([PING]) + b"slow" + request(SET, "slow", "but sure") + request(GET, "slow")
    for at in range(len(words)):
        slow.sendall(words[at:at + 1])
        if at % 10 == 0:
            store.serves()
        else:
            time.sleep(0.002)
    answer = b""
    while len(answer) < 4 + 8 + len(b"but sure"):
        answer += slow.recv(100)
    assert answer == b"slow" + text("but sure")
    assert store.finish() == []


def test_many_who_dawdle_keep_nobody_waiting(attacked):
    store = attacked()
    dawdlers = [store.connect() for _ in range(300)]
    words = HELLO + request(SET, "slow", "but sure")
    for at in range(len(words) - 1):
        for dawdler in dawdlers:
            dawdler.sendall(words[at:at + 1])
        if at % 10 == 0:
            store.serves()
    for dawdler in dawdlers:
        dawdler.close()
    one_line_each(store.finish(), HALF)


def test_who_adds_to_what_is_no_number_is_closed(attacked):
    store = attacked()
    for _ in range(3):
        stranger = store.client()
        stranger.set("word", "seven")
        stranger.send(request(ADD, "word", 1))
        assert store.closes(stranger.socket)
    one_line_each(store.finish(), NO_NUMBER)


# ---- too many

def idle(store, count, saying=b""):
    """That many connections, from several addresses."""
    connections = []
    for number in range(count):
        source = (f"127.0.0.{2 + number % 8}", 0)
        connections.append(socket.create_connection(("127.0.0.1", store.port), PATIENCE, source_address=source))
        connections[-1].sendall(saying)
    return connections


def test_ten_thousand_connections_that_say_nothing_are_no_burden(attacked, many_open_files):
    store = attacked()
    before = store.resident_mib()
    connections = idle(store, MANY)
    store.serves()
    assert store.resident_mib() < before + 64
    assert len(os.listdir(f"/proc/{store.store}/fd")) > MANY
    for connection in connections:
        connection.close()
    store.serves()
    one_line_each(store.finish(), SCAN)


def test_ten_thousand_clients_that_wait_are_no_burden(attacked, many_open_files):
    store = attacked()
    connections = idle(store, MANY, saying=HELLO + request(WAIT, 1, "the end of time"))
    store.serves()
    with store.client() as good:
        good.set("the end of time", "now")
    for connection in connections:
        assert connection.recv(2) == b"\x00"
        connection.close()
    assert store.finish() == []


# The sanitizers look at memory through pipes of their own.
@pytest.mark.release_only
def test_silent_ones_make_room_when_there_are_no_descriptors_left(attacked):
    store = attacked(wrapper=["prlimit", "--nofile=80:80"])
    with store.client() as early:
        early.set("early", "bird")
        connections = idle(store, 500)
        store.serves()  # newcomers too
        early.wait("early")
        assert early.get("early") == b"bird"
    for connection in connections[:300]:
        assert store.closes(connection)  # the oldest
    for connection in connections:
        connection.close()
    one_line_each([line for line in store.finish() if SCAN not in line], FULL)


@pytest.mark.release_only
def test_clients_are_not_closed_for_want_of_descriptors(attacked):
    store = attacked(wrapper=["prlimit", "--nofile=80:80"])
    clients = []
    for _ in range(300):
        clients.append(store.connect())
        clients[-1].sendall(HELLO + bytes([PING]) + b"here")
    # The kernel keeps those for which there is no descriptor until others leave.
    for client in clients:
        assert client.recv(5) == b"here"
        client.close()
    one_line_each(store.finish(), FULL)


def fill(store):
    """Clients that are served, as many as there are descriptors, and one more that waits for one."""
    clients = []
    while True:
        waiting = store.connect()
        waiting.sendall(HELLO + bytes([PING]) + b"here")
        while not select.select([waiting], [], [], 0.01)[0]:
            if FULL in store.running.err:
                return clients, waiting
        assert waiting.recv(5) == b"here"
        clients.append(waiting)


@pytest.mark.release_only
def test_who_gets_the_last_descriptor_may_take_his_time_while_nobody_wants_it(attacked):
    store = attacked(wrapper=["prlimit", "--nofile=80:80"])
    clients, waiting = fill(store)
    clients.pop().close()
    assert waiting.recv(5) == b"here"
    clients.pop().close()
    silent = store.connect()
    for _ in range(5):
        waiting.sendall(bytes([PING]) + b"more")
        assert waiting.recv(5) == b"more"
        time.sleep(0.05)
    silent.sendall(HELLO + bytes([PING]) + b"late")
    assert silent.recv(5) == b"late"
    for client in [*clients, waiting, silent]:
        client.close()
    one_line_each(store.finish(), FULL)


def test_thousands_of_connections_a_second_keep_nobody_waiting(attacked):
    store = attacked()
    failures = []

    def storm():
        for count in range(1500):
            with socket.socket() as stranger:
                stranger.settimeout(PATIENCE)
                stranger.bind((f"127.0.1.{1 + count % 200}", 0))  # no want of ports
                try:
                    stranger.connect(("127.0.0.1", store.port))
                    if count % 3 == 0:
                        stranger.sendall(HELLO)
                except OSError as error:
                    failures.append(error)

    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.serves()
    assert not failures
    one_line_each(store.finish(), SCAN)


# ---- who does not read

def test_who_never_reads_costs_the_store_little(attacked):
    store = attacked()
    greedy = store.client()
    greedy.set("large", os.urandom(100_000))
    before, one, sent = store.resident_mib(), request(GET, "large"), 0
    greedy.socket.settimeout(1)
    with pytest.raises(TimeoutError):  # the store has stopped reading
        while sent < 64 << 20:
            sent += greedy.socket.send(memoryview(one * 10_000)[sent % len(one):])
    store.serves()
    assert store.resident_mib() < before + 64
    greedy.close()
    assert store.finish() == []


def test_answers_for_who_reads_late_are_all_there_and_in_order(attacked):
    store = attacked()
    late = store.client()
    late.set("large", b"x" * 1_000_000)
    count = 60
    late.send(b"".join(request(GET, "large") + request(ADD, "count", 1) for _ in range(count)))
    store.serves()
    for number in range(1, count + 1):
        assert late.take_number() == 1_000_000 and late.take(1_000_000) == b"x" * 1_000_000
        assert late.take_number() == number
    assert store.finish() == []


def test_who_goes_without_a_word_is_not_waited_for(attacked):
    store = attacked()
    for _ in range(50):
        with store.client() as gone:
            gone.set("large", b"x" * 500_000)
            gone.send(request(GET, "large") * 40 + request(WAIT, 1, "what never comes"))
            gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    store.serves()
    assert [line for line in store.finish() if HALF not in line] == []


def test_a_list_of_all_keys_may_be_long(attacked):
    store = attacked()
    with store.client() as many:
        count = 5_000
        many.send(b"".join(request(SET, f"{number:06} {'x' * 90}", "") for number in range(count)))
        many.send(bytes([LIST_KEYS]) * 50)
        store.serves()
        for _ in range(50):
            for _ in range(many.take_number()):
                many.take(many.take_number())
    assert store.finish() == []

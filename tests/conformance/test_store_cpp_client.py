"""The C++ client of the rendezvous store gives the same results with PyTorch's own server as with ours, and meets Python's."""

import json
import subprocess
from pathlib import Path

import pytest
from trainit_testing import cache

# Prints its port, then answers the C++ client, and serves until its stdin ends.
REFERENCE = """
import sys, torch
store = torch.distributed.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
print(store.port, flush=True)
sys.stdin.read()
"""
GREETING = """
import sys, torch
from datetime import timedelta
store = torch.distributed.TCPStore("127.0.0.1", int(sys.argv[1]), None, False, timeout=timedelta(seconds=30))
store.set("to C++", "hello")
print(store.get("from C++").decode())
"""
RESULTS = [
    ["set", "done"], ["append", "done"], ["get", "v!"], ["add", 41], ["add again", 42],
    ["compare_set of nothing", "first"], ["compare_set of another", "first"], ["compare_set", "second"],
    ["check", True], ["check of one that is missing", False],
    ["wait that times out", "error: waiting 0.1 s for missing: timed out"], ["wait", "done"],
    ["multi_set", "done"], ["multi_get", ["1", "2"]], ["delete_key", True], ["delete_key again", False],
    ["num_keys", 4], ["list_keys", ["c", "k", "m2", "n"]], ["queue_push", "done"], ["queue_len", 1],
    ["queue_pop", "item"], ["queue_pop that times out", "error: waiting 0.1 s for q: timed out"], ["barrier", "done"],
]


@pytest.fixture
def reference():
    server = subprocess.Popen([cache.peer("torch"), "-c", REFERENCE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().strip()
    server.stdin.close()
    assert server.wait(60) == 0


@pytest.fixture
def ours(trainit):
    server = subprocess.Popen([trainit, "store", "--port", "0"], stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().rsplit(":", 1)[1].strip()
    server.terminate()
    assert server.wait(60) == 0


def results(program, port):
    return json.loads(subprocess.run([program("store_client"), "127.0.0.1", port], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout)


def test_every_call_gives_with_our_store_what_it_should(program, ours):
    assert results(program, ours) == RESULTS


def test_every_call_gives_the_same_with_pytorchs_own_server(program, reference):
    assert results(program, reference) == RESULTS


@pytest.mark.parametrize("python", ["distribution", "peer"])
def test_it_meets_the_client_of_a_python_script(program, ours, python):
    interpreter = cache.peer("torch") if python == "peer" else Path("/usr/bin/python3")
    script = subprocess.Popen([interpreter, "-c", GREETING, ours], stdout=subprocess.PIPE, text=True)
    answer = subprocess.run([program("store_client"), "127.0.0.1", ours, "hello"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    assert json.loads(answer) == [["get", "hello"], ["set", "done"]]
    assert script.communicate(timeout=60)[0] == "hello yourself\n" and script.returncode == 0

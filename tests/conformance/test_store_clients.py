"""PyTorch's own clients of the rendezvous store, of three generations, against `trainit store`.

The cases (tests/lib/trainit_testing/store_cases.py) also run against the server of the same release, which shows
that they expect what PyTorch does; where ours does better, the case says so. All cases of one release and one
server run in one process, because importing torch takes seconds.
"""

import json
import tempfile
from concurrent import futures
from pathlib import Path

import pytest
from trainit_testing import processes, torches
from trainit_testing.store_cases import CASES, OURS, THEIRS

PEER = Path(__file__).resolve().parent / "store_peer.py"
RUN_SECONDS = 900
RUNS_AT_ONCE = 2
COMBINATIONS = [(release, server) for release in torches.RELEASES for server in (OURS, THEIRS)]
CLEAN = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def run_cases(release, server, binary):
    """{case: what was wrong with it, or None}, and what else was said."""
    command = [torches.python(release), PEER, "cases", release, server, *([binary] if server == OURS else [])]
    with tempfile.TemporaryDirectory() as directory:
        running = processes.start(torches.without_resolver(directory, command), env=torches.environment(CLEAN))
        try:
            end = running.wait(RUN_SECONDS)
        finally:
            running.end()
    lines = [json.loads(line) for line in end.out.splitlines()]
    return {line["case"]: line["problem"] for line in lines}, end


@pytest.fixture(scope="session")
def runs(trainit, request):
    """The runs that the selected tests need, some of them at once: they mostly wait."""
    wanted = {item.callspec.params["combination"] for item in request.session.items
              if "combination" in getattr(getattr(item, "callspec", None), "params", {})}
    with futures.ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        yield {(release, server): pool.submit(run_cases, release, server, trainit)
               for release, server in COMBINATIONS if (release, server) in wanted and torches.is_there(release)}


def parameters():
    for release, server in COMBINATIONS:
        for case in CASES:
            if case.holds_for(release, server):
                yield pytest.param((release, server), case.name, id=f"torch-{release}-{server}-{case.name}")


@pytest.mark.parametrize("combination, case", parameters())
def test_a_client_finds_that(runs, combination, case):
    release, _ = combination
    torches.python(release)
    problems, end = runs[combination].result()
    assert case in problems, end
    assert not problems[case], f"{problems[case]}\n{end.err[-2000:]}"


def test_clients_of_all_generations_share_one_store(trainit, start, tmp_path):
    pythons = {release: torches.python(release) for release in torches.RELEASES}
    server = start([trainit, "store", "--port", "0"])
    port = server.wait_for(r"^listening on 127\.0\.0\.1:(\d+)$").group(1)
    names = {f"torch {release} {number}": python for release, python in pythons.items() for number in (1, 2)}
    clients = []
    for name, python in names.items():
        others = [other for other in names if other != name]
        command = torches.without_resolver(tmp_path, [python, PEER, "together", port, name, *others])
        clients.append(start(command, env=torches.environment({})))
    for client in clients:
        end = client.wait()
        assert end.code == 0, end
    server.signal(15)
    assert server.wait().code == 0

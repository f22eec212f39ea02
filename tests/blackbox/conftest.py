"""Black-box tests: the built binary, seen from outside, as PID 1 of its own pid namespace.

The fixtures (trainit, pid1, start, job, clean_env) and how to use them: see tests/conftest.py.

    /usr/bin/python3 -m pytest tests/blackbox                      the static product
    TRAINIT_BINARY=build/dev/launcher/trainit /usr/bin/python3 -m pytest tests/blackbox    with sanitizers
"""

import subprocess
from pathlib import Path

import pytest
from trainit_testing import package


@pytest.fixture(scope="session")
def build_directory(trainit):
    return Path(trainit).parent.parent


@pytest.fixture(scope="session")
def installed_library(build_directory, tmp_path_factory):
    """The prefix below which the library of the binary's build directory is installed."""
    return package.install(build_directory, tmp_path_factory.mktemp("prefix"))


class Way:
    """One of the ways in which trainit looks after a command: as a job or by `exec`, as PID 1 or not."""

    def __init__(self, trainit, words, as_pid_1):
        self.trainit, self.words, self.as_pid_1 = trainit, words, as_pid_1

    @property
    def is_job(self):
        return not self.words

    def argv(self, *command, options=()):
        return [self.trainit, *self.words, *options, "--", *command]


WAYS = {"as PID 1": ((), True), "as a subreaper": ((), False),
        "exec as PID 1": (("exec",), True), "exec as a subreaper": (("exec",), False)}


@pytest.fixture(params=WAYS)
def way(request, trainit):
    """What to start, and where: `start(way.argv(COMMAND…), namespace=way.as_pid_1)`."""
    return Way(trainit, *WAYS[request.param])


@pytest.fixture
def store_alone(trainit, start):
    """store_alone(OPTION, …): `trainit store` once it listens: what `start` gives, and `.port`, `.address`."""
    def begin(*options, wrapper=(), **more):
        running = start([*wrapper, trainit, "store", *options], **more)
        listening = running.wait_for(r"^listening on (\S+):(\d+)$")
        running.address, running.port = listening[1], int(listening[2])
        return running

    return begin


@pytest.fixture
def fake_gpus(program):
    """fake_gpus(BEHAVIOUR): the variables that put the stand-ins in the place of the machine's driver."""
    def variables(behaviour, **more):
        return {"LD_LIBRARY_PATH": program("fake_cuda"), "FAKE_CUDA": behaviour,
                "TRAINIT_GPU_PROBE": "always", **more}

    return variables


@pytest.fixture
def mounted():
    """mounted(DIRECTORY, OPTIONS…): mounts there until the test's end."""
    places = []

    def mount(directory, *options):
        subprocess.run(["mount", *options, directory], check=True)
        places.append(directory)

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", place], check=True)

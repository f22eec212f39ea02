"""Fixtures of the black-box and conformance tests.

They run with the distribution's own Python and pytest, as root, against a binary that was built before:
`TRAINIT_BINARY`, or build/release/launcher/trainit. Black-box tests know nothing but the command line,
files, signals and exit codes, so that the same tests run against the static product and against the
binary with sanitizers (whose findings fail the test that caused them).

    def test_a_failing_worker_leaves_its_code_and_a_failure_file(trainit, pid1, job):
        here = job(hyperparameters={"epochs": 3}, channels={"train": {"a.csv": "1,2"}})
        end = pid1([trainit, "--workers", "2", "--", "sh", "-c", "exit 7"], job=here)
        assert end.code == 7
        assert not here.success and "exit code 7" in here.failure

trainit        path of the binary under test
program(NAME)  path of a helper program of tests/programs, built beside it
pid1(argv)     runs argv as PID 1 of its own pid namespace to its end: `.code`, `.out`, `.err`, `.ours`
               (our own log lines), `.seconds`. job=, env= (added to a small clean environment; a value of
               None removes), cwd=, stdin= (bytes), timeout= in seconds, namespace=False for "not PID 1"
start(argv)    the same, but returns at once: `.wait_for(regex, stream="out"|"err", count=)`,
               `.signal(number)`, `.pid`, `.out`, `.err`, `.wait()`; tty=True gives it a terminal
               (`.type("\\x03")`; stdin, stdout and stderr are one there)
job(…)         lays out a job directory: hyperparameters=, raw_hyperparameters=, channels=, resources=,
               code=, config= (see tests/lib/trainit_testing/jobs.py); `.base`, `.model`, `.output`,
               `.success`, `.failure`, `.failure_reason`, `.write_config()`, `.write_code()`, `.env`
digits_job(…)  a job with the handwritten digits as channels; code= and hyperparameters by name
clean_env      the environment that both start with
engine         a Docker engine of the tests' own (`.docker("run", …)`); skips where none can run
trainit_image, pytorch_image, cpp_image, nccl_image    what docker/Dockerfile and docker/examples make
raising_image  pytorch_image with a worker, rank 3, that raises an error

Markers: `release_only` for what is true of the static product alone (its size, its linking, foreign
roots): such tests are left out of a run against the binary with sanitizers.
"""

import contextlib
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))

from trainit_testing import cache, docker_engine, example_scripts, jobs, processes  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent


def binary_path():
    default = REPOSITORY / "build/release/launcher/trainit"
    return Path(os.environ.get("TRAINIT_BINARY", default)).resolve()


def has_sanitizers(binary):
    return binary.exists() and b"__asan_init" in binary.read_bytes()


def pytest_configure(config):
    config.addinivalue_line("markers", "release_only: true of the static product alone")


def pytest_collection_modifyitems(config, items):
    if not has_sanitizers(binary_path()):
        return
    left_out = [item for item in items if item.get_closest_marker("release_only")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def trainit():
    binary = binary_path()
    if not binary.exists():
        pytest.fail(f"{binary} is not there: cmake --preset release && cmake --build --preset release")
    return str(binary)


@pytest.fixture(scope="session")
def program(trainit):
    """program(NAME): path of a helper program of tests/programs, built beside the binary under test."""
    def find(name):
        path = Path(trainit).parent.parent / "tests/programs" / name
        assert path.exists(), f"{path} is not there: build the target {path.name} too"
        return str(path)

    return find


#: What LeakSanitizer says of a thread that ends while it looks at it.
NO_FINDING = re.compile(r"(==\d+==Unable to get registers from thread \d+\.\n)+")


@pytest.fixture
def clean_env(tmp_path, trainit):
    """A small environment. With sanitizers, their reports go to files that the test's end looks for."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "HOME": "/root", "LANG": "C.UTF-8"}
    if not has_sanitizers(Path(trainit)):
        yield environment
        return
    reports = tmp_path / "sanitizer-reports"
    reports.mkdir()
    environment["ASAN_OPTIONS"] = f"log_path={reports}/report:handle_abort=0"
    environment["UBSAN_OPTIONS"] = f"log_path={reports}/report:print_stacktrace=1"
    yield environment
    texts = [file.read_text(errors="replace") for file in sorted(reports.iterdir())]
    texts = [text for text in texts if not NO_FINDING.fullmatch(text)]
    assert not texts, "\n".join(texts)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture
def start(clean_env, request):
    started = []

    def begin(argv, *, job=None, env=None, **options):
        environment = dict(clean_env)
        environment.update(job.env if job else {})
        for name, value in (env or {}).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        started.append(processes.start(argv, env=environment, **options))
        return started[-1]

    yield begin
    for running in started:
        running.end()
        if getattr(request.node, "failed", False):
            print(f"$ {' '.join(running.argv)}\nended with {running.process.returncode}\n{running.output()}")


@pytest.fixture
def pid1(start):
    def run(argv, *, timeout=60, **options):
        return start(argv, **options).wait(timeout)

    return run


@pytest.fixture
def job(tmp_path):
    made = []

    def make(**parts):
        made.append(jobs.lay_out(tmp_path / f"job-{len(made) + 1}", **parts))
        return made[-1]

    return make


@pytest.fixture
def digits_job(job):
    def make(code=None, **hyperparameters):
        channels = {name: cache.digits() / name for name in ("train", "test")}
        return job(hyperparameters=hyperparameters, channels=channels, code=code)

    return make


@pytest.fixture(scope="session")
def engine():
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(docker_engine.running_engine())
        except docker_engine.CannotStart as reason:
            pytest.skip(f"no Docker engine can run here: {reason}")
        yield running


@pytest.fixture(scope="session")
def trainit_image(engine):
    base = engine.import_root("debian-12")
    engine.build(REPOSITORY, "trainit", file=REPOSITORY / "docker/Dockerfile", DEBIAN=base)
    return "trainit"


@pytest.fixture(scope="session")
def pytorch_image(engine, trainit_image):
    base = engine.import_root("debian-12")
    engine.build(REPOSITORY / "docker/examples/pytorch", "trainit-pytorch", BASE=base, TRAINIT=trainit_image)
    return "trainit-pytorch"


@pytest.fixture(scope="session")
def raising_image(engine, pytorch_image, tmp_path_factory):
    """The same, but the worker of rank 3 raises an error when it is to train."""
    context = tmp_path_factory.mktemp("raising-image")
    (context / "train.py").write_text(example_scripts.raising(rank=3, text="rank three is lost"))
    (context / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY train.py /app/train.py\n")
    engine.build(context, "trainit-raising", BASE=pytorch_image)
    return "trainit-raising"


@pytest.fixture(scope="session")
def cpp_image(engine, trainit_image):
    base = engine.import_root("debian-12")
    engine.build(REPOSITORY, "trainit-cpp", file=REPOSITORY / "docker/examples/cpp/Dockerfile", DEBIAN=base,
                 TRAINIT=trainit_image)
    return "trainit-cpp"


@pytest.fixture(scope="session")
def nccl_image(engine, trainit_image):
    toolkit = cache.cuda_toolkit()
    base = engine.import_root("debian-12")
    with_cuda = engine.add_directory(base, toolkit, "/usr/local/cuda")
    engine.build(REPOSITORY, "trainit-nccl", file=REPOSITORY / "docker/examples/nccl/Dockerfile", DEBIAN=base,
                 BUILD=with_cuda, TRAINIT=trainit_image)
    return "trainit-nccl"

"""A Docker engine of the tests' own: started by hand, used through its own socket, ended with them.

Images are kept in the cache between runs, as building them anew takes minutes; an engine that finds the
cache in use by another one starts with an empty directory of its own.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import cache

START_SECONDS = 60
STOP_SECONDS = 60


class CannotStart(Exception):
    """Why no engine can run on this machine."""


class Engine:
    """A running engine. `docker("run", …)` is the command line client, `client_env` what others need."""

    def __init__(self, socket):
        # The engine's own builder: the other one is a separate program that may not be installed.
        self.client_env = os.environ | {"DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "0"}

    def docker(self, *arguments, check=True, timeout=1800, **options):
        """Runs the client to its end; gives a CompletedProcess with texts."""
        done = subprocess.run(["docker", *map(str, arguments)], env=self.client_env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              errors="replace", **options)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(map(str, arguments))} ended with {done.returncode}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def import_root(self, name):
        """The image of a root from the cache, made once; gives its tag."""
        archive = cache.root_archive(name)
        tag = f"trainit-root:{archive.name.removesuffix('.tar.zst')}"
        if self.docker("image", "inspect", tag, check=False).returncode != 0:
            unpacked = subprocess.Popen(["zstd", "-dc", archive], stdout=subprocess.PIPE)
            self.docker("import", "-", tag, stdin=unpacked.stdout)
            assert unpacked.wait() == 0
        return tag

    def add_directory(self, image, directory, place):
        """The image with a directory, made once for its name; gives its tag."""
        tag = f"trainit-with:{directory.name}"
        if self.docker("image", "inspect", tag, check=False).returncode != 0:
            container = self.docker("create", image, "true").stdout.strip()
            self.docker("cp", f"{directory}/.", f"{container}:{place}")
            self.docker("commit", container, tag)
            self.docker("rm", container)
        return tag

    def build(self, context, tag, **arguments):
        """Builds a Dockerfile with the host's network and proxy settings."""
        for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
            if name in os.environ:
                arguments[name] = os.environ[name]
        file = arguments.pop("file", Path(context) / "Dockerfile")
        flags = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        return self.docker("build", "--network=host", "--tag", tag, "--file", file, *flags, context)

    def remove_leftovers(self):
        """Containers, networks and nameless images that tests or earlier runs have left."""
        containers = self.docker("ps", "--all", "--quiet").stdout.split()
        if containers:
            self.docker("rm", "--force", "--volumes", *containers)
        self.docker("network", "prune", "--force")
        # What a build has made on its way is what the next one begins with.
        self.docker("image", "prune", "--force", "--filter", "until=3h")


@contextlib.contextmanager
def data_directory(scratch):
    kept = cache.CACHE / "docker"
    kept.mkdir(parents=True, exist_ok=True)
    with open(kept / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = kept / "data"
        except BlockingIOError:
            data = scratch / "data"
        yield data


def wait_until_ready(daemon, engine, log):
    deadline = time.monotonic() + START_SECONDS
    while engine.docker("info", check=False).returncode != 0:
        if daemon.poll() is not None:
            raise CannotStart(f"dockerd ended with {daemon.returncode}: {last_words(log)}")
        if time.monotonic() > deadline:
            raise CannotStart(f"dockerd was not ready after {START_SECONDS} s: {last_words(log)}")
        time.sleep(0.2)


def last_words(log):
    lines = log.read_text(errors="replace").strip().splitlines()
    telling = [line for line in lines if "level=error" in line or "level=fatal" in line
               or line.startswith("failed")]
    return (telling or lines or ["it said nothing"])[-1]


def start_daemon(scratch, data, driver):
    socket, log = scratch / "socket", scratch / f"log-{driver}"
    with open(log, "w") as output:
        daemon = subprocess.Popen(
            # It ends with us, also when we are killed. No default bridge, so that another engine of this
            # machine keeps its own.
            ["setpriv", "--pdeathsig", "TERM", "--", "dockerd", "--data-root", data, "--exec-root", scratch / "exec", "--pidfile",
             scratch / "pid", "--host", f"unix://{socket}", "--bridge=none",
             f"--storage-driver={driver}"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    engine = Engine(socket)
    try:
        wait_until_ready(daemon, engine, log)
    except BaseException:
        stop(daemon)
        raise
    return daemon, engine


def start_with_any_driver(scratch, data):
    try:
        return start_daemon(scratch, data, "overlay2")
    except CannotStart as overlay:
        try:
            return start_daemon(scratch, data, "vfs")
        except CannotStart as vfs:
            raise CannotStart(f"{overlay}; with vfs: {vfs}") from None


def stop(daemon):
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def unmount_below(directory):
    """The engine leaves network namespaces mounted, which would keep its directory alive."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{directory}/"):
            subprocess.run(["umount", "--lazy", place], check=True)


@contextlib.contextmanager
def running_engine():
    """Starts an engine for the time of a `with`; raises CannotStart when this machine cannot run one."""
    if os.geteuid() != 0:
        raise CannotStart("dockerd needs root")
    for program in ("dockerd", "docker", "iptables"):
        if not shutil.which(program):
            raise CannotStart(f"{program} is not installed")
    # A socket's path must be short, so not below a deep temporary directory of a test.
    scratch = Path(tempfile.mkdtemp(prefix="trainit-docker-", dir="/tmp"))
    try:
        with data_directory(scratch) as data:
            daemon, engine = start_with_any_driver(scratch, data)
            try:
                engine.remove_leftovers()
                yield engine
                engine.remove_leftovers()
            finally:
                stop(daemon)
    finally:
        unmount_below(scratch)
        shutil.rmtree(scratch)


def main():
    """Runs a command with DOCKER_HOST set, for a look by hand."""
    with running_engine() as engine:
        sys.exit(subprocess.run(sys.argv[1:], env=engine.client_env).returncode)


if __name__ == "__main__":
    main()

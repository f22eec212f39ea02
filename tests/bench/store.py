"""What the rendezvous store costs, against PyTorch's own server with both of its back ends.

All servers run at the same time, and one load generator (tests/programs/store_load) asks one after the other for the
same, so that a disturbance of the machine meets them all. It compares every answer with the only right one. CPU time
is that of all threads of the server's process; what the kernel does for the generator's own calls is not in it.

PyTorch's server looks up the name of every address that it accepts. It is spared the network for that: in its mount
namespace names come from files only.
"""

import json
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

import common
from trainit_testing import cache, processes

MIXES = ("add", "set+get", "wait+get")
SHAPES = ((100, 16), (1, 16), (100, 1), (1, 1))  # connections, answers due to each
SECONDS = "0.5"
MANY, FEWER = 10_000, 1_000  # clients; the legacy server looks at all of them for each request
LESS_CPU, PING_PONG, STORM_SECONDS, IDLE_BYTES = 8, 1.0, 2, 2048  # to reach

PYTORCH = """
import signal, sys
from torch.distributed import TCPStore
store = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False, use_libuv=sys.argv[1] == "libuv")
print(f"listening on 127.0.0.1:{store.port}", flush=True)
signal.pause()
"""


def command(name, directory):
    if name == "trainit":
        return [str(common.BINARY), "store", "--port", "0"]
    names = Path(directory) / "nsswitch.conf"
    names.write_text("hosts: files\n")
    only_files = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"', str(names)]
    return [*only_files, str(cache.peer("torch")), "-c", PYTORCH, name]


class Servers:
    """One of each, all fresh."""

    NAMES = ("trainit", "libuv", "legacy")

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.running = {name: processes.start(command(name, self.directory.name), namespace=False) for name in self.NAMES}
        self.ports = {name: server.wait_for(r"^listening on \S+:(\d+)$")[1] for name, server in self.running.items()}
        return self

    def __exit__(self, *_):
        for server in self.running.values():
            server.end()
        self.directory.cleanup()

    def load(self, name, *measure):
        argv = [common.PROGRAMS / "store_load", "127.0.0.1", self.ports[name], self.running[name].pid, *measure]
        end = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if end.returncode != 0:
            raise SystemExit(f"{name}, {' '.join(map(str, measure))}: {end.stderr.strip()}: no figure can be given")
        return json.loads(end.stdout)


def measures(name, turn):
    """What a server is asked in one turn. The memory first: later there is some that was used before."""
    legacy = name == "legacy"
    yield ("idle", FEWER if legacy else MANY)
    for mix in MIXES:
        for connections, in_flight in SHAPES:
            yield ("rate", mix, connections, in_flight, SECONDS)
    yield ("wake", FEWER)
    yield ("connect", FEWER)
    yield ("connect", MANY) if not legacy or turn == 0 else None


def take_turns(runs):
    """(server, measure) → what came out of each run."""
    found = {}
    for turn in range(runs):
        with Servers() as servers:
            for step in zip(*(measures(name, turn) for name in Servers.NAMES)):
                for name, measure in zip(Servers.NAMES, step):
                    if measure:
                        found.setdefault((name, measure), []).append(servers.load(name, *measure))
    return found


class Figures:
    """Medians."""

    def __init__(self, found):
        self.found = found

    def _median(self, name, measure, figure):
        return statistics.median(figure(result) for result in self.found[name, measure])

    def cpu_us(self, name, *measure):
        """For one request."""
        return self._median(name, ("rate", *measure, SECONDS), lambda result: result["cpu"] / result["requests"] * 1e6)

    def per_second(self, name, *measure):
        return self._median(name, ("rate", *measure, SECONDS), lambda result: result["requests"] / result["seconds"])

    def seconds(self, name, *measure):
        return self._median(name, measure, lambda result: result["seconds"])

    def client_cpu_us(self, name, what, clients):
        return self._median(name, (what, clients), lambda result: result["cpu"] / clients * 1e6)

    def sent_again(self, name, clients):
        return max(result["sent_again"] for result in self.found[name, ("connect", clients)])

    def idle_bytes(self, name, clients):
        return self._median(name, ("idle", clients), lambda result: result["bytes"] / clients)


def ratios(figures, shapes):
    """How many times our CPU time libuv's is."""
    return [figures.cpu_us("libuv", mix, *shape) / figures.cpu_us("trainit", mix, *shape) for mix in MIXES for shape in shapes]


def requests(figures):
    rows = []
    for shape in SHAPES:
        for mix in MIXES:
            cost = {name: figures.cpu_us(name, mix, *shape) for name in Servers.NAMES}
            rows.append([mix, *shape, *(f"{cost[name]:.2f} µs" for name in Servers.NAMES),
                         f"{cost['libuv'] / cost['trainit']:.2f}×",
                         *(f"{figures.per_second(name, mix, *shape):,.0f}" for name in Servers.NAMES)])
    header = ["requests", "connections", "in flight on each", "trainit", "libuv", "legacy", "libuv against trainit",
              "trainit, a second", "libuv", "legacy"]
    least, most = min(ratios(figures, [(100, 16)])), max(1 / ratio for ratio in ratios(figures, [(100, 1), (1, 1)]))
    return ["### Requests: the server's CPU time for one, and how many are answered", "All connections send what has so many "
            "answers at once, and again when all are answered. A SET has no answer and goes with the GET after it.",
            common.table(header, rows),
            common.verdict(f"{LESS_CPU} times less CPU than libuv with 16 in flight on each of 100 connections", least >= LESS_CPU,
                    f"{least:.1f} times less, or better"),
            common.verdict(f"at most {PING_PONG} times libuv's CPU with one in flight", most <= PING_PONG, f"{most:.2f} times at most")]


def storms(figures):
    rows = []
    for clients in (FEWER, MANY):
        for name in Servers.NAMES:
            rows.append([f"{clients:,} connect", name, f"{figures.seconds(name, 'connect', clients) * 1e3:,.0f} ms",
                         f"{figures.client_cpu_us(name, 'connect', clients):.1f} µs", figures.sent_again(name, clients)])
    for name in Servers.NAMES:
        rows.append([f"{FEWER:,} wait for one key", name, f"{figures.seconds(name, 'wake', FEWER) * 1e3:,.1f} ms",
                     f"{figures.client_cpu_us(name, 'wake', FEWER):.1f} µs", ""])
    seconds = figures.seconds("trainit", "connect", MANY)
    header = ["clients", "server", "until the last is answered", "server's CPU time for each", "most segments lost"]
    return ["### Storms", "Connecting includes VALIDATE, PING and ADD of `init/`; a segment is lost when the kernel's queue of "
            "new connections is full, and comes again after a second or more. Waiting is from the SET of the key. "
            f"The legacy server is asked once for {MANY:,}.", common.table(header, rows),
            common.verdict(f"{MANY:,} connections answered in less than {STORM_SECONDS} s", seconds < STORM_SECONDS, f"{seconds:.2f} s")]


def memory(figures):
    sizes = {"trainit": MANY, "libuv": MANY, "legacy": FEWER}
    rows = [[name, f"{clients:,}", f"{figures.idle_bytes(name, clients):,.0f} bytes"] for name, clients in sizes.items()]
    own = figures.idle_bytes("trainit", MANY)
    return ["### Resident memory of one idle connection", common.table(["server", "connections", "each"], rows),
            common.verdict(f"less than {IDLE_BYTES:,} bytes", own < IDLE_BYTES, f"{own:,.0f}")]


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < MANY + 1000:
        raise SystemExit(f"{MANY:,} connections need more open files than the {most:,} that are allowed here (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main():
    options = common.arguments(runs=7)
    raise_descriptor_limit()
    figures = Figures(take_turns(options.runs))
    version = subprocess.run([cache.peer("torch"), "-c", "import torch; print(torch.__version__.split('+')[0])"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    head = (f"## The rendezvous store\n\n`scripts/bench store`, on {common.machine()}; medians of {options.runs} runs in which the "
            f"servers take turns. libuv and legacy are the back ends of PyTorch {version}. One single-threaded generator of "
            "load asks all of them for the same over loopback and checks every answer; that many requests a second is what it "
            "and the server do together. PyTorch's server looks up the name of each address that it accepts: here in "
            "/etc/hosts only, while a resolver that does not answer would have cost it seconds.")
    common.publish("store", "\n\n".join([head, *requests(figures), *storms(figures), *memory(figures)]), options.print)


if __name__ == "__main__":
    main()

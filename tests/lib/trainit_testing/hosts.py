"""Several hosts on one machine, each with a network, names, mounts and processes of its own.

A host is what a process finds when it looks around: namespaces for the network, the host name, mounts, processes and
shared memory; its own /opt/ml, /tmp, /dev/shm, /etc/hosts and /etc/resolv.conf. Its eth0 is one end of a pair whose
other end is a port of a bridge in a network namespace that is nothing but the switch. Nothing of the machine itself
is changed: when the processes that hold the namespaces end, which they also do when this one is killed, all is gone.

    with Hosts(directory, 3) as hosts:
        for host in hosts:
            host.lay_out(hyperparameters={"epochs": 3})
            host.run = host.start([trainit, "--workers", "2", "--", "python3", "train.py"])
        hosts[1].cut()
        ends = hosts.wait(timeout=60)
        assert "algo-2" in hosts[0].job.failure and not hosts.left()

By hand, as root:

    PYTHONPATH=tests/lib python3 -m trainit_testing.hosts 3 -- COMMAND…        on algo-1, algo-2 and algo-3
    … --ipv6          they have no address of IPv4
    … --job DIR       what is below DIR is put into each host's /opt/ml
The exit code is the greatest of theirs; each line has its host in front.
"""

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from trainit_testing import cache, jobs, processes
from trainit_testing.name_server import NameServer
from trainit_testing.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
CLONE_NEWNET = 0x40000000

# Ends when its standard input does: with whoever holds the other end of that pipe, however that one ends.
_HOLD = """echo ready; trap '' CHLD; exec cat > /dev/null"""

# $1: the host's directory outside, $2: its name for itself, then what is to stay visible of /tmp.
_FURNISH = r"""set -e
own=$1; shift
echo "$1" > /proc/sys/kernel/hostname; shift
mount -t tmpfs none /mnt
mkdir -m 1777 /mnt/tmp
for path; do mkdir -p "/mnt$path"; mount --rbind "$path" "/mnt$path"; done
[ -d /opt/ml ] || { mount -t tmpfs none /opt; mkdir /opt/ml; }
mount --bind "$own/ml" /opt/ml
mount --bind "$own/hosts" /etc/hosts
mount --bind "$own/resolv.conf" /etc/resolv.conf
mount -t tmpfs none /dev/shm
mkdir /mnt/cgroup; mount --rbind /sys/fs/cgroup /mnt/cgroup
mount -t sysfs none /sys  # that of this network
mount --rbind /mnt/cgroup /sys/fs/cgroup
mount --rbind /mnt/tmp /tmp
umount -l /mnt
""" + _HOLD


def _run(*command, input=None):
    done = subprocess.run([str(word) for word in command], input=input, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{input or ''}{done.stdout}"


class _Holder:
    """A process that does nothing but keep namespaces: `pid`, its one inside them."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        if self.process.stdout.readline() != b"ready\n":
            raise OSError(f"no namespaces: {self.process.stderr.read().decode().strip()}")
        children = processes.children_of(self.process.pid)
        self.pid = children[0] if children else self.process.pid

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self.process.stderr.close()


class _InNetwork:
    """What has a network of its own, that of the process `self.pid`."""

    def inside(self, function, *arguments):
        """What `function` gives there. A socket belongs to the network that it was made in, also later."""
        result = []

        def work():
            try:
                with open(f"/proc/{self.pid}/ns/net") as network:
                    library = ctypes.CDLL(None, use_errno=True)
                    if library.setns(network.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                result.append((function(*arguments), None))
            except BaseException as error:
                result.append((None, error))

        thread = threading.Thread(target=work)  # which alone goes there
        thread.start()
        thread.join()
        value, error = result[0]
        if error:
            raise error
        return value

    def listen(self, port):
        """A socket that listens there, at every address."""
        return self.inside(lambda: socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True))

    def connect(self, address, port, timeout=10):
        return self.inside(lambda: socket.create_connection((address, port), timeout))


class Switch(_InNetwork):
    """Where all the hosts' cables end. It has an address of its own, which is no host's."""

    def __init__(self, address, prefix):
        self.address = address
        self.holder = _Holder("unshare", "--net", "--", "sh", "-c", _HOLD)
        self.pid = self.holder.pid
        self.ip(f"""link add br0 type bridge forward_delay 0 mcast_snooping 0
                    addr add {address}/{prefix} dev br0 {'nodad' if ':' in address else ''}
                    link set br0 up
                    link set lo up""")

    def ip(self, lines):
        _run("nsenter", "-t", self.pid, "-n", "ip", "-batch", "-",
             input="".join(f"{line.strip()}\n" for line in lines.splitlines()))


class Host(_InNetwork):
    """One host. `run` is for the program that a test starts on it."""

    def __init__(self, hosts, index, name):
        self.hosts, self.index, self.name = hosts, index, name
        self.address = hosts.address_of(index)
        self.hostname = f"ip-10-77-0-{11 + index}"
        self.run = self.job = None
        self.started = []
        self.directory = hosts.directory / name
        (self.directory / "ml").mkdir(parents=True)
        (self.directory / "hosts").touch()
        # Else nobody answers there, which a resolver is told at once.
        server = hosts.switch.address if hosts.name_server else "127.0.0.1"
        (self.directory / "resolv.conf").write_text(f"nameserver {server}\n")

        visible = [path for path in self.hosts.visible if Path("/tmp") in path.parents]
        self.holder = _Holder("unshare", "--net", "--uts", "--mount", "--ipc", "--pid", "--fork", "--kill-child",
                              "--mount-proc", "--", "sh", "-c", _FURNISH, "sh", self.directory, self.hostname, *visible)
        self.pid = self.holder.pid

    def plug_in(self):
        self.hosts.switch.ip(f"""link add port{self.index} type veth peer name eth0 netns {self.pid}
                                 link set port{self.index} master br0
                                 link set port{self.index} up""")
        self._enter("ip", "-batch", "-", input=f"""addr add {self.address}/{self.hosts.prefix} dev eth0 nodad
link set eth0 up
link set lo up
""")

    def _enter(self, *command, input=None):
        _run("nsenter", "-t", self.pid, "-n", "-m", *command, input=input)

    @property
    def root(self):
        """The host's / as this side sees it, with all that is mounted there."""
        return Path(f"/proc/{self.pid}/root")

    def lay_out(self, **parts):
        """Lays out the host's part of the job in its /opt/ml; see jobs.lay_out. Gives it, as `job` does later."""
        names = [host.name for host in self.hosts]
        parts.setdefault("resources", jobs.default_resources(sorted(names), self.name))
        self.job = jobs.lay_out(self.root / "opt/ml", **parts)
        return self.job

    def start(self, argv, *, env=None, pid1=True, ahead=0):
        """Starts a program on the host: as PID 1 of a container there, or just so. See processes.Running.

        ahead  so many seconds the container's clock (CLOCK_MONOTONIC) is ahead of everybody else's
        """
        clock = ["--time", "--monotonic", str(ahead)] if ahead else []
        container = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *clock, "--"] if pid1 else []
        enter = ["nsenter", "-t", str(self.pid), "-n", "-u", "-m", "-i", "-p", "--"]
        self.run = processes.start(argv, env=env, wrapper=[*enter, *container])
        self.started.append(self.run)
        return self.run

    # ---- names

    def know(self, hosts):
        """From now on its /etc/hosts has just these, itself and the loopback names."""
        lines = ["127.0.0.1 localhost", "::1 localhost", f"{self.address} {self.hostname}"]
        lines += [f"{host.address} {host.name}" for host in hosts]
        text = "".join(f"{line}\n" for line in lines).encode()
        # The file is mounted, so it has to stay the same one; and it is never seen empty.
        descriptor = os.open(self.directory / "hosts", os.O_WRONLY)
        os.write(descriptor, text)
        os.ftruncate(descriptor, len(text))
        os.close(descriptor)

    # ---- the network

    def add_interface(self, name, address):
        """One more, that leads nowhere."""
        self._enter("ip", "-batch", "-", input=f"""link add {name} type veth peer name {name}-far
addr add {address}/{self.hosts.prefix} dev {name} {'nodad' if ':' in address else ''}
link set {name} up
""")

    def cut(self):
        """Nothing goes through any more, and nobody is told, as when a cable far away is cut."""
        _run("nsenter", "-t", self.hosts.switch.pid, "-n", "bridge", "link", "set", "dev", f"port{self.index}", "state", 0)

    def mend(self):
        _run("nsenter", "-t", self.hosts.switch.pid, "-n", "bridge", "link", "set", "dev", f"port{self.index}", "state", 3)

    def lose(self, percent):
        """So many of all packets on its way, in and out, are lost."""
        tables = "ip6tables" if self.hosts.ipv6 else "iptables"
        lost = ["-m", "statistic", "--mode", "random", "--probability", percent / 100, "-j", "DROP"]
        # Each where it arrives: a sender is told at once of what it drops itself.
        self._enter(tables, "-A", "INPUT", "-i", "eth0", *lost)
        for other in self.hosts:
            if other is not self:
                other._enter(tables, "-A", "INPUT", "-i", "eth0", "-s", self.address, *lost)

    def miss(self, size):
        """From now on nothing comes here by TCP that has just so many bytes of data, however often it is sent."""
        headers = 20 + 32  # of IPv4, and of TCP with its timestamps
        self._enter("iptables", "-A", "INPUT", "-i", "eth0", "-p", "tcp", "-m", "length", "--length", headers + size,
                    "-j", "DROP")

    # ---- the processes

    def _all(self):
        network = os.readlink(f"/proc/{self.pid}/ns/net")
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in (self.pid, self.holder.process.pid):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/net") == network:
                        yield int(entry)

    def processes(self):
        """All that run on the host, in order of their start."""
        ours = os.readlink("/proc/self/ns/pid")
        found = []
        for pid in self._all():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid") != ours:
                    found.append(pid)
        return sorted(found)

    def left(self):
        """The names of what still runs."""
        return [processes.name_of(pid) for pid in self.processes()]

    def freeze(self):
        """No process of the host does anything any more; its kernel still answers the network.

        Stopped processes can be killed, unlike those of a frozen control group, so that nothing can be left behind.
        """
        told = set()

        def frozen():
            # Who waits for a child that has not called exec yet (vfork) cannot stop, nor go on.
            awake = [pid for pid in self.processes()
                     if processes.state_of(pid) not in (("T", "D", "Z", "") if pid in told else ("T", "Z", ""))]
            for pid in awake:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            told.update(awake)
            return not awake

        wait_until(frozen, f"{self.name} is frozen")

    def thaw(self):
        def awake():
            # nsenter stops with what it has started.
            everybody = list(self._all())
            stopped = [pid for pid in everybody if processes.state_of(pid) == "T"]
            for pid in sorted(everybody, reverse=True):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            return not stopped

        wait_until(awake, f"{self.name} is thawed")

    def end(self):
        """Ends by force all that runs on it, and the host."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.thaw()  # who waits for them outside, and perhaps stopped with them, ends by itself then
        # As long as a process of it is not taken away by its parent, the namespace does not end.
        for running in self.started:
            running.end()
        self.holder.end()

    # ---- the disk

    def limit_output(self):
        """Gives it a small file system for /opt/ml/output. Before what is to see it is started."""
        (self.root / "opt/ml/output").mkdir(exist_ok=True)
        self._enter("mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=200", "none", "/opt/ml/output")
        (self.root / "opt/ml/output/data").mkdir()

    def fill_output(self):
        """Not a byte and not a file more fits there."""
        directory = self.root / "opt/ml/output/data/filler"
        directory.mkdir()
        with contextlib.suppress(OSError), open(directory / "bytes", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        with contextlib.suppress(OSError):
            for number in range(1000):
                (directory / str(number)).touch()


class Hosts:
    """`count` hosts, or those with the given names, in the order of their addresses; index them by number or name.

    directory  for what the hosts have on disk
    ipv6       they have no address of IPv4
    known      whether they know each other's names from the start; see `announce`
    dns        a name server tells them the names, and not /etc/hosts
    visible    directories that the hosts' programs need and that may be below /tmp, which is each host's own
    """

    def __init__(self, directory, count=3, *, names=None, ipv6=False, known=True, dns=False, visible=()):
        self.directory = Path(directory).resolve()
        self.ipv6, self.known, self.dns = ipv6, known, dns
        self.name_server = None
        self.prefix = 64 if ipv6 else 24
        self.names = list(names or (f"algo-{number}" for number in range(1, count + 1)))
        self.visible = [self.directory, REPOSITORY, cache.CACHE.resolve(), *(Path(path).resolve() for path in visible)]
        self.visible = [path for path in self.visible if path.is_dir() or path == self.directory]
        self.hosts = []
        self.stack = contextlib.ExitStack()

    def address_of(self, index):
        return f"fd77::{11 + index}" if self.ipv6 else f"10.77.0.{11 + index}"

    def __enter__(self):
        with self.stack:
            self.switch = Switch("fd77::fe" if self.ipv6 else "10.77.0.254", self.prefix)
            self.stack.callback(self.switch.holder.end)
            if self.dns:
                self._serve_names()
            for index, name in enumerate(self.names):
                host = Host(self, index, name)
                self.stack.callback(host.end)
                host.plug_in()
                self.hosts.append(host)
            self.announce(*(self.hosts if self.known else ()))
            self.stack = self.stack.pop_all()
        return self

    def _serve_names(self):
        family = socket.AF_INET6 if self.ipv6 else socket.AF_INET
        listening = self.switch.inside(socket.socket, family, socket.SOCK_DGRAM)
        listening.bind((self.switch.address, 53))
        self.name_server = NameServer(listening)
        self.stack.callback(self.name_server.end)

    def __exit__(self, *exception):
        self.stack.close()

    def __iter__(self):
        return iter(self.hosts)

    def __len__(self):
        return len(self.hosts)

    def __getitem__(self, which):
        return self.hosts[which if isinstance(which, int) else self.names.index(which)]

    def announce(self, *hosts):
        """From now on all hosts know these by name, and only these."""
        if self.name_server:
            self.name_server.names = {host.name: host.address for host in hosts}
        for host in self.hosts:
            host.know(() if self.name_server else hosts)

    def wait(self, timeout=60, hosts=None):
        """Waits so long for what `run` is on these hosts (on all); what became of each (processes.Finished)."""
        deadline = timeout and time.monotonic() + timeout
        return [host.run.wait(deadline and max(0.1, deadline - time.monotonic())) for host in hosts or self.hosts]

    def left(self):
        """What still runs, by host."""
        return {host.name: host.left() for host in self.hosts if host.processes()}


def _relay(name, running, reader):
    """Prints the lines of a reader as they come, with their host in front."""
    done = 0
    while True:
        with running.changed:
            alive = reader.is_alive()
            data = reader.data[done:]
            whole = data[:data.rfind(b"\n") + 1] if alive else data
            if alive and not whole:
                running.changed.wait(0.2)
        done += len(whole)
        # At once: other relays write too.
        sys.stdout.write("".join(f"{name}| {line}\n" for line in whole.decode(errors="replace").splitlines()))
        sys.stdout.flush()
        if not alive:
            return


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(prog="trainit_testing.hosts", usage="%(prog)s [options] COUNT -- COMMAND…")
    parser.add_argument("count", type=int)
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("--job", metavar="DIR")
    arguments = parser.parse_args(sys.argv[1:split])
    command = sys.argv[split + 1:] or parser.error("no command after --")
    if os.sep in command[0]:
        command[0] = str(Path(command[0]).resolve())
    with tempfile.TemporaryDirectory(prefix="hosts.") as directory, \
            Hosts(directory, arguments.count, ipv6=arguments.ipv6, visible=[Path(command[0]).parent]) as hosts:
        relays = []
        for host in hosts:
            host.lay_out()
            if arguments.job:
                shutil.copytree(arguments.job, host.job.base, dirs_exist_ok=True)
        for host in hosts:
            host.start(command, env=os.environ)
            relays += [threading.Thread(target=_relay, args=(host.name, host.run, reader)) for reader in host.run.readers]
        for relay in relays:
            relay.start()
        ends = hosts.wait(timeout=None)
        for relay in relays:
            relay.join()
        for host, end in zip(hosts, ends):
            print(f"{host.name}| exit {end.code} after {end.seconds:.1f} s")
    return max(end.code for end in ends)


if __name__ == "__main__":
    sys.exit(main())

"""What inits do, seen from outside: each probe runs one of them as PID 1 of a pid namespace of its own.

A probe is a function that takes an `Init` and gives the words for its cell of the table in docs/init.md. What an
init is seen to do, it has done: the probes wait for events, and only "nothing came" is told by time or, where
that is possible, by a later signal that did come. The witness is tests/programs/signal_witness.c.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trainit_testing import processes
from trainit_testing.waiting import came

PEERS = {
    "tini": ["tini", "--"],
    "tini -g": ["tini", "-g", "--"],
    "dumb-init": ["dumb-init", "--"],
    "dumb-init -c": ["dumb-init", "-c", "--"],
    "catatonit": ["catatonit", "--"],
    "catatonit -g": ["catatonit", "-g", "--"],
}
#: Longer than a stop may take (10 s): who has not ended by then hangs.
PATIENCE = 13
#: Every init forwards it, and it is taken after all others that are there: what has not come before it never will.
FENCE = signal.SIGRTMIN + 5
#: Of the kernel for one process: after it, what a process was sent before has come.
OWN_FENCE = signal.SIGURG
NAMES = ("leader", "child", "escapee")


class Init:
    """An init under test: `prefix` is its command line up to the command."""

    def __init__(self, prefix, witness, directory):
        self.prefix = prefix
        self.witness = witness
        self.directory = directory

    def start(self, *command, through=(), **options):
        """Runs a command under it. `through`: a program that starts the init, as env(1) does."""
        env = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8"}
        return processes.start([*through, *self.prefix, *command], env=env, cwd=self.directory, **options)


class Witness:
    """The witness below an init, and how to reach each of its processes."""

    def __init__(self, init, *arguments, names=("leader",), as_pid_1=True):
        below = () if as_pid_1 else ("sh", "-c", '"$@"; exit $?', "sh")
        self.running = init.start(init.witness, *arguments, through=below)
        for name in names:
            self.running.wait_for(f"^{name} ready")
        self.init = self.running.pid if as_pid_1 else children(self.running.pid)[0]
        self.leader = children(self.init)[0]
        self.names = names

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.end()

    def pids(self):
        """name → pid on this side."""
        inner = self.inner_pids()
        outer = {inner_pid(pid): pid for pid in descendants(self.init)}
        return {name: outer[pid] for name, pid in inner.items()}

    def inner_pids(self):
        """name → pid in the namespace."""
        return {name: int(self.running.wait_for(rf"^{name} ready (\d+)")[1]) for name in self.names}

    def got(self, name, number):
        return self.running.out.count(f"{name} got {int(number)}\n")

    def through_init(self, number):
        """Sends it to the init, and waits until it has been forwarded if it ever will be, or the leader is stopped."""
        fences = self.got("leader", FENCE)
        os.kill(self.init, number)
        with contextlib.suppress(ProcessLookupError):  # that has ended it
            os.kill(self.init, FENCE)
        came(lambda: self.got("leader", FENCE) > fences or state(self.leader) in ("T", ""), PATIENCE)

    def fence_each(self):
        """Waits until each has taken what it was sent so far."""
        for name, pid in self.pids().items():
            fences = self.got(name, OWN_FENCE)
            os.kill(pid, OWN_FENCE)
            came(lambda: self.got(name, OWN_FENCE) > fences, PATIENCE)


def stat_fields(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def state(pid):
    try:
        return stat_fields(pid)[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descendants(pid):
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


def status(pid, key):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return line.split(":")[1].split()
    raise KeyError(key)


def inner_pid(pid):
    return int(status(pid, "NSpid")[-1])


def signals(pid, key):
    """The names of the signals in a mask of /proc/PID/status."""
    bits = int(status(pid, key)[0], 16)
    return [name_of(number) for number in range(1, 65) if bits >> (number - 1) & 1]


def name_of(number):
    if number > signal.SIGRTMIN:
        return f"RT+{number - signal.SIGRTMIN}"
    return signal.Signals(number).name[3:] if number in set(signal.Signals) else str(number)


def open_files(pid):
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a program that starts opens and closes files
            names.append(os.readlink(entry))
    return names


def code(running, seconds=PATIENCE):
    """The shell's code of its end, or None when it hangs."""
    try:
        end = running.process.wait(seconds)
    except subprocess.TimeoutExpired:
        running.end()
        return None
    return end if end >= 0 else 128 - end


# ---- probes

def exit_codes(init):
    return f'{code(init.start("sh", "-c", "exit 7"))} / {code(init.start("sh", "-c", "kill -9 $$"))}'


def exec_failures(init):
    plain = Path(init.directory) / "plain"
    plain.write_text("#!/bin/sh\n")
    return f'{code(init.start("/no/such/program"))} / {code(init.start(str(plain)))}'


def everybody(init, *ignoring):
    return Witness(init, "-c", "-e", *(argument for name in ignoring for argument in ("-i", name)), names=NAMES)


WHO = {"leader": "main process", "child": "its group", "escapee": "sessions of their own"}


def whom_term_reaches(init):
    with everybody(init, *NAMES) as witness:
        witness.through_init(signal.SIGTERM)
        witness.fence_each()
        return ", ".join(WHO[name] for name in NAMES if witness.got(name, signal.SIGTERM)) or "nobody"


def unheeded_term(init):
    with everybody(init, *NAMES) as witness:
        os.kill(witness.init, signal.SIGTERM)
        ended = code(witness.running)
        if ended is None:
            return "waits for ever"
        reached = [WHO[name] for name in NAMES[1:] if witness.got(name, signal.SIGTERM)]
        return f"TERM for {' and '.join(reached) or 'nobody else'}, KILL: {ended} within 10 s"


def second_term(init):
    with everybody(init, *NAMES) as witness:
        for _ in range(2):
            witness.through_init(signal.SIGTERM)
        witness.fence_each()
        if witness.got("leader", signal.SIGTERM) < 2:
            return "not forwarded"
        group = ", and to its group" if witness.got("child", signal.SIGTERM) == 1 else ""
        return f"forwarded again{group}"


def third_term(init):
    with everybody(init, *NAMES) as witness:
        for _ in range(3):
            witness.through_init(signal.SIGTERM)
        ended = came(lambda: witness.running.process.poll() is not None, 1)
        return "KILL for everything" if ended else "goes on"


def survivors(init):
    """By the init's own calls: the kernel kills what it leaves, most likely before that could tell what it got."""
    with everybody(init, "child", "escapee") as witness, tempfile.NamedTemporaryFile("r") as calls:
        inner = witness.inner_pids()
        with traced(witness.init, "kill,tkill,tgkill,pidfd_send_signal", calls.name):
            os.kill(witness.leader, signal.SIGTERM)
            code(witness.running)
        sent = calls.read()
    reached = {"child": (inner["child"], -inner["leader"], -1), "escapee": (inner["escapee"], -inner["escapee"], -1)}
    told = [WHO[name] for name, targets in reached.items()
            if any(f"kill({target}, SIGTERM)" in sent for target in targets)]
    return f"TERM for {' and '.join(told)}" if told else "nothing"


@contextlib.contextmanager
def traced(pid, calls, path):
    """Meanwhile such system calls of a process are written to a file."""
    tracer = subprocess.Popen(["strace", "-qq", "-p", str(pid), "-e", f"trace={calls}", "-e", "signal=none", "-o", path])
    try:
        assert came(lambda: status(pid, "TracerPid") == [str(tracer.pid)], PATIENCE), "strace does not begin"
        yield
        tracer.wait(PATIENCE)  # it ends with the process
    finally:
        tracer.kill()
        tracer.wait()


CLEAN_UP = """
import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
if os.fork() == 0:
    signal.sigwait([signal.SIGTERM])
    time.sleep(0.5)
    print("cleaned up", flush=True)
"""


def waits_for_survivors(init):
    running = init.start("/usr/bin/python3", "-c", CLEAN_UP)
    code(running)
    return "yes" if "cleaned up" in running.wait().out else "no"


def faults(init, as_pid_1=True):
    """What becomes of ILL, FPE and SEGV from outside, which the kernel keeps from a PID 1 that does not want them."""
    found = []
    for number in (signal.SIGILL, signal.SIGFPE, signal.SIGSEGV):
        with Witness(init, as_pid_1=as_pid_1) as witness:
            os.kill(witness.init, number)
            try:
                os.kill(witness.init, FENCE)
            except ProcessLookupError:
                pass
            came(lambda: witness.got("leader", FENCE) or witness.running.process.poll() is not None, PATIENCE)
            forwarded = "forwarded" if witness.got("leader", number) else "nothing"
            found.append("it dies" if witness.running.process.poll() is not None else forwarded)
    return found[0] if len(set(found)) == 1 else " / ".join(found)


def faults_elsewhere(init):
    return faults(init, as_pid_1=False)


FORWARDED = [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGCONT,
             signal.SIGWINCH, signal.SIGRTMIN + 2, signal.SIGINT]


def forwarded(init):
    missing = []
    with Witness(init, "-i", "leader") as witness:
        for number in FORWARDED:
            witness.through_init(number)
            if not witness.got("leader", number):
                missing.append(name_of(number))
    return f"all but {', '.join(missing)}" if missing else "all"


def job_control(init, number):
    with Witness(init) as witness:
        witness.through_init(number)
        if state(witness.leader) == "T":
            return "becomes STOP"
        return "forwarded" if witness.got("leader", number) else "nothing"


def terminal_stop(init):
    return job_control(init, signal.SIGTSTP)


def terminal_access(init):
    found = [job_control(init, number) for number in (signal.SIGTTIN, signal.SIGTTOU)]
    return found[0] if found[0] == found[1] else " / ".join(found)


class Sleeper:
    """A child that changes nothing of what it got."""

    def __init__(self, init, through=(), **options):
        self.running = init.start("sh", "-c", "echo there; exec sleep 1000", through=through, **options)
        self.running.wait_for("there")
        self.init = self.running.pid
        self.child = children(self.init)[0]
        came(lambda: Path(f"/proc/{self.child}/comm").read_text().strip() == "sleep", PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.end()


def working_directory(init):
    begun = os.path.realpath(init.directory)
    with Sleeper(init) as sleeper:
        # An init that has just started the command may not have come to it yet.
        came(lambda: os.readlink(f"/proc/{sleeper.init}/cwd") != begun, 2)
        found = os.readlink(f"/proc/{sleeper.init}/cwd")
        return "where it was started" if found == begun else found


def inherited_descriptors(init):
    with open(Path(init.directory) / "inherited", "w") as file:
        name = os.path.realpath(file.name)
        with Sleeper(init, pass_fds=[file.fileno()]) as sleeper:
            # An init that has just started the command may not have come to it yet.
            kept = not came(lambda: name not in open_files(sleeper.init), 2)
            given = name in open_files(sleeper.child)
    return f"{'yes' if kept else 'no'} / {'yes' if given else 'no'}"


def ignored_signals(init):
    with Sleeper(init, through=["env", "--ignore-signal=HUP,USR2"]) as sleeper:
        kept = [name for name in ("HUP", "USR2") if name in signals(sleeper.child, "SigIgn")]
        return "yes" if len(kept) == 2 else "no"


def blocked_signals(init):
    with Sleeper(init) as sleeper:
        return ", ".join(signals(sleeper.child, "SigBlk")) or "none"


def callers_mask(init):
    with Sleeper(init, through=["env", "--block-signal=USR2"]) as sleeper:
        return "yes" if "USR2" in signals(sleeper.child, "SigBlk") else "no"


def group_and_session(init):
    with Sleeper(init) as sleeper:
        fields = stat_fields(sleeper.child)
        return " / ".join("yes" if int(field) == sleeper.child else "no" for field in fields[2:4])


def caller_ignores_sigchld(init):
    """Whether the command ends before the init waits for it decides what happens, so once is not enough."""
    found = set()
    for _ in range(5):
        ended = code(init.start("sh", "-c", "exit 7", through=["env", "--ignore-signal=CHLD"]), 3)
        found.add("hangs" if ended is None else str(ended))
    return " or ".join(sorted(found))


def caller_blocks_sigterm(init):
    with Sleeper(init, through=["env", "--block-signal=TERM"]) as sleeper:
        begun = time.monotonic()
        os.kill(sleeper.init, signal.SIGTERM)
        ended = code(sleeper.running)
        if ended is None:
            return "hangs"
        return f"{ended} at once" if time.monotonic() - begun < 3 else f"{ended} within 10 s"


PROBES = {
    "exit code of `exit 7` / of a SIGKILL": exit_codes,
    "exit code when the program is not there / cannot be run": exec_failures,
    "SIGTERM reaches": whom_term_reaches,
    "nobody heeds SIGTERM": unheeded_term,
    "a second SIGTERM": second_term,
    "a third SIGTERM": third_term,
    "the main process ends; what it left in the background gets": survivors,
    "and has time to clean up": waits_for_survivors,
    "ILL, FPE, SEGV sent to it": faults,
    "the same where it is not PID 1": faults_elsewhere,
    "HUP INT QUIT USR1 USR2 PIPE CONT WINCH RT+2 forwarded": forwarded,
    "TSTP": terminal_stop,
    "TTIN, TTOU": terminal_access,
    "its working directory": working_directory,
    "its caller's descriptors from 3 on: kept by itself / given to the command": inherited_descriptors,
    "signals that its caller ignores stay ignored in the command": ignored_signals,
    "signals that its caller blocks stay blocked in the command": callers_mask,
    "other signals that are blocked in the command": blocked_signals,
    "the command leads a group / a session of its own": group_and_session,
    "its caller ignores SIGCHLD; exit code of `exit 7`": caller_ignores_sigchld,
    "its caller blocks SIGTERM, and SIGTERM comes": caller_blocks_sigterm,
}


def column(prefix, witness):
    """probe → cell, for one init. The probes wait most of the time, so several run at once."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(4) as pool:
        places = {name: Path(directory) / str(number) for number, name in enumerate(PROBES)}
        for place in places.values():
            place.mkdir()
        cells = {name: pool.submit(probe, Init(prefix, witness, places[name])) for name, probe in PROBES.items()}
        return {name: cell.result() for name, cell in cells.items()}


# ---- the table in the document

BEGIN, END = "<!-- init matrix begins -->", "<!-- init matrix ends -->"


def columns(trainit, witness):
    """init → (probe → cell), of all inits."""
    inits = {"trainit exec": [trainit, "exec", "--"], **PEERS}
    return {name: column(prefix, witness) for name, prefix in inits.items()}


def table(found):
    rows = [["", *found], ["---"] * (len(found) + 1)]
    rows += [[probe, *(cells[probe] for cells in found.values())] for probe in PROBES]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def parse(document):
    """The same back from a document's text."""
    text = document.split(BEGIN)[1].split(END)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    names, rows = lines[0][1:], lines[2:]
    return {name: {row[0]: row[number + 1] for row in rows} for number, name in enumerate(names)}

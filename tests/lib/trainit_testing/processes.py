"""Programs as PID 1 of their own pid namespace, and what became of them."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

# A shell that runs the tests in the background has it ignored, and so would have all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pid_namespace(proc):
    """The kernel's own /proc is mounted anew, so that a program sees its namespace's processes only."""
    return ["unshare", "--pid", "--fork", f"--mount-proc={proc}", "--kill-child", "--"]


class Finished:
    """The end of a program: `code` (negative: a signal), `out` and `err` as text."""

    def __init__(self, code, out, err, seconds):
        self.code = code
        self.out_bytes = out
        self.err_bytes = err
        self.seconds = seconds

    @property
    def out(self):
        return self.out_bytes.decode("utf-8", "surrogateescape")

    @property
    def err(self):
        return self.err_bytes.decode("utf-8", "surrogateescape")

    @property
    def ours(self):
        """The launcher's own lines of stderr, without their prefix."""
        return [line[len("trainit: "):] for line in self.err.splitlines()
                if line.startswith("trainit: ")]

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s\n-- stdout\n{self.out}-- stderr\n{self.err}"


class _Reader(threading.Thread):
    """Takes all that a descriptor gives, and tells who waits for it."""

    def __init__(self, descriptor, changed):
        super().__init__(daemon=True)
        # A number that whoever gave it closes meanwhile may soon be another one's.
        self.descriptor = os.dup(descriptor)
        self.changed = changed
        self.data = b""
        self.start()

    def run(self):
        while True:
            try:
                piece = os.read(self.descriptor, 65536)
            except OSError:  # a terminal whose other side is closed gives EIO
                piece = b""
            with self.changed:
                self.data += piece
                self.changed.notify_all()
            if not piece:
                break
        os.close(self.descriptor)


class Running:
    """A program that was started. End it with `wait`, or leave it to the fixture."""

    def __init__(self, argv, *, env, cwd, stdin, namespace, mount_proc, tty, pass_fds, wrapper):
        if wrapper is None:
            wrapper = pid_namespace(mount_proc) if namespace else []
        self.argv = [*wrapper, *map(os.fspath, argv)]
        self.wrapped = bool(wrapper)
        self.changed = threading.Condition()
        self.started = time.monotonic()
        self.terminal = None
        options = dict(env=env, cwd=cwd, start_new_session=True, pass_fds=pass_fds)
        if tty:
            self._start_on_terminal(options)
        else:
            self._start_on_pipes(stdin, options)

    def _start_on_pipes(self, stdin, options):
        feed = subprocess.PIPE if isinstance(stdin, bytes) else stdin
        self.process = subprocess.Popen(self.argv, stdin=feed, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, **options)
        self.readers = [_Reader(stream.fileno(), self.changed)
                        for stream in (self.process.stdout, self.process.stderr)]
        if isinstance(stdin, bytes):
            with contextlib.suppress(BrokenPipeError):  # it has ended, and read nothing
                self.process.stdin.write(stdin)
                self.process.stdin.close()

    def _start_on_terminal(self, options):
        self.terminal, ours = pty.openpty()
        # setsid --ctty makes it the controlling terminal, so that ^C means something.
        self.argv = ["setsid", "--ctty", "--wait", *self.argv]
        options["start_new_session"] = False
        self.process = subprocess.Popen(self.argv, stdin=ours, stdout=ours, stderr=ours, **options)
        os.close(ours)
        self.readers = [_Reader(self.terminal, self.changed)]

    @property
    def pid(self):
        """The program's pid as this side sees it (in its namespace it is 1)."""
        if not self.wrapped and self.terminal is None:
            return self.process.pid
        pid = self.process.pid
        while True:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            if name not in ("nsenter", "unshare", "setsid"):
                return pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                pid = int(children[0])
            elif self.process.poll() is not None:
                raise ProcessLookupError(f"{self.argv} has ended: {self.output()}")
            else:
                time.sleep(0.001)  # it has not forked yet, and nothing tells when it does

    def signal(self, number):
        os.kill(self.pid, number)

    def type(self, text):
        """Types on the program's terminal."""
        os.write(self.terminal, text.encode())

    @property
    def out(self):
        return self.readers[0].data.decode("utf-8", "surrogateescape")

    @property
    def err(self):
        return self.readers[-1].data.decode("utf-8", "surrogateescape")

    def output(self):
        return f"-- stdout\n{self.out}-- stderr\n{self.err if len(self.readers) > 1 else ''}"

    def wait_for(self, pattern, stream="out", count=1, timeout=60):
        """Waits until `pattern` has matched `count` times in the stream; gives the last match."""
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern, re.MULTILINE)
        with self.changed:
            while True:
                matches = list(expression.finditer(getattr(self, stream)))
                if len(matches) >= count:
                    return matches[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or not any(reader.is_alive() for reader in self.readers):
                    raise AssertionError(f"{pattern!r} never came on {stream}:\n{self.output()}")
                self.changed.wait(min(left, 0.5))

    def wait(self, timeout=60):
        """Waits for the end of the program and of its output."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"still running after {timeout} s: {self.argv}\n{self.output()}")
        seconds = time.monotonic() - self.started
        for reader in self.readers:
            reader.join(timeout)
            assert not reader.is_alive(), f"somebody still holds the output open:\n{self.output()}"
        err = self.readers[1].data if len(self.readers) > 1 else b""
        return Finished(code, self.readers[0].data, err, seconds)

    def end(self):
        """Ends it by force. With a namespace of its own everything in it goes too."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                os.kill(self.pid, signal.SIGKILL)
            if self.wrapped:  # who waits for it takes it away, and ends
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
            self.process.kill()
            self.process.wait()
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None


def start(argv, *, env=None, cwd=None, stdin=subprocess.DEVNULL, namespace=True,
          mount_proc="/proc", tty=False, pass_fds=(), wrapper=None):
    """Starts a program; see `Running`. `wrapper`: commands that lead into other namespaces than a new one of pids."""
    return Running(argv, env=env, cwd=cwd, stdin=stdin, namespace=namespace, mount_proc=mount_proc, tty=tty,
                   pass_fds=pass_fds, wrapper=wrapper)


def state_of(pid):
    """'S', 'T', 'Z' …, or '' when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def name_of(pid):
    """What the process calls itself, or '' when there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def store_of(launcher):
    """The process that serves the launcher's rendezvous store, or None."""
    return next((child for child in children_of(launcher) if name_of(child) == "trainit-store"), None)


def command_line_of(pid):
    """With a NUL behind each word, or '' when there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_gpu_watch(pid):
    # Which runs from memory, and so has no name but that on its command line.
    return command_line_of(pid).startswith("trainit-gpu-watch")


def gpu_watch_of(launcher):
    """The process that watches the GPUs for this launcher, or None."""
    return next(filter(is_gpu_watch, children_of(launcher)), None)


def workers_of(launcher):
    """The launcher's children that serve or watch nothing: its workers, and behind them what it adopted."""
    # The store has the launcher's name until it has given itself its own.
    return [child for child in children_of(launcher)
            if name_of(child) not in ("trainit", "trainit-store") and not is_gpu_watch(child)]

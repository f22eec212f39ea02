"""What a worker gets from us and from our caller: descriptors, signals, limits, stdin, terminal, group, port."""

import os
import re
import select
import signal

import pytest

OPEN_DESCRIPTORS = """
import os
def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False
print(*[fd for fd in range(1024) if is_open(fd)])
"""


def caller(setup, *argv):
    """The program that starts us: does `setup` in Python and becomes us."""
    return ["python3", "-c", f"import os, resource, signal, sys\n{setup}\nos.execvp(sys.argv[1], sys.argv[1:])", *argv]


# ---- descriptors

@pytest.mark.parametrize("workers", [1, 3])
def test_none_of_our_descriptors_reaches_a_worker(trainit, pid1, job, workers):
    end = pid1([trainit, "--workers", str(workers), "--", "python3", "-c", OPEN_DESCRIPTORS], job=job())
    assert [line.split("] ")[-1] for line in end.out.splitlines()] == ["0 1 2"] * workers


@pytest.mark.parametrize("workers", [1, 3])
def test_descriptors_of_our_caller_reach_every_worker(trainit, pid1, job, workers):
    setup = "os.dup2(os.open('/dev/null', os.O_RDONLY), 37, inheritable=True)"
    argv = caller(setup, trainit, "--workers", str(workers), "--", "python3", "-c", OPEN_DESCRIPTORS)
    end = pid1(argv, job=job())
    assert [line.split("] ")[-1] for line in end.out.splitlines()] == ["0 1 2 37"] * workers


def test_we_do_not_keep_descriptors_of_our_caller(trainit, start, job):
    reader, writer = os.pipe()
    script = f"exec {writer}>&-; echo closed; exec sleep 1000"  # sh knows descriptors of one digit only
    running = start([trainit, "--", "bash", "-c", script], job=job(), namespace=False, pass_fds=[writer])
    os.close(writer)
    running.wait_for("closed")
    ended, _, _ = select.select([reader], [], [], 30)
    assert ended and os.read(reader, 1) == b"", "somebody still has the other end"
    os.close(reader)
    running.signal(signal.SIGTERM)
    running.wait()


def test_without_proc_we_keep_none_either_whatever_its_number(trainit, start):
    reader, writer = os.pipe()
    number = 15_000
    setup = (f"resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))\n"
             f"os.dup2({writer}, {number}, inheritable=True); os.close({writer})")
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    worker = f"import os, time; os.close({number}); print('closed', flush=True); time.sleep(1000)"
    running = start(caller(setup, *hide, trainit, "exec", "--", "python3", "-c", worker), namespace=False, pass_fds=[writer])
    os.close(writer)
    running.wait_for("closed")
    ended, _, _ = select.select([reader], [], [], 30)
    assert ended and os.read(reader, 1) == b"", "somebody still has the other end"
    os.close(reader)
    running.signal(signal.SIGTERM)
    running.wait()


def test_for_restarts_to_come_we_keep_descriptors_and_directory_and_after_the_last_one_neither(trainit, pid1, job, tmp_path):
    setup = "os.dup2(os.open('/dev/null', os.O_RDONLY), 37, inheritable=True)"
    ours = "[ -e /proc/1/fd/37 ] && [ $(readlink /proc/1/cwd) = $PWD ]"
    gone = "[ ! -e /proc/1/fd/37 ] && [ $(readlink /proc/1/cwd) = / ]"
    script = (f'[ -e /proc/self/fd/37 ] || exit 9; case $TORCHELASTIC_RESTART_COUNT in [01]) sleep 0.3; {ours} && exit 3; exit 8;; esac; '
              f'until {gone}; do sleep 0.02; done')
    end = pid1(caller(setup, trainit, "--max-restarts", "2", "--restart-delay", "0", "--", "sh", "-c", script), job=job(), cwd=tmp_path)
    assert end.code == 0 and "restart 2 of 2" in end.ours, end


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_is_no_reason_to_fail(trainit, pid1, job, closed):
    here = job()
    end = pid1(["sh", "-c", f'exec "$@" {closed}', "sh", trainit, "--workers", "2", "--", "sh", "-c", "echo out; echo err >&2"],
               job=here)
    assert end.code == 0 and here.success
    assert end.out.count("out") == (0 if ">&-" in closed.replace("2>&-", "") else 2)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("code", [0, 5])
def test_a_closed_standard_stream_changes_nothing_of_the_end_in_any_way(way, pid1, job, closed, code):
    here = job()
    command = way.argv("sh", "-c", f"cat; echo out; echo err >&2; exit {code}")
    end = pid1(["sh", "-c", f'exec "$@" {closed}', "sh", *command], job=here, namespace=way.as_pid_1)
    assert end.code == code
    if way.is_job:
        assert here.success == (code == 0) and (code == 0 or "code 5" in here.failure)
    assert end.out == ("" if ">&-" in closed.replace("2>&-", "") else "out\n")
    assert ("err\n" in end.err) == ("2>&-" not in closed)


# ---- signals, limits, directory

STATE = """
import os, re, resource
status = open("/proc/self/status").read()
def field(name):
    return int(re.search(name + r":\\s*([0-9a-f]+)", status)[1], 16)
print("blocked", *[n for n in range(1, 65) if field("SigBlk") >> (n - 1) & 1])
print("ignored", *[n for n in range(1, 65) if field("SigIgn") >> (n - 1) & 1])
mask = os.umask(0)
print("umask", oct(mask))
print("files", *resource.getrlimit(resource.RLIMIT_NOFILE))
print("core", *resource.getrlimit(resource.RLIMIT_CORE))
print("nice", os.nice(0))
print("cwd", os.getcwd())
"""


def state_without_us(pid1, setup, **options):
    # Python ignores SIGPIPE and SIGXFSZ by itself: what it shows has to be compared with what it shows alone.
    return pid1(caller(setup, "python3", "-c", STATE), **options)


@pytest.mark.parametrize("setup", [
    "pass",
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN + 1])",
    "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGHUP, signal.SIGCHLD, signal.SIGTERM, signal.SIGQUIT)]",
    "os.umask(0o027)",
    "resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456)); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    "os.nice(5)",
    "os.chdir('/usr')",
], ids=["nothing", "blocked", "ignored", "umask", "limits", "nice", "directory"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_has_the_state_that_our_caller_gave_us(trainit, pid1, job, setup, workers, tmp_path):
    alone = state_without_us(pid1, setup, cwd=tmp_path)
    assert alone.code == 0, alone
    argv = caller(setup, trainit, "--workers", workers, "--", "python3", "-c", STATE)
    end = pid1(argv, job=job(), cwd=tmp_path)
    assert end.code == 0, end
    mine = [line for line in end.out.splitlines() if not line.startswith("[rank 1] ")]
    assert mine == alone.out.splitlines()


EVERYTHING = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMIN + 1])
[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGHUP, signal.SIGQUIT)]
os.umask(0o027)
resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456)); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(5)
os.chdir("/usr")
"""


def test_a_command_has_the_state_and_the_stdin_of_our_caller_in_every_way(way, pid1, job):
    alone = pid1(caller(EVERYTHING, "python3", "-c", STATE + "print(input())"), stdin=b"typed\n")
    end = pid1(caller(EVERYTHING, *way.argv("python3", "-c", STATE + "print(input())")), job=job(), stdin=b"typed\n",
               namespace=way.as_pid_1)
    assert end.code == 0 and end.out.endswith("cwd /usr\ntyped\n"), end
    assert end.out == alone.out


def test_a_caller_that_ignores_or_blocks_sigchld_does_not_break_us(trainit, pid1, job):
    ignored = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])"
    for setup in (ignored, blocked):
        assert pid1(caller(setup, trainit, "--workers", "2", "--", "sh", "-c", "exit 6"), job=job()).code == 6


def test_a_caller_that_ignores_or_blocks_sigterm_does_not_keep_us_from_stopping(trainit, start, job):
    ignored = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])"
    for setup in (ignored, blocked):
        argv = caller(setup, trainit, "--stop-budget", "400ms", "--", "sh", "-c", "echo ready; exec sleep 1000")
        running = start(argv, job=job())
        running.wait_for("ready")
        running.signal(signal.SIGTERM)
        assert running.wait().code == 137


# ---- stdin and process groups

def test_several_workers_read_from_dev_null(trainit, pid1, job):
    end = pid1([trainit, "--workers", "2", "--", "sh", "-c", "readlink /proc/self/fd/0; cat"], job=job(), stdin=b"typed\n")
    assert sorted(end.out.splitlines()) == ["/dev/null", "[rank 1] /dev/null"]


def test_one_worker_reads_our_stdin(trainit, pid1, job):
    assert pid1([trainit, "--", "cat"], job=job(), stdin=b"typed\n").out == "typed\n"


@pytest.mark.parametrize("workers", ["1", "3"])
def test_each_worker_leads_a_process_group_of_its_own(trainit, pid1, job, workers):
    script = "import os; print(os.getpgid(0) == os.getpid(), os.getsid(0) == os.getsid(os.getppid()))"
    end = pid1([trainit, "--workers", workers, "--", "python3", "-c", script], job=job())
    assert [line.split("] ")[-1] for line in end.out.splitlines()] == ["True True"] * int(workers)


def test_the_launcher_is_pid_1_of_its_namespace(trainit, pid1, job):
    assert pid1([trainit, "--", "sh", "-c", "echo $PPID"], job=job()).out == "1\n"


# ---- the terminal

#: A terminal with a size, as a person's is.
ON_A_TERMINAL = ["sh", "-c", 'stty rows 40 cols 120 -echo; exec "$@"', "sh"]


def test_one_worker_gets_the_terminal_itself_and_its_foreground(trainit, start, job):
    script = "import os, sys; print('yes' if all(os.isatty(fd) for fd in range(3)) and " \
             "os.tcgetpgrp(0) == os.getpgrp() else 'no')"
    running = start([*ON_A_TERMINAL, trainit, "--", "python3", "-c", script], job=job(), tty=True)
    running.wait_for("^yes")
    assert running.wait().code == 0


def test_one_worker_reads_what_is_typed(trainit, start, job):
    running = start([*ON_A_TERMINAL, trainit, "--", "sh", "-c", "echo ready; read line; echo read $line"], job=job(), tty=True)
    running.wait_for("ready")
    running.type("hello\n")
    running.wait_for("read hello")
    assert running.wait().code == 0


def test_control_c_reaches_the_one_worker_once(trainit, start, program, job):
    running = start([*ON_A_TERMINAL, trainit, "--", program("signal_witness"), "-x", "5"], job=job(), tty=True)
    running.wait_for("leader ready")
    running.type("\x03")
    end = running.wait()
    assert end.code == 5 and end.out.count("leader got 2") == 1


@pytest.mark.parametrize("argv, count", [([], 1), (["--workers", "2"], 2), (["exec"], 1)])
def test_control_c_ends_what_has_no_handler_with_130(trainit, start, job, argv, count):
    command = [trainit, *argv, "--", "sh", "-c", "echo ready; exec sleep 1000"]
    running = start([*ON_A_TERMINAL, *command], job=job(), tty=True)
    running.wait_for("ready", count=count)
    running.type("\x03")
    assert running.wait().code == 130


@pytest.mark.release_only  # sanitizers do not work under a tracer
@pytest.mark.parametrize("words", [[], ["--workers", "2"], ["exec"]])
def test_where_there_is_no_terminal_none_is_asked_for(trainit, pid1, job, tmp_path, words):
    # TCGETS is how the C library finds out that there is none, and those of sockets begin with S.
    calls = tmp_path / "calls"
    command = [trainit, *words, "--", "sh", "-c", "kill -TERM $PPID; exec sleep 1000"]
    end = pid1(["strace", "-qq", "-o", str(calls), "-e", "trace=ioctl", "-e", "signal=none", *command], job=job(), namespace=False)
    assert end.code == 143
    asked = re.findall(r"^ioctl\(\d+, (?!S)(\w+), .* = (.*)$", calls.read_text(), re.MULTILINE)
    assert set(asked) == {("TCGETS", "-1 ENOTTY (Inappropriate ioctl for device)")}


def test_control_c_stops_several_workers_through_us(trainit, start, program, job):
    running = start([*ON_A_TERMINAL, trainit, "--workers", "2", "--", program("signal_witness")], job=job(), tty=True)
    running.wait_for("leader ready", count=2)
    running.type("\x03")
    end = running.wait()
    assert end.code == 0 and end.out.count("leader got 2") == 2


def test_the_terminal_is_given_back_at_the_end(trainit, start, job):
    script = f'stty rows 40 cols 120 -echo; {trainit} -- sh -c "exit 3"; echo "code $?"; read line; echo "read $line"'
    running = start(["sh", "-c", script], job=job(), tty=True, namespace=False)
    running.wait_for("code 3")
    running.type("again\n")
    running.wait_for("read again")
    assert running.wait().code == 0


def test_a_terminal_without_a_size_is_a_log(trainit, start, job):
    # The SDK's local mode gives every container one of 0 by 0.
    running = start([trainit, "--", "sh", "-c", "test -t 1 || echo no terminal"], job=job(), tty=True)
    running.wait_for("no terminal")
    assert running.wait().code == 0


def test_who_asks_for_files_or_prefixes_gets_them_also_at_a_terminal(trainit, start, job, tmp_path):
    here = job()
    script = "test -t 1 || echo no terminal; read word; echo got $word; echo 'ValueError: lr' >&2; exit 3"
    argv = [trainit, "--log-dir", str(tmp_path / "logs"), "--", "sh", "-c", script]
    running = start([*ON_A_TERMINAL, *argv], job=here, tty=True)
    running.wait_for("no terminal")
    running.type("word\n")
    running.wait_for("got word")
    assert running.wait().code == 3
    assert (tmp_path / "logs/rank-0.stdout.log").read_text() == "no terminal\ngot word\n"
    assert "ValueError: lr" in here.failure_reason


def test_several_workers_get_no_terminal(trainit, start, job):
    script = "test -t 0 || test -t 1 || test -t 2 || echo none"
    running = start([*ON_A_TERMINAL, trainit, "--workers", "2", "--", "sh", "-c", script], job=job(), tty=True)
    running.wait_for("none", count=2)
    assert running.wait().code == 0


# ---- the port

PORTS = """
import errno, os, socket, sys
def attempt(family, address, port, reuse):
    with socket.socket(family) as one:
        if reuse:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address, port))
            one.listen()
            return "free"
        except OSError as error:
            return errno.errorcode[error.errno]
places = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
ports = {os.environ["MASTER_PORT"], os.environ["JAX_COORDINATOR_ADDRESS"].rpartition(":")[2]}
print(len(ports), "ports")
for port in map(int, sorted(ports)):
    print(*[attempt(*place, port, reuse) for place in places for reuse in (False, True)])
"""


def test_the_ports_are_held_against_strangers_and_open_to_servers_of_rank_0(trainit, pid1, job):
    end = pid1([trainit, "--worker-store", "--", "python3", "-c", PORTS], job=job())
    assert end.out.splitlines() == ["2 ports", *["EADDRINUSE free EADDRINUSE free EADDRINUSE free"] * 2]


def test_the_port_of_the_launchers_own_store_is_nobody_elses(trainit, pid1, job):
    end = pid1([trainit, "--", "python3", "-c", PORTS], job=job())
    assert sorted(end.out.splitlines()) == ["2 ports", "EADDRINUSE EADDRINUSE EADDRINUSE EADDRINUSE EADDRINUSE EADDRINUSE",
                                            "EADDRINUSE free EADDRINUSE free EADDRINUSE free"]


def test_two_jobs_on_one_host_get_ports_of_their_own(trainit, start, job):
    first, second = [start([trainit, "--", "sh", "-c", "echo port $MASTER_PORT; exec sleep 1000"], job=job())
                     for _ in range(2)]
    assert first.wait_for(r"port (\d+)")[1] != second.wait_for(r"port (\d+)")[1]

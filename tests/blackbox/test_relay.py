"""The workers' output on its way through the launcher: whole, in order, bounded, and never in anybody's way."""

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from trainit_testing.processes import workers_of
from trainit_testing.waiting import wait_until

MIB = 1 << 20


def run_into(trainit, job, env, out, err, *argv):
    """Runs to the end with these descriptors as stdout and stderr; its exit code."""
    return subprocess.run([trainit, *argv], env=env | job.env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                          timeout=60).returncode


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])


def fill(descriptor):
    """Fills a pipe that nobody reads, which is as long as anybody may make it."""
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, MIB)
    os.set_blocking(descriptor, False)
    for size in (65536, 1):
        try:
            while os.write(descriptor, b"#" * size):
                pass
        except BlockingIOError:
            pass
    os.set_blocking(descriptor, True)


def first_line(running):
    assert select.select([running.stdout], [], [], 60)[0], "it never came"
    return running.stdout.readline()


# ---- readers that stand still

def test_a_full_stderr_keeps_neither_the_worker_from_its_start_nor_us_from_a_stop(trainit, clean_env, job):
    here = job()
    reader, writer = os.pipe()
    fill(writer)
    running = subprocess.Popen([trainit, "--", "sh", "-c", "echo ready; exec sleep 1000"], env=clean_env | here.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    try:
        assert first_line(running) == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 143
        assert "SIGTERM" in here.failure
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
        os.close(reader)
        os.close(writer)


def test_what_a_full_stderr_did_not_take_comes_when_it_is_read(trainit, clean_env, job):
    here = job()
    reader, writer = os.pipe()
    fill(writer)
    running = subprocess.Popen([trainit, "--", "sh", "-c", "echo ready; read line; exit 3"], env=clean_env | here.env,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    try:
        assert first_line(running) == b"ready\n"
        running.stdin.close()
        with open(reader, "rb") as pipe:
            lines = pipe.read().lstrip(b"#").decode().splitlines()
        assert running.wait(timeout=30) == 3
        assert lines[0].startswith("trainit: 0.") and lines[-1].endswith("exit 3")
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


# ---- what comes out

def test_one_workers_bytes_pass_unchanged(trainit, pid1, job, tmp_path):
    sent = os.urandom(5 * MIB)
    (tmp_path / "bytes").write_bytes(sent)
    end = pid1([trainit, "--", "cat", str(tmp_path / "bytes")], job=job())
    assert end.code == 0
    assert end.out_bytes == sent


def test_several_workers_lines_stay_whole_and_the_streams_apart(trainit, pid1, job):
    script = r'i=0; while [ $i -lt 3000 ]; do echo "$RANK out $i ....."; echo "$RANK err $i ....." >&2; i=$((i+1)); done'
    end = pid1([trainit, "--workers", "4", "--", "sh", "-c", script], job=job())
    for text, stream in [(end.out, "out"), (end.err, "err")]:
        lines = [line for line in text.splitlines() if not line.startswith("trainit: ")]
        for rank in range(4):
            prefix = f"[rank {rank}] " if rank else ""
            ours = [line for line in lines if line.startswith(f"{prefix}{rank} ")]
            assert ours == [f"{prefix}{rank} {stream} {i} ....." for i in range(3000)]
        assert len(lines) == 4 * 3000


def test_a_question_without_a_line_end_is_seen_before_the_answer(trainit, start, job):
    running = start([trainit, "--workers", "2", "--", "sh", "-c", "printf 'ready? '; exec sleep 1000"], job=job())
    running.wait_for(r"ready\? ")
    running.wait_for(r"\[rank 1\] ready\? ")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert "1 line of the output had no end when another came" in end.ours


def test_a_terminal_of_no_size_gets_whole_lines_of_both_streams(trainit, start, job):
    script = 'i=0; while [ $i -lt 500 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done'
    running = start([trainit, "--", "sh", "-c", script], job=job(), tty=True)
    end = running.wait()
    lines = end.out.replace("\r\n", "\n").splitlines()
    assert [line for line in lines if line.startswith("out ")] == [f"out {i}" for i in range(500)]
    assert [line for line in lines if line.startswith("err ")] == [f"err {i}" for i in range(500)]


# ---- where it goes

def test_a_file_that_is_appended_to_keeps_what_it_had(trainit, job, clean_env, tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as out:
        assert run_into(trainit, job(), clean_env, out, out, "--workers", "2", "--", "echo", "hello") == 0
    assert log.read_text().startswith("before\ntrainit: ")
    assert "\nhello\n" in log.read_text() and "\n[rank 1] hello\n" in log.read_text()


@pytest.mark.parametrize("code", [0, 7])
def test_a_full_disk_under_stdout_changes_nothing_of_the_outcome(trainit, job, clean_env, tmp_path, code):
    here = job()
    with open("/dev/full", "w") as full, (tmp_path / "err").open("w") as err:
        script = f"echo lost; exit {code}"
        assert run_into(trainit, here, clean_env, full, err, "--workers", "2", "--", "sh", "-c", script) == code
    text = (tmp_path / "err").read_text()
    assert text.count("stdout cannot be written (No space left on device (ENOSPC)): what does not fit is dropped") == 1
    assert here.success == (code == 0)


def test_a_full_disk_under_both_changes_nothing_of_the_outcome(trainit, job, clean_env):
    here = job()
    with open("/dev/full", "w") as full:
        script = "echo lost; echo lost >&2; exit 3"
        assert run_into(trainit, here, clean_env, full, full, "--workers", "2", "--", "sh", "-c", script) == 3
    assert "ended with code 3" in here.failure


def test_a_reader_that_goes_is_no_death_of_the_job(trainit, job, clean_env, tmp_path):
    here = job()
    script = 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; echo well > "$SM_MODEL_DIR/$RANK"'
    with (tmp_path / "err").open("w") as err:
        running = subprocess.Popen([trainit, "--workers", "2", "--", "sh", "-c", script], env=clean_env | here.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(60) == 0
    assert (here.model / "0").read_text() == (here.model / "1").read_text() == "well\n"
    assert "nobody reads stdout any more (Broken pipe (EPIPE))" in (tmp_path / "err").read_text()


def test_the_pipe_that_we_write_to_stays_blocking_for_others(trainit, job, clean_env):
    reader, writer = os.pipe()
    assert run_into(trainit, job(), clean_env, writer, writer, "--", "echo", "hello") == 0
    assert fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK == 0
    os.close(reader)
    os.close(writer)


# ---- lines without an end

def test_nothing_is_put_behind_the_last_words_of_a_worker(trainit, pid1, job):
    end = pid1([trainit, "--workers", "2", "--", "sh", "-c", "[ $RANK = 0 ] && printf abc; true"], job=job())
    assert end.code == 0 and end.out == "abc"
    assert not [line for line in end.ours if "line end" in line]


# ---- a reader that stands still

def start_with_a_stuck_reader(trainit, here, env, *argv):
    reader, writer = os.pipe()
    running = subprocess.Popen([trainit, *argv], env=env | here.env, stdin=subprocess.DEVNULL, stdout=writer,
                               stderr=subprocess.PIPE)
    os.close(writer)
    return running, reader


def test_a_reader_that_stands_still_stops_the_workers_and_memory_stays_bounded(trainit, job, clean_env, tmp_path):
    here = job()
    written = tmp_path / "written"
    script = (f"import os\nwith open({str(written)!r}, 'w', buffering=1) as log:\n"
              " for i in range(200): os.write(1, b'x' * 1048575 + b'\\n'); print(i + 1, file=log)")
    running, reader = start_with_a_stuck_reader(trainit, here, clean_env, "--workers", "1", "--", "python3", "-c", script)
    wait_until(lambda: written.exists() and len(written.read_text().splitlines()) > 25, "25 MiB are written")
    count = 0
    while count != len(written.read_text().splitlines()):  # until the worker waits
        count = len(written.read_text().splitlines())
        time.sleep(0.5)
    assert count < 70, "64 MiB, or half of them for one stream, are the most that is queued"
    assert resident_kib(running.pid) < (64 + 16) * 1024 or b"__asan_init" in Path(trainit).read_bytes()

    received = 0
    while piece := os.read(reader, MIB):
        received += len(piece)
    assert received == 200 * MIB
    assert running.wait(60) == 0
    os.close(reader)


def test_a_stop_signal_is_heard_though_nobody_reads(trainit, job, clean_env):
    here = job()
    running, reader = start_with_a_stuck_reader(trainit, here, clean_env, "--workers", "2", "--stop-budget", "6s", "--",
                                                "sh", "-c", "exec yes")
    wait_until(lambda: Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(),
               "there is a worker, and signals are heard")
    wait_until(lambda: resident_kib(running.pid) > 24 * 1024, "32 MiB are queued, or will be at once")
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 128 + signal.SIGTERM
    os.close(reader)


def test_a_stop_signal_shortens_the_wait_for_a_slow_reader_at_the_end(trainit, job, clean_env, tmp_path):
    here = job()
    script = f"head -c {8 * MIB} /dev/zero"
    running, reader = start_with_a_stuck_reader(trainit, here, clean_env, "--stop-budget", "2s", "--", "sh", "-c", script)
    try:
        # What they wrote would take a minute to be read.
        wait_until(lambda: here.success, "the workers have ended")
        asked_at = time.monotonic()
        running.send_signal(signal.SIGTERM)
        while running.poll() is None:
            os.read(reader, 4096)
            time.sleep(0.02)
            assert time.monotonic() < asked_at + 20, "it still waits for the reader"
        assert running.returncode == 0
    finally:
        running.kill()
        running.wait()
        os.close(reader)
    assert b"were not read in time" in running.stderr.read()


def test_dropping_instead_of_waiting_says_how_much(trainit, job, clean_env, tmp_path):
    here = job()
    script = f"i=0; while [ $i -lt 100 ]; do head -c {MIB} /dev/zero | tr '\\0' x; echo; i=$((i+1)); done; exec >&-"
    running, reader = start_with_a_stuck_reader(trainit, here, clean_env, "--workers", "2", "--logs-full", "drop", "--",
                                                "sh", "-c", script)
    text = running.stderr.read()  # to the end: the workers did not wait
    assert running.wait(60) == 0
    os.close(reader)
    assert re.search(rb"stdout was not read fast enough: \d+ lines \(\d+ MB\) of rank 1 are dropped", text)
    assert re.search(rb"came faster than they were read and are dropped", text)


# ---- choices

def test_a_prefix_of_ones_own(trainit, pid1, job):
    argv = [trainit, "--workers", "2", "--log-prefix", "<{local_rank}/{stream}> ", "--log-prefix-rank-0", "--", "echo", "hello"]
    end = pid1(argv, job=job())
    assert sorted(end.out.splitlines()) == ["<0/stdout> hello", "<1/stdout> hello"]


def test_a_prefix_that_cannot_be_is_one_sentence(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--log-prefix", "{pid}", "--", "true"], job=here)
    assert end.code == 125
    assert "{pid}" in here.failure


def test_a_file_a_rank_and_only_rank_0_on_the_console(trainit, pid1, job, tmp_path):
    logs = tmp_path / "made/by/us"
    argv = [trainit, "--workers", "2", "--log-dir", str(logs), "--log-ranks", "0", "--", "sh", "-c", "echo $RANK; printf x >&2"]
    end = pid1(argv, job=job())
    assert end.code == 0
    assert end.out == "0\n"
    assert {file.name: file.read_text() for file in logs.iterdir()} == {
        "rank-0.stdout.log": "0\n", "rank-0.stderr.log": "x", "rank-1.stdout.log": "1\n", "rank-1.stderr.log": "x"}


def test_log_files_are_rotated(trainit, pid1, job, tmp_path):
    argv = [trainit, "--workers", "2", "--log-dir", str(tmp_path / "logs"), "--log-file-size", "4K", "--", "seq", "3000"]
    assert pid1(argv, job=job()).code == 0
    names = sorted(file.name for file in (tmp_path / "logs").iterdir())
    assert "rank-1.stdout.log.1" in names
    assert (tmp_path / "logs/rank-1.stdout.log").read_text().endswith("3000\n")


def test_a_log_directory_that_cannot_be_is_said_before_any_worker_starts(trainit, pid1, job, tmp_path):
    (tmp_path / "file").write_text("")
    here = job()
    end = pid1([trainit, "--log-dir", str(tmp_path / "file/logs"), "--", "touch", str(tmp_path / "started")], job=here)
    assert end.code == 125
    assert "file/logs" in here.failure
    assert not (tmp_path / "started").exists()


def test_spilled_lines_are_in_files(trainit, job, clean_env, tmp_path):
    here = job()
    running, reader = start_with_a_stuck_reader(trainit, here, clean_env, "--workers", "2", "--logs-full",
                                                f"spill={tmp_path}/spilled", "--", "sh", "-c",
                                                f"head -c {80 * MIB} /dev/zero | tr '\\0' '\\n'")
    text = running.stderr.read()
    assert running.wait(60) == 0
    os.close(reader)
    assert b"are in" in text
    assert (tmp_path / "spilled/rank-1.stdout.spilled.log").stat().st_size > MIB


def test_a_progress_bar_can_be_collapsed(trainit, pid1, job):
    end = pid1([trainit, "--progress", "collapse", "--", "printf", r"\r10 %%\r50 %%\r100 %%\ndone\n"], job=job())
    assert end.out == "100 %\ndone\n"


@pytest.mark.parametrize("how", ["by themselves", "after a stop"])
@pytest.mark.parametrize("namespace, workers", [(True, 1), (True, 2), (False, 2)])
def test_whoever_outlives_sigkill_and_holds_the_output_keeps_the_job_until_the_drain_deadline(trainit, start, job, how,
                                                                                              namespace, workers):
    # None of our processes: this one, which has opened the pipes of the workers.
    here = job()
    script = "trap 'echo last words; exit 0' TERM; echo ready; while :; do [ -e go ] && echo last words && exit 0; sleep 0.01; done"
    running = start([trainit, "--workers", str(workers), "--", "sh", "-c", script], job=here, cwd=here.base,
                    namespace=namespace)
    running.wait_for("ready", count=workers)
    holders = [os.open(f"/proc/{pid}/fd/1", os.O_WRONLY) for pid in workers_of(running.pid)[:workers]]
    for holder in holders:
        os.write(holder, 100 * b"from outside\n")
    if how == "after a stop":
        running.signal(signal.SIGTERM)
    else:
        (here.base / "go").touch()
    end = running.wait()
    for holder in holders:
        os.close(holder)
    assert end.code == 0 and here.success, end
    assert "somebody still held the workers' output open at the end; what they wrote later is not here" in end.ours
    for rank in range(workers):
        prefix = f"[rank {rank}] " if rank else ""
        lines = [line.removeprefix(prefix) for line in end.out.splitlines() if line.startswith("[rank") == bool(rank)]
        assert lines == ["ready", *100 * ["from outside"], "last words"]
    record = [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]
    ended = [event["time"] for event in record if event["event"] in ("ended", "outcome")]
    assert 0.4 < ended[-1] - ended[-2] < 10  # half a second, and what a busy machine adds


def test_a_background_process_that_holds_the_output_does_not_keep_the_job(trainit, pid1, job):
    end = pid1([trainit, "--workers", "2", "--linger", "100ms", "--", "sh", "-c",
                "trap '' TERM; setsid sleep 1000 & echo done"], job=job())
    assert end.code == 0
    assert end.seconds < 30
    assert sorted(end.out.splitlines()) == ["[rank 1] done", "done"]

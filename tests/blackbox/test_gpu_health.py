"""The GPUs' health while workers run: what of it is in the record and in the log, and when it explains a failure.

The GPUs are those of stand-ins for NVIDIA's libraries. What happens to them is written, while the job runs, into
the file that FAKE_NVML names (tests/programs/fake_cuda/fake_nvml.c)."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from trainit_testing import processes, waiting

CUDA_ERROR = "RuntimeError: CUDA error: unspecified launch failure"
QUICKLY = ["--gpu-health", "100ms"]
NO_PROC = ["unshare", "--mount", "sh", "-ec", 'umount -l /proc; exec "$@"', "sh"]
#: Says so when it is ready, and does not end when it is asked to.
STUBBORN = ["python3", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('started', flush=True); time.sleep(1000)"]


@pytest.fixture
def gpus(fake_gpus, tmp_path):
    """Two GPUs, and `.env`; `.happens(LINE)` lets something happen to them."""
    class Gpus:
        script = tmp_path / "gpus"
        env = fake_gpus("2", FAKE_NVML=str(script))

        def happens(self, line):
            with self.script.open("a") as script:
                script.write(line + "\n")

    Gpus.script.touch()
    return Gpus()


def events(job, name):
    (file,) = (job.output / "data/trainit").glob("*.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in found if event["event"] == name]


def sh(script):
    return ["--", "sh", "-c", script]


def of_rank_1(script):
    return sh(f'if [ "$RANK" = 1 ]; then {script}; fi; sleep 1000')


def warnings(end):
    return [line for line in end.ours if line.startswith("warning: ") and "GPU" in line]


def wait_for_event(job, name, holds=lambda event: True):
    def found():
        try:
            return any(holds(event) for event in events(job, name))
        except ValueError:  # no record yet, or half a line
            return False

    waiting.wait_until(found, f"an event {name!r} in the record")


def watch_of(running):
    """The launcher's watch, once it is one."""
    waiting.wait_until(lambda: processes.gpu_watch_of(running.pid), "somebody who watches the GPUs")
    return processes.gpu_watch_of(running.pid)


UNTIL_DONE = 'while [ ! -e "$DONE" ]; do sleep 0.05; done'


def test_memory_that_the_driver_keeps_for_itself_counts_only_where_it_is_not_told_apart(trainit, start, job, gpus):
    here = job()
    gpus.happens("old_memory")
    running = start([trainit, *QUICKLY, *sh(UNTIL_DONE)], job=here, env=gpus.env | {"DONE": str(here.base / "done")})
    wait_for_event(here, "gpu")
    assert events(here, "gpu")[0]["gpus"][0]["memory_mib"] == 512 + 600
    (here.base / "done").touch()
    assert running.wait().code == 0


def test_the_record_has_how_the_gpus_fare_and_what_changes_and_the_log_nothing(trainit, start, job, gpus):
    here = job()
    running = start([trainit, *QUICKLY, *sh(UNTIL_DONE)], job=here, env=gpus.env | {"DONE": str(here.base / "done")})
    wait_for_event(here, "gpu")
    gpus.happens("temperature 1 71")
    wait_for_event(here, "gpu", lambda event: event["gpus"][0].get("temperature") == 71)
    (here.base / "done").touch()
    end = running.wait()
    assert end.code == 0 and warnings(end) == [], end
    first, second = events(here, "gpu")
    assert first["gpus"] == [
        {"gpu": gpu, "pci": pci, "memory_total_mib": 24576, "temperature": 40, "power": 72, "utilisation": 90,
         "memory_mib": 512} for gpu, pci in ((0, "0000:1a:00.0"), (1, "0000:1b:00.0"))]
    assert second["gpus"] == [{"gpu": 1, "temperature": 71, "power": 72, "utilisation": 90, "memory_mib": 512}]
    (outcome,) = events(here, "outcome")
    assert outcome["gpus"] == [
        {"gpu": 0, "pci": "0000:1a:00.0", "peak_temperature": 40, "peak_memory_mib": 512, "mean_utilisation": 90},
        {"gpu": 1, "pci": "0000:1b:00.0", "peak_temperature": 71, "peak_memory_mib": 512, "mean_utilisation": 90}]
    assert not any("GPU 0" in line or "GPU 1" in line for line in end.ours), end


def test_a_gpu_that_is_slowed_down_or_has_memory_errors_is_one_line_at_the_end(trainit, start, job, gpus):
    here = job()
    running = start([trainit, *QUICKLY, *sh(UNTIL_DONE)], job=here, env=gpus.env | {"DONE": str(here.base / "done")})
    wait_for_event(here, "gpu")
    gpus.happens("throttle 0 72\necc 1 2\nremap 1 1")
    wait_for_event(here, "gpu", lambda event: any(gpu.get("memory_errors") for gpu in event["gpus"]))
    wait_for_event(here, "gpu", lambda event: any("throttled" in gpu for gpu in event["gpus"]))
    time.sleep(0.5)  # of which most of its time is slow
    (here.base / "done").touch()
    end = running.wait()
    assert end.code == 0, end
    (line,) = [line for line in end.ours if line.startswith("GPU 0")]
    assert "GPU 0 was slowed down " in line and "% of the time (far too hot); " in line
    assert line.endswith("GPU 1 had 2 uncorrectable memory errors")
    (outcome,) = events(here, "outcome")
    assert list(outcome["gpus"][0]["throttled"]) == ["far too hot"] and outcome["gpus"][1]["memory_errors"] == 2


def test_a_gpu_that_falls_off_the_bus_under_a_worker_is_the_cause(trainit, pid1, job, gpus):
    here = job()
    end = pid1([trainit, *of_rank_1(f'echo "xid 1 79" >>"$FAKE_NVML"; echo "{CUDA_ERROR}" >&2; exit 3')],
               job=here, env=gpus.env)
    assert end.code == 3
    assert here.failure_reason.startswith(
        f"algo-1 rank 1: GPU 1 fell off the bus (XID 79); the worker: {CUDA_ERROR} (exit code 3 after")
    assert warnings(end) == ["warning: GPU 1 (0000:1b:00.0) reported XID 79: it fell off the bus"]
    (xid,) = events(here, "xid")
    assert (xid["gpu"], xid["xid"], xid["kind"]) == (1, 79, "hardware")
    assert [event["kind"] for event in events(here, "evidence") if event["class"] == "cause"] == ["gpu"]
    told = pid1([trainit, "failure", str(here.base)])
    assert "GPU 1 fell off the bus (XID 79)" in told.out
    assert "GPU 1 (0000:1b:00.0) reported XID 79" in pid1([trainit, "explain", str(here.base)]).out


def test_an_xid_that_comes_a_moment_after_the_last_worker_is_waited_for(trainit, pid1, job, gpus):
    here = job()
    script = f'(sleep 0.3; echo "xid 0 119" >>"$FAKE_NVML") & echo "{CUDA_ERROR}" >&2; exit 3'
    end = pid1([trainit, "--workers", "1", *sh(f"trap '' TERM; {script}")], job=here, env=gpus.env)
    assert end.code == 3
    assert here.failure_reason.startswith("algo-1 rank 0: GPU 0 did not answer its driver in time (XID 119)")
    assert end.seconds < 2  # for which it would have been waited


def time_to_the_end(job):
    """Seconds from the end of the last worker to that of the job."""
    return events(job, "outcome")[0]["time"] - max(event["time"] for event in events(job, "ended"))


@pytest.mark.parametrize("behaviour, script", [
    ("well", "exit 0"), ("hang", "exit 0"), ("well", 'echo "ValueError: boo" >&2; exit 3')])
def test_the_end_of_a_job_is_not_held_up(trainit, pid1, job, gpus, behaviour, script):
    gpus.happens(behaviour)

    def held_up():
        here = job()
        pid1([trainit, *sh(script)], job=here, env=gpus.env)
        return time_to_the_end(here)

    # A busy machine may hold up any, but hardly all of them.
    assert any(held_up() < 0.08 for _ in range(10))


def test_who_holds_a_workers_stderr_open_does_not_hold_up_the_end(trainit, pid1, job, gpus):
    here = job()
    script = 'echo "ValueError: boo" >&2; (trap "" TERM; sleep 1000) & exit 3'
    end = pid1([trainit, "--workers", "1", "--linger", "100ms", *sh(script)], job=here, env=gpus.env)
    assert end.code == 3 and time_to_the_end(here) < 1.7, end


def test_a_worker_that_waits_for_a_gpu_that_is_gone_is_the_cause_and_not_who_misses_it(trainit, pid1, job, gpus):
    here = job()
    script = ('if [ "$RANK" = 1 ]; then echo "xid 1 79" >>"$FAKE_NVML"; exec sleep 1000; fi; sleep 0.5; '
              'echo "RuntimeError: [Rank 0] Watchdog caught collective operation timeout: NCCL" >&2; exit 1')
    end = pid1([trainit, *sh(script)], job=here, env=gpus.env)
    assert end.code == 1
    assert here.failure_reason.startswith("algo-1 rank 1: GPU 1 fell off the bus (XID 79); the worker was killed")


@pytest.mark.parametrize("event", ["xid 1 13", "xid 1 43", "xid 1 63", "xid 1 4711", "xid 0 79"])
def test_an_xid_of_the_programs_own_or_of_anothers_gpu_does_not_explain_its_error(trainit, pid1, job, gpus, event):
    here = job()
    script = f'echo "{event}" >>"$FAKE_NVML"; sleep 0.3; echo "ValueError: boo" >&2; exit 3'
    end = pid1([trainit, *of_rank_1(script)], job=here, env=gpus.env)
    assert end.code == 3
    assert here.failure_reason.startswith("algo-1 rank 1: ")
    assert "XID" not in here.failure_reason and "ValueError: boo" in here.failure_reason
    (warning,) = warnings(end)
    gpu, number = event.split()[1:]
    assert f"GPU {gpu} " in warning and f"reported XID {number}" in warning


def test_xids_without_end_are_counted_and_said_once(trainit, pid1, job, gpus):
    here = job()
    script = 'i=0; while [ $i -lt 50 ]; do echo "xid 0 31" >>"$FAKE_NVML"; i=$((i+1)); done; sleep 0.5'
    end = pid1([trainit, "--workers", "1", *sh(script)], job=here, env=gpus.env)
    assert end.code == 0 and len(warnings(end)) == 1 and len(events(here, "xid")) == 1
    assert "GPU 0 reported XID 31 (50 times)" in end.ours


def test_a_gpu_that_the_driver_has_lost_is_told_and_explains_a_failure_also_where_no_xids_come(trainit, pid1, job,
                                                                                              gpus):
    gpus.happens("no_events")
    here = job()
    script = f'echo "lost 1 1" >>"$FAKE_NVML"; sleep 0.5; echo "{CUDA_ERROR}" >&2; exit 3'
    end = pid1([trainit, *QUICKLY, *of_rank_1(script)], job=here, env=gpus.env)
    assert here.failure_reason.startswith("algo-1 rank 1: GPU 1 cannot be reached any more; the worker: RuntimeError")
    assert warnings(end) == ["warning: GPU 1 (0000:1b:00.0) cannot be reached any more"]
    assert len(events(here, "gpu_lost")) == 1


def test_gpus_that_the_job_does_not_see_are_none_of_its_business(trainit, pid1, job, gpus):
    here = job()
    script = 'echo "xid 0 79" >>"$FAKE_NVML"; sleep 0.3'
    end = pid1([trainit, *sh(script)], job=here, env=gpus.env | {"CUDA_VISIBLE_DEVICES": "1"})
    assert end.code == 0 and warnings(end) == [] and events(here, "xid") == []
    (outcome,) = events(here, "outcome")
    assert [(gpu["gpu"], gpu["pci"]) for gpu in outcome["gpus"]] == [(0, "0000:1b:00.0")]


@pytest.mark.parametrize("trouble, said", [
    ("crash", ["the GPUs' health is not watched any more: its process was killed by SIGSEGV (segmentation fault)"]),
    ("init_error", ["the GPUs' health is not watched: nvmlInit_v2: Driver Not Loaded (9)"]),
])
def test_trouble_of_the_watch_is_one_line_and_no_harm(trainit, pid1, job, gpus, trouble, said):
    gpus.happens(trouble)
    here = job()
    end = pid1([trainit, *QUICKLY, *sh("sleep 0.5")], job=here, env=gpus.env)
    assert end.code == 0 and here.success
    assert warnings(end) == [f"warning: {line}" for line in said]


def test_what_the_watch_said_before_it_died_counts_however_much_it_was(trainit, start, job, gpus):
    here, done = job(), gpus.script.with_name("done")
    running = start([trainit, *of_rank_1(f'{UNTIL_DONE}; echo "{CUDA_ERROR}" >&2; exit 3')], job=here, env=gpus.env | {"DONE": str(done)})
    wait_for_event(here, "gpu")
    watch = watch_of(running)
    running.signal(signal.SIGSTOP)  # so that all of it waits in the pipe
    gpus.happens("xid 1 31\n" * 80 + "xid 1 79\ncrash_after 0 81")
    waiting.wait_until(lambda: processes.state_of(watch) == "Z", "the end of the watch")
    running.signal(signal.SIGCONT)
    done.touch()
    assert running.wait().code == 3
    assert here.failure_reason.startswith(f"algo-1 rank 1: GPU 1 fell off the bus (XID 79); the worker: {CUDA_ERROR}")


def test_a_driver_that_hangs_is_said_at_the_end_and_holds_nobody_up(trainit, pid1, job, gpus):
    gpus.happens("hang")
    here = job()
    end = pid1([trainit, *QUICKLY, *sh("sleep 2.5")], job=here, env=gpus.env)
    assert end.code == 0 and here.success and end.seconds < 4
    (warning,) = warnings(end)
    assert warning.startswith("warning: the GPUs' health was not watched for the last 2.")


def test_a_driver_that_hangs_is_not_missed_by_a_job_that_is_over_before_it_could_have_answered(trainit, pid1, job,
                                                                                              gpus):
    gpus.happens("hang")
    end = pid1([trainit, *sh("true")], job=job(), env=gpus.env)
    assert end.code == 0 and warnings(end) == [] and end.seconds < 1.5


def test_without_the_management_library_the_job_goes_on(trainit, pid1, job, gpus, program, tmp_path):
    shutil.copy(Path(program("fake_cuda")) / "libcuda.so.1", tmp_path / "libcuda.so.1")
    end = pid1([trainit, *sh("sleep 0.3")], job=job(), env=gpus.env | {"LD_LIBRARY_PATH": str(tmp_path)})
    assert end.code == 0
    (warning,) = warnings(end)
    assert warning.startswith("warning: the GPUs' health is not watched: libnvidia-ml.so.1: ")


@pytest.mark.parametrize("options, env", [
    (["--gpu-health", "0"], {}), ([], {"TRAINIT_GPU_HEALTH": "0"}), ([], {"TRAINIT_GPU_PROBE": "never"}),
    ([], {"CUDA_VISIBLE_DEVICES": ""}),
])
def test_nobody_watches_when_it_is_off_and_where_there_are_no_gpus(trainit, start, job, gpus, options, env):
    here = job()
    running = start([trainit, *options, *sh("echo started; sleep 1000")], job=here, env=gpus.env | env)
    running.wait_for("started")
    time.sleep(0.2)
    assert processes.gpu_watch_of(running.pid) is None
    running.signal(signal.SIGTERM)
    assert running.wait().code == 143
    assert events(here, "gpu") == [] and "gpus" not in events(here, "outcome")[0]


@pytest.mark.parametrize("behaviour", ["well", "hang"])
def test_a_stop_ends_the_watch_too(trainit, start, job, gpus, behaviour):
    gpus.happens(behaviour)
    running = start([trainit, *sh("echo started; exec sleep 1000")], job=job(), env=gpus.env)
    running.wait_for("started")
    watch_of(running)
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 143 and end.seconds < 10
    assert not any("left" in line for line in end.ours), end


def test_the_watch_is_no_process_of_the_job(trainit, start, job, gpus):
    here = job()
    running = start([trainit, "--workers", "1", "--stop-budget", "1s", "--", *STUBBORN], job=here, env=gpus.env)
    running.wait_for("started")
    watch_of(running)
    running.signal(signal.SIGTERM)
    assert running.wait().code == 137
    assert [event["processes"] for event in events(here, "stop") if event["to"] == "tree"] == [1]


def test_a_lost_gpu_does_not_keep_the_watch_busy(trainit, start, job, gpus):
    here = job()
    running = start([trainit, *sh("echo started; exec sleep 1000")], job=here, env=gpus.env)
    running.wait_for("started")
    watch = watch_of(running)
    gpus.happens("lost 0 1")
    wait_for_event(here, "gpu_lost")

    def seconds():
        fields = Path(f"/proc/{watch}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = seconds()
    time.sleep(1)
    assert seconds() - before < 0.3
    running.signal(signal.SIGTERM)
    running.wait()


@pytest.mark.parametrize("behaviour", ["well", "hang"])
def test_the_watch_does_not_outlive_a_launcher_that_is_killed(trainit, start, job, gpus, behaviour):
    gpus.happens(behaviour)
    running = start([trainit, *sh("echo started; exec sleep 1000")], job=job(), env=gpus.env, namespace=False)
    running.wait_for("started")
    watch = watch_of(running)
    running.signal(signal.SIGKILL)
    running.wait()
    waiting.wait_until(lambda: not processes.is_gpu_watch(watch), "the end of the watch")


@pytest.mark.parametrize("restarts", ["0", "1"])
def test_the_watch_holds_nothing_of_the_callers_nor_of_the_workers(trainit, start, job, gpus, restarts):
    script = 'exec 7</etc/passwd; exec "$0" "$@"'
    running = start(["sh", "-c", script, trainit, "--max-restarts", restarts, *sh("echo started; exec sleep 1000")],
                    job=job(), env=gpus.env)
    running.wait_for("started")
    watch = Path(f"/proc/{watch_of(running)}")

    def held():
        try:
            return sorted(link.readlink().name.split(":")[0] for link in (watch / "fd").iterdir()
                          if int(link.name) > 2)
        except FileNotFoundError:  # one was closed meanwhile
            return None

    # As long as the dynamic loader works it has a file open.
    waiting.wait_until(lambda: held() == [], "a watch that holds nothing")
    assert [(watch / f"fd/{fd}").readlink().name.split(":")[0] for fd in (0, 1, 2)] == ["null", "pipe", "null"]
    running.signal(signal.SIGTERM)
    running.wait()


# ---- where there is no /proc, so that nobody can tell the watch from what outlives the workers

@pytest.mark.release_only  # LeakSanitizer needs /proc
@pytest.mark.parametrize("slow", [False, True], ids=["a quick end", "a slow end"])
def test_without_proc_the_gpus_are_watched_all_the_same_and_the_watch_is_nothing_that_was_left(trainit, start, job, gpus, slow):
    here = job()
    running = start([*NO_PROC, trainit, *QUICKLY, *sh(UNTIL_DONE)], job=here, env=gpus.env | {"DONE": str(here.base / "done")})
    wait_for_event(here, "gpu")
    watch = watch_of(running)
    gpus.happens("temperature 1 71")
    wait_for_event(here, "gpu", lambda event: event["gpus"][0].get("temperature") == 71)
    if slow:  # it takes the kernel a moment to give back what it has
        gpus.happens("eat 0 100\ntemperature 0 72")
        wait_for_event(here, "gpu", lambda event: event["gpus"][0].get("temperature") == 72)
    (here.base / "done").touch()
    end = running.wait()
    assert end.code == 0 and here.success and warnings(end) == [], end
    assert events(here, "outcome")[0]["gpus"][1]["peak_temperature"] == 71
    assert events(here, "stop") == [] and not any("outlived" in line or "left" in line for line in end.ours), end
    assert not processes.is_gpu_watch(watch)


@pytest.mark.release_only
@pytest.mark.parametrize("behaviour", ["well", "hang"])
def test_without_proc_what_ends_all_that_is_left_ends_the_watch_and_that_is_no_trouble(trainit, start, job, gpus, behaviour):
    gpus.happens(behaviour)
    here = job()
    running = start([*NO_PROC, trainit, "--workers", "1", "--stop-budget", "1s", "--", *STUBBORN], job=here, env=gpus.env)
    running.wait_for("started")
    watch = watch_of(running)
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 137 and warnings(end) == [], end
    assert [event["signal"] for event in events(here, "stop") if event["to"] == "tree"] == ["SIGKILL"]
    assert not processes.is_gpu_watch(watch)


@pytest.mark.release_only
def test_without_proc_an_xid_is_the_cause_as_well(trainit, pid1, job, gpus):
    here = job()
    end = pid1([*NO_PROC, trainit, *of_rank_1(f'echo "xid 1 79" >>"$FAKE_NVML"; echo "{CUDA_ERROR}" >&2; exit 3')],
               job=here, env=gpus.env)
    assert end.code == 3
    assert here.failure_reason.startswith("algo-1 rank 1: GPU 1 fell off the bus (XID 79)")


@pytest.mark.release_only
@pytest.mark.parametrize("behaviour", ["well", "hang"])
def test_without_proc_and_not_as_pid_1_the_watch_is_gone_before_the_launcher(trainit, pid1, job, gpus, behaviour):
    gpus.happens(behaviour)
    here = job()
    # The shell is PID 1: it tells whether a process was left to it.
    script = f"{trainit} -- sh -c 'sleep 0.5; exit 3'; code=$?; kill -0 -1 2>/dev/null && echo left; exit $code"
    end = pid1([*NO_PROC, "sh", "-c", script], job=here, env=gpus.env)
    assert (end.code, end.out) == (3, ""), end
    assert not any("may still run" in line for line in end.ours) and warnings(end) == [], end

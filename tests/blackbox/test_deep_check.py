"""trainit check --deep and --preflight=deep: trainit-gpu-probe tries the GPUs, here stand-ins whose memory and kernels are
the CPU's (tests/programs/fake_cuda/fake_compute.c), and what it says or fails to say becomes findings."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

H100 = "NVIDIA H100 80GB HBM3"
RESOURCES = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo",
             "current_instance_type": "ml.p5.48xlarge"}
#: A deadline that the stand-ins, which hang for ever, let pass; a GPU that does its work needs far less.
SHORT = "2s"


@pytest.fixture
def gpus(fake_gpus, program):
    """gpus(COUNT, FAKE_PROBE): the variables of a host with so many GPUs, of which FAKE_PROBE says what is wrong."""
    def variables(count, wrong="", nccl=True, **more):
        found = fake_gpus(str(count), FAKE_PROBE=wrong, FAKE_GPU_NAME=H100, **more)
        if nccl:
            found["LD_LIBRARY_PATH"] += ":" + program("fake_nccl_local")
        return found

    return variables


@pytest.fixture
def deep(trainit, pid1, job):
    """deep(ENV, OPTION…): the findings of the area, each as "severity: what"; `.text` is the area's, `.end` the run's.
    `within`: a command that runs the one behind it."""
    def run(env, *options, binary=trainit, here=None, within=()):
        end = pid1([*within, binary, "check", "--deep", "--format", "json", *options], job=here or job(resources=RESOURCES),
                   env=env)
        assert end.code in (0, 1, 2), end
        answer = json.loads(end.out)
        (area,) = [one for one in answer["areas"] if one["area"] == "deep"]
        run.end, run.text, run.skipped = end, area["text"], area["skipped"]
        return [f"{one['severity']}: {one['what']}" for one in answer["findings"] if one["area"] == "deep"]

    return run


def record_of(here):
    return [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]


# ---- trainit check --deep

def test_gpus_that_are_well_have_figures_and_no_findings(deep, gpus):
    assert deep(gpus(3)) == []
    assert re.fullmatch(r"3 of 3 GPUs tried · memory 3\.00 TB/s · product \S+ TFLOPS · tensor product \S+ TFLOPS · copies within "
                        r"a GPU 3\.00 TB/s · between GPUs 350 GB/s · all-reduce 400 GB/s on the bus \(NCCL 2\.28\.9\) · \S+ s", deep.text)
    assert "trying what the 3 GPUs can do, for 2 min at most" in deep.end.err


@pytest.mark.parametrize("wrong, findings", [
    ("wrong=memory@1", ["error: GPU 1 gives wrong results (memory: 1 of 262144 numbers)"]),
    ("wrong=product@0", ["error: GPU 0 gives wrong results (product: 3 of 196608 numbers)"]),
    ("wrong=tensor@1", ["error: GPU 1 gives wrong results (tensor product: 3 of 196608 numbers)"]),
    ("wrong=copy@1", ["error: GPU 1 gives wrong results (copy: 1 of 262144 numbers)",
                      "error: GPUs 1 and 0 give wrong results (copy from GPU 1 to GPU 0: 1 of 262144 numbers)"]),
    ("wrong=all-reduce@1", ["error: the GPUs together give wrong results (all-reduce: 1 of 524288 numbers)"]),
    ("fail=product@1", ["error: GPU 1 failed (product: cuLaunchKernel: CUDA_ERROR_ECC_UNCORRECTABLE (214))"]),
    ("fail=start@0", ["error: GPU 0 failed (start: cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE (214))"]),
    ("fail=all-reduce", ["warning: NCCL could not be tried: ncclCommInitAll: unhandled system error (2): the fake was told to fail"]),
    ("fail=sum", ["warning: NCCL could not be tried: ncclGroupEnd: unhandled cuda error (1): the fake was told to fail"]),
    ("no=peer@1", ["warning: the copy from GPU 1 to GPU 0 moves 35 GB/s, and NVLink of ml.p5.48xlarge 450 GB/s"]),
    ("slow=memory@1", [f"warning: the memory of GPU 1 moves 300 GB/s, 9 % of what a {H100} can"]),
    ("slow=product@0", ["warning: GPU 0 is slower than the others (product: 0.0 TFLOPS beside 0.0 TFLOPS)"]),
    ("slow=all-reduce", ["warning: the all-reduce has a bus bandwidth of 4 GB/s, 1 % of NVLink's 450 GB/s of ml.p5.48xlarge"]),
    ("used=memory@1", ["warning: 4 MB of 8 MB of GPU 1's memory are in use before the job starts"]),
    ("no=ptx@1", ["warning: not all could be tried: start of GPU 1: cuModuleLoadDataEx: CUDA_ERROR_UNKNOWN (222): Unsupported "
                  ".version 6.3"]),
])
def test_what_is_wrong_with_a_gpu_is_a_finding_that_names_it(deep, gpus, wrong, findings):
    assert deep(gpus(2, wrong)) == findings
    assert deep.end.code == (2 if findings[0].startswith("error") else 1)


def test_a_gpu_that_fails_does_not_hide_what_the_others_do(deep, gpus):
    assert deep(gpus(3, "fail=memory@1,wrong=product@2")) == [
        "error: GPU 2 gives wrong results (product: 3 of 196608 numbers)",
        "error: GPU 1 failed (memory: cuLaunchKernel: CUDA_ERROR_ECC_UNCORRECTABLE (214))"]


def test_a_gpu_whose_memory_is_full_could_not_be_tried(deep, gpus):
    told = deep(gpus(2, "full=memory@1"))
    assert "warning: not all could be tried: memory of GPU 1: cuMemGetInfo: too little memory is free" in told


#: Runs a command as its child, and writes down what the namespace of pids holds behind it.
LISTS_WHAT_STAYS = ["sh", "-c", 'left=$1; shift; "$@"; code=$?; cat /proc/[0-9]*/comm >"$left"; exit $code', "sh"]


@pytest.mark.parametrize("step, words", [("copy@0", "GPU 0"), ("all-reduce", "trainit-gpu-probe")])
def test_a_step_that_hangs_is_ended_at_the_deadline_and_nothing_stays(deep, gpus, tmp_path, step, words):
    # On a machine that is busy the time may be over before the step has lasted half of it.
    (told,) = deep(gpus(1, f"hang={step}"), "--deep-deadline", SHORT, within=[*LISTS_WHAT_STAYS, tmp_path / "left"])
    assert re.match(rf"(error|warning): {words} did not come to an end within 2.0 s \(", told)
    assert deep.end.seconds < 60
    assert (tmp_path / "left").read_text().split() == ["sh"]


def test_a_step_that_takes_most_of_the_time_is_an_error(deep, gpus, fake_probe):
    copy = fake_probe("""echo '{"at":100,"step":"tensor product","gpu":1}'; exec sleep 1000""")
    (told,) = deep(gpus(2), "--deep-deadline", SHORT, binary=copy)
    assert told == "error: GPU 1 did not come to an end within 2.0 s (tensor product for the last 1.9 s)"
    assert deep.end.code == 2


def test_a_start_that_hangs_is_a_warning(deep, gpus):
    (told,) = deep(gpus(2, "hang=start@1"), "--deep-deadline", SHORT)
    assert told.startswith("warning: GPU 1 did not come to an end within 2.0 s (start for the last ")


def test_a_driver_that_crashes_is_a_warning_with_the_step(deep, gpus):
    (told,) = deep(gpus(2, "crash=copy@1"))
    assert told.endswith("trainit-gpu-probe was killed by SIGSEGV (segmentation fault) (at the step copy within GPU 1)")
    assert told.startswith("warning: ") and deep.end.code == 1


def test_a_driver_that_lets_no_program_end_does_not_hold_up_the_answer(deep, gpus):
    assert deep(gpus(1, "hang=end"), "--deep-deadline", "30s") == []


def test_a_deadline_beyond_all_bounds_is_a_long_one(deep, gpus):
    assert deep(gpus(1), "--deep-deadline", "600h") == []


def test_without_nccl_the_rest_is_tried(deep, gpus):
    (told,) = deep(gpus(2, nccl=False))
    assert re.match(r"warning: NCCL (was not tried: dlopen: libnccl|could not be tried: ncclCommInitAll)", told)
    assert "memory 3.00 TB/s" in deep.text


def test_one_gpu_has_nothing_to_measure_between_gpus(deep, gpus):
    assert deep(gpus(1)) == []
    assert "NCCL 2.28.9 works; one GPU has no bus to measure" in deep.text


def test_a_job_that_tries_its_gpus_has_it_in_its_check_too(trainit, pid1, job, gpus):
    here = job(hyperparameters={"trainit_preflight": "deep"}, resources=RESOURCES)
    end = pid1([trainit, "check"], job=here, env=gpus(2, "wrong=product@1"))
    assert end.code == 2 and "\nerror: deep: GPU 1 gives wrong results (product: 3 of 196608 numbers)\n" in end.out


def test_without_a_gpu_it_is_skipped(deep):
    assert deep({"TRAINIT_GPU_PROBE": "never"}) == [] and deep.skipped
    assert "trying" not in deep.end.err


def test_the_users_choice_of_gpus_counts(deep, gpus):
    assert deep(gpus(4, "wrong=product@3", CUDA_VISIBLE_DEVICES="3,1")) == [
        "error: GPU 0 gives wrong results (product: 3 of 196608 numbers)"]
    assert deep.text.startswith("2 of 2 GPUs tried")


def test_nccl_of_the_jobs_python_is_the_one_that_is_tried(deep, gpus, program, tmp_path, job):
    place = tmp_path / "site/nvidia/nccl/lib"
    place.mkdir(parents=True)
    shutil.copy(Path(program("fake_nccl_local")) / "libnccl.so.2", place)
    env = gpus(2, "slow=all-reduce", nccl=False, PYTHONPATH=str(tmp_path / "site"))
    (told,) = deep(env, "--", "python3", "-c", "import json")
    assert "the all-reduce has a bus bandwidth of 4 GB/s" in told


def test_nobody_meets_the_workers_by_nccl_comm_id(deep, gpus, fake_probe, tmp_path):
    copy = fake_probe("env > " + str(tmp_path / "seen"))
    deep(gpus(1, NCCL_COMM_ID="127.0.0.1:1", NCCL_DEBUG="INFO"), binary=copy)
    seen = (tmp_path / "seen").read_text().splitlines()
    assert "NCCL_DEBUG=INFO" in seen and "CUDA_CACHE_DISABLE=1" in seen
    assert not [line for line in seen if line.startswith("NCCL_COMM_ID")]


# ---- where the program is

@pytest.fixture
def fake_probe(trainit, tmp_path):
    """fake_probe(SHELL, WHERE): a copy of the launcher with a script as the program beside it, or elsewhere."""
    def lay_out(shell, where="bin"):
        for directory in {"bin", where}:
            (tmp_path / directory).mkdir(exist_ok=True)
        copy = tmp_path / "bin/trainit"
        shutil.copy(trainit, copy)
        script = tmp_path / where / "trainit-gpu-probe"
        script.write_text("#!/bin/sh\n" + shell + "\n")
        script.chmod(0o755)
        return copy

    return lay_out


def test_a_missing_program_is_a_warning_that_says_where_it_was_looked_for(deep, gpus, trainit, tmp_path):
    copy = tmp_path / "trainit"
    shutil.copy(trainit, copy)
    (told,) = deep(gpus(1, PATH="/usr/bin:relative:/bin"), binary=copy)
    assert told == f"warning: trainit-gpu-probe is not there (looked in {tmp_path}, /usr/bin, /bin)"
    assert deep.skipped and deep.end.code == 1


def test_the_program_beside_the_launcher_goes_before_that_in_path(deep, gpus, fake_probe, tmp_path):
    fake_probe("echo elsewhere", "path")
    path = f"{tmp_path}/path:/usr/bin:/bin"
    copy = fake_probe("echo beside")
    assert "says what is no answer: beside" in deep(gpus(1, PATH=path), binary=copy)[0]
    (tmp_path / "bin/trainit-gpu-probe").unlink()
    assert "says what is no answer: elsewhere" in deep(gpus(1, PATH=path), binary=copy)[0]


@pytest.mark.parametrize("shell, words", [
    ("echo hello", "says what is no answer: hello"),
    ("printf 'a\\033[1mb\\n'", "says what is no answer: a [1mb"),
    ("true", "ended before it had said all"),
    ("exit 3", "ended with code 3"),
    ("echo '{\"at\":1,\"end\":true}'; kill -KILL $$", "was killed by SIGKILL"),
    ("head -c 2000000 /dev/zero", "its answer is longer than 1 MiB"),
])
def test_a_program_that_makes_no_sense_is_a_warning(deep, gpus, fake_probe, shell, words):
    (told,) = deep(gpus(1), binary=fake_probe(shell))
    assert told.startswith("warning: ") and words in told


# ---- --preflight=deep

def test_wrong_results_are_the_jobs_failure_and_no_worker_starts(trainit, pid1, job, gpus):
    here = job(resources=RESOURCES)
    end = pid1([trainit, "--preflight=deep", "--", "echo", "started"], job=here, env=gpus(2, "wrong=tensor@1"))
    assert (end.code, end.out) == (125, "") and not here.success
    assert here.failure.startswith("preflight: GPU 1 gives wrong results (tensor product: 3 of 196608 numbers): start the job again")
    (event,) = [event for event in record_of(here) if event["event"] == "check"]
    assert event["areas"][-1]["area"] == "deep" and "2 of 2 GPUs tried" in event["areas"][-1]["text"]
    (finding,) = [one for one in event["findings"] if one["severity"] == "error"]
    assert finding["area"] == "deep"


def test_gpus_that_are_well_are_told_of_and_the_workers_start_after_the_probe(trainit, pid1, job, gpus):
    here = job(resources=RESOURCES)
    look = "echo $CUDA_CACHE_DISABLE; cat /proc/[0-9]*/comm | grep -c trainit-gpu-pr"
    end = pid1([trainit, "--preflight=deep", "--workers", "1", "--gpu-health", "0", "--", "sh", "-c", look + "; exit 0"], job=here, env=gpus(2))
    assert (end.code, end.out) == (0, "\n0\n") and here.success
    (said,) = [line for line in end.ours if line.startswith("the GPUs: ")]
    assert "all-reduce 400 GB/s on the bus" in said
    assert "trying what the 2 GPUs can do, for 2 min at most" in end.ours


def test_a_slow_gpu_is_a_warning_in_the_log_and_the_job_goes_on(trainit, pid1, job, gpus):
    here = job(hyperparameters={"trainit_preflight": "deep"}, resources=RESOURCES)
    end = pid1([trainit, "--workers", "1", "--", "echo", "started"], job=here, env=gpus(2, "slow=memory@0"))
    assert (end.code, end.out) == (0, "started\n")
    assert [line for line in end.ours if line.startswith("warning: the memory of GPU 0 moves 300 GB/s, 9 % of what")]


def test_a_gpu_that_hangs_ends_the_job_at_the_deadline(trainit, pid1, job, gpus):
    here = job(hyperparameters={"trainit_deep_deadline": SHORT}, resources=RESOURCES)
    end = pid1([trainit, "--preflight=deep", "--", "echo", "started"], job=here, env=gpus(2, "hang=memory@0"))
    assert (end.code, end.out) == (125, "")
    assert here.failure.startswith("preflight: GPU 0 did not come to an end within 2.0 s (memory for the last ")


def test_other_errors_end_the_job_before_the_gpus_are_tried(trainit, pid1, job, gpus):
    here = job(resources=RESOURCES)
    end = pid1([trainit, "--preflight=deep", "--", "echo", "started"], job=here,
               env=gpus(2, "hang=memory@0", GLOO_SOCKET_IFNAME="nowhere0"))
    assert end.code == 125 and here.failure.startswith("preflight: GLOO_SOCKET_IFNAME=nowhere0")
    (event,) = [event for event in record_of(here) if event["event"] == "check"]
    assert event["areas"][-1] == {"area": "deep", "skipped": True, "text": "other errors end the job already"}


def test_the_quick_part_does_not_try_the_gpus(trainit, pid1, job, gpus):
    here = job(resources=RESOURCES)
    end = pid1([trainit, "--preflight", "--workers", "1", "--", "true"], job=here, env=gpus(2, "hang=memory@0"))
    assert end.code == 0
    (event,) = [event for event in record_of(here) if event["event"] == "check"]
    assert "deep" not in [area["area"] for area in event["areas"]]


def test_a_stop_while_the_gpus_are_tried_ends_the_job_at_once(trainit, start, job, gpus):
    here = job(resources=RESOURCES)
    running = start([trainit, "--preflight=deep", "--", "echo", "started"], job=here, env=gpus(1, "hang=product@0"))
    running.wait_for("trying what the GPU can do", stream="err")
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert (end.code, end.out) == (143, "") and end.seconds < 60
    assert here.failure == "stopped by SIGTERM before any worker was started"


# ---- the program

@pytest.fixture
def probe(trainit):
    return Path(trainit).parent / "trainit-gpu-probe"


def readelf(option, file):
    return subprocess.run(["readelf", "--wide", option, file], check=True, capture_output=True, text=True).stdout


def test_the_probe_needs_the_two_libraries_that_every_glibc_has_and_the_usual_loader(probe):
    dynamic = readelf("--dynamic", probe)
    assert set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) == {"libc.so.6", "libdl.so.2"}
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
    loader = re.search(r"interpreter: (.*)\]", readelf("--program-headers", probe)).group(1)
    assert loader in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")


def test_the_probe_needs_no_symbol_newer_than_the_oldest_glibc(probe):
    symbols = re.findall(r" UND (\S+)", readelf("--dyn-syms", probe))
    assert {"dlopen", "dlsym", "__libc_start_main"} <= {symbol.partition("@")[0] for symbol in symbols}
    assert re.findall(r"Name: (\S+)  Flags", readelf("--version-info", probe)) == []


def test_the_probe_is_small_and_carries_its_kernels(probe):
    content = probe.read_bytes()
    assert len(content) < 100_000
    assert b".version 6.3\n.target sm_70\n" in content


def test_the_probe_says_why_there_is_nothing_to_try_and_what_it_takes(probe):
    env = {**os.environ, "LD_LIBRARY_PATH": "/nowhere", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([probe], capture_output=True, text=True, env=env, timeout=60)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and lines[0]["step"] == "driver" and lines[-1]["end"] is True
    assert lines[1]["failure"] == "driver"
    done = subprocess.run([probe, "--verbose"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "usage: trainit-gpu-probe [--nccl libnccl.so.2]\n"


@pytest.fixture
def said(probe):
    """said(ENV, OPTION…): the lines that the program says; `.err` is what it tells people."""
    def run(env, *options):
        done = subprocess.run([probe, *options], capture_output=True, text=True, env={**os.environ, **env}, timeout=60)
        assert done.returncode == 0, done
        run.err = done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def failures(lines):
    return [(line["call"], line["message"]) for line in lines if "failure" in line]


def of_step(line, kind):
    return tuple(line[member] for member in (kind, "gpu", "to") if member in line)


def test_each_step_is_told_with_what_was_moved_or_computed_and_the_time_of_one_round(said, gpus):
    told = {of_step(line, "result"): line for line in said(gpus(2)) if "result" in line}
    mega, products = 1 << 20, {"operations": 2 * 256**3, "ns": 300e6, "wrong": 0, "checked": 3 * 256**2}
    expected = {("all-reduce",): {"bytes": mega, "ns": mega / 400, "wrong": 0, "checked": 2 * mega // 4}}
    for gpu in (0, 1):
        expected |= {
            ("memory", gpu): {"bytes": 3 * mega, "ns": 3 * mega / 3000, "wrong": 0, "checked": mega // 4},
            ("product", gpu): products, ("tensor product", gpu): products,
            ("copy", gpu, gpu): {"bytes": 2 * mega, "ns": 2 * mega / 3000, "wrong": 0, "checked": mega // 4},
            ("copy", gpu, 1 - gpu): {"bytes": mega, "ns": mega / 350, "wrong": 0, "checked": mega // 4}}
    assert set(told) == set(expected)
    for step, figures in expected.items():
        assert {member: told[step][member] for member in figures} == pytest.approx(figures, rel=0.01), step


def test_a_name_that_is_no_text_is_told_to_people_without_what_it_could_do_to_them(said, gpus):
    said(gpus(1) | {"FAKE_GPU_NAME": "NVIDIA \udce9\x1b"})
    assert "trainit-gpu-probe: GPU 0: NVIDIA ??, 8 of 8 MiB free, " in said.err


def test_the_memory_that_it_takes_is_a_part_of_what_is_free_and_is_given_back(said, gpus):
    said(gpus(2, "tell=memory"))
    for gpu in (0, 1):
        taken = [int(count) for count in re.findall(rf"^GPU {gpu}: (\d+) bytes taken$", said.err, re.MULTILINE)]
        assert (8 << 20) / 4 < max(taken) <= (8 << 20) * 3 / 8 + 100  # bytes, for the counter of wrong numbers
        assert taken[-1] == 8


def test_after_a_copy_that_fails_neither_of_the_two_gpus_is_tried_again(said, gpus):
    lines = said(gpus(3, "fail=pair@1"))
    (at,) = [number for number, line in enumerate(lines) if "failure" in line]
    assert of_step(lines[at], "failure") == ("copy", 1, 0)
    assert [line for line in lines[at + 1:] if "step" in line] == []


def test_the_reason_of_the_loader_is_told_and_what_a_driver_lacks(said, program, tmp_path):
    library = tmp_path / "libcuda.so.1"
    library.touch()
    ((call, message),) = failures(said({"LD_LIBRARY_PATH": str(tmp_path)}))
    assert call == "dlopen" and "libcuda.so.1: file too short" in message
    shutil.copy(Path(program("fake_cuda")) / "libnvidia-ml.so.1", library)
    assert failures(said({"LD_LIBRARY_PATH": str(tmp_path)})) == [("dlsym", "cuInit")]


def test_an_nccl_that_cannot_be_loaded_makes_place_for_that_of_the_loader(said, gpus):
    lines = said(gpus(2), "--nccl", "/nowhere/libnccl.so.2")
    assert failures(lines) == [] and [line for line in lines if line.get("result") == "all-reduce"]


def test_where_no_nccl_can_be_loaded_the_reason_is_that_of_the_one_that_was_named(said, gpus, tmp_path):
    named, usual = tmp_path / "named/libnccl.so.2", tmp_path / "usual/libnccl.so.2"
    for file in (named, usual):
        file.parent.mkdir()
        file.touch()
    env = gpus(1)
    env["LD_LIBRARY_PATH"] = f"{usual.parent}:{env['LD_LIBRARY_PATH']}"
    ((call, message),) = failures(said(env, "--nccl", str(named)))
    assert call == "dlopen" and f"{named}: file too short" in message
    ((call, message),) = failures(said(env))
    assert call == "dlopen" and "libnccl.so.2: " in message


def test_what_an_nccl_lacks_is_told(said, gpus, program, tmp_path):
    library = tmp_path / "libnccl.so.2"
    shutil.copy(Path(program("fake_cuda")) / "libnvidia-ml.so.1", library)
    assert failures(said(gpus(1), "--nccl", str(library))) == [("dlsym", "ncclGetVersion")]


def test_what_libraries_print_is_not_among_the_probes_lines(probe, gpus):
    done = subprocess.run([probe], capture_output=True, text=True, env={**os.environ, **gpus(1)})
    assert all(line.startswith('{"at":') for line in done.stdout.splitlines())
    assert "NCCL version 2.28.9" in done.stderr
    assert re.search(r"^trainit-gpu-probe: \d+ ms: memory of GPU 0: 3145728 bytes in \d+ us", done.stderr, re.MULTILINE)

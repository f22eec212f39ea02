"""scripts/gpu-check, with stand-ins for the driver (tests/programs/fake_cuda), for nvidia-smi, and for the trainers' CUDA
and NCCL (tests/programs/fake_cudart, tests/programs/fake_nccl)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trainit_testing import cache

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "scripts/lib"))

import gpu_probing  # noqa: E402
import gpu_training  # noqa: E402
from gpu_verdicts import Check, judge_helper  # noqa: E402

GPU = r'"Fake ""GPU"" é\", GPU-00112233-4455-6677-8899-aabbccddee0{0}, 00000000:1{1}:00.0, 24576, 550.54.15'
TWO_GPUS = [GPU.format(0, "a"), GPU.format(1, "b")]


@pytest.fixture
def check(trainit, tmp_path):
    """Runs it with these lines of nvidia-smi; gives the finished process and the page that it wrote."""
    build = Path(trainit).parent.parent
    page = tmp_path / "gpu.md"
    shutil.copy(REPOSITORY / "docs/gpu.md", page)
    smi = tmp_path / "bin/nvidia-smi"
    smi.parent.mkdir()

    def run(rows, *arguments, **variables):
        smi.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(rows) + "\nEND\n")
        smi.chmod(0o755)
        environment = os.environ | {"PATH": f"{smi.parent}:{os.environ['PATH']}", "FAKE_CUDA": "2",
                                    "TRAINIT_GPU_PROBE": "always",
                                    "LD_LIBRARY_PATH": ":".join(f"{build}/tests/programs/{name}"
                                                                for name in ("fake_cuda", "fake_nccl"))} | variables
        done = subprocess.run([REPOSITORY / "scripts/gpu-check", "--build", build, "--record", page, "--programs",
                               tmp_path / "programs", "--probe-nccl", build / "tests/programs/fake_nccl_local", *arguments],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment)
        return done, page.read_text()

    return run


def test_answers_that_agree_are_recorded_with_their_times(check):
    done, page = check([GPU.format(0, "a"), GPU.format(1, "b")])
    assert done.returncode == 0, done.stdout
    assert "all agrees" in done.stdout
    assert "ok   they tell of XIDs" in done.stdout
    assert "ms beside what cuInit takes" in done.stdout
    assert "ok   the probe comes to its end" in done.stdout and "ok   results: 11" in done.stdout
    assert "ok   a job with --preflight=deep tries the GPUs and starts its worker" in done.stdout
    assert "2 × Fake" in page and "| cuInit within it |" in page and "CUDA 12.4" in page
    assert page.startswith("# GPUs") and page.count("gpu-check: end") == 1
    assert "No figures from a real GPU" not in page


def test_a_gpu_that_only_one_of_them_sees_is_a_failure(check):
    done, page = check([GPU.format(0, "a")])
    assert done.returncode == 1, done.stdout
    assert "FAIL number of GPUs: 2 but it should be 1" in done.stdout
    assert "Did not agree: number of GPUs" in page


def test_an_address_that_differs_is_a_failure(check):
    done, _ = check([GPU.format(0, "a"), GPU.format(1, "f")])
    assert done.returncode == 1, done.stdout
    assert "FAIL PCI address" in done.stdout


def test_a_gpu_that_cannot_be_watched_is_a_failure(check, tmp_path):
    script = tmp_path / "gpus"
    script.write_text("no_events\n")
    done, _ = check([GPU.format(0, "a"), GPU.format(1, "b")], FAKE_NVML=str(script))
    assert done.returncode == 1, done.stdout
    assert "FAIL they tell of XIDs" in done.stdout


def test_a_driver_that_cannot_start_is_a_failure_and_leaves_the_page(check):
    done, page = check([], FAKE_CUDA="init_error")
    assert done.returncode == 1, done.stdout
    assert "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" in done.stdout
    assert page == (REPOSITORY / "docs/gpu.md").read_text()


def test_without_a_gpu_it_says_so_and_leaves_the_page(check):
    if any(Path("/dev").glob("nvidia*")):
        pytest.skip("this machine has a GPU")
    done, page = check([], TRAINIT_GPU_PROBE="auto")
    assert done.returncode == 0, done.stdout
    assert "no NVIDIA GPU here" in done.stdout
    assert page == (REPOSITORY / "docs/gpu.md").read_text()


@pytest.mark.parametrize("cu_init, fails", [(300, False), (100, True)])
def test_a_helper_that_takes_a_second_beside_cuinit_is_a_failure(cu_init, fails):
    check = Check()
    judge_helper(check, 1200, cu_init)
    assert bool(check.failures) == fails


# ---- the probe

@pytest.mark.parametrize("wrong, words", [
    ("wrong=memory@1", ["wrong results: 1 but it should be 0", "findings of trainit check --deep: ['GPU 1 gives wrong results"]),
    ("fail=product@0", ["steps that the probe did not do: ['product of GPU 0'] but it should be []"]),
    ("crash=copy@1", ["the probe comes to its end but with -11"]),
    ("slow=memory@1", ["findings of trainit check --deep: ['GPU 1 is slower than the others"]),
])
def test_what_the_probe_finds_or_does_not_come_to_is_a_failure(check, wrong, words):
    done, page = check(TWO_GPUS, FAKE_PROBE=wrong)
    assert done.returncode == 1, done.stdout
    assert all(f"FAIL {one}" in done.stdout and f"Did not agree: {one}" in page for one in words), done.stdout


@pytest.fixture
def stand_in(tmp_path):
    """stand_in(NAME, SHELL): a script in the place of the program that gpu-check runs by itself."""
    def write(name, shell):
        script = tmp_path / "programs" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{shell}\n")
        script.chmod(0o755)
        return script

    return write


def test_steps_that_the_probe_leaves_out_are_a_failure(check, stand_in):
    stand_in("trainit-gpu-probe", """echo '{"at":1,"end":true}'""")
    done, _ = check(TWO_GPUS)
    assert done.returncode == 1 and "FAIL results: 0 but it should be 11" in done.stdout, done.stdout


def test_a_probe_that_ends_with_a_code_or_too_early_is_a_failure(check, stand_in):
    stand_in("trainit-gpu-probe", """echo '{"at":1,"end":true}'; exit 3""")
    assert "FAIL the probe comes to its end but with 3" in check(TWO_GPUS)[0].stdout
    stand_in("trainit-gpu-probe", """echo '{"at":1,"step":"driver"}'""")
    assert "FAIL the probe comes to its end but with 0" in check(TWO_GPUS)[0].stdout


def test_a_probe_that_hangs_is_ended(stand_in, monkeypatch):
    monkeypatch.setattr(gpu_probing, "LIMIT", 1)
    assert gpu_probing.run(stand_in("trainit-gpu-probe", "exec sleep 600"), None).code == 124


@pytest.mark.parametrize("end", ['"$real" "$@"; exit 1', "exec echo started"])
def test_a_job_that_fails_or_does_not_try_the_gpus_is_a_failure(check, stand_in, trainit, end):
    stand_in("trainit", f'real={trainit}; case "$*" in *preflight*) {end};; esac; exec "$real" "$@"')
    done, _ = check(TWO_GPUS)
    assert done.returncode == 1, done.stdout
    assert "FAIL a job with --preflight=deep tries the GPUs and starts its worker" in done.stdout


# ---- the trainers

@pytest.fixture
def programs(trainit, tmp_path):
    """What --prepare makes, for the CPU."""
    build, directory = Path(trainit).parent.parent, tmp_path / "programs"
    shutil.copytree(build / "tests/programs/on_cpu", directory)
    shutil.copy(build / "launcher/trainit-gpu-probe", directory)
    for file in (build / "launcher/trainit", build / "toolkit/hardware/gpu_helper/trainit_gpu_helper"):
        shutil.copy(file, directory)
    shutil.copytree(cache.digits(), directory / "digits", dirs_exist_ok=True)
    return directory


def stand_before(program, script):
    """The script runs in its place, and finds it as $real."""
    real = program.with_name(f"real-{program.name}")
    program.rename(real)
    program.write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
    program.chmod(0o755)


def test_trainers_that_learn_what_the_cpu_learns_are_recorded(check, programs):
    done, page = check(TWO_GPUS, "--megabytes", "1")
    assert done.returncode == 0, done.stdout
    assert "all agrees" in done.stdout and "FAIL" not in done.stdout
    assert "has no PyTorch with CUDA and NCCL" in done.stdout
    for row in ("| C++ on the CPU | 1 |", "| CUDA and NCCL, 2 GPUs | 2 |", "| CUDA and NCCL, one GPU, sockets | 2 |",
                "| CUDA and NCCL, one GPU, sockets | 4 |", "| start, 2 GPUs | 2 |", "| all-reduce of 1 MB, 2 GPUs | 2 |"):
        assert page.count(row) == 1, page
    assert "it goes on from the checkpoint" in done.stdout
    assert "it began twice" in done.stdout and "the GPU's memory was free by then" in done.stdout
    assert "distance from the model of a run that was not stopped: 0.0" in done.stdout


@pytest.fixture
def trainings(trainit, programs, monkeypatch):
    """The runs of trainers alone."""
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{Path(trainit).parent.parent}/tests/programs/fake_nccl")
    made = gpu_training.Trainings(Check(), programs, None, 2, [1])
    with made.scratch:
        yield made


@pytest.mark.parametrize("script, words", [
    ("echo it is broken; exit 3", "ended well but with 3"),
    ('"$real" && sed -i "2s/.*/0x1p+3/" "$SAGEMAKER_BASE_DIR/model/model.txt"', "from the CPU's model is too far"),
    ('"$real" | sed "s/^test_accuracy=.*/test_accuracy=0.1/"', "accuracy 0.1 is too low"),
])
def test_a_trainer_that_does_not_learn_what_the_cpu_learns_is_a_failure(trainings, programs, script, words):
    stand_before(programs / "train-digits-nccl", script)
    trainings.on_cpu()
    assert trainings.check.failures == []
    trainings.with_nccl()
    assert len(trainings.check.failures) == 3 and all(words in failure for failure in trainings.check.failures)


def test_a_trainer_that_a_signal_ends_without_a_checkpoint_is_a_failure(trainings, programs):
    stand_before(programs / "train-digits-nccl", '"$real" & trap "kill -9 $!" TERM; wait; wait; exit 0')
    trainings.stopped_and_resumed()
    assert any("a checkpoint is written, and it ends with 0 but" in failure for failure in trainings.check.failures)


def test_trainers_that_are_not_started_once_more_are_a_failure(trainings, programs):
    stand_before(programs / gpu_training.LAUNCHER, 'exec "$real" "$1" "$2" --no-restart-exit-codes 137 "$@"')
    trainings.started_once_more()
    assert any("started once more: ended well but with 137" in failure for failure in trainings.check.failures)


def test_a_trainer_that_hangs_is_ended(trainings, programs, monkeypatch):
    monkeypatch.setattr(gpu_training, "LIMIT", 1)
    stand_before(programs / "train-digits-nccl", "exec sleep 600")
    trainings.with_nccl()
    assert all("(it took too long)" in failure for failure in trainings.check.failures)
    assert len(trainings.check.failures) == 3


@pytest.mark.parametrize("figures, words", [
    ({"what": "start", "ranks": 2, "nccl_ms": 100, "ours_ms": 119}, None),
    ({"what": "start", "ranks": 2, "nccl_ms": 100, "ours_ms": 130}, "adds 30.0 ms to the start of NCCL"),
    ({"what": "all-reduce", "ranks": 2, "megabytes": 16, "nccl_gb_s": 10, "ours_gb_s": 9.9}, None),
    ({"what": "all-reduce", "ranks": 2, "megabytes": 16, "nccl_gb_s": 10, "ours_gb_s": 5}, "has 0.50 of NCCL's bandwidth"),
])
def test_a_communicator_that_costs_too_much_is_a_failure(trainings, figures, words):
    trainings.judge("2 GPUs", True, figures)
    assert len(trainings.check.failures) == (words is not None)
    assert all(words in failure for failure in trainings.check.failures)


#: As all_reduce_perf of nccl-tests prints it.
NCCL_TESTS = """#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)
     1048576        262144     float     sum      -1    12.80   81.92   40.96       0    12.10   86.66   43.33       0
    67108864      16777216     float     sum      -1   540.10  124.25  217.44       0   539.80  124.32  217.56       0
# Out of bounds values : 0 OK
"""


def test_the_numbers_of_nccl_tests_are_read_by_size(trainings):
    assert gpu_training.speed_of_nccl_tests(NCCL_TESTS, 8, 64) == 217.44
    assert gpu_training.speed_of_nccl_tests(NCCL_TESTS, 1, 64) == 124.25
    assert gpu_training.speed_of_nccl_tests(NCCL_TESTS, 2, 1) == 40.96
    assert gpu_training.speed_of_nccl_tests(NCCL_TESTS, 2, 16) is None


def test_nccl_tests_are_run_with_all_gpus_and_stand_beside_where_they_are(trainings, stand_in):
    trainings.measure()
    assert trainings.report()[-1].endswith(" GB/s | – |")
    stand_in("all_reduce_perf", f'[ "$*" = "-b 1M -e 1M -g 2 -w 5" ] && cat <<"END"\n{NCCL_TESTS}END')
    trainings.measure()
    assert trainings.check.failures == [] and any(line.endswith(" GB/s | 41.0 GB/s |") for line in trainings.report())


def test_nccl_tests_that_fail_where_they_are_are_a_failure(trainings, stand_in):
    stand_in("all_reduce_perf", "echo Test NCCL failure; exit 3")
    assert trainings.ask_nccl_tests(2, 1) is None
    assert trainings.check.failures == ["all_reduce_perf of nccl-tests measures 1 MB but says Test NCCL failure"]


@pytest.mark.parametrize("megabytes, tests, fails", [(64, 105, False), (64, 120, True), (16, 120, False), (64, None, False)])
def test_a_communicator_that_is_slower_than_nccl_tests_is_a_failure(trainings, megabytes, tests, fails):
    trainings.judge("2 GPUs", True, {"what": "all-reduce", "ranks": 2, "megabytes": megabytes, "nccl_gb_s": 100, "ours_gb_s": 100,
                                     "tests_gb_s": tests})
    assert bool(trainings.check.failures) == fails


def test_without_programs_no_trainer_is_run_and_it_says_how_to_get_them(check):
    done, page = check(TWO_GPUS)
    assert done.returncode == 0 and "scripts/gpu-check --prepare builds it" in done.stdout, done.stdout
    assert "| trainer |" not in page


def test_without_a_toolkit_nothing_is_prepared_and_it_says_how_to_get_one(trainit, tmp_path):
    done = subprocess.run([REPOSITORY / "scripts/gpu-check", "--prepare", "--build", Path(trainit).parent.parent,
                           "--programs", tmp_path / "programs"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=os.environ | {"TRAINIT_CACHE": str(tmp_path), "CUDACXX": "/none/bin/nvcc"})
    assert done.returncode == 1
    assert "there is no CUDA toolkit: scripts/fetch-cuda-toolkit brings one" in done.stdout

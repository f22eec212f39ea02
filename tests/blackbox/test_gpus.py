"""How GPUs are found, with stand-ins for NVIDIA's libraries (tests/programs/fake_cuda), and what the GPU
helper is made of. None of these tests needs a GPU, and none is disturbed by one."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from trainit_testing.processes import children_of, command_line_of

#: Of the oldest glibc of each processor: no image has an older one.
BASE_VERSIONS = {"GLIBC_2.2.5", "GLIBC_2.17"}


@pytest.fixture
def helper(trainit):
    path = Path(trainit).parent.parent / "toolkit/hardware/gpu_helper/trainit_gpu_helper"
    assert path.exists(), f"{path} is not there: build the target trainit_gpu_helper"
    return path


@pytest.fixture
def gpus(pid1, trainit):
    """gpus(variables): what `trainit gpus` says as JSON."""
    def ask(env, *options):
        end = pid1([trainit, "gpus", "--format", "json", *options], env=env)
        assert end.code == 0, end
        return json.loads(end.out)

    return ask


def readelf(option, file):
    return subprocess.run(["readelf", "--wide", option, file], check=True, capture_output=True,
                          text=True).stdout


def test_the_helper_needs_the_two_libraries_that_every_glibc_has_and_the_usual_loader(helper):
    dynamic = readelf("--dynamic", helper)
    assert set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) == {"libc.so.6", "libdl.so.2"}
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
    loader = re.search(r"interpreter: (.*)\]", readelf("--program-headers", helper)).group(1)
    assert loader in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")


def test_the_helper_needs_no_symbol_newer_than_the_oldest_glibc(helper):
    symbols = re.findall(r" UND (\S+)", readelf("--dyn-syms", helper))
    assert {"dlopen", "dlsym"} <= {symbol.partition("@")[0] for symbol in symbols}
    versions = set(re.findall(r"Name: (\S+)  Flags", readelf("--version-info", helper)))
    assert versions <= BASE_VERSIONS


def test_the_helper_is_small_and_lies_in_the_binary(helper, trainit):
    content = helper.read_bytes()
    assert len(content) < 20_000
    assert content in Path(trainit).read_bytes()


@pytest.mark.parametrize("count", [0, 1, 8])
def test_the_driver_is_asked_for_the_number_of_gpus(gpus, fake_gpus, count):
    found = gpus(fake_gpus(str(count)))
    assert found["count"] == len(found["devices"]) == count
    assert (found["source"], found["cuda_version"], found["driver_version"]) == (
        "libcuda", "12.4", "550.54.15")


def test_the_option_decides_over_the_variable_whether_the_driver_is_asked(gpus, fake_gpus):
    variables = fake_gpus("2", TRAINIT_GPU_PROBE="never")
    assert (gpus(variables)["count"], gpus(variables, "--gpu-probe", "always")["count"]) == (0, 2)
    assert gpus(variables)["source"] == "TRAINIT_GPU_PROBE=never"
    assert gpus(fake_gpus("hang"), "--gpu-probe", "never")["source"] == "gpu-probe never"


def test_a_gpu_comes_with_its_name_uuid_address_memory_and_capability(gpus, fake_gpus):
    device = gpus(fake_gpus("2"))["devices"][1]
    assert device == {
        "index": 1, "name": 'Fake "GPU" é\\', "uuid": "GPU-00112233-4455-6677-8899-aabbccddee01",
        "pci": "0000:1b:00.0", "memory": 24 << 30, "compute_capability": "8.6", "mig": False,
        "numa_node": device["numa_node"]}


def test_the_choice_of_the_user_is_the_drivers_to_honour(gpus, fake_gpus):
    found = gpus(fake_gpus("8", CUDA_VISIBLE_DEVICES="3,1"))
    assert [device["pci"] for device in found["devices"]] == ["0000:1d:00.0", "0000:1b:00.0"]


@pytest.mark.parametrize("variable", [("CUDA_VISIBLE_DEVICES", ""), ("NVIDIA_VISIBLE_DEVICES", "none")])
def test_variables_that_rule_gpus_out_are_believed_without_asking(gpus, fake_gpus, variable):
    name, value = variable
    found = gpus(fake_gpus("hang", **{name: value}))
    assert (found["count"], found["source"]) == (0, f"{name}={value}")


def test_a_mig_instance_is_told_apart(gpus, fake_gpus):
    found = gpus(fake_gpus("mig"))
    assert [device["mig"] for device in found["devices"]] == [True]
    assert found["devices"][0]["uuid"].startswith("MIG-")
    assert "7 MIG instances" in found["warnings"][0]


@pytest.mark.parametrize("behaviour, reason", [
    ("init_error", "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"),
    ("crash", "was killed by SIGSEGV"),
    ("junk", "its answer is no JSON"),
])
def test_a_driver_in_trouble_is_a_warning_with_the_reason(gpus, fake_gpus, behaviour, reason):
    found = gpus(fake_gpus(behaviour))
    assert found["source"] != "libcuda"
    assert any(reason in warning for warning in found["warnings"])


def test_a_driver_that_hangs_is_left_behind_at_the_deadline(gpus, fake_gpus):
    found = gpus(fake_gpus("hang"), "--gpu-deadline", "300ms")
    assert any("it did not answer in time" in warning for warning in found["warnings"])


@pytest.mark.parametrize("deadline", ["597h", "277777h"])
def test_a_deadline_beyond_all_bounds_is_a_long_one(gpus, fake_gpus, deadline):
    found = gpus(fake_gpus("2"), "--gpu-deadline", deadline)
    assert (found["count"], found["source"]) == (2, "libcuda")


def test_a_stop_signal_ends_the_launcher_while_the_driver_hangs(start, trainit, fake_gpus, job):
    here = job()
    running = start([trainit, "--", "true"], job=here, env=fake_gpus("hang", TRAINIT_GPU_DEADLINE="60s"))
    while not any("trainit-gpu-helper" in command_line_of(child) for child in children_of(running.pid)):
        assert running.process.poll() is None, running.output()
    running.signal(15)
    end = running.wait()
    assert end.code == 143, end
    assert end.seconds < 30  # of the driver's 60
    assert here.failure


def test_a_system_that_runs_no_programs_from_memory_is_said_so(pid1, trainit, fake_gpus):
    if not Path("/proc/sys/vm/memfd_noexec").exists():
        pytest.skip("this kernel has no vm.memfd_noexec")
    # It belongs to the pid namespace, so that nobody else is touched.
    script = 'echo 2 >/proc/sys/vm/memfd_noexec && exec "$1" gpus --format json'
    end = pid1(["sh", "-c", script, "sh", trainit], env=fake_gpus("8"))
    assert end.code == 0, end
    found = json.loads(end.out)
    assert found["source"] != "libcuda"
    assert any("EACCES" in warning for warning in found["warnings"]), found


@pytest.mark.release_only  # strace and the leak sanitizer do not go together
def test_no_process_is_started_to_look_for_gpus_that_nothing_hints_at(trainit, tmp_path, clean_env):
    if any(Path("/dev").glob("nvidia*")) or Path("/proc/driver/nvidia").exists():
        pytest.skip("this machine has a GPU")
    trace = tmp_path / "trace"
    subprocess.run(["strace", "-f", "-e", "trace=process", "-o", trace, trainit, "gpus"], check=True,
                   env=clean_env, stdout=subprocess.DEVNULL)
    calls = re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)
    assert "execve" in calls
    assert not {"fork", "vfork", "clone", "clone3"} & set(calls)


def test_the_table_is_for_people(pid1, trainit, fake_gpus):
    end = pid1([trainit, "gpus"], env=fake_gpus("1"))
    head, gpu, source = end.out.splitlines()
    assert head.split() == ["gpu", "name", "memory", "compute", "pci", "numa", "uuid"]
    assert "24.0 GB" in gpu and "0000:1a:00.0" in gpu
    assert source == "by libcuda · driver 550.54.15 · CUDA 12.4"


def test_the_probe_that_the_job_asks_for_is_that_of_trainit_gpus_too(gpus, job, fake_gpus):
    """As `trainit env` has it; a configuration that cannot be read is not its affair."""
    here = job(hyperparameters={"trainit_gpu_probe": "never"})
    environment = fake_gpus("2") | here.env
    assert gpus(environment)["source"] == "gpu-probe never"
    (here.config / "hyperparameters.json").write_text("{")
    assert gpus(environment)["source"] == "libcuda"

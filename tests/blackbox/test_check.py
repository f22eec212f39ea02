"""trainit check and --preflight: what would make the job fail here is told before it does."""

import json
import re
import signal
import time
from pathlib import Path

import pytest
from trainit_testing.waiting import wait_until

AREAS = ["job", "program", "python", "gpu", "visibility", "shm", "limits", "network", "hosts", "rendezvous", "outputs"]
QUICK_AREAS = ["program", "gpu", "visibility", "shm", "limits", "network", "outputs"]
NO_GPUS = {"TRAINIT_GPU_PROBE": "never"}
RESOURCES = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo",
             "current_instance_type": "ml.m5.xlarge"}


@pytest.fixture
def check(trainit, pid1):
    """check(JOB, OPTION…): the findings, each as "severity: area: what", and the areas' texts; `.end` is the run's."""
    def run(here, *options, wrapper=(), **env):
        end = pid1([*wrapper, trainit, "check", "--format", "json", *options], job=here, env=NO_GPUS | env)
        assert end.code in (0, 1, 2), end
        answer = json.loads(end.out)
        assert answer["exit_code"] == end.code
        run.end = end
        run.areas = {area["area"]: area["text"] for area in answer["areas"]}
        assert list(run.areas) == AREAS
        return [f"{one['severity']}: {one['area']}: {one['what']}" for one in answer["findings"]]

    return run


@pytest.fixture
def script(job):
    """script(TEXT, FILES): a job whose program is this text of Python, with other files beside it."""
    def lay_out(text, files=()):
        return job(hyperparameters={"sagemaker_program": "train.py"}, code={"train.py": text, **dict(files)},
                   resources=RESOURCES)

    return lay_out


def only(findings, severity, area):
    """The one finding of this severity and area."""
    found = [one for one in findings if one.startswith(f"{severity}: {area}: ")]
    assert len(found) == 1, findings
    return found[0]


def tree(directory):
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(directory.rglob("*"))}


# ---- the command

def test_a_job_that_is_well_is_exit_0_and_each_area_is_told_of(trainit, pid1, script):
    here = script("import json\n")
    before = tree(here.base)
    end = pid1([trainit, "check"], job=here, env=NO_GPUS)
    assert end.code == 0, end
    assert re.findall(r"^(\w+): ", end.out, re.MULTILINE) == AREAS
    assert "train.py imports 1 other module, all there" in end.out
    assert end.out.endswith("\nno errors and no warnings\n")
    assert tree(here.base) == before


def test_the_text_has_the_same_findings_as_the_json_and_the_worst_first(trainit, pid1, script, check):
    here = script("import nowhere\ndef f():\n  import later\ntry:\n  import optional\nexcept ImportError:\n  pass\n")
    told = check(here)
    end = pid1([trainit, "check"], job=here, env=NO_GPUS)
    assert re.findall(r"^(?:error|warning|note): .*$", end.out, re.MULTILINE) == told
    assert [one.split(":")[0] for one in told] == ["error", "warning", "note"]
    assert end.code == 2 and end.out.endswith("\n1 error, 1 warning\n")
    assert end.out.count("\n  why: ") == end.out.count("\n  to do: ") == 3


def test_a_missing_module_is_told_of_with_its_place_and_is_not_the_jobs_failure(check, script):
    here = script("import os\nimport helper\n", {"helper.py": "\nimport sklearn_of_nobody\n"})
    told = only(check(here), "error", "python")
    assert f"{here.code}/helper.py:2 imports sklearn_of_nobody, which is not installed" in told
    assert check.end.code == 2 and here.failure is None and not here.success


def test_a_script_that_python_cannot_read_is_told_of_with_its_line(check, script):
    assert "error: python: train.py:2: " in only(check(script("x = 1\ny = (\n")), "error", "python")


def test_a_module_that_is_needed_only_here_and_there_is_a_warning(check, script):
    findings = check(script("def f():\n  import nowhere\n"))
    assert check.end.code == 1 and "train.py:2 imports nowhere" in only(findings, "warning", "python")


def test_nothing_of_the_users_is_executed(check, script, tmp_path):
    traitor = f"open({str(tmp_path / 'executed')!r}, 'w')\n"
    names = ["helper.py", "json.py", "sitecustomize.py", "usercustomize.py", "pkg/__init__.py", "pkg/sub.py"]
    here = script(traitor + "import helper, json, pkg.sub\n", dict.fromkeys(names, traitor))
    check(here, PYTHONSTARTUP=str(here.code / "helper.py"))
    assert check.end.code == 0 and not (tmp_path / "executed").exists()


@pytest.mark.parametrize("argv, area, words", [
    (["no-such-program"], "program", "cannot run no-such-program: there is no such program in "),
    (["/etc/passwd"], "program", "cannot run /etc/passwd: it is not executable: chmod +x it"),
    (["python3", "-c", "import nowhere"], "python", "-c:1 imports nowhere, which is not installed"),
    (["python3", "-m", "nowhere.train"], "python", "the command runs the module nowhere, which is not installed"),
])
def test_a_command_that_cannot_work(check, job, argv, area, words):
    assert words in only(check(job(resources=RESOURCES), "--", *argv), "error", area)


def test_a_script_with_windows_line_ends_and_one_that_is_not_there(check, job):
    for program, text, words in (("t.sh", "#!/bin/bash\r\necho\r\n", "the file has Windows line ends; save it with LF"),
                                 ("none.py", None, "none.py (sagemaker_program) does not exist")):
        here = job(hyperparameters={"sagemaker_program": program}, resources=RESOURCES)
        here.code.mkdir(exist_ok=True)
        if text:
            here.write_code(program, "").write_bytes(text.encode())
        assert words in only(check(here), "error", "program")


def test_without_a_command_the_rest_is_looked_at(check, job):
    check(job(resources=RESOURCES))
    assert check.end.code == 0
    assert check.areas["program"].startswith("no command was given")


def test_files_that_cannot_be_read_are_an_error_among_the_others(check, job):
    here = job(raw_hyperparameters='{"a" 1}', resources=RESOURCES)
    findings = check(here, "--", "python3", "-c", "import nowhere")
    assert f"{here.config}/hyperparameters.json: line 1, column 6: expected ':'" in only(findings, "error", "job")
    assert only(findings, "error", "python")


def test_a_bad_option_of_the_job_is_a_finding_and_one_of_the_command_line_is_not(trainit, pid1, check, job):
    here = job(hyperparameters={"trainit_workers": "none"}, resources=RESOURCES)
    assert 'the hyperparameter trainit_workers is "none"' in only(check(here), "error", "job")
    for options in (["--workers", "none"], ["--formt", "json"], ["--format", "xml"]):
        end = pid1([trainit, "check", *options], job=here)
        assert (end.code, end.out) == (125, "") and here.failure is None


def test_no_finding_shows_a_secret(trainit, pid1, job):
    key = 'sk-1234"5678'
    here = job(hyperparameters={"api_key": key}, resources=RESOURCES)
    for form in ("text", "json"):
        end = pid1([trainit, "check", "--format", form, "--", f"/nowhere/{key}"], job=here, env=NO_GPUS)
        assert end.code == 2 and "/nowhere/***" in end.out
        assert not re.search("1234|5678", re.sub("/tmp/[^ ]*", "", end.out + end.err))


def test_a_stop_signal_ends_it_while_a_python_hangs(trainit, start, script, tmp_path):
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    running = start([trainit, "check", "--python", hangs], job=script("import os\n"), env=NO_GPUS)
    children = f"/proc/{running.pid}/task/{running.pid}/children"
    while not open(children).read().split():
        assert running.process.poll() is None, running.output()
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert (end.code, end.out) == (143, "") and end.ours == ["stopped by SIGTERM"]
    assert end.seconds < 15  # of the 20 that a Python may take


# ---- the machine

def test_a_small_shared_memory(check, script):
    small = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=64m none /dev/shm && exec "$@"', "sh"]
    here = script("import json\n")
    assert "/dev/shm has only 64 MB" in only(check(here, "--workers", "2", wrapper=small), "warning", "shm")
    assert "/dev/shm has only 64 MB" in only(check(here, wrapper=small), "note", "shm")


def test_a_low_limit_of_open_files(check, job):
    low = ["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"]
    assert "only 256 files" in only(check(job(resources=RESOURCES), wrapper=low), "warning", "limits")


def test_a_low_limit_of_processes_for_a_user_who_is_not_root(check, job):
    low = ["prlimit", "--nproc=40"]
    check(job(resources=RESOURCES), wrapper=low)
    assert "40" not in check.areas["limits"]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    findings = check(job(resources=RESOURCES), wrapper=[*low, *nobody])
    assert "this user may have only 40 processes" in only(findings, "warning", "limits")


@pytest.mark.parametrize("name, value, severity", [
    ("NCCL_SOCKET_IFNAME", "nowhere0", "warning"), ("NCCL_SOCKET_IFNAME", "=l", "warning"), ("NCCL_SOCKET_IFNAME", "l", None),
    ("NCCL_SOCKET_IFNAME", "^nowhere", None), ("GLOO_SOCKET_IFNAME", "l", "error"), ("GLOO_SOCKET_IFNAME", "lo", None)])
def test_names_of_interfaces_that_are_not_there(check, job, name, value, severity):
    findings = check(job(resources=RESOURCES), **{name: value})
    if severity:
        assert f"{name}={value}" in only(findings, severity, "network")
    else:
        assert findings == []


def test_directories_that_cannot_be_written_to(check, job, mounted):
    here = job(resources=RESOURCES)
    mounted(here.model, "-t", "tmpfs", "-o", "ro", "none")
    told = only(check(here), "error", "outputs")
    assert f"{here.model} cannot be written to: Read-only file system" in told


def test_a_full_disk(check, job, mounted):
    here = job(resources=RESOURCES)
    mounted(here.model, "-t", "tmpfs", "-o", "size=64k", "none")
    (here.model / "filler").write_bytes(b"x" * (64 << 10))
    told = only(check(here), "error", "outputs")
    assert f"0 bytes of 64 KB are free for {here.model}" in told


def test_as_many_processes_as_workers_meet(check, job):
    check(job(resources=RESOURCES), "--workers", "3")
    assert re.fullmatch(r"3 processes met at a store on loopback within \d+ ms", check.areas["rendezvous"])


# A network of its own, in which algo-1 is known, and a name server takes questions and never answers. $1/asked: one came.
SILENT_SERVER = r"""
import os, socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
if os.fork():
    os._exit(0)
while True:
    server.recv(512)
    open(sys.argv[1], "w").close()
"""
SILENT_NETWORK = r"""
ip link set lo up
echo "127.0.0.1 localhost algo-1" >"$1/hosts"
echo "nameserver 127.0.0.1" >"$1/resolv.conf"
for file in hosts resolv.conf; do mount --bind "$1/$file" "/etc/$file"; done
/usr/bin/python3 -c "$2" "$1/asked"
shift 2
exec "$@"
"""
TWO_HOSTS = RESOURCES | {"hosts": ["algo-1", "algo-2"]}


def silent_network(directory):
    return ["unshare", "--mount", "--net", "sh", "-ec", SILENT_NETWORK, "sh", directory, SILENT_SERVER]


def test_a_host_whose_name_nobody_knows_is_waited_for_5_s_and_told_of(check, job, tmp_path):
    told = only(check(job(resources=TWO_HOSTS), wrapper=silent_network(tmp_path)), "warning", "hosts")
    assert told.startswith("warning: hosts: algo-2 has no address: ")
    found = re.fullmatch(r"1 of 2 names have addresses, found within (\d+) ms", check.areas["hosts"])
    assert 1000 < int(found[1]) < 10_000  # who waits for the server's last chance waits for 15 s


def test_a_stop_signal_ends_it_while_a_name_server_is_silent(trainit, start, job, tmp_path):
    running = start([*silent_network(tmp_path), trainit, "check"], job=job(resources=TWO_HOSTS), env=NO_GPUS)
    wait_until((tmp_path / "asked").exists, "a question for the name server")
    running.signal(signal.SIGTERM)
    begin = time.monotonic()
    end = running.wait()
    assert (end.code, end.out) == (143, "") and end.ours == ["stopped by SIGTERM"]
    assert time.monotonic() - begin < 4  # of the 5 that names are waited for


def with_torch(script, cuda):
    version = f"__version__ = '2.9.0'\ncuda = {cuda!r}\n"
    return script("import torch\n", {"torch/__init__.py": "raise SystemExit\n", "torch/version.py": version,
                                    "torch-2.9.0.dist-info/METADATA": "Name: torch\nVersion: 2.9.0\n"})


def test_a_driver_that_is_too_old_for_the_torch_of_the_image(check, script, fake_gpus):
    told = only(check(with_torch(script, "13.0"), **fake_gpus("1")), "error", "gpu")
    assert "the driver 550.54.15 does not run CUDA 13.0, which torch 2.9.0 needs" in told
    assert "580.65.06" in check.end.out


def test_a_driver_that_is_new_enough_and_a_torch_without_cuda(check, script, fake_gpus):
    assert check(with_torch(script, "12.8"), **fake_gpus("1")) == []
    assert "driver 550.54.15 runs CUDA 12.x · torch 2.9.0 needs CUDA 12.8" in check.areas["gpu"]
    assert "torch is built without CUDA" in only(check(with_torch(script, None), **fake_gpus("1")), "warning", "gpu")


def test_gpus_that_a_variable_hides_or_that_are_not_there(check, job, fake_gpus):
    here = job(resources=RESOURCES)
    told = only(check(here, **fake_gpus("4", CUDA_VISIBLE_DEVICES="0,5")), "warning", "visibility")
    assert "CUDA_VISIBLE_DEVICES=0,5 names 5, and this container has 4 GPUs" in told
    told = only(check(here, **fake_gpus("4", CUDA_VISIBLE_DEVICES="5")), "error", "visibility")
    assert "CUDA_VISIBLE_DEVICES=5 names 5" in told
    told = only(check(here, **fake_gpus("4", CUDA_VISIBLE_DEVICES="")), "warning", "visibility")
    assert "hides all 4 GPUs" in told


def test_more_workers_than_gpus(check, job, fake_gpus):
    # The machine of the tests may have a CUDA runtime, of which the stand-in's driver is warned as well.
    assert "warning: gpu: 4 workers share 2 GPUs" in check(job(resources=RESOURCES), "--workers", "4", **fake_gpus("2"))


# ---- the document

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGE = (REPOSITORY / "docs/check.md").read_text()


def test_the_document_shows_what_is_printed(trainit, pid1, script):
    here = script("import json\nimport helper\n", {"helper.py": "import sklearn_extra\n"})
    end = pid1([trainit, "check"], job=here, env=NO_GPUS)
    (shown,) = re.findall(r"<!-- check -->\n```\n(.*?)```", PAGE, re.DOTALL)
    machine = r"^(gpu|shm|limits|network|outputs): .*$"
    shape = [re.sub(r"\d+ ms|\d+\.\d+\.\d+", "N", re.sub(machine, r"\1", text.replace(str(here.base), "/opt/ml"), flags=re.MULTILINE))
             for text in (shown, end.out)]
    assert shape[0] == shape[1]


def test_the_document_has_every_area(trainit):
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*AREAS, "deep"]


# ---- before a job

def record_of(here):
    return [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]


def test_an_error_of_the_preflight_is_the_jobs_failure_and_no_worker_starts(trainit, pid1, job):
    here = job(resources=RESOURCES)
    end = pid1([trainit, "--preflight", "--", "echo", "started"], job=here,
               env=NO_GPUS | {"GLOO_SOCKET_IFNAME": "nowhere0"})
    assert (end.code, end.out) == (125, "") and not here.success
    assert here.failure.startswith("preflight: GLOO_SOCKET_IFNAME=nowhere0: nowhere0 does not exist; there are: ")
    events = record_of(here)
    assert [event["event"] for event in events] == ["start", "check", "outcome"]
    (finding,) = [one for one in events[1]["findings"] if one["severity"] == "error"]
    assert finding["area"] == "network" and finding["remedy"] in here.failure
    assert [area["area"] for area in events[1]["areas"]] == QUICK_AREAS
    told = pid1([trainit, "explain"], job=here)
    assert "the preflight found 1 error and 0 warnings" in told.out


def test_of_several_errors_the_first_is_the_failure_and_the_others_are_counted(trainit, pid1, job, mounted):
    here = job(resources=RESOURCES)
    mounted(here.model, "-t", "tmpfs", "-o", "size=64k", "none")
    (here.model / "filler").write_bytes(b"x" * (64 << 10))
    end = pid1([trainit, "--preflight=quick", "--", "echo", "started"], job=here,
               env=NO_GPUS | {"GLOO_SOCKET_IFNAME": "nowhere0"})
    assert (end.code, end.out) == (125, "")
    assert here.failure.startswith("preflight: GLOO_SOCKET_IFNAME=nowhere0")
    assert here.failure.endswith("; and 1 more error: trainit check shows all")
    assert f"0 bytes of 64 KB are free for {here.model}" in end.err


def test_a_warning_of_the_preflight_is_said_and_the_job_goes_on(trainit, pid1, job):
    here = job(resources=RESOURCES)
    low = ["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"]
    end = pid1([*low, trainit, "--", "echo", "started"], job=here, env=NO_GPUS | {"TRAINIT_PREFLIGHT": "quick"})
    assert (end.code, end.out) == (0, "started\n") and here.success
    (said,) = [line for line in end.ours if "256 files" in line]
    assert said.startswith("warning: a process may open only 256 files at a time (RLIMIT_NOFILE): ")
    (event,) = [event for event in record_of(here) if event["event"] == "check"]
    assert [one["area"] for one in event["findings"]] == ["limits"]


def test_notes_of_the_preflight_are_not_said(trainit, pid1, job):
    here = job(resources=RESOURCES | {"network_interface_name": "nowhere0"})
    end = pid1([trainit, "--preflight", "quick", "--", "true"], job=here, env=NO_GPUS)
    assert end.code == 0 and "nowhere0" not in end.err
    (event,) = [event for event in record_of(here) if event["event"] == "check"]
    assert [one["severity"] for one in event["findings"]] == ["note"]


@pytest.mark.parametrize("options, hyperparameters", [([], {}), (["--preflight", "off"], {}), (["--preflight=off"], {"trainit_preflight": "quick"})])
def test_without_a_preflight_nothing_is_looked_at(trainit, pid1, job, options, hyperparameters):
    here = job(hyperparameters=hyperparameters, resources=RESOURCES)
    end = pid1([trainit, *options, "--", "echo", "started"], job=here, env=NO_GPUS | {"GLOO_SOCKET_IFNAME": "nowhere0"})
    assert (end.code, end.out) == (0, "started\n")
    assert "check" not in [event["event"] for event in record_of(here)]


def test_the_hyperparameter_asks_for_it_too_and_another_word_is_refused(trainit, pid1, job):
    here = job(hyperparameters={"trainit_preflight": "quick"}, resources=RESOURCES)
    assert pid1([trainit, "--", "true"], job=here, env=NO_GPUS | {"GLOO_SOCKET_IFNAME": "nowhere0"}).code == 125
    assert here.failure.startswith("preflight: ")
    assert pid1([trainit, "--preflight=thorough", "--", "true"], job=here).code == 125
    assert '--preflight is "thorough": expected one of off, quick, deep' in here.failure


def test_a_stop_during_the_preflight_is_no_finding(trainit, job, start):
    here = job(resources=RESOURCES)
    # The signal waits, blocked, from before the launcher's first step.
    stopped = ["/usr/bin/python3", "-c", "import os, signal, sys\n"
               "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
               "os.kill(os.getpid(), signal.SIGTERM)\nos.execv(sys.argv[1], sys.argv[1:])\n"]
    end = start([*stopped, trainit, "--preflight", "--", "echo", "started"], job=here,
                env=NO_GPUS | {"GLOO_SOCKET_IFNAME": "nowhere0"}, namespace=False).wait()
    assert (end.code, end.out) == (143, "")
    assert here.failure == "stopped by SIGTERM before any worker was started"
    assert "check" not in [event["event"] for event in record_of(here)]

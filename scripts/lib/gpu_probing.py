"""trainit-gpu-probe on real GPUs, for scripts/gpu-check: it has to come to an end, and to right results."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

LIMIT = 120  # seconds


@dataclass
class Probed:
    code: int  # 124: the time limit
    seconds: float
    lines: list = field(default_factory=list)


def run(probe, nccl):
    """Runs it; `nccl` is the directory of libnccl.so.2, or None where the loader knows one."""
    argv = [str(probe), *(["--nccl", f"{nccl}/libnccl.so.2"] if nccl else [])]
    begin = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                               env=os.environ | {"CUDA_CACHE_DISABLE": "1"})
    try:
        out, _ = process.communicate(timeout=LIMIT)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        code = 124
    return Probed(code, time.monotonic() - begin, [json.loads(line) for line in out.splitlines()])


def name_of(line, what):
    if "to" in line:
        return f"copy within GPU {line['gpu']}" if line["to"] == line["gpu"] else f"copy from GPU {line['gpu']} to {line['to']}"
    return f"{line[what]} of GPU {line['gpu']}" if "gpu" in line else line[what]


def speed(line):
    amount, unit = (line["bytes"], "GB/s") if "bytes" in line else (line["operations"] / 1000, "TFLOPS")
    return f"{amount / max(line['ns'], 1):.1f} {unit}"


def report(probed):
    lines = ["", f"trainit-gpu-probe ended after {probed.seconds:.1f} s:", "", "| step | speed | began after |", "|---|---|---|"]
    begins = {name_of(line, "step"): line["at"] / 1000 for line in probed.lines if "step" in line}
    for line in probed.lines:
        if "result" in line:
            name = name_of(line, "result")
            lines.append(f"| {name} | {speed(line)} | {begins[name]:.2f} s |")
        if "failure" in line:
            lines.append(f"| {name_of(line, 'failure')} | {line['call']}: {line['code']} {line['name']} {line['message']} | |")
    return lines


def check_launcher(check, launcher, nccl):
    """The same by the launcher, which has to find the program, and no fault of the GPUs."""
    paths = [str(nccl or ""), os.environ.get("LD_LIBRARY_PATH", "")]
    with tempfile.TemporaryDirectory() as base:
        env = os.environ | {"SAGEMAKER_BASE_DIR": base, "LD_LIBRARY_PATH": ":".join(filter(None, paths))}
        done = subprocess.run([launcher, "check", "--deep", "--format", "json"], stdout=subprocess.PIPE, text=True, env=env,
                              timeout=LIMIT, check=False)
        answer = json.loads(done.stdout)
        (area,) = [one for one in answer["areas"] if one["area"] == "deep"]
        print(f"gpu-check: trainit check --deep says {area['text']}")
        findings = [one["what"] for one in answer["findings"] if one["area"] == "deep"]
        check.same("findings of trainit check --deep", findings, [])
        done = subprocess.run([launcher, "--preflight=deep", "--workers", "1", "--", "echo", "started"], text=True, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        check.true("a job with --preflight=deep tries the GPUs and starts its worker", done.returncode == 0
                   and "trainit: the GPUs: " in done.stdout and "\nstarted\n" in done.stdout, f"but {done.stdout}")


def check_probe(check, probe, launcher, nccl, gpus):
    """The lines for the record."""
    probed = run(probe, nccl)
    for line in probed.lines:
        print(f"gpu-check: the probe says {line}")
    check.true("the probe comes to its end", probed.code == 0 and probed.lines and probed.lines[-1].get("end"),
               f"but with {probed.code}")
    results = [line for line in probed.lines if "result" in line]
    check.same("steps that the probe did not do", [name_of(line, "failure") for line in probed.lines if "failure" in line], [])
    check.same("wrong results", sum(line["wrong"] for line in results), 0)
    check.same("results", len(results), gpus * 4 + gpus * (gpus - 1) + 1 if gpus else 0)
    check_launcher(check, launcher, nccl)
    return report(probed)

"""The trainers on real GPUs, for scripts/gpu-check: each run has a time limit, and its result is held against that of
the trainer for the CPU."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from gpu_prepare import CPU_TRAINER, LAUNCHER, PYTORCH_SCRIPT, SPEED, TRAINER, fetched_toolkit

LIMIT = 120  # seconds of one run
#: How far a parameter of the model may be from what the CPU comes to: sums in another order are rounded otherwise.
LARGEST_DIFFERENCE = 1e-5
LEAST_ACCURACY = 0.9
#: Of what the Communicator may add to the start of NCCL.
LARGEST_START_MS = 20
#: Of each. Some take 20 ms more, with NCCL alone as well, so a few say little.
STARTS = 24
LEAST_BANDWIDTH = 0.9
#: Megabytes from which on the links count, and not how fast a host can ask for the next sum.
BY_LINKS = 64
#: Of NVIDIA's nccl-tests; run where it is there.
NCCL_TESTS = "all_reduce_perf"
LARGEST_SHARED = 16  # megabytes that ranks on one GPU add up

#: Several ranks on one GPU: NCCL takes them for several hosts, which talk over sockets.
SHARED = {"CUDA_VISIBLE_DEVICES": "0", "NCCL_NET": "Socket", "NCCL_SOCKET_IFNAME": "lo", "NCCL_IB_DISABLE": "1",
          "NCCL_P2P_DISABLE": "1", "NCCL_SHM_DISABLE": "1"}
EACH_ITS_HOST = ["sh", "-c", 'NCCL_HOSTID=rank-$RANK exec "$0" "$@"']


@dataclass
class End:
    code: int  # 124: the time limit
    out: str
    seconds: float

    @property
    def accuracy(self):
        found = re.search(r"^test_accuracy=(\S+)$", self.out, re.MULTILINE)
        return float(found[1]) if found else 0.0


def lay_out(base, digits, hyperparameters):
    """A job's directory, as the platform makes it."""
    config = base / "input/config"
    config.mkdir(parents=True)
    for channel in ("train", "test"):
        shutil.copytree(digits / channel, base / "input/data" / channel)
    files = {"hyperparameters.json": hyperparameters,
             "inputdataconfig.json": {channel: {"TrainingInputMode": "File"} for channel in ("train", "test")},
             "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}}
    for name, value in files.items():
        (config / name).write_text(json.dumps(value))
    return base


def find_nccl():
    """The directory of libnccl.so.2: that of a Python package, or the fetched toolkit's; None: the loader knows one."""
    listed = subprocess.run(["ldconfig", "-p"], text=True, stdout=subprocess.PIPE, check=False).stdout
    if "libnccl.so.2 " in listed:
        return None
    package = subprocess.run([sys.executable, "-c", "import nvidia.nccl; print(*nvidia.nccl.__path__, sep='\\n')"],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    places = [*(Path(line) / "lib" for line in package.splitlines()), fetched_toolkit() / "lib"]
    return next((place for place in places if (place / "libnccl.so.2").exists()), None)


def speed_of_nccl_tests(text, ranks, megabytes):
    """GB/s of its line of this size, out of place: of the bus, or with one rank, which has none, of what is added up."""
    found = re.search(rf"^ *{megabytes << 20} +\d+ +float +sum +-1 +[\d.]+ +([\d.]+) +([\d.]+) ", text, re.MULTILINE)
    return float(found[2 if ranks > 1 else 1]) if found else None


def has_torch():
    asked = "import torch; raise SystemExit(not (torch.cuda.is_available() and torch.distributed.is_nccl_available()))"
    return subprocess.run([sys.executable, "-c", asked], stderr=subprocess.DEVNULL, check=False).returncode == 0


def numbers(file):
    """The parameters that a trainer left in model.txt."""
    return [float.fromhex(line) for line in file.read_text().splitlines()[1:]]


def difference(one, other):
    first, second = numbers(one / "model/model.txt"), numbers(other / "model/model.txt")
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def kill_rank_1(launcher):
    for child in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split():
        if b"\0RANK=1\0" in Path(f"/proc/{child}/environ").read_bytes():
            os.kill(int(child), signal.SIGKILL)


class Trainings:
    """Runs trainers from the directory of programs, and keeps a line of the table for each."""

    def __init__(self, check, programs, nccl, gpus, megabytes):
        self.check, self.programs, self.gpus, self.megabytes = check, programs, gpus, megabytes
        # PyTorch finds its own NCCL.
        paths = [os.environ.get("LD_LIBRARY_PATH", "")] + [str(nccl)] * bool(nccl)
        self.find_nccl = {"LD_LIBRARY_PATH": ":".join(filter(None, paths))}
        self.rows, self.speeds = [], []
        self.scratch = tempfile.TemporaryDirectory()
        self.jobs = 0

    def job(self, epochs=10):
        self.jobs += 1
        values = {"epochs": str(epochs), "batch-size": "64", "learning-rate": "0.1"}
        return lay_out(Path(self.scratch.name) / f"job-{self.jobs}", self.programs / "digits", values)

    def start(self, base, ranks, *command, options=(), **variables):
        environment = os.environ | {"SAGEMAKER_BASE_DIR": str(base)} | variables
        argv = [self.programs / LAUNCHER, "--workers", ranks, *options, "--", *command]
        return subprocess.Popen(list(map(str, argv)), text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)

    def wait(self, process, begin):
        try:
            out, _ = process.communicate(timeout=LIMIT)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                out, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
            code = 124
        return End(code, out, time.monotonic() - begin)

    def run(self, base, ranks, *command, options=(), **variables):
        begin = time.monotonic()
        return self.wait(self.start(base, ranks, *command, options=options, **variables), begin)

    def strike_after(self, words, process, strike):
        """strike(process) when it prints a line that begins so."""
        begin, seen = time.monotonic(), []
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        for line in process.stdout:
            seen.append(line)
            if line.startswith(words):
                strike(process)
                break
        watchdog.cancel()
        end = self.wait(process, begin)
        return End(end.code, "".join(seen) + end.out, end.seconds)

    def good(self, what, end, base):
        well = end.code == 0 and (base / "output/success").exists()
        if not well:
            print(end.out)
        self.check.true(f"{what}: ended well", well, f"but with {end.code}{' (it took too long)' * (end.code == 124)}")
        if well:
            self.check.true(f"{what}: accuracy {end.accuracy}", end.accuracy >= LEAST_ACCURACY, "is too low")
        return well

    def on_cpu(self):
        """The reference."""
        self.reference = self.job()
        end = self.run(self.reference, 1, self.programs / CPU_TRAINER)
        self.good("trainer for the CPU", end, self.reference)
        self.rows.append(("C++ on the CPU", 1, end, None))

    def ways(self):
        """How ranks are placed: what it is called, ranks, what the command begins with, variables."""
        yield f"{self.gpus} GPU" + "s" * (self.gpus > 1), self.gpus, [], {}
        yield "one GPU, sockets", 2, EACH_ITS_HOST, SHARED
        yield "one GPU, sockets", 4, EACH_ITS_HOST, SHARED

    def with_nccl(self):
        for where, ranks, begin, variables in self.ways():
            base = self.job()
            end = self.run(base, ranks, *begin, self.programs / TRAINER, **variables, **self.find_nccl)
            what = f"CUDA and NCCL, {ranks} ranks, {where}"
            apart = None
            if self.good(what, end, base):
                apart = difference(base, self.reference)
                self.check.true(f"{what}: {apart:.1e} from the CPU's model", apart <= LARGEST_DIFFERENCE, "is too far")
            self.rows.append((f"CUDA and NCCL, {where}", ranks, end, apart))

    def stopped_and_resumed(self):
        epochs, variables = 200, SHARED | self.find_nccl
        whole, parts = self.job(epochs), self.job(epochs)
        command = [*EACH_ITS_HOST, self.programs / TRAINER]
        self.good("not stopped", self.run(whole, 2, *command, **variables), whole)
        end = self.strike_after("epoch 2 ", self.start(parts, 2, *command, **variables),
                                lambda process: process.send_signal(signal.SIGTERM))
        self.check.true("SIGTERM: a checkpoint is written, and it ends with 0",
                        end.code == 0 and "asked to stop: checkpoint after epoch" in end.out, f"but {end.out}")
        end = self.run(parts, 2, *command, **variables)
        if self.good("started again", end, parts):
            self.check.true("it goes on from the checkpoint", "going on after epoch" in end.out)
            self.check.same("distance from the model of a run that was not stopped", difference(parts, whole), 0.0)

    def started_once_more(self):
        """A rank is killed while it holds memory of the GPU, and all begin once more when that is free."""
        base, options = self.job(60), ["--max-restarts", "1", "--restart-delay", "0"]
        process = self.start(base, 2, *EACH_ITS_HOST, self.programs / TRAINER, options=options, **SHARED, **self.find_nccl)
        end = self.strike_after("epoch 2 ", process, kill_rank_1)
        if self.good("started once more", end, base):
            self.check.true("it began twice", end.out.count("epoch 1 ") == 2 and "restart 1 of 1" in end.out)
            self.check.true("the GPU's memory was free by then", "of its memory in use" not in end.out)
        self.rows.append(("CUDA and NCCL, one GPU, a rank killed, `--max-restarts 1`", 2, end, None))

    def with_torch(self):
        if not has_torch():
            print(f"gpu-check: {sys.executable} has no PyTorch with CUDA and NCCL: its example is left out")
            return
        for where, ranks, begin, variables in self.ways():
            base = self.job(10 * ranks)  # its batches are those of one rank, so an epoch has fewer steps
            end = self.run(base, ranks, *begin, sys.executable, self.programs / PYTORCH_SCRIPT,
                           options=["--args", "toolkit"], **variables)
            self.good(f"PyTorch, {ranks} ranks, {where}", end, base)
            self.rows.append((f"PyTorch, {where}", ranks, end, None))

    def measure(self):
        """The Communicator beside NCCL alone. Ranks that share a GPU take turns on it: their bandwidth says little."""
        for where, ranks, begin, variables in list(self.ways())[:2]:
            base, sizes = self.job(), [size for size in self.megabytes if not begin or size <= LARGEST_SHARED]
            rounds = 5 if begin else 20
            end = self.run(base, ranks, *begin, self.programs / SPEED, STARTS, rounds, *sizes, **variables, **self.find_nccl)
            self.check.true(f"{SPEED}, {ranks} ranks, {where}: ended well", end.code == 0,
                            f"but with {end.code}: {end.out}")
            for line in re.findall(r"^(\{\"what\".*\})$", end.out, re.MULTILINE):
                figures = json.loads(line)
                if not begin and figures["what"] == "all-reduce":
                    figures["tests_gb_s"] = self.ask_nccl_tests(ranks, figures["megabytes"])
                self.judge(where, not begin, figures)

    def ask_nccl_tests(self, ranks, megabytes):
        """What NVIDIA's own program measures on these GPUs; None: it is not here."""
        program = shutil.which(NCCL_TESTS, path=f"{self.programs}:{os.environ['PATH']}")
        if program is None:
            return None
        size = ["-b", f"{megabytes}M", "-e", f"{megabytes}M"]
        try:
            done = subprocess.run([program, *size, "-g", str(ranks), "-w", "5"], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, env=os.environ | self.find_nccl, timeout=LIMIT)
            text = done.stdout
        except subprocess.TimeoutExpired:
            text = "it took too long"
        speed = speed_of_nccl_tests(text, ranks, megabytes)
        self.check.true(f"{NCCL_TESTS} of nccl-tests measures {megabytes} MB", speed, f"but says {text}")
        return speed

    def judge(self, where, alone, figures):
        self.speeds.append((where, figures))
        if figures["what"] == "start":
            more = figures["ours_ms"] - figures["nccl_ms"]
            self.check.true(f"the Communicator adds {more:.1f} ms to the start of NCCL ({where})",
                            more < LARGEST_START_MS, f"which is not less than {LARGEST_START_MS}")
        elif alone and figures["megabytes"] >= 16:
            share = figures["ours_gb_s"] / figures["nccl_gb_s"]
            self.check.true(f"all-reduce of {figures['megabytes']} MB has {share:.2f} of NCCL's bandwidth",
                            share >= LEAST_BANDWIDTH, f"which is less than {LEAST_BANDWIDTH}")
            if figures["megabytes"] >= BY_LINKS and figures.get("tests_gb_s"):
                share = figures["ours_gb_s"] / figures["tests_gb_s"]
                self.check.true(f"and {share:.2f} of what nccl-tests measure", share >= LEAST_BANDWIDTH,
                                f"which is less than {LEAST_BANDWIDTH}")

    def report(self):
        lines = ["", "| trainer | ranks | s | accuracy | farthest from the CPU's model |", "|---|---|---|---|---|"]
        for name, ranks, end, apart in self.rows:
            result = f"{end.accuracy:.2f}" if end.code == 0 else f"ended with {end.code}"
            distance = "–" if apart is None else f"{apart:.1e}"
            lines.append(f"| {name} | {ranks} | {end.seconds:.1f} | {result} | {distance} |")
        lines += ["", "| | ranks | NCCL alone | Communicator | nccl-tests |", "|---|---|---|---|---|"]
        for where, found in self.speeds:
            if found["what"] == "start":
                name, unit, keys = f"start, {where}", "ms", ("nccl_ms", "ours_ms")
            else:
                name, unit, keys = f"all-reduce of {found['megabytes']} MB, {where}", "GB/s", ("nccl_gb_s", "ours_gb_s")
            values = [f"{found[key]:.1f} {unit}" for key in keys]
            values.append(f"{found['tests_gb_s']:.1f} GB/s" if found.get("tests_gb_s") else "–")
            lines.append(f"| {name} | {found['ranks']} | {' | '.join(values)} |")
        return lines


def check_trainers(check, programs, gpus, megabytes):
    """All of it; the lines for the record."""
    nccl = find_nccl()
    print(f"gpu-check: NCCL is {f'in {nccl}' if nccl else 'where the loader looks'}")
    trainings = Trainings(check, programs, nccl, gpus, megabytes)
    with trainings.scratch:
        trainings.on_cpu()
        trainings.with_nccl()
        trainings.stopped_and_resumed()
        trainings.started_once_more()
        trainings.measure()
        trainings.with_torch()
    return trainings.report()

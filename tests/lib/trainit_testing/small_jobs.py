"""Small jobs of two workers that leave a witness of all they do, for runs in which something strikes the launcher."""

import json
import os
import re
import select
import subprocess

from trainit_testing import jobs

# Whoever is left after this would stay for ever. No promise of the product.
LEFT_SECONDS = 20
RUN_SECONDS = 90
EARLIER = "an earlier job's"

# Each worker leaves `begun.RANK` first and `done.RANK` last. They use only what the shell has built in, so that
# they have no children: elsewhere than as PID 1 only the workers themselves die with the launcher.
BEGIN = ': > "$OUT/begun.$RANK"; echo "rank $RANK"; '
BLOCK = 'while :; do read -r line < "$OUT/fifo"; done'
_WAIT = 'while [ ! -e "$OUT/ready.0" ]; do :; done;'
_RAISE = r"""printf 'Traceback (most recent call last):\n  File "/app/train.py", line 53, in make_optimizer\n' >&2
printf '    raise ValueError("learning rate must be positive")\nValueError: learning rate must be positive\n' >&2
exit 7"""
# VALIDATE, PING, ADD init/ 1, SET RANK; WAIT for the other rank's key; GET it. Bash reads up to each zero of the
# answers: seven that ADD has, and the one that WAIT has.
_MEET = r"""
zeros="\x00\x00\x00\x00\x00\x00\x00" other=$((1 - RANK))
text() { printf "\\\\x%02x%s%s" ${#1} "$zeros" "$1"; }
lost() { echo "the store is lost" >&2; exit 9; }
trap "" PIPE
exec 3<> "/dev/tcp/$MASTER_ADDR/$MASTER_PORT"
printf "\x00\xce\xf7\x85\x3c\x0dPIN$RANK\x04$(text init/)\x01$zeros" >&3 || lost
printf "\x01$(text $RANK)$(text "here is $RANK.")\x06\x01$zeros$(text $other)" >&3 || lost
for zero in 1 2 3 4 5 6 7 8; do IFS= read -r -d "" answer <&3 || lost; done
printf "\x03$(text $other)" >&3 || lost
IFS= read -r -d . answer <&3
case $answer in *"here is $other") ;; *) lost ;; esac
"""
CASES = {
    # name: (the workers' script, the exit code, who is done in the end)
    "success": (BEGIN + ': > "$OUT/done.$RANK"', 0, {"0", "1"}),
    "failure": (BEGIN + f"""if [ "$RANK" = 1 ]; then {_WAIT} {_RAISE}; fi
                : > "$OUT/ready.$RANK"; {BLOCK}""", 7, set()),
    # Rank 1 asks for a stop once both are ready for it.
    "stop": (BEGIN + f"""trap ': > "$OUT/done.$RANK"; exit 0' TERM; : > "$OUT/ready.$RANK"
             if [ "$RANK" = 1 ]; then {_WAIT} kill -TERM "$PPID"; fi
             {BLOCK}""", 0, {"0", "1"}),
    # They meet at the rendezvous store.
    "rendezvous": (BEGIN + f"""exec bash -c '{_MEET} : > "$OUT/done.$RANK"'""", 0, {"0", "1"}),
    # A process of each outlives it, and SIGTERM.
    "survivors": (BEGIN + f"""(trap '' TERM; {BLOCK}) & : > "$OUT/done.$RANK\"""", 0, {"0", "1"}),
}
# What the failure file says of "failure".
FAILURE = re.compile(r"""\S+ rank 1: ValueError: learning rate must be positive \(train.py:53, exit code 7 after \S+ s\)

Traceback \(most recent call last\):
  File "/app/train.py", line 53, in make_optimizer
    raise ValueError\("learning rate must be positive"\)
ValueError: learning rate must be positive
?""")


class SmallJob:
    """A job of this case below `directory`, before and after its one run. An earlier job has left both markers."""

    cases = CASES
    command = ("--workers", "2")

    def __init__(self, directory, case):
        self.script, self.wanted_code, self.wanted_done = self.cases[case]
        self.here = jobs.lay_out(directory)
        self.directory = directory
        self.out_directory = directory / "out"
        self.out_directory.mkdir()
        os.mkfifo(self.out_directory / "fifo")
        for marker in ("success", "failure"):
            (self.here.output / marker).write_text(EARLIER)

    def run(self, trainit, *options, wrapper=(), env=None):
        """Runs it to its end; `code` is None when it never ended, `left` tells whether a process outlived it."""
        held, alive = os.pipe()  # whoever runs has the second end
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(self.directory), "OUT": str(self.out_directory),
                       "TRAINIT_GPU_PROBE": "never", **self.here.env, **(env or {})}
        argv = [*wrapper, trainit, *self.command, *options, "--", "sh", "-c", self.script]
        self.code, out, err = self.end_of(argv, env=environment, stdin=subprocess.DEVNULL, pass_fds=[alive])
        os.close(alive)
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        self.left = not select.select([held], [], [], LEFT_SECONDS)[0] or os.read(held, 1) != b""
        os.close(held)
        return self

    def end_of(self, argv, **options):
        """Its exit code (None: it never ended), and the bytes of its stdout and stderr."""
        try:
            end = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=RUN_SECONDS, **options)
            return end.returncode, end.stdout, end.stderr
        except subprocess.TimeoutExpired as hang:
            return None, hang.stdout or b"", hang.stderr or b""

    def ranks(self, witness):
        """The ranks that left this witness."""
        return {name.split(".")[1] for name in os.listdir(self.out_directory) if name.startswith(f"{witness}.")}

    def marker(self, name):
        """The text of a marker of this job, or None."""
        file = self.here.output / name
        text = file.read_text() if file.exists() else None
        return None if text == EARLIER else text

    def is_earlier(self, name):
        file = self.here.output / name
        return file.exists() and file.read_text() == EARLIER

    def record(self):
        """The events of the run record, and what stands after its last whole line."""
        file = self.here.output / "data/trainit/algo-1.jsonl"
        lines = file.read_text().split("\n") if file.exists() else [""]
        return [json.loads(line) for line in lines[:-1] if line], lines[-1]

    def untruths(self):
        """What no job may leave, whatever struck it."""
        success, failure = self.marker("success"), self.marker("failure")
        if self.left:
            yield "a process is left"
        if success not in (None, ""):
            yield f"the marker of success says {success!r}"
        if success is not None and (self.wanted_code != 0 or self.ranks("done") != {"0", "1"}):
            yield "there is a marker of success without success"
        if success is not None and failure is not None:
            yield "there are both markers"
        for name in ("success", "failure"):
            if self.ranks("begun") and self.is_earlier(name):
                yield f"a worker began while {name} of an earlier job was in its place"
            if not self.is_earlier(name) and not self.is_earlier(f"{name}.previous"):
                yield f"{name} of an earlier job is lost"
        if self.is_earlier("success") and not self.is_earlier("failure"):
            yield "an earlier job's failure was moved away before its success, which then stood alone"

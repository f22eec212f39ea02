"""Workers of jobs over several hosts, as shell scripts. They do nothing until the test lets them."""

# Each says that it is up, and then waits for a file that `let` makes on its host.
UP = 'echo "up $RANK"; until_file() { until [ -e "$SM_MODEL_DIR/$1" ]; do sleep 0.05; done; }; '
GO = UP + "until_file go; "
STAY = UP + "exec sleep 300"
#: Prints a traceback of Python's, and goes on.
ERROR = r"""printf 'Traceback (most recent call last):\n  File "/app/train.py", line 53, in make_optimizer\n' >&2
printf '    raise ValueError("learning rate must be positive")\nValueError: learning rate must be positive\n' >&2"""


def one_does(rank, what):
    """The worker of this rank does that when its host is let go; the others stay."""
    return UP + f'if [ "$RANK" = {rank} ]; then until_file go; {what}; fi; exec sleep 300'


def one_raises(rank):
    return one_does(rank, ERROR + "; exit 7")


def on_term(what):
    """On SIGTERM each does that. Else they stay."""
    return f"trap '{what}' TERM; " + UP + "while :; do sleep 0.1; done"


def wait_until_up(hosts, workers=2):
    for host in hosts:
        host.run.wait_for(r"up \d+$", count=workers)


def let_go(*hosts):
    for host in hosts:
        (host.job.model / "go").touch()

"""Black-box tests of jobs over several hosts, each host in namespaces of its own (trainit_testing.hosts).

    /usr/bin/python3 -m pytest -n 6 tests/hosts        they wait much, so several at the same time

cluster(3, …)    three hosts (see `Hosts` for what else it takes), with the job's files for each
launch(host, …)  starts trainit there: `launch(host, "--workers", "2", "--", "sh", "-c", "…")`; env=, pid1=, ahead=
begin(hosts, SCRIPT, …)    starts a shell script (trainit_testing.host_scripts) as two workers on each of these hosts;
                 after it come options of trainit; workers=, env=, pid1=, ahead=
"""

import contextlib

import pytest
from trainit_testing.hosts import Hosts


@pytest.fixture
def cluster(tmp_path, request):
    made = []
    with contextlib.ExitStack() as stack:
        def make(count=3, *, lay_out=True, **options):
            hosts = stack.enter_context(Hosts(tmp_path / f"hosts-{len(made) + 1}", count, visible=[tmp_path], **options))
            made.append(hosts)
            for host in hosts if lay_out else ():
                host.lay_out()
            return hosts

        yield make
        if getattr(request.node, "failed", False):
            for host in (host for hosts in made for host in hosts if host.run):
                print(f"==== {host.name}\n$ {' '.join(host.run.argv)}\nended with {host.run.process.poll()}\n"
                      f"{host.run.output()}-- failure\n{host.job and host.job.failure}")


@pytest.fixture
def launch(trainit, clean_env):
    def start(host, *words, env=None, **more):
        environment = {**clean_env, "TRAINIT_GPU_PROBE": "never", "TRAINING_JOB_NAME": "digits", **(env or {})}
        return host.start([trainit, *words], env=environment, **more)

    return start


@pytest.fixture
def begin(launch):
    def start(hosts, script, *options, workers=2, **more):
        for host in hosts:
            launch(host, "--workers", str(workers), *options, "--", "sh", "-c", script, **more)

    return start

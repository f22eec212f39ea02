"""How jobs over several hosts end, and what has to hold of each such end.

The seconds are what is promised and as much again for a machine that has much to do. All of them are well below the
time that the workers of these tests would go on.
"""

import re

from trainit_testing.waiting import wait_until

# A failure is known everywhere in under a second, and the workers of these tests end when they are told to.
TOLD = 12
# A lost host is noticed within 10 s.
LOST = 22
# A host that was frozen ends within 12 s when it goes on.
THAWED = 24
SET_UP_FAILED = 125


def assert_nothing_left(hosts):
    wait_until(lambda: hosts.left() == {}, f"everything has ended: {hosts.left()}", seconds=5)


def ends_of(hosts, names, within):
    """What became of these hosts' programs, which end so soon."""
    chosen = [hosts[name] for name in names]
    return {host.name: end for host, end in zip(chosen, hosts.wait(within, chosen))}


def assert_failed(hosts, code, *said, within, names=None):
    """These hosts (all of them) end so soon, with this code and a failure of which the first line says all this."""
    ends = ends_of(hosts, names or hosts.names, within)
    for name, end in ends.items():
        job = hosts[name].job
        assert end.code == code, f"{name}: {end}"
        assert not job.success and job.failure, f"{name}: {end}"
        first = job.failure.splitlines()[0]
        for pattern in said:
            assert re.search(pattern, first), f"{name}: {pattern!r} is not in {first!r}\n{end}"
        assert len(job.failure.encode()) <= 1024
    if names is None:
        assert_nothing_left(hosts)
    return ends


def assert_well(hosts, within, names=None):
    """These hosts (all of them) end so soon, with success."""
    ends = ends_of(hosts, names or hosts.names, within)
    for name, end in ends.items():
        job = hosts[name].job
        assert (end.code, job.success, job.failure) == (0, True, None), f"{name}: {end}\n{job.failure}"
    if names is None:
        assert_nothing_left(hosts)
    return ends


def lost(name):
    """The first line of a failure for want of this host."""
    return rf"\b{name}\b.*(lost|not heard from)"

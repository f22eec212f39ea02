"""What the tests of several hosts stand on: the hosts are apart, and what is done to one happens to it alone."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trainit_testing import processes
from trainit_testing.hosts import REPOSITORY
from trainit_testing.waiting import wait_until

PORT = 4321


def connected(server_host, client_host, timeout=30):
    """The two ends of a connection."""
    with server_host.listen(PORT) as server:
        client = client_host.connect(server_host.address, PORT, timeout)
        peer, address = server.accept()
    assert address[0] in (client_host.address, f"::ffff:{client_host.address}")
    for end in (client, peer):
        end.settimeout(timeout)
    return client, peer


def output(host, script):
    end = host.start(["sh", "-c", script], env=os.environ).wait()
    assert end.code == 0, end
    return end.out


def test_each_host_has_a_name_files_and_processes_of_its_own(cluster):
    hosts = cluster(2)
    mine = f"mine-{os.getpid()}-{time.monotonic_ns()}"
    script = ("hostname; echo $$; ls /tmp /dev/shm /opt/ml/model; ls /sys/class/net; "
              f"echo x | tee /tmp/{mine} /dev/shm/{mine} /opt/ml/model/{mine} > /dev/null")
    first, second = (output(host, script) for host in hosts)
    assert first.startswith("ip-10-77-0-11\n1\n") and second.startswith("ip-10-77-0-12\n1\n")
    assert mine not in first + second
    assert first.endswith("eth0\nlo\n")
    assert all((host.job.model / mine).exists() for host in hosts)
    assert mine in output(hosts[0], "ls /tmp") and not Path("/tmp", mine).exists()
    assert hosts[0].job.env["SAGEMAKER_BASE_DIR"] != hosts[1].job.env["SAGEMAKER_BASE_DIR"]


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_hosts_reach_each_other_by_name(cluster, ipv6):
    hosts = cluster(3, ipv6=ipv6)
    for other in hosts:
        client, peer = connected(other, hosts[0])
        client.sendall(b"good morning")
        assert peer.recv(100) == b"good morning"
        assert output(hosts[0], f"getent ahosts {other.name}").split()[0] == other.address
    if ipv6:
        assert "10.77" not in output(hosts[0], "ip address; cat /etc/hosts")


@pytest.mark.parametrize("dns", [False, True], ids=["hosts file", "name server"])
@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_a_name_is_known_from_its_announcement_on(cluster, dns, ipv6):
    hosts = cluster(2, known=False, dns=dns, ipv6=ipv6)
    asking = hosts[0].start(["sh", "-c", "getent hosts algo-2 || echo none; until getent hosts algo-2; do sleep 0.05; done"],
                            env=os.environ)
    asking.wait_for("^none$")
    hosts.announce(hosts[1])
    assert asking.wait().out == f"none\n{hosts[1].address:15} algo-2\n"
    assert dns != ("algo-2" in output(hosts[0], "cat /etc/hosts"))


def test_a_cut_host_hears_nothing_until_it_is_mended_and_is_told_nothing(cluster):
    hosts = cluster(3)
    client, peer = connected(hosts[0], hosts[1])
    hosts[1].cut()
    client.sendall(b"late")
    peer.settimeout(1)
    with pytest.raises(TimeoutError):
        peer.recv(10)
    assert "state UP" in output(hosts[1], "ip link show eth0")
    with pytest.raises(TimeoutError):
        hosts[1].connect(hosts[2].address, PORT, timeout=0.5)
    with pytest.raises(ConnectionRefusedError):  # the others are not cut
        hosts[0].connect(hosts[2].address, PORT)
    hosts[1].mend()
    peer.settimeout(30)
    assert peer.recv(10) == b"late"


def share_lost(sender, receiver, ipv6, batches=100, size=100):
    """… of 10,000 datagrams: with 20 % on their way, the share is off by 3 % less than once in 10^13 times.

    A mark follows each batch, again and again until one arrives: what was sent before it has come by then, or never
    will, however slow the machine is, and so few at a time fill no queue. It also waits for what goes before the first
    datagram to a host, the look-up of its neighbour, which IPv6 does by packets that are lost too.
    """
    with contextlib.ExitStack() as stack:
        client, server = (stack.enter_context(host.inside(socket.socket, socket.AF_INET6 if ipv6 else socket.AF_INET,
                                                          socket.SOCK_DGRAM)) for host in (sender, receiver))
        server.bind((receiver.address, PORT))
        client.connect((receiver.address, PORT))
        server.settimeout(0.05)

        def came_before(mark):
            came = 0
            for _ in range(1000):
                for _ in range(3):
                    client.send(mark)
                with contextlib.suppress(TimeoutError):
                    while (datagram := server.recv(100)) != mark:
                        came += datagram == b"x"
                    return came
            raise AssertionError("nothing comes any more")

        came_before(b"mark")
        came = 0
        for batch in range(batches):
            for _ in range(size):
                client.send(b"x")
            came += came_before(b"mark %d" % batch)
    return 1 - came / (batches * size)


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_on_a_bad_way_packets_are_lost_in_both_directions(cluster, ipv6):
    hosts = cluster(3, ipv6=ipv6)

    assert share_lost(hosts[0], hosts[1], ipv6) == 0
    hosts[1].lose(20)
    assert 0.17 < share_lost(hosts[0], hosts[1], ipv6) < 0.23
    assert 0.17 < share_lost(hosts[1], hosts[2], ipv6) < 0.23
    assert share_lost(hosts[2], hosts[0], ipv6) == 0
    client, peer = connected(hosts[0], hosts[1], timeout=120)  # and TCP makes good for it
    client.sendall(b"all of it" * 1000)
    client.close()
    text = b""
    while piece := peer.recv(65536):
        text += piece
    assert text == b"all of it" * 1000


def test_a_frozen_host_does_nothing_until_it_is_thawed_while_its_kernel_answers(cluster):
    hosts = cluster(2)
    serve = ("import socket, sys\nserver = socket.create_server(('', %d))\nprint('up', flush=True)\n"
             "while True:\n    peer, _ = server.accept()\n    peer.send(b'served')" % PORT)
    hosts[0].start([sys.executable, "-c", serve], env=os.environ).wait_for("up")
    assert hosts[1].connect(hosts[0].address, PORT).recv(10) == b"served"
    hosts[0].freeze()
    late = hosts[1].connect(hosts[0].address, PORT, timeout=1)
    with pytest.raises(TimeoutError):
        late.recv(10)
    hosts[0].thaw()
    late.settimeout(30)
    assert late.recv(10) == b"served"


def test_with_its_first_process_all_of_a_container_is_killed(cluster):
    hosts = cluster(1)
    running = hosts[0].start(["sh", "-c", "setsid sleep 1000 & echo up; wait"], env=os.environ)
    running.wait_for("up")
    wait_until(lambda: "sleep" in hosts[0].left(), "sleep runs")
    running.signal(signal.SIGKILL)
    assert running.wait().code != 0
    assert hosts.left() == {}


def test_who_outlives_a_program_is_found(cluster):
    hosts = cluster(2)
    end = hosts[0].start(["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 &"], env=os.environ, pid1=False).wait()
    assert end.code == 0
    wait_until(lambda: hosts.left() == {"algo-1": ["sleep"]}, "sleep is all that is left")
    hosts[0].freeze()  # which keeps nobody from ending it all


def test_a_full_disk_is_that_of_one_host(cluster):
    hosts = cluster(2)
    hosts[0].limit_output()
    write = "touch /opt/ml/output/empty; echo x > /opt/ml/output/text"
    assert output(hosts[0], f"{write}; rm /opt/ml/output/empty /opt/ml/output/text") == ""
    hosts[0].fill_output()
    end = hosts[0].start(["sh", "-c", "! touch /opt/ml/output/empty; ! echo x > /opt/ml/output/failure"],
                         env={**os.environ, "LC_ALL": "C"}).wait()
    assert end.err.count("No space left on device") == 2 or end.err.count("cannot create") == 1, end
    assert sorted(os.listdir(hosts[0].job.output)) == ["data"]
    output(hosts[1], write)


def test_a_taken_port_is_that_of_one_host(cluster):
    hosts = cluster(2)
    listen = f"import socket; socket.create_server(('', {PORT}))"
    with hosts[0].listen(PORT):
        ends = [host.start([sys.executable, "-c", listen], env=os.environ).wait() for host in hosts]
    assert [end.code for end in ends] == [1, 0] and "Address already in use" in ends[0].err


def test_a_stranger_has_an_address_of_its_own(cluster):
    hosts = cluster(1)
    with hosts[0].listen(PORT) as server:
        hosts.switch.connect(hosts[0].address, PORT)
        assert server.accept()[1][0] == f"::ffff:{hosts.switch.address}"


def processes_of(command):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{entry}/cmdline").read_bytes().rstrip(b"\0").split(b"\0") == command:
                    yield int(entry)


def test_by_hand_a_command_runs_on_all_hosts_and_nothing_outlives_a_kill(tmp_path):
    number = f"1000.{os.getpid()}{time.monotonic_ns()}"
    argv = [sys.executable, "-m", "trainit_testing.hosts", "3", "--"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests/lib"), "TMPDIR": str(tmp_path)}
    done = subprocess.run([*argv, "sh", "-c", "hostname; [ $(hostname) != ip-10-77-0-12 ] || exit 5"], env=environment,
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 5
    assert sorted(re.sub(r"after .* s", "after", line) for line in done.stdout.splitlines()) == sorted(
        line for number, code in ((1, 0), (2, 5), (3, 0))
        for line in (f"algo-{number}| ip-10-77-0-1{number}", f"algo-{number}| exit {code} after"))
    running = processes.start([*argv, "sleep", number], env=environment, namespace=False)
    command = [b"sleep", number.encode()]
    wait_until(lambda: len(list(processes_of(command))) == 3, "the command runs on all hosts")
    running.signal(signal.SIGKILL)
    wait_until(lambda: not list(processes_of(command)), "all have ended")

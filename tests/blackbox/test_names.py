"""Host names, looked up as the files of the machine say: by a program where these files are its own."""

import os
import re
import subprocess
import sys

import pytest

# In a network of its own: port 53 is free there, and nothing leaves it. What is missing below $1 is empty or not there.
OWN_FILES = r"""
ip link set lo up
mount -t tmpfs none /mnt
mkdir /mnt/etc
cp -r /etc/alternatives /etc/ld.so.cache /mnt/etc
for file in hosts resolv.conf nsswitch.conf; do [ ! -e "$1/$file" ] || ln -s "$1/$file" /mnt/etc; done
mount --bind /mnt/etc /etc
python="$2" server="$3"
shift 3
"$python" -c "$server"
exec "$@"
"""

# Knows names that begin with "served", and is there once it has left its parent.
SERVER = r"""
import os, socket, struct
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
if os.fork():
    os._exit(0)
while True:
    question, peer = server.recvfrom(512)
    end = question.index(b"\0", 12) + 1
    known, ipv4 = question[13:].startswith(b"served"), question[end + 1] == 1
    records = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("10.9.9.9")] if known and ipv4 else []
    counts = struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, len(records), 0, 0)
    server.sendto(question[:2] + counts + question[12:end + 4] + b"".join(records), peer)
"""


class Asked:
    """Asks one name after the other, all in the same process."""

    def __init__(self, start, argv):
        reader, self.writer = os.pipe()
        self.running = start(argv, stdin=reader)
        os.close(reader)
        self.count = 0

    def __call__(self, name):
        os.write(self.writer, f"{name}\n".encode())
        self.count += 1
        self.running.wait_for(r"(?m)^.*\n", count=self.count)
        answer = self.running.out.splitlines()[self.count - 1]
        assert answer.startswith(f"{name}: ")
        return answer.removeprefix(f"{name}: ")

    def close(self):
        os.close(self.writer)


@pytest.fixture
def asking(start, program, tmp_path):
    """asking(NAME=TEXT): asks where /etc has these files; `_` stands for a dot."""
    begun = []

    def begin(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        begun.append(Asked(start, ["unshare", "--mount", "--net", "sh", "-ec", OWN_FILES, "sh", tmp_path, sys.executable, SERVER,
                                   program("resolve_names")]))
        return begun[-1]

    yield begin
    for asked in begun:
        asked.close()


NAME_SERVER = "nameserver 127.0.0.1\n"
HOSTS = "127.0.0.1 localhost\n10.0.0.1 algo-1 algo-1.job\nfd00::1 algo-1\n10.0.0.2 served-2\n"
NO_DNS = "it is not in /etc/hosts, and /etc/nsswitch.conf names no DNS"


def test_the_hosts_file_is_read_and_then_dns_is_asked(asking):
    asked = asking(hosts=HOSTS, resolv_conf=NAME_SERVER)
    assert asked("algo-1") == "10.0.0.1 fd00::1"
    assert asked("algo-1.job") == "10.0.0.1"
    assert asked("served-2") == "10.0.0.2"
    assert asked("served-3") == "10.9.9.9"
    assert asked("algo-4") == "no such name"


@pytest.mark.parametrize("order, algo_1, served_2, served_3", [
    ("dns files", "10.0.0.1 fd00::1", "10.9.9.9", "10.9.9.9"),
    ("files", "10.0.0.1 fd00::1", "10.0.0.2", NO_DNS),
    ("files mdns4_minimal [NOTFOUND=return] dns", "10.0.0.1 fd00::1", "10.0.0.2", "10.9.9.9"),
])
def test_nsswitch_conf_says_which_of_them_and_in_which_order(asking, order, algo_1, served_2, served_3):
    asked = asking(hosts=HOSTS, resolv_conf=NAME_SERVER, nsswitch_conf=f"passwd: files\nhosts: {order}\n")
    assert [asked("algo-1"), asked("served-2"), asked("served-3")] == [algo_1, served_2, served_3]


def test_files_that_change_count_for_the_next_look_up(asking, tmp_path):
    asked = asking(hosts="127.0.0.1 localhost\n", resolv_conf="nameserver 127.0.0.2\n", nsswitch_conf="hosts: files dns\n")
    assert asked("algo-1") == "no DNS server could answer: 127.0.0.2"
    (tmp_path / "hosts").write_text(HOSTS)
    assert asked("algo-1") == "10.0.0.1 fd00::1"
    (tmp_path / "resolv.conf").write_text(NAME_SERVER)
    assert asked("served-3") == "10.9.9.9"
    (tmp_path / "nsswitch.conf").write_text("hosts: files\n")
    assert asked("served-3") == NO_DNS


def test_without_any_of_the_files_literals_and_localhost_are_known(asking):
    asked = asking()
    assert asked("localhost") == "127.0.0.1"
    assert asked("10.1.2.3") == "10.1.2.3"
    assert asked("fd00::7") == "fd00::7"
    assert asked("served-3") == "10.9.9.9"  # by the server that is asked when none is named


@pytest.mark.release_only
def test_an_empty_root_is_enough(start, program, tmp_path):
    subprocess.run(["cp", program("resolve_names"), tmp_path], check=True)
    asked = Asked(start, ["unshare", "--net", "sh", "-ec", 'ip link set lo up; exec chroot "$1" /resolve_names', "sh", tmp_path])
    assert asked("localhost") == "127.0.0.1"
    assert asked("algo-1") == "no DNS server could answer: 127.0.0.1, as /etc/resolv.conf cannot be read"
    asked.close()
    assert asked.running.wait().code == 0


@pytest.mark.release_only
def test_the_static_program_has_nothing_of_the_name_service_switch(program):
    symbols = subprocess.run(["nm", program("resolve_names")], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert "ares_getaddrinfo" in symbols
    assert not re.search(r"\b_*nss_", symbols)

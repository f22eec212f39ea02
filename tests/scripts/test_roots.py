"""scripts/lib/roots, with a stand-in for debootstrap: what killed runs have left is taken away, and work is not."""

import os
import subprocess
from pathlib import Path

import pytest
from trainit_testing.waiting import wait_until

ROOTS = Path(__file__).resolve().parent.parent.parent / "scripts/lib/roots"
NAMES = ["debian-11", "debian-12", "debian-13"]


@pytest.fixture
def roots(tmp_path):
    """Starts scripts/lib/roots, whose debootstrap makes an empty root, once `tmp_path`/go is there."""
    stub = tmp_path / "bin/debootstrap"
    stub.parent.mkdir()
    stub.write_text(f"""#!/bin/sh
for argument; do case $argument in */root) root=$argument;; esac; done
mkdir -p "$root/var/cache/apt/archives" && echo "$root" >> {tmp_path}/made
until [ -e {tmp_path}/go ]; do sleep 0.02; done
""")
    stub.chmod(0o755)
    env = os.environ | {"TRAINIT_CACHE": str(tmp_path / "cache"), "PATH": f"{stub.parent}:{os.environ['PATH']}"}
    running = []

    def start():
        running.append(subprocess.Popen([ROOTS], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return running[-1]

    yield start
    (tmp_path / "go").touch()
    for process in running:
        process.stdout.close()
        process.wait(30)


def trees(tmp_path):
    return list((tmp_path / "cache/roots").glob(".debian-*"))


def wait_for_work(tmp_path):
    wait_until(lambda: (tmp_path / "made").exists(), "debootstrap has begun")


def assert_made(tmp_path, process):
    said = process.stdout.read()
    assert process.wait(30) == 0 and "3 are there" in said, said
    assert all((tmp_path / f"cache/roots/{name}.tar.zst").resolve().stat().st_size > 0 for name in NAMES)
    assert trees(tmp_path) == []
    return said


def test_what_a_run_that_was_killed_has_left_is_taken_away(roots, tmp_path):
    left = tmp_path / "cache/roots/.debian-12.abcdef"
    (left / "root/proc").mkdir(parents=True)
    (left / "log").write_text("I: Extracting")
    subprocess.run(["mount", "-t", "tmpfs", "none", left / "root/proc"], check=True)
    (tmp_path / "go").touch()
    try:
        assert_made(tmp_path, roots())
    finally:
        subprocess.run(["umount", "--quiet", "--lazy", left / "root/proc"])


def test_a_tree_that_somebody_works_on_stays_and_each_root_is_made_once(roots, tmp_path):
    first = roots()
    wait_for_work(tmp_path)
    second = roots()
    assert "waiting for who works" in second.stdout.readline()
    assert len(trees(tmp_path)) == 1
    (tmp_path / "go").touch()
    for process in (first, second):
        assert_made(tmp_path, process)
    assert len((tmp_path / "made").read_text().splitlines()) == len(NAMES)


def test_a_tree_in_which_debootstrap_goes_on_after_its_run_was_killed_stays_until_it_ends(roots, tmp_path):
    first = roots()
    wait_for_work(tmp_path)
    first.kill()
    first.wait()
    second = roots()
    assert "waiting for who works" in second.stdout.readline()
    assert len(trees(tmp_path)) == 1
    (tmp_path / "go").touch()
    assert_made(tmp_path, second)
    assert len((tmp_path / "made").read_text().splitlines()) == 1 + len(NAMES)

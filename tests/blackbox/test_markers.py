"""output/success and output/failure: the truth about the job, also when the disk is full or read-only."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time

import pytest


def fill(directory):
    """Takes the last byte of the file system that `directory` lies on."""
    with open(directory / "filler", "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(b"x" * 512):
                pass


def small_disk(mounted, directory, *more):
    mounted(directory, "-t", "tmpfs", "-o", ",".join(["size=64k", *more]), "none")
    (directory / "data").mkdir()


def record_of(here):
    return [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]


# ---- the truth

def test_success_and_nothing_else_when_every_worker_ended_well(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--workers", "3", "--", "true"], job=here)
    assert end.code == 0 and here.success and here.failure is None
    assert (here.output / "success").read_bytes() == b""


@pytest.mark.parametrize("rank", ["0", "1", "2"])
def test_one_bad_worker_among_good_ones_is_a_failure(trainit, pid1, job, rank):
    here = job()
    end = pid1([trainit, "--workers", "3", "--", "sh", "-c", f"[ $RANK != {rank} ] || exit 9"], job=here)
    assert end.code == 9 and not here.success
    assert f"rank {rank}" in here.failure_reason and "code 9" in here.failure_reason


def test_the_cause_stands_in_the_first_200_bytes(trainit, pid1, job):
    here = job()
    script = "def f():\n  " + "x = 1;" * 3000 + "\n  raise ValueError('learning rate must be positive')\nf()"
    pid1([trainit, "--", "python3", "-c", script], job=here)
    head = here.failure_reason[:200]
    assert "algo-1" in head and "rank 0" in head and "ValueError: learning rate must be positive" in head
    assert len((here.output / "failure").read_bytes()) <= 1024


def test_a_failure_file_that_the_worker_wrote_is_kept(trainit, pid1, job):
    here = job()
    script = f'printf "my own words" > {here.output}/failure; exit 4'
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    assert end.code == 4
    assert here.failure == "my own words" and not here.success
    assert end.ours[-1] == f"{here.output}/failure is kept as the job wrote it; exit 4"
    assert "failure written" not in end.err


@pytest.mark.parametrize("code", [0, 4])
def test_a_failure_file_of_white_space_counts_as_none(trainit, pid1, job, code):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", f'echo " " > {here.output}/failure; exit {code}'], job=here)
    assert end.code == code and "kept as the job wrote it" not in end.err
    assert here.success == (code == 0)
    assert here.failure is None if code == 0 else "code 4" in here.failure


def test_a_worker_that_ended_badly_cannot_make_it_a_success(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", f"touch {here.output}/success; exit 4"], job=here)
    assert end.code == 4 and here.failure
    assert not here.success


def test_markers_of_an_earlier_job_are_set_aside(trainit, pid1, job):
    here = job()
    (here.output / "failure").write_text("of yesterday")
    (here.output / "success").write_text("")
    assert pid1([trainit, "--", "false"], job=here).code == 1
    assert (here.output / "failure.previous").read_text() == "of yesterday"
    assert (here.output / "success.previous").exists()
    assert not here.success and "of yesterday" not in here.failure
    assert pid1([trainit, "--", "true"], job=here).code == 0
    assert here.success and here.failure is None
    assert "of yesterday" not in (here.output / "failure.previous").read_text()


@pytest.mark.parametrize("argv, words", [(["--bogus"], "--bogus"), (["serve"], "inference")])
def test_a_mistake_on_the_command_line_is_not_told_by_an_earlier_jobs_file(trainit, pid1, job, argv, words):
    here = job()
    (here.output / "failure").write_text("of yesterday")
    (here.output / "success").write_text("")
    assert pid1([trainit, *argv], job=here).code == 125
    assert words in here.failure and not here.success
    assert (here.output / "failure.previous").read_text() == "of yesterday"


def test_a_directory_that_cannot_be_made_is_not_told_by_an_earlier_jobs_file(trainit, pid1, job):
    here = job()
    here.model.rmdir()
    here.model.write_text("a file")
    (here.output / "failure").write_text("of yesterday")
    (here.output / "success").write_text("")
    assert pid1([trainit, "--", "true"], job=here).code == 125
    assert str(here.model) in here.failure and not here.success
    assert (here.output / "failure.previous").read_text() == "of yesterday"


def test_a_set_up_that_fails_leaves_a_failure_and_no_success(trainit, pid1, job):
    here = job(raw_hyperparameters='{"epochs": 3,')
    (here.output / "success").write_text("")
    assert pid1([trainit, "--", "true"], job=here).code == 125
    assert not here.success and "hyperparameters.json: line 1" in here.failure_reason


def test_a_set_up_that_fails_makes_the_output_directory_for_its_failure(trainit, pid1, job):
    here = job(raw_hyperparameters='{"epochs": 3,')
    shutil.rmtree(here.output)
    assert pid1([trainit, "--", "true"], job=here).code == 125
    assert "hyperparameters.json: line 1" in here.failure_reason


def test_a_killed_launcher_leaves_no_success(trainit, start, job):
    here = job()
    running = start([trainit, "--", "sh", "-c", "echo ready; exec sleep 1000"], job=here)
    running.wait_for("ready")
    running.signal(signal.SIGKILL)
    running.wait()
    assert not here.success


def test_a_fifo_in_place_of_the_success_file_is_no_success_and_not_waited_for(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", f"mkfifo {here.output}/success"], job=here, timeout=30)
    assert end.code == 125
    assert "it is not a regular file" in end.err


def test_a_success_without_a_model_is_one_with_a_warning(trainit, pid1, job):
    empty, full = job(), job()
    warning = f"warning: {empty.model} is empty: the job leaves no model behind"
    end = pid1([trainit, "--", "true"], job=empty)
    assert end.code == 0 and empty.success and warning in end.ours
    end = pid1([trainit, "--", "touch", f"{full.model}/model.pt"], job=full)
    assert end.code == 0 and full.success and "leaves no model" not in end.err
    failed = job()
    assert "leaves no model" not in pid1([trainit, "--", "false"], job=failed).err


@pytest.mark.parametrize("script, flaw", [
    ("rmdir $SM_MODEL_DIR", "is not there"),
    ("rmdir $SM_MODEL_DIR; touch $SM_MODEL_DIR", "is no directory"),
    ("mkdir -p $SM_MODEL_DIR/a/b $SM_MODEL_DIR/c", "is empty"),
    ("mkdir -p $SM_MODEL_DIR/a/b; touch $SM_MODEL_DIR/a/b/model.pt", None),
    ("mkdir $SM_MODEL_DIR/1; ln -s 1 $SM_MODEL_DIR/latest", None),
])
def test_only_a_model_directory_without_a_file_leaves_no_model(trainit, pid1, job, script, flaw):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    assert end.code == 0 and here.success
    warnings = [line for line in end.ours if "leaves no model" in line]
    assert warnings == ([f"warning: {here.model} {flaw}: the job leaves no model behind"] if flaw else [])


def test_a_success_that_has_no_marker_leaves_a_failure_that_says_why(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", f"mkfifo {here.output}/success"], job=here)
    assert end.code == 125 and not here.success
    assert here.failure.startswith("every worker ended well, but the success marker could not be written")


# ---- disks that take nothing

def test_a_failure_on_a_full_disk_keeps_its_code_and_says_its_text(trainit, pid1, job, mounted):
    here = job()
    small_disk(mounted, here.output)
    fill(here.output)
    end = pid1([trainit, "--", "sh", "-c", "echo 'ValueError: no such luck' >&2; exit 5"], job=here)
    assert end.code == 5 and not here.success
    assert here.failure in (None, "")
    assert "no such luck" in end.err and "failure file could not be written" in end.err


def test_a_disk_that_fills_during_the_job_leaves_no_half_of_a_failure(trainit, pid1, job, mounted):
    here = job()
    small_disk(mounted, here.output)
    script = f"cat /dev/zero > {here.output}/data/filler; echo 'ValueError: no such luck' >&2; exit 5"
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    assert end.code == 5 and not here.success
    assert here.failure is None or "no such luck" in here.failure
    assert sorted(file.name for file in here.output.iterdir() if "tmp" in file.name) == []


def test_a_success_without_room_for_its_marker_is_125(trainit, pid1, job, mounted):
    here = job()
    small_disk(mounted, here.output, "nr_inodes=30")
    script = f"i=0; while touch {here.output}/data/$i 2>/dev/null; do i=$((i+1)); done"
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    assert end.code == 125 and not here.success
    assert "success" in end.err and "could not be written" in end.err


def test_a_success_on_a_disk_that_became_read_only_is_125(trainit, pid1, job):
    here = job()
    script = f"mount --bind {here.output} {here.output} && mount -o remount,ro,bind {here.output}"
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    assert end.code == 125 and not here.success
    assert "could not be written" in end.err and "EROFS" in end.err


def test_a_failure_on_a_disk_that_became_read_only_keeps_its_code(trainit, pid1, job):
    here = job()
    script = f"mount --bind {here.output} {here.output} && mount -o remount,ro,bind {here.output} && exit 6"
    end = pid1([trainit, "--", "sh", "-c", script], job=here)
    assert end.code == 6 and not here.success and here.failure is None
    assert "code 6" in end.err and "could not be written" in end.err
    assert "does not go away" not in end.err


def test_a_place_for_markers_that_is_read_only_from_the_start_is_no_success(trainit, pid1, job, mounted):
    here = job()
    mounted(here.output, "--bind", here.output)
    subprocess.run(["mount", "-o", "remount,ro,bind", here.output], check=True)
    end = pid1([trainit, "--", "true"], job=here)
    assert end.code == 125 and not here.success
    assert str(here.output) in end.err


def test_a_place_for_markers_that_is_a_file_is_no_success(trainit, pid1, job):
    here = job()
    (here.output / "data").rmdir()
    here.output.rmdir()
    here.output.write_text("")
    end = pid1([trainit, "--", "true"], job=here)
    assert end.code == 125 and str(here.output) in end.err and "does not go away" not in end.err


@pytest.mark.parametrize("level", ["info", "off"])
def test_a_success_marker_that_stays_beside_a_failure_is_told(trainit, pid1, job, level):
    here = job()
    end = pid1([trainit, "--log-level", level, "--", "sh", "-c", f"mkdir {here.output}/success; exit 4"], job=here)
    assert end.code == 4 and f"{here.output}/success does not go away" in end.err


@pytest.mark.parametrize("code, text", [(5, "algo-1 rank 0: ended with code 5"),
                                        (0, "every worker ended well, but the success marker could not be written")])
def test_what_no_file_takes_is_said_although_the_log_is_off(trainit, pid1, job, code, text):
    here = job()
    end = pid1([trainit, "--log-level", "off", "--", "sh", "-c", f"rm -r {here.output}; touch {here.output}; exit {code}"], job=here)
    assert end.code == (code or 125) and not here.success
    assert end.ours[0].startswith("the failure file could not be written: "), end
    assert end.ours[1].startswith(text), end


def test_what_the_failure_file_takes_is_not_said_when_the_log_is_off(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--log-level", "off", "--", "sh", "-c", f"mkfifo {here.output}/success"], job=here)
    assert end.code == 125 and "the success marker could not be written" in here.failure and end.ours == []


# ---- stops

def test_a_stop_says_how_long_after_the_start_it_came(trainit, start, job):
    here = job()
    running = start([trainit, "--", "sh", "-c", "echo ready; exec sleep 1000"], job=here)
    running.wait_for("ready")
    time.sleep(0.3)
    running.signal(signal.SIGTERM)
    end = running.wait()
    assert end.code == 143
    said = re.match(r"algo-1: stopped by the platform with SIGTERM after (\d+\.\d) s", here.failure_reason)
    assert 0.3 <= float(said[1]) <= end.seconds + 0.1


def test_the_record_tells_the_same_story_as_the_markers(trainit, pid1, job):
    good, bad = job(), job()
    pid1([trainit, "--workers", "2", "--", "true"], job=good)
    pid1([trainit, "--workers", "2", "--", "sh", "-c", "exit 8"], job=bad)
    outcome = record_of(good)[-1]
    assert outcome["event"] == "outcome" and outcome["success"] is True and outcome["exit_code"] == 0
    outcome = record_of(bad)[-1]
    assert outcome["success"] is False and outcome["exit_code"] == 8 and "code 8" in outcome["failure"]


@pytest.mark.parametrize("host", ["../../algo-1", "/algo-1", "a/b"])
def test_a_record_lies_in_its_directory_whatever_the_host_is_called(trainit, pid1, job, host):
    here = job(resources={"current_host": host, "hosts": [host]})
    assert pid1([trainit, "--", "true"], job=here).code == 0
    records = list(here.base.rglob("*.jsonl"))
    assert [record.parent for record in records] == [here.output / "data/trainit"]

"""--user: starts as root, reads what only root may read, and runs the workers as somebody else."""

import json
import os

import pytest

UID, GID = 1234, 2345
SHOW = 'id -u; id -g; id -G; touch "$SM_MODEL_DIR/mine" "$SM_OUTPUT_DATA_DIR/mine"; echo again > /dev/stdout; echo done'


@pytest.fixture
def reachable(job):
    """A job whose directories anybody can enter, but whose config only root can."""
    here = job(config={"checkpointconfig.json": {"LocalPath": "CHECKPOINTS"}})
    here.write_config("checkpointconfig.json", {"LocalPath": str(here.base / "checkpoints")})
    for directory in [here.base, *here.base.parents]:
        if len(directory.parts) > 2:
            os.chmod(directory, 0o755)
    os.chmod(here.config, 0o600)
    return here


def test_workers_run_as_the_user_with_its_directories_and_can_open_their_output_again(trainit, pid1, reachable):
    end = pid1([trainit, "--user", f"{UID}:{GID}", "--", "sh", "-c", SHOW], job=reachable)
    assert end.code == 0, end.err
    assert end.out.splitlines() == [str(UID), str(GID), str(GID), "again", "done"]
    for directory in (reachable.model, reachable.output, reachable.base / "checkpoints"):
        owner = os.stat(directory)
        assert (owner.st_uid, owner.st_gid) == (UID, GID), directory
    assert reachable.success


def test_workers_stay_in_a_working_directory_that_their_user_could_not_enter(trainit, pid1, reachable, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    end = pid1([trainit, "--user", f"{UID}", "--workers", "2", "--", "readlink", "/proc/self/cwd"], job=reachable,
               cwd=private)
    assert end.code == 0, end.err
    assert end.out.count("/private\n") == 2


def test_a_name_brings_its_group_from_etc_passwd(trainit, pid1, reachable):
    end = pid1([trainit, "--user", "nobody", "--", "sh", "-c", "id -un; id -gn"], job=reachable)
    assert end.out.splitlines() == ["nobody", "nogroup"], end.err


def test_a_failing_worker_of_another_user_still_leaves_the_failure_file(trainit, pid1, reachable):
    end = pid1([trainit, "--user", f"{UID}:{GID}", "--workers", "2", "--", "python3", "-c", "raise ValueError('too steep')"], job=reachable)
    assert end.code == 1
    assert "ValueError: too steep" in reachable.failure


@pytest.fixture
def victim(tmp_path):
    """What root alone may change, and an error that root alone may read."""
    directory = tmp_path / "victim"
    directory.mkdir(mode=0o755)
    (directory / "precious").write_text("data")
    (directory / "error").write_text(json.dumps({"message": {"message": "ValueError: of somebody else"}}))
    os.chmod(directory / "error", 0o600)
    return directory


def test_a_user_who_swaps_the_error_directory_for_a_link_does_not_make_root_empty_another(trainit, pid1, reachable, victim):
    script = f'dir=$(dirname "$TORCHELASTIC_ERROR_FILE"); mv "$dir" "$dir.old" && ln -s {victim} "$dir"; ls -ld "$dir"'
    os.makedirs(reachable.base / "tmp", mode=0o777)
    os.chmod(reachable.base / "tmp", 0o777)
    end = pid1([trainit, "--user", str(UID), "--", "sh", "-c", script], job=reachable, env={"TMPDIR": str(reachable.base / "tmp")})
    assert end.code == 0 and f"-> {victim}" in end.out, end
    assert sorted(file.name for file in victim.iterdir()) == ["error", "precious"]


def test_error_files_lie_where_the_user_can_come_to_them(trainit, pid1, reachable, tmp_path):
    private, shown = tmp_path / "private", "ValueError: too steep"
    private.mkdir(mode=0o700)
    (private / "tmp").mkdir()
    (private / "tmp").chmod(0o777)
    script = f'echo "in $TORCHELASTIC_ERROR_FILE"; echo \'{{"message": "{shown}"}}\' > "$TORCHELASTIC_ERROR_FILE" || exit 9; exit 3'
    for place, found in ((private, "/tmp"), (private / "tmp", "/tmp"), (reachable.base / "open", reachable.base / "open")):
        place.mkdir(exist_ok=True)
        end = pid1([trainit, "--user", str(UID), "--", "sh", "-c", script], job=reachable, env={"TMPDIR": str(place)})
        assert end.code == 3 and shown in reachable.failure, end
        assert end.out.startswith(f"in {found}/trainit-errors-") and list(place.glob("trainit-errors-*")) == []


def test_where_the_user_can_come_to_no_error_file_there_is_none_and_the_log_says_so(trainit, pid1, reachable):
    hide = 'for place in /tmp /dev/shm; do mount -t tmpfs -o mode=700 none $place; done && exec "$@"'
    # The binary may lie below /tmp, too.
    keep = (f'mount -t tmpfs none /mnt && mkdir /mnt/job && mount --rbind {reachable.base} /mnt/job && '
            f'touch /mnt/trainit && mount --bind {trainit} /mnt/trainit && ')
    end = pid1(["unshare", "--mount", "sh", "-c", keep + hide, "sh", "/mnt/trainit", "--user", str(UID), "--",
                "sh", "-c", 'echo "<$TORCHELASTIC_ERROR_FILE>"'], env={"SAGEMAKER_BASE_DIR": "/mnt/job"})
    assert end.code == 0 and end.out == "<>\n", end
    assert ("warning: no directory for error files that uid 1234 can enter can be made in TMPDIR, /tmp or /dev/shm: "
            "TORCHELASTIC_ERROR_FILE is not set") in end.ours


def test_a_link_in_place_of_an_error_file_is_not_followed(trainit, pid1, reachable, victim):
    script = f'ln -s {victim}/error "$TORCHELASTIC_ERROR_FILE"; exit 3'
    end = pid1([trainit, "--user", str(UID), "--", "sh", "-c", script], job=reachable)
    assert end.code == 3 and "code 3" in reachable.failure
    assert "somebody else" not in end.err + reachable.failure


def test_workers_run_as_the_user_where_nothing_can_be_given_away(trainit, pid1, reachable):
    (reachable.base / "checkpoints").mkdir()
    for directory in (reachable.model, reachable.output, reachable.output / "data", reachable.base / "checkpoints"):
        os.makedirs(directory, exist_ok=True)
        os.chown(directory, UID, GID)
    end = pid1(["setpriv", "--bounding-set=-chown", trainit, "--user", f"{UID}:{GID}", "--workers", "2", "--", "id", "-u"], job=reachable)
    assert end.code == 0, end.err
    assert sorted(line.split()[-1] for line in end.out.splitlines()) == [str(UID)] * 2
    assert end.err.count("cannot be given the pipes of its output") == 1


def test_a_top_directory_of_the_image_is_not_given_away(trainit, pid1, reachable):
    """It is one that the test has put there, in a namespace of its own: whatever happens, nothing else changes."""
    reachable.write_config("checkpointconfig.json", {"LocalPath": "/boot"})
    script = 'mount -t tmpfs none /boot && touch /boot/kernel || exit 99; "$@"; code=$?; stat -c %u /boot /boot/kernel; exit $code'
    end = pid1(["unshare", "--mount", "sh", "-c", script, "sh", trainit, "--user", str(UID), "--", "echo", "started"], job=reachable)
    assert (end.code, end.out.split()) == (125, ["0", "0"]), end
    assert "giving /boot to uid 1234: all that the image has there would change hands" in reachable.failure


def test_several_workers_share_the_user(trainit, pid1, reachable):
    end = pid1([trainit, "--user", f"{UID}", "--workers", "3", "--", "id", "-u"], job=reachable)
    assert sorted(line.split()[-1] for line in end.out.splitlines()) == [str(UID)] * 3


@pytest.fixture
def as_user(trainit, start, reachable):
    """as_user(words): the end of trainit as this user, who has no rights of root's and may read the configuration."""
    os.chmod(reachable.config, 0o755)

    def run(*words):
        argv = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", trainit, *words]
        return start(argv, job=reachable, namespace=False).wait(30)

    return run


def give(*directories):
    for directory in directories:
        os.makedirs(directory, exist_ok=True)
        os.chown(directory, UID, GID)


def test_the_user_that_trainit_is_already_needs_no_rights(reachable, as_user):
    give(reachable.model, reachable.output, reachable.output / "data", reachable.base / "checkpoints")
    end = as_user("--user", f"{UID}:{GID}", "--", "id", "-u")
    assert (end.code, end.out) == (0, f"{UID}\n"), end.err
    end = as_user("exec", "--user", f"{UID}:{GID}", "--", "id", "-u")
    assert (end.code, end.out) == (0, f"{UID}\n"), end.err


def test_another_user_without_roots_rights_is_told_who_could(reachable, as_user):
    give(reachable.model, reachable.output, reachable.output / "data", reachable.base / "checkpoints")
    end = as_user("exec", "--user", "4321:4321", "--", "id", "-u")
    assert end.code != 0 and end.out == ""
    assert "cannot become uid 4321 gid 4321: EPERM" in end.err or "EPERM" in end.err
    assert "only root can, so trainit has to start as root" in end.err


def test_a_place_for_markers_that_is_closed_ends_the_job_before_it_begins(reachable, as_user):
    give(reachable.model, reachable.output / "data", reachable.base / "checkpoints")
    os.chown(reachable.output, 0, 0)
    os.chmod(reachable.output, 0o755)
    end = as_user("--", "echo", "training")
    assert (end.code, end.out) == (125, "")
    assert f"{reachable.output}: uid {UID} cannot write the success or failure file there (mode 0755, owner uid 0); " in end.err
    assert "--user" in end.err


def test_a_directory_that_cannot_be_made_is_told_with_uid_mode_and_what_to_do(reachable, as_user):
    reachable.model.rmdir()
    os.chmod(reachable.base, 0o755)
    end = as_user("--", "echo", "training")
    assert (end.code, end.out) == (125, "")
    assert f"{reachable.base}: uid {UID} cannot make {reachable.model} there (mode 0755, owner uid 0); " in end.err


def test_a_closed_model_directory_is_said_before_hours_of_training(reachable, as_user):
    give(reachable.output, reachable.output / "data", reachable.base / "checkpoints")
    os.chown(reachable.model, 0, 0)
    os.chmod(reachable.model, 0o755)
    end = as_user("--", "echo", "training")
    assert (end.code, end.out) == (0, "training\n"), end.err
    assert f"warning: {reachable.model}: uid {UID} cannot leave a model there (mode 0755, owner uid 0); " in end.err

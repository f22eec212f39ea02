"""Bad input: one sentence that says which file and key, what was found and what would be right, then 125."""

import json
import os

import pytest


def refused(end, here, *words, code=125):
    assert end.code == code, end.err
    assert not here.success
    for word in words:
        assert word in here.failure, here.failure
        assert word in end.err, end.err
    assert end.out == "", "something was started"


@pytest.mark.parametrize("name", ["hyperparameters.json", "inputdataconfig.json", "resourceconfig.json"])
@pytest.mark.parametrize("text, words", [
    ('{"a": "1"\n "b": "2"}', ["line 2, column 2", "expected ',' or '}'"]),
    ("[1]", ["a list"]),
])
def test_a_malformed_file_is_named_with_its_line_and_column(trainit, pid1, job, name, text, words):
    here = job(config={name: text})
    refused(pid1([trainit, "--", "echo", "started"], job=here), here, f"{here.config}/{name}", *words)


@pytest.mark.release_only
@pytest.mark.parametrize("levels, code", [(199, 0), (201, 125), (990, 125), (200_000, 125)])
def test_deep_nesting_is_refused_before_a_small_stack_is_used_up(trainit, pid1, job, levels, code):
    here = job(raw_hyperparameters='{"x": ' + "[" * levels + "]" * levels + "}")
    end = pid1(["sh", "-c", 'ulimit -s 256; exec "$@"', "sh", trainit, "--", "sh", "-c", "exit 0"], job=here)
    assert end.code == code, end.err
    if code != 0:
        refused(end, here, "expected at most 200 levels of nesting")


@pytest.mark.parametrize("name", ["hyperparameters.json", "resourceconfig.json"])
def test_an_empty_file_is_said_to_be_empty(trainit, pid1, job, name):
    here = job(config={name: ""})
    refused(pid1([trainit, "--", "echo", "x"], job=here), here, f"{here.config}/{name}", "is empty")


@pytest.mark.parametrize("name", ["hyperparameters.json", "inputdataconfig.json", "resourceconfig.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(trainit, pid1, job, name):
    here = job()
    (here.config / name).unlink()
    os.mkfifo(here.config / name)
    refused(pid1([trainit, "--", "echo", "started"], job=here), here, f"{here.config}/{name}: it is not a regular file")


def test_a_job_without_channels_may_have_an_empty_file_for_them(trainit, pid1, job):
    end = pid1([trainit, "--", "sh", "-c", 'echo "$SM_CHANNELS"'], job=job(config={"inputdataconfig.json": ""}))
    assert (end.code, end.out) == (0, "[]\n")


@pytest.mark.parametrize("prefix, end_of_line", [("\ufeff", "\n"), ("", "\r\n"), ("\ufeff", "\r\n")])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(trainit, pid1, job, prefix, end_of_line):
    text = prefix + end_of_line.join(["{", '"epochs": "3"', "}"])
    here = job(raw_hyperparameters=text)
    end = pid1([trainit, "--", "sh", "-c", 'echo "$SM_HP_EPOCHS"'], job=here)
    assert (end.code, end.out) == (0, "3\n"), end.err


def test_a_host_that_is_not_among_the_hosts_is_said_as_it_is(trainit, pid1, job):
    here = job(resources={"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]})
    refused(pid1([trainit, "--", "echo", "x"], job=here), here,
            f'{here.config}/resourceconfig.json: "current_host" is "algo-3", which is not among "hosts" (algo-1, algo-2)')


@pytest.mark.parametrize("resources, key", [({"hosts": ["a"]}, '"current_host"'), ({"current_host": "a", "hosts": "a"}, '"hosts"'),
                                            ({"current_host": 1, "hosts": ["a"]}, '"current_host"')])
def test_a_key_that_is_missing_or_of_the_wrong_kind_is_named(trainit, pid1, job, resources, key):
    here = job(resources=resources)
    refused(pid1([trainit, "--", "echo", "x"], job=here), here, "resourceconfig.json", key)


@pytest.mark.parametrize("hyperparameters, words", [
    ({"a": "x\0y"}, ['"a"', "NUL"]),
    ({"a=b": "1"}, ['"a=b"', "'='"]),
    ({"a\0b": "1"}, ["NUL"]),
])
def test_what_no_process_can_be_given_is_refused_before_anything_starts(trainit, pid1, job, hyperparameters, words):
    here = job(raw_hyperparameters=hyperparameters)
    refused(pid1([trainit, "--", "echo", "x"], job=here), here, "hyperparameters.json", *words)


def test_a_lone_surrogate_is_refused_with_a_sentence(trainit, pid1, job):
    here = job(raw_hyperparameters='{"a": "x\\ud800y"}')
    refused(pid1([trainit, "--", "echo", "x"], job=here), here, "hyperparameters.json", "surrogate")


def test_a_job_without_its_files_goes_on_with_defaults_and_says_so(trainit, pid1, tmp_path):
    base = tmp_path / "nothing-here"
    end = pid1([trainit, "--", "sh", "-c", 'echo "$SM_HOSTS $SM_CHANNELS $SM_HPS"'], env={"SAGEMAKER_BASE_DIR": str(base)})
    assert end.code == 0
    hosts, rest = end.out.split(" ", 1)
    assert len(json.loads(hosts)) == 1 and rest == "[] {}\n"
    assert "warning" in end.err and str(base / "input/config") in end.err
    assert (base / "output/success").exists() and (base / "model").is_dir()


@pytest.mark.parametrize("missing", ["hyperparameters.json", "inputdataconfig.json", "resourceconfig.json"])
def test_one_missing_file_is_a_warning_and_a_default(trainit, pid1, job, missing):
    here = job()
    (here.config / missing).unlink()
    end = pid1([trainit, "--", "true"], job=here)
    assert end.code == 0 and here.success
    assert missing in end.err


def test_a_config_directory_that_this_user_cannot_enter_is_explained(trainit, start, job):
    here = job()
    os.chmod(here.config, 0o644)
    for directory in [here.base, *here.base.parents]:
        if directory.is_dir() and len(directory.parts) > 2:
            os.chmod(directory, 0o755)
    os.chmod(here.output, 0o777)
    end = start(["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", trainit, "--", "echo", "x"], job=here,
                namespace=False).wait(30)
    refused(end, here, "uid 1234", "0644", str(here.config), "--user")


@pytest.mark.parametrize("argv, env, place", [(["--user", ""], {}, "--user"), (["--user="], {}, "--user"),
                                              ([], {"TRAINIT_USER": ""}, "TRAINIT_USER")])
def test_a_user_that_is_nobody_is_not_root(trainit, pid1, job, argv, env, place):
    here = job()
    end = pid1([trainit, *argv, "--", "id", "-u"], job=here, env=env)
    refused(end, here, f'{place} is "": expected a user, by name or number')
    assert end.out == ""


def test_an_unknown_user_is_named_with_the_file_that_was_read(trainit, pid1, job):
    here = job()
    refused(pid1([trainit, "--user", "nobody-of-that-name", "--", "echo", "x"], job=here), here, "nobody-of-that-name", "/etc/passwd")


def test_a_command_that_is_not_there_is_127_and_one_that_cannot_be_run_is_126(trainit, pid1, job, tmp_path):
    here = job()
    refused(pid1([trainit, "--", "no-such-program"], job=here), here, "no-such-program", "there is no such program", code=127)
    (tmp_path / "plain").write_text("x")
    other = job()
    refused(pid1([trainit, "--", str(tmp_path / "plain")], job=other), other, str(tmp_path / "plain"), "chmod +x", code=126)


def test_a_job_whose_other_hosts_do_not_come_names_them_and_one_that_is_alone_waits_for_nobody(trainit, pid1, job):
    hosts = {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}
    here = job(resources=hosts)
    refused(pid1([trainit, "--meet-timeout", "1s", "--", "echo", "x"], job=here), here, "1 of 2 hosts", "algo-2")
    end = pid1([trainit, "--alone", "--rank-env", "never", "--", "echo", "x"], job=job(resources=hosts))
    assert (end.code, end.out) == (0, "x\n")


@pytest.mark.parametrize("value", ["true", "TRUE"])
def test_hosts_of_studios_local_mode_wait_for_nobody_as_with_its_toolkit(trainit, pid1, job, value):
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    show = ["--", "sh", "-c", "echo $RANK of $WORLD_SIZE at $MASTER_ADDR $MASTER_PORT"]
    end = pid1([trainit, *show], job=job(resources=hosts), env={"SM_STUDIO_LOCAL_MODE": value})
    assert (end.code, end.out) == (0, "1 of 2 at algo-1 7777\n"), end
    here = job(resources=hosts)
    refused(pid1([trainit, "--meet-timeout", "1s", *show], job=here, env={"SM_STUDIO_LOCAL_MODE": "1"}), here, "algo-1")


def test_who_says_which_hosts_take_part_can_be_chosen_and_is_told(trainit, pid1, job):
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    show = ["--", "sh", "-c", "echo $RANK of $WORLD_SIZE"]
    end = pid1([trainit, "--platform", "none", *show], job=job(resources=hosts))
    assert (end.code, end.out) == (0, "0 of 1\n") and "1 host, by --platform none" in end.ours, end
    end = pid1([trainit, "--alone", *show], job=job(resources=hosts), env={"TRAINIT_PLATFORM": "sagemaker"})
    assert (end.code, end.out) == (0, "1 of 2\n"), end
    assert "2 hosts, by resourceconfig.json: algo-1 leads, this is host 1 of them, from 0" in end.ours, end


@pytest.mark.parametrize("text, words", [
    (None, ("No such file or directory",)),
    ("", ("--job-key-file: the job's key has 0 bytes, and needs 16 at least",)),
    ("too short a key\n", ("has 15 bytes",)),
    ("a directory", ("it is not a regular file",)),
])
def test_a_job_key_that_is_none_is_a_sentence(trainit, pid1, job, tmp_path, text, words):
    file = tmp_path / "job-key"
    if text == "a directory":
        file.mkdir()
    elif text is not None:
        file.write_text(text)
    here = job(resources={"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    end = pid1([trainit, "--job-key-file", str(file), "--", "echo", "x"], job=here)
    refused(end, here, "--job-key-file", *words)
    assert "too short a key" not in end.err


@pytest.mark.parametrize("options, words", [
    (["--nnodes", "2", "--leader", "127.0.0.1"], ("--node-rank", "from 0 to 1")),
    (["--nnodes", "2", "--node-rank", "2", "--leader", "127.0.0.1"], ("--node-rank 2", "0 to 1")),
    (["--nnodes", "2", "--node-rank", "0"], ("--leader",)),
    (["--nnodes", "none"], ("--nnodes", "whole number")),
    (["--platform", "moon"], ("--platform", "sagemaker")),
    (["--control-port", "0"], ("--control-port", "1 to 65535")),
])
def test_hosts_that_are_told_of_wrongly_are_a_sentence(trainit, pid1, job, options, words):
    here = job()
    refused(pid1([trainit, *options, "--", "echo", "x"], job=here), here, *words)


def test_a_leader_that_is_no_host_of_the_job_is_a_sentence(trainit, pid1, job):
    here = job(resources={"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]})
    refused(pid1([trainit, "--leader", "algo-9", "--", "echo", "x"], job=here), here, "--leader algo-9", "algo-1, algo-2")


def test_what_is_too_long_for_one_variable_is_left_out_and_the_job_starts(trainit, pid1, job):
    here = job(hyperparameters={f"text-{number}": "x" * 50_000 for number in range(3)})
    script = 'echo "${#SM_HP_TEXT_2} ${SM_HPS-none} ${SM_TRAINING_ENV-none}"'
    end = pid1([trainit, "--", "sh", "-c", script], job=here, env={"SM_HPS": "of another job"})
    assert (end.code, end.out) == (0, "50000 none none\n"), end.err
    for name in ("SM_HPS", "SM_TRAINING_ENV"):
        assert any(line.startswith(f"warning: {name} is left out: ") and "128 KiB" in line for line in end.ours)


def test_a_long_hyperparameter_is_shortened_where_the_log_names_it(trainit, pid1, job):
    here = job(hyperparameters={"prompt": "x" * 200_000, "epochs": 3})
    end = pid1([trainit, "--", "true"], job=here)
    line = next(line for line in end.ours if "hyperparameters: " in line)
    assert "epochs=3" in line and "prompt=xxx" in line and "x…" in line and len(line) < 400


def test_what_is_too_long_in_all_is_126_with_the_limit(trainit, pid1, job):
    here = job(hyperparameters={f"text{number}": "x" * 120_000 for number in range(60)})
    refused(pid1([trainit, "--", "echo", "x"], job=here), here, "7 MB of arguments and variables", "128 KiB in one string",
            "in all a quarter of the stack limit, at most 6 MB", code=126)


def test_code_126_and_127_of_the_worker_itself_are_its_own(trainit, pid1, job):
    here = job()
    end = pid1([trainit, "--", "sh", "-c", "exit 127"], job=here)
    assert end.code == 127 and "cannot run" not in here.failure

"""The command line: options from three places, the platform's own argument, and what is said of mistakes."""

import re
import signal

import pytest


def test_everything_after_the_dashes_arrives_byte_for_byte(trainit, pid1, job):
    words = ["--workers", "", "two words", "a\nb", "$(id)", "'\"", "--", "-x", "ä😀", "*"]
    end = pid1([trainit, "--", "printf", "%s\\0", *words], job=job())
    assert end.out.split("\0")[:-1] == words


@pytest.mark.parametrize("entrypoint", [[], ["train"], ["train", "--workers", "2"], ["--workers", "2"], ["--workers=2", "train"]])
def test_the_platforms_word_is_none_of_ours_too_many(trainit, pid1, job, entrypoint):
    here = job(hyperparameters={"sagemaker_program": "t.sh"}, code={"t.sh": "echo here\n"})
    end = pid1([trainit, *entrypoint, "train"], job=here)
    assert here.success and workers_of(end) == (2 if len(entrypoint) > 1 else 1)


@pytest.mark.parametrize("argv", [[], ["train"], ["train", "--log-level", "info"], ["--log-level", "info", "train"]])
def test_no_word_and_the_word_train_mean_the_same(trainit, pid1, job, argv):
    end = pid1([trainit, *argv, "--", "echo", "here"], job=job())
    assert (end.code, end.out) == (0, "here\n")


def test_a_binary_called_train_trains(trainit, pid1, job, tmp_path):
    (tmp_path / "train").symlink_to(trainit)
    here = job(hyperparameters={"sagemaker_program": "t.sh"}, code={"t.sh": "echo as train\n"})
    assert pid1([str(tmp_path / "train"), "train"], job=here).out == "as train\n"


@pytest.mark.parametrize("word, told", [("--version", "trainit 0"), ("--help", "--workers")])
def test_a_binary_called_train_tells_about_itself_too(trainit, pid1, job, tmp_path, word, told):
    (tmp_path / "train").symlink_to(trainit)
    here = job()
    end = pid1([str(tmp_path / "train"), word], job=here)
    assert end.code == 0 and told in end.out and here.failure is None and not here.success


def test_a_binary_called_train_is_no_other_command(trainit, pid1, job, tmp_path):
    (tmp_path / "train").symlink_to(trainit)
    end = pid1([str(tmp_path / "train"), "exec", "--", "echo", "started"], job=job())
    assert end.code == 125 and end.out == "" and '"exec" is none of trainit' in end.err


def test_a_nul_in_an_option_is_refused(trainit, pid1, job):
    end = pid1([trainit, "--", "true"], job=job(raw_hyperparameters={"trainit_record": "/tmp/a\0b"}))
    assert end.code == 125 and "the hyperparameter trainit_record has a NUL character" in end.err


def test_serve_is_refused_with_a_sentence(trainit, pid1, job):
    end = pid1([trainit, "serve"], job=job())
    assert end.code == 125 and "inference" in end.err


@pytest.mark.parametrize("argv, word", [(["--worker", "2"], "--worker"), (["python", "train.py"], "python"),
                                        (["--workers"], "--workers")])
def test_a_mistake_on_the_command_line_names_the_word(trainit, pid1, job, argv, word):
    end = pid1([trainit, *argv], job=job())
    assert end.code == 125 and word in end.err


KEY = "sk-12345678"
FORGOTTEN = '"python" is none of trainit\'s commands; write -- before the command that the workers run: '


@pytest.mark.parametrize("words, call", [([], "trainit"), (["--workers", "2"], "trainit"), (["train"], "trainit train"),
                                         (["exec"], "trainit exec"), (["env"], "trainit env")])
def test_forgotten_dashes_are_named_and_no_word_of_the_command_is_told(trainit, pid1, job, words, call):
    here = job()
    end = pid1([trainit, *words, "python", "train.py", f"--api-key={KEY}", "train"], job=here)
    assert end.code == 125 and end.out == ""
    assert end.ours[0] == f"{FORGOTTEN}{call} -- python …"
    assert KEY not in end.err + (here.failure or "")


@pytest.mark.parametrize("typed, meant", [
    (["--wrokers", "2"], "there is no option --wrokers; did you mean --workers?"),
    ([f"--api-key={KEY}"], "there is no option --api-key; see"),
    (["--api-key", KEY], "there is no option --api-key; see"),
    (["env", "--formt", "json"], "there is no option --formt; did you mean --format?"),
    (["trian"], '"trian" is none of trainit\'s commands; did you mean train?'),
    (["store", "--prot", "1"], "there is no option --prot; did you mean --port?"),
    (["gpus", "--explain"], "there is no option --explain; see"),
    (["--workers", "--log-level", "info"], "--workers needs a value: N|gpu|cpu|auto"),
    (["gpus", "--format", "xml"], '--format is "xml": expected one of json, table'),
    (["store", "--port", "65536"], '--port is "65536": expected a number from 0 to 65535'),
])
def test_a_slip_is_answered_with_what_was_meant(trainit, pid1, job, typed, meant):
    here = job()
    end = pid1([trainit, *typed, "--", "echo", "started"], job=here)
    assert end.code == 125 and end.out == ""
    assert meant in end.err
    assert KEY not in end.err + (here.failure or "")


NO_JOBS = [["env", "--fromat", "json"], ["gpus", "--format", "x"], ["store", "--prot", "1"], ["check", "--bogus"],
           ["exec", "--workers", "2", "--", "true"], ["exec", "true"], ["--log-level", "info", "explain", "--bogus"],
           ["explain", "rank", "x"], ["failure", "a", "b"], ["--help", "--bogus"], ["version", "--bogus"], ["help", "trian"],
           ["--log-levle", "info", "explain"], ["--bogus", "env"], ["--bogus", "gpus", "train"]]


@pytest.mark.parametrize("typed", NO_JOBS)
def test_a_slip_in_a_command_that_runs_no_job_leaves_the_markers_alone(trainit, pid1, job, typed):
    here = job()
    assert pid1([trainit, "--", "true"], job=here).code == 0
    end = pid1([trainit, *typed], job=here)
    assert end.code == 125 and len(end.ours) == 1
    assert here.success and here.failure is None


@pytest.mark.parametrize("typed", [["--wrokers", "2"], ["train", "--wrokers", "2"], ["--log-level", "info", "train", "python"],
                                   ["trian"], ["serve"], ["--bogus", "python", "train.py"], ["--bogus", "--", "env"],
                                   ["--bogus", "train"], ["train", "--bogus", "env"], ["python", "check"]])
def test_a_slip_in_what_would_run_a_job_is_its_failure(trainit, pid1, job, typed):
    here = job()
    end = pid1([trainit, *typed], job=here)
    assert end.code == 125 and end.ours[0] == here.failure_reason


@pytest.mark.parametrize("words", [[], ["exec"], ["check"]])
def test_a_variable_that_is_near_to_an_option_is_said_to_be_none(trainit, pid1, job, words):
    end = pid1([trainit, *words, "--", "true"], job=job(), env={"TRAINIT_WORKRES": "3", "TRAINIT_VERSION": "1.2"})
    said = "the variable TRAINIT_WORKRES is none of trainit's options; did you mean TRAINIT_WORKERS?"
    assert said in end.out + end.err and "TRAINIT_VERSION" not in end.out + end.err


def test_an_option_whose_hyperparameter_is_null_is_not_given(trainit, pid1, job):
    here = job(hyperparameters={"trainit_workers": None})
    end = pid1([trainit, "--", "sh", "-c", "echo $WORLD_SIZE"], job=here, env={"TRAINIT_WORKERS": "2"})
    assert (end.code, sorted(end.out.splitlines())) == (0, ["2", "[rank 1] 2"]), end.err


@pytest.mark.parametrize("named, configured, failure", [(None, False, False), ("", False, False), ("digits", False, True),
                                                        ("", True, True)])
def test_a_slip_leaves_a_failure_only_where_a_job_would_see_a_platform(trainit, pid1, tmp_path, named, configured, failure):
    if configured:
        (tmp_path / "ml/input/config").mkdir(parents=True)
    name = {} if named is None else {"TRAINING_JOB_NAME": named}
    assert pid1([trainit, "--bogus"], env={"SAGEMAKER_BASE_DIR": str(tmp_path / "ml"), **name}).code == 125
    assert (tmp_path / "ml/output/failure").exists() == failure


@pytest.mark.parametrize("record", ["none", "elsewhere"])
def test_a_slip_in_a_command_that_runs_no_job_leaves_one_alone_that_nobody_can_see(trainit, start, pid1, job, tmp_path, record):
    here = job()
    place = record if record == "none" else str(tmp_path / record)
    argv = ["--record", place, "--", "sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"]
    running = start([trainit, *argv], job=here)
    running.wait_for("ready")
    assert pid1([trainit, "gpus", "--fromat", "x"], job=here, namespace=False).code == 125
    assert here.failure is None
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0
    assert here.success and here.failure is None


@pytest.mark.parametrize("typed", [["explian"], ["--wrokers", "2"], ["--workers", "none", "--", "true"]])
def test_a_slip_beside_a_job_that_runs_is_not_its_failure(trainit, start, pid1, job, typed):
    here = job()
    running = start([trainit, "--", "sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"], job=here)
    running.wait_for("ready")
    slip = pid1([trainit, *typed], job=here, namespace=False)
    assert slip.code == 125 and len(slip.ours) == 1
    assert here.failure is None
    running.signal(signal.SIGTERM)
    assert running.wait().code == 0
    assert here.success and here.failure is None
    assert pid1([trainit, *typed], job=here).code == 125
    assert not here.success and here.failure


READ_WITH_THE_JOB = [["--workers", KEY, "--", "true"], ["--user", KEY, "--", "true"], ["--", KEY], ["env", "--workers", KEY]]


@pytest.mark.parametrize("argv", [[KEY], ["env", "--format", KEY], ["exec", "--linger", KEY, "--", "true"], ["exec", "--", KEY],
                                  ["gpus", "--workers", KEY], *READ_WITH_THE_JOB])
def test_no_error_shows_a_secret_of_the_environment(trainit, pid1, job, argv):
    here = job()
    end = pid1([trainit, *argv], job=here, env={"HF_TOKEN": KEY})
    assert end.code in (125, 127)
    assert "***" in end.err and KEY not in end.err + (here.failure or "")


@pytest.mark.parametrize("argv", READ_WITH_THE_JOB)
def test_no_error_shows_a_secret_of_the_hyperparameters(trainit, pid1, job, argv):
    here = job(hyperparameters={"api_key": KEY})
    end = pid1([trainit, *argv], job=here)
    assert end.code in (125, 127)
    assert "***" in end.err and KEY not in end.err + (here.failure or "")


def test_a_mistake_on_the_command_line_is_the_failure_of_a_job_on_a_platform(trainit, pid1, job):
    here = job()
    assert pid1([trainit, "--wrokers", "2", "--", "true"], job=here).code == 125
    assert "--wrokers" in here.failure


def test_of_an_option_given_twice_the_last_counts_and_a_list_grows(trainit, pid1, job):
    argv = [trainit, "--workers", "3", "--workers=2", "--exit-map", "3=0", "--exit-map", "4=0", "--", "sh", "-c", "exit 4"]
    end = pid1(argv, job=job())
    assert end.code == 0 and "4=0" not in end.err, end
    assert "2 workers, ranks 0–1 of 2" in end.err


def workers_of(end):
    assert end.code == 0, end.err
    return len(end.out.splitlines())


def test_a_flag_wins_over_a_hyperparameter_and_that_over_a_variable(trainit, pid1, job):
    with_hyperparameter, without = job(hyperparameters={"trainit_workers": 3}), job()
    command, variable = ["--", "echo", "x"], {"TRAINIT_WORKERS": "2"}
    assert workers_of(pid1([trainit, *command], job=without)) == 1
    assert workers_of(pid1([trainit, *command], job=without, env=variable)) == 2
    assert workers_of(pid1([trainit, *command], job=with_hyperparameter, env=variable)) == 3
    assert workers_of(pid1([trainit, "--workers", "4", *command], job=with_hyperparameter, env=variable)) == 4


@pytest.mark.parametrize("place", ["flag", "hyperparameter", "variable"])
def test_a_bad_value_names_its_place_and_what_would_be_right(trainit, pid1, job, place):
    argv = ["--workers", "none"] if place == "flag" else []
    here = job(hyperparameters={"trainit_workers": "none"} if place == "hyperparameter" else {})
    end = pid1([trainit, *argv, "--", "true"], job=here, env={"TRAINIT_WORKERS": "none"} if place == "variable" else {})
    name = {"flag": "--workers", "hyperparameter": "the hyperparameter trainit_workers", "variable": "TRAINIT_WORKERS"}[place]
    assert end.code == 125
    assert f'{name} is "none": expected a number of workers from 1 to 4096, or one of auto, gpu, cpu' in here.failure


def test_an_unknown_option_among_the_hyperparameters_is_not_ignored(trainit, pid1, job):
    here = job(hyperparameters={"trainit_wrokers": 2})
    assert pid1([trainit, "--", "true"], job=here).code == 125
    assert "trainit_wrokers is none of trainit's options; did you mean trainit_workers?" in here.failure


def test_our_hyperparameters_do_not_reach_the_script(trainit, pid1, job):
    here = job(hyperparameters={"trainit_workers": 1, "epochs": 2, "sagemaker_program": "t.sh"},
               code={"t.sh": 'echo "$@"; env | grep -i trainit_workers; true\n'})
    assert pid1([trainit], job=here).out == "--epochs 2\n"


DROPPED = "is dropped"


@pytest.mark.parametrize("platform", [True, False])
def test_a_last_train_is_the_platforms_only_where_there_is_one(trainit, pid1, job, tmp_path, platform):
    here = job() if platform else None
    env = {} if platform else {"SAGEMAKER_BASE_DIR": str(tmp_path / "none")}
    end = pid1([trainit, "--", "echo", "a", "train"], job=here, env=env)
    assert end.out == ("a\n" if platform else "a train\n")
    assert (DROPPED in end.err) == platform


def test_of_two_trains_one_is_the_platforms(trainit, pid1, tmp_path):
    end = pid1([trainit, "--", "echo", "train", "train"], env={"SAGEMAKER_BASE_DIR": str(tmp_path / "none")})
    assert end.out == "train\n"


def test_a_train_of_the_jobs_own_arguments_stays(trainit, pid1, job):
    here = job(config={"trainingjobconfig.json": {"AlgorithmSpecification": {"ContainerArguments": ["train"]}}})
    assert pid1([trainit, "--", "echo", "a", "train"], job=here).out == "a train\n"


def test_the_local_mode_of_sdk_v3_appends_nothing(trainit, pid1, job):
    here = job(resources={"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "ethwe"})
    assert pid1([trainit, "--", "echo", "a", "train"], job=here).out == "a train\n"


@pytest.mark.parametrize("choice, text", [("keep", "a train\n"), ("drop", "a\n")])
def test_the_platforms_argument_can_be_decided_by_hand(trainit, pid1, job, tmp_path, choice, text):
    env = {"SAGEMAKER_BASE_DIR": str(tmp_path / "none")} if choice == "drop" else {}
    here = None if choice == "drop" else job()
    assert pid1([trainit, "--platform-arg", choice, "--", "echo", "a", "train"], job=here, env=env).out == text


def test_help_fits_one_screen_and_the_long_one_lists_every_name(trainit, pid1):
    short, long = pid1([trainit, "--help"]), pid1([trainit, "train", "--help"])
    assert short.code == long.code == 0
    assert len(short.out.splitlines()) <= 40 and max(map(len, short.out.splitlines())) <= 110
    for name in ("--workers", "trainit_workers", "TRAINIT_WORKERS", "--stop-budget", "trainit_stop_budget"):
        assert name in long.out


def test_an_option_is_spelt_alike_in_both_helps(trainit, pid1):
    short, long = (pid1([trainit, *words, "--help"]).out for words in ([], ["train"]))
    spelt = re.findall(r"^  (--\S+ \S*\|\S*)", short, re.MULTILINE)
    assert len(spelt) == 3 and all(f"\n  {option}\n" in long for option in spelt)


def test_store_and_check_have_pages_of_their_own(trainit, pid1):
    store, check = pid1([trainit, "store", "--help"]), pid1([trainit, "check", "--help"])
    assert store.code == check.code == 0
    for name in ("--port PORT", "--listen ADDRESS", "--world-size N", "--store-allow", "--log-level", "TRAINIT_STORE_ALLOW"):
        assert name in store.out
    assert "--workers" not in store.out and "trainit_store_allow" not in store.out
    for name in ("--deep", "--format text|json", "--deep-deadline", "trainit train --help"):
        assert name in check.out


def test_what_is_waited_for_has_time(trainit, pid1, job):
    for command, option in ((["check", "--deep"], "deep-deadline"), (["--preflight=deep"], "deep-deadline"),
                            ([], "gpu-deadline"), ([], "meet-timeout")):
        end = pid1([trainit, *command, f"--{option}", "0", "--", "true"], job=job())
        assert end.code == 125 and f'--{option} is "0": expected a duration above 0' in end.err


def test_no_signal_is_taken_for_the_one_that_tells_of_childrens_ends(trainit, pid1, job):
    for rewrite in ("15:17", "TERM:CHLD", "CHLD:15"):
        end = pid1([trainit, "--rewrite", rewrite, "--", "true"], job=job())
        assert end.code == 125 and f'--rewrite is "{rewrite}": expected FROM:TO' in end.err


@pytest.mark.parametrize("word", ["--version", "version"])
def test_the_version_is_printed(trainit, pid1, word):
    end = pid1([trainit, word])
    assert end.code == 0 and end.out.startswith("trainit 0.")


@pytest.mark.parametrize("word, flag", [(["help"], ["--help"]), (["help", "train"], ["train", "--help"]),
                                        (["help", "exec"], ["exec", "--help"]), (["help", "store"], ["store", "--help"]),
                                        (["help", "check"], ["check", "--help"]), (["--log-level", "info", "help"], ["--help"])])
def test_help_can_be_asked_for_by_a_word(trainit, pid1, word, flag):
    asked, expected = pid1([trainit, *word]), pid1([trainit, *flag])
    assert (asked.code, asked.out) == (0, expected.out) and "usage: trainit" in asked.out

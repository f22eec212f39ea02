"""Script mode: the platform names a script, and trainit finds out how to run it."""

import json
import os
import shutil
import stat
import tempfile

import pytest

from trainit_testing import jobs

SHOW = """
import json, os, sys
print(json.dumps({"argv": sys.argv, "cwd": os.getcwd(), "path": os.environ.get("PYTHONPATH"), "name": __name__,
                  "rank": os.environ.get("RANK")}))
"""


def seen(end):
    assert end.code == 0, end.err
    return json.loads(end.out.splitlines()[-1])


def script_job(job, program="train.py", code=None, **hyperparameters):
    return job(hyperparameters={"sagemaker_program": program, **hyperparameters}, code=code or {program: SHOW})


def test_a_python_script_runs_in_its_directory_with_its_hyperparameters(trainit, pid1, job):
    here = script_job(job, epochs=3, lr=0.1)
    what = seen(pid1([trainit, "train"], job=here))
    assert what["argv"] == ["train.py", "--epochs", "3", "--lr", "0.1"]
    assert what["cwd"] == f"{here.base}/code"
    assert what["path"] == f"{here.base}/code"


CHOSEN = {"lr": 0.1, "Deep": True, "none": None, "layers": [1, "a"]}
AS_TOOLKIT = ["--Deep", "True", "--layers", "[1, 'a']", "--lr", "0.1", "--none", ""]
AS_JSON = ["--lr", "0.1", "--Deep", "true", "--none", "null", "--layers", '[1, "a"]']


@pytest.mark.parametrize("options, arguments", [
    ([], AS_TOOLKIT),
    (["--args", "toolkit"], AS_TOOLKIT),
    (["--args", "json"], AS_JSON),
    (["--args", "none"], []),
    (["--contract", "v3"], AS_JSON),
    (["--contract", "v3", "--args", "toolkit"], AS_TOOLKIT),
])
def test_the_form_of_arguments_can_be_chosen_and_is_that_of_the_contract(trainit, pid1, job, options, arguments):
    argv = seen(pid1([trainit, *options], job=script_job(job, **CHOSEN)))["argv"]
    platforms_own = argv.index("--sagemaker_program") if "--sagemaker_program" in argv else None
    if platforms_own is not None:
        del argv[platforms_own:platforms_own + 2]
    assert argv == ["train.py", *arguments]


@pytest.mark.parametrize("choice, shown", [
    ({}, ("", "[]")), ({"TRAINIT_CONTRACT": "v3"}, ("null", "[]")), ({"TRAINIT_CONTRACT": "toolkit"}, ("", "[]"))])
def test_the_contract_decides_what_a_variable_says_also_by_the_environment(trainit, pid1, job, choice, shown):
    code = {"train.py": "import json, os\nprint(json.dumps([os.environ['SM_HP_NONE'], os.environ['SM_CHANNELS']]))"}
    assert tuple(seen(pid1([trainit], job=script_job(job, code=code, none=None), env=choice))) == shown


def test_a_script_without_a_distribution_setting_is_one_process_without_ranks(trainit, pid1, job):
    assert seen(pid1([trainit], job=script_job(job)))["rank"] is None


@pytest.mark.parametrize("argv, rank", [([], None), (["--rank-env", "never"], "5")])
def test_ranks_of_an_outer_launcher_are_taken_out_unless_the_user_keeps_them(trainit, pid1, job, argv, rank):
    assert seen(pid1([trainit, *argv], job=script_job(job), env={"RANK": "5"}))["rank"] == rank


def test_a_script_gets_ranks_when_more_than_one_process_is_asked_for(trainit, pid1, job):
    here = script_job(job)
    end = pid1([trainit, "--workers", "2"], job=here)
    assert end.code == 0
    ranks = {json.loads(line.removeprefix("[rank 1] "))["rank"] for line in end.out.splitlines()}
    assert ranks == {"0", "1"}


def test_the_inherited_pythonpath_comes_after_the_code_directory(trainit, pid1, job):
    here = script_job(job)
    what = seen(pid1([trainit], job=here, env={"PYTHONPATH": "/a:/b"}))
    assert what["path"] == f"{here.base}/code:/a:/b"


def test_a_relative_pythonpath_starts_where_trainit_was_started(trainit, pid1, job, tmp_path):
    here = script_job(job)
    for given, path in [("lib:/a/../b//", f"{tmp_path}/lib:/a/../b//"), (":/a:", f"{tmp_path}:/a:{tmp_path}"), ("", None)]:
        what = seen(pid1([trainit], job=here, env={"PYTHONPATH": given}, cwd=tmp_path))
        assert what["path"] == ":".join(filter(None, [f"{here.base}/code", path]))


def test_the_variable_wins_over_the_hyperparameter(trainit, pid1, job):
    here = script_job(job, code={"train.py": "raise SystemExit(9)", "other.py": SHOW})
    assert seen(pid1([trainit], job=here, env={"SAGEMAKER_PROGRAM": "other.py"}))["argv"][0] == "other.py"


def test_a_script_in_a_sub_directory_runs_from_the_code_directory(trainit, pid1, job):
    here = script_job(job, program="src/deep/train.py")
    what = seen(pid1([trainit], job=here))
    assert what["argv"][0] == "src/deep/train.py" and what["cwd"] == f"{here.base}/code"


def test_a_package_runs_as_a_module_with_its_slashes_as_dots(trainit, pid1, job):
    code = {"setup.py": "", "src/pkg/__init__.py": "", "src/pkg/train.py": SHOW, "src/__init__.py": ""}
    what = seen(pid1([trainit], job=script_job(job, program="src/pkg/train.py", code=code)))
    assert what["name"] == "__main__" and what["argv"][0].endswith("/code/src/pkg/train.py")


@pytest.mark.parametrize("program, file", [("pkg.main", "pkg/main.py"), ("pkg.main", "pkg/main/__main__.py")])
def test_beside_a_setup_file_the_script_may_be_named_as_a_module(trainit, pid1, job, program, file):
    code = {"setup.py": "", "pkg/__init__.py": "", "pkg/main/__init__.py": "", file: SHOW}
    if file == "pkg/main.py":
        del code["pkg/main/__init__.py"]
    what = seen(pid1([trainit], job=script_job(job, program=program, code=code, epochs=3)))
    assert what["name"] == "__main__" and what["argv"][0].endswith(f"/code/{file}")
    assert what["argv"][1:] == ["--epochs", "3"]


@pytest.mark.parametrize("program", [".", "./", "my.pkg", "my.pkg/", "my.pkg/__main__.py", "src//train.py", "src/../train.py",
                                     "{code}/train.py", "train-1.5.py", "my train.py", "größe.py", "my-pkg", "-pkg"])
@pytest.mark.parametrize("setup", [False, True], ids=["bare", "setup.py"])
def test_any_name_of_a_script_or_package_runs_also_where_it_is_no_name_of_a_module(trainit, pid1, job, program, setup):
    files = ["__main__.py", "my.pkg/__main__.py", "src/train.py", "train.py", "train-1.5.py", "my train.py", "größe.py",
             "my-pkg/__main__.py", "-pkg/__main__.py", *(["setup.py"] if setup else [])]
    here = job(code=dict.fromkeys(files, SHOW))
    what = seen(pid1([trainit], job=here, env={"SAGEMAKER_PROGRAM": program.format(code=here.code)}))
    assert what["name"] == "__main__" and what["cwd"] == str(here.code)
    run = here.code / what["argv"][0]
    named = here.code / program.format(code=here.code)
    assert (run / "__main__.py" if run.is_dir() else run).resolve() == (
        named / "__main__.py" if named.is_dir() else named).resolve()


def test_an_executable_beside_a_setup_file_runs_by_itself(trainit, pid1, job):
    here = script_job(job, program="launch", code={"setup.py": "", "launch": "#!/bin/sh\necho launched\n"})
    end = pid1([trainit], job=here)
    assert (end.code, end.out) == (0, "launched\n"), end.err


@pytest.mark.parametrize("code", [{"setup.py": ""}, {"pkg/main.py": SHOW}])
def test_a_module_that_is_not_there_or_not_beside_a_setup_file_is_refused(trainit, pid1, job, code):
    here = script_job(job, program="pkg.main", code=code)
    fails(pid1([trainit], job=here), here, 127, "pkg.main (sagemaker_program) does not exist")


def test_a_name_without_the_ending_of_its_script_is_refused_with_a_word_of_that(trainit, pid1, job):
    here = script_job(job, program="train", code={"train.py": SHOW})
    fails(pid1([trainit], job=here), here, 127, "train (sagemaker_program) does not exist", "did you mean train.py?")


def test_a_shell_script_runs_with_its_own_interpreter_and_intact_arguments(trainit, pid1, job):
    code = {"train.sh": '#!/bin/bash\nprintf "%s|" "$@"; echo "${BASH_VERSION:+bash}"\n'}
    end = pid1([trainit], job=script_job(job, program="train.sh", code=code, text="two words $(id) 'q'"))
    assert end.code == 0, end.err
    assert end.out.splitlines()[-1] == "--text|two words $(id) 'q'|bash"


def test_a_shell_script_without_a_first_line_runs_in_sh(trainit, pid1, job):
    end = pid1([trainit], job=script_job(job, program="train.sh", code={"train.sh": "echo it runs\n"}))
    assert end.code == 0 and end.out == "it runs\n"


@pytest.mark.parametrize("name", ["123", "true"])
def test_a_name_that_json_takes_for_something_else_is_a_name(trainit, pid1, job, name):
    here = job(raw_hyperparameters={"sagemaker_program": name}, code={name: "#!/bin/sh\necho launched\n"})
    end = pid1([trainit], job=here)
    assert (end.code, end.out) == (0, "launched\n"), end.err


def test_any_other_file_is_made_executable_and_run(trainit, pid1, job):
    here = script_job(job, program="launch", code={"launch": "#!/bin/sh\necho launched\n"})
    os.chmod(f"{here.base}/code/launch", 0o644)
    end = pid1([trainit], job=here)
    assert end.code == 0 and end.out == "launched\n"
    assert stat.S_IMODE(os.stat(f"{here.base}/code/launch").st_mode) & 0o111 == 0o111


def test_what_starts_no_worker_leaves_the_script_as_it_is_and_judges_it_as_it_will_be(trainit, pid1, job):
    here = script_job(job, program="launch", code={"launch": "#!/bin/sh\n"})
    os.chmod(here.code / "launch", 0o644)
    shown = pid1([trainit, "env"], job=here, namespace=False)
    assert shown.code == 0, shown
    checked = pid1([trainit, "check"], job=here, namespace=False)
    assert f"program: {here.code}/launch can be run" in checked.out, checked
    assert stat.S_IMODE((here.code / "launch").stat().st_mode) == 0o644


@pytest.mark.parametrize("how", ["absolute", "above", "link"])
def test_a_file_outside_the_code_directory_is_not_made_executable(trainit, pid1, job, tmp_path, how):
    outside = tmp_path / "outside"
    outside.write_text("#!/bin/sh\n")
    outside.chmod(0o644)
    here = script_job(job, code={"train.py": ""})
    (here.code / "link").symlink_to(outside)
    program = {"absolute": str(outside), "above": os.path.relpath(outside, here.code), "link": "link"}[how]
    env = {"SAGEMAKER_PROGRAM": program}
    checked = pid1([trainit, "check"], job=here, env=env, namespace=False)
    assert "it is not executable" in checked.out, checked
    fails(pid1([trainit], job=here, env=env), here, 126, "it is not executable")
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


def test_a_name_that_looks_like_an_option_is_a_name(trainit, pid1, job):
    what = seen(pid1([trainit], job=script_job(job, program="-c.py")))
    assert what["argv"][0] == "-c.py"


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_the_code_may_lie_in_any_local_directory(trainit, pid1, job, tmp_path, form):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/train.py").write_text(SHOW)
    here = script_job(job, sagemaker_submit_directory=form.format(tmp_path / "elsewhere"))
    assert seen(pid1([trainit], job=here))["cwd"] == str(tmp_path / "elsewhere")


def fails(end, here, code, *words):
    assert end.code == code
    assert not here.success
    for word in words:
        assert word in here.failure, here.failure
        assert word in end.err


def test_a_command_wins_over_the_named_script_and_says_so(trainit, pid1, job):
    here = script_job(job)
    end = pid1([trainit, "--", "echo", "the command"], job=here)
    assert end.code == 0 and end.out == "the command\n"
    assert "not sagemaker_program train.py" in end.err


IN_S3 = {"sagemaker_submit_directory": "s3://bucket/sourcedir.tar.gz"}


def test_code_that_is_in_s3_alone_gets_a_clear_sentence(trainit, pid1, job):
    here = job(hyperparameters={"sagemaker_program": "train.py", **IN_S3})
    fails(pid1([trainit], job=here), here, 125, "s3://bucket/sourcedir.tar.gz", "does not fetch code from S3")


def test_code_that_is_in_s3_and_in_the_image_runs_from_the_image_with_a_warning(trainit, pid1, job):
    code = {"train.py": "import os; print(os.getcwd(), os.environ['SM_MODULE_DIR'])"}
    here = script_job(job, code=code, **IN_S3)
    end = pid1([trainit], job=here)
    assert (end.code, end.out) == (0, f"{here.code} s3://bucket/sourcedir.tar.gz\n"), end
    assert ("warning: sagemaker_submit_directory is s3://bucket/sourcedir.tar.gz, which this trainit does not fetch: "
            f"running what is in {here.code}\n") in end.err


def test_code_in_an_archive_and_in_the_image_runs_from_the_image_with_a_warning(trainit, pid1, job, tmp_path):
    archive = tmp_path / "sourcedir.tar.gz"
    archive.touch()
    here = script_job(job, code={"train.py": "import os; print(os.getcwd())"}, sagemaker_submit_directory=str(archive))
    end = pid1([trainit], job=here)
    assert (end.code, end.out) == (0, f"{here.code}\n"), end
    assert (f"warning: sagemaker_submit_directory is {archive}, which this trainit does not unpack: running what is in "
            f"{here.code}\n") in end.err


def test_a_script_that_is_not_there_is_named_with_what_is(trainit, pid1, job):
    here = job(hyperparameters={"sagemaker_program": "trian.py"}, code={"train.py": SHOW})
    fails(pid1([trainit], job=here), here, 127, "trian.py", "it has train.py")


def test_a_script_that_is_a_dangling_link_is_called_one(trainit, pid1, job):
    here = script_job(job)
    (here.code / "link.py").symlink_to("gone.py")
    fails(pid1([trainit], job=here, env={"SAGEMAKER_PROGRAM": "link.py"}), here, 127,
          f"link.py (SAGEMAKER_PROGRAM) in {here.code} is a dangling link to gone.py")


@pytest.fixture
def nobodys_job():
    """A job of the user nobody, where that user may go."""
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        here = jobs.lay_out(base, hyperparameters={"sagemaker_program": "train.py", "sagemaker_submit_directory": f"{base}/up/code"},
                            code={"../up/code/train.py": SHOW})
        for place in [here.base, *here.base.rglob("*")]:
            os.chown(place, 65534, 65534)
        yield here


@pytest.mark.parametrize("closed, words, code", [
    ("up/code", "train.py (sagemaker_program) in {base}/up/code cannot be reached: Permission denied (EACCES)", 126),
    ("up", "the code directory {base}/up/code (sagemaker_submit_directory) cannot be reached: Permission denied (EACCES)", 125),
])
def test_a_script_that_may_not_be_seen_is_not_called_missing(trainit, pid1, nobodys_job, closed, words, code):
    (nobodys_job.base / closed).chmod(0)
    end = pid1(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", trainit], job=nobodys_job)
    fails(end, nobodys_job, code, words.format(base=nobodys_job.base))


def test_a_script_whose_interpreter_is_not_executable_is_not_blamed_for_it(trainit, pid1, job):
    here = script_job(job, program="launch", code={"launch": "#!/etc/passwd\n"})
    (here.code / "launch").chmod(0o755)
    words = f"cannot run {here.code}/launch: its first line names /etc/passwd, which is not executable: chmod +x it"
    assert words in pid1([trainit, "check"], job=here, namespace=False).out
    end = pid1([trainit], job=here)
    assert end.code == 126 and words in here.failure, here.failure


def test_a_code_directory_that_nobody_named_is_blamed_on_nobody(trainit, pid1, job):
    here = job()
    end = pid1([trainit], job=here, env={"SAGEMAKER_PROGRAM": "train.py"})
    assert f"the code directory {here.base}/code does not exist\n" in end.err, end


@pytest.mark.parametrize("program, text, words", [
    ("train.sh", "#!/bin/bash\r\n", "its first line names /bin/bash\\r: the file has"),
    ("train.sh", "#!/usr/bin/env bash\r\n", "its first line names /usr/bin/env bash\\r: the file has"),
    ("train.sh", "# no interpreter\r\n", "train.sh: the file has"),
    ("launch", "#!/usr/bin/env python3\r\n", "its first line names /usr/bin/env python3\\r: the file has"),
])
def test_windows_line_ends_in_a_script_are_named_before_any_of_it_runs(trainit, pid1, job, program, text, words):
    here = script_job(job, program=program, code={program: f"{text}touch ran\r\n"})
    end = pid1([trainit], job=here)
    fails(end, here, 127, f"cannot run {here.code}/{program}: ", f"{words} Windows line ends; save it with LF")
    assert [file.name for file in here.code.iterdir()] == [program]


@pytest.mark.parametrize("program, text", [
    ("train.sh", "#!/bin/bash\n"), ("train.sh", "#!/bin/bash\r\n"), ("train.sh", "echo\n"), ("launch", "#!/usr/bin/python3\n")])
def test_a_byte_order_mark_before_a_script_is_named_before_any_of_it_runs(trainit, pid1, job, program, text):
    here = script_job(job, program=program, code={program: f"\ufeff{text}touch ran\n"})
    end = pid1([trainit], job=here)
    fails(end, here, 126, f"cannot run {here.code}/{program}: the file begins with a byte order mark (BOM), ", "save it as UTF-8")
    assert [file.name for file in here.code.iterdir()] == [program]


def test_a_byte_order_mark_of_a_command_is_named_too(trainit, pid1, job):
    here = script_job(job, program="launch", code={"launch": "\ufeff#!/bin/sh\n"})
    os.chmod(here.code / "launch", 0o755)
    fails(pid1([trainit, "--", f"{here.code}/launch"], job=here), here, 126, "begins with a byte order mark")


@pytest.mark.parametrize("program, text, line", [
    ("train.sh", "#!/bin/sh\necho fine\n# a remark\r\n", 3),
    ("train.sh", "echo fine\n# a remark\r\n", 2),
    ("launch", "#!/usr/bin/env bash\necho fine\n: \r\n", 3),
])
def test_windows_line_ends_behind_the_first_line_are_a_warning(trainit, pid1, job, program, text, line):
    here = script_job(job, program=program, code={program: text})
    end = pid1([trainit], job=here)
    assert (end.code, end.out) == (0, "fine\n"), end
    assert f"warning: line {line} of {here.code}/{program} has a Windows line end, whose CR a shell takes" in end.err


def test_windows_line_ends_of_a_python_script_do_no_harm(trainit, pid1, job):
    end = pid1([trainit], job=script_job(job, code={"train.py": "#!/usr/bin/env python3\r\nprint('fine')\r\n"}))
    assert (end.code, end.out) == (0, "fine\n")


def test_python_is_missed_only_where_it_is_needed(trainit, pid1, job, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    path = {"PATH": str(tmp_path / "bin")}
    here = script_job(job)
    fails(pid1([trainit], job=here, env=path, namespace=False), here, 127, "the image has no Python", "--python")
    shell = script_job(job, program="train.sh", code={"train.sh": "#!/bin/sh\necho fine\n"})
    assert pid1([trainit], job=shell, env=path, namespace=False).out == "fine\n"


@pytest.mark.parametrize("how", ["option", "variable", "venv"])
def test_the_interpreter_can_be_chosen(trainit, pid1, job, tmp_path, how):
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho chosen "$@"\n')
    python.chmod(0o755)
    argv, env = [trainit], {}
    if how == "option":
        argv += ["--python", str(python)]
    elif how == "variable":
        env["SAGEMAKER_PYTHON"] = str(python)
    else:
        env["VIRTUAL_ENV"] = str(tmp_path / "venv")
    end = pid1(argv, job=script_job(job), env=env)
    assert end.out == "chosen train.py\n", end.err


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_path_of_an_interpreter_starts_where_trainit_was_started(trainit, pid1, job, tmp_path, python_at, how):
    python_at(tmp_path / "venv/bin/python", "chosen")
    words, env = (["--python", "venv/bin/python"], {}) if how == "option" else ([], {"SAGEMAKER_PYTHON": "venv/bin/python"})
    end = pid1([trainit, *words], job=script_job(job), env=env, cwd=tmp_path)
    assert end.out == "chosen\n", end


@pytest.mark.parametrize("env", [{"VIRTUAL_ENV": "venv"}, {"CONDA_PREFIX": "venv"}, {"PATH": "venv/bin:{path}"}],
                         ids=["VIRTUAL_ENV", "CONDA_PREFIX", "PATH"])
def test_a_relative_environment_starts_where_trainit_was_started(trainit, pid1, job, tmp_path, python_at, env):
    if "PATH" in env and any(os.path.exists(f"{place}/bin/python") for place in ("/opt/venv", "/venv", "/opt/conda")):
        pytest.skip("this machine has an environment that goes before PATH")
    python_at(tmp_path / "venv/bin/python", "chosen")
    python_at(tmp_path / "venv/bin/python3", "chosen")
    env = {name: value.format(path=os.environ["PATH"]) for name, value in env.items()}
    end = pid1([trainit], job=script_job(job), env=env, cwd=tmp_path)
    assert end.out == "chosen\n", end


def test_an_interpreter_that_was_named_and_may_not_be_run_says_why(trainit, pid1, job, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\n")
    here = script_job(job)
    fails(pid1([trainit, "--python", str(tmp_path / "python")], job=here), here, 126,
          f"the Python that --python names, {tmp_path}/python, cannot be run: it is not executable: chmod +x it")


def test_an_interpreter_that_was_named_and_is_not_there_brings_no_advice_to_name_it(trainit, pid1, job):
    end = pid1([trainit, "--python", "/no/python"], job=script_job(job))
    assert end.code == 127
    assert "the Python that --python names, /no/python, cannot be run: there is no such file, and train.py needs one\n" in end.err


WHERE = "import os; print(os.getcwd(), os.environ['PYTHONPATH'], os.environ['SM_SOURCE_DIR'])"


@pytest.mark.parametrize("form", ["src", "{base}/src", "file://{base}/src", "file://localhost{base}/src"])
def test_the_code_directory_may_be_named_in_any_way(trainit, pid1, job, tmp_path, form):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/train.py").write_text(WHERE)
    here = job(hyperparameters={"sagemaker_program": "train.py", "sagemaker_submit_directory": form.format(base=tmp_path)})
    end = pid1([trainit], job=here, cwd=tmp_path)
    assert end.out == f"{tmp_path}/src {tmp_path}/src {tmp_path}/src\n", end


def test_a_directory_may_have_the_name_of_this_host(trainit, pid1, job, tmp_path):
    (tmp_path / "localhost/src").mkdir(parents=True)
    (tmp_path / "localhost/src/train.py").write_text(WHERE)
    here = job(hyperparameters={"sagemaker_program": "train.py", "sagemaker_submit_directory": "localhost/src"})
    assert pid1([trainit], job=here, cwd=tmp_path).out.split()[0] == f"{tmp_path}/localhost/src"


@pytest.fixture
def python_at():
    """python_at(FILE, name): a program there that says who was run."""
    def write(file, name):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\necho "{name}"\n')
        file.chmod(0o755)

    return write


def test_an_environment_of_the_image_is_found_the_nearest_first(trainit, pid1, job, tmp_path, python_at):
    """A variable's, then the script's own, then python3 and python of PATH."""
    here = script_job(job)
    path = {"PATH": f"{tmp_path}/bin"}
    conda, virtual = {"CONDA_PREFIX": f"{tmp_path}/conda"}, {"VIRTUAL_ENV": f"{tmp_path}/venv"}

    def found(env):
        end = pid1([trainit], job=here, env=path | env, namespace=False)
        assert end.code == 0, end.err
        return end.out.strip()

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    python_at(tmp_path / "bin/python", "python of PATH")
    assert found(conda | virtual) == "python of PATH"
    python_at(tmp_path / "bin/python3", "python3 of PATH")
    assert found(conda | virtual) == "python3 of PATH"
    python_at(here.code / ".venv/bin/python", "beside the script")
    assert found(conda | virtual) == "beside the script"
    python_at(tmp_path / "conda/bin/python", "conda")
    assert found(conda | virtual) == "conda"
    python_at(tmp_path / "venv/bin/python", "venv")
    assert found(conda | virtual) == "venv"
    assert found({}) == "beside the script"


#: An image of this machine's own programs, with an environment where images keep theirs.
ROOT_WITH_PYTHON = """
set -e
root=$1 python=$2 base=$3
mount -t tmpfs none "$root"
for directory in usr tmp dev proc "$(dirname "$base")"; do
  mkdir -p "$root/$directory"
  mount --rbind "/$directory" "$root/$directory"
done
for link in bin lib lib64 sbin; do ln -s "usr/$link" "$root/$link"; done
mkdir -p "$root/$(dirname "$python")"
printf '#!/bin/sh\\necho "%s"\\n' "$python" >"$root/$python"
chmod 755 "$root/$python"
cp "$4" "$root/trainit"
exec chroot "$root" /trainit
"""


@pytest.fixture
def with_python(trainit, pid1, tmp_path):
    """with_python(FILE, job, …): trainit in an image that has a Python there."""
    def run(python, job, **more):
        (tmp_path / "root").mkdir()
        return pid1(["unshare", "--mount", "sh", "-c", ROOT_WITH_PYTHON, "sh", str(tmp_path / "root"), python, str(job.base),
                     trainit], job=job, **more)

    return run


@pytest.mark.parametrize("python", ["/opt/venv/bin/python", "/venv/bin/python", "/opt/conda/bin/python"])
def test_an_environment_in_a_usual_place_is_found_without_a_variable(job, with_python, python):
    end = with_python(python, script_job(job))
    assert (end.code, end.out) == (0, f"{python}\n"), end


@pytest.mark.parametrize("name", ["python3", "python"])
@pytest.mark.parametrize("sign, found", [("pyvenv.cfg", "that of PATH"), ("conda-meta/history", "that of PATH"),
                                         ("other", "/opt/conda/bin/python")])
def test_an_environment_of_path_goes_before_one_in_a_usual_place(job, with_python, tmp_path, python_at, name, sign, found):
    python_at(tmp_path / "own/bin" / name, "that of PATH")
    (tmp_path / "own" / sign).parent.mkdir(exist_ok=True)
    (tmp_path / "own" / sign).touch()
    for tool in ("sh", "mkdir", "mount", "dirname", "ln", "chmod", "cp", "chroot", "unshare"):
        (tmp_path / "own/bin" / tool).symlink_to(shutil.which(tool))
    end = with_python("/opt/conda/bin/python", script_job(job), env={"PATH": f"{tmp_path}/own/bin"})
    assert (end.code, end.out) == (0, f"{found}\n"), end


def test_nothing_to_run_says_what_could_be_given(trainit, pid1, job):
    here = job()
    fails(pid1([trainit], job=here), here, 125, "there is nothing to run", "trainit -- python train.py")

def test_a_relative_base_directory_is_the_same_job_for_what_the_script_starts(trainit, pid1, job):
    """The script runs in its own directory, and whoever asks trainit there asks of this job."""
    here = job(hyperparameters={"sagemaker_program": "train.sh", "lr": 0.1},
               code={"train.sh": '#!/bin/sh\necho "$SAGEMAKER_BASE_DIR"\n"$TRAINIT" env -- true\n'})
    env = {"SAGEMAKER_BASE_DIR": here.base.name, "TRAINIT": trainit}
    end = pid1([trainit], env=env, cwd=here.base.parent)
    assert end.code == 0, end.err
    base, _, variables = end.out.partition("\n")
    assert base == str(here.base)
    variables = json.loads(variables)["environment"]
    assert (variables["SM_HPS"], variables["SM_MODEL_DIR"]) == ('{"lr":0.1}', str(here.model))


@pytest.mark.parametrize("argv, hint", [(["train"], True), (["trian"], False), (["train", "now"], False)])
def test_a_command_that_is_only_the_word_of_the_platform_is_called_that(trainit, pid1, job, argv, hint):
    end = pid1([trainit, "--", *argv], job=job())
    assert end.code == 127, end
    assert ('the platform puts "train" in the place of the image\'s CMD: the command belongs in ENTRYPOINT' in end.err) == hint, end

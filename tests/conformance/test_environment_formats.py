"""What `trainit env` prints, read back by the programs that it is printed for."""

import json
import os
import random
import subprocess

import pytest

from trainit_testing.both_sides import SEED
from trainit_testing.cache import peer

TEXTS = ["", "1", "a b", " a", "a ", "\t", "#", "a #b", "a#b", "$HOME", "${HOME}", "$(id)", "`id`", "it's", '"a"', "'a'",
         "\\", "a\\", "a\\\\", "\\n", "a\nb", "\n", "a\r\nb", "a\rb", "'a\\'\n", "é", "\u00a0x", "x\u3000", "=", "a=b", "😀",
         '{"a":[1,"b c"]}', "*", "~", "%", "!", "a;b", "a&b", "export A=1", "\x01", "-n", "\x1b[0m", "é\u2028#x", "'"]

READ_DOTENV = """
import dotenv, json, sys
print(json.dumps(dotenv.dotenv_values(sys.argv[1], interpolate=False)))
"""
READ_PROCESS = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def hostile():
    """Variables of every kind of value, with a name that every reader accepts."""
    chance = random.Random(SEED)
    values = TEXTS + ["".join(chance.choices(TEXTS, k=3)) for _ in range(300)]
    return {f"V{number}": value for number, value in enumerate(values)}


@pytest.fixture
def printed(trainit, start):
    def run(form, env):
        end = start([trainit, "env", "--format", form], env=env, namespace=False).wait(60)
        assert end.code == 0, end.err
        return end.out_bytes

    return run


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_shell_gets_every_value_back(printed, hostile, tmp_path, shell):
    script = tmp_path / "environment.sh"
    script.write_bytes(printed("shell", {**hostile, "NO-SHELL": "x", "BYTES": "\udcff"}))
    end = subprocess.run([shell, "-c", '. "$0"; exec /usr/bin/python3 -c "$1"', script, READ_PROCESS], env={},
                         capture_output=True, text=True, check=True)
    assert end.stderr == ""
    seen = json.loads(end.stdout)
    assert {name: seen.get(name) for name in hostile} == hostile
    assert seen["BYTES"] == "\udcff"
    assert "NO-SHELL" not in seen


@pytest.mark.parametrize("options", [["-e"], ["--posix", "-e"]], ids=["plain", "posix"])
def test_no_inherited_name_ends_a_script_of_bash(printed, tmp_path, options):
    names = subprocess.run(["bash", "-c", "readonly -p"], capture_output=True, text=True, check=True).stdout
    read_only = [line.split("=")[0].split()[-1] for line in names.splitlines()]
    assert {"UID", "EUID", "PPID", "SHELLOPTS"} <= set(read_only)
    script = tmp_path / "environment.sh"
    script.write_bytes(printed("shell", {**dict.fromkeys(read_only, "1"), "AND": "more"}))
    end = subprocess.run(["bash", *options, "-c", 'eval "$(cat "$0")"; echo "$AND"', script], capture_output=True, text=True)
    assert (end.stdout, end.stderr, end.returncode) == ("more\n", "", 0)
    assert "# left out: bash sets UID itself" in script.read_text()


def test_no_value_or_name_can_run_anything_in_a_shell(printed, tmp_path):
    trap = tmp_path / "ran"
    env = {"A": f"'; touch {trap}; '", f"B\ntouch {trap}\n#": "x", "C": f"$(touch {trap})", "D": f"\n touch {trap}\n"}
    script = tmp_path / "environment.sh"
    script.write_bytes(printed("shell", env))
    subprocess.run(["sh", "-e", script], check=True)
    assert not trap.exists()


def test_python_dotenv_gets_every_value_back(printed, hostile, tmp_path):
    file = tmp_path / "job.env"
    file.write_bytes(printed("dotenv", {**hostile, "NO-SHELL.NAME": "x"}))
    end = subprocess.run([peer("python-dotenv"), "-c", READ_DOTENV, file], capture_output=True, text=True, check=True)
    assert end.stderr == ""
    seen = json.loads(end.stdout)
    left_out = {name for name in hostile if f'# left out: "{name}"'.encode() in file.read_bytes()}
    assert left_out <= {name for name, value in hostile.items() if value.endswith("\\") or "\r" in value}
    assert {name: seen.get(name) for name in hostile if name not in left_out} == {
        name: value for name, value in hostile.items() if name not in left_out}
    assert seen["NO-SHELL.NAME"] == "x"


def test_a_bare_dotenv_value_is_the_value_itself_for_docker(printed, hostile):
    """docker takes everything behind the first '=' of a line, quotes included."""
    lines = printed("dotenv", hostile).decode().split("\n")
    bare = dict(line.split("=", 1) for line in lines if line.startswith("V") and not line.split("=", 1)[1].startswith("'"))
    assert len(bare) > 100
    assert {name: hostile[name] for name in bare} == bare


def test_json_gives_bytes_back_to_python(printed):
    seen = json.loads(printed("json", {"BYTES": "a\udcff\udc80é", "NO-SHELL": "x"}))
    assert os.fsencode(seen["environment"]["BYTES"]) == b"a\xff\x80\xc3\xa9"
    assert seen["environment"]["NO-SHELL"] == "x"


def test_masked_output_shows_no_secret_in_any_format(trainit, start, job):
    here = job(hyperparameters={"api_key": "hunter2!secret", "epochs": 1, "db": {"password": "p\"w's\\d"}})
    for form in ("json", "shell", "dotenv"):
        end = start([trainit, "env", "--mask", "--format", form], job=here, namespace=False,
                    env={"HF_TOKEN": "hf_abcdefgh", "MY_SETTINGS": '{"smtp": {"password": "letmein"}}'}).wait(60)
        assert end.code == 0, end.err
        for secret in ("hunter2", "hf_abcdefgh", "letmein", "w's", "\\d"):
            assert secret not in end.out, (form, secret)
        assert "SM_HP_EPOCHS" in end.out

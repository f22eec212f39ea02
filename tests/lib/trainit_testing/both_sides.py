"""The same jobs through this project and through the software that it has to agree with."""

import json
import os
import subprocess
from pathlib import Path

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
EXCEPTIONS = json.loads((CONFORMANCE / "exceptions.json").read_text())
# More jobs, or others, than a usual run has: TRAINIT_RANDOM_JOBS=5000 TRAINIT_SEED=7.
JOBS = int(os.environ.get("TRAINIT_RANDOM_JOBS", 150))
SEED = int(os.environ.get("TRAINIT_SEED", 1)) * 1_000_000

CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent",
         "AWS_EC2_METADATA_DISABLED": "true"}


def answers(command, bases, env=None, prefix=()):
    """One line of JSON for each base directory."""
    end = subprocess.run([*prefix, *map(str, command), *map(str, bases)], env={**CLEAN, **(env or {})},
                         stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in end.stdout.splitlines()]
    assert len(lines) == len(bases)
    return lines


def write_job(base, hyperparameters=None, channels=None, resources=None, environment=None):
    """A small job: the values of hyperparameters.json as they are, and of the other files."""
    config = base / "input/config"
    config.mkdir(parents=True)
    resources = resources or {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": "ml.m5.large",
                              "network_interface_name": "eth0"}
    for name, value in {"hyperparameters": hyperparameters or {}, "inputdataconfig": channels or {},
                        "resourceconfig": resources}.items():
        (config / f"{name}.json").write_text(json.dumps(value))
    (base / "environment.json").write_text(json.dumps(environment or {}))
    return base


def write_tool(directory, name, text):
    """A program that prints a text, for PATH."""
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.txt").write_text(text)
    (directory / name).write_text(f'#!/bin/sh\nexec cat "{directory}/{name}.txt"\n')
    (directory / name).chmod(0o755)
    return {"PATH": f"{directory}:{CLEAN['PATH']}"}


def shell_spelling(name):
    return "".join(character if character.isascii() and (character.isalnum() or character == "_") else "_"
                   for character in name)


def second_spellings(names):
    """The names that ours has beside these."""
    return {shell_spelling(name) for name in names if name.startswith(("SM_HP_", "SM_CHANNEL_"))} - set(names)


def assert_documented(side, shown):
    """Every documented exception has a test that shows it, and every test one that is documented."""
    assert sorted(shown) == sorted(entry["name"] for entry in EXCEPTIONS[side])

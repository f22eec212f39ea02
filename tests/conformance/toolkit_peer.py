"""Run by the test peer's Python: what the real toolkit gives the script of the job below each directory.

    toolkit_peer.py BASE…

One line of JSON each: {"environment": {NAME: VALUE}, "arguments": [TEXT]}, or {"error": TEXT} where the toolkit,
or starting a process with what it made, fails. Names and values are what the process would be given, read
back from the real environment.
"""

import importlib
import json
import os
import sys

os.environ["SAGEMAKER_BASE_DIR"] = sys.argv[1]  # without one the import makes directories below HOME

from sagemaker_training import environment, params  # noqa: E402

SET_WHILE_LOOKING = [params.JOB_NAME_ENV, params.CURRENT_HOST_ENV, params.REGION_NAME_ENV]


def as_given_to_a_process(argument):
    data = os.fsencode(argument)
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return os.fsdecode(data)


def look_at(base):
    with open(f"{base}/environment.json") as file:
        os.environ.update(json.load(file))
    os.environ["SAGEMAKER_BASE_DIR"] = base
    importlib.reload(environment)  # its paths are made when it is imported
    job = environment.Environment()
    variables = job.to_env_vars()
    environment.write_env_vars(variables)
    return {"environment": {name: os.environ[name] for name in [*variables, *SET_WHILE_LOOKING]},
            "arguments": [as_given_to_a_process(argument) for argument in job.to_cmd_args()]}


def main():
    inherited = dict(os.environ)
    for base in sys.argv[1:]:
        try:
            seen = look_at(base)
        except Exception as error:  # whatever it is, the toolkit would end the job
            seen = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(seen))
        os.environ.clear()
        os.environ.update(inherited)


main()

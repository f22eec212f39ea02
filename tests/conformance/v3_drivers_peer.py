"""Run by the test peer's Python: what the real v3 drivers give the script of the job below each directory.

    v3_drivers_peer.py BASE…

One line of JSON each: {"environment": {NAME: VALUE}, "arguments": [TEXT]}, or {"error": TEXT}. The values are
those that the drivers mean: their own way through a shell file, which breaks on an apostrophe and on a name
with a dot, is left out.
"""

import contextlib
import json
import logging
import os
import sys
import sysconfig
from pathlib import Path

DRIVERS = Path(sysconfig.get_path("purelib")) / "sagemaker/train/container_drivers"
sys.path.insert(0, str(DRIVERS))

with contextlib.redirect_stdout(sys.stderr):  # their log goes there
    from scripts import environment
    from common import utils

logging.disable(logging.CRITICAL)
PLACES = {name: value for name, value in vars(environment).items()
          if isinstance(value, str) and value.startswith("/opt/ml")}


def config(base, name):
    with open(f"{base}/input/config/{name}.json") as file:
        return json.load(file)


def driver_file(base, name):
    path = Path(f"{base}/input/data/sm_drivers/{name}.json")
    return utils.read_source_code_json(path)


def look_at(base):
    os.environ.update(json.loads(Path(f"{base}/environment.json").read_text()))
    for name, value in PLACES.items():
        setattr(environment, name, base + value.removeprefix("/opt/ml"))
    environment.SM_LOG_LEVEL = os.environ.get("SM_LOG_LEVEL", 20)
    environment.read_source_code_json = lambda: driver_file(base, "sourcecode")
    environment.read_distributed_json = lambda: driver_file(base, "distributed")
    made = {}
    environment.log_env_variables = lambda env_vars_dict: made.update(env_vars_dict)
    environment.set_env(config(base, "resourceconfig"), config(base, "inputdataconfig"),
                        config(base, "hyperparameters"), os.devnull)
    variables = {name: utils.safe_serialize(value) for name, value in made.items()}
    arguments = utils.hyperparameters_to_cli_args(json.loads(variables["SM_HPS"]))
    return {"environment": variables, "arguments": arguments}


def main():
    inherited = dict(os.environ)
    for base in sys.argv[1:]:
        try:
            seen = look_at(base)
        except Exception as error:  # whatever it is, the drivers would end the job
            seen = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(seen))
        os.environ.clear()
        os.environ.update(inherited)


main()

"""Training jobs on disk, laid out as the platform does it."""

import json
import shutil
from pathlib import Path


def platform_text(value):
    """A hyperparameter's value as the Python SDK hands it to the platform: JSON inside a string."""
    return json.dumps(value)


class Job:
    """A job's directory tree below `base`, the variables that lead there, and what is left behind."""

    def __init__(self, base):
        self.base = Path(base)
        self.config = self.base / "input/config"
        self.data = self.base / "input/data"
        self.code = self.base / "code"
        self.model = self.base / "model"
        self.output = self.base / "output"

    @property
    def env(self):
        return {"SAGEMAKER_BASE_DIR": str(self.base)}

    @property
    def success(self):
        """True when the marker of success is there."""
        return (self.output / "success").exists()

    @property
    def failure(self):
        """The text of the failure file, or None."""
        file = self.output / "failure"
        return file.read_text("utf-8") if file.exists() else None

    @property
    def failure_reason(self):
        """What the platform would show: the first 1,024 bytes, or None."""
        file = self.output / "failure"
        return file.read_bytes()[:1024].decode("utf-8") if file.exists() else None

    def write_config(self, name, value):
        """Writes a file of input/config: text and bytes as they are, anything else as JSON."""
        self.config.mkdir(parents=True, exist_ok=True)
        if not isinstance(value, (str, bytes)):
            value = json.dumps(value, indent=2)
        data = value if isinstance(value, bytes) else value.encode()
        (self.config / name).write_bytes(data)

    def write_code(self, name, text, mode=0o644):
        file = self.code / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def add_channel(self, name, content):
        """`content`: a directory or file to copy, or a dictionary of file names and texts."""
        directory = self.data / name
        directory.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            for file, text in content.items():
                (directory / file).parent.mkdir(parents=True, exist_ok=True)
                (directory / file).write_text(text)
        elif Path(content).is_dir():
            shutil.copytree(content, directory, dirs_exist_ok=True)
        else:
            shutil.copy(content, directory)


def default_resources(hosts=("algo-1",), current="algo-1", instance_type="ml.m5.xlarge"):
    hosts = list(hosts)
    return {
        "current_group_name": "homogeneousCluster",
        "current_host": current,
        "current_instance_type": instance_type,
        "hosts": hosts,
        "instance_groups": [{"hosts": hosts, "instance_group_name": "homogeneousCluster",
                             "instance_type": instance_type}],
        "network_interface_name": "eth0",
    }


def lay_out(base, *, hyperparameters=None, raw_hyperparameters=None, channels=None, resources=None,
            code=None, config=None):
    """Lays out a job below `base`.

    hyperparameters      values that the SDK would encode (each becomes JSON inside a string)
    raw_hyperparameters  the file's own dictionary, or its text
    channels             name → see Job.add_channel; the channel config is written to fit
    resources            resourceconfig.json; default: one host, algo-1
    code                 file name → text, below code/
    config               file name → value, for any other (or any broken) file of input/config
    """
    job = Job(base)
    if raw_hyperparameters is None:
        raw_hyperparameters = {name: platform_text(value)
                               for name, value in (hyperparameters or {}).items()}
    job.write_config("hyperparameters.json", raw_hyperparameters)
    job.write_config("resourceconfig.json", resources or default_resources())
    job.write_config("inputdataconfig.json", {
        name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
               "RecordWrapperType": "None"} for name in channels or {}})
    for directory in (job.data, job.model, job.output / "data"):
        directory.mkdir(parents=True, exist_ok=True)
    for name, content in (channels or {}).items():
        job.add_channel(name, content)
    for name, text in (code or {}).items():
        job.write_code(name, text)
    for name, value in (config or {}).items():
        job.write_config(name, value)
    return job

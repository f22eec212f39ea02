"""Random training jobs on disk: every dialect in which hyperparameters arrive, hostile texts, clusters of all shapes.

A job is made from its seed alone, so a failure is repeated with the seed that the test prints.
"""

import json
import random
from pathlib import Path

PLAIN_NAMES = ["epochs", "batch-size", "learning-rate", "lr", "LR", "e", "E", "model.lr", "a-b", "a_b", "a.b",
               "A-B", "mp_parameters", "größe", "straße", "ﬁle", "ÿ", "ςa", "name with space", "quo'te", "x/y",
               "model_dir", "_hidden", "9lives", "sagemaker", "SAGEMAKER_x", "hps", "user_args"]
TEXTS = ["", "adam", "resnet 50", "007", "1e400", "-0", "-0.0", "NaN", "-Infinity", "Infinity", "True", "null",
         "None", "{", "[1,", "'", '"', "\\", "1_000", "0x10", "+1", ".5", "5.", "1e5", "1e16", "0.1", "9" * 40,
         "$(id) ; a'b", "`x` && y", "a=b", "--flag", "-", " ", "\t5\n", "it's \"both\"", "١٢", "\u00a05",
         "[1, 'a']", "{'b': 2}", "//", "%s", "line\nend", "😀", "e\u0301", "\x7f", "\x01", "null ", "\ufeff1"]
CHARACTERS = ["a", "B", "7", "_", "-", ".", " ", "'", '"', "\\", "$", "`", "/", ",", "é", "ß", "ı", "ǆ", "ﬃ", "Ω",
              "中", "\u00a0", "\u200b", "\u2028", "\ue000", "😀", "𐐨", "\n", "\t", "\r", "\x1b", "\x85"]
UNFIT = ["\x00", "\ud800", "\udfff"]
FLAGS = ["sagemaker_mpi_enabled", "sagemaker_parameter_server_enabled", "sagemaker_torch_distributed_enabled",
         "sagemaker_distributed_dataparallel_enabled", "sagemaker_pytorch_ddp_enabled",
         "sagemaker_pytorch_xla_multi_worker_enabled", "sagemaker_multi_worker_mirrored_strategy_enabled"]


class RandomJob:
    """`unfit`: some have characters or names that no process can be given."""

    def __init__(self, seed, unfit=False):
        self.seed = seed
        self.random = random.Random(seed)
        self.unfit = unfit
        self.hosts = self._hosts()
        self.groups = self._groups()
        self.hyperparameters = self._hyperparameters()
        self.channels = {self._channel_name(): self._channel() for _ in range(self._few(4))}
        self.resources = self._resources()
        self.environment = self._environment()

    def write(self, base):
        config = Path(base) / "input/config"
        config.mkdir(parents=True)
        (Path(base) / "input/data").mkdir()
        (config / "hyperparameters.json").write_bytes(self._hyperparameters_text().encode())
        (config / "inputdataconfig.json").write_text(json.dumps(self.channels))
        (config / "resourceconfig.json").write_text(json.dumps(self.resources))
        (Path(base) / "environment.json").write_text(json.dumps(self.environment))
        return str(base)

    def _few(self, most):
        return self.random.choice(range(most + 1))

    def _maybe(self, chance):
        return self.random.random() < chance

    # ---------------------------------------------------------------------------- hyperparameters

    def _text(self):
        if self._maybe(0.5):
            return self.random.choice(TEXTS)
        characters = CHARACTERS + ["\udc80", "\udcff"] + (UNFIT if self.unfit and self._maybe(0.1) else [])
        return "".join(self.random.choices(characters, k=self.random.randint(1, 12)))

    def _number(self):
        return self.random.choice([
            self.random.randint(-9, 9), self.random.randint(-2**70, 2**70), self.random.random(),
            self.random.uniform(-1, 1) * 10.0 ** self.random.randint(-320, 308), 1e-05, 1e16, 123456789012345680.0,
            float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 0.1 + 0.2])

    def _value(self, depth=0):
        kinds = ["text", "number", "word", "number", "text"] + (["list", "object"] if depth < 3 else [])
        kind = self.random.choice(kinds)
        if kind == "text":
            return self._text()
        if kind == "number":
            return self._number()
        if kind == "word":
            return self.random.choice([True, False, None])
        if kind == "list":
            return [self._value(depth + 1) for _ in range(self._few(4))]
        return {self._text(): self._value(depth + 1) for _ in range(self._few(4))}

    def _in_some_dialect(self, value):
        """As the platform's file holds it: the SDK's JSON in a string, Python's text, or the value itself."""
        dialect = self.random.choice(["json", "json", "json raw", "str", "native", "v3", "spaced"])
        if dialect == "native":
            return value
        if dialect == "str" or (dialect == "v3" and isinstance(value, str)):
            return str(value)
        if dialect == "spaced":
            return f" {json.dumps(value)}\n"
        return json.dumps(value, ensure_ascii=dialect != "json raw")

    def _name(self):
        if self._maybe(0.7):
            return self.random.choice(PLAIN_NAMES)
        name = self._text().replace("=", "")
        return name + "=" if self.unfit and self._maybe(0.05) else name

    def _hyperparameters(self):
        pairs = [(name, self._in_some_dialect(self._value()))
                 for name in (self._name() for _ in range(self._few(12)))
                 if not name.startswith(("sagemaker_", "trainit_"))]
        pairs += self._platform_parameters()
        self.random.shuffle(pairs)
        return pairs

    def _platform_parameters(self):
        choices = [("sagemaker_program", self.random.choice(["train.py", "src/main.py", "run.sh", "pkg", ".py"])),
                   ("sagemaker_job_name", "job-1"),
                   ("sagemaker_region", "eu-west-1"),
                   ("sagemaker_container_log_level", self.random.choice([10, 20, 40])),
                   ("sagemaker_submit_directory", "s3://bucket/größe/source.tar.gz"),
                   ("sagemaker_s3_output", "s3://bucket/out"),
                   ("sagemaker_enable_cloudwatch_metrics", False),
                   ("_tuning_objective_metric", "loss"),
                   ("default_user_module_name", "x"),
                   ("sagemaker_something", self._value()),
                   ("sagemaker_instance_type", "ml.p4d.24xlarge")]
        pairs = [(name, json.dumps(value)) for name, value in choices if self._maybe(0.3)]
        pairs += [(name, self.random.choice(["true", "false", "1", "0", True, False, 0, 1, "null", None, '""']))
                  for name in FLAGS if self._maybe(0.1)]
        if self.groups and self._maybe(0.3):
            names = [group["instance_group_name"] for group in self.groups]
            chosen = self.random.sample(names, self.random.randint(1, len(names)))
            pairs.append(("sagemaker_distribution_instance_groups", json.dumps(chosen)))
        return pairs

    def _hyperparameters_text(self):
        # Of two equal names both are written, which no dictionary could hold.
        ascii_only = self._maybe(0.5) or any("\ud800" <= character <= "\udfff"
                                             for character in repr_of_all(self.hyperparameters))
        end = self.random.choice(["", "\n", "\r\n", " "])
        lines = [f"{json.dumps(name, ensure_ascii=ascii_only)}: {json.dumps(value, ensure_ascii=ascii_only)}"
                 for name, value in self.hyperparameters]
        return "{" + end + f",{end}".join(lines) + end + "}" + end

    # ------------------------------------------------------------------------- channels and hosts

    def _channel_name(self):
        characters = "abcXYZ019._-" if self._maybe(0.8) else "aéß中 '$"
        name = "".join(self.random.choices(characters, k=self.random.randint(1, 10)))
        return self.random.choice(["train", "test", "my-data"]) if name in (".", "..") else name

    def _channel(self):
        config = {"TrainingInputMode": self.random.choice(["File", "FastFile", "Pipe"]),
                  "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None",
                  "ContentType": "text/csv", "Extra": self._value()}
        return {key: value for key, value in config.items() if self._maybe(0.7)}

    def _hosts(self):
        hosts = [f"algo-{number}" for number in range(1, self.random.choice([1, 1, 1, 2, 3, 12]) + 1)]
        if self._maybe(0.3):
            self.random.shuffle(hosts)
        return hosts

    def _groups(self):
        if self._maybe(0.3):
            return None
        hosts = self.random.sample(self.hosts, len(self.hosts))
        count = self.random.choice([1, 1, 2, 3])
        names = ["homogeneousCluster"] if count == 1 else [f"group-{number}" for number in range(count)]
        return [{"instance_group_name": name, "instance_type": self.random.choice(["ml.m5.large", "ml.p5.48xlarge"]),
                 "hosts": hosts[number::count]} for number, name in enumerate(names)]

    def _resources(self):
        current = self.random.choice(self.hosts)
        resources = {"current_host": current, "hosts": self.hosts}
        if self.groups is not None:
            resources["instance_groups"] = self.groups
            resources["current_group_name"] = next(
                group["instance_group_name"] for group in self.groups if current in group["hosts"])
        choices = {"current_instance_type": self.random.choice(["ml.g5.xlarge", "ml.trn2.48xlarge", "local"]),
                   "network_interface_name": self.random.choice(["eth0", "ethwe", "eth1"]),
                   "topology": [{"hostName": host, "capacityUnitId": "u-1"} for host in self.hosts][:self._few(2)],
                   "unknown": self._value()}
        resources.update((key, value) for key, value in choices.items() if self._maybe(0.7))
        return resources

    def _environment(self):
        choices = {"TRAINING_JOB_NAME": self.random.choice(["job-1", "Jöb", ""]),
                   "SAGEMAKER_PROGRAM": self.random.choice(["other.py", "run.sh"]),
                   "SAGEMAKER_TRAINING_MODULE": "framework.training:main",
                   "SM_HP_MP_PARAMETERS": self.random.choice(["", "{}", '{"partitions":2}']),
                   "AWS_DEFAULT_REGION": "us-east-1",
                   "CURRENT_HOST": "stale", "SM_HPS": "stale", "SM_HOSTS": "stale", "SM_LOG_LEVEL": "10"}
        return {name: value for name, value in choices.items() if self._maybe(0.3)}


def repr_of_all(pairs):
    """Every character of the names and values, without escapes."""
    return json.dumps(pairs, ensure_ascii=False)

"""The documents that a stranger reads say what the binary really does.

Logs in them stand below a mark, `<!-- log of a success -->`. The same job is run here with a stand-in for the script, and its
lines have to have the shape of those in the document: numbers, times and the machine's own figures may differ, words may not.
"""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from trainit_testing import store_client

REPOSITORY = Path(__file__).resolve().parent.parent.parent
README = REPOSITORY / "README.md"
WALK_THROUGH = REPOSITORY / "docs/how-a-training-job-works.md"
ARCHITECTURE = REPOSITORY / "docs/architecture.md"
SEED_JOB = REPOSITORY / "tests/fixtures/seed-job/input/config"
SOURCE_DIRECTORIES = ["cmake", "docker", "docs", "launcher", "scripts", "tests", "toolkit"]


def name_of(file):
    return str(file.relative_to(REPOSITORY))


def files(*endings):
    found = [file for file in REPOSITORY.iterdir() if file.is_file()]
    found += [file for top in SOURCE_DIRECTORIES for file in (REPOSITORY / top).rglob("*") if file.is_file()]
    return sorted(file for file in found if not endings or file.suffix in endings)


MARKDOWN = files(".md")


# ---------------------------------------------------------------------------------------------- links

def headings(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        assert not heading or heading in headings(target), f"{name_of(page)} links to {link}"


def test_every_page_that_some_file_speaks_of_is_there():
    readable = files(".md", ".h", ".cc", ".c", ".py", ".cmake", ".txt", "")
    missing = [f"{name_of(file)} speaks of {page}" for file in readable
               for page in re.findall(r"\bdocs/[\w-]+\.md\b", file.read_text(errors="ignore"))
               if not (REPOSITORY / page).exists()]
    assert not missing, "\n".join(missing)


def test_every_page_is_reached_from_the_readme():
    for page in (REPOSITORY / "docs").glob("*.md"):
        assert f"({name_of(page)})" in README.read_text(), name_of(page)


# ------------------------------------------------------------------------------------------ the tables

def table_rows(page, first_column):
    """The rows of the table whose head begins with this column, as lists of cells."""
    _, _, rest = page.read_text().partition(f"\n| {first_column} |")
    assert rest, f"{name_of(page)} has no table that begins with {first_column}"
    lines = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_readmes_table_of_options_is_what_the_help_says(trainit, clean_env):
    printed = subprocess.run([REPOSITORY / "scripts/generate-options-table", "--print"], check=True, text=True,
                             stdout=subprocess.PIPE, env=clean_env | {"TRAINIT_BINARY": trainit}).stdout
    table = re.search(r"<!-- options begin -->\n(.*)<!-- options end -->", README.read_text(), re.DOTALL)[1]
    assert table == printed, "scripts/generate-options-table brings it up to date"


EXIT_CODES = {
    "0": [("exit 0", 0)],
    "the worker's own": [("exit 1", 1), ("exit 77", 77)],
    "128 + n": [("kill -9 $$", 137), ("kill -TERM $$", 143)],
    "125": [],
    "126": [("/etc/passwd", 126)],
    "127": [("/nowhere/train", 127)],
}


def test_the_readmes_table_of_exit_codes_has_these_rows():
    assert [row[0] for row in table_rows(README, "exit code")] == list(EXIT_CODES)


@pytest.mark.parametrize("script, code", [case for cases in EXIT_CODES.values() for case in cases])
def test_the_exit_codes_are_those_of_the_readme(trainit, pid1, job, script, code):
    command = [script] if script.startswith("/") else ["sh", "-c", script]
    assert pid1([trainit, "--", *command], job=job()).code == code


def test_a_job_that_cannot_be_set_up_is_125_and_a_script_without_python_127(trainit, pid1, job):
    assert pid1([trainit, "--", "true"], job=job(config={"resourceconfig.json": "{}"})).code == 125
    no_python = job(hyperparameters={"sagemaker_program": "train.py"}, code={"train.py": ""})
    assert pid1([trainit, "--python", "/nowhere/python"], job=no_python).code == 127


def worker_environment(trainit, pid1, here, *options):
    end = pid1([trainit, "env", *options], job=here, env={"TRAINIT_GPU_PROBE": "never"})
    assert end.code == 0, end.err
    return json.loads(end.out)["environment"]


def test_every_variable_of_the_readmes_table_is_there(trainit, pid1, job):
    here = job(hyperparameters={"name": 1}, channels={"name": {}},
               resources={"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"},
               config={"checkpointconfig.json": {"LocalPath": "/tmp/checkpoints"}})
    present = worker_environment(trainit, pid1, here, "--workers", "2")
    named = [name for row in table_rows(README, "variable") for name in re.findall(r"`([^`]+)`", row[0])]
    assert len(named) > 25
    for name in named:
        expected = re.escape(name.replace("<NAME>", "NAME")).replace(r"\*", r"\w+")
        assert any(re.fullmatch(expected, variable) for variable in present), name


# -------------------------------------------------------------------------------------------- the logs

def blocks(page, mark):
    return re.findall(rf"<!-- {mark} -->\n```\n(.*?)```", page.read_text(), re.DOTALL)


def shape(line):
    """What of a line of ours does not depend on the machine and the moment."""
    line = re.sub(r".* cpus? · .* memory.*", "MACHINE", line)
    line = re.sub(r"([A-Z_]+)=\S+", r"\1=…", line) if "set because unset" in line else line
    line = re.sub(r"\d+(:\d\d)+|\d+(\.\d+)? (min \d+ )?s\b", "TIME", line)
    line = re.sub(r"TIME (later|earlier)|at the same time", "WHEN", line)
    line = re.sub(r"(rank +)pid", r"\1pid", line)
    line = re.sub(r"\d+(\.\d+)? [KMG]B", "SIZE", line)
    line = re.sub(r"pid \d+", "pid N", line)
    line = re.sub(r"^(trainit: +\d+ +)\d+ ", r"\1N ", line)
    line = re.sub(r"trainit: \d\.\d+\.\d+", "trainit: VERSION", line)
    return re.sub(r" +", " ", line)


def our_shapes(text, base):
    text = text.replace(str(base), "/opt/ml")
    return [shape(line) for line in text.splitlines() if line.startswith("trainit: ")]


@pytest.fixture
def demo_job(job, tmp_path):
    """The job of scripts/demo; its Python is a shell script. /app/train.py need not be there."""
    def make(stand_in, **hyperparameters):
        python = tmp_path / "bin/python3"
        python.parent.mkdir()
        python.write_text(f"#!/bin/sh\n{stand_in}\n")
        python.chmod(0o755)
        values = {"epochs": "10", "batch-size": "64", "learning-rate": "0.1", **hyperparameters}
        here = job(raw_hyperparameters=values, channels={"train": {"digits.csv": ""}, "test": {"digits.csv": ""}},
                   resources={"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo",
                              "current_instance_type": "ml.m5.xlarge"})
        (here.model / "model.pt").write_text("a model")
        for name in ("first", "second"):
            os.mkfifo(tmp_path / name)
        here.path = {"PATH": f"{python.parent}:/usr/bin:/bin", "FIFOS": str(tmp_path)}
        return here

    return make


COMMAND = ["--workers", "2", "--args", "toolkit", "--", "python3", "/app/train.py"]


# Each is there until all have come, and the launcher knows it.
JOINS = f"""/usr/bin/python3 -S -c '
import os, sys, time
sys.path.insert(0, "{store_client.SEARCH_PATH}")
from trainit_testing.store_client import Client
client = Client.of_worker()
client.join()
while "rendezvous" not in open(os.environ["SM_OUTPUT_DATA_DIR"] + "/trainit/algo-1.jsonl").read():
    time.sleep(0.01)' || exit 9
"""


@pytest.mark.parametrize("page", [README, WALK_THROUGH], ids=name_of)
def test_the_log_of_a_success_is_what_is_printed(trainit, pid1, demo_job, page):
    here = demo_job(JOINS + "echo epoch 1 loss 2.17")
    end = pid1([trainit, *COMMAND], job=here, env=here.path)
    assert end.code == 0 and here.success
    (shown,) = blocks(page, "log of a success")
    assert our_shapes(shown, here.base) == our_shapes(end.err, here.base)


# Rank 1 raises after rank 0 and is still there when rank 0 ends.
RAISES = r"""
say() { printf 'Traceback (most recent call last):\n  File "/app/train.py", line 53, in make_optimizer\n' >&2
        printf '    raise ValueError("learning rate must be positive")\nValueError: learning rate must be positive\n' >&2; }
if [ "$RANK" = 0 ]; then
  say
  echo >"$FIFOS/first"
  read line <"$FIFOS/second"
  exit 1
fi
read line <"$FIFOS/first"
say
echo >"$FIFOS/second"
exec sleep 60
"""


@pytest.mark.parametrize("page", [README, WALK_THROUGH], ids=name_of)
def test_the_log_of_a_failure_is_what_is_printed(trainit, pid1, demo_job, page):
    here = demo_job(RAISES, **{"learning-rate": "-1"})
    end = pid1([trainit, *COMMAND], job=here, env=here.path)
    assert end.code == 1
    (shown,) = blocks(page, "log of a failure")
    shown = our_shapes(shown, here.base)
    assert shown == our_shapes(end.err, here.base)[-len(shown):]
    assert "algo-1 rank 0: ValueError: learning rate must be positive (train.py:53, exit code 1" in here.failure


# The real script, with stand-ins for what it imports: it raises before it has need of them.
IMPORTS = """
import sys
from unittest.mock import MagicMock

for name in ("numpy", "torch", "torch.distributed", "torch.nn", "torch.nn.parallel", "torch.utils", "torch.utils.data"):
    sys.modules[name] = MagicMock()
sys.modules["torch"].cuda.is_available.return_value = False
"""
EXAMPLE = REPOSITORY / "docker/examples/pytorch/train.py"


def test_the_walk_throughs_failure_file_is_what_the_script_leaves(trainit, pid1, demo_job, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(IMPORTS)
    here = demo_job(f'shift; exec /usr/bin/python3 {EXAMPLE} "$@"', **{"learning-rate": "-1"})
    end = pid1([trainit, *COMMAND], job=here, env={**here.path, "PYTHONPATH": str(tmp_path)})
    assert end.code == 1, end
    (shown,) = blocks(WALK_THROUGH, "failure file")
    left = here.failure.replace(str(EXAMPLE), "/app/train.py")
    # Which of the two raises first is chance.
    shown, left = (re.sub(r"rank [01]", "rank N", shape(text)).strip() for text in (shown, left))
    assert left == shown


OBEYS = r"""
trap '[ $RANK = 0 ] && echo "asked to stop: checkpoint after epoch 5 written to /opt/ml/checkpoints/checkpoint.pt"; exit 0' TERM
""" + JOINS + r"""
[ $RANK = 0 ] && echo "epoch 5 loss 0.19"
while :; do sleep 0.01; done
"""


def test_the_log_of_a_stop_is_what_is_printed(trainit, start, demo_job):
    here = demo_job(OBEYS)
    running = start([trainit, *COMMAND], job=here, env=here.path)
    running.wait_for("epoch 5")
    running.signal(signal.SIGTERM)
    end = running.wait()
    (shown,) = blocks(WALK_THROUGH, "log of a stop")
    ours = our_shapes(end.err, here.base)
    assert end.code == 0 and our_shapes(shown, here.base) == ours[ours.index("trainit: SIGTERM came: stopping 2 workers"):]
    assert [line for line in shown.splitlines() if not line.startswith("trainit: ")] == end.out.splitlines()


# Rank 2 raises, and while the interpreter of that goes down the others lose their connections, one after the other.
RAISES_IN_THREE = JOINS + r"""
say() { printf 'Traceback (most recent call last):\n  File "/opt/ml/code/train.py", line %s, in <module>\n    %s\n%s\n' "$@" >&2; }
closed='RuntimeError: [./gloo/transport/tcp/pair.cc:598] Connection closed by peer [127.0.0.1]:9095'
case $RANK in
2) say 6 'raise ValueError("loss is nan")' 'ValueError: loss is nan'
   echo >"$FIFOS/first"; read line <"$FIFOS/third"; exit 1 ;;
0) read line <"$FIFOS/first"; say 7 'dist.all_reduce(torch.ones(4))' "$closed"; echo >"$FIFOS/second"; exec sleep 60 ;;
1) read line <"$FIFOS/second"; say 7 'dist.all_reduce(torch.ones(4))' "$closed"; echo >"$FIFOS/third"; exec sleep 60 ;;
esac
"""


@pytest.fixture
def story(trainit, pid1, demo_job):
    """The job of the page on failures, with stand-ins: its log, and what `failure` and `explain` say of it."""
    here = demo_job(RAISES_IN_THREE)
    os.mkfifo(Path(here.path["FIFOS"]) / "third")
    end = pid1([trainit, "--workers", "3", "--", "python3", "/opt/ml/code/train.py"], job=here, env=here.path)
    assert end.code == 1, end
    told = {command: pid1([trainit, command], job=here).out for command in ("failure", "explain")}
    return here, end, told


def shapes_of_a_story(text):
    """As `shape`, of any line; which of two that were told to stop ended first is chance."""
    text = without_peers(text)
    text = re.sub(r"(?m)^ +-?\d+\.\d{3} s ", "TIME ", text)
    text = re.sub(r"as process \d+", "as process N", text)
    text = re.sub(r"(?m)^( +\d+ +)\d+ ( +|SIGTERM|\d)", r"\1N \2", text)
    lines = [shape(line) for line in text.splitlines()]
    return sorted(lines) if any("killed by SIGTERM" in line for line in lines) else lines


def test_the_page_on_failures_shows_what_is_printed(story):
    here, end, told = story
    page = REPOSITORY / "docs/failures.md"
    (failure,), (time_line,) = blocks(page, "failure command"), blocks(page, "time line")
    assert shapes_of_a_story(told["failure"]) == shapes_of_a_story(failure)
    assert shapes_of_a_story(told["explain"].split("\n\n")[1]) == shapes_of_a_story(time_line)
    (log,) = blocks(page, "log")
    shown = our_shapes(without_peers(log), here.base)
    assert shown == our_shapes(without_peers(end.err), here.base)[-len(shown):]


def without_peers(text):
    return re.sub(r"\[127\.0\.0\.1\]:\d+", "PEER", text)


def test_the_walk_through_shows_the_record_that_is_written(trainit, pid1, demo_job):
    here = demo_job(JOINS)
    assert pid1([trainit, *COMMAND], job=here, env=here.path).code == 0
    (shown,) = blocks(WALK_THROUGH, "record")
    record = [json.loads(line) for line in (here.output / "data/trainit/algo-1.jsonl").read_text().splitlines()]
    # Which of the two ends first is chance.
    shown = sorted(shown.splitlines(), key=lambda line: re.search(r'"event": "(\w+)"', line)[1])
    record.sort(key=lambda event: event["event"])
    assert [re.search(r'"event": "(\w+)"', line)[1] for line in shown] == [event["event"] for event in record]
    for line, names in zip(shown, map(list, record)):
        # What is left out in the document is told by "…"; of a line that is whole the members are all there are.
        assert "…" in line or list(json.loads(line)) == names
        assert not [name for name in names if f'"{name}":' not in line], line


def seed_files():
    return {file.name: file.read_bytes() for file in SEED_JOB.iterdir()}


def local_code(config, directory):
    """As the SDK's local mode names the code."""
    hyperparameters = json.loads(config["hyperparameters.json"])
    hyperparameters["sagemaker_submit_directory"] = json.dumps(str(directory))
    return config | {"hyperparameters.json": hyperparameters}


NAMED = {"TRAINING_JOB_NAME": "digits-2026-11-23-10-00-00-000", "SAGEMAKER_PYTHON": "/usr/bin/python3"}


def test_the_log_of_a_script_is_what_is_printed(trainit, pid1, job, tmp_path):
    here = job(code={"train.py": "print('epoch 1 loss 1.79')"})
    for name, value in local_code(seed_files(), here.code).items():
        here.write_config(name, value)
    (here.model / "model.pt").write_text("a model")
    end = pid1([trainit, "train"], job=here, env=NAMED)
    (shown,) = blocks(WALK_THROUGH, "log of a script")
    assert end.code == 0, end.err
    assert our_shapes(shown, here.base) == our_shapes(end.err, here.base)


def test_the_arguments_and_variables_of_the_seeds_job(trainit, pid1, job):
    here = job(code={"train.py": "import json, sys; print(json.dumps(sys.argv))"})
    for name, value in local_code(seed_files(), here.code).items():
        here.write_config(name, value)
    end = pid1([trainit, "train"], job=here, env=NAMED)
    assert json.loads(end.out) == ["train.py", "--batch-size", "64", "--epochs", "10", "--learning-rate", "0.1"]
    seen = worker_environment(trainit, pid1, here)
    assert seen["SM_HPS"] == '{"batch-size":64,"epochs":10,"learning-rate":0.1}'
    assert (seen["SM_USER_ENTRY_POINT"], seen["SM_CHANNELS"]) == ("train.py", '["test","train"]')
    assert seen["PYTHONPATH"] == str(here.code) and "RANK" not in seen


MISTAKES = {
    README: [({"hyperparameters.json": '{\n "epochs": "10",\n "batch-size""64"\n}'}, {}),
             ({"resourceconfig.json": {"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]}}, {}),
             ({"hyperparameters.json": {"sagemaker_program": "train.sh"}}, {"train.sh": "#!/bin/bash\r\necho\r\n"})],
    WALK_THROUGH: [(seed_files(), {})],
}


@pytest.mark.parametrize("page", MISTAKES, ids=name_of)
def test_the_sentences_about_mistakes_are_what_is_printed(trainit, pid1, job, page):
    (shown,) = blocks(page, "mistakes")
    sentences = shown.splitlines()
    assert len(sentences) == len(MISTAKES[page])
    for sentence, (config, code) in zip(sentences, MISTAKES[page]):
        here = job(config=config)
        for name, text in code.items():
            here.write_code(name, "").write_bytes(text.encode())
        end = pid1([trainit], job=here)
        assert end.code != 0 and sentence in end.err.replace(str(here.base), "/opt/ml").splitlines(), end.err


# -------------------------------------------------------------------------------------- the walk-through

VARIES = {"MASTER_PORT", "SM_NUM_CPUS", "OMP_NUM_THREADS"}


def test_the_walk_throughs_variables_are_those_of_its_job(trainit, pid1, demo_job):
    here = demo_job("")
    seen = worker_environment(trainit, pid1, here, "--workers", "2", "--args", "toolkit")
    lines = "".join(blocks(WALK_THROUGH, "environment")).splitlines()
    assert len(lines) > 20
    for line in lines:
        name, _, value = line.partition("=")
        assert name in seen
        assert name in VARIES or seen[name].replace(str(here.base), "/opt/ml") == value, name


def test_the_walk_through_shows_the_demos_job():
    """The three files, and what they become, are those that scripts/demo lays out."""
    demo, page = (REPOSITORY / "scripts/demo").read_text(), WALK_THROUGH.read_text()
    (first, second) = re.findall(r"<<'JSON'\n(.*?\n)JSON\n", demo, re.DOTALL)
    assert first in page and second in page
    for values in re.findall(r"lay_out \"\$demo/job\" '(.*)'", demo):
        assert values in page
    assert "--workers 2 --args toolkit -- " in demo and "trainit --workers 2 --args toolkit -- " in page
    # The names that the page says are others.
    (python,) = re.findall(r"--args toolkit -- (\S+) ", demo)
    (base,) = re.findall(r'train "\$demo/(job)"', demo)
    for name in (python, f"SAGEMAKER_BASE_DIR=build/demo/{base}", "docker/examples/pytorch/train.py"):
        assert f"`{name}`" in page


@pytest.mark.parametrize("page", [README, WALK_THROUGH], ids=name_of)
def test_the_place_of_the_error_is_where_the_example_raises_it(page):
    lines = (REPOSITORY / "docker/examples/pytorch/train.py").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if "learning rate must be positive" in line]
    assert set(re.findall(r"train\.py:(\d+)", page.read_text())) == {str(number)}


# --------------------------------------------------------------------------------------- the architecture

def source_stems():
    """directory → names of its source files; a header and its source count as one name."""
    stems = {}
    for file in files(".h", ".cc", ".c"):
        directory = name_of(file.parent)
        if directory.split("/")[0] in ("toolkit", "launcher"):
            stems.setdefault(directory, {}).setdefault(file.stem, []).append(file.name)
    return {directory: sorted(names[0] if len(names) == 1 else stem for stem, names in found.items())
            for directory, found in stems.items()}


def described_stems():
    sections = re.split(r"^### ", ARCHITECTURE.read_text(), flags=re.MULTILINE)[1:]
    return {section.split("\n")[0].strip(): re.findall(r"^\* `([^`]+)`: \S.*\.$", section, re.MULTILINE)
            for section in sections}


def test_the_architecture_has_one_sentence_for_every_source_file():
    described, present = described_stems(), source_stems()
    assert sorted(described) == sorted(present)
    for directory, names in present.items():
        assert described[directory] == names, directory


def test_every_path_that_the_architecture_names_is_there():
    paths = re.findall(r"`((?:toolkit|launcher|tests|scripts|docs)/[\w/.-]+)`", ARCHITECTURE.read_text())
    assert len(paths) > 15
    for path in paths:
        assert (REPOSITORY / path).exists() or list(REPOSITORY.glob(f"{path}.*")), path

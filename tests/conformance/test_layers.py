"""The house has layers, and what a file includes follows them: its own layer and those that it stands on."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PUBLIC = REPOSITORY / "toolkit/include"

# Each layer and what it stands on directly; lowest first. docs/architecture.md shows the same.
LAYERS = {
    "base": [],
    "sys": ["base"],
    "job": ["sys"],
    "hardware": ["sys"],
    "cluster": ["job"],
    "environment": ["job", "hardware", "cluster"],
    "store": ["sys"],
    "nccl": ["store"],
    "library": ["environment", "store"],
    "options": ["environment"],
    "code": ["options"],
    "plan": ["code"],
    "diagnose": ["hardware"],
    "names": ["sys"],
    "coordination": ["diagnose", "environment", "names"],
    "logs": ["sys"],
    "report": ["sys"],
    "supervise": ["plan", "coordination", "logs", "report", "store"],
    "check": ["plan", "names", "store"],
    "launcher": ["supervise", "check", "diagnose"],
}
TOOLKIT = ["base", "sys", "job", "hardware", "cluster", "environment", "store", "nccl", "library"]
# Which layer makes what a public header promises.
PUBLIC_HEADERS = {
    "result.h": "base", "json.h": "base", "environment.h": "base",
    "paths.h": "job", "channels.h": "job", "hyperparameters.h": "job", "resources.h": "job", "outcome.h": "job",
    "training_job.h": "job", "hardware.h": "hardware", "cluster.h": "cluster",
    "store.h": "store", "nccl.h": "nccl", "trainit.h": "library",
}
# For programs that use other libraries too, and so no part of trainit.h: what they include of those.
OPTIONAL_HEADERS = {"nccl.h": {"nccl.h"}}
STANDARD = {"algorithm", "array", "atomic", "bit", "charconv", "chrono", "cmath", "compare", "concepts", "csignal", "cstddef",
            "cstdint", "cstdio", "cstdlib", "cstring", "deque", "functional", "initializer_list", "iterator", "limits", "map", "memory",
            "numeric", "optional", "set", "span", "string", "string_view", "tuple", "type_traits", "unordered_map",
            "unordered_set", "utility", "variant", "vector"}
# They bring the locale, hundreds of kilobytes, or threads into a static PID 1.
UNWANTED = {"iostream", "fstream", "sstream", "iomanip", "regex", "filesystem", "locale", "codecvt", "thread", "mutex", "future"}
# In a static binary these load modules of the image's own C library.
UNWANTED_CALL = re.compile(r"\b(getpw\w+|getgr(?:nam|gid|ent)\w*|initgroups|getaddrinfo|gethostby\w+|dlopen|iconv\w*|setlocale)\(")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"(?P<ours>[^"]+)"|<(?P<system>[^>]+)>)', re.MULTILINE)
SOURCES = sorted(file for top in ("toolkit", "launcher") for file in (REPOSITORY / top).rglob("*")
                 if file.suffix in (".h", ".cc", ".c"))


def name_of(file):
    return str(file.relative_to(REPOSITORY))


def layer_of(file):
    parts = file.relative_to(REPOSITORY).parts
    if file.is_relative_to(PUBLIC):
        return PUBLIC_HEADERS[file.name]
    if parts == ("launcher", "options.h"):
        return "options"
    if parts[0] == "launcher" and (len(parts) == 2 or parts[1] == "commands"):
        return "launcher"
    return parts[1]


def below(layer):
    """The layer itself and all that it stands on."""
    found = {layer}
    for lower in LAYERS[layer]:
        found |= below(lower)
    return found


def found_file(include, source):
    roots = [source.parent, REPOSITORY / "toolkit", PUBLIC, REPOSITORY / "launcher"]
    return next((root / include for root in roots if (root / include).exists()), None)


def includes(file):
    return list(INCLUDE.finditer(file.read_text()))


def test_every_file_belongs_to_a_layer_of_the_table():
    assert len(SOURCES) > 100
    assert {layer_of(file) for file in SOURCES} == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_includes_only_itself_and_what_it_stands_on(layer):
    wrong = []
    for file in (file for file in SOURCES if layer_of(file) == layer):
        for include in filter(None, (match["ours"] for match in includes(file))):
            target = found_file(include, file)
            assert target, f"{name_of(file)} includes {include}, which is nowhere"
            if layer_of(target.resolve()) not in below(layer):
                wrong.append(f"{name_of(file)} ({layer}) includes {include} ({layer_of(target.resolve())})")
    assert not wrong, "\n".join(wrong)


def test_the_architecture_page_shows_the_same_layers():
    page = (REPOSITORY / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| (\w+) \| ?([\w, ]*?) ?\| .*\|$", page.split("## The layers")[1], re.MULTILINE)
    shown = {layer: [lower for lower in lowers.split(", ") if lower] for layer, lowers in rows if layer != "layer"}
    assert shown == LAYERS


# What runs once there are workers, and so is built a second time with faults (tests/faults).
AFTER_THE_FIRST_WORKER = ["toolkit/sys/cgroup.cc", "toolkit/sys/event_loop.cc", "toolkit/sys/files.cc",
                          "toolkit/sys/process_tree.cc", "toolkit/sys/unique_fd.cc", "toolkit/job/outcome.cc",
                          "launcher/between_rounds.cc", "launcher/conclusion.cc", "launcher/error_directory.cc",
                          "launcher/markers.cc", "launcher/output.cc", "launcher/recording.cc", "launcher/round.cc",
                          "launcher/rounds.cc",
                          "launcher/coordination/*.cc", "launcher/logs/*.cc", "launcher/report/*.cc",
                          "launcher/supervise/*.cc"]
# What cannot fail; what the store's process alone does before it serves; what the kernel never refuses for so few bytes; and
# where we are, which may be nowhere.
NEVER_STRUCK = {"_exit", "getpgrp", "getpid", "getppid", "getsid", "dup2", "getrandom", "getcwd"}


@pytest.mark.parametrize("pattern", AFTER_THE_FIRST_WORKER)
def test_what_runs_beside_workers_makes_system_calls_where_tests_can_make_them_fail(pattern):
    files = list(REPOSITORY.glob(pattern))
    assert files
    wrong = [f"{name_of(file)}: {match[0]}" for file in files
             for match in re.finditer(r"(?<![\w>])::([a-z_]\w*)\(", file.read_text()) if match[1] not in NEVER_STRUCK]
    assert not wrong, "\n".join(wrong)


def test_every_system_call_that_can_be_made_to_fail_is_made_to():
    calls = set(re.findall(r"using ::(\w+);", (REPOSITORY / "toolkit/sys/posix.h").read_text()))
    struck = re.search(r"^ERRORS = \{(.*?)^\}", (REPOSITORY / "tests/faults/test_faults.py").read_text(), re.DOTALL | re.MULTILINE)
    assert len(calls) > 50 and set(re.findall(r'^    "(\w+)": ', struck[1], re.MULTILINE)) == calls


def test_what_explains_a_failure_knows_values_only():
    assert below("diagnose").isdisjoint({"logs", "supervise", "report", "plan"})


def test_what_hosts_say_to_each_other_knows_nothing_of_how_workers_are_run():
    assert below("coordination").isdisjoint({"logs", "supervise", "report", "plan", "store"})


def test_what_loads_libraries_is_no_part_of_the_launcher():
    assert "nccl" not in below("launcher")


def test_the_library_knows_nothing_of_the_launcher():
    assert all(below(layer) <= set(TOOLKIT) for layer in TOOLKIT)


def linked_layers(directory):
    """What CMake links, as `trainit_layer(NAME SOURCES … DEPENDS …)` says it."""
    text = (directory / "CMakeLists.txt").read_text()
    call = re.search(r"trainit_layer\((\w+)\s.*?DEPENDS\s+([^)]*)\)", text, re.DOTALL)
    return call[1], [name.removeprefix("trainit::") for name in call[2].split() if name.startswith("trainit::")]


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer not in ("library", "options", "launcher")])
def test_the_build_links_what_the_table_says(layer):
    directory = REPOSITORY / ("toolkit" if layer in TOOLKIT else "launcher") / layer
    # launcher/options.h is a header alone, so what stands on it links what it stands on.
    expected = [other for name in LAYERS[layer] for other in (LAYERS["options"] if name == "options" else [name])]
    assert linked_layers(directory) == (layer, expected)


@pytest.mark.parametrize("top", ["toolkit", "launcher"])
def test_the_build_goes_through_the_layers_from_the_lowest(top):
    order = re.findall(r"add_subdirectory\((\w+)\)", (REPOSITORY / top / "CMakeLists.txt").read_text())
    assert order == [layer for layer in LAYERS if layer in order]
    for place, layer in enumerate(order):
        assert below(layer) & set(order) <= set(order[:place + 1])


@pytest.mark.parametrize("header", sorted(PUBLIC.rglob("*.h")), ids=lambda file: file.name)
def test_a_public_header_needs_nothing_but_public_headers_and_the_standard_library(header):
    for match in includes(header):
        if match["ours"]:
            assert (PUBLIC / match["ours"]).exists(), match["ours"]
        else:
            allowed = STANDARD | {"tl/expected.hpp"} | OPTIONAL_HEADERS.get(header.name, set())
            assert match["system"] in allowed, match["system"]


def test_the_header_of_everything_includes_every_other_public_header():
    assert {Path(match["ours"]).name for match in includes(PUBLIC / "trainit/trainit.h")} == \
        set(PUBLIC_HEADERS) - {"trainit.h"} - set(OPTIONAL_HEADERS)


def test_no_file_includes_what_a_static_first_process_should_not_have():
    wrong = [f"{name_of(file)} includes {match['system']}" for file in SOURCES for match in includes(file)
             if match["system"] in UNWANTED]
    assert not wrong, "\n".join(wrong)


def test_no_file_calls_what_would_load_the_images_libraries_into_the_first_process():
    # The helper and the probe are processes of their own, and what is for NCCL runs in trainers alone.
    sources = [file for file in SOURCES if file.parent.name not in ("gpu_helper", "gpu_probe") and layer_of(file) != "nccl"]
    wrong = [f"{name_of(file)} calls {match[1]}" for file in sources
             for match in UNWANTED_CALL.finditer(file.read_text())]
    assert not wrong, "\n".join(wrong)

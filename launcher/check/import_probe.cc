// The program that the job's own Python runs to find out what its script imports.
//
// It runs isolated (-I), so that nothing beside the script stands for a module of the library, and
// adds the script's directory and PYTHONPATH to sys.path itself. A name is looked for with
// find_spec on its first part only, because for "a.b" that would import a. It must run on every
// Python that the job may have, from 3.6 on: nodes that only a later one has are named by methods.
#include "check/python.h"

namespace trainit::check {

const char kImportProbe[] = R"PY(
import ast
import importlib.util
import json
import os
import re
import site
import sys
import zipfile

MOST_FILES, MOST_BYTES, MOST_ANSWERS = 500, 4 << 20, 200
ALWAYS, MAYBE, GUARDED = "always", "maybe", "guarded"
ENDING = {"exit", "_exit", "quit"}
CATCHING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
TORCH = {"torch", "accelerate", "fastai", "lightning", "pytorch_lightning", "transformers"}
kind, name = sys.argv[1:3]


def set_search_path():
    if kind != "script":
        start = os.getcwd()
    else:
        start = name if os.path.isdir(name) else os.path.dirname(os.path.realpath(name))
    given = os.environ.get("PYTHONPATH", "")
    if sys.prefix == sys.base_prefix and not os.environ.get("PYTHONNOUSERSITE"):
        user = site.getusersitepackages()
        if os.path.isdir(user):
            site.addsitedir(user)
    sys.path[:0] = [start] + [entry or os.getcwd() for entry in given.split(os.pathsep) if given]
    return start


def name_of(node):
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def ends_program(statement):
    call = getattr(statement, "value", None)
    return isinstance(statement, ast.Raise) or isinstance(call, ast.Call) and name_of(call.func) in ENDING


def catches(handler):
    """It is for a missing module, and goes on without."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    caught = any(kind is None or name_of(kind) in CATCHING for kind in kinds)
    return caught and not ends_program(handler.body[-1])


def is_main_test(test):
    return isinstance(test, ast.Compare) and name_of(test.left) == "__name__"


class Imports(ast.NodeVisitor):
    """The imports of one file: (line, name, level, names, how sure it is that they run)."""

    def __init__(self, is_main, runs):
        self.is_main, self.runs, self.found = is_main, runs, []

    def below(self, nodes, runs):
        # What may be is never made certain, and what is guarded stays so.
        before = self.runs
        self.runs = GUARDED if GUARDED in (before, runs) else MAYBE if MAYBE in (before, runs) else ALWAYS
        for node in nodes:
            self.visit(node)
        self.runs = before

    def generic_visit(self, node):
        # No expression has a statement in it, and a sum of many is as deep as it is long.
        if not isinstance(node, ast.expr):
            super().generic_visit(node)

    def visit_Import(self, node):
        for alias in node.names:
            self.found.append((node.lineno, alias.name, 0, [], self.runs))

    def visit_ImportFrom(self, node):
        names = [alias.name for alias in node.names]
        self.found.append((node.lineno, node.module or "", node.level, names, self.runs))

    def visit_Try(self, node):
        guarded = any(map(catches, node.handlers))
        self.below(node.body, GUARDED if guarded else ALWAYS)
        for handler in node.handlers:
            self.below(handler.body, GUARDED if guarded else MAYBE)
        self.below(node.orelse, MAYBE if guarded else ALWAYS)
        self.below(node.finalbody, ALWAYS)

    visit_TryStar = visit_Try

    def visit_With(self, node):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        suppressed = [argument for call in calls if name_of(call.func) == "suppress" for argument in call.args]
        self.below(node.body, GUARDED if any(name_of(one) in CATCHING for one in suppressed) else ALWAYS)

    def visit_FunctionDef(self, node):
        self.below(node.body, MAYBE)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_For(self, node):
        self.below(node.body + node.orelse, MAYBE)

    visit_AsyncFor = visit_While = visit_For

    def visit_Match(self, node):
        for case in node.cases:
            self.below(case.body, MAYBE)

    def visit_If(self, node):
        if name_of(node.test) == "TYPE_CHECKING":
            self.below(node.orelse, ALWAYS)
        elif is_main_test(node.test):
            self.below(node.body if self.is_main else node.orelse, ALWAYS)
        else:
            self.below(node.body + node.orelse, MAYBE)


def files_of(root, dotted):
    """The files of a module below `root`, its packages first."""
    found, place = [], root
    for part in filter(None, dotted.split(".")):
        place = os.path.join(place, part)
        files = [os.path.join(place, "__init__.py"), place + ".py"]
        found += [file for file in files if os.path.isfile(file)][:1]
    return found


def is_there(module):
    if module in sys.builtin_module_names or module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
    except Exception:  # of a finder that some package has put there
        return True


def read(file):
    with open(file, "rb") as opened:
        return opened.read(MOST_BYTES)


def changes_path(tree):
    return any(isinstance(node, ast.Attribute) and node.attr == "path" and name_of(node.value) == "sys"
               for node in ast.walk(tree))


class Walk:
    def __init__(self, start):
        self.start, self.seen, self.todo, self.known = start, set(), [], {}
        self.missing, self.mistakes, self.files, self.names = [], [], 0, set()
        self.changes_path = False

    def add(self, file, runs, is_main=False):
        if file not in self.seen and len(self.seen) < MOST_FILES:
            self.seen.add(file)
            self.todo.append((file, runs, is_main))

    def run(self):
        while self.todo:
            file, runs, is_main = self.todo.pop(0)
            try:
                source = read(file)
            except OSError as error:
                if is_main:
                    self.mistakes.append({"file": file, "line": 0, "message": str(error), "runs": runs})
                continue
            self.look_into(source, file, runs, is_main)

    def look_into(self, source, file, runs, is_main):
        imports = Imports(is_main, runs)
        try:
            tree = ast.parse(source, file)
            imports.visit(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 0
            message = getattr(error, "msg", None) or str(error) or "it is nested too deep"
            self.mistakes.append({"file": file, "line": line, "message": message, "runs": runs})
            return
        self.files += 1
        self.changes_path = self.changes_path or changes_path(tree)
        for line, dotted, level, names, how in imports.found:
            root = os.path.dirname(file) if level > 0 else self.start
            self.names.add(dotted.split(".")[0])
            for _ in range(level - 1):
                root = os.path.dirname(root)
            files = files_of(root, dotted)
            if not files and level == 0 and dotted:
                self.judge(dotted.split(".")[0], file, line, how)
            base = os.path.join(root, *dotted.split("."))
            for one in names:
                files += files_of(base, one)
            for one in files:
                self.add(one, how)

    def judge(self, module, file, line, how):
        if module not in self.known:
            self.known[module] = is_there(module)
        if not self.known[module]:
            self.missing.append({"module": module, "file": file, "line": line, "runs": how})


def versions():
    try:
        from importlib import metadata
    except ImportError:  # before 3.8
        return {}
    names = ["torch", "numpy"] + ["nvidia-%s-cu%d" % (part, major)
                                  for part in ("nccl", "cuda-runtime") for major in (11, 12, 13)]
    found = {}
    for one in names + ["nvidia-cuda-runtime"]:
        try:
            found[one] = metadata.version(one)
        except Exception:
            pass
    return found


def torch_cuda():
    """What torch/version.py says, read as text: "12.4", or "" for a build without CUDA."""
    spec = importlib.util.find_spec("torch") if is_there("torch") else None
    if spec is None or not spec.origin:
        return None
    try:
        text = read(os.path.join(os.path.dirname(spec.origin), "version.py")).decode("utf-8", "replace")
    except OSError:
        return None
    match = re.search(r"^cuda\b[^=\n]*=\s*(?:['\"]([\d.]+)['\"]|None)", text, re.MULTILINE)
    return (match.group(1) or "") if match else None


def nccl_library():
    for entry in sys.path:
        file = os.path.join(entry, "nvidia/nccl/lib/libnccl.so.2")
        if os.path.isfile(file):
            return file
    return ""


def add_module(walk, start):
    """What -m runs, pkg/sub.py or pkg/sub/__main__.py, and the packages that it is in."""
    parts = name.split(".")
    path = os.path.join(start, *parts)
    choices = [os.path.join(path, "__main__.py"), path + ".py"]
    script = next(filter(os.path.isfile, choices), None)
    for file in files_of(start, name):
        if file != script:
            walk.add(file, ALWAYS)
    if script:
        walk.add(script, ALWAYS, True)
    elif os.path.isfile(os.path.join(start, parts[0], "__init__.py")) and not os.path.isfile(path + ".pyc"):
        tail = [] if not os.path.isdir(path) else ["__main__"]
        walk.missing.append({"module": ".".join(parts + tail), "file": "", "line": 0, "runs": ALWAYS})
    else:
        walk.judge(parts[0], "", 0, ALWAYS)


def walk_all(start):
    walk = Walk(start)
    if kind == "code":
        walk.look_into(name, "-c", ALWAYS, True)
    elif kind == "module":
        add_module(walk, start)
    elif not is_archive:
        walk.add(os.path.join(name, "__main__.py") if os.path.isdir(name) else name, ALWAYS, True)
    walk.run()
    return walk


# A walk takes a few frames for each branch of a long if, of which Python reads some thousands.
sys.setrecursionlimit(20000)
is_archive = kind == "script" and not os.path.isdir(name) and zipfile.is_zipfile(name)
walk = walk_all(set_search_path())
json.dump({"version": "%d.%d.%d" % sys.version_info[:3], "files": walk.files, "modules": len(walk.known),
           "missing": walk.missing[:MOST_ANSWERS], "mistakes": walk.mistakes[:MOST_ANSWERS], "packages": versions(),
           "archive": is_archive,
           "changes_path": walk.changes_path, "uses_torch": bool(TORCH & walk.names), "torch_cuda": torch_cuda(), "nccl_library": nccl_library()}, sys.stdout)
)PY";

}  // namespace trainit::check

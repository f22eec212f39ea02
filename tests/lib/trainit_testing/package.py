"""The library as others get it: installed as a package, and used by projects outside this repository."""

import re
import subprocess
from pathlib import Path


def run(*command):
    done = subprocess.run([str(word) for word in command], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def setting(build_directory, name):
    """What CMake found, or was told, when it made a build directory."""
    cache = (Path(build_directory) / "CMakeCache.txt").read_text()
    return re.search(rf"^{name}:\w+=(.*)$", cache, re.MULTILINE)[1]


def install(build_directory, prefix):
    """Installs the library of a build directory below `prefix`."""
    run("cmake", "--install", build_directory, "--component", "library", "--prefix", prefix)
    return prefix


def build_project(source, build_directory, prefix, **variables):
    """Builds somebody else's project against the package below `prefix`."""
    settings = [f"-D{name}={value}" for name, value in variables.items()]
    run("cmake", "-S", source, "-B", build_directory, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", *settings)
    run("cmake", "--build", build_directory)
    return build_directory

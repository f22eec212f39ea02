# Sourced after common.sh: packages of PyPI as the archives that they come in. Nothing of them is installed.

# wheels PINS DIRECTORY: brings the archives of the packages that PINS names, with its checksums, into DIRECTORY.
wheels() {
  $python -m venv "$2/venv"
  "$2/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps \
    --only-binary=:all: --require-hashes -r "$1" -d "$2"
  rm -rf "$2/venv"
}

# unpack_wheels DIRECTORY TARGET PATTERN: of each archive in DIRECTORY the files whose whole path the regular
# expression PATTERN matches, as TARGET/<its first group>.
unpack_wheels() {
  $python - "$@" <<'END'
import pathlib, re, sys, zipfile

wheels, target, pattern = sys.argv[1:]
for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            found = re.fullmatch(pattern, name)
            if found and not name.endswith("/"):
                file = pathlib.Path(target, found[1])
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(name))
END
}

# fetch_pinned PINS DIRECTORY TARGET PATTERN FILE…: makes DIRECTORY anew with what unpack_wheels takes from the packages
# of PINS, below DIRECTORY/TARGET. Each FILE has to be there then. Whoever calls it marks DIRECTORY as complete.
fetch_pinned() {
  local pins=$1 directory=$2 target=$3 pattern=$4 file
  shift 4
  say "fetching: $(grep -o '^nvidia-[^ ]*' "$pins" | tr '\n' ' ')"
  rm -rf "$directory"
  mkdir -p "$directory/wheels"
  wheels "$pins" "$directory/wheels"
  unpack_wheels "$directory/wheels" "$directory/$target" "$pattern"
  for file in "$@"; do
    [ -f "$directory/$target/$file" ] || die "the packages do not hold $file"
  done
  rm -rf "$directory/wheels"
}

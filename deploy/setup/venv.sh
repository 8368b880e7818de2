#!/usr/bin/env bash
# Makes .venv from a lock, with a Python that Sentinel supports. usage: venv.sh LOCK STAMP
set -euo pipefail
cd "$(dirname "$0")/../.."
lock=$1 stamp=$2

suits() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
find_python() { for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do suits "$name" && { echo "$name"; return; }; done; return 1; }

python=$(find_python) || { deploy/setup/apt.sh python3 python3-venv; python=$(find_python); } ||
    { echo "Python 3.11 to 3.13 is needed, and Debian's python3 is another" >&2; exit 2; }
# Debian splits ensurepip from python3: a venv without pip is of no use
"$python" -c 'import ensurepip' 2>/dev/null || deploy/setup/apt.sh python3-venv

[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
# bytecode too: where the environment forbids Python to write it, every start would compile the imports anew
.venv/bin/python -m compileall -q sentinel streams models
# compile once here what the first events would otherwise wait for
.venv/bin/python -c 'from sentinel import assembly; assembly.prepare()'
touch "$stamp"

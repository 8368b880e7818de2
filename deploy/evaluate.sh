#!/usr/bin/env bash
# Several simulated hospitals, replayed within a budget, held against what was planted. usage: evaluate.sh [SEED]
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-${SEED:-}}
[[ $seed =~ ^[0-9]*$ ]] || { echo "a seed is a whole number" >&2; exit 2; }
exec .venv/bin/python -m deploy.evaluate ${seed:+"$seed"}

#!/usr/bin/env bash
# The virtual environment with exactly the pinned packages. torch comes by pip, which takes a
# local CPU build where one is configured; uv then resolves the rest in seconds around it.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
venv="${VENV:-.venv}"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "FaceGPT needs Python 3.11 or newer; '$python' is not. Try: make PYTHON=python3.11 demo" >&2
  exit 2
fi

step() { printf '\n== %s\n' "$*"; }
step "virtual environment in $venv"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
step "torch (CPU; the largest download)"
"$venv/bin/python" -m pip install --quiet --upgrade pip
"$venv/bin/python" -m pip install --quiet --constraint constraints.txt torch uv
step "the other packages, as pinned"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --constraint constraints.txt --editable ".[dev]"
step "ready: $("$venv/bin/python" -c 'import torch; print("torch", torch.__version__)')"

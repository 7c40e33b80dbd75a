#!/usr/bin/env bash
# The served model against the engine in this process. Needs vLLM: make serve-cpu, or FACEGPT_SERVE_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/.."
"${BIN:-.venv/bin}/python" -m pytest -m serve tests/test_serving/test_served_parity.py "$@"

#!/usr/bin/env bash
# Exported faces in three.js in headless Chromium (tests/test_browser); pictures in out/browser.
# Skipped, with the reason, where Chromium or playwright is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${VENV:-.venv}/bin/python"
[ -x "$python" ] || python="${PYTHON:-python3}"
exec "$python" -m pytest -m browser -rs tests/test_browser "$@"

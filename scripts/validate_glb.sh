#!/usr/bin/env bash
# The Khronos glTF validator on FILE.glb..., or on every kind of .glb that export can write.
# Fails on errors. Where npm is missing or its registry does not answer, it says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/node_packages.sh || {
  code=$?
  [ "$code" -eq 3 ] || exit "$code"
  echo "the Khronos glTF validator was not asked"
  exit 0
}
if [ "$#" -eq 0 ]; then
  python="${VENV:-.venv}/bin/python"
  [ -x "$python" ] || python="${PYTHON:-python3}"
  "$python" benchmarks/export.py --write out/validator
  set -- out/validator/*.glb
fi
exec node scripts/validate_glb.mjs build/node "$@"

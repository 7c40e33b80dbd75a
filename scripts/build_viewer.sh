#!/usr/bin/env bash
# Builds ui/viewer/facegpt-viewer.js, the committed bundle, from ui/viewer/src and npm's three.
# Only needed after a change there; a test compares the bundle's first line with its sources.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/node_packages.sh
python="${PYTHON:-python3}"
sources="$("$python" -c "from ui.viewer import fingerprint; print(fingerprint())")"
build/node/node_modules/.bin/esbuild ui/viewer/src/component.js --bundle --minify --format=esm --target=es2022 \
  --charset=utf8 --legal-comments=none --alias:three=./build/node/node_modules/three \
  --banner:js="/* facegpt-viewer, sources $sources; contains three.js (MIT), see THREE-LICENSE.txt */" \
  --outfile=ui/viewer/facegpt-viewer.js
size="$(wc -c < ui/viewer/facegpt-viewer.js)"
echo "ui/viewer/facegpt-viewer.js: $size bytes, $(gzip -c ui/viewer/facegpt-viewer.js | wc -c) gzipped"
test "$size" -le 700000 || { echo "the bundle is larger than 700,000 bytes" >&2; exit 1; }

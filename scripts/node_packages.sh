#!/usr/bin/env bash
# The node packages of ui/viewer/package-lock.json, in build/node. Exits with 3 and a sentence
# where npm is missing or the registry does not answer, so that callers can go without.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null; then
  echo "npm is not on this machine; it comes with Node.js 20 or newer" >&2
  exit 3
fi
mkdir -p build/node
if cmp -s ui/viewer/package-lock.json build/node/installed.json; then exit 0; fi
cp ui/viewer/package.json ui/viewer/package-lock.json build/node/
if ! (cd build/node && npm ci --no-audit --no-fund --loglevel=error); then
  echo "the npm registry did not give the packages of ui/viewer/package-lock.json" >&2
  exit 3
fi
cp ui/viewer/package-lock.json build/node/installed.json

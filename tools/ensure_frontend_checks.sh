#!/bin/sh
# TypeScript and biome, which check the dashboard's scripts and styles, at their locked versions.
set -eu
cd "$(dirname "$0")"
./ensure_node.sh
if ! cmp -s frontend/package-lock.json frontend/node_modules/.installed; then
  npm ci --silent --no-audit --no-fund --ignore-scripts --prefix frontend
  cp frontend/package-lock.json frontend/node_modules/.installed
fi

#!/bin/sh
# The JavaScript clients with which tests call the gateway, at their locked versions.
set -eu
"$(dirname "$0")/ensure_node.sh"
folder=.venv/node
locked=tools/node_clients
if ! cmp -s $locked/package-lock.json $folder/node_modules/.installed; then
  mkdir -p $folder
  cp $locked/package.json $locked/package-lock.json $folder
  npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $folder
  cp $locked/package-lock.json $folder/node_modules/.installed
fi

#!/bin/sh
# Generators of API clients: for Python in a separate environment, because it needs an older typer
# than the product; for TypeScript with the compiler that checks its output.
set -eu
folder=.venv/clients
if ! cmp -s requirements/clients.txt $folder/installed.txt; then
  rm -rf $folder
  ${PYTHON:-python3} -m venv $folder
  $folder/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
    -r requirements/clients.txt
  cp requirements/clients.txt $folder/installed.txt
fi
locked=tools/client_generators
if ! cmp -s $locked/package-lock.json $folder/node/node_modules/.installed; then
  mkdir -p $folder/node
  cp $locked/package.json $locked/package-lock.json $folder/node
  npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $folder/node
  cp $locked/package-lock.json $folder/node/node_modules/.installed
fi

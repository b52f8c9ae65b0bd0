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
if [ ! -e $folder/node/node_modules/.bin/openapi-typescript ]; then
  mkdir -p $folder/node
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix $folder/node \
    openapi-typescript@7.13.0 typescript@5.9.3
fi

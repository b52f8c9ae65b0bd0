#!/bin/sh
# LiteLLM's proxy in a separate environment: a source of usage in tests and a peer in benchmarks.
set -eu
folder=bench/.peers/litellm
if [ ! -e $folder/bin/litellm ]; then
  rm -rf $folder
  ${PYTHON:-python3} -m venv $folder
  $folder/bin/python -m pip install --quiet 'litellm[proxy]'
fi

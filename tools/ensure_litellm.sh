#!/bin/sh
# LiteLLM's proxy in an environment of its own: a peer to receive from and to measure beside.
set -eu
folder=bench/.peers/litellm
if [ ! -e $folder/bin/litellm ]; then
  rm -rf $folder
  ${PYTHON:-python3} -m venv $folder
  $folder/bin/python -m pip install --quiet 'litellm[proxy]'
fi

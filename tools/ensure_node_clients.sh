#!/bin/sh
# The clients for JavaScript that tests call the gateway with; Node itself from Debian if missing.
set -eu
if ! command -v npm >/dev/null 2>&1; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need Node and npm; on Debian: apt-get install nodejs npm" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi
if [ ! -d .venv/node/node_modules/openai ] || [ ! -d .venv/node/node_modules/@anthropic-ai/sdk ]; then
  mkdir -p .venv/node
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .venv/node \
    openai@7.55.0 @anthropic-ai/sdk@1.14.0
fi

#!/bin/sh
# The JavaScript clients with which tests call the gateway.
set -eu
"$(dirname "$0")/ensure_node.sh"
if [ ! -d .venv/node/node_modules/openai ] || [ ! -d .venv/node/node_modules/@anthropic-ai/sdk ]; then
  mkdir -p .venv/node
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .venv/node \
    openai@7.55.0 @anthropic-ai/sdk@1.14.0
fi

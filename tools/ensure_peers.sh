#!/bin/sh
# The peers of the benchmarks: nginx and wrk from Debian, Portkey's gateway, LiteLLM's proxy.
set -eu
if ! command -v nginx >/dev/null 2>&1 || ! command -v wrk >/dev/null 2>&1; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The benchmarks need nginx and wrk; on Debian: apt-get install nginx-light wrk" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light wrk >/dev/null
fi
peers=bench/.peers
if [ ! -e $peers/node_modules ] && command -v npm >/dev/null 2>&1; then
  mkdir -p $peers
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix $peers @portkey-ai/gateway
fi
tools/ensure_litellm.sh

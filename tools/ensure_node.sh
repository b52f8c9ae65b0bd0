#!/bin/sh
# Node and npm: the installed ones, else Debian's.
set -eu
if command -v npm >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
  exit 0
fi
echo "The checks need Node and npm; on Debian: apt-get install nodejs npm" >&2
exit 1

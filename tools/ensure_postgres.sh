#!/bin/sh
# The server for a test and the benchmarks: an installed PostgreSQL, else Debian's.
set -eu
if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
  exit 0
fi
echo "Tests and benchmarks need PostgreSQL; on Debian: apt-get install postgresql" >&2
exit 1

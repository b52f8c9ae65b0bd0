#!/bin/sh
# The browser of the page tests: an installed Chromium, else Debian's.
set -eu
for browser in chromium chromium-browser google-chrome; do
  if command -v "$browser" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
  exit 0
fi
echo "The page tests need Chromium; on Debian: apt-get install chromium" >&2
exit 1

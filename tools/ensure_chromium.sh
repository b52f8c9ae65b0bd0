#!/bin/sh
# The browser of the page tests: Debian's headless Chromium, which opens a page with half the work,
# else any installed Chromium, else Debian's.
set -eu
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; }
if command -v chromium-headless-shell >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20 || true  # offline, too
  if install chromium-headless-shell >/dev/null 2>&1; then exit 0; fi
fi
for browser in chromium chromium-browser google-chrome; do
  if command -v "$browser" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  install chromium >/dev/null
  exit 0
fi
echo "The page tests need Chromium; on Debian: apt-get install chromium-headless-shell" >&2
exit 1

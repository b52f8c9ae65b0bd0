#!/bin/sh
# Boots an image as deploy/compose.yaml does, without privileges and on a read-only file system, and
# waits until it is ready.
set -eu
image=${1:?usage: tools/boot_container.sh IMAGE}
name=outlay-boot-$$
trap 'docker rm --force "$name" >/dev/null 2>&1 || true' EXIT
docker run --detach --name "$name" --read-only --tmpfs /tmp --cap-drop ALL \
  --security-opt no-new-privileges --env OUTLAY_LOG=info,json "$image" >/dev/null
for _ in $(seq 60); do
  if docker exec "$name" python -c \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4100/readyz', timeout=2)" \
    2>/dev/null; then
    docker exec "$name" outlay doctor
    docker stop --time 30 "$name" >/dev/null
    status=$(docker inspect --format '{{.State.ExitCode}}' "$name")
    echo "$image was ready, and ended with exit code $status"
    exit "$status"
  fi
  sleep 1
done
echo "$image was not ready within a minute; its log:" >&2
docker logs "$name" >&2
exit 1

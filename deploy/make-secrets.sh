#!/bin/sh
# Creates the secrets of deploy/compose.yaml in deploy/secrets; existing ones are kept.
# Keep a copy of outlay_master_key and outlay_audit_key: without them the secrets of upstreams cannot
# be opened, nor can the audit trail be continued.
set -eu
folder=$(dirname "$0")/secrets
# The folder is private. The files in it are readable by the users of the containers, whose ids
# differ from those of this machine.
mkdir -p "$folder"
chmod 700 "$folder"

keep() {
  if [ ! -s "$folder/$1" ]; then printf '%s' "$2" >"$folder/$1"; fi
  chmod 444 "$folder/$1"
}

for name in postgres_password postgres_outlay_password clickhouse_password \
  outlay_master_key outlay_audit_key; do
  keep "$name" "$(openssl rand -hex 32)"
done
keep outlay_database_url \
  "postgresql://outlay:$(cat "$folder/postgres_outlay_password")@postgres/outlay"
keep outlay_cube_url "clickhouse://outlay:$(cat "$folder/clickhouse_password")@clickhouse:8123/outlay"
echo "The secrets are in $folder."

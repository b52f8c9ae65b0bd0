#!/bin/sh
# A role that is not a superuser, so that row-level security applies to it, and its database.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat "$POSTGRES_OUTLAY_PASSWORD_FILE")" --username postgres <<'SQL'
CREATE ROLE outlay LOGIN PASSWORD :'password';
CREATE DATABASE outlay OWNER outlay TEMPLATE template0;
SQL

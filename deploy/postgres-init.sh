#!/bin/sh
# A role that is no superuser, so that the row-level policies hold it, and a database of its own.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat "$POSTGRES_OUTLAY_PASSWORD_FILE")" --username postgres <<'SQL'
CREATE ROLE outlay LOGIN PASSWORD :'password';
CREATE DATABASE outlay OWNER outlay TEMPLATE template0;
SQL

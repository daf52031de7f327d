#!/bin/sh
# Run by the Postgres image once, when its data folder is empty: creates LUCI's roles, users and database.
set -eu
secret() { cat "/run/secrets/$1"; }
psql --no-psqlrc --username "$POSTGRES_USER" --dbname postgres \
    -v owner_password="$(secret OWNER_PASSWORD)" -v login_password="$(secret LOGIN_PASSWORD)" \
    -v backup_password="$(secret BACKUP_PASSWORD)" -f /etc/luci/roles.sql

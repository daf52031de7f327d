#!/bin/sh
# Makes every secret of deploy/compose.yaml in a folder, default deploy/secrets: passwords, keys, URLs. Existing files stay.
#   deploy/secrets.sh [FOLDER]
# Keep copies of LUCI_MASTER_KEY and seal.key elsewhere: without them no stored credential can be read, and no seal made.
set -eu
folder=${1:-"$(dirname "$0")/secrets"}

# The folder is closed, its files are not: containers read them as users of their own, and see only the files they are given.
mkdir -p "$folder"
chmod 700 "$folder"
umask 022
cd "$folder"

# A new file appears whole or not at all.
put() { if [ ! -s "$1" ]; then cat > "$1.new" && mv "$1.new" "$1"; else cat > /dev/null; fi; }
random() { if [ ! -s "$1" ]; then openssl rand -hex "$2" | tr -d '\n' | put "$1"; fi; }
text() { if [ ! -s "$1" ]; then printf '%s' "$2" | put "$1"; fi; }

for name in POSTGRES_PASSWORD OWNER_PASSWORD LOGIN_PASSWORD BACKUP_PASSWORD NATS_PASSWORD NATS_ADMIN_PASSWORD NATS_ROUTE_PASSWORD; do
    random $name 24
done
random LUCI_MASTER_KEY 32
random LUCI_STORE_SECRET 24
text LUCI_STORE_KEY_ID luci
if [ ! -s seal.key ]; then openssl genpkey -algorithm ed25519 | put seal.key; fi

text LUCI_DATABASE_URL "postgres://luci:$(cat LOGIN_PASSWORD)@postgres:5432/luci"
text OWNER_DATABASE_URL "postgres://luci_owner:$(cat OWNER_PASSWORD)@postgres:5432/luci"
text BACKUP_DATABASE_URL "postgres://luci_backup:$(cat BACKUP_PASSWORD)@postgres:5432/luci"
# `nats` is any of the three nodes; a client learns the addresses of the others from the one it reached.
text LUCI_NATS_URL "nats://luci:$(cat NATS_PASSWORD)@nats:4222"

put users.conf <<END
accounts {
  # A dashboard that subscribes by itself gets a user of its own here, with the subjects of its tenant and nothing to publish:
  #   { user: acme, password: "…", permissions: {
  #       subscribe: ["luci.tenant_….>", "tele.tenant_….>", "_INBOX.>"], publish: { deny: ">" } } }
  LUCI { jetstream: enabled, users: [ { user: luci, password: "$(cat NATS_PASSWORD)" } ] }
  SYS { users: [ { user: admin, password: "$(cat NATS_ADMIN_PASSWORD)" } ] }
}
system_account: SYS
END
route="nats://route:$(cat NATS_ROUTE_PASSWORD)"
put routes.conf <<END
authorization { user: route, password: "$(cat NATS_ROUTE_PASSWORD)", timeout: 2 }
routes: [ "$route@nats-1:6222", "$route@nats-2:6222", "$route@nats-3:6222" ]
END
put s3.json <<END
{"identities": [{"name": "luci", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "$(cat LUCI_STORE_KEY_ID)", "secretKey": "$(cat LUCI_STORE_SECRET)"}]}]}
END

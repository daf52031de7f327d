#!/bin/sh
# Runs `luci` in a container: each file /run/secrets/LUCI_… becomes the setting of its name, so that no secret is in the
# container's configuration, where `docker inspect` shows it.
set -eu
for file in /run/secrets/LUCI_*; do
    # Without secrets, the pattern itself.
    [ -f "$file" ] || continue
    export "$(basename "$file")=$(cat "$file")"
done
exec luci "$@"

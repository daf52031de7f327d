#!/bin/sh
# What must hold before anything is merged; ends with one line a step. Called by `make test`.
set -eu
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
steps=""

step() {
    name=$1; shift
    echo "== $name: $*" >&2
    began=$(date +%s)
    # Through a file, as a pipe would hide the exit status.
    if "$@" > "$log" 2>&1; then outcome=ok; else outcome=FAILED; fi
    if [ $outcome = FAILED ] || [ "$name" = tests ] || [ "$name" = page ]; then cat "$log"; fi
    steps="$steps$(printf '%-8s %-6s %5ss  %s' "$name" $outcome $(($(date +%s) - began)) "$(counted)")
"
    if [ $outcome = FAILED ]; then finish 1; fi
}

# The tests' own closing lines, added up.
counted() {
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8; n += 1 }
         END { if (n) printf "%d passed, %d failed, %d left out", passed, failed, ignored }' "$log"
}

finish() {
    printf '\n%s' "$steps"
    if [ "$1" = 0 ]; then echo "all passed"; else echo "NOT passed"; fi
    exit "$1"
}

step format  cargo fmt --all --check
# The S3 server of luci-s3-tests would have shared crates compiled a second time: `make test-s3`.
ours="--workspace --exclude luci-s3-tests"
step lints   cargo clippy $ours --all-targets --quiet -- -D warnings
step docs    env RUSTDOCFLAGS="-D warnings" cargo doc $ours --no-deps --quiet
step tests   cargo test $ours --quiet
step page    cargo test -p luci --test main --quiet -- --ignored page::
finish 0

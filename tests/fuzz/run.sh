#!/bin/sh
# Runs each fuzz target for some seconds: `tests/fuzz/run.sh 20 [SEED]`; without a seed, with other inputs each time. Inputs that
# reach new code are kept in target/fuzz/TARGET, so the next run goes on from there; one that fails is written beside them.
set -eu
cd "$(dirname "$0")/../.."

seconds=${1:-20} seed=${2:-0}
export RUSTC_WORKSPACE_WRAPPER="$PWD/tests/fuzz/rustc.sh"
for target in numbers records replies; do
    kept=target/fuzz/$target
    mkdir -p "$kept"
    # All packages are named, so that shared crates have the features of the other tests and are not compiled again.
    cargo test --workspace --exclude luci-s3-server --quiet --test "fuzz_$target" -- \
        -max_total_time="$seconds" -seed="$seed" -max_len=2000 -timeout=10 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$PWD/$kept-failed-" -dict="$PWD/tests/fuzz/$target.dict" "$PWD/$kept"
done

#!/bin/sh
# Builds the binary to ship: target/dist/split/luci without symbols, and luci.debug with them. Called by `make dist` and the image.
# The binary names its symbols' file: gdb, perf and addr2line find it in the same folder or under /usr/lib/debug.
set -eu
cd "$(dirname "$0")/.."
[ -f gateway/dashboard/dist/app/index.html ] || { echo "dist: the dashboard is not built: run deploy/dashboard.sh" >&2; exit 1; }
cargo build --quiet --locked --profile dist --bin luci --target-dir target
rm -rf target/dist/split
mkdir -p target/dist/split
cd target/dist/split
objcopy --only-keep-debug ../luci luci.debug
objcopy --strip-all --add-gnu-debuglink=luci.debug ../luci luci
ls -l luci luci.debug >&2

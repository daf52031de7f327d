#!/bin/sh
# Builds the dashboard into gateway/dashboard/dist/app, which cargo embeds; does nothing when it is up to date.
#   deploy/dashboard.sh         builds
#   deploy/dashboard.sh check   also checks its types and runs its unit tests
# Needs node 20.19 or later, from the PATH or from ./.tools/node; deploy/setup.sh installs one there.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
cd gateway/dashboard

say() { echo "dashboard: $*" >&2; }

fits() { command -v npm >/dev/null && "$1" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; }
if ! fits node; then PATH="$root/.tools/node/bin:$PATH"; fi
fits node || { say "node 20.19 or later is missing: run deploy/setup.sh"; exit 1; }

# npm writes this file last.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "downloading its packages from the npm registry, as pinned in package-lock.json"
    npm ci --no-audit --no-fund --loglevel=error >&2
fi
built=dist/app/index.html
if [ ! -f $built ] || [ -n "$(find src index.html package.json vite.config.ts compress.mjs ../openapi.yaml -newer $built | head -n 1)" ]; then
    say "building"
    npm run --silent build >&2
fi
if [ "${1:-}" = check ]; then
    npm run --silent check
    npm run --silent test
fi

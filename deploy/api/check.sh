#!/bin/sh
# Checks the API document by its users: a generated Python client and the generated TypeScript types must compile, and each takes
# a file through a run of a sandbox instance. `deploy/api/check.sh fuzz` also sends generated requests (schemathesis).
# Needs what `make build` needs, and target/debug/luci or the program that LUCI_BIN names.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD luci=${LUCI_BIN:-target/debug/luci} python=.tools/api/bin/python out=target/api-client

say() { echo "api: $*" >&2; }

[ -x "$luci" ] || { say "$luci is missing: cargo build"; exit 1; }
if ! cmp -s deploy/api/requirements.txt .tools/api/requirements.txt; then
    say "installing the generators into ./.tools/api with pip, as pinned in deploy/api/requirements.txt"
    python3 -m venv --clear .tools/api
    .tools/api/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: -r deploy/api/requirements.txt >&2
    cp deploy/api/requirements.txt .tools/api/requirements.txt
fi

# A client with a part left out says so on its output.
mkdir -p $out
.tools/api/bin/openapi-python-client generate --path gateway/openapi.yaml --config deploy/api/python-client.yaml \
    --output-path $out/python --overwrite > $out/generated.log 2>&1 || { cat $out/generated.log >&2; exit 1; }
if grep -qi warning $out/generated.log; then cat $out/generated.log >&2; exit 1; fi
$python -m compileall -q $out/python

data=$(mktemp -d)
"$luci" --data-dir "$data" up --sandbox --json --listen 127.0.0.1:0 > $out/luci.ready 2> $out/luci.log &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null || true; rm -rf "$data"' EXIT
for _ in $(seq 300); do
    if [ -s $out/luci.ready ]; then break; fi
    kill -0 $pid 2>/dev/null || { cat $out/luci.log >&2; exit 1; }
    sleep 0.2
done
eval "$("$luci" --data-dir "$data" env)"
export LUCI_URL LUCI_API_KEY

PYTHONPATH=$out/python $python deploy/api/journey.py
command -v node >/dev/null || PATH="$root/.tools/node/bin:$PATH"
(cd gateway/dashboard && npm run --silent check && npx vitest run tests/journey.test.ts)

if [ "${1:-}" = fuzz ]; then
    # No 5xx, and every answer as the document says. What a schema cannot say (a name that is taken, a stage out of order) is a
    # 422 to a request that the schema allows, so that is not a finding; nor is a null where a field may be left out. The secrets
    # of webhooks and presigned URLs cannot be generated, streams do not end, and a revoked key or session would end the check. It cannot
    # generate the bodies of createLeads (a limit of its own). One worker: CPython 3.11 loses count of its parser's recursion in threads.
    .tools/api/bin/schemathesis run "$LUCI_URL/api/openapi.json" --header "Authorization: Bearer $LUCI_API_KEY" \
        --phases coverage --workers 1 --continue-on-failure --exclude-path-regex 'stream|/ws/|/session|/keys/|/webhooks/' \
        --exclude-operation-id createLeads --checks not_a_server_error,status_code_conformance,content_type_conformance \
        --checks response_schema_conformance,response_headers_conformance,unsupported_method
fi

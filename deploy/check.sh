#!/bin/sh
# Checks the deployment files, each with the program that would read it or with one made for the purpose. Called by `make test`.
# deploy/setup.sh page installs the programs into ./.tools/checks; systemd's is used where there is one.
set -eu
cd "$(dirname "$0")/.."
root=$PWD tools=$PWD/.tools/checks/bin
PATH="$tools:$PWD/.tools/bin:$PATH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "deploy: $*" >&2; }
# Prints what a program wrote only when it failed.
quiet() { "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; say "failed: $*"; exit 1; }; }

[ -x "$tools/check-jsonschema" ] && [ -x "$tools/promtool" ] || { say "checkers are missing: run deploy/setup.sh page"; exit 1; }

# Word splitting of lists of packages and arguments is meant.
quiet shellcheck --severity=warning deploy/*.sh deploy/*/*.sh
quiet hadolint deploy/Dockerfile
quiet check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml

quiet kubectl kustomize deploy/kubernetes -o "$work/kubernetes.yaml"
quiet kubernetes-validate --strict "$work/kubernetes.yaml" deploy/kubernetes/secret.example.yaml

# The secrets are what the image's users can read, and nats-server accepts what they complete.
quiet deploy/secrets.sh "$work/secrets"
mkdir "$work/nats"
cp deploy/nats/luci.conf "$work/secrets/users.conf" "$work/secrets/routes.conf" "$work/nats"
quiet env NATS_NODE=nats-1 nats-server -t -c "$work/nats/luci.conf"

if command -v systemd-analyze > /dev/null; then
    # It looks for the program, which is not installed here. It ends with 0 whatever it finds, so any line is a failure.
    cp -r deploy/systemd "$work/units"
    sed -i 's#/usr/local/bin/luci#/bin/true#' "$work"/units/*.service
    for role in gateway clock; do
        cp "$work/units/luci@.service" "$work/units/luci@$role.service"
        systemd-analyze verify "$work/units/luci@$role.service" "$work/units/luci-migrate.service" > "$work/log" 2>&1 || true
        if [ -s "$work/log" ]; then cat "$work/log" >&2; say "failed: systemd-analyze verify luci@$role"; exit 1; fi
    done
    quiet systemd-analyze security --offline=true --threshold=20 "$work/units/luci@.service"
else
    say "systemd-analyze is not installed here: units not verified"
fi

cd deploy/prometheus
quiet promtool check config prometheus.yml
quiet promtool test rules rules.test.yaml
cd "$root"
# Each panel's query as a rule: promtool reads PromQL. Then what no tool knows: metrics, settings and versions that exist.
quiet "$tools/python" deploy/checks/references.py "$work/kubernetes.yaml" "$work/panels.yaml"
quiet promtool check rules "$work/panels.yaml"

# LUCI on one machine. Each target installs what it needs and what is missing.
.PHONY: demo up test test-s3 api-check fuzz deploy-check chaos bench setup dashboard build dist clean

ARGS ?=
SEED ?= 1
MINUTES ?= 10
SECONDS ?= 60

# Everything, with a demo tenant, sandbox providers and a sample import: `make demo ARGS="--leads 10000"`.
demo: build
	@target/release/luci demo $(ARGS)

# Everything without the demo: `make up ARGS="--data-dir /srv/luci"`.
up: build
	@target/release/luci up $(ARGS)

# Format, lints, docs, tests, and the dashboard in a real browser. .ci/run runs the same.
test:
	@deploy/setup.sh page
	@deploy/test.sh

# Tests of the object store and of uploads with a real S3 server; `make test` runs them too.
test-s3:
	@deploy/setup.sh page
	@deploy/dashboard.sh
	@tests/s3/boto3/install.sh
	cargo build -p luci-s3-server
	cargo test -p luci --test main -- --ignored s3::

# Clients generated from the API document, and generated requests (schemathesis), against a sandbox instance.
api-check:
	@deploy/setup.sh page
	@deploy/dashboard.sh
	cargo build --quiet --bin luci
	@deploy/api/check.sh fuzz

# Fuzz targets for phone cells, CSV records and replies, guided by coverage: `make fuzz SECONDS=600`.
fuzz:
	@deploy/setup.sh page
	tests/fuzz/run.sh $(SECONDS)

# The deployment files: image, compose, Kubernetes, systemd, NATS, Prometheus, Grafana, scripts.
deploy-check:
	@deploy/setup.sh page
	@deploy/check.sh

# Thirteen processes under a schedule of faults, and every check afterwards: `make chaos SEED=7 MINUTES=10`.
chaos: setup
	LUCI_CHAOS_SEED=$(SEED) LUCI_CHAOS_MINUTES=$(MINUTES) cargo test -p luci --test main --quiet -- --ignored --exact \
	  --nocapture chaos::schedule

# All benchmarks: target/bench/report.md and report.json.
bench: setup
	cargo bench --bench main

setup:
	@deploy/setup.sh

# The web page that the binary contains; cargo alone builds a binary without it.
dashboard: setup
	@deploy/dashboard.sh

build: dashboard
	@cargo build --release --bin luci --target-dir target

# The binary to ship, stripped, and its symbols in a file of their own: target/dist/split/.
dist: dashboard
	@deploy/dist.sh

clean:
	cargo clean
	rm -rf .tools gateway/dashboard/node_modules gateway/dashboard/dist/app

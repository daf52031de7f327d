# LUCI on one machine. Each target installs what it needs and is missing, and says so.
.PHONY: demo up test test-s3 bench setup build clean

ARGS ?=

# The whole system with a demo tenant, sandbox providers and a sample import: `make demo ARGS="--leads 10000"`.
demo: build
	@target/release/luci demo $(ARGS)

# The same without the demo: `make up ARGS="--data-dir /srv/luci"`.
up: build
	@target/release/luci up $(ARGS)

# Format, lints, documents, tests, and the page in a real browser. What .ci/run runs.
test:
	@deploy/setup.sh page
	@deploy/test.sh

# The store against a real S3 server in the test's own process.
test-s3: setup
	cargo test -p luci-s3-tests

# Every figure in one go: target/bench/report.md and report.json.
bench: setup
	cargo bench --bench main

setup:
	@deploy/setup.sh

build: setup
	@cargo build --release --bin luci --target-dir target

clean:
	cargo clean
	rm -rf .tools

# Two commands on a bare machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
SERVE_ARGS ?=

.PHONY: demo test check serve bench peers kafka openfeature clean

demo: .venv/ready
	$(BIN)/heedful demo $(DEMO_ARGS)

serve: .venv/ready
	$(BIN)/heedful serve --data data $(SERVE_ARGS)

test: .venv/ready
	$(BIN)/python -m pytest $(TEST_ARGS)

check: .venv/ready
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

# Other people's recommenders, for comparison: an environment of their own, because they need numpy 1.
peers: .venv-peers/ready
.venv-peers/ready: benchmarks/peers/requirements.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	@touch $@

# Kafka's own jars, for the tests that need a real broker.
kafka: .kafka/ready
.kafka/ready: deploy/kafka/pom.xml
	mvn --quiet --batch-mode --file deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.kafka
	@touch $@

# The OpenFeature SDKs and OFREP providers for JavaScript and Python, for the tests that run them against a server.
openfeature: .openfeature/ready
.openfeature/ready: deploy/openfeature/package.json deploy/openfeature/package-lock.json deploy/openfeature/requirements.txt
	mkdir -p .openfeature
	cp deploy/openfeature/package.json deploy/openfeature/package-lock.json .openfeature/
	cd .openfeature && npm ci --no-audit --no-fund --loglevel=error
	test -x .openfeature/python/bin/python || $(PYTHON) -m venv .openfeature/python
	.openfeature/python/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r deploy/openfeature/requirements.txt
	@touch $@

clean:
	rm -rf .venv .venv-peers .openfeature .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The environment: everything pinned with hashes, then Heedful itself from this folder.
.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Heedful needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python has no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Every target creates what it needs; a second run finds it done.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DATA ?= demo-data
PORT ?= 4100
MINUTES ?= 20

# Test processes, one more than cores, as some tests wait; each takes up to 2 GB.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# One file runs in one process. Files keep their order, so that each process comes to those of the
# browser last.
PARALLEL = -n $(JOBS) --dist loadfile --no-loadscope-reorder

# What tests write is kept in memory where there is room, as nearly every commit waits for a disk.
export PYTEST_DEBUG_TEMPROOT := $(shell df -k --output=avail /dev/shm 2>/dev/null | \
  awk 'NR > 1 && $$1 > 8000000 {print "/dev/shm"}')

# Bytecode is kept whatever the environment says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-long test-scale mutants lint lint-types lint-rest \
  format docs install scale dist bench soak \
  screenshots price-check requirements sbom audit clean

demo: $(VENV)/.runtime
	$(BIN)/outlay demo --data $(DATA) --port $(PORT)

install: $(VENV)/.runtime

test: lint
	tools/ensure_chromium.sh
	tools/ensure_postgres.sh
	tools/ensure_node_clients.sh
	PYTHON=$(PYTHON) tools/ensure_client_generators.sh
	$(BIN)/python -m pytest -m "not long" $(PARALLEL)
	$(BIN)/python -m tools.mutants --sample 3 --seed "$$(git rev-parse HEAD 2>/dev/null)"

# Minutes, not seconds: 10,000 generated questions, 100 kills of the gateway under load, 100,000
# events sent up to five times each, a real LiteLLM proxy.
test-long: $(VENV)/.dev
	tools/ensure_node_clients.sh
	PYTHON=$(PYTHON) tools/ensure_litellm.sh
	OUTLAY_TEST_LONG=1 $(BIN)/python -m pytest -m long
	OUTLAY_TEST_LONG=1 OUTLAY_TEST_EXAMPLES=50 $(BIN)/python -m pytest -m "not long" $(PARALLEL) \
	  tests/acceptance/test_rights_machine.py tests/acceptance/test_openapi.py \
	  tests/acceptance/test_activity_oracle.py tests/acceptance/test_analytics_oracle.py \
	  tests/contract/test_cube.py

# PostgreSQL and ClickHouse beside SQLite and DuckDB, most of an hour: 2,000 generated cases on both, row
# for row; 60 kills of nodes under load; then tests that were written for one machine, on PostgreSQL.
test-scale: $(VENV)/.dev
	tools/ensure_postgres.sh
	OUTLAY_TEST_LONG=1 $(BIN)/python -m pytest tests/contract tests/fault/test_nodes.py \
	  tests/integration/test_ledger_on_postgres.py tests/integration/test_clickhouse.py \
	  tests/acceptance/test_backup.py
	$(BIN)/python -m pytest -p tests.on_postgres -m "not long" tests/gateway \
	  tests/acceptance/test_access_matrix.py tests/acceptance/test_api.py \
	  tests/acceptance/test_ingest.py tests/acceptance/test_reports.py

# Puts one fault after another into copies of the source, and says which the tests do not find.
# ONLY='--only L2' tries one of them.
ONLY ?=
mutants: $(VENV)/.dev
	tools/ensure_postgres.sh
	$(BIN)/python -m tools.mutants $(ONLY)

FRONTEND := tools/frontend/node_modules/.bin

# Types of Python take as long as all other checks.
lint: $(VENV)/.dev
	tools/ensure_frontend_checks.sh
	$(MAKE) --no-print-directory -j 2 lint-types lint-rest

lint-types:
	$(BIN)/mypy

lint-rest:
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/deptry src
	$(FRONTEND)/biome ci
	$(FRONTEND)/tsc

# The documentation as a site in site/; fails for a broken link. A test in tests/unit builds it, too.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Ratios against PostgreSQL and SQLite, nginx, Portkey and LiteLLM; results go to bench/results/.
bench: $(VENV)/.dev
	tools/ensure_postgres.sh
	PYTHON=$(PYTHON) tools/ensure_peers.sh
	$(BIN)/python -m bench.run

# A server under mixed load for MINUTES: fails when files, memory, threads or anything else grows.
soak: $(VENV)/.dev
	$(BIN)/python -m bench.soak --minutes $(MINUTES)

# Compares our prices with those of genai-prices and, with TABLES (docs/concepts/prices-and-meters.md), of other tables.
TABLES ?=
price-check: $(VENV)/.dev
	$(BIN)/python -m tools.price_check $(TABLES)

# Formats everything whose format `lint` checks.
format: $(VENV)/.dev
	tools/ensure_frontend_checks.sh
	$(BIN)/ruff format
	$(BIN)/python -m tools.payload_types
	$(FRONTEND)/biome check --write

screenshots: $(VENV)/.dev
	tools/ensure_chromium.sh
	$(BIN)/python -m tools.screenshots

# The package as others install it: `pip install dist/outlay-….whl`, with engines of many machines
# `pip install 'dist/outlay-….whl[scale]'`.
dist: $(VENV)/.runtime
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# The components of the wheel with its extras, as CycloneDX.
sbom: $(VENV)/.dev
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/scale.txt --pyproject pyproject.toml \
	  --output-reproducible --of JSON --output-file dist/outlay-sbom.json

# Known vulnerabilities of the shipped packages; needs a package index.
audit: $(VENV)/.dev
	tools/audit.sh

# Compile the lock files from pyproject.toml and dev.in. Pins that still fit stay; UPGRADE=--upgrade
# moves all of them, UPGRADE='--upgrade-package NAME' one.
UPGRADE ?=
COMPILE = $(BIN)/pip-compile --quiet $(UPGRADE) --generate-hashes --no-header --no-emit-index-url \
  --no-emit-find-links --no-emit-options --strip-extras --allow-unsafe

requirements: $(VENV)/.dev
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra scale --extra tracing --constraint requirements/runtime.txt \
	  --output-file requirements/scale.txt
	$(COMPILE) pyproject.toml --all-build-deps --only-build-deps \
	  --output-file requirements/build.txt
	$(COMPILE) requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) requirements/clients.in --output-file requirements/clients.txt

clean:
	rm -rf $(VENV) tools/frontend/node_modules build dist site .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Outlay needs Python 3.11 or newer: make PYTHON=python3.12 …") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Adds the drivers of PostgreSQL and ClickHouse.
scale: $(VENV)/.scale

$(VENV)/.scale: requirements/scale.txt $(VENV)/.runtime
	$(PIP) install --quiet --require-hashes -r requirements/scale.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.scale
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

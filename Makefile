# `make demo` and `make test` do everything themselves: system packages, virtual environment, database servers.
PYTHON ?= python3
FLAVOR ?= mariadb
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements-dev.lock

.DEFAULT_GOAL := help
.PHONY: help demo test coverage unit lint format fuzz differential history suites compiled bench bench-copy bench-verify kills lock clean
.DELETE_ON_ERROR:

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: $(VENV)/.runtime  ## Start a primary, two replicas and the proxy, and show the split (FLAVOR=mysql for MySQL)
	@if [ "$(FLAVOR)" = mysql ]; then tools/install-mysql; fi
	@$(BIN)/python tools/demo.py --flavor $(FLAVOR) $(DEMO_OPTIONS)

test: $(VENV)/.dev  ## Run all tests on real MariaDB and MySQL servers
	@tools/install-mysql
	@tools/install-mariadb || true
	@tools/install-galera || true
	$(BIN)/pytest -n $(WORKERS) $(PYTEST_OPTIONS)
	@$(MAKE) --no-print-directory coverage

coverage: $(VENV)/.dev  ## See that tests reach every branch of what decides where statements go
	$(BIN)/pytest -q -n $(WORKERS) $(foreach part,sql routing,tests/unit/proxy/$(part) --cov=proxy.$(part)) --cov-fail-under=100

unit: $(VENV)/.dev  ## Run the tests that need no server
	$(BIN)/pytest -n $(WORKERS) tests/unit $(PYTEST_OPTIONS)

lint: $(VENV)/.dev  ## Check style, types, the direction of imports and installed versions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

fuzz: $(VENV)/.dev  ## Fuzz every parser for ten minutes (FUZZ_OPTIONS='--target exchange --seconds 60')
	nice $(BIN)/python -m tests.fuzz $(FUZZ_OPTIONS)

differential: $(VENV)/.dev  ## Compare random sequences with a direct connection (DIFFERENTIAL_OPTIONS='--flavor mysql --seed 1')
	@tools/install-mysql
	nice $(BIN)/python -m tests.differential $(DIFFERENTIAL_OPTIONS)

history: $(VENV)/.dev  ## Check what 50 clients see while servers fail (HISTORY_OPTIONS='--flavor mysql --seed 1 --seconds 300')
	@tools/install-mysql
	$(BIN)/python -m tests.history $(HISTORY_OPTIONS)

kills: $(VENV)/.dev  ## Kill copies at 30 random moments and finish them (KILLS_OPTIONS='--flavor mysql --seed 1')
	@tools/install-mysql
	$(BIN)/python -m tests.kills $(KILLS_OPTIONS)

suites: $(VENV)/.dev  ## Run SQLAlchemy's and Django's own suites with and without the proxy (SUITES_OPTIONS='--suite django')
	@tools/install-mysql
	$(BIN)/python -m tests.suites $(SUITES_OPTIONS)

compiled: $(VENV)/.dev  ## Compile the hot modules for MANYREADS_COMPILED=build/compiled make test, and for bench
	$(BIN)/python -m tests.support.wheels build/compiled

bench: $(VENV)/.dev  ## Measure throughput, latency and CPU per query (BENCH_OPTIONS='--flavor both')
	@tools/install-packages bench
	@tools/install-mysql
	$(BIN)/python -m tests.bench $(BENCH_OPTIONS)

bench-copy: $(VENV)/.dev  ## Measure how long a replica's copy takes, beside a dump (BENCH_OPTIONS='--rows 200000')
	@tools/install-mysql
	$(BIN)/python -m tests.bench.copying $(BENCH_OPTIONS)

bench-verify: $(VENV)/.dev  ## Plant damage in two million rows under load, and find and mend it (BENCH_OPTIONS='--rows 200000')
	@tools/install-mysql
	$(BIN)/python -m tests.bench.damage $(BENCH_OPTIONS)

lock: $(VENV)/.runtime  ## Write the locked versions of all dependencies anew
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --strip-extras --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-annotate --upgrade --output-file $(LOCK) pyproject.toml

clean:  ## Remove what was built here; servers and system packages stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .bench .fuzz .coverage

$(VENV)/bin/python:
	@tools/install-packages demo
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "manyreads needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml $(LOCK) | $(VENV)/bin/python
	@tools/install-packages demo
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint $(LOCK) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(LOCK) | $(VENV)/bin/python
	@tools/install-packages test
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint $(LOCK) --editable '.[dev]'
	@touch $@

# Everything is installed into .venv; `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
TOOLS   := $(VENV)/.tools
PIP     := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Hundreds of processes are started: none shall have to compile what another has compiled.
unexport PYTHONDONTWRITEBYTECODE
# Tests wait for servers and processes, so there are more workers than cores. A file's tests stay together, for what they
# share; the unit tests, which are many and short, come last.
WORKERS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST  := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install demo unit test test-long fuzz test-aws test-all compiled terraform aws-local lint format bench bench-quick screenshots diagrams site house lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(TOOLS) ## install the package and its tools into .venv, from the lock files

# The package and what it needs to run: enough for the demo.
$(RUNTIME): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "condvest needs Python 3.11 or later; say which: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "this Python has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) ..." >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# What tests, checks and benchmarks need beside. Compiled when it is imported: most of it never is.
$(TOOLS): $(RUNTIME) requirements-dev.lock
	@echo "installing the tools for tests and checks ..." >&2
	@$(PIP) install --require-hashes --no-compile -r requirements-dev.lock
	@touch $@

demo: $(RUNTIME) ## the whole job on the sample: real prices of five companies, to bars on the screen
	@$(BIN)/condvest demo

unit: $(TOOLS) ## the unit tests, in under a minute
	$(BIN)/python -m pytest -q -n auto tests/unit

test: lint ## lint, types, contracts and the tests
	$(BIN)/python -m pytest -n auto

test-long: $(TOOLS) ## random histories by the ten thousand steps, a hundred kills; allow it 40 minutes
	$(BIN)/python -m pytest -n auto -m long

fuzz: $(TOOLS) ## spoilt answers and files through clients, parsers and loads, by the ten thousand; an hour or two
	$(BIN)/python -m pytest -q -n auto --hypothesis-profile=fuzz tests/integration/vendors/test_fuzz.py \
		tests/integration/vendors/test_spoilt_wire.py

test-aws: $(TOOLS) terraform ## the AWS side: Terraform, checkov, artefacts, an emulator, the image; a missing tool fails
	CI=true $(PYTEST) -m aws

test-all: $(TOOLS) terraform ## lint, and both kinds of tests at once
	@$(MAKE) --no-print-directory --jobs=2 lint compiled
	CI=true $(PYTEST) -m "not long"

# Lint takes one core, and meanwhile the other compiles all that the tests import: else each worker would do it.
compiled: $(TOOLS)
	@-$(BIN)/python -m pytest --collect-only --quiet -m "not long" >/dev/null 2>&1

terraform:
	@command -v terraform >/dev/null || { \
		echo "terraform is not installed: get 1.10 or later from https://developer.hashicorp.com/terraform/install" >&2; exit 1; }

aws-local: $(TOOLS) ## the whole chain of AWS on this machine, from the vendor to bars, with the artefacts as built
	@$(BIN)/python -m tests.support.aws.local

lint: $(TOOLS) ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(TOOLS) ## format the code and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# EARLIER=PATH compares with a checkout of an earlier commit.
BENCH := $(BIN)/python -m benchmarks --write $(if $(EARLIER),--earlier $(EARLIER))
bench: $(TOOLS) ## benchmarks: ratios against rivals, measured side by side, written into docs/performance.md
	$(BENCH)

bench-quick: $(TOOLS) ## some of them, small: two minutes on a quiet machine
	$(BENCH) --quick

screenshots: $(TOOLS) ## the pictures of the documentation, of the page as it is now (needs Chromium)
	@$(BIN)/python -m tests.support.screenshots

diagrams: $(TOOLS) ## the diagrams of the documentation as pictures, where their text has changed (needs npm and Chromium)
	@$(BIN)/python -m tests.support.diagrams

site: $(TOOLS) ## the documentation as a site, in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

house: $(TOOLS) ## figures of the code: modules, functions, their lengths, the share that is typed
	@$(BIN)/python -m tests.support.house

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links

EXTRAS := --extra serve --extra embedded --extra sample --extra yahoo --extra aws --extra stream

lock: ## write the lock files anew (needs uv)
	$(COMPILE) pyproject.toml $(EXTRAS) --group build --output-file requirements.lock
	$(COMPILE) pyproject.toml $(EXTRAS) --extra sql --extra mcp --extra nats --group build --group dev --constraints requirements.lock \
		--output-file requirements-dev.lock
	$(COMPILE) --group sbom --output-file requirements-sbom.lock

clean: ## remove what the targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build

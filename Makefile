# Each target makes the environment it needs, in .venv, from the pinned versions of constraints.txt.
# Works without ensurepip (Debian's python3 without python3-venv): pip installs into the environment from outside.

PYTHON ?= python3
ROUNDS ?= 200
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo run test bench crash check fmt clean

help: ## what each target does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.runtime
	$(INSTALL) -e '.[dev]'
	@touch $@

demo: $(VENV)/.runtime ## play the whole life of a case over real sockets, and check every step
	$(BIN)/mailcase demo

run: $(VENV)/.runtime ## the daemon on config.example.yaml as it stands
	$(BIN)/mailcase --config config.example.yaml run

test: $(VENV)/.dev ## all tests; those that need Dovecot too where it is installed
	$(BIN)/pytest -n auto

crash: $(VENV)/.dev ## kill -9 at every point, ROUNDS=200 times; SEED= plays it again, ONLY= up to one round
	$(BIN)/python -m tests.crash --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

bench: $(VENV)/.dev ## rate, latency and memory beside a bare script; BENCH_ROUNDS=1 for a quick look
	$(BIN)/python -m benchmarks

check: $(VENV)/.dev ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev ## put the code into its format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only

clean: ## remove the environment and what runs left behind
	rm -rf $(VENV) var build dist src/*.egg-info

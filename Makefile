# Everything a developer does here. `make` alone explains; each target builds the environment it needs.
#
# The environment is .venv, made by .ci/environment.py from nothing but python3 and pip (see there). The stamp below is
# newer than pyproject.toml when .venv fits it, so a second `make` does nothing.

PYTHON  ?= python3
WORKERS ?= 2
ARGS    ?=
LISTEN  ?= 127.0.0.1:7443
DATA    ?= .hashpact-data

BIN   := .venv/bin
STAMP := .venv/.stamp

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

.PHONY: help
help: ## show this help
	@echo "Hashpact: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "  %-16s %s\n", $$1, $$2}'
	@echo "Variables: PYTHON=python3.12 (which Python builds .venv), WORKERS=2 (test processes), ARGS='-k lookup' (for pytest, bench)"

$(STAMP): pyproject.toml .ci/environment.py
	@$(PYTHON) .ci/environment.py

.PHONY: venv
venv: $(STAMP) ## build or refresh .venv (every other target does this by itself)

.PHONY: demo
demo: $(STAMP) ## list pictures, a video and a PDF on one platform, catch altered copies on another: a minute or two
	@NUMBA_CACHE_DIR=$(CURDIR)/.venv/numba-cache $(BIN)/python -m tests.demo

.PHONY: demo-incident
demo-incident: $(STAMP) ## an incident on a hub and three replicas, from its opening to its debrief: a minute or two
	@NUMBA_CACHE_DIR=$(CURDIR)/.venv/numba-cache $(BIN)/python -m tests.demo.incident
.PHONY: drill-rogue
drill-rogue: $(STAMP) ## a member lists 20,000 lawful items: what stops it, what it costs (minutes; ARGS='--items 2000')
	@NUMBA_CACHE_DIR=$(CURDIR)/.venv/numba-cache $(BIN)/python -m tests.drills.rogue_member $(ARGS)

.PHONY: drill-probing
drill-probing: $(STAMP) ## a member feels its way along an item: how far it comes
	@NUMBA_CACHE_DIR=$(CURDIR)/.venv/numba-cache $(BIN)/python -m tests.drills.probing $(ARGS)

.PHONY: test
test: $(STAMP) ## run every test; HASHPACT_TEST_EFFORT=10 makes the randomised ones ten times as long
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: test-tx
test-tx: $(STAMP) .tools/bench/.stamp ## tx (python-threatexchange), unmodified, with our extension against a live server
	@$(BIN)/python -m pytest -q tests/integration/test_tx.py $(ARGS)

.PHONY: test-lowest
test-lowest: .tools/lowest/.stamp ## the same with the oldest versions of everything that pyproject.toml allows
	@.tools/lowest/bin/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

.tools/lowest/.stamp: pyproject.toml .ci/environment.py
	@$(PYTHON) .ci/environment.py --lowest

.PHONY: lint
lint: $(STAMP) ## ruff, mypy strict, import floors, buf lint, buf breaking
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against proto/baseline.binpb

.PHONY: format
format: $(STAMP) ## let ruff repair what it can
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

.PHONY: generate
generate: ## write client/hashpact/v1 anew from proto/
	@$(PYTHON) .ci/generate.py

.PHONY: check-generated
check-generated: ## fail when client/hashpact/v1 is not what proto/ generates
	@$(PYTHON) .ci/generate.py --check

.PHONY: accept-wire
accept-wire: $(STAMP) ## at a release: make today's proto/ the wire that `make lint` protects from breaking
	$(BIN)/buf build proto --exclude-source-info -o proto/baseline.binpb

.PHONY: bench
bench: .tools/bench/.stamp ## measure, beside the peers in the same run, and write the figures into the README
	@.tools/bench/bin/python -m tests.bench $(ARGS)

.PHONY: bench-robustness
bench-robustness: .tools/bench/.stamp ## which edited copies are still found, what is found falsely (ARGS='--quick', '--work FOLDER')
	@.tools/bench/bin/python -m tests.bench.robustness $(ARGS)

.PHONY: bench-check
bench-check: .tools/bench/.stamp ## fail when a measured ratio fell by more than 30 % since the committed figures
	@.tools/bench/bin/python -m tests.bench.check

# The peers live in an environment of their own: only the benchmark imports them, and one is compiled on installation.
.tools/bench/.stamp: pyproject.toml .ci/environment.py
	@$(PYTHON) .ci/environment.py --bench

.PHONY: serve
serve: $(STAMP) ## serve a list from DATA=.hashpact-data (made when absent) on LISTEN=127.0.0.1:7443
	@test -e $(DATA)/ca.pem || $(BIN)/hashpact-server init $(DATA)
	@exec $(BIN)/hashpact-server serve --data $(DATA) --listen $(LISTEN)

.PHONY: clean
clean: ## remove environments and caches; never data
	rm -rf .venv .tools dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find client server tests -name __pycache__ -type d -prune -exec rm -rf {} +

# `make serve` and `make test` need Python 3.11-3.13 and make; everything else comes out of uv.lock into .venv.
# ARGS passes flags on:  make serve ARGS="--port 9000"   make test ARGS="-k branches"

BIN := .venv/bin
LOCK := pyproject.toml uv.lock
PYTHON ?=
ARGS ?=

# Real clients of other languages, and a small embedding model, are tested with where npm is.
CLIENTS := $(if $(shell command -v npm),$(wildcard tests/*/package-lock.json))
NODE_MODULES := $(CLIENTS:%/package-lock.json=%/node_modules/.stamp)

.PHONY: help serve demo studio setup test eval faults lint check fix bench clean
.DEFAULT_GOAL := help

help:
	@echo "make serve   start the server on http://127.0.0.1:8000/v1 (flags: ARGS=\"--port 9000\")"
	@echo "make demo    walk through what the server can do, offline"
	@echo "make studio  open LangGraph Studio on the same graph and conversations"
	@echo "make test    run the tests"
	@echo "make eval    run evaluation suites (ARGS=\"run conformance\"; docs/evals.md)"
	@echo "make faults  kill, pause and cut off servers at every named point, and print what became of it"
	@echo "make check   what CI runs: lint, types, import arrows, tests"
	@echo "make fix     format, and mend what ruff can"
	@echo "make bench   measure"
	@echo "make setup   only make .venv"

serve: .venv/.serve
	@exec $(BIN)/graphnexus serve $(ARGS)

demo: .venv/.serve
	@exec $(BIN)/graphnexus demo $(ARGS)

studio: .venv/.dev
	@LANGGRAPH_CLI_NO_ANALYTICS=1 exec $(BIN)/langgraph dev --no-browser --no-reload $(ARGS)

setup: .venv/.serve

test: .venv/.dev .venv-mcp/.stamp .venv-sandbox/.stamp $(NODE_MODULES)
	$(BIN)/pytest $(ARGS)

eval: .venv/.evals
	@exec $(BIN)/graphnexus eval $(ARGS)

faults: .venv/.dev
	$(BIN)/python -m tests.faults $(ARGS)

check: lint test

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

fix: .venv/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/.dev
	$(BIN)/python -m evals.bench $(ARGS)

clean:
	rm -rf .venv .venv-mcp .venv-sandbox tests/*/node_modules .pytest_cache .ruff_cache .hypothesis

# --inexact: serving never takes the development tools away again.
.venv/.serve: $(LOCK) | $(BIN)/uv
	$(BIN)/uv sync --locked --no-dev --inexact --extra browser --quiet
	@touch $@

.venv/.evals: $(LOCK) | $(BIN)/uv
	$(BIN)/uv sync --locked --no-dev --inexact --extra evals --quiet
	@touch $@

.venv/.dev: $(LOCK) | $(BIN)/uv
	$(BIN)/uv sync --locked --inexact --quiet
	@touch .venv/.serve .venv/.evals $@

$(BIN)/uv: | bootstrap.py
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
			&& exec $$python bootstrap.py; \
	done; echo "Python 3.11, 3.12 or 3.13 was not found: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1

# MCP servers other people wrote, to test with.
.venv-mcp/.stamp: tests/mcp/servers/servers.txt | .venv/.dev
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-mcp
	$(BIN)/uv pip sync --quiet --python .venv-mcp $<
	@touch $@

# The Python of sandboxes, as `graphnexus sandbox install` makes it.
.venv-sandbox/.stamp: nodes/sandbox/packages.txt | .venv/.dev
	$(BIN)/graphnexus sandbox install --data-dir .venv-sandbox
	@touch $@

tests/%/node_modules/.stamp: tests/%/package-lock.json tests/%/package.json
	npm ci --prefix tests/$* --no-audit --no-fund --loglevel=error
	@touch $@

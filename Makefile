# `make run` does the main job, `make test` passes the tests; both set up what they need.
SHELL := /bin/bash
ifndef OMNIARB_DATA
  ifneq ($(wildcard ../shared/data/README.md),)
    export OMNIARB_DATA := $(abspath ../shared/data)
  endif
endif
BIN := .venv/bin

.PHONY: setup run test lint figures clean

setup:
	@scripts/setup.sh

run: setup
	@$(BIN)/omniarb run $(ARGS)

test: setup lint
	@$(BIN)/python -m pytest $(ARGS)

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

figures: setup
	@$(BIN)/omniarb bench all --write docs/reference/performance.md

clean:
	rm -rf .venv contracts/node_modules runs build

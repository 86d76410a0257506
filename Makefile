# `make run` does the main job, `make test` passes the tests; both set up what they need.
SHELL := /bin/bash
ifndef OMNIARB_DATA
  ifneq ($(wildcard ../shared/data/README.md),)
    export OMNIARB_DATA := $(abspath ../shared/data)
  endif
endif
BIN := .venv/bin

.PHONY: setup run test lint figures bench-peers bench-gpu clean

setup:
	@scripts/setup.sh

run: setup
	@$(BIN)/omniarb run $(ARGS)

# kernels that were compiled before are taken from where the command line keeps them
test: setup lint
	@export NUMBA_CACHE_DIR="$$($(BIN)/python -m core.kernel_cache)"; $(BIN)/python -m pytest -n 3 --dist loadgroup $(ARGS)

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

figures: setup
	@$(BIN)/omniarb bench all --write docs/reference/performance.md

bench-peers: setup
	@scripts/setup_peers.sh
	@$(BIN)/python -m benchmarks.peers.rows $(ARGS)

# no set-up: an image that has a card, CuPy, NumPy and Numba is enough
bench-gpu:
	@for python in $(BIN)/python python3; do \
	  if $$python -c 'import cupy' 2>/dev/null; then exec $$python -m benchmarks.gpu; fi; \
	done; echo "bench-gpu: neither $(BIN) nor python3 has CuPy; install the extra gpu" >&2; exit 1

clean:
	rm -rf .venv contracts/node_modules runs build

# `make demo` and `make test` are all a newcomer needs; both bring what is missing into .cache first.
# One cargo profile everywhere, so that nothing is compiled twice.

PYTHON ?= python3
CARGO ?= cargo
DEMO_OUTPUT ?= .cache/demo
# Where interop tests find a Python with the libraries of tests/interop/requirements.txt.
export STRIDEPOSE_PYTHON ?= $(CURDIR)/.cache/python/bin/python3

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench parameters clean-cache

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: ## bring ONNX Runtime into .cache (silent when it is there)
	@$(PYTHON) scripts/setup.py onnxruntime

demo: setup ## a scene that the project makes itself, lifted, refined and compared with its truth
	$(CARGO) run --release --locked -- demo -o $(DEMO_OUTPUT)

test: setup ## every test
	@$(PYTHON) scripts/setup.py python
	$(CARGO) test --release --locked --workspace

check: ## what CI runs: format, lints, documentation, every test, the demo; ends with the count
	@bash scripts/check.sh

bench: setup ## measure speed and memory on this machine
	$(CARGO) bench --locked --workspace

parameters: ## write config/stridepose.yaml and README's parameter table anew from src/config/parameters.rs
	STRIDEPOSE_UPDATE=1 $(CARGO) test --release --locked -p stridepose --test parameters

clean-cache: ## throw .cache away
	rm -rf .cache

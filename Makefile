# `make demo` and `make test` are all a newcomer needs; both bring what is missing into .cache first.
# One cargo profile everywhere, so that little is compiled twice.

PYTHON ?= python3
CARGO ?= cargo
DEMO_OUTPUT ?= .cache/demo
# What `make bench` replays, and the folder of the 2D networks for it.
BENCH_BAG ?= ../shared/bags/balance
BENCH_MODELS ?= ../shared/models
# A Python with PyTorch and onnxruntime, for VideoPose3D's network.
BENCH_TORCH_PYTHON ?= python3
# Seconds that `make fuzz` gives each target.
FUZZ_SECS ?= 60
# Where interop tests find a Python with the libraries of tests/interop/requirements.txt.
export STRIDEPOSE_PYTHON ?= $(CURDIR)/.cache/python/bin/python3

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench audit coverage fuzz parameters clean-cache

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: ## bring ONNX Runtime into .cache (silent when it is there)
	@$(PYTHON) scripts/setup.py onnxruntime

demo: setup ## people that the project renders itself: found, lifted, refined and compared with their truth
	$(CARGO) run --release --locked -- demo -o $(DEMO_OUTPUT)

test: setup ## every test
	@$(PYTHON) scripts/setup.py python
	$(CARGO) test --release --locked --workspace

check: ## what CI runs: format, lints, documentation, every test, the demo; ends with the count
	@bash scripts/check.sh

bench: setup ## measure speed and memory on this machine, beside MediaPipe where BENCH_BAG is there
	$(CARGO) bench --locked -p stridepose --bench stages
	@$(PYTHON) benches/stages.py $${CARGO_TARGET_DIR:-target}/criterion --json .cache/stages.json
	$(CARGO) bench --locked -p stridepose --bench people -- --json .cache/people.json
	$(CARGO) bench --locked -p stridepose --bench own_code -- --json .cache/own_code.json
	$(CARGO) bench --locked -p stridepose-train --bench networks -- \
		--models $(abspath $(BENCH_MODELS)) --json $(CURDIR)/.cache/networks.json
	@if [ -d "$(BENCH_BAG)" ]; then \
		$(CARGO) bench --locked -p stridepose --bench timeline -- $(BENCH_BAG) --models $(BENCH_MODELS) --json .cache/timeline.json; \
	fi
	@if [ -d "$(BENCH_BAG)" ]; then \
		$(PYTHON) scripts/setup.py peers && $(CARGO) build --release --locked && \
		.cache/peers/bin/python3 benches/peers.py $(BENCH_BAG) --models $(BENCH_MODELS) \
			--torch-python $(BENCH_TORCH_PYTHON) --json .cache/bench.json; \
	else \
		echo "SKIP peers: $(BENCH_BAG) is not there; name a bag of JPEG images with BENCH_BAG, its networks with BENCH_MODELS"; \
	fi

audit: ## known flaws, licences and sources of every dependency (needs cargo-deny)
	$(CARGO) deny --all-features check

# On a full disk the count cannot be written either, so that test is left out.
coverage: setup ## which lines the tests run, file by file (needs cargo-llvm-cov)
	@$(PYTHON) scripts/setup.py python
	$(CARGO) llvm-cov --release --locked --workspace --no-report -- --skip a_full_disk
	$(CARGO) llvm-cov report --release --html --output-dir .cache/coverage
	$(CARGO) llvm-cov report --release --summary-only

fuzz: ## every reader with broken inputs, FUZZ_SECS each (needs nightly Rust and cargo-fuzz)
	scripts/fuzz.sh $(FUZZ_SECS)

parameters: ## write config/stridepose.yaml and README's parameter table anew from src/config/parameters.rs
	STRIDEPOSE_UPDATE=1 $(CARGO) test --release --locked -p stridepose --test parameters

clean-cache: ## throw .cache away
	rm -rf .cache

#!/usr/bin/env bash
# Every fuzz target in turn: scripts/fuzz.sh [SECONDS FOR EACH [TARGET…]]. Needs a nightly Rust and cargo-fuzz. What
# was found interesting stays in fuzz/corpus and is where the next run goes on; an input that crashes is written to
# fuzz/artifacts, and the run ends with 1.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(cdr image mcap db3 folder tf text arrays contract samples)

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    printf 'cargo-fuzz is missing: rustup toolchain install nightly && cargo install cargo-fuzz\n' >&2
    exit 2
fi

# Text is found much faster from real files than from nothing.
mkdir -p fuzz/corpus/text fuzz/corpus/arrays
for file in config/*.yaml config/model_templates/*.yaml models/*.yaml models/*/*.yaml; do
    cp "$file" "fuzz/corpus/text/seed_$(printf '%s' "$file" | tr / _)"
done
# Small ones: a file of a megabyte would be all that is tried.
point='[0.1,0.2,3.0]'
printf '{"layout":"h36m_17","unit":"m","stamps_ns":[1],"camera":{"R":[[1,0,0],[0,1,0],[0,0,1]],"t":[0,0,0]},"joints":[[%s%s]]}' \
    "$point" "$(printf ",$point%.0s" {1..16})" >fuzz/corpus/arrays/seed_truth.json
printf '\x93NUMPY\x01\x00\x76\x00%-117s\n%0204d' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 17, 3), }" 0 >fuzz/corpus/arrays/seed_truth.npy
printf 'pelvis: base_link\nhead: {topic: /head}\n' >fuzz/corpus/arrays/seed_frames.yaml

failed=0
for target in "${targets[@]}"; do
    printf '== %s, %s s\n' "$target" "$seconds"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 ||
        failed=1
done
exit "$failed"

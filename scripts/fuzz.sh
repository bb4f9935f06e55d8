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
cp models/lifter/golden.json fuzz/corpus/arrays/seed_golden.json

failed=0
for target in "${targets[@]}"; do
    printf '== %s, %s s\n' "$target" "$seconds"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 ||
        failed=1
done
exit "$failed"

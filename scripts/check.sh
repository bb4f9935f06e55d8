#!/usr/bin/env bash
# The one check, the same in CI and on a laptop. Every step runs, whatever happened to the ones before it. The last
# line is `N passed, N failed, N skipped`: the tests as cargo counted them, plus one for each step that is no test.
# A test that printed `SKIP <test>: <why>` counts as skipped, not as passed; so does one that unittest skipped.
set -uo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export STRIDEPOSE_PYTHON="${STRIDEPOSE_PYTHON:-$PWD/.cache/python/bin/python3}"
python="${PYTHON:-python3}"
log=.cache/check
rm -rf "$log"
mkdir -p "$log"

passed=0 failed=0 skipped=0
failed_steps=()

# step NAME COMMAND…: runs it, says how it went and how long it took.
step() {
    local name=$1 start=$SECONDS code
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$log/$name.log"
    code=${PIPESTATUS[0]}
    if [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        failed_steps+=("$name")
    fi
    printf '== %s: exit code %s after %s s\n' "$name" "$code" $((SECONDS - start))
    return "$code"
}

skip() {
    printf '\nSKIP %s: %s\n' "$1" "$2"
    skipped=$((skipped + 1))
}

# Adds up what `cargo test` printed. The step itself is taken back out: its tests are what counts, unless it failed
# without a failed test (it did not compile).
count_tests() {
    local file=$log/tests.log ok bad ignored said_skip
    ok=$(sum_of passed "$file") bad=$(sum_of failed "$file") ignored=$(sum_of ignored "$file")
    said_skip=$(grep -oE '^SKIP [^:]+:' "$file" | sort -u | wc -l)
    if [ "$1" -eq 0 ]; then
        passed=$((passed - 1))
    elif [ "$bad" -gt 0 ]; then
        failed=$((failed - 1))
    fi
    passed=$((passed + ok - said_skip)) failed=$((failed + bad)) skipped=$((skipped + ignored + said_skip))
}

# The same for what unittest printed: `Ran N tests`, then `OK` or `FAILED`, with how many of them failed or were skipped.
count_node_tests() {
    local file=$log/node-tests.log ran bad left_out
    ran=$(grep -oE '^Ran [0-9]+' "$file" | grep -oE '[0-9]+' || echo 0)
    bad=$(verdict_of '(failures|errors)' "$file") left_out=$(verdict_of skipped "$file")
    if [ "$1" -eq 0 ]; then
        passed=$((passed - 1))
    elif [ "$bad" -gt 0 ]; then
        failed=$((failed - 1))
    fi
    passed=$((passed + ran - bad - left_out)) failed=$((failed + bad)) skipped=$((skipped + left_out))
}

verdict_of() {
    grep -E '^(OK|FAILED) \(' "$2" | grep -oE "$1=[0-9]+" | grep -oE '[0-9]+' | awk '{ sum += $1 } END { print sum + 0 }'
}

sum_of() {
    grep -E '^test result: ' "$2" | grep -oE "[0-9]+ $1" | awk '{ sum += $1 } END { print sum + 0 }'
}

step setup "$python" scripts/setup.py onnxruntime python
step format cargo fmt --all --check
# With the GPU build where its crates can be had; nothing else needs them.
gpu=()
if cargo tree --locked -p stridepose-train --features gpu >"$log/gpu-crates.log" 2>&1; then
    gpu=(--features stridepose-train/gpu)
else
    skip lints-gpu "the crates of the GPU build cannot be had: $(tail -1 "$log/gpu-crates.log")"
fi
step lints cargo clippy --release --locked --workspace --all-targets "${gpu[@]}" -- -D warnings
step lints-core cargo clippy --release --locked -p stridepose --no-default-features --all-targets -- -D warnings
step lints-training cargo clippy --release --locked -p stridepose-train --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step documentation cargo doc --release --locked --workspace --no-deps

# --show-output prints what passing tests said too, so that their SKIP lines are seen.
step tests cargo test --release --locked --workspace --no-fail-fast -- --show-output
count_tests $?

# The program that the tests were built with: `cargo run` alone has other features of shared crates, and builds all again.
step demo "${CARGO_TARGET_DIR:-target}/release/stridepose" --quiet demo -o "$log/demo"

# The node's own code against r2r's bundled definitions: needs no ROS 2, links nothing.
step node-types cargo clippy --release --locked -p stridepose --features ros,r2r/doc-only --lib --bins -- -D warnings

# Builds the package, then runs the node of tests/ros on the sourced ROS 2.
node_tests() {
    local prefix=$PWD/$log/install
    # shellcheck disable=SC1091
    set +u && . "$prefix/local_setup.bash" && set -u
    python3 -m unittest discover --verbose --start-directory tests/ros
}

if [ -z "${AMENT_PREFIX_PATH:-}" ]; then
    skip "ament package" "no ROS 2 is sourced (AMENT_PREFIX_PATH is empty)"
    skip "live node" "no ROS 2 is sourced; its types were checked"
elif ! command -v colcon >/dev/null; then
    skip "ament package" "ROS 2 is sourced, but there is no colcon: apt-get install python3-colcon-common-extensions"
    skip "live node" "there is no colcon; its types were checked"
else
    # The target folder lives with the build, kept between runs: the node's dependencies take minutes.
    if step ament-package colcon --log-base "$log/colcon" build --paths . --build-base .cache/colcon --install-base "$log/install"; then
        step node-tests node_tests
        count_node_tests $?
    fi
fi

printf '\n'
if [ "$failed" -gt 0 ]; then
    printf 'failed steps: %s\n' "${failed_steps[*]}"
fi
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Runs every fuzz target of a build folder: scripts/fuzz.sh BUILD SECONDS
#
# Starts from tests/fuzz/corpus/<target>/ where there is one. What crashes a target stays in
# BUILD/fuzz/<target>/ and fails the run.
set -u -o pipefail
build=${1:?usage: $0 BUILD SECONDS}
seconds=${2:?usage: $0 BUILD SECONDS}
top=$(cd "$(dirname "$0")/.." && pwd)

export LSAN_OPTIONS=suppressions=$top/tests/lsan.supp:print_suppressions=0

found=''
failed=()
for program in "$build"/tests/fuzz_*; do
    [ -x "$program" ] || continue
    found=1
    name=$(basename "$program")
    work=$build/fuzz/$name
    mkdir -p "$work/corpus"
    seeds=()
    [ -d "$top/tests/fuzz/corpus/$name" ] && seeds=("$top/tests/fuzz/corpus/$name")
    echo "== $name, $seconds s"
    if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="$work/" "$work/corpus" "${seeds[@]}" >"$work/log" 2>&1; then
        tail -n 40 "$work/log"
        failed+=("$name")
    fi
    grep -E 'number_of_executed_units|peak_rss_mb' "$work/log"
done
if [ -z "$found" ]; then
    echo "no fuzz targets in $build/tests" >&2
    exit 1
fi
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi

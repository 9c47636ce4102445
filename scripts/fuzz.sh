#!/usr/bin/env bash
# Fuzzes everything that reads a file: scripts/fuzz.sh [seconds] [target…], by default five minutes each.
#
# Needs `cargo install cargo-fuzz` and a C++ compiler, no nightly toolchain. The first build takes Burn along and some 15
# minutes on two cores. What fuzzing adds to the corpus stays in a temporary folder; an input that crashes a reader is
# kept in fuzz/artifacts/<target>, and `cargo fuzz run --sanitizer none <target> <file>` repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-300}"
targets=("${@:2}")
<<<<<<< HEAD
[ ${#targets[@]} -gt 0 ] || targets=(idx npy csv text config checkpoint picture)
=======
[ ${#targets[@]} -gt 0 ] || targets=(idx npy csv table config checkpoint)
>>>>>>> 32c848c (Tables: quotes and torn words tell delimiters apart; a fuzz target, and a test of peak memory)

# In memory where there is such a folder: every input is a file for a moment.
work="$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" dgm-fuzz-XXXXXX)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/files"
failed=0
for target in "${targets[@]}"; do
    build=(--sanitizer none --codegen-units 16)
    cargo fuzz build "${build[@]}" "$target" >"$work/build" 2>&1 || { cat "$work/build"; exit 1; }
    cp -r "fuzz/corpus/$target" "$work/$target"
    # Inputs of up to 64 KiB; no more than 10 s and 2 GiB for one of them. The bound of each reader is in fuzz/src/lib.rs.
    if TMPDIR="$work/files" DGM_FUZZ_PEAK="$work/peak" cargo fuzz run "${build[@]}" "$target" "$work/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        >"$work/log" 2>&1; then
        result=ok
    else
        result=FAILED
        failed=1
        tail -n 60 "$work/log"
    fi
    stat() { grep -o "stat::$1: *[0-9]*" "$work/log" | grep -o '[0-9]*$' || echo '?'; }
    coverage="$(grep -o 'cov: [0-9]* ft: [0-9]*' "$work/log" | tail -n 1)"
    printf '%-11s %s: %s executions, %s, resident at most %s MB, a reader held at most %s\n' "$target" "$result" \
        "$(stat number_of_executed_units)" "$coverage" "$(stat peak_rss_mb)" "$(cat "$work/peak" 2>/dev/null || echo '?')"
    rm -rf "$work/peak" "$work/files/"*
done
exit "$failed"

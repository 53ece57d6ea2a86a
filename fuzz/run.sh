#!/usr/bin/env bash
# Fuzzes every reader in turn: fuzz/run.sh [SECONDS [READER…]], a minute each by default. `fuzz/run.sh 0` reads the corpus once.
#
# New inputs are kept in fuzz/target/corpus, what breaks a reader in fuzz/target/found; the corpus of the tree is only read.
set -euo pipefail
cd "$(dirname "$0")"
seconds="${1:-60}"
readers=("${@:2}")
[ "${#readers[@]}" -gt 0 ] || readers=(corpus/*/)
RUSTC_WRAPPER="$PWD/instrument" cargo build --release --locked

limit=(-max_total_time="$seconds")
[ "$seconds" != 0 ] || limit=(-runs=0)
failed=()
mkdir -p target/found
for reader in "${readers[@]}"; do
    reader="$(basename "$reader")"
    mkdir -p "target/corpus/$reader"
    log="target/found/$reader.log"
    READER="$reader" ./target/release/fuzz "${limit[@]}" -timeout=20 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
        -dict=dictionary -artifact_prefix="target/found/$reader-" "target/corpus/$reader" "corpus/$reader" >"$log" 2>&1 ||
        failed+=("$reader")
    printf '%-22s %s\n' "$reader" "$(grep -E '^(#[0-9]+\s+DONE|stat::number_of_exec|.*panicked at|SUMMARY|==[0-9]+== ERROR)' "$log" | tr -s ' \n' ' ')"
done
[ "${#failed[@]}" = 0 ] || { printf 'broken: %s\n' "${failed[*]}" >&2; exit 1; }

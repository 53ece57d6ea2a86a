#!/usr/bin/env bash
# Kills a venue's ledger and a partner's registry under load, so many times each (1000, or what it is told), on SQLite and, as `with-postgres.sh` starts it, on PostgreSQL: tests/campaigns/kills.sh [KILLS].
set -euo pipefail
cd "$(dirname "$0")/../.."
export ZKMARGIN_KILLS="${1:-1000}"
[ -n "${ZKMARGIN_TEST_POSTGRES:-}" ] || exec tests/campaigns/with-postgres.sh tests/campaigns/kills.sh "$ZKMARGIN_KILLS"
said="$(mktemp)"
trap 'rm -f "$said"' EXIT
# Tests that run, with so many lines that say so many kills: a name that no test has is no failure of `cargo test`.
counted() { # LINES WORDS COMMAND…
    local lines="$1" words="$2" found
    shift 2
    "$@" 2>&1 | tee "$said"
    grep -q '^test result: ok\. 1 passed' "$said" || { echo "tests/campaigns/kills.sh: not one test has run: $*" >&2; exit 1; }
    found="$(grep -c -e "$words" "$said" || true)"
    [ "$found" -ge "$lines" ] || { echo "tests/campaigns/kills.sh: \"$words\" is said $found times, not $lines: $*" >&2; exit 1; }
}
# SQLite and PostgreSQL say each how it went; the ledger's test says it of both together, at the latest when all kills are done.
counted 2 ": $ZKMARGIN_KILLS kills of 2 processes each" cargo test --release --locked --workspace --lib -- --nocapture however_often_the_process_is_killed
counted 1 "\b$ZKMARGIN_KILLS kills of each kind of ledger" cargo test --release --locked --workspace --test ledger -- --ignored --exact kills::long --nocapture
# The tools themselves, on SQLite: four verbs of a ledger, and verification with a registry.
counted 5 ": $ZKMARGIN_KILLS kills of the tool" cargo test --release --locked --workspace --test roles -- --ignored --exact kills::long --nocapture

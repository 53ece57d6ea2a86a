#!/usr/bin/env bash
# Kills a venue's ledger and a partner's registry under load, so many times each (1000, or what it is told), on SQLite and on a PostgreSQL server of its
# own in a temporary folder, whose programs are in the folder POSTGRES (/usr/lib/postgresql/*/bin by default): tests/campaigns/kills.sh [KILLS].
set -euo pipefail
cd "$(dirname "$0")/../.."
kills="${1:-1000}"
programs="${POSTGRES:-$(ls -d /usr/lib/postgresql/*/bin | tail -1)}"
place="$(mktemp -d)"
chmod 755 "$place"
# PostgreSQL does not run as root.
server() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$*"; else sh -c "$*"; fi; }
[ "$(id -u)" != 0 ] || chown postgres "$place"
trap 'server "$programs/pg_ctl -D $place/data -m immediate stop" >/dev/null || true; rm -rf "$place"' EXIT
server "$programs/initdb -D $place/data -U postgres -A trust" >/dev/null
server "$programs/pg_ctl -w -D $place/data -o '-c listen_addresses= -k $place' -l $place/log start" >/dev/null
export ZKMARGIN_KILLS="$kills" ZKMARGIN_TEST_POSTGRES="postgres://postgres@localhost/postgres?host=$place"
# Tests that run, with so many lines that say so many kills: a name that no test has is no failure of `cargo test`.
counted() { # LINES WORDS COMMAND…
    local lines="$1" words="$2" said="$place/said" found
    shift 2
    "$@" 2>&1 | tee "$said"
    grep -q '^test result: ok\. 1 passed' "$said" || { echo "tests/campaigns/kills.sh: not one test has run: $*" >&2; exit 1; }
    found="$(grep -c -e "$words" "$said" || true)"
    [ "$found" -ge "$lines" ] || { echo "tests/campaigns/kills.sh: \"$words\" is said $found times, not $lines: $*" >&2; exit 1; }
}
# SQLite and PostgreSQL say each how it went; the ledger's test says it of both together, at the latest when all kills are done.
counted 2 ": $kills kills of 2 processes each" cargo test --release --locked -p zkmargin-verifier --features registry --lib -- --nocapture however_often_the_process_is_killed
counted 1 "\b$kills kills of each kind of ledger" cargo test --release --locked -p zkmargin-ledger --test ledger -- --ignored --exact kills::long --nocapture

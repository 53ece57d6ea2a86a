#!/usr/bin/env bash
# Runs a command with a PostgreSQL server of its own in a temporary folder, which the tests of the databases then use as well: tests/campaigns/with-postgres.sh COMMAND….
# The server's programs are in the folder POSTGRES (/usr/lib/postgresql/*/bin by default).
set -euo pipefail
[ "$#" -gt 0 ] || { echo "usage: tests/campaigns/with-postgres.sh COMMAND…" >&2; exit 2; }
programs="${POSTGRES:-$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")}"
# Not in a private TMPDIR, where another user cannot go; and the path of a socket is short.
place="$(mktemp -d /tmp/zkmargin.XXXXXX)"
chmod 755 "$place"
# PostgreSQL does not run as root.
server() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$*"; else sh -c "$*"; fi; }
[ "$(id -u)" != 0 ] || chown postgres "$place"
trap 'server "$programs/pg_ctl -D $place/data -m immediate stop" >/dev/null || true; rm -rf "$place"' EXIT
server "$programs/initdb -D $place/data -U postgres -A trust --no-locale -E UTF8" >/dev/null
server "$programs/pg_ctl -w -D $place/data -o '-c listen_addresses= -k $place' -l $place/log start" >/dev/null
ZKMARGIN_TEST_POSTGRES="postgres://postgres@localhost/postgres?host=$place" "$@"

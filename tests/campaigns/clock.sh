#!/usr/bin/env bash
# Clocks that are set back and forth, under both tools and without --at: needs libfaketime (`apt-get install faketime`), and both tools as `disk.sh` does.
set -euo pipefail
cd "$(dirname "$0")/../.."
trader="$PWD/target/release/zkmargin"
partner="$PWD/target/release/zkmargin-verify"
stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
"$trader" demo --dir "$stage/demo" >"$stage/demo.log" 2>&1
cd "$stage/demo"
export XDG_CACHE_HOME="$stage/cache" TZ=UTC
library="$(find /usr/lib -name libfaketime.so.1 | head -1)"
[ -n "$library" ] || { echo "libfaketime is not there" >&2; exit 2; }
failed=0
# EXIT-CODE WORDS "INSTANT" COMMAND…: the command at that time of the system's clock ends so, and says these words.
at() {
    local expected="$1" said="$2" instant="$3" code=0
    shift 3
    # No words would be found in anything.
    [ -n "$said" ] || { echo "no words are expected of $*" >&2; exit 2; }
    FAKETIME="$instant" LD_PRELOAD="$library" "$@" >out 2>&1 || code=$?
    if [ "$code" != "$expected" ] || ! grep -q "$said" out; then
        failed=$((failed + 1))
        printf 'exit code %s, not %s (%s), at %s: %s\n%s\n' "$code" "$expected" "$said" "$instant" "$*" "$(tail -3 out)" >&2
    fi
}
# The first field of that name; the tool is heard out, which ends with an error when nobody listens to its end.
field() {
    local said
    said="$("$trader" --json inspect "$1")"
    grep -m1 -o "\"$2\": *\"[0-9a-f]*\"" <<<"$said" | grep -o '[0-9a-f]\{64\}'
}
audience="$(field partner.key public)"
subject="$(field trader.key public)"
nonce="$(field margin.bundle nonce)"

# A verdict is of the instant at which it is asked for.
verify=("$partner" --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --nonce "$nonce" margin.bundle)
at 0 VALID '2026-08-06 12:02:00' "${verify[@]}"
at 3 'refused at' '2026-08-06 12:00:00' "${verify[@]}"
at 3 'more than 10m ago' '2026-08-06 12:20:00' "${verify[@]}"
at 0 VALID '2026-08-06 12:02:00' "${verify[@]}"
at 2 'before 1970' '1969-12-31 23:00:00' "${verify[@]}"

# What the demonstration's policy has not: when a proof is due again.
sed -i '0,/{/s//{ "calls": { "notice": "5m", "grace": "2m" },/' policy.json
# A registry does not go back behind its clock, and what it accepted stays accepted.
"$partner" registry create --registry registry.db --policy policy.json >/dev/null
kept=("${verify[@]}" --registry registry.db)
at 0 VALID '2026-08-06 12:02:00' "${kept[@]}"
at 3 'accepted' '2026-08-06 12:03:00' "${kept[@]}"
at 3 'accepted at 2026-08-06T12:02:00Z already' '2026-08-06 12:01:30' "${kept[@]}"

# A ledger does not either: an account that is pledged is not pledged again by setting the clock back, or forth and back.
ledger=("$trader" venue ledger)
"${ledger[@]}" init --ledger ledger.db --universe universe.json --key optionhouse.key >/dev/null
"${ledger[@]}" account --ledger ledger.db --name a --subject "$subject" --account options-account.json --at 2026-08-06T11:00:00Z >/dev/null
attest() { # OUT AUDIENCE EPOCH
    printf '%s\n' "${ledger[@]}" attest --ledger ledger.db --key optionhouse.key --name a --epoch "$3" --audience "$2" --book b --expires 2026-08-06T13:00:00Z -o "$1" --opening "$1.opening"
}
other="$(field stranger.key public)"
mapfile -t first < <(attest first "$audience" 2026-08-06T12:00:00Z)
mapfile -t second < <(attest second "$other" 2026-08-06T12:01:00Z)
mapfile -t third < <(attest third "$audience" 2026-08-06T12:01:00Z)
at 0 'gone by 2026-08-06T12:02:00Z' '2026-08-06 12:02:00' "${first[@]}"
at 3 'pledged' '2026-08-06 12:03:00' "${second[@]}"
at 3 'set the clock right' '2026-08-06 11:00:00' "${second[@]}"
at 3 'set the clock right' '2026-08-06 12:01:30' "${third[@]}"
at 0 'gone by 2026-08-06T12:04:00Z' '2026-08-06 12:04:00' "${third[@]}"
[ ! -e second ] || { failed=$((failed + 1)); echo "a second audience has an attestation" >&2; }

# A bundle that is held: set forward, the clock ends the wait; set back, it prolongs it.
prove=("$trader" prove --universe universe.json --snapshot snapshot.json --model paradex-pm --attestation options.attestation --opening options.opening
    --attestation hedge.attestation --opening hedge.opening --subject-key trader.key --audience "$audience" --book credit-line-7 --ratio 1.05)
faked() { FAKETIME_TIMESTAMP_FILE="$PWD/clock" FAKETIME_NO_CACHE=1 LD_PRELOAD="$library" "$@" >out 2>&1; }
# That a bundle is not there says something only when it would be there if it were not held: that takes as long as an unheld one, several times over.
echo '@2026-08-06 12:02:00' >clock
SECONDS=0
faked "${prove[@]}" -o unheld || { failed=$((failed + 1)); echo "not held: $(tail -2 out)" >&2; }
[ -e unheld ] || { failed=$((failed + 1)); echo "a bundle that is not held is not there" >&2; }
proven=$((3 * (SECONDS + 1)))
hold() { # OUT FROM RELEASE
    echo "$2" >clock
    faked "${prove[@]}" --release-at "$3" -o "$1" &
    held=$!
    sleep "$proven"
    [ ! -e "$1" ] || { failed=$((failed + 1)); echo "$1 is there too early" >&2; }
    kill -0 "$held" 2>/dev/null || { failed=$((failed + 1)); echo "$1 is not waited for: $(tail -2 out)" >&2; }
}
hold forward '@2026-08-06 12:02:00' 2026-08-06T12:20:00Z
echo '@2026-08-06 12:20:00' >clock
wait "$held" && [ -e forward ] || { failed=$((failed + 1)); echo "set forward: $(tail -2 out)" >&2; }
hold back '@2026-08-06 12:02:00' 2026-08-06T12:20:00Z
echo '@2026-08-06 12:01:00' >clock
sleep "$proven"
[ ! -e back ] || { failed=$((failed + 1)); echo "back is there too early" >&2; }
echo '@2026-08-06 12:20:00' >clock
wait "$held" && [ -e back ] || { failed=$((failed + 1)); echo "set back: $(tail -2 out)" >&2; }
printf 'clocks set back and forth: %s failures\n' "$failed"
[ "$failed" = 0 ]

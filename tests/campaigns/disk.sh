#!/usr/bin/env bash
# Commands that write, on a disk with no room, with a little room, and on one that is read-only: each says so with exit code 2, and everything that was
# there is there unchanged, and nothing else but the file of a database that could not be made. Mounts small file systems in memory, and so needs root.
# Builds nothing: `cargo build --release
# -p zkmargin-prover -p zkmargin-verifier --features zkmargin-verifier/registry` comes before.
#
# Not tried: bench and bench report, demo, and of a ledger handover and relist.
set -euo pipefail
cd "$(dirname "$0")/../.."
trader="$PWD/target/release/zkmargin"
partner="$PWD/target/release/zkmargin-verify"
stage="$(mktemp -d)"
disk="$stage/disk"
trap 'umount "$disk" 2>/dev/null || true; rm -rf "$stage"' EXIT
demo="$stage/demo"
"$trader" demo --dir "$demo" >"$stage/demo.log" 2>&1
mkdir "$disk"
mount -t tmpfs -o size=2m,mode=755 zkmargin "$disk"

at=2026-08-06T12:01:00Z
# The first field of that name; the tool is heard out, which ends with an error when nobody listens to its end.
field() {
    local said
    said="$("$trader" --json inspect "$1")"
    grep -m1 -o "\"$2\": *\"[0-9a-f]*\"" <<<"$said" | grep -o '[0-9a-f]\{64\}'
}
audience="$(grep -o '"audience": *"[0-9a-f]*"' "$demo/policy.json" | grep -o '[0-9a-f]\{64\}')"
subject="$(field "$demo/trader.key" public)"
nonce="$(field "$demo/margin.bundle" nonce)"
facts=(--universe "$demo/universe.json" --snapshot "$demo/snapshot.json" --model paradex-pm)
accounts=(--attestation "$demo/options.attestation" --opening "$demo/options.opening" --attestation "$demo/hedge.attestation" --opening "$demo/hedge.opening")
export XDG_CACHE_HOME="$stage/cache"

# What was there before: a ledger with an account, a registry, a running commitment.
"$trader" venue ledger init --ledger "$disk/ledger.db" --universe "$demo/universe.json" --key "$demo/optionhouse.key" >/dev/null
"$trader" venue ledger account --ledger "$disk/ledger.db" --name a --subject "$subject" --account "$demo/options-account.json" --at 2026-08-06T10:00:00Z >/dev/null
sed '0,/{/s//{ "calls": { "notice": "5m", "grace": "2m" },/' "$demo/policy.json" >"$stage/policy.json"
"$partner" registry create --registry "$disk/registry.db" --policy "$stage/policy.json" >/dev/null
"$trader" venue update --universe "$demo/universe.json" --state "$disk/running" --account "$demo/options-account.json" >/dev/null
printf '{"venue":"optionhouse","transfers":[{"asset":"BTC","amount":"1"}]}' >"$stage/fills.json"
for id in $(seq 2000); do
    printf '{"id":"%s","account":"a","time":"2026-08-06T11:00:00Z","asset":"BTC","amount":"0.001"}\n' "$id"
done >"$stage/fills.jsonl"

# An account that is pledged, and its release.
"$trader" venue ledger account --ledger "$disk/ledger.db" --name c --subject "$subject" >/dev/null
"$trader" venue ledger attest --ledger "$disk/ledger.db" --key "$demo/optionhouse.key" --name c --epoch 2026-08-06T12:00:00Z --audience "$audience" --book b \
    --expires 2026-08-06T13:00:00Z --at "$at" -o "$stage/c.attestation" --opening "$stage/c.opening" >/dev/null
"$trader" release --key "$demo/partner.key" --attestation "$stage/c.attestation" --at "$at" -o "$stage/c.release" >/dev/null
# A circuit breaker that has observed the market once.
steps='{"cautious":{"enter":9000,"leave":8000},"halted":{"enter":9500,"leave":8500}}'
least='{"cautious":{"enter":2,"leave":4},"halted":{"enter":1,"leave":3}}'
of='{"reference":'$steps',"price_jump":'$steps',"volatility":{"jump":'$steps',"dispersion":'$steps',"least":'$least'}}'
breaker='{"dwell":"10m","silence":"1h","max_reference_age":"1m","publisher_band":30,"index_dispersion":'$steps',"asset_jump":'$steps',"underlyings":{"BTC":'$of',"ETH":'$of'},"cautious":{"renewals_only":true,"ratio":"1.5"}}'
sed '0,/{/s//{ "breaker": '"$breaker"',/' "$demo/policy.json" >"$stage/breaker-policy.json"
printf '{"instant":"2026-08-06T12:00:00Z","indices":{"BTC":"64000","ETH":"1900"}}' >"$stage/reference.json"
observe=("$partner" breaker observe --policy "$stage/breaker-policy.json" --journal "$disk/breaker.json" --snapshot "$demo/snapshot.json" --reference "$stage/reference.json")
"${observe[@]}" --at 2026-08-06T12:00:30Z >/dev/null

cat >"$stage/chain.csv" <<'CSV'
date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd
2026-08-06,BTC,BTC-28AUG26-70000-C,28AUG26,70000,call,12.5,35.1,64570
2026-08-06,BTC,BTC-28AUG26-70000-P,28AUG26,70000,put,0,35.1,64570
CSV
cat >"$stage/closes.csv" <<'CSV'
date,symbol,us_close_usd,global_close_usd,premium_pct
2026-08-05,BTC,62990,63000,0
2026-08-06,BTC,63990,64000,0
CSV
printf 'date,currency,dvol\n2026-08-05,BTC,35.5\n2026-08-06,BTC,34.25\n' >"$stage/dvol.csv"
printf '{"statements":[{"name":"one","book":"credit-line-7","accounts":[{"attestation":"%s/options.attestation","opening":"%s/options.opening"},{"attestation":"%s/hedge.attestation","opening":"%s/hedge.opening"}],"subject_keys":["%s/trader.key"]}]}' \
    "$demo" "$demo" "$demo" "$demo" "$demo" >"$stage/batch.json"

commands=(
    "$trader keygen venue -o $disk/out"
    "$trader snapshot sign --snapshot $demo/snapshot.json --key $stage/publisher.key --network test -o $disk/out"
    "$trader universe build --venue $demo/optionhouse.json --venue $demo/perphouse.json --snapshot $demo/snapshot.json --network test -o $disk/out --key optionhouse=$(field "$demo/optionhouse.key" public) --key perphouse=$(field "$demo/perphouse.key" public)"
    "$trader venue attest --universe $demo/universe.json --key $demo/optionhouse.key --subject $subject --account $demo/options-account.json --name a --epoch 2026-08-06T12:00:00Z --audience $audience --book b --expires 2026-08-06T13:00:00Z --at $at -o $disk/out --opening $disk/out.opening"
    "$trader margin ${facts[*]} --opening $demo/options.opening --opening $demo/hedge.opening --svg $disk/out"
    "$trader prove ${facts[*]} ${accounts[*]} --subject-key $demo/trader.key --audience $audience --book credit-line-7 --ratio 1.05 --at $at -o $disk/out"
    "$trader release --key $demo/partner.key --attestation $demo/options.attestation --at $at -o $disk/out"
    "$trader venue update --universe $demo/universe.json --state $disk/running --fills $stage/fills.json"
    "$trader venue ledger import --ledger $disk/ledger.db --fills $stage/fills.jsonl"
    "$trader venue ledger attest --ledger $disk/ledger.db --key $demo/optionhouse.key --name a --epoch 2026-08-06T12:00:00Z --audience $audience --book b --expires 2026-08-06T13:00:00Z --at $at -o $disk/out --opening $disk/out.opening"
    "$trader venue ledger account --ledger $disk/ledger.db --name b --subject $subject --account $demo/options-account.json"
    "$trader prove-batch ${facts[*]} --audience $audience --ratio 1.05 --at $at -o $disk/batch $stage/batch.json"
    "$partner registry create --registry $disk/out.db --policy $stage/policy.json"
    "$trader venue ledger init --ledger $disk/out-ledger.db --universe $demo/universe.json --key $demo/optionhouse.key"
    "$trader venue ledger release --ledger $disk/ledger.db --release $stage/c.release --at $at"
    "${observe[*]} --at $at"
    "$trader venue ledger export --ledger $disk/ledger.db -o $disk/out.csv"
    "$trader schema --all -o $disk/schemas"
    "$trader snapshot import recorded-chain $stage/chain.csv --time 2026-08-06T12:00:00Z -o $disk/out"
    "$trader history import closes --closes $stage/closes.csv --dvol $stage/dvol.csv -o $disk/out"
    "$partner --policy $stage/policy.json ${facts[*]} --nonce $nonce --at $at --registry $disk/registry.db $demo/margin.bundle"
)
"$trader" keygen publisher -o "$stage/publisher.key" >/dev/null

# Files that are data: the database's own scratch files come and go. A database is compared by what is in it.
state() {
    (cd "$disk" && find . -type f ! -name filler ! -name '*-wal' ! -name '*-shm' ! -name '*-journal' ! -name '*.db' -exec sha256sum {} + | sort)
    # The file of a database that could not be made may stay behind; asked again, it is made.
    (cd "$disk" && find . -name '*.db' ! -name 'out*.db' | sort)
    "$trader" venue ledger audit --ledger "$disk/ledger.db" 2>&1 || true
    "$trader" --json venue ledger show --ledger "$disk/ledger.db" 2>&1 | grep -v '"at"' || true
    "$partner" registry export --registry "$disk/registry.db" 2>&1 || true
}
tried=0
failed=0
refused() { # TITLE COMMAND
    local code=0
    read -r -a words <<<"$2"
    "${words[@]}" >"$stage/out" 2>&1 || code=$?
    tried=$((tried + 1))
    if [ "$code" != 2 ] || grep -q panicked "$stage/out"; then
        failed=$((failed + 1))
        printf 'exit code %s, %s: %s\n%s\n' "$code" "$1" "$2" "$(tail -3 "$stage/out")" >&2
    fi
}

before="$(state)"
for room in 0 4; do
    for command in "${commands[@]}"; do
        # Fills the disk, but for so many KiB.
        rm -f "$disk/filler"
        dd if=/dev/zero of="$disk/filler" bs=1k 2>/dev/null || true
        truncate -s "-${room}K" "$disk/filler"
        # A small file fits.
        case "$room:$command" in 4:*keygen* | 4:*prove-batch* | 4:*' sign '* | 4:*' prove '* | 4:*' update '* | 4:*' release --key'* | 4:*' import recorded-chain '* | 4:*' import closes '* | 4:*' breaker '*) continue ;; esac
        refused "$room KiB of room" "$command"
        rm -f "$disk/filler"
        if [ "$(state)" != "$before" ]; then
            failed=$((failed + 1))
            printf 'changed by a command without room: %s\n' "$command" >&2
            before="$(state)"
        fi
    done
done
mount -o remount,ro "$disk"
for command in "${commands[@]}"; do refused "read-only" "$command"; done
mount -o remount,rw "$disk"
[ "$(state)" = "$before" ] || { failed=$((failed + 1)); echo "changed on a read-only disk" >&2; }
# With room, everything is done after all.
for command in "${commands[@]}"; do
    read -r -a words <<<"$command"
    rm -f "$disk/out" "$disk/out.csv" "$disk/out.opening"
    "${words[@]}" >"$stage/out" 2>&1 || { failed=$((failed + 1)); printf 'refused with room: %s\n%s\n' "$command" "$(tail -3 "$stage/out")" >&2; }
done
printf '%s commands without room or right to write: %s failures\n' "$tried" "$failed"
[ "$failed" = 0 ]

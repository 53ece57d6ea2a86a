#!/usr/bin/env bash
# Mutation testing of what checks: tests/campaigns/mutants.sh FILE…, for example program/src/bounds.rs. Needs cargo-mutants (`cargo install cargo-mutants`).
#
# Every function of the files is replaced, every operator exchanged, and the tests of the crate must notice. Survivors are in target/mutants/mutants.out/missed.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$#" -gt 0 ] || { echo "usage: tests/campaigns/mutants.sh FILE…" >&2; exit 2; }
package="zkmargin-$(cut -d/ -f1 <<<"$1")"
files=()
for file in "$@"; do files+=(--file "$file"); done
mkdir -p target/mutants
exec cargo mutants --package "$package" "${files[@]}" --test-package "$package" --output target/mutants --no-shuffle

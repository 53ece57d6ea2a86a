#!/usr/bin/env bash
# Mutation testing of what checks: tests/campaigns/mutants.sh FILE…, for example program/src/bounds.rs. Needs cargo-mutants (`cargo install cargo-mutants`).
#
# Every function of the files is replaced, every operator exchanged, but for what only shows or is dropped, and the tests of the crate must notice. Survivors are in target/mutants/mutants.out/missed.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$#" -gt 0 ] || { echo "usage: tests/campaigns/mutants.sh FILE…" >&2; exit 2; }
crate="$(cut -d/ -f1 <<<"$1")"
files=()
for file in "$@"; do
    # The tests of one crate say nothing of another.
    case "$file" in
        "$crate"/*) files+=(--file "$file") ;;
        *) echo "tests/campaigns/mutants.sh: $file is not of the crate $crate, as $1 is: give the files of one crate" >&2; exit 2 ;;
    esac
    [ -f "$file" ] || { echo "tests/campaigns/mutants.sh: $file is not there: give paths from the root of the workspace" >&2; exit 2; }
done
package="zkmargin-$crate"
mkdir -p target/mutants
exec cargo mutants --package "$package" --all-features "${files[@]}" --test-package "$package" --output target/mutants --no-shuffle

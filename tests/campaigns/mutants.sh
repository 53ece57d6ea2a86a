#!/usr/bin/env bash
# Mutation testing of what checks: tests/campaigns/mutants.sh [FILE…], for example program/src/bounds.rs; all of `program`, `circuits` and `verifier` by default.
#
# One build of a copy of the workspace, in target/mutants, has every mutant that compiles; the tests that reach a mutant run with it alone. What ended before it was stopped is not run again.
# Fails if a mutant survives that tests/mutator/survivors.tsv does not list with its reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
files=("$@")
# Not: tests, what is only shown, and the tools' command lines.
[ "${#files[@]}" -gt 0 ] || mapfile -t files < <(git ls-files 'program/src/*.rs' 'circuits/src/*.rs' 'verifier/src/*.rs' |
    grep -vE '/(tests|bin)/|/(tests|fixture|golden|error|words)\.rs$')
for file in "${files[@]}"; do
    [ -f "$file" ] || { echo "tests/campaigns/mutants.sh: $file is not there: give paths from the root of the workspace" >&2; exit 2; }
done
exec cargo run --release --locked --manifest-path tests/mutator/Cargo.toml -- . "${files[@]}"

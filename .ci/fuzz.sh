#!/usr/bin/env bash
# Runs every fuzzer of the repository for a time (default 10s), one at a time, on one processor, with bounded memory.
# usage: .ci/fuzz.sh [TIME [PACKAGE...]]
set -euo pipefail
time=${1:-10s}
shift || true
ulimit -v 16777216
mapfile -t packages < <(go list "${@:-./...}")
for package in "${packages[@]}"; do
  for fuzzer in $(go test -short -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "fuzz: $package $fuzzer for $time"
    nice -n 10 go test -short -run '^$' -fuzz "^$fuzzer\$" -fuzztime "$time" -parallel 1 "$package"
  done
done

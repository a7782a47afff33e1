#!/usr/bin/env bash
# Runs every fuzzer of the repository for a time (default 10s), one at a time, on one processor, with bounded memory.
# usage: .ci/fuzz.sh [TIME [PACKAGE...]]
set -euo pipefail
time=${1:-10s}
shift || true
ulimit -v 16777216
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE FUZZER
fuzz() {
  echo "fuzz: $1 $2 for $time"
  nice -n 10 go test -short -run '^$' -fuzz "^$2\$" -fuzztime "$time" -parallel 1 "$1" 2>&1 | tee "$log"
}

# overran: before Go 1.27 the end of the time is now and then taken for a failure (golang/go#75804). What is found names
# the input that it has written down, or says what the process died of.
overran() {
  grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input\|hung or terminated\|panic:' "$log"
}

mapfile -t packages < <(go list "${@:-./...}")
for package in "${packages[@]}"; do
  for fuzzer in $(go test -short -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    fuzz "$package" "$fuzzer" || { overran && fuzz "$package" "$fuzzer"; } || { overran && fuzz "$package" "$fuzzer"; }
  done
done

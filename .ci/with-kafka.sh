#!/usr/bin/env bash
# with-kafka.sh DIR PORT COMMAND...: runs COMMAND beside a fresh Apache Kafka, whose address is in WASMSTREAM_TEST_BROKERS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2
shift 2
"$here/kafka.sh" stop "$dir"
rm -rf "$dir"
trap '"$here/kafka.sh" stop "$dir"; rm -rf "$dir"' EXIT
KAFKA_HEAP=${KAFKA_HEAP:-512m} KAFKA_SESSION=60000 "$here/kafka.sh" start "$dir" "$port"
WASMSTREAM_TEST_BROKERS=127.0.0.1:$port "$@"

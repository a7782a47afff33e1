#!/usr/bin/env bash
# Builds the Java programs that hold us to Kafka Streams (internal/conformance/kafkastreams), with Kafka Streams from
# Maven Central (94 MB with RocksDB, once), into .cache/conformance. Does nothing when they are current.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
project=$root/internal/conformance/kafkastreams
target=$root/.cache/conformance
command -v mvn > /dev/null || { echo "kafka-streams: mvn is missing: install a JDK 17 and Maven (Debian: openjdk-17-jdk-headless maven)" >&2; exit 3; }
mkdir -p "$target"
exec 9> "$target/lock"
flock 9
sources=$(find "$project" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
[[ -f $target/built && $(< "$target/built") == "$sources" ]] && exit 0
mvn -q -B -f "$project/pom.xml" -Dcases.target="$target" compile \
  dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$target/libs"
echo "$sources" > "$target/built"

#!/usr/bin/env bash
# Installs the clients of Kafka Connect that "make clients" drives: tools of PyPI in a virtual environment, a library of
# Maven Central. What is there already is left alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
from=$root/internal/conformance/clients
to=$root/.cache/clients
mkdir -p "$to"
if ! cmp -s "$from/requirements.txt" "$to/python/requirements.txt"; then
  rm -rf "$to/python"
  python3 -m venv "$to/python"
  "$to/python/bin/pip" install -q -r "$from/requirements.txt"
  cp "$from/requirements.txt" "$to/python/"
fi
if ! cmp -s "$from/pom.xml" "$to/java/pom.xml"; then
  rm -rf "$to/java"
  mvn -q -B -f "$from/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$to/java"
  cp "$from/pom.xml" "$to/java/"
fi

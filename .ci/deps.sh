#!/usr/bin/env bash
# Installs what the tests need beside Go and Rust by rustup, JDK 17 and Maven: the C and Rust toolchains for wasm,
# Apache Kafka's jars, and the programs of Kafka Streams that we are compared with. What is there already is left
# alone; the second call takes a second.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
command -v clang-19 > /dev/null || missing+=(clang-19)
command -v curl > /dev/null || missing+=(curl)
command -v wasm-ld-19 > /dev/null || missing+=(lld-19)
[[ -d /usr/include/wasm32-wasi ]] || missing+=(wasi-libc libclang-rt-19-dev-wasm32)
[[ -x /usr/bin/rustc ]] || missing+=(rustc-web)
[[ -d /usr/lib/rustlib/src || -d /usr/src/rustc-web ]] || dpkg -s rust-web-src > /dev/null 2>&1 || missing+=(rust-web-src)
if (( ${#missing[@]} )); then
  if ! command -v apt-get > /dev/null; then
    echo "deps: install by hand: ${missing[*]} (clang and lld of LLVM 19; a rustc with the wasm32-unknown-unknown target)" >&2
    exit 3
  fi
  as_root=()
  (( EUID == 0 )) || as_root=(sudo)
  echo "deps: apt-get install ${missing[*]}"
  "${as_root[@]}" apt-get update -q > /dev/null || { "${as_root[@]}" apt-get update -q > /dev/null; }
  "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" > /dev/null
fi
"$here/rust-wasm-std.sh"
if command -v rustup > /dev/null; then # the oldest compiler that the SDK for Rust is for
  oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$here/../guest-sdk/rust/Cargo.toml")
  rustup run "$oldest" rustc --version > /dev/null 2>&1 || rustup toolchain install "$oldest" --profile minimal --no-self-update
fi
"$here/kafka.sh" fetch
"$here/kafka-streams.sh"

#!/usr/bin/env bash
# Builds the modules of the corpus whose compilers are here into a folder; says of the others what is missing.
# usage: build.sh OUT
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go_module() { (cd "$here/go" && GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -o "$out/go.wasm" .); }

cpp_module() {
  clang-19 --target=wasm32 -std=c++17 -O2 -nostdlib -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -mbulk-memory \
    -Wl,--no-entry -Wl,-z,stack-size=65536 -o "$out/cpp.wasm" "$here/cpp/corpus.cpp"
}

assemblyscript_module() {
  cp "$here"/assemblyscript/* "$work" && (cd "$work" && npm install --silent --no-audit --no-fund >&2 &&
    npx asc corpus.ts -o "$out/assemblyscript.wasm" -O3 --runtime incremental --use abort=)
}

rust_module() {
  local rustc=/usr/bin/rustc
  cp -r "$here/rust" "$work/rust" && (cd "$work/rust" && RUSTC=$rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
    CARGO_TARGET_DIR=$work/target cargo build -q --release --target wasm32-unknown-unknown &&
    cp "$work/target/wasm32-unknown-unknown/release/corpus.wasm" "$out/rust.wasm")
}

quickjs_module() {
  local source
  (cd "$here/quickjs" && cargo fetch -q --locked) &&
    source=$(cd "$here/quickjs" && cargo metadata -q --locked --format-version 1 | grep -o '"manifest_path":"[^"]*rquickjs-sys[^"]*"' | cut -d'"' -f4) &&
    source=$(dirname "$source")/quickjs &&
    clang-19 --target=wasm32-wasi -O2 -w -D_GNU_SOURCE -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -I"$source" -mexec-model=reactor \
      -Wl,--strip-all -Wl,-z,stack-size=1048576 -o "$out/quickjs.wasm" "$here/quickjs/guest.c" "$source"/{quickjs,libregexp,libunicode,dtoa}.c \
      -lwasi-emulated-process-clocks -lwasi-emulated-signal -lm
}

for module in go cpp assemblyscript rust quickjs; do
  [[ -s $out/$module.wasm ]] && continue
  "${module}_module" || echo "corpus: $module was not built"
done
ls -l "$out"

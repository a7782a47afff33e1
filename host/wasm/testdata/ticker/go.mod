module github.com/wasmstream/wasmstream/host/wasm/testdata/ticker

go 1.24

// Package examples carries the committed modules of the examples inside the binary, for the demo and the benchmark.
package examples

import _ "embed"

// WordCount is examples/wordcount/wordcount.wasm, built from examples/wordcount/c.
//
//go:embed wordcount/wordcount.wasm
var WordCount []byte

// MapValues is examples/mapvalues/mapvalues.wasm, built from examples/mapvalues/c.
//
//go:embed mapvalues/mapvalues.wasm
var MapValues []byte

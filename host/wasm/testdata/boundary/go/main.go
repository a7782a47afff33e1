// The two ends of what a guest can do with a record: name it, or copy all of it. For the benchmark of the boundary.
package main

import wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"

func init() {
	wasmstream.Module("boundary", "1.0.0")
	wasmstream.MapValues("reference", func(v []byte) []byte { return v }, wasmstream.Wants())
	wasmstream.FlatMap("copied", func(rec *wasmstream.Record, emit func(key, value []byte)) { emit(rec.Key, rec.Value) },
		wasmstream.Wants(wasmstream.Key, wasmstream.Value))
}

func main() {}

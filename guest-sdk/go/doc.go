// Package wasmstream is the SDK for guests of wasmstream in Go: functions and processors over Kafka records, built
// with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o guest.wasm .
//
// A guest registers its components in init and leaves main empty:
//
//	func init() {
//		wasmstream.Module("shop", "1.0.0")
//		wasmstream.Filter("paid", func(rec *wasmstream.Record) bool { return len(rec.Value) > 0 })
//		wasmstream.Process("totals", func() wasmstream.Processor { return new(totals) }, wasmstream.Stores("totals"))
//	}
//
//	func main() {}
//
// # Bytes
//
// Everything that the SDK hands in (Key, Value, Headers, values of stores) is borrowed and read-only: it lies in a
// buffer that the next frame, or the next call on the same store, overwrites. Copy what you keep. Whatever is handed
// to the SDK (emit, Forward, Put) is copied before the call returns, so scratch buffers can be used again at once.
//
// A part of a record that is handed on unchanged - the very slice that came in - does not cross the boundary: the host
// takes it from the input. That is why a filter or a new key costs next to nothing, and why input must not be written
// to. TestHost checks this rule.
//
// # Speed
//
// The SDK allocates nothing per record. A guest that keeps to the same (reused scratch buffers, package json of this
// module instead of encoding/json) never runs the garbage collector.
//
// # Tests
//
// On other platforms than wasm the package runs against TestHost, an in-memory host, so that components are tested by
// plain `go test`.
//
// The package knows the contract of host and guest (abi/SPEC.md of wasmstream) and nothing of Kafka or the host's
// inside. It has no dependencies and compiles with TinyGo. Nothing in it is safe for use by several goroutines: an
// instance of a guest has one thread.
package wasmstream

// SDK is how this SDK names itself in manifests.
const SDK = "go/1.0.0"

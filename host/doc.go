// Package host wires the rooms of the house into one process: an application's document and settings, its wasm modules,
// the runtime that it runs on, its local state and its cluster. It is the API for programs that embed wasmstream, and
// all that the command line calls.
//
// It knows every room below and holds no logic of theirs: what a thread does is host/stream's, what a module may do is
// host/wasm's.
package host

// Package wasm runs guest modules: it judges their bytes, meters their code, compiles them once and gives each task an
// instance with limits on work, time, memory, stack and logs.
//
// It knows the binary format of WebAssembly and the contract of package abi. It knows neither Kafka nor topologies nor
// stores: what a guest may ask of its surroundings is the interface Host, which the caller of Instantiate brings.
//
// DESIGN. The way of a module:
//
//	bytes -> decode (own, bounded, never panics) -> check against abi and the limits -> meter -> wazero -> Module
//	Module -> Instantiate(Host, Limits) -> Instance: Open, Reserve, Process, Punctuate, Flush, CloseHandle, Close
//
// Files: engine.go Engine and its caches; module.go Module; instance.go Instance and the calls; budget.go fuel, slices
// and deadlines; trap.go TrapError; decode*.go the binary format; body.go one function's code; callgraph.go recursion
// and stack; meter.go the rewritten module; imports.go ws1.*; wasi.go preview 1; log.go the guest's lines;
// inspect.go what a module tells about itself.
//
// Concurrency: an Engine and its Modules may be used by any number of goroutines. An Instance belongs to one goroutine
// at a time; only Interrupt may be called from others. There is one lock, Engine.mu; it is held for memory only, never
// while compiling or running code.
//
// Ownership of bytes: what Process and its like return is a view of the guest's memory, valid until the next call on
// that Instance. What a Host gets is borrowed for the call.
package wasm

// Package guest makes plugins of Connect out of WebAssembly modules: transformations, predicates, converters, header
// converters, sources and sinks, which settings name as wasm:<file or digest>#<component>.
//
// # Design
//
//	Loader (loader.go) finds modules under plugin.path and lists their components -> module (module.go), one for each file,
//	compiled while a component of it runs, whose version can be replaced meanwhile -> component (component.go), one for each
//	plugin of a task: its settings, an instance, and what to do when that dies -> transformation.go, converter.go, source.go, sink.go.
//
// Records cross as frames of package abi whose keys, values and headers are data with schemas: encode.go and decode.go.
// A call that fails has changed nothing: answers are decoded whole before a record is touched. A frame that kills its
// instance is halved until the record at fault stands alone; what the guest kept in memory is gone then.
//
// Replacing a module: Reload compiles it, makes an instance for every component that runs, opens it with that component's
// settings, and only when all of them opened are they handed over; each component changes to its own before the next
// call. A component belongs to the goroutine of its task; the hand-over is one atomic pointer.
//
// The package knows modules (host/wasm), the API of plugins (connectors) and the network as far as it is allowed
// (egress.go). It knows no worker, no broker and no REST.
package guest

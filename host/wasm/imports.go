package wasm

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstream/wasmstream/abi"
)

// Fuel of host calls by size, on top of what the metering pass charges for the call itself.
const (
	fuelPerByteShift = 3  // one unit for 8 bytes that cross
	fuelPerPair      = 64 // of an iterator or a block
	fuelIterator     = 4096
	// What a call has written waits for its end in a log. An iterator takes the log's part of its range along and skips
	// what is deleted there; from the first iterator on each write is put in order.
	fuelPerWriteShift = 2 // of an iterator: four units for each write before it
	fuelOrderShift    = 4 // of a write: one unit for 16 writes before it
	fuelStore         = 256
	fuelLine          = 128 // of a log
	// maxScratch is what an instance keeps of the host's memory between two calls of imports.
	maxScratch = 1 << 20
)

// hostFunc is an import: it gets the instance and its operands, and leaves its result in stack[0].
type hostFunc func(in *Instance, stack []uint64)

// importModules are the modules of the contract, in the order of messages.
var importModules = []string{abi.ImportCore, abi.ImportState, abi.ImportConnect, abi.ImportEgress}

// functionOf is what implements an import of the contract, nil if nothing does.
func functionOf(f abi.Function) hostFunc {
	switch f.Module {
	case abi.ImportCore:
		return coreFunctions[f.Name]
	case abi.ImportState:
		return stateFunctions[f.Name]
	case abi.ImportConnect:
		return connectFunctions[f.Name]
	case abi.ImportEgress:
		return egressFunctions[f.Name]
	}
	return nil
}

// coreFunctions and its like implement what package abi lists, by name.
var coreFunctions = map[string]hostFunc{
	abi.FnFeatures:      func(in *Instance, s []uint64) { s[0] = uint64(in.host.Features()) },
	abi.FnEmit:          (*Instance).hostEmit,
	abi.FnSetError:      (*Instance).hostSetError,
	abi.FnLogEnabled:    (*Instance).hostLogEnabled,
	abi.FnLog:           (*Instance).hostLog,
	abi.FnMetric:        (*Instance).hostMetric,
	abi.FnMetricAdd:     func(in *Instance, s []uint64) { s[0] = i32(in.host.MetricAdd(int32(s[0]), int64(s[1]))) },
	abi.FnTime:          func(in *Instance, s []uint64) { s[0] = uint64(in.host.Time(int32(s[0]), int32(s[1]))) },
	abi.FnRandom:        (*Instance).hostRandom,
	abi.FnConfigGet:     (*Instance).hostConfigGet,
	abi.FnChild:         (*Instance).hostChild,
	abi.FnSchedule:      (*Instance).hostSchedule,
	abi.FnCancel:        func(in *Instance, s []uint64) { s[0] = i32(in.host.Cancel(int32(s[0]))) },
	abi.FnRequestCommit: func(in *Instance, s []uint64) { s[0] = i32(in.host.RequestCommit()) },
}

// i32 is a signed result as the engine wants it.
func i32(v int32) uint64 { return uint64(uint32(v)) }

func errno(e abi.Errno) uint64 { return i32(int32(e)) }

// instantiateImports offers everything that a guest may import. It is done once for an engine; the functions find
// their instance by the context of the call.
func (e *Engine) instantiateImports(ctx context.Context) error {
	for _, name := range importModules {
		b := e.runtime.NewHostModuleBuilder(name)
		for _, f := range abi.Imports() {
			if f.Module == name {
				b.NewFunctionBuilder().WithGoModuleFunction(goFunc(functionOf(f)), kinds(f.Params), kinds(f.Results)).Export(f.Name)
			}
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	if err := e.instantiateWASI(ctx); err != nil {
		return err
	}
	_, err := e.runtime.NewHostModuleBuilder(meterModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(refuel), kinds("ll"), kinds("l")).Export(meterRefuel).Instantiate(ctx)
	return err
}

// refuel is the import that the metering pass adds.
func refuel(ctx context.Context, mod api.Module, stack []uint64) {
	in := instanceOf(ctx)
	if in.mem == nil { // inside the start function
		in.reach(mod)
	}
	stack[0] = uint64(in.budget.refuel(int64(stack[0]), int64(stack[1])))
}

func goFunc(f hostFunc) api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		in := instanceOf(ctx)
		if in.mem == nil { // inside the start function
			in.reach(mod)
		}
		f(in, stack)
	}
}

func kinds(letters string) []api.ValueType {
	types := make([]api.ValueType, len(letters))
	for i := range letters {
		types[i] = api.ValueTypeI32
		if letters[i] == 'l' {
			types[i] = api.ValueTypeI64
		}
	}
	return types
}

// bytes is the view of ptr and len in the guest's memory. Whoever fails to give a right one often enough is stopped.
func (in *Instance) bytes(ptr, n uint64) ([]byte, bool) {
	b, ok := in.mem.Read(uint32(ptr), uint32(n))
	if !ok {
		if in.abuses++; in.abuses > maxAbuse {
			panic(stopAbuse)
		}
		return nil, false
	}
	in.budget.charge(uint64(len(b)) >> fuelPerByteShift)
	return b, true
}

// answer writes b by the (buf, cap) rule and returns its length.
func (in *Instance) answer(b []byte, buf, capacity uint64) uint64 {
	if uint64(len(b)) > uint64(uint32(capacity)) || len(b) == 0 {
		return uint64(uint32(len(b)))
	}
	dst, ok := in.bytes(buf, uint64(len(b)))
	if !ok {
		return errno(abi.InvalidArg)
	}
	copy(dst, b)
	return uint64(uint32(len(b)))
}

// crossed charges for bytes that the host has in hand for the guest, whether it has room for them or not.
func (in *Instance) crossed(bytes int) { in.budget.charge(uint64(bytes) >> fuelPerByteShift) }

// keep keeps a buffer for the next call that needs one, unless it is large.
func (in *Instance) keep(scratch []byte) {
	if in.scratch = nil; cap(scratch) <= maxScratch {
		in.scratch = scratch
	}
}

// fits tells whether (buf, cap) lies in memory; buf may be anything when cap is 0.
func (in *Instance) fits(buf, capacity uint64) bool {
	if uint32(capacity) == 0 {
		return true
	}
	if _, ok := in.mem.Read(uint32(buf), uint32(capacity)); ok {
		return true
	}
	_, ok := in.bytes(buf, capacity)
	return ok
}

func (in *Instance) hostEmit(s []uint64) {
	frame, ok := in.bytes(s[0], s[1])
	switch {
	case !ok:
		s[0] = errno(abi.InvalidArg)
	case in.phase != phaseOutput:
		s[0] = errno(abi.Denied)
	case len(frame) > abi.MaxFrameBytes:
		s[0] = errno(abi.Limit)
	default:
		s[0] = i32(in.host.Emit(frame))
	}
}

func (in *Instance) hostSetError(s []uint64) {
	msg, ok := in.bytes(s[2], s[3])
	switch class := uint32(s[1]); {
	case !ok || class > uint32(abi.ClassRetry):
		s[0] = errno(abi.InvalidArg)
	default:
		msg = msg[:min(len(msg), in.limits.LogLineBytes)]
		s[0] = i32(in.host.SetError(int32(s[0]), int32(class), msg))
	}
}

func (in *Instance) hostLogEnabled(s []uint64) {
	enabled := in.host.LogEnabled(int32(s[0]))
	s[0] = 0
	if enabled {
		s[0] = 1
	}
}

func (in *Instance) hostLog(s []uint64) {
	line, ok := in.bytes(s[1], s[2])
	level := int32(s[0])
	in.budget.charge(fuelLine)
	switch {
	case !ok || level < abi.LogDebug || level > abi.LogError:
		s[0] = errno(abi.InvalidArg)
	case in.logs.add(in, level, line):
		s[0] = 0
	default:
		s[0] = errno(abi.Limit)
	}
}

// maxMetricName bounds names of metrics and children.
const maxMetricName = 249

func (in *Instance) hostMetric(s []uint64) {
	name, ok := in.bytes(s[1], s[2])
	kind := int32(s[0])
	if !ok || len(name) == 0 || len(name) > maxMetricName || kind != abi.MetricCounter && kind != abi.MetricGauge {
		s[0] = errno(abi.InvalidArg)
		return
	}
	s[0] = i32(in.host.Metric(kind, name))
}

func (in *Instance) hostRandom(s []uint64) {
	const most = 64 << 10
	dst, ok := in.bytes(s[1], s[2])
	if !ok || len(dst) > most {
		s[0] = errno(abi.InvalidArg)
		return
	}
	s[0] = i32(in.host.Random(int32(s[0]), dst))
}

func (in *Instance) hostConfigGet(s []uint64) {
	key, ok := in.bytes(s[0], s[1])
	if !ok || !in.fits(s[2], s[3]) {
		s[0] = errno(abi.InvalidArg)
		return
	}
	value, ok := in.host.ConfigGet(key)
	if !ok {
		s[0] = errno(abi.NotFound)
		return
	}
	s[0] = in.answer(value, s[2], s[3])
}

func (in *Instance) hostChild(s []uint64) {
	name, ok := in.bytes(s[0], s[1])
	if !ok {
		s[0] = errno(abi.InvalidArg)
		return
	}
	s[0] = i32(in.host.Child(name))
}

func (in *Instance) hostSchedule(s []uint64) {
	interval, typ := int64(s[0]), int32(s[1])
	if interval <= 0 || typ != abi.PunctuateStream && typ != abi.PunctuateWall {
		s[0] = errno(abi.InvalidArg)
		return
	}
	s[0] = i32(in.host.Schedule(interval, typ, int64(s[2])))
}

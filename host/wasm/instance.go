package wasm

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmstream/wasmstream/abi"
)

// maxIterators may be open in one call.
const maxIterators = 16

// maxAbuse is how many bad pointers are forgiven: enough for a guest that tries what the host answers.
const maxAbuse = 1000

// Instance is a running guest: one memory, all handles opened on it. It belongs to one goroutine at a time.
//
//	Instantiate -> Open... -> { Reserve, Process | Punctuate }* -> Flush -> ... -> CloseHandle... -> Close
//	     any *TrapError: dead; every call answers that error, Close frees what is left
type Instance struct {
	module *Module
	host   Host
	limits Limits
	ctx    *callContext
	mod    api.Module
	mem    api.Memory
	linear linearMemory
	budget budget

	reserve, open, process, punctuate, flush, poll, ack, closes function

	region     uint32 // the region that the guest reserved for us
	regionSize uint32
	next       struct {
		set            bool
		records, bytes int
	}
	handles []handle
	limited bool // some handles have limits of their own
	stack   [4]uint64

	busy   bool
	phase  phase
	dead   error
	closed bool

	iters    [maxIterators]iterator
	writes   uint64 // to stores in the running call
	ordered  bool   // an iterator was opened in the running call
	logs     logLines
	clock    clock
	chance   *rand.ChaCha8
	abuses   int
	scratch  []byte
	response []byte // of the last http of the running call, nil if there was none
	stats    Stats
}

// handle is an open component.
type handle struct {
	id        int32
	component string
	open      bool
	limits    *Limits // lower than the instance's; nil if they are not
}

// function is an export, found once.
type function struct {
	name string
	fn   api.Function // nil if the module has none
}

// phase says what kind of call is running, for imports that are not allowed everywhere.
type phase uint8

const (
	phaseOther  phase = iota
	phaseOutput       // ws_process, ws_punctuate, ws_flush: emit is allowed
)

// Stats are counts of one instance since it began.
type Stats struct {
	// Calls of exports, and their fuel together. LastFuel is that of the last call.
	Calls, Fuel, LastFuel uint64
	// MemoryBytes is the size of the guest's memory now.
	MemoryBytes uint64
	// LogDropped are lines beyond the rate; LogCut are lines beyond the length.
	LogDropped, LogCut uint64
	// BadPointers are calls of imports with pointers outside of memory.
	BadPointers int
}

// callContext carries the instance into host functions. It is passed as it is, so that finding the instance is a type
// assertion; in a start function wazero wraps it, and Value finds it.
type callContext struct {
	context.Context
	in *Instance
}

type instanceKey struct{}

// Value implements context.Context. Nothing but the instance is ever looked up by a call.
func (c *callContext) Value(key any) any {
	if key == (instanceKey{}) {
		return c.in
	}
	return nil
}

// instanceOf finds the instance that calls a host function.
func instanceOf(ctx context.Context) *Instance {
	if c, ok := ctx.(*callContext); ok {
		return c.in
	}
	return ctx.Value(instanceKey{}).(*Instance)
}

func (m *Module) instantiate(ctx context.Context, host Host, limits Limits) (*Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := &Instance{module: m, host: host, limits: limits.within(m.engine.config.Limits)}
	in.ctx = &callContext{context.Background(), in}
	if in.logs.rate = host.LogRate(); in.logs.rate == nil {
		in.logs.rate = new(LogRate)
	}
	in.linear.limit = in.limits.MemoryBytes
	in.budget.wall = in.limits.Wall
	in.chance = rand.NewChaCha8(seedOf(m.compiled.digest))
	if least := m.compiled.info.MemoryMinBytes; least > in.linear.limit {
		in.dead = &TrapError{
			Module: m.name, Digest: m.Digest(), Export: exportStart, Reason: ReasonMemory, MemoryBytes: least,
			Message: fmt.Sprintf("begins with %d KiB of memory, %d KiB are allowed", least>>10, in.linear.limit>>10),
		}
		return nil, in.dead
	}
	if err := in.start(); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// seedOf makes random numbers of a guest repeatable: they depend on its bytes alone.
func seedOf(digest string) (seed [32]byte) {
	copy(seed[:], digest[len("sha256:"):])
	return seed
}

// start runs what a module runs before its first call: the start function and _initialize.
func (in *Instance) start() error {
	c := in.module.compiled
	in.begin(in.limits.FuelMax)
	ctx := experimental.WithMemoryAllocator(in.ctx, &in.linear)
	mod, err := in.module.engine.runtime.InstantiateModule(ctx, c.code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return in.die(exportStart, "", err)
	}
	in.mod = mod
	in.reach(mod)
	if in.budget.depth != nil {
		in.budget.depth.Set(in.limits.StackBytes)
		in.budget.mark.Set(in.limits.StackBytes)
	}
	in.end()
	in.reserve, in.open = in.function(abi.ExportReserve), in.function(abi.ExportOpen)
	in.process = in.function(abi.ExportProcess)
	if !c.exported.initialize {
		return nil
	}
	initialize := in.function(abi.ExportInitialize)
	return in.call(&initialize, in.limits.FuelMax, phaseOther, -1)
}

// reach finds the guest's memory and the globals of its budget. A start function that calls the host has them found then:
// what it has the host do is to be charged as in any other call.
func (in *Instance) reach(mod api.Module) {
	in.mem = mod.Memory()
	if g, ok := mod.ExportedGlobal(exportFuel).(api.MutableGlobal); ok {
		in.budget.fuel = g
		in.budget.depth = mod.ExportedGlobal(exportDepth).(api.MutableGlobal)
		in.budget.mark = mod.ExportedGlobal(exportMark).(api.MutableGlobal)
	}
}

func (in *Instance) function(name string) function {
	return function{name, in.mod.ExportedFunction(name)}
}

// optional finds an export when it is first needed: each costs the engine a stack of its own.
func (in *Instance) optional(f *function, name string, has bool) bool {
	if has && f.fn == nil {
		*f = in.function(name)
	}
	return has
}

func (in *Instance) begin(fuel uint64) {
	in.busy, in.linear.denied = true, false
	in.writes, in.ordered = 0, false
	in.clock.newCall = true
	in.budget.begin(fuel)
}

// end settles the accounts of a call that returned or trapped.
func (in *Instance) end() {
	used := in.budget.used()
	in.stats.Calls++
	in.stats.Fuel += used
	in.stats.LastFuel = used
	for i := range in.iters {
		if in.iters[i].open {
			in.host.IterClose(in.iters[i].id)
			in.iters[i].open = false
		}
	}
	in.busy, in.phase, in.response = false, phaseOther, nil
}

// call runs an export with the operands in in.stack, which then holds its result.
func (in *Instance) call(f *function, fuel uint64, p phase, h int32) error {
	if in.dead != nil {
		return in.dead
	}
	if in.busy {
		return ErrReentered
	}
	in.phase = p
	if in.limited {
		in.budget.wall = in.limitsOf(h).Wall
	}
	in.begin(fuel)
	if err := f.fn.CallWithStack(in.ctx, in.stack[:]); err != nil {
		return in.die(f.name, in.component(h), err)
	}
	in.end()
	return nil
}

// die makes the instance dead for good: its memory is in no known state.
func (in *Instance) die(export, component string, err error) error {
	in.end()
	in.logs.flush(in)
	t := &TrapError{
		Module: in.module.name, Digest: in.module.Digest(), Component: component, Export: export,
		Fuel: in.stats.LastFuel, Budget: in.budget.total, MemoryBytes: uint64(len(in.linear.buf)),
	}
	t.Reason, t.Message, t.Stack = in.module.compiled.classify(err)
	switch {
	case t.Reason == ReasonTrap && in.linear.denied:
		t.Reason = ReasonMemory
		t.Message = fmt.Sprintf("got no more memory (%d KiB are allowed) and gave up: %s", in.limits.MemoryBytes>>10, t.Message)
	case t.Reason == ReasonWall:
		t.Message += fmt.Sprintf(" (%v are allowed)", in.budget.wall)
	case t.Reason == ReasonDepth:
		t.Message += fmt.Sprintf(" (%d KiB of stack are allowed)", in.limits.StackBytes>>10)
	}
	return in.bury(t)
}

// bury frees what a dead instance holds.
func (in *Instance) bury(t *TrapError) error {
	in.dead = t
	if in.mod != nil {
		// Closing a module frees its memory and cannot fail: it has no files.
		_ = in.mod.Close(in.ctx)
	}
	in.linear.buf = nil
	return t
}

// contract kills an instance whose answer breaks the ABI.
func (in *Instance) contract(export string, h int32, format string, args ...any) error {
	return in.bury(&TrapError{
		Module: in.module.name, Digest: in.module.Digest(), Component: in.component(h), Export: export,
		Reason: ReasonContract, Message: fmt.Sprintf(format, args...), Fuel: in.stats.LastFuel,
		Budget: in.budget.total, MemoryBytes: uint64(len(in.linear.buf)),
	})
}

func (in *Instance) component(h int32) string {
	for i := range in.handles {
		if in.handles[i].id == h && in.handles[i].open {
			return in.handles[i].component
		}
	}
	return ""
}

// Reserve returns n bytes of the guest's memory, to be filled with the next input frame; they are valid until the next
// call. The guest is asked only when n is more than it gave before.
func (in *Instance) Reserve(n int) ([]byte, error) {
	if in.dead != nil {
		return nil, in.dead
	}
	if n < 0 || n > abi.MaxFrameBytes {
		return nil, fmt.Errorf("wasm: reserving %d bytes: at most %d", n, abi.MaxFrameBytes)
	}
	if uint32(n) > in.regionSize {
		if err := in.grow(uint32(n)); err != nil {
			return nil, err
		}
	}
	view, ok := in.mem.Read(in.region, uint32(n))
	if !ok {
		return nil, in.contract(abi.ExportReserve, -1, "the memory it reserved is gone")
	}
	return view, nil
}

// Region is all of the memory that Reserve has room in without asking the guest, nil if there is none. What is written there is
// kept until the guest is called, and Reserve then gives the beginning of it.
func (in *Instance) Region() []byte {
	if in.dead != nil || in.regionSize == 0 {
		return nil
	}
	view, _ := in.mem.Read(in.region, in.regionSize)
	return view
}

// grow asks for a region of at least n bytes, rounded up so that frames of like sizes ask once.
func (in *Instance) grow(n uint32) error {
	const step = 16 << 10
	size := min((n+n/4+step-1)/step*step, abi.MaxFrameBytes)
	in.stack[0] = uint64(size)
	in.region, in.regionSize = 0, 0
	if err := in.call(&in.reserve, in.limits.FuelPerFrame, phaseOther, -1); err != nil {
		return err
	}
	at := uint32(in.stack[0])
	if _, ok := in.mem.Read(at, size); !ok || at == 0 || at%8 != 0 {
		return in.contract(abi.ExportReserve, -1, "asked for %d bytes, it gave address 0x%x, which is not in its %d KiB of memory at a multiple of 8", size, at, len(in.linear.buf)>>10)
	}
	in.region, in.regionSize = at, size
	return nil
}

// Open opens a component by an open frame (abi.AppendOpenHeader) and returns its handle. A *CallError is the guest's
// refusal; the instance lives on.
func (in *Instance) Open(openFrame []byte) (int32, error) {
	view, err := in.Reserve(len(openFrame))
	if err != nil {
		return 0, err
	}
	copy(view, openFrame)
	in.stack[0], in.stack[1] = uint64(in.region), uint64(len(openFrame))
	if err := in.call(&in.open, in.limits.FuelMax, phaseOther, -1); err != nil {
		return 0, err
	}
	h := int32(in.stack[0])
	if h < 0 {
		return 0, &CallError{abi.ExportOpen, abi.Errno(h)}
	}
	if in.component(h) != "" {
		return 0, in.contract(abi.ExportOpen, h, "it gave handle %d twice", h)
	}
	in.handles = append(in.handles, handle{id: h, component: componentOf(openFrame), open: true})
	return h, nil
}

// Limit lowers the fuel and the wall time of the calls of one handle; zero fields leave what holds for the instance.
func (in *Instance) Limit(h int32, l Limits) {
	l = l.within(in.limits)
	for i := range in.handles {
		if in.handles[i].id == h && in.handles[i].open && l != in.limits {
			in.handles[i].limits = &l
			in.limited = true
		}
	}
}

// limitsOf are the limits of the calls of a handle.
func (in *Instance) limitsOf(h int32) *Limits {
	if in.limited {
		for i := range in.handles {
			if in.handles[i].id == h && in.handles[i].open && in.handles[i].limits != nil {
				return in.handles[i].limits
			}
		}
	}
	return &in.limits
}

// componentOf is the name in an open frame, for messages.
func componentOf(openFrame []byte) string {
	pairs, err := abi.ReadOpen(openFrame)
	if err != nil {
		return "?"
	}
	if key, value, ok := pairs.Next(); ok && string(key) == "component" {
		return shown(string(value))
	}
	return "?"
}

// SetBudget sets what the next Process is budgeted for, where that is not what its input frame says: records and bytes
// that are passed by reference count as well as those that cross.
func (in *Instance) SetBudget(records, bytes int) {
	in.next.set, in.next.records, in.next.bytes = true, max(records, 0), max(bytes, 0)
}

// Process runs ws_process on the first n bytes of what Reserve returned. The answer is a view of the guest's memory,
// valid until the next call: a frame that is not yet validated (abi.Reader does), nil for nothing. Frames that the
// guest emitted went to Host.Emit before. A *CallError lets the instance live, a *TrapError is its end.
func (in *Instance) Process(handle int32, n int) ([]byte, error) {
	if n < 0 || uint32(n) > in.regionSize {
		if in.dead != nil {
			return nil, in.dead
		}
		return nil, fmt.Errorf("wasm: processing %d bytes: %d are reserved", n, in.regionSize)
	}
	fuel := in.processFuel(handle, n)
	in.stack[0], in.stack[1], in.stack[2] = uint64(uint32(handle)), uint64(in.region), uint64(n)
	if err := in.call(&in.process, fuel, phaseOutput, handle); err != nil {
		return nil, err
	}
	return in.output(abi.ExportProcess, handle)
}

// processFuel is the budget of a call: that of SetBudget, else by the count in the frame's header.
func (in *Instance) processFuel(h int32, n int) uint64 {
	records, bytes := 0, n
	if in.next.set {
		records, bytes = in.next.records, in.next.bytes
		in.next.set = false
	} else if head, ok := in.peek(n); ok {
		const countAt, recordSize = 12, 48
		records = min(int(binary.LittleEndian.Uint32(head[countAt:])), n/recordSize)
	}
	return in.limitsOf(h).forCall(records, bytes)
}

func (in *Instance) peek(n int) ([]byte, bool) {
	const enough = 16
	if n < enough || in.dead != nil {
		return nil, false
	}
	return in.mem.Read(in.region, enough)
}

// output reads a packed result: a view of the frame it names.
func (in *Instance) output(export string, h int32) ([]byte, error) {
	packed := int64(in.stack[0])
	if packed < 0 {
		return nil, &CallError{export, abi.Errno(max(packed, -1<<31))}
	}
	size := uint32(packed)
	if size == 0 {
		return nil, nil
	}
	view, ok := in.mem.Read(uint32(packed>>32), size)
	if !ok {
		return nil, in.contract(export, h, "its answer of %d bytes at 0x%x lies outside of its %d KiB of memory (RES-1)", size, uint32(packed>>32), len(in.linear.buf)>>10)
	}
	if size > abi.MaxFrameBytes {
		return nil, in.contract(export, h, "its answer has %d bytes, at most %d are allowed (LIM-1)", size, abi.MaxFrameBytes)
	}
	return view, nil
}

// Punctuate runs ws_punctuate for a timer that the guest scheduled; time in milliseconds.
func (in *Instance) Punctuate(handle, timer int32, time int64) ([]byte, error) {
	if in.dead == nil && !in.optional(&in.punctuate, abi.ExportPunctuate, in.module.compiled.exported.punctuate) {
		return nil, &CallError{abi.ExportPunctuate, abi.Unsupported}
	}
	in.stack[0], in.stack[1], in.stack[2] = uint64(uint32(handle)), uint64(uint32(timer)), uint64(time)
	if err := in.call(&in.punctuate, in.limitsOf(handle).FuelMax, phaseOutput, handle); err != nil {
		return nil, err
	}
	return in.output(abi.ExportPunctuate, handle)
}

// Flush runs ws_flush before a commit; a module without it has nothing to say.
func (in *Instance) Flush(handle int32, epoch int64) ([]byte, error) {
	if in.dead == nil && !in.optional(&in.flush, abi.ExportFlush, in.module.compiled.exported.flush) {
		return nil, nil
	}
	in.stack[0], in.stack[1] = uint64(uint32(handle)), uint64(epoch)
	if err := in.call(&in.flush, in.limitsOf(handle).FuelMax, phaseOutput, handle); err != nil {
		return nil, err
	}
	return in.output(abi.ExportFlush, handle)
}

// Poll asks a source for records, at most about budget of them.
func (in *Instance) Poll(handle, budget int32) ([]byte, error) {
	if in.dead == nil && !in.optional(&in.poll, abi.ExportPoll, in.module.compiled.exported.poll) {
		return nil, &CallError{abi.ExportPoll, abi.Unsupported}
	}
	in.stack[0], in.stack[1] = uint64(uint32(handle)), uint64(uint32(budget))
	if err := in.call(&in.poll, in.limitsOf(handle).FuelMax, phaseOutput, handle); err != nil {
		return nil, err
	}
	return in.output(abi.ExportPoll, handle)
}

// Ack tells a source how far its records are safe, by the first n bytes of what Reserve returned. A module without ws_ack
// does not want to know.
func (in *Instance) Ack(handle int32, n int) error {
	if in.dead == nil && !in.optional(&in.ack, abi.ExportAck, in.module.compiled.exported.ack) {
		return nil
	}
	in.stack[0], in.stack[1], in.stack[2] = uint64(uint32(handle)), uint64(in.region), uint64(n)
	if err := in.call(&in.ack, in.processFuel(handle, n), phaseOther, handle); err != nil {
		return err
	}
	if code := int32(in.stack[0]); code < 0 {
		return &CallError{abi.ExportAck, abi.Errno(code)}
	}
	return nil
}

// CloseHandle tells the guest that a handle is done with (abi.CloseStop...). What the guest answers does not matter; a
// *TrapError is the end of the instance all the same.
func (in *Instance) CloseHandle(handle, reason int32) error {
	if in.dead == nil && !in.optional(&in.closes, abi.ExportClose, in.module.compiled.exported.closes) {
		in.forget(handle)
		return nil
	}
	in.stack[0], in.stack[1] = uint64(uint32(handle)), uint64(uint32(reason))
	err := in.call(&in.closes, in.limits.FuelPerFrame, phaseOther, handle)
	in.forget(handle)
	return err
}

func (in *Instance) forget(h int32) {
	for i := range in.handles {
		if in.handles[i].id == h {
			in.handles[i].open = false
		}
	}
}

// describe asks the module for its manifest.
func (in *Instance) describe() ([]byte, error) {
	fn := in.function(abi.ExportDescribe)
	const first = 8 << 10
	for size := uint32(first); ; {
		if _, err := in.Reserve(int(size)); err != nil {
			return nil, err
		}
		in.stack[0], in.stack[1] = uint64(in.region), uint64(size)
		if err := in.call(&fn, in.limits.FuelMax, phaseOther, -1); err != nil {
			return nil, err
		}
		n := int32(in.stack[0])
		if n < 0 {
			return nil, &CallError{abi.ExportDescribe, abi.Errno(n)}
		}
		if n > abi.MaxManifestBytes || uint32(n) > size && size > first {
			return nil, in.contract(abi.ExportDescribe, -1, "it says its manifest has %d bytes, at most %d are allowed", n, abi.MaxManifestBytes)
		}
		if uint32(n) <= size {
			view, ok := in.mem.Read(in.region, uint32(n))
			if !ok {
				return nil, in.contract(abi.ExportDescribe, -1, "its manifest is not where it was asked for")
			}
			return append([]byte(nil), view...), nil
		}
		size = uint32(n)
	}
}

// Interrupt ends the running call, or the next one, at its next slice: the instance dies with ReasonInterrupted. It may
// be called from any goroutine.
func (in *Instance) Interrupt() { in.budget.interrupted.Store(true) }

// Err is the *TrapError of a dead instance, else nil.
func (in *Instance) Err() error { return in.dead }

// Stats are the counts so far.
func (in *Instance) Stats() Stats {
	s := in.stats
	s.MemoryBytes = uint64(len(in.linear.buf))
	s.LogDropped, s.LogCut, s.BadPointers = in.logs.dropped, in.logs.cut, in.abuses
	return s
}

// Fuel is what the last call used.
func (in *Instance) Fuel() uint64 { return in.stats.LastFuel }

// Close frees the instance. It can be called twice; every later call answers an error.
func (in *Instance) Close() {
	if in.closed {
		return
	}
	in.closed = true
	if in.dead == nil {
		in.logs.flush(in)
		if in.mod != nil {
			_ = in.mod.Close(in.ctx)
		}
		in.dead = errClosed
	}
	in.linear.buf = nil
}

package stream

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/topology"
)

// What a guest may ask for is answered for the handle whose call runs: its node's stores, children, settings and
// timers. Outside of calls nothing is granted.
var _ wasm.Host = (*guestInstance)(nil)

const (
	// maxTimers and maxStoreHandles bound what a handle may hold.
	maxTimers       = 100
	maxStoreHandles = 100
	// maxRandomBytes is the most that random fills at once.
	maxRandomBytes = 64 << 10
	// maxMetricName is the longest name of a metric.
	maxMetricName = 100
)

// guestFeatures are what this host offers to processors.
const guestFeatures = abi.FeatureState | abi.FeatureStoreKinds

// Features implements wasm.Host.
func (g *guestInstance) Features() int64 { return guestFeatures }

// Emit implements wasm.Host: the frame's records join the answers of the running call.
func (g *guestInstance) Emit(frame []byte) int32 {
	h := g.running
	if h == nil {
		return int32(abi.Denied)
	}
	c := &h.call
	if c.err != nil {
		return int32(abi.Corrupt)
	}
	if limits := &h.f.limits; c.bytes+len(frame) > limits.OutputBytes || c.count+countIn(frame) > limits.OutputRecords {
		return int32(abi.Limit)
	}
	if c.err = h.take(frame); c.err != nil {
		return int32(abi.Corrupt)
	}
	return 0
}

// countIn is how many records a frame says that it has. It is not validated yet.
func countIn(frame []byte) int {
	const countAt = 12
	if len(frame) < countAt+4 || string(frame[:4]) != "WSB1" {
		return 0
	}
	return int(binary.LittleEndian.Uint32(frame[countAt:]))
}

// SetError implements wasm.Host.
func (g *guestInstance) SetError(index, class int32, message []byte) int32 {
	h := g.running
	if h == nil || class < 0 || class > int32(abi.ClassRetry) {
		return int32(abi.InvalidArg)
	}
	b := &h.call.blame
	b.set, b.index, b.class, b.message = true, index, abi.Class(class), printable(message)
	return 0
}

// LogEnabled implements wasm.Host.
func (g *guestInstance) LogEnabled(level int32) bool {
	l, ok := wasm.LogLevel(level)
	return ok && g.log().Enabled(context.Background(), l)
}

// Log implements wasm.Host.
func (g *guestInstance) Log(level int32, line []byte) {
	l, ok := wasm.LogLevel(level)
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("module", g.module.Name())}
	if g.running != nil {
		attrs = append(attrs, slog.String("component", g.running.f.ref.Component))
	}
	g.log().LogAttrs(context.Background(), l, string(line), attrs...)
}

// LogRate implements wasm.Host: the instances of a module in a task have one rate together.
func (g *guestInstance) LogRate() *wasm.LogRate { return g.logRate }

func (g *guestInstance) log() *slog.Logger {
	if g.running != nil {
		return g.running.f.node.log
	}
	return g.task.log
}

// Metric implements wasm.Host.
func (g *guestInstance) Metric(kind int32, name []byte) int32 {
	h := g.running
	if h == nil {
		return int32(abi.Denied)
	}
	if kind != abi.MetricCounter && kind != abi.MetricGauge || !validMetric(name) {
		return int32(abi.InvalidArg)
	}
	i := h.f.metrics.register(string(name), kind == abi.MetricCounter)
	if i < 0 {
		return int32(abi.Limit)
	}
	return int32(i)
}

func validMetric(name []byte) bool {
	for i, b := range name {
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_'
		if !letter && (i == 0 || (b < '0' || b > '9') && b != '.' && b != '-') {
			return false
		}
	}
	return len(name) > 0 && len(name) <= maxMetricName
}

// MetricAdd implements wasm.Host.
func (g *guestInstance) MetricAdd(handle int32, delta int64) int32 {
	if g.running == nil {
		return int32(abi.Denied)
	}
	s := g.running.f.metrics.at(int(handle))
	if s == nil || s.Counter && delta < 0 {
		return int32(abi.InvalidArg)
	}
	if s.pending == 0 {
		g.running.call.effects.series = append(g.running.call.effects.series, handle)
	}
	s.pending += delta
	return 0
}

// Time implements wasm.Host.
func (g *guestInstance) Time(clock, index int32) int64 {
	if clock == abi.TimeWall {
		return g.task.now
	}
	if h := g.running; h != nil && index >= 0 && int(index) < len(h.call.in) {
		return h.call.in[index].StreamTime
	}
	return g.task.group.streamTime
}

// Random implements wasm.Host: the bytes are a function of the record and of how often it was asked for.
func (g *guestInstance) Random(index int32, dst []byte) int32 {
	h := g.running
	if h == nil || len(dst) > maxRandomBytes || index < -1 || int(index) >= len(h.call.in) {
		return int32(abi.InvalidArg)
	}
	// ChaCha8.Read never returns an error.
	_, _ = rand.NewChaCha8(h.seed(index)).Read(dst)
	return 0
}

// seed is that of the next random bytes for record index; -1 stands for the call itself.
func (h *guestHandle) seed(index int32) [32]byte {
	t, c := h.on.task, &h.call
	var space [256]byte
	b := seedPart(space[:0], t.config.ApplicationID)
	b = seedPart(b, h.f.node.spec.Name)
	b = seedPart(b, h.f.ref.Component)
	at := len(c.in)
	if index >= 0 && c.in[index].Origin != nil {
		r := &c.in[index]
		at = int(index)
		b = seedPart(b, r.Origin.Topic)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Origin.Partition))
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Offset))
	} else {
		b = seedPart(b, t.config.ID.String())
		b = seedPart(b, c.export)
		b = binary.LittleEndian.AppendUint64(b, uint64(c.at))
		b = binary.LittleEndian.AppendUint64(b, uint64(t.group.streamTime))
	}
	if len(c.drawn) == 0 {
		c.drawn = slices.Grow(c.drawn, len(c.in)+1)[:len(c.in)+1]
		clear(c.drawn)
	}
	c.drawn[at]++
	return sha256.Sum256(binary.LittleEndian.AppendUint64(b, uint64(c.drawn[at])))
}

// seedPart appends a part of a random seed so that no two lists of parts give the same bytes.
func seedPart(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// ConfigGet implements wasm.Host.
func (g *guestInstance) ConfigGet(key []byte) ([]byte, bool) {
	if g.running == nil {
		return nil, false
	}
	v, ok := g.running.f.config[string(key)]
	return []byte(v), ok
}

// Child implements wasm.Host.
func (g *guestInstance) Child(name []byte) int32 {
	if g.running == nil || g.running.children == 0 {
		return int32(abi.NotFound)
	}
	if i := slices.Index(g.running.f.node.childNames, string(name)); i >= 0 {
		return int32(i) + 1
	}
	return int32(abi.NotFound)
}

// guestTimer is a schedule of a guest; the guest knows it by its position.
type guestTimer struct {
	typ             topology.PunctuationType
	interval, start int64                // ms
	schedule        *PunctuationSchedule // nil while the handle is not live
	canceled        bool
}

// Schedule implements wasm.Host.
func (g *guestInstance) Schedule(intervalMs int64, typ int32, startMs int64) int32 {
	h := g.running
	switch {
	case h == nil || !h.component.Kind.Stateful():
		return int32(abi.Denied)
	case intervalMs <= 0 || startMs < abi.StartNone || typ != abi.PunctuateStream && typ != abi.PunctuateWall:
		return int32(abi.InvalidArg)
	case len(h.timers) >= maxTimers:
		return int32(abi.Limit)
	case !slices.Contains(g.module.Exports(), abi.ExportPunctuate):
		return int32(abi.Unsupported)
	}
	timer := &guestTimer{typ: topology.StreamTime, interval: intervalMs, start: startMs}
	if typ == abi.PunctuateWall {
		timer.typ = topology.WallClockTime
	}
	h.timers = append(h.timers, timer) // it starts when the call has succeeded
	return int32(len(h.timers) - 1)
}

// startTimer puts a timer into the task's schedules; one of the version before that it replaces hands on its next time,
// so that frequent upgrades do not push a call ahead of them for ever.
func (h *guestHandle) startTimer(i int, replaces *guestTimer) {
	timer := h.timers[i]
	timer.schedule = h.f.node.schedule(timer.interval, timer.typ, timer.start, func(now int64) error {
		return h.punctuate(int32(i), now)
	})
	if replaces != nil && replaces.schedule != nil {
		timer.schedule.next = replaces.schedule.next
	}
}

// Cancel implements wasm.Host.
func (g *guestInstance) Cancel(timer int32) int32 {
	h := g.running
	if h == nil || timer < 0 || int(timer) >= len(h.timers) || h.timers[timer].canceled {
		return int32(abi.NotFound)
	}
	h.timers[timer].canceled = true
	h.call.effects.cancels = append(h.call.effects.cancels, timer)
	return 0
}

func (t *guestTimer) cancel() {
	t.canceled = true
	if t.schedule != nil {
		t.schedule.Cancel()
	}
}

func (h *guestHandle) cancelTimers() {
	for _, t := range h.timers {
		t.cancel()
	}
}

// RequestCommit implements wasm.Host.
func (g *guestInstance) RequestCommit() int32 {
	if g.running == nil {
		return int32(abi.Denied)
	}
	g.running.call.effects.commit = true
	return 0
}

// store finds a store that the running handle has opened.
func (g *guestInstance) store(id int32) *guestStore {
	h := g.running
	if h == nil || id < 0 || int(id) >= len(h.stores) {
		return nil
	}
	return &h.stores[id]
}

// broken notes that a store failed, which the call cannot survive.
func (g *guestInstance) broken(err error) int32 {
	if g.running.call.lost == nil {
		g.running.call.lost = err
	}
	return int32(abi.Fatal)
}

// StateGet implements wasm.Host.
func (g *guestInstance) StateGet(store int32, key []byte) ([]byte, int32) {
	s := g.store(store)
	if s == nil || !s.rows.valid(key) {
		return nil, int32(abi.InvalidArg)
	}
	value, err := s.get(key)
	if err != nil {
		return nil, g.broken(err)
	}
	if value == nil {
		return nil, int32(abi.NotFound)
	}
	return value, 0
}

// mayWrite checks a write; 0 is yes.
func (g *guestInstance) mayWrite(s *guestStore, key, value []byte) int32 {
	switch {
	case s == nil || key == nil || !s.rows.valid(key):
		return int32(abi.InvalidArg)
	case s.readOnly:
		return int32(abi.Denied)
	case !g.live:
		return int32(abi.Busy) // another version is running: what this one prepares must not be seen
	case len(key) > g.running.f.limits.StateKeyBytes || len(value) > g.running.f.limits.StateValueBytes:
		return int32(abi.Limit)
	}
	return 0
}

// StatePut implements wasm.Host.
func (g *guestInstance) StatePut(store int32, key, value []byte) int32 {
	if code := g.mayWrite(g.store(store), key, value); code != 0 {
		return code
	}
	return g.running.note(store, key, value)
}

// StatePutVersion implements wasm.Host.
func (g *guestInstance) StatePutVersion(store int32, key, value []byte, timestamp int64) int64 {
	s := g.store(store)
	if s == nil || key == nil || timestamp < 0 {
		return int64(abi.InvalidArg)
	}
	rows, ok := s.rows.(*versionRows)
	if !ok {
		return int64(abi.Unsupported)
	}
	rows.row = binary.BigEndian.AppendUint64(append(rows.row[:0], key...), uint64(timestamp))
	if code := g.mayWrite(s, rows.row, value); code != 0 {
		return int64(code)
	}
	if rows.expired(timestamp) {
		if code := g.running.note(store, rows.row, value); code != 0 {
			return int64(code)
		}
		return int64(abi.NotFound)
	}
	next, err := rows.next(&s.log, rows.row)
	if err != nil {
		return int64(g.broken(err))
	}
	if code := g.running.note(store, rows.row, value); code != 0 {
		return int64(code)
	}
	return next
}

// writeTime is the time of the record behind a write.
func (g *guestInstance) writeTime(h *guestHandle) int64 {
	c := &h.call
	if len(c.in) > 0 {
		return c.in[0].Timestamp // the node gets runs of equal timestamps
	}
	if c.export == abi.ExportPunctuate {
		return c.at
	}
	return max(g.task.group.streamTime, 0)
}

// StatePutIfAbsent implements wasm.Host.
func (g *guestInstance) StatePutIfAbsent(store int32, key, value []byte) ([]byte, int32) {
	s := g.store(store)
	if code := g.mayWrite(s, key, value); code != 0 {
		return nil, code
	}
	if s.kind != abi.KeyValueStore {
		return nil, int32(abi.Unsupported)
	}
	old, err := s.get(key)
	if err != nil {
		return nil, g.broken(err)
	}
	if old != nil {
		return old, 0
	}
	if code := g.running.note(store, key, value); code != 0 {
		return nil, code
	}
	return nil, int32(abi.NotFound)
}

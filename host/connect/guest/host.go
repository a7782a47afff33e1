package guest

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// surroundings are what a guest may ask for: settings, the log and, for connectors, offsets and the network. It implements
// wasm.Host and belongs to one instance.
type surroundings struct {
	log     *slog.Logger
	rate    *wasm.LogRate // of the component
	config  map[string]string
	offsets func(partition []byte) ([]byte, int32)                                // nil outside of sources
	egress  func(ctx context.Context, request []byte) (answer []byte, code int32) // nil outside of connectors
	ctx     context.Context                                                       // of the running call

	emitted [][]byte
	bytes   int
	blame   struct {
		class   abi.Class
		message string
	}
	times []int64 // of the records of the running call
}

var (
	_ wasm.Host       = (*surroundings)(nil)
	_ wasm.SourceHost = (*surroundings)(nil)
	_ wasm.EgressHost = (*surroundings)(nil)
)

// maxCallBytes bounds the answer of one call, all its frames together.
const maxCallBytes = 256 << 20

// begin forgets the call before.
func (h *surroundings) begin(ctx context.Context) {
	h.ctx, h.emitted, h.bytes = ctx, nil, 0
	h.blame.class, h.blame.message = abi.ClassFail, ""
}

// Features implements wasm.Host.
func (h *surroundings) Features() int64 {
	if h.egress != nil {
		return abi.FeatureEgress
	}
	return 0
}

// Emit implements wasm.Host.
func (h *surroundings) Emit(frame []byte) int32 {
	if h.bytes += len(frame); h.bytes > maxCallBytes {
		return int32(abi.Limit)
	}
	h.emitted = append(h.emitted, bytes.Clone(frame))
	return 0
}

// SetError implements wasm.Host.
func (h *surroundings) SetError(_, class int32, message []byte) int32 {
	h.blame.class, h.blame.message = abi.Class(class), printable(message)
	return 0
}

// LogEnabled implements wasm.Host.
func (h *surroundings) LogEnabled(level int32) bool {
	l, ok := wasm.LogLevel(level)
	return ok && h.log.Enabled(context.Background(), l)
}

// Log implements wasm.Host.
func (h *surroundings) Log(level int32, line []byte) {
	if l, ok := wasm.LogLevel(level); ok {
		h.log.Log(context.Background(), l, string(line))
	}
}

// LogRate implements wasm.Host.
func (h *surroundings) LogRate() *wasm.LogRate { return h.rate }

// Metric implements wasm.Host: plugins have no metrics of their own.
func (h *surroundings) Metric(int32, []byte) int32 { return int32(abi.Denied) }

// MetricAdd implements wasm.Host.
func (h *surroundings) MetricAdd(int32, int64) int32 { return int32(abi.Denied) }

// Time implements wasm.Host: stream time is the time of the record.
func (h *surroundings) Time(clock, index int32) int64 {
	if clock == abi.TimeStream && index >= 0 && int(index) < len(h.times) {
		return h.times[index]
	}
	return time.Now().UnixMilli()
}

// Random implements wasm.Host. Connect repeats nothing, so neither need this.
func (h *surroundings) Random(_ int32, dst []byte) int32 {
	_, _ = rand.Read(dst) // never fails
	return 0
}

// ConfigGet implements wasm.Host.
func (h *surroundings) ConfigGet(key []byte) ([]byte, bool) {
	v, ok := h.config[string(key)]
	return []byte(v), ok
}

// Child implements wasm.Host: there are none.
func (h *surroundings) Child([]byte) int32 { return int32(abi.NotFound) }

// Schedule implements wasm.Host: sources are polled, and nothing else runs by itself.
func (h *surroundings) Schedule(int64, int32, int64) int32 { return int32(abi.Denied) }

// Cancel implements wasm.Host.
func (h *surroundings) Cancel(int32) int32 { return int32(abi.NotFound) }

// RequestCommit implements wasm.Host.
func (h *surroundings) RequestCommit() int32 { return int32(abi.Denied) }

// StateOpen implements wasm.Host: Connect has no stores.
func (h *surroundings) StateOpen([]byte) int32 { return int32(abi.Denied) }

// StateGet implements wasm.Host.
func (h *surroundings) StateGet(int32, []byte) ([]byte, int32) { return nil, int32(abi.InvalidArg) }

// StatePut implements wasm.Host.
func (h *surroundings) StatePut(int32, []byte, []byte) int32 { return int32(abi.InvalidArg) }

// StatePutIfAbsent implements wasm.Host.
func (h *surroundings) StatePutIfAbsent(int32, []byte, []byte) ([]byte, int32) {
	return nil, int32(abi.InvalidArg)
}

// IterOpen implements wasm.Host.
func (h *surroundings) IterOpen(int32, []byte, []byte, int32, int32) int32 {
	return int32(abi.InvalidArg)
}

// StateOpenAs implements wasm.Host.
func (h *surroundings) StateOpenAs([]byte, abi.StoreKind, int32) int32 { return int32(abi.Denied) }

// StatePutVersion implements wasm.Host.
func (h *surroundings) StatePutVersion(int32, []byte, []byte, int64) int64 {
	return int64(abi.InvalidArg)
}

// IterOpenSpan implements wasm.Host.
func (h *surroundings) IterOpenSpan(int32, []byte, []byte, int64, int64, int32, int32) int32 {
	return int32(abi.InvalidArg)
}

// IterNext implements wasm.Host.
func (h *surroundings) IterNext(int32) (key, value []byte, code int32) {
	return nil, nil, int32(abi.InvalidArg)
}

// IterClose implements wasm.Host.
func (h *surroundings) IterClose(int32) int32 { return int32(abi.InvalidArg) }

// OffsetGet implements wasm.SourceHost.
func (h *surroundings) OffsetGet(partition []byte) ([]byte, int32) {
	if h.offsets == nil {
		return nil, int32(abi.Denied)
	}
	return h.offsets(partition)
}

// HTTP implements wasm.EgressHost.
func (h *surroundings) HTTP(request []byte) ([]byte, int32) {
	if h.egress == nil {
		return nil, int32(abi.Denied)
	}
	ctx := h.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	return h.egress(ctx, request)
}

package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Suppress holds the changes of a table back in a buffer and forwards of each row the last one, when the stream time
// that this operator has seen is WaitMs past the time of the row: the timestamp of the change that came into the buffer
// first, or with FinalResults the end of the row's window.
type Suppress struct {
	Store  string `json:"store"`
	WaitMs int64  `json:"waitMs"`
	// MaxRecords and MaxBytes bound the buffer; the largest number is no bound. What is over them is forwarded early, or with
	// ShutDown ends the application.
	MaxRecords int64 `json:"maxRecords"`
	MaxBytes   int64 `json:"maxBytes"`
	ShutDown   bool  `json:"shutDown,omitempty"`
	// FinalResults: the keys, of WindowSerde, are those of windows, and deletions of windows are no results.
	FinalResults bool   `json:"finalResults,omitempty"`
	WindowSerde  string `json:"windowSerde,omitempty"`
	// Viewed: something looks at rows while they are forwarded. Then a row leaves the buffer when it has been forwarded, as in
	// Kafka; else those of a frame are forwarded together.
	Viewed bool `json:"viewed,omitempty"`
}

// New makes the processor of a task.
func (s Suppress) New() (topology.Processor, error) { return &suppress{spec: s}, nil }

type suppress struct {
	spec    Suppress
	ctx     topology.Context
	buffer  *state.TimeOrderedBuffer
	windows topology.Serde
	out     []topology.Record
	context state.RecordContext
	// streamTime is the largest timestamp seen here; taken is that of the task behind the record in hand.
	streamTime, taken int64
}

// Init connects the buffer.
func (p *suppress) Init(ctx topology.Context) error {
	p.ctx, p.streamTime = ctx, state.TimestampUnknown
	s, err := ctx.Store(p.spec.Store)
	if err != nil {
		return err
	}
	var ok bool
	if p.buffer, ok = s.(*state.TimeOrderedBuffer); !ok {
		return fmt.Errorf("suppressing: store %q is no buffer", p.spec.Store)
	}
	if p.spec.FinalResults {
		p.windows, err = topology.SerdeByName(p.spec.WindowSerde)
	}
	return err
}

// Close leaves the buffer to the task.
func (p *suppress) Close() error { return nil }

func (p *suppress) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	for i := range frame {
		r := &frame[i]
		p.streamTime, p.taken = max(p.streamTime, r.Timestamp), r.StreamTime
		if err := p.hold(r); err != nil {
			return err
		}
		if err := p.release(); err != nil {
			return err
		}
	}
	return forward(p.ctx, p.out)
}

func (p *suppress) hold(r *topology.Record) error {
	at := r.Timestamp
	if p.spec.FinalResults {
		_, end, ok := topology.WindowBounds(p.windows, r.Key)
		if !ok {
			return errs.RecordFormat.New(p.ctx.NodeName(), "the key of a row is not that of a window", "")
		}
		at = end
	}
	p.context = r.Context()
	_, err := p.buffer.Put(at, r.Key, r.Old(), r.Value, &p.context)
	return err
}

// release forwards what is due, then what the buffer has no room for.
func (p *suppress) release() error {
	due := p.streamTime - p.spec.WaitMs // no overflow: neither is negative
	if err := p.buffer.EvictWhile(func() bool { return p.buffer.MinTime() <= due }, p.emit); err != nil {
		return err
	}
	if !p.isFull() {
		return nil
	}
	if p.spec.ShutDown {
		return errs.RecordProcessing.New(p.ctx.NodeName(), fmt.Sprintf(
			"%s buffer exceeded its max capacity. Currently [%d/%d] records and [%d/%d] bytes.", p.ctx.NodeName(),
			p.buffer.Records(), p.spec.MaxRecords, p.buffer.SizeBytes(), p.spec.MaxBytes),
			"give the buffer more room, or have it emit early when it is full")
	}
	return p.buffer.EvictWhile(p.isFull, p.emit)
}

func (p *suppress) isFull() bool {
	return int64(p.buffer.Records()) > p.spec.MaxRecords || p.buffer.SizeBytes() > p.spec.MaxBytes
}

// emit adds a change to what is forwarded, as the record that it came with.
func (p *suppress) emit(e *state.Evicted) error {
	if e.New == nil && p.spec.FinalResults {
		return nil
	}
	arena := p.ctx.Arena()
	p.out = append(p.out, evictedRecord(arena, e, p.taken))
	if e.Old != nil {
		x := arena.Extra()
		x.Old, x.HasOld = arena.Copy(e.Old), true
		p.out[len(p.out)-1].Extra = x
	}
	if !p.spec.Viewed {
		return nil
	}
	defer func() { p.out = p.out[:0] }()
	return forward(p.ctx, p.out)
}

// evictedRecord is the record that a change in a buffer came with.
func evictedRecord(arena *topology.Arena, e *state.Evicted, streamTime int64) topology.Record {
	return topology.Record{
		Key: arena.Copy(e.Key), Value: copyOf(arena, e.New), Timestamp: e.Context.Timestamp, Headers: e.Context.Headers,
		Offset: e.Context.Offset, Origin: e.Context.Origin, StreamTime: streamTime,
	}
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// node implements topology.Context for its processor.
var _ topology.Context = (*node)(nil)

// ApplicationID implements topology.Context.
func (n *node) ApplicationID() string { return n.task.config.ApplicationID }

// TaskID implements topology.Context.
func (n *node) TaskID() topology.TaskID { return n.task.config.ID }

// NodeName implements topology.Context.
func (n *node) NodeName() string { return n.spec.Name }

// Children implements topology.Context.
func (n *node) Children() []string { return slices.Clone(n.childNames) }

// Forward implements topology.Context.
func (n *node) Forward(frame []topology.Record) error {
	n.metrics.Forwarded.Add(int64(len(frame) * len(n.children)))
	if n.framing.split {
		for i := range frame {
			if err := n.toAll(frame[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	return n.toAll(frame)
}

func (n *node) toAll(frame []topology.Record) error {
	for _, c := range n.children {
		if err := c.process(frame); err != nil {
			return err
		}
	}
	return nil
}

// ForwardTo implements topology.Context.
func (n *node) ForwardTo(child int, frame []topology.Record) error {
	if child < 0 || child >= len(n.children) {
		return fmt.Errorf("forwarding to child %d of node %s, which has %d", child, n.spec.Name, len(n.children))
	}
	n.metrics.Forwarded.Add(int64(len(frame)))
	return n.children[child].process(frame)
}

// Store implements topology.Context.
func (n *node) Store(name string) (state.Store, error) {
	if s := n.stores[name]; s != nil {
		return s, nil
	}
	if s := n.task.config.GlobalStores[name]; s != nil {
		return s.Reader(), nil
	}
	has := "none"
	if len(n.spec.Stores) > 0 {
		has = strings.Join(n.spec.Stores, ", ")
	}
	return nil, errs.TopologyInvalid.New(n.spec.Name, fmt.Sprintf("the processor asks for store %q, but it is not connected to it (connected: %s)", name, has), "connect the store to the processor")
}

// Guest implements topology.Context.
func (n *node) Guest(ref topology.GuestRef) (topology.Function, error) {
	f, err := n.task.openGuest(n, ref)
	if err != nil {
		return nil, err
	}
	n.guests = append(n.guests, f)
	return f, nil
}

// Schedule implements topology.Context.
func (n *node) Schedule(interval time.Duration, typ topology.PunctuationType, p topology.Punctuator) (topology.Cancellable, error) {
	ms, ok := milliseconds(interval)
	if !ok {
		return nil, fmt.Errorf("scheduling every %v in node %s: at least 1ms", interval, n.spec.Name)
	}
	return n.schedule(ms, typ, -1, p), nil
}

// schedule adds a schedule on the grid that begins at start (ms), or on that of its type of time if start is -1.
func (n *node) schedule(interval int64, typ topology.PunctuationType, start int64, p topology.Punctuator) *PunctuationSchedule {
	q, now := &n.task.onStream, n.task.group.streamTime
	if typ == topology.WallClockTime {
		q, now = &n.task.onWall, n.task.now
	}
	return q.schedule(n, firstCall(typ, now, start, interval), start, interval, p)
}

// Commit implements topology.Context.
func (n *node) Commit() { n.task.commitRequested = true }

// StreamTime implements topology.Context.
func (n *node) StreamTime() int64 { return n.task.group.streamTime }

// SystemTime implements topology.Context.
func (n *node) SystemTime() int64 { return n.task.now }

// Shared implements topology.Context.
func (n *node) Shared(name string, make func() any) any {
	shared, ok := n.task.shared[name]
	if !ok {
		shared = make()
		n.task.shared[name] = shared
	}
	return shared
}

// ProcessorMetadata implements topology.Context.
func (n *node) ProcessorMetadata(key string) (int64, bool) {
	v, ok := n.task.processorMetadata[key]
	return v, ok
}

// SetProcessorMetadata implements topology.Context.
func (n *node) SetProcessorMetadata(key string, value int64) {
	n.task.processorMetadata[key] = value
	n.task.metadataChanged = true
}

// AppConfig implements topology.Context.
func (n *node) AppConfig(key string) (string, bool) {
	v, ok := n.task.config.Settings[key]
	return v, ok
}

// Arena implements topology.Context.
func (n *node) Arena() *topology.Arena { return &n.task.arena }

// Logger implements topology.Context.
func (n *node) Logger() *slog.Logger { return n.log }

// Dropped implements topology.Context.
func (n *node) Dropped(count int, reason string) { n.drop(count, reason, nil) }

// drop counts records that were skipped for a reason - one of few - and says so in the log, at most once for a reason
// and node in dropLogInterval. cause, if there is one, is said with the first of them.
func (n *node) drop(count int, reason string, cause error) {
	n.task.metrics.drop(reason, count)
	n.metrics.Dropped.Add(int64(count))
	total, say := n.task.drops.note(n.spec.Name, reason, count, n.task.now)
	if !say {
		return
	}
	attrs := []slog.Attr{slog.String("reason", reason), slog.Int("records", total)}
	if cause != nil {
		attrs = append(attrs, slog.Any("err", cause))
		if coded, ok := errors.AsType[*errs.Error](cause); ok {
			attrs = append(attrs, slog.String("code", coded.Code))
			if coded.Detail != "" {
				attrs = append(attrs, slog.String("detail", coded.Detail))
			}
		}
	}
	n.log.LogAttrs(context.Background(), slog.LevelWarn, "records dropped", attrs...)
}

const (
	// dropLogInterval is how often a reason for dropping is logged at most, in ms.
	dropLogInterval = 10_000
	// maxDropReasons bounds the reasons that are told apart; texts of errors may differ for each record.
	maxDropReasons = 100
)

// dropLog bounds what is logged about dropped records. The zero value is ready.
type dropLog struct {
	reasons map[[2]string]*dropReason
}

type dropReason struct {
	count int
	said  int64
}

// note counts and tells whether to log now, and for how many records.
func (d *dropLog) note(node, reason string, count int, now int64) (total int, say bool) {
	key := [2]string{node, reason}
	r := d.reasons[key]
	switch {
	case r == nil && len(d.reasons) >= maxDropReasons:
		return 0, false
	case r == nil:
		if d.reasons == nil {
			d.reasons = make(map[[2]string]*dropReason)
		}
		d.reasons[key] = &dropReason{said: now}
		return count, true
	}
	r.count += count
	if now-r.said < dropLogInterval {
		return 0, false
	}
	total, r.count, r.said = r.count, 0, now
	return total, true
}

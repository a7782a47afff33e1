package connect

import (
	"context"
	"sync"
)

// Log is one of the three topics as the herder sees it. What is applied is applied in order, by one goroutine at a time.
type Log interface {
	// Append writes records and returns when they were applied.
	Append(ctx context.Context, records ...Record) error
	// Send writes a record soon and waits for nothing.
	Send(record Record)
	// Flush returns when what was sent before is written, or has failed.
	Flush(ctx context.Context) error
	// ReadToEnd returns when everything written before was applied.
	ReadToEnd(ctx context.Context) error
	Close() error
}

// Apply takes a record that was written.
type Apply func(offset int64, key, value []byte)

// MemoryLog is the Log of a standalone worker. It forgets at once what was applied.
type MemoryLog struct {
	apply Apply
	mu    sync.Mutex
	next  int64
}

// NewMemoryLog makes a log.
func NewMemoryLog(apply Apply) *MemoryLog { return &MemoryLog{apply: apply} }

// Append implements Log.
func (l *MemoryLog) Append(_ context.Context, records ...Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		l.apply(l.next, r.Key, r.Value)
		l.next++
	}
	return nil
}

// Send implements Log.
func (l *MemoryLog) Send(r Record) { _ = l.Append(context.Background(), r) }

// Flush implements Log.
func (l *MemoryLog) Flush(context.Context) error { return nil }

// ReadToEnd implements Log.
func (l *MemoryLog) ReadToEnd(context.Context) error { return nil }

// Close implements Log.
func (l *MemoryLog) Close() error { return nil }

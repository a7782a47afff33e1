package state

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// tombstones tells whether tables in memory hold deleted ranges. It counts them up to the newest in the table that is
// written to, in those that are full, in those being flushed, and in files. What was staged and not committed counts
// too, and one that is committed while its table is changed may be taken for one of the table before: gets cost more or
// less then, and find the same.
type tombstones struct{ written, full, flushing, flushed atomic.Int64 }

func (t *tombstones) add() { t.written.Add(1) }

func (t *tombstones) inMemory() bool { return t.flushed.Load() != t.written.Load() }

// watch follows tables from memory to files. A new log is begun with every new table.
func (t *tombstones) watch(l *pebble.EventListener) {
	l.WALCreated = func(pebble.WALCreateInfo) { t.full.Store(t.written.Load()) }
	l.FlushBegin = func(pebble.FlushInfo) { t.flushing.Store(t.full.Load()) }
	l.FlushEnd = func(i pebble.FlushInfo) {
		if i.Err == nil {
			t.flushed.Store(t.flushing.Load())
		}
	}
}

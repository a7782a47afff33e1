package stream

import (
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// StoreConfig is what the description of a store in a topology means to package state. The caller adds what belongs to
// the task: ID, Changelog, Cache, Context and Metrics.
func StoreConfig(spec *topology.StoreSpec) (state.StoreConfig, error) {
	c := state.StoreConfig{
		InMemory: spec.InMemory, Retention: spec.Retention, SegmentInterval: spec.SegmentInterval,
		RetainDuplicates: spec.RetainDuplicates, TimeOrdered: spec.TimeOrdered,
		HistoryRetention: spec.HistoryRetention, MaxEntries: spec.MaxEntries,
	}
	switch spec.Kind {
	case topology.KeyValue, "":
	case topology.TimestampedKeyValue:
		c.Format = state.Timestamped
	case topology.Window:
		c.Kind = state.WindowKind
	case topology.TimestampedWindow:
		c.Kind, c.Format = state.WindowKind, state.Timestamped
	case topology.Session:
		c.Kind = state.SessionKind
	case topology.VersionedKeyValue:
		c.Kind = state.VersionedKind
	case topology.LRU:
		c.Kind = state.LRUKind
	case topology.SuppressBuffer:
		c.Kind = state.BufferKind
	default:
		return c, errs.TopologyInvalid.New(spec.Name, fmt.Sprintf("the store has an unknown kind (got %q)", spec.Kind), "give one of the kinds of package topology")
	}
	return c, nil
}

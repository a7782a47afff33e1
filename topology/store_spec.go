package topology

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// StoreKind names the kinds of state stores.
type StoreKind string

// The kinds of stores.
const (
	KeyValue            StoreKind = "keyValue"
	TimestampedKeyValue StoreKind = "timestampedKeyValue"
	VersionedKeyValue   StoreKind = "versionedKeyValue"
	// LRU is a key-value store in memory that keeps the MaxEntries keys that were used last.
	LRU               StoreKind = "lru"
	Window            StoreKind = "window"
	TimestampedWindow StoreKind = "timestampedWindow"
	Session           StoreKind = "session"
	// SuppressBuffer holds what suppress has not emitted yet: in memory, with a changelog.
	SuppressBuffer StoreKind = "suppressBuffer"
)

// StoreSpec describes one state store: plain data. Times are in milliseconds.
type StoreSpec struct {
	Name             string
	Kind             StoreKind
	InMemory         bool
	KeySerde         Serde
	ValueSerde       Serde
	CachingEnabled   bool
	LoggingDisabled  bool
	ChangelogConfigs map[string]string // on top of Kafka's defaults for the kind

	// Retention of window and session stores: rows older than stream time less this are gone.
	Retention int64
	// WindowSize of window stores.
	WindowSize int64
	// SegmentInterval of persistent window and session stores; 0 is Kafka's, the larger of half the retention and 60 s.
	SegmentInterval int64
	// RetainDuplicates of window stores: every put is a row of its own.
	RetainDuplicates bool
	// TimeOrdered window and session stores give the rows of several keys in the order of time and keep them one
	// millisecond longer: what operators that emit a window when it closes need. They are not cached.
	TimeOrdered bool
	// HistoryRetention of versioned stores: how far back versions are kept and late writes are taken.
	HistoryRetention int64
	// MaxEntries of LRU stores.
	MaxEntries int64
}

// Validate holds the store to Kafka's rules for its kind (Stores and the builders of stores). The error joins all faults.
func (s *StoreSpec) Validate() error {
	var faults []error
	retention := func(what, fix string) {
		faults = append(faults, errs.StateRetention.New(s.Name, what, fix).InKafka("IllegalArgumentException"))
	}
	if s.Retention < 0 {
		retention(fmt.Sprintf("retentionPeriod cannot be negative (got %d ms)", s.Retention), "give 0 or more")
	}
	if s.HistoryRetention < 0 {
		retention(fmt.Sprintf("historyRetention cannot be negative (got %d ms)", s.HistoryRetention), "give 0 to keep no versions before the latest")
	}
	if s.SegmentInterval < 0 {
		retention(fmt.Sprintf("segmentInterval cannot be zero or negative (got %d ms)", s.SegmentInterval), "give 1 ms or more, or leave it out")
	}
	windowed := s.Kind == Window || s.Kind == TimestampedWindow
	switch {
	case windowed && s.WindowSize < 0:
		retention(fmt.Sprintf("windowSize cannot be negative (got %d ms)", s.WindowSize), "give 0 or more")
	case windowed && s.Retention >= 0 && s.WindowSize > s.Retention:
		retention(fmt.Sprintf("The retention period of the window store %s must be no smaller than its window size. Got size=[%d], retention=[%d]",
			s.Name, s.WindowSize, s.Retention), "give it a retention of at least the size")
	case s.Kind == VersionedKeyValue && s.CachingEnabled:
		faults = append(faults, errs.TopologyInvalid.New(s.Name, "Versioned stores do not support caching", "do not enable it").InKafka("IllegalStateException"))
	case s.Kind == LRU && s.MaxEntries < 1:
		faults = append(faults, errs.StateEntries.New(s.Name, fmt.Sprintf("an lru store keeps at least one entry (got %d)", s.MaxEntries), ""))
	}
	return errors.Join(faults...)
}

const day = 24 * 60 * 60 * 1000

// changelogConfigs are Kafka's for the kind of store. Windows leave the changelog a day after the store
// (windowstore.changelog.additional.retention.ms); rows that were retained as duplicates have keys of their own, so
// compaction would keep them for ever and is off.
func changelogConfigs(s *StoreSpec) map[string]string {
	c := map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
	switch s.Kind {
	case Window, TimestampedWindow, Session:
		c["cleanup.policy"] = "compact,delete"
		if s.RetainDuplicates {
			c["cleanup.policy"] = "delete"
		}
		c["retention.ms"] = strconv.FormatInt(dayMore(s.Retention), 10)
	case VersionedKeyValue:
		c["min.compaction.lag.ms"] = strconv.FormatInt(dayMore(s.HistoryRetention), 10)
	}
	maps.Copy(c, s.ChangelogConfigs)
	return c
}

// dayMore is a time and a day, kept to the largest time: unlimited windows are kept for ever.
func dayMore(ms int64) int64 {
	if ms > math.MaxInt64-day {
		return math.MaxInt64
	}
	return ms + day
}

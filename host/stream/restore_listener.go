package stream

import (
	"time"

	"github.com/wasmstream/wasmstream/topology"
)

// StateRestoreListener hears how stores are restored before their tasks run (Kafka's StateRestoreListener). Offsets are
// those of the changelog partition. The calls come from the goroutine that restores, those of several threads at the same
// time, and must not block.
type StateRestoreListener interface {
	// OnRestoreStart says that a store will be restored from the offset start up to end, which is exclusive.
	OnRestoreStart(tp topology.TopicPartition, store string, start, end int64)
	// OnBatchRestored says that records were applied, and the offset after the last of them.
	OnBatchRestored(tp topology.TopicPartition, store string, next, records int64)
	// OnRestoreEnd says that a store is complete, and how many records it took.
	OnRestoreEnd(tp topology.TopicPartition, store string, records int64)
	// OnRestoreSuspended says that a store will not be completed here: its task moved on, or the thread stopped.
	OnRestoreSuspended(tp topology.TopicPartition, store string, records int64)
}

// StandbyUpdateListener hears how the stores of standby tasks follow their changelogs (KIP-988). The calls come from the
// goroutine that updates, those of several threads at the same time, and must not block.
type StandbyUpdateListener interface {
	// OnUpdateStart says that a standby will be updated, from the offset start on.
	OnUpdateStart(tp topology.TopicPartition, store string, start int64)
	// OnBatchLoaded says that records were applied, the offset after the last of them, and where the changelog ends.
	OnBatchLoaded(tp topology.TopicPartition, store string, task topology.TaskID, next, records, end int64)
	// OnUpdateSuspended says that the standby ends, where it is, where the changelog ended, and why.
	OnUpdateSuspended(tp topology.TopicPartition, store string, next, end int64, reason SuspendReason)
}

// SuspendReason is why a standby ends.
type SuspendReason string

// Kafka's reasons.
const (
	// SuspendMigrated: the standby moved to another instance, or the thread stopped.
	SuspendMigrated SuspendReason = "MIGRATED"
	// SuspendPromoted: the standby becomes the active task.
	SuspendPromoted SuspendReason = "PROMOTED"
)

// RestoreProgress is how far one store is on its way to, or behind, the end of its changelog.
type RestoreProgress struct {
	Task      topology.TaskID
	Store     string
	Changelog topology.TopicPartition
	// Standby: the store follows its changelog; else it is restored, and its task will run.
	Standby bool
	// Start, Next and End are offsets: where it began, the next to apply, and where the changelog ends, as far as known.
	Start, Next, End int64
	Records          int64 // applied since Start
	Since            time.Time
}

// Remaining is the number of offsets that are left.
func (p RestoreProgress) Remaining() int64 { return max(0, p.End-max(p.Next, 0)) }

// RestoreSummary sums up what is restored.
type RestoreSummary struct {
	Stores             int
	Records, Remaining int64
	Rate               float64 // offsets a second, on average since the first began
	Left               time.Duration
}

// SumRestores sums up the stores that are not of standby tasks, as of now. Left is 0 while the rate is not known.
func SumRestores(list []RestoreProgress, now time.Time) (s RestoreSummary) {
	var first time.Time
	passed := int64(0)
	for _, p := range list {
		if p.Standby {
			continue
		}
		if s.Stores++; first.IsZero() || p.Since.Before(first) {
			first = p.Since
		}
		s.Records += p.Records
		s.Remaining += p.Remaining()
		passed += max(0, p.Next-p.Start)
	}
	if took := now.Sub(first).Seconds(); s.Stores > 0 && took > 0 && passed > 0 {
		s.Rate = float64(passed) / took
		s.Left = time.Duration(float64(s.Remaining) / s.Rate * float64(time.Second))
	}
	return s
}

// RestoreProgress is how far the stores are that the thread restores or keeps as standbys. It can be called from any
// goroutine.
func (t *Thread) RestoreProgress() []RestoreProgress {
	if u := t.updating.Load(); u != nil {
		return u.progress()
	}
	return nil
}

// RestoreProgress is how far the stores are that are restored or kept as standbys.
func (a *App) RestoreProgress() (list []RestoreProgress) {
	for _, t := range a.running() {
		list = append(list, t.RestoreProgress()...)
	}
	return list
}

package dsl

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// Windows are what the records of a grouped stream can be divided into, beside sessions: TimeWindows, UnlimitedWindows
// or SlidingWindows.
type Windows interface {
	// Validate finds what Kafka's constructors refuse.
	Validate() error
	// sizeMs is the length of a window, graceMs how long after its end it takes records.
	sizeMs() int64
	graceMs() int64
	// retentionMs is how long a store must keep windows at least.
	retentionMs() int64
	// aggregate is the operator that aggregates by these windows.
	aggregate(a Aggregation, store *topology.StoreSpec, emit EmitStrategy) windowSupplier
}

// fixedWindows are windows of fixed start.
type fixedWindows interface {
	sizeMs() int64
	graceMs() int64
	// windowsFor are the starts of the windows that hold timestamp: first, first+step, ... up to last. There are none
	// when first > last.
	windowsFor(timestamp int64) (first, last, step int64)
}

// WindowSpec is the plain data of time and unlimited windows.
type WindowSpec struct {
	// SizeMs, AdvanceMs and GraceMs of time windows.
	SizeMs    int64 `json:"sizeMs,omitempty"`
	AdvanceMs int64 `json:"advanceMs,omitempty"`
	GraceMs   int64 `json:"graceMs,omitempty"`
	// Unlimited windows have none of these but StartMs.
	Unlimited bool  `json:"unlimited,omitempty"`
	StartMs   int64 `json:"startMs,omitempty"`
}

func (s WindowSpec) windows() fixedWindows {
	if s.Unlimited {
		return UnlimitedWindows{StartMs: s.StartMs}
	}
	return TimeWindows{SizeMs: s.SizeMs, AdvanceMs: s.AdvanceMs, GraceMs: s.GraceMs}
}

// TimeWindows are tumbling windows, or with an advance smaller than the size hopping ones: [start,end) for starts at
// multiples of the advance. A window is closed for records when the grace period after its end is over.
type TimeWindows struct {
	SizeMs, AdvanceMs, GraceMs int64
}

// TimeWindowsOfSizeWithNoGrace are tumbling windows that close at their end.
func TimeWindowsOfSizeWithNoGrace(size time.Duration) TimeWindows {
	return TimeWindowsOfSizeAndGrace(size, 0)
}

// TimeWindowsOfSizeAndGrace are tumbling windows that close a time after their end.
func TimeWindowsOfSizeAndGrace(size, afterWindowEnd time.Duration) TimeWindows {
	return TimeWindows{SizeMs: millis(size), AdvanceMs: millis(size), GraceMs: millis(afterWindowEnd)}
}

// AdvanceBy makes the windows hop by advance.
func (w TimeWindows) AdvanceBy(advance time.Duration) TimeWindows {
	w.AdvanceMs = millis(advance)
	return w
}

// Validate holds the windows to Kafka's rules.
func (w TimeWindows) Validate() error {
	var length error
	switch {
	case w.SizeMs <= 0:
		length = invalidWindows("TimeWindows", "size", "Window size (sizeMs) must be larger than zero.", "give a size of 1 ms or more")
	case w.AdvanceMs <= 0 || w.AdvanceMs > w.SizeMs:
		length = invalidWindows("TimeWindows", "advance", fmt.Sprintf(
			"Window advancement interval should be more than zero and less than window duration which is %d ms, but given advancement interval is: %d ms",
			w.SizeMs, w.AdvanceMs), "let the windows advance by their size or less, or leave the advance out")
	}
	return errors.Join(length, checkGrace("TimeWindows", w.GraceMs))
}

func (w TimeWindows) sizeMs() int64      { return w.SizeMs }
func (w TimeWindows) graceMs() int64     { return w.GraceMs }
func (w TimeWindows) retentionMs() int64 { return plus(w.SizeMs, w.GraceMs) }

func (w TimeWindows) aggregate(a Aggregation, store *topology.StoreSpec, emit EmitStrategy) windowSupplier {
	spec := WindowSpec{SizeMs: w.SizeMs, AdvanceMs: w.AdvanceMs, GraceMs: w.GraceMs}
	return &WindowAggregate{Aggregation: a, Windows: spec, Store: store.Name, Emit: emit, SpareMs: spare(store, w)}
}

func (w TimeWindows) windowsFor(timestamp int64) (first, last, step int64) {
	first = max(0, timestamp-w.SizeMs+w.AdvanceMs) / w.AdvanceMs * w.AdvanceMs
	if first > timestamp {
		return first, timestamp, w.AdvanceMs
	}
	return first, first + (timestamp-first)/w.AdvanceMs*w.AdvanceMs, w.AdvanceMs
}

// WindowsFor are the windows (start, end exclusive) that hold a timestamp, in the order in which they are processed.
func (w TimeWindows) WindowsFor(timestamp int64) [][2]int64 {
	var all [][2]int64
	first, last, step := w.windowsFor(timestamp)
	for start := first; start <= last; start += step {
		all = append(all, [2]int64{start, endOf(start, w.SizeMs)})
	}
	return all
}

// UnlimitedWindows are one window, from a start to the end of time.
type UnlimitedWindows struct {
	StartMs int64
}

// StartOn has the window begin at start.
func (w UnlimitedWindows) StartOn(start time.Time) UnlimitedWindows {
	w.StartMs = start.UnixMilli()
	return w
}

// Validate holds the window to Kafka's rules.
func (w UnlimitedWindows) Validate() error {
	if w.StartMs < 0 {
		return invalidWindows("UnlimitedWindows", "start", "Window start time (startMs) cannot be negative.", "begin at 0 or later")
	}
	return nil
}

func (w UnlimitedWindows) sizeMs() int64      { return math.MaxInt64 }
func (w UnlimitedWindows) graceMs() int64     { return 0 }
func (w UnlimitedWindows) retentionMs() int64 { return math.MaxInt64 }

func (w UnlimitedWindows) aggregate(a Aggregation, store *topology.StoreSpec, emit EmitStrategy) windowSupplier {
	return &WindowAggregate{Aggregation: a, Windows: WindowSpec{Unlimited: true, StartMs: w.StartMs}, Store: store.Name, Emit: emit}
}

func (w UnlimitedWindows) windowsFor(timestamp int64) (first, last, step int64) {
	if timestamp < w.StartMs {
		return w.StartMs, w.StartMs - 1, 1
	}
	return w.StartMs, w.StartMs, 1
}

// SlidingWindows are all the windows of a length that differ in the records they hold; both ends are inclusive.
type SlidingWindows struct {
	TimeDifferenceMs int64 `json:"timeDifferenceMs"`
	GraceMs          int64 `json:"graceMs,omitempty"`
}

// SlidingWindowsOfTimeDifferenceWithNoGrace are sliding windows that close at their end.
func SlidingWindowsOfTimeDifferenceWithNoGrace(difference time.Duration) SlidingWindows {
	return SlidingWindowsOfTimeDifferenceAndGrace(difference, 0)
}

// SlidingWindowsOfTimeDifferenceAndGrace are sliding windows that close a time after their end.
func SlidingWindowsOfTimeDifferenceAndGrace(difference, afterWindowEnd time.Duration) SlidingWindows {
	return SlidingWindows{TimeDifferenceMs: millis(difference), GraceMs: millis(afterWindowEnd)}
}

// Validate holds the windows to Kafka's rules.
func (w SlidingWindows) Validate() error {
	return errors.Join(
		notNegative("SlidingWindows", "timeDifference", w.TimeDifferenceMs, "Window time difference must not be negative.", "give 0 or more"),
		notNegative("SlidingWindows", "grace", w.GraceMs, "Window grace period must not be negative.", "give 0 for none"),
	)
}

func (w SlidingWindows) sizeMs() int64      { return w.TimeDifferenceMs }
func (w SlidingWindows) graceMs() int64     { return w.GraceMs }
func (w SlidingWindows) retentionMs() int64 { return plus(2*w.TimeDifferenceMs, w.GraceMs) }

func (w SlidingWindows) aggregate(a Aggregation, store *topology.StoreSpec, emit EmitStrategy) windowSupplier {
	return &SlidingAggregate{Aggregation: a, Windows: w, Store: store.Name, Emit: emit, SpareMs: spare(store, w)}
}

// SessionWindows gather the records of a key that lie no further apart than a gap; a session is [first,last], both
// inclusive.
type SessionWindows struct {
	InactivityGapMs int64 `json:"inactivityGapMs"`
	GraceMs         int64 `json:"graceMs,omitempty"`
}

// SessionWindowsOfInactivityGapWithNoGrace are sessions that close a gap after their end.
func SessionWindowsOfInactivityGapWithNoGrace(gap time.Duration) SessionWindows {
	return SessionWindowsOfInactivityGapAndGrace(gap, 0)
}

// SessionWindowsOfInactivityGapAndGrace are sessions that close a gap and a grace period after their end.
func SessionWindowsOfInactivityGapAndGrace(gap, afterWindowEnd time.Duration) SessionWindows {
	return SessionWindows{InactivityGapMs: millis(gap), GraceMs: millis(afterWindowEnd)}
}

// Validate holds the windows to Kafka's rules.
func (w SessionWindows) Validate() error {
	return errors.Join(
		notNegative("SessionWindows", "inactivityGap", w.InactivityGapMs, "Gap time cannot be negative.", "give 0 or more"),
		notNegative("SessionWindows", "grace", w.GraceMs, "Grace period cannot be negative.", "give 0 for none"),
	)
}

// retentionMs is how long a store must keep sessions at least.
func (w SessionWindows) retentionMs() int64 { return plus(w.InactivityGapMs, w.GraceMs) }

// aggregate is the operator that aggregates by these sessions.
func (w SessionWindows) aggregate(a Aggregation, store *topology.StoreSpec, emit EmitStrategy) windowSupplier {
	return &SessionAggregate{
		Aggregation: a, Windows: w, Store: store.Name, Emit: emit, SpareMs: store.Retention - w.retentionMs(),
	}
}

// JoinWindows say which records of two streams belong together: those of the other side from BeforeMs before a record
// to AfterMs after it, both inclusive. One of the two may be negative.
type JoinWindows struct {
	BeforeMs int64 `json:"beforeMs"`
	AfterMs  int64 `json:"afterMs"`
	GraceMs  int64 `json:"graceMs,omitempty"`
}

// JoinWindowsOfTimeDifferenceWithNoGrace joins records no further apart than difference.
func JoinWindowsOfTimeDifferenceWithNoGrace(difference time.Duration) JoinWindows {
	return JoinWindowsOfTimeDifferenceAndGrace(difference, 0)
}

// JoinWindowsOfTimeDifferenceAndGrace joins records no further apart than difference, late ones too.
func JoinWindowsOfTimeDifferenceAndGrace(difference, afterWindowEnd time.Duration) JoinWindows {
	return JoinWindows{BeforeMs: millis(difference), AfterMs: millis(difference), GraceMs: millis(afterWindowEnd)}
}

// Before sets how much earlier the other side may be.
func (w JoinWindows) Before(difference time.Duration) JoinWindows {
	w.BeforeMs = millis(difference)
	return w
}

// After sets how much later the other side may be.
func (w JoinWindows) After(difference time.Duration) JoinWindows {
	w.AfterMs = millis(difference)
	return w
}

// Validate holds the windows to Kafka's rules.
func (w JoinWindows) Validate() error {
	return errors.Join(
		notNegative("JoinWindows", w.negative(), w.BeforeMs+w.AfterMs, "Window interval (ie, beforeMs+afterMs) must not be negative.", "let a negative side be no larger than the other one"),
		checkGrace("JoinWindows", w.GraceMs),
	)
}

// negative is the field that makes the windows end before they begin.
func (w JoinWindows) negative() string {
	switch {
	case w.BeforeMs == w.AfterMs:
		return "timeDifference"
	case w.BeforeMs < w.AfterMs:
		return "before"
	}
	return "after"
}

func (w JoinWindows) sizeMs() int64 { return w.BeforeMs + w.AfterMs }

// spare is how much longer than the windows can take records a store keeps them.
func spare(store *topology.StoreSpec, w Windows) int64 {
	return max(0, store.Retention-w.sizeMs()-w.graceMs())
}

// EmitStrategy says when the results of windows are forwarded.
type EmitStrategy string

// The strategies. The zero value is OnWindowUpdate.
const (
	OnWindowUpdate EmitStrategy = "on-window-update"
	OnWindowClose  EmitStrategy = "on-window-close"
)

func checkGrace(where string, ms int64) error {
	return notNegative(where, "grace", ms, "Grace period must not be negative.", "give 0 for none")
}

// notNegative says what is wrong with the field ms if it is negative.
func notNegative(where, field string, ms int64, what, fix string) error {
	if ms < 0 {
		return invalidWindows(where, field, what, fix)
	}
	return nil
}

// invalidWindows is what Kafka's constructors throw as an IllegalArgumentException about a field.
func invalidWindows(where, field, what, fix string) error {
	return errs.TopologyInvalid.New(where, what, fix).InKafka("IllegalArgumentException").Of(field)
}

// millis is d in whole milliseconds, rounded down as Java's toMillis does.
func millis(d time.Duration) int64 {
	ms := d / time.Millisecond
	if d%time.Millisecond < 0 {
		ms--
	}
	return int64(ms)
}

// endOf is the end of a window, kept to the largest time.
func endOf(start, size int64) int64 { return plus(start, size) }

// plus moves a time, kept to the largest one.
func plus(at, by int64) int64 {
	if end := at + by; by < 0 || end >= at {
		return end
	}
	return math.MaxInt64
}

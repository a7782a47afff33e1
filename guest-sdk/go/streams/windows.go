package streams

import "time"

// Windows are time, unlimited or sliding windows.
type Windows interface {
	kind() string
	json() []byte
}

// TimeWindows are windows of a size: tumbling, or hopping with an advance.
type TimeWindows struct{ size, advance, grace time.Duration }

// TimeWindowsOfSizeWithNoGrace are tumbling windows that take no record after their end.
func TimeWindowsOfSizeWithNoGrace(size time.Duration) TimeWindows { return TimeWindows{size: size} }

// TimeWindowsOfSizeAndGrace are tumbling windows that take records for some time after their end.
func TimeWindowsOfSizeAndGrace(size, afterWindowEnd time.Duration) TimeWindows {
	return TimeWindows{size: size, grace: afterWindowEnd}
}

// AdvanceBy lets a window begin each advance.
func (w TimeWindows) AdvanceBy(advance time.Duration) TimeWindows {
	w.advance = advance
	return w
}

func (TimeWindows) kind() string { return "timeWindows" }

func (w TimeWindows) json() []byte {
	var o object
	o.duration("size", w.size)
	if w.advance != 0 {
		o.duration("advance", w.advance)
	}
	o.duration("grace", w.grace)
	return o.bytes()
}

// SlidingWindows are all windows of a time difference that hold different records.
type SlidingWindows struct{ difference, grace time.Duration }

// SlidingWindowsOfTimeDifferenceWithNoGrace are sliding windows that take no record after their end.
func SlidingWindowsOfTimeDifferenceWithNoGrace(difference time.Duration) SlidingWindows {
	return SlidingWindows{difference: difference}
}

// SlidingWindowsOfTimeDifferenceAndGrace are sliding windows that take records for some time after their end.
func SlidingWindowsOfTimeDifferenceAndGrace(difference, afterWindowEnd time.Duration) SlidingWindows {
	return SlidingWindows{difference, afterWindowEnd}
}

func (SlidingWindows) kind() string { return "slidingWindows" }

func (w SlidingWindows) json() []byte {
	var o object
	o.duration("timeDifference", w.difference)
	o.duration("grace", w.grace)
	return o.bytes()
}

// UnlimitedWindows is one window without an end, from Start (milliseconds since 1970) on.
type UnlimitedWindows struct{ Start int64 }

func (UnlimitedWindows) kind() string { return "unlimitedWindows" }

func (w UnlimitedWindows) json() []byte {
	var o object
	o.number("start", w.Start)
	return o.bytes()
}

// SessionWindows are sessions of records no further apart than a gap.
type SessionWindows struct{ gap, grace time.Duration }

// SessionWindowsOfInactivityGapWithNoGrace are sessions that take no record after their end.
func SessionWindowsOfInactivityGapWithNoGrace(gap time.Duration) SessionWindows {
	return SessionWindows{gap: gap}
}

// SessionWindowsOfInactivityGapAndGrace are sessions that take records for some time after their end.
func SessionWindowsOfInactivityGapAndGrace(gap, afterWindowEnd time.Duration) SessionWindows {
	return SessionWindows{gap, afterWindowEnd}
}

func (w SessionWindows) json() []byte {
	var o object
	o.duration("inactivityGap", w.gap)
	o.duration("grace", w.grace)
	return o.bytes()
}

// JoinWindows say which records of two streams belong together.
type JoinWindows struct {
	difference, grace time.Duration
	before, after     *time.Duration
}

// JoinWindowsOfTimeDifferenceWithNoGrace are records no further apart than a difference, none of them late.
func JoinWindowsOfTimeDifferenceWithNoGrace(difference time.Duration) JoinWindows {
	return JoinWindows{difference: difference}
}

// JoinWindowsOfTimeDifferenceAndGrace are records no further apart than a difference, late ones for some time.
func JoinWindowsOfTimeDifferenceAndGrace(difference, afterWindowEnd time.Duration) JoinWindows {
	return JoinWindows{difference: difference, grace: afterWindowEnd}
}

// Before says how much earlier the right record may be.
func (w JoinWindows) Before(difference time.Duration) JoinWindows {
	w.before = &difference
	return w
}

// After says how much later the right record may be.
func (w JoinWindows) After(difference time.Duration) JoinWindows {
	w.after = &difference
	return w
}

func (w JoinWindows) json() []byte {
	var o object
	o.duration("timeDifference", w.difference)
	if w.before != nil {
		o.duration("before", *w.before)
	}
	if w.after != nil {
		o.duration("after", *w.after)
	}
	o.duration("grace", w.grace)
	return o.bytes()
}

// EmitStrategy says when the results of windows come.
type EmitStrategy string

// The emit strategies.
const (
	OnWindowUpdate EmitStrategy = "on-window-update"
	OnWindowClose  EmitStrategy = "on-window-close"
)

// Suppressed says which changes of a table are held back, and how many.
type Suppressed struct {
	Name   string
	limit  time.Duration
	final  bool
	buffer BufferConfig
}

// UntilTimeLimit holds changes of a row back for a time, and gives the last.
func UntilTimeLimit(limit time.Duration, buffer BufferConfig) Suppressed {
	return Suppressed{limit: limit, buffer: buffer}
}

// UntilWindowCloses gives the final result of each window only.
func UntilWindowCloses(buffer BufferConfig) Suppressed {
	return Suppressed{final: true, buffer: buffer}
}

// WithName names the node.
func (s Suppressed) WithName(name string) Suppressed {
	s.Name = name
	return s
}

func (s Suppressed) write(o *object) {
	if s.final {
		o.flag("untilWindowCloses", true)
	} else {
		o.duration("untilTimeLimit", s.limit)
	}
	o.positive("maxRecords", s.buffer.MaxRecords)
	o.positive("maxBytes", s.buffer.MaxBytes)
	o.flag("emitEarly", s.buffer.EmitEarly)
	o.logged(s.buffer.LoggingDisabled, s.buffer.ChangelogConfigs)
}

// BufferConfig says how much is held back. The zero value is without a bound. A full buffer ends the application, or
// with EmitEarly lets go of what has waited longest.
type BufferConfig struct {
	MaxRecords, MaxBytes int64
	EmitEarly            bool
	LoggingDisabled      bool
	ChangelogConfigs     []Setting
}

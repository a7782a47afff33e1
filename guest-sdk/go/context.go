package wasmstream

import (
	"strings"
	"time"
	"unsafe"
)

// Level is the level of a line in the host's log.
type Level int32

// The levels of the log.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

// PunctuationType says which time a schedule follows.
type PunctuationType int32

// The two times.
const (
	StreamTime    PunctuationType = 0
	WallClockTime PunctuationType = 1
)

// Timer is a schedule of a processor.
type Timer int32

// MetricKind says how a metric moves.
type MetricKind int32

// The kinds of metrics.
const (
	Counter MetricKind = 0 // only grows
	Gauge   MetricKind = 1 // goes up and down
)

// Metric is a number that the host shows under the component's name. Every call of Add crosses to the host: add up
// within a frame where it matters.
type Metric int32

// Add adds delta to the metric.
func (m Metric) Add(delta int64) error { return errnoOf(hostMetricAdd(int32(m), delta)) }

// Context is what a processor knows of the task it runs in, and what it does there. It is the same from Init to
// Close.
type Context struct {
	component *component
	apply     func(ctx *Context) error
	processor Processor

	in    Record // the record as it came
	rec   Record // what the component may change
	busy  bool   // in holds a record
	frame []byte
	// partitionTime is, for timestamp extractors, the largest timestamp so far.
	partitionTime int64

	application, task, node, mode string
	epoch                         int64
	children                      []string
	config                        map[string]string
	stores                        map[string]*KeyValueStore

	// Of plugins of Connect. Those that see records have each in place of apply.
	current   *ConnectRecord
	each      func(r *ConnectRecord) error
	answers   bool // each record that each does not drop is an answer
	direction string
	topics    []string // of the current frame
	batchEnd  func(ctx *Context) error
	flushSink func(ctx *Context) error
	poll      func(ctx *Context, budget int) error
}

// record is the current record in the form that the component may change.
func (c *Context) record() *Record {
	c.rec = c.in
	return &c.rec
}

// ApplicationID is the application.id.
func (c *Context) ApplicationID() string { return c.application }

// TaskID is the task, as "0_1".
func (c *Context) TaskID() string { return c.task }

// Node is the name of the component's node in the topology.
func (c *Context) Node() string { return c.node }

// Mode is "normal", "replay", "shadow" or "validate".
func (c *Context) Mode() string { return c.mode }

// Epoch is the number of the transaction as the component was opened or last flushed.
func (c *Context) Epoch() int64 { return c.epoch }

// Children are the names of the node's children, in order.
func (c *Context) Children() []string { return c.children }

// Config is the value of key in the configuration of the node, and whether it is set.
func (c *Context) Config(key string) (value string, ok bool) {
	value, ok = c.config[key]
	return value, ok
}

// Topic is the topic that the current frame was read from, borrowed for the call; nil where there is none.
func (c *Context) Topic() []byte {
	if !c.busy {
		return nil
	}
	return frameTopic(c.frame)
}

// Forward hands rec to every child of the node. Its bytes are copied, except for those parts that are still the ones
// of the current record: those the host takes from there.
func (c *Context) Forward(rec *Record) { c.forward(rec, 0) }

// ForwardTo hands rec to the child called name, or returns ErrNotFound.
func (c *Context) ForwardTo(name string, rec *Record) error {
	for i, child := range c.children {
		if child == name {
			c.forward(rec, uint32(i+1))
			return nil
		}
	}
	return ErrNotFound
}

func (c *Context) forward(rec *Record, dest uint32) {
	switch {
	case !c.busy:
		out.record(rec, nil, dest)
	case c.component.kind == KindProcessValues && !same(rec.Key, c.in.Key):
		withKey := *rec
		withKey.Key = c.in.Key
		out.record(&withKey, &c.in, dest)
	default:
		out.record(rec, &c.in, dest)
	}
}

// index is the number of the current record in its frame.
func (c *Context) index() int32 {
	if c.busy {
		return int32(c.in.index)
	}
	return -1
}

// Store opens a store that the component declared (Stores); it is opened once and may be asked for at any time.
func (c *Context) Store(name string) (*KeyValueStore, error) {
	if s, ok := c.stores[name]; ok {
		return s, nil
	}
	id := hostStateOpen(name)
	if id < 0 {
		return nil, &StoreError{Store: name, Errno: Errno(id)}
	}
	s := &KeyValueStore{name: name, id: id, buf: make([]byte, 256)}
	c.stores[name] = s
	return s, nil
}

// Schedule calls the processor's Punctuate every interval, rounded down to milliseconds; missed intervals collapse
// into one call. The processor has to be a Punctuator.
func (c *Context) Schedule(interval time.Duration, typ PunctuationType) (Timer, error) {
	return c.schedule(interval, typ, -1)
}

// ScheduleAt is Schedule with the time of the first call, in milliseconds of the time that typ names.
func (c *Context) ScheduleAt(start int64, interval time.Duration, typ PunctuationType) (Timer, error) {
	return c.schedule(interval, typ, start)
}

func (c *Context) schedule(interval time.Duration, typ PunctuationType, start int64) (Timer, error) {
	if _, ok := c.processor.(Punctuator); !ok {
		return 0, ErrUnsupported
	}
	t := hostSchedule(interval.Milliseconds(), int32(typ), start)
	return Timer(t), errnoOf(t)
}

// Cancel ends a schedule.
func (c *Context) Cancel(t Timer) error { return errnoOf(hostCancel(int32(t))) }

// Commit asks for a commit soon; it does not wait for it.
func (c *Context) Commit() error { return errnoOf(hostRequestCommit()) }

// StreamTime is the task's stream time in milliseconds as the current record was taken, that record included.
func (c *Context) StreamTime() int64 { return hostTime(1, c.index()) }

// Time is the wall clock in milliseconds. It is a function of the current record, so a replay sees the same.
func (c *Context) Time() int64 { return hostTime(0, c.index()) }

// Random fills p with random bytes. They are a function of the current record and the number of the call, so a replay
// sees the same.
func (c *Context) Random(p []byte) error { return errnoOf(hostRandom(c.index(), p)) }

// Metric returns the metric called name, which the host makes at the first call. Ask for it once, in Init.
func (c *Context) Metric(kind MetricKind, name string) (Metric, error) {
	m := hostMetric(int32(kind), name)
	return Metric(m), errnoOf(m)
}

// Log writes a line to the host's log. Processors log what happens to them, not records.
func (c *Context) Log(level Level, message string) { Log(level, message) }

// LogEnabled tells whether lines of the level are kept; ask before building a costly message.
func (c *Context) LogEnabled(level Level) bool { return LogEnabled(level) }

// Log is Context.Log for functions that have no context.
func Log(level Level, message string) { hostLog(int32(level), message) }

// LogEnabled is Context.LogEnabled for functions that have no context.
func LogEnabled(level Level) bool { return hostLogEnabled(int32(level)) > 0 }

// readOpen fills the context from an open frame and returns the component's name.
func (c *Context) readOpen(frame []byte) (name string, ok bool) {
	if len(frame) < pairHdrSize || load32(ptr(frame), 0) != openMagic {
		return "", false
	}
	c.config = make(map[string]string)
	c.stores = make(map[string]*KeyValueStore)
	for block := frame[pairHdrSize:]; len(block) > 0; {
		var k, v []byte
		k, v, block = nextPair(block)
		switch key, value := string(k), string(v); key {
		case "component":
			name = value
		case "application.id":
			c.application = value
		case "task.id":
			c.task = value
		case "node":
			c.node = value
		case "mode":
			c.mode = value
		case "epoch":
			c.epoch = parseInt(value)
		case "direction":
			c.direction = value
		case "child":
			c.children = append(c.children, value)
		default:
			if rest, isConfig := strings.CutPrefix(key, "config."); isConfig {
				c.config[rest] = value
			}
		}
	}
	return name, true
}

// parseInt reads a decimal number, 0 for anything else.
func parseInt(s string) int64 {
	var n int64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0
		}
		n = 10*n + int64(d)
	}
	return n
}

// ptr is the place of b's bytes.
func ptr(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

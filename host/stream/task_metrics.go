package stream

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wasmstream/wasmstream/host/wasm"
)

// TaskMetrics are the counts of a task. The task adds to them once for each frame or call; anyone may read them.
type TaskMetrics struct {
	// Processed records were taken from the source partitions; Dropped ones were skipped, there or in a node.
	Processed, Dropped atomic.Int64
	// LatenessMax is the largest distance of a record behind stream time, in ms.
	LatenessMax atomic.Int64
	// Punctuations are calls of punctuators, Commits those of PostCommit.
	Punctuations, Commits atomic.Int64

	mu struct {
		sync.Mutex
		nodes   []*NodeMetrics
		guests  []*GuestMetrics
		modules []*ModuleMetrics
		drops   map[string]*atomic.Int64
	}
}

// NodeMetrics are the counts of a node of a task.
type NodeMetrics struct {
	Node string
	// Processed records came to the node. Forwarded ones left it, counted once for each child. DeadLetters were written
	// to the dead-letter topic because of a failure in the node.
	Processed, Forwarded, Dropped, DeadLetters atomic.Int64
}

// GuestMetrics are the counts of a component that a node calls. They go on over hot swaps.
type GuestMetrics struct {
	Node, Module, Component string
	// Calls of the module for this node, with the records that went in and came out, and their fuel.
	Calls, RecordsIn, RecordsOut, Fuel atomic.Int64
	// Errors are error records and failed calls; Traps are those that ended an instance, by reason.
	Errors atomic.Int64
	Traps  TrapCounts
	// MemoryBytes is the size of the instance's memory, which all components of a module in a task share.
	MemoryBytes atomic.Int64
	// LogDropped are lines of log beyond the rate.
	LogDropped atomic.Int64

	maxSeries int
	mu        struct {
		sync.Mutex
		series []*GuestSeries
	}
}

// trapReasons are why an instance dies, in the order of TrapCounts.
var trapReasons = [...]string{
	wasm.ReasonTrap, wasm.ReasonFuel, wasm.ReasonWall, wasm.ReasonMemory, wasm.ReasonDepth, wasm.ReasonExit,
	wasm.ReasonContract, wasm.ReasonAbuse, wasm.ReasonInterrupted, wasm.ReasonHost,
}

// TrapCounts counts dead instances by reason (wasm.Reason...).
type TrapCounts struct {
	counts [len(trapReasons)]atomic.Int64
}

func (c *TrapCounts) add(reason string) {
	c.counts[max(slices.Index(trapReasons[:], reason), 0)].Add(1)
}

// Load is the sum over all reasons.
func (c *TrapCounts) Load() (n int64) {
	for i := range c.counts {
		n += c.counts[i].Load()
	}
	return n
}

// Each calls f for each reason that occurred.
func (c *TrapCounts) Each(f func(reason string, n int64)) {
	for i, reason := range trapReasons {
		if n := c.counts[i].Load(); n > 0 {
			f(reason, n)
		}
	}
}

// ModuleMetrics are the counts of a module in a task.
type ModuleMetrics struct {
	Module string
	// Instantiations are those for the task's start, for upgrades, and after traps.
	Instantiations atomic.Int64
}

// GuestSeries is a metric that a guest made.
type GuestSeries struct {
	Name    string
	Counter bool // else a gauge
	Value   atomic.Int64
	pending int64 // added by the running call
}

// NewTaskMetrics returns counts at zero.
func NewTaskMetrics() *TaskMetrics { return &TaskMetrics{} }

// Nodes returns the metrics of the nodes, in topological order.
func (m *TaskMetrics) Nodes() []*NodeMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*NodeMetrics(nil), m.mu.nodes...)
}

// Guests returns the metrics of the components in use.
func (m *TaskMetrics) Guests() []*GuestMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*GuestMetrics(nil), m.mu.guests...)
}

// Series returns the metrics that the guest made.
func (m *GuestMetrics) Series() []*GuestSeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*GuestSeries(nil), m.mu.series...)
}

// Modules returns the metrics of the modules in use.
func (m *TaskMetrics) Modules() []*ModuleMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*ModuleMetrics(nil), m.mu.modules...)
}

// Drops are the records dropped so far, by reason.
func (m *TaskMetrics) Drops() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make(map[string]int64, len(m.mu.drops))
	for reason, n := range m.mu.drops {
		counts[reason] = n.Load()
	}
	return counts
}

// maxDropLabels bounds the reasons that are told apart as labels; the rest count as one.
const maxDropLabels = 50

// drop counts dropped records by reason.
func (m *TaskMetrics) drop(reason string, n int) {
	m.Dropped.Add(int64(n))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.drops == nil {
		m.mu.drops = make(map[string]*atomic.Int64)
	}
	c := m.mu.drops[reason]
	if c == nil {
		if len(m.mu.drops) >= maxDropLabels {
			reason = "other"
		}
		if c = m.mu.drops[reason]; c == nil {
			c = new(atomic.Int64)
			m.mu.drops[reason] = c
		}
	}
	c.Add(int64(n))
}

// module finds or makes the metrics of a module.
func (m *TaskMetrics) module(name string) *ModuleMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mm := range m.mu.modules {
		if mm.Module == name {
			return mm
		}
	}
	mm := &ModuleMetrics{Module: name}
	m.mu.modules = append(m.mu.modules, mm)
	return mm
}

func (m *TaskMetrics) node(name string) *NodeMetrics {
	n := &NodeMetrics{Node: name}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.nodes = append(m.mu.nodes, n)
	return n
}

func (m *TaskMetrics) guest(node, module, component string) *GuestMetrics {
	g := &GuestMetrics{Node: node, Module: module, Component: component}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.guests = append(m.mu.guests, g)
	return g
}

// register finds or makes a metric and returns its number, or -1 if there are too many.
func (m *GuestMetrics) register(name string, counter bool) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, s := range m.mu.series {
		if s.Name == name && s.Counter == counter {
			return i
		}
	}
	if len(m.mu.series) >= m.maxSeries {
		return -1
	}
	m.mu.series = append(m.mu.series, &GuestSeries{Name: name, Counter: counter})
	return len(m.mu.series) - 1
}

// at returns the metric of a number, or nil.
func (m *GuestMetrics) at(i int) *GuestSeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i < 0 || i >= len(m.mu.series) {
		return nil
	}
	return m.mu.series[i]
}

// raise sets a to v if that is more.
func raise(a *atomic.Int64, v int64) {
	if v > a.Load() {
		a.Store(v)
	}
}

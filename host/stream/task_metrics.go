package stream

import (
	"sync"
	"sync/atomic"
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
		nodes  []*NodeMetrics
		guests []*GuestMetrics
	}
}

// NodeMetrics are the counts of a node of a task.
type NodeMetrics struct {
	Node string
	// Processed records came to the node. Forwarded ones left it, counted once for each child.
	Processed, Forwarded, Dropped atomic.Int64
}

// GuestMetrics are the counts of a component that a node calls. They go on over hot swaps.
type GuestMetrics struct {
	Node, Module, Component string
	// Calls of the module for this node, with the records that went in and came out, and their fuel.
	Calls, RecordsIn, RecordsOut, Fuel atomic.Int64
	// Errors are error records and failed calls; Traps ended an instance.
	Errors, Traps atomic.Int64
	// MemoryBytes is the size of the instance's memory, which all components of a module in a task share.
	MemoryBytes atomic.Int64
	// LogDropped are lines of log beyond the rate.
	LogDropped atomic.Int64

	mu struct {
		sync.Mutex
		series []*GuestSeries
	}
}

// GuestSeries is a metric that a guest made.
type GuestSeries struct {
	Name    string
	Counter bool // else a gauge
	Value   atomic.Int64
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

// maxGuestSeries bounds the metrics that one component may make.
const maxGuestSeries = 100

// register finds or makes a metric and returns its number, or -1 if there are too many.
func (m *GuestMetrics) register(name string, counter bool) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, s := range m.mu.series {
		if s.Name == name && s.Counter == counter {
			return i
		}
	}
	if len(m.mu.series) >= maxGuestSeries {
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

package dsl

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// Suppressed says how long the changes of a table are held back. Make it by UntilTimeLimit or UntilWindowCloses.
type Suppressed struct {
	name             string
	limit            time.Duration
	buffer           BufferConfig
	untilWindowClose bool
}

// UntilTimeLimit holds the changes of each row back for limit, by the timestamps of the records, and then forwards the
// last of them.
func UntilTimeLimit(limit time.Duration, buffer BufferConfig) Suppressed {
	return Suppressed{limit: limit, buffer: buffer}
}

// UntilWindowCloses forwards of each window only the final result. A buffer that is full must not give up results early,
// so it has to be one that stops the application (MaxRecords(...).ShutDownWhenFull() and the like) or unbounded.
func UntilWindowCloses(buffer BufferConfig) Suppressed {
	return Suppressed{buffer: buffer, untilWindowClose: true}
}

// WithName names the node, and the store with "-store" after it.
func (s Suppressed) WithName(name string) Suppressed {
	s.name = name
	return s
}

// BufferConfig bounds what is held back in memory. Make it by MaxRecords, MaxBytes or Unbounded.
type BufferConfig struct {
	// MaxRecords and MaxBytes are the bounds; math.MaxInt64 is none.
	MaxRecords, MaxBytes int64
	// ShutDown: a buffer that is full stops the application, instead of forwarding what has waited longest.
	ShutDown bool
	// LoggingDisabled leaves the changelog out, ChangelogConfigs are its settings.
	LoggingDisabled  bool
	ChangelogConfigs map[string]string
}

// MaxRecords bounds the number of rows; a full buffer emits early.
func MaxRecords(n int64) BufferConfig { return BufferConfig{MaxRecords: n, MaxBytes: math.MaxInt64} }

// MaxBytes bounds the bytes, by Kafka's estimate; a full buffer emits early.
func MaxBytes(n int64) BufferConfig { return BufferConfig{MaxRecords: math.MaxInt64, MaxBytes: n} }

// Unbounded has no bound.
func Unbounded() BufferConfig {
	return BufferConfig{MaxRecords: math.MaxInt64, MaxBytes: math.MaxInt64, ShutDown: true}
}

// WithMaxRecords adds a bound on the number of rows.
func (c BufferConfig) WithMaxRecords(n int64) BufferConfig {
	c.MaxRecords = n
	return c
}

// WithMaxBytes adds a bound on the bytes.
func (c BufferConfig) WithMaxBytes(n int64) BufferConfig {
	c.MaxBytes = n
	return c
}

// WithNoBound takes the bounds away.
func (c BufferConfig) WithNoBound() BufferConfig {
	c.MaxRecords, c.MaxBytes, c.ShutDown = math.MaxInt64, math.MaxInt64, true
	return c
}

// ShutDownWhenFull stops the application when the buffer is full.
func (c BufferConfig) ShutDownWhenFull() BufferConfig {
	c.ShutDown = true
	return c
}

// EmitEarlyWhenFull forwards what has waited longest when the buffer is full.
func (c BufferConfig) EmitEarlyWhenFull() BufferConfig {
	c.ShutDown = false
	return c
}

// WithLoggingDisabled leaves the changelog out: what is held back is lost with the instance.
func (c BufferConfig) WithLoggingDisabled() BufferConfig {
	c.LoggingDisabled = true
	return c
}

// Suppress holds the changes of the table back.
func (t *KTable) Suppress(s Suppressed) *KTable {
	if t.node.outputVersioned != nil && *t.node.outputVersioned {
		t.b.fail(errs.TopologyInvalid.New(t.Name(), "suppress() is only supported for non-versioned KTables", "leave the history retention of the table out, or suppress a table that is not made of it").InKafka("TopologyException"))
	}
	name := s.name
	if name == "" {
		name = t.b.generate(tableSuppressName)
	} else if err := checkName(name); err != nil {
		t.b.fail(err)
	}
	t.b.names = append(t.b.names, name)
	store := s.name + "-store"
	if s.name == "" {
		store = t.b.storeName(tableSuppressName)
	}
	supplier := &Suppress{
		Store: store, WaitMs: millis(s.limit), MaxRecords: s.buffer.MaxRecords, MaxBytes: s.buffer.MaxBytes,
		ShutDown: s.buffer.ShutDown, FinalResults: s.untilWindowClose,
	}
	t.settleFinal(name, supplier)
	t.sendOld(true) // the buffer remembers what was before
	spec := &topology.StoreSpec{
		Name: store, Kind: topology.SuppressBuffer, InMemory: true, KeySerde: t.key, ValueSerde: t.value,
		LoggingDisabled: s.buffer.LoggingDisabled, ChangelogConfigs: s.buffer.ChangelogConfigs,
	}
	notVersioned := false
	n := &graphNode{name: name, suppresses: true, outputVersioned: &notVersioned, lower: func(top *topology.Topology, up []string) error {
		return addWithStores(top, name, *supplier, storesOf(spec), up...)
	}}
	t.b.addGraphNode(n, t.node)
	of := &suppressedTable{parent: t, supplier: supplier}
	return &KTable{b: t.b, node: n, key: t.key, value: t.value, sources: t.sources, of: of}
}

// settleFinal finds the grace period of the windows whose final results are wanted.
func (t *KTable) settleFinal(name string, s *Suppress) {
	if !s.FinalResults {
		return
	}
	if !s.ShutDown {
		t.b.fail(errs.TopologyInvalid.New(name, "final results need a buffer that does not emit early", "use Unbounded, or ShutDownWhenFull"))
	}
	grace, chain, ok := findGrace(t.node, nil)
	if !ok {
		t.b.fail(errs.TopologyInvalid.New(name,
			"Window close time is only defined for windowed computations. Got ["+chain+"].", "put it behind an aggregation by windows").InKafka("TopologyException"))
	}
	s.WaitMs, s.WindowSerde = grace, serdeName(t.key)
	if ok && !topology.IsWindowed(t.key) {
		t.b.fail(errs.TopologyInvalid.New(name, "final results are those of windows, but the keys are no windows here", "suppress before the keys are changed"))
	}
}

// findGrace is the longest grace period of the windows that n is aggregated by. chain is the way to an operator above
// which there are no windows.
func findGrace(n *graphNode, below []string) (grace int64, chain string, ok bool) {
	if n.grace != nil {
		return *n.grace, "", true
	}
	below = slices.Insert(slices.Clone(below), 0, n.name)
	if len(n.parents) == 0 {
		return 0, strings.Join(below, "->"), false
	}
	for _, p := range n.parents {
		g, chain, ok := findGrace(p, below)
		if !ok {
			return 0, chain, false
		}
		grace = max(grace, g)
	}
	return grace, "", true
}

// suppressedTable is a table whose changes are held back. What is in the buffer is seen as it was before.
type suppressedTable struct {
	parent   *KTable
	supplier *Suppress
}

// sendOld is the parent's.
func (s *suppressedTable) sendOld(force bool) bool { return s.parent.sendOld(force) }

func (s *suppressedTable) view() View {
	s.supplier.Viewed = true
	return View{Operator: viewSuppress, Buffer: s.supplier.Store, Of: []View{s.parent.of.view()}}
}

package dsl_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// testContext is a task of one node, which keeps what the node forwards.
type testContext struct {
	topology.Context // only what operators use is there
	settings         map[string]string
	guests           map[topology.GuestRef]topology.Function
	stores           map[string]state.Store
	arena            topology.Arena
	streamTime       int64
	frames           int
	sent             []sent
	dropped          int
	metadata         map[string]int64
	shared           any
	keep             bool
}

// sent is a forwarded record with its child, -1 for all.
type sent struct {
	child int
	r     topology.Record
}

func newContext() *testContext { return &testContext{keep: true} }

func (c *testContext) NodeName() string                    { return "node" }
func (c *testContext) Arena() *topology.Arena              { return &c.arena }
func (c *testContext) StreamTime() int64                   { return c.streamTime }
func (c *testContext) SystemTime() int64                   { return 0 }
func (c *testContext) Logger() *slog.Logger                { return slog.New(slog.DiscardHandler) }
func (c *testContext) Dropped(n int, _ string)             { c.dropped += n }
func (c *testContext) AppConfig(key string) (string, bool) { v, ok := c.settings[key]; return v, ok }

func (c *testContext) ProcessorMetadata(key string) (int64, bool) {
	v, ok := c.metadata[key]
	return v, ok
}

func (c *testContext) SetProcessorMetadata(key string, value int64) {
	if c.metadata == nil {
		c.metadata = map[string]int64{}
	}
	c.metadata[key] = value
}

func (c *testContext) Shared(_ string, make func() any) any {
	if c.shared == nil {
		c.shared = make()
	}
	return c.shared
}

func (c *testContext) Guest(ref topology.GuestRef) (topology.Function, error) {
	if f := c.guests[ref]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("no guest %s", ref)
}

func (c *testContext) Store(name string) (state.Store, error) {
	if s := c.stores[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("no store %s", name)
}

func (c *testContext) Schedule(time.Duration, topology.PunctuationType, topology.Punctuator) (topology.Cancellable, error) {
	return nil, fmt.Errorf("no schedules here")
}

func (c *testContext) Forward(frame []topology.Record) error { return c.ForwardTo(-1, frame) }

func (c *testContext) ForwardTo(child int, frame []topology.Record) error {
	c.frames++
	if c.keep {
		for i := range frame {
			c.sent = append(c.sent, sent{child, frame[i]})
		}
	}
	return nil
}

// text is what was forwarded, one record a line, and forgets it.
func (c *testContext) text() string {
	var b strings.Builder
	for _, s := range c.sent {
		if s.child >= 0 {
			fmt.Fprintf(&b, "%d: ", s.child)
		}
		fmt.Fprintf(&b, "%s=%s @%d\n", show(s.r.Key), show(s.r.Value), s.r.Timestamp)
	}
	c.sent = nil
	return b.String()
}

func show(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) == 8 && b[0] == 0:
		return fmt.Sprint(binary.BigEndian.Uint64(b))
	}
	return string(b)
}

// records reads "key=value@timestamp" by words; "null" is null.
func records(text string) []topology.Record {
	origin := &topology.TopicPartition{Topic: "in"}
	var all []topology.Record
	for i, word := range strings.Fields(text) {
		key, rest, _ := strings.Cut(word, "=")
		value, at, _ := strings.Cut(rest, "@")
		r := topology.Record{Key: part(key), Value: part(value), Origin: origin, Offset: int64(i)}
		_, _ = fmt.Sscan(at, &r.Timestamp)
		r.StreamTime = r.Timestamp
		all = append(all, r)
	}
	return all
}

func part(s string) []byte {
	if s == "null" {
		return nil
	}
	return []byte(s)
}

func start(t testing.TB, s topology.ProcessorSupplier, c *testContext) topology.Processor {
	t.Helper()
	p, err := s.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Init(c); err != nil {
		t.Fatal(err)
	}
	return p
}

// supplier is that of the last processor node of what build describes.
func supplier(t testing.TB, build func(s *dsl.KStream)) topology.ProcessorSupplier {
	t.Helper()
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	build(b.Stream("in"))
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	var s topology.ProcessorSupplier
	for _, n := range topo.Nodes() {
		if n.Kind == topology.ProcessorNode {
			s = n.Supplier
		}
	}
	return s
}

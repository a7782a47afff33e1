package streamscases

import (
	"bytes"
	"fmt"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// branches splits a stream by the first letters of values, gives each branch values of its own, and merges them again.
func branches(b *dsl.StreamsBuilder, s *spec) rendering {
	in := b.Stream(s.text("topic"))
	letters, _ := take[[]string](s, "branches")
	split := in.Split("split-")
	var names []string
	for _, letter := range letters {
		names = append(names, "split-"+letter)
		split = split.Branch(dsl.NativePredicate(func(r *topology.Record) bool {
			return r.Value != nil && bytes.HasPrefix(r.Value, []byte(letter))
		}), dsl.Branched{Name: letter})
	}
	parts := split.NoDefaultBranch()
	if s.flag("default") {
		names = append(names, "split-rest")
		parts = split.DefaultBranch(dsl.Branched{Name: "rest"})
	}
	forward, direct := s.choice("merge", "forward", "forward", "backward") == "forward", s.flag("direct")
	var merged *dsl.KStream
	for _, name := range names {
		part := parts[name].FlatMapValues(marked(name))
		switch {
		case merged == nil:
			merged = part
		case forward:
			merged = merged.Merge(part)
		default:
			merged = part.Merge(merged)
		}
	}
	merged.To(outputTopic)
	if direct {
		in.To(outputTopic)
	}
	return stringsOut()
}

// marked makes two values of each, with a name before them.
func marked(name string) dsl.Fn {
	return dsl.Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			for _, sep := range []string{".", "'"} {
				r := in[i]
				r.Value, r.Index = []byte(name+sep+textOr(r.Value)), int32(i)
				out = append(out, r)
			}
		}
		return out, nil
	}).Out(nil, topology.String)
}

// punctuate appends the values of each key in a store, and forwards and forgets the rows when it is time.
func punctuate(b *dsl.StreamsBuilder, s *spec) rendering {
	c := collect{interval: s.millis("interval_ms")}
	if s.choice("type", "stream-time", "stream-time", "wall-clock-time") == "wall-clock-time" {
		c.typ = topology.WallClockTime
	}
	b.AddStateStore(topology.StoreSpec{
		Name: "rows", Kind: topology.KeyValue, InMemory: true, KeySerde: topology.String, ValueSerde: topology.String,
	})
	b.Stream(s.text("topic")).Process(c, "collect", "rows").To(outputTopic, dsl.Produced{Key: topology.String, Value: topology.String})
	return stringsOut()
}

// collect makes collectors.
type collect struct {
	interval time.Duration
	typ      topology.PunctuationType
}

// New implements topology.ProcessorSupplier.
func (c collect) New() (topology.Processor, error) { return &collector{collect: c}, nil }

type collector struct {
	collect
	ctx     topology.Context
	rows    state.KeyValueStore
	written *state.RecordContext
}

// Init connects the store and schedules the punctuation.
func (c *collector) Init(ctx topology.Context) error {
	s, err := ctx.Store("rows")
	if err != nil {
		return err
	}
	c.ctx, c.rows, c.written = ctx, s.(state.KeyValueStore), s.(state.ContextualStore).Context()
	_, err = ctx.Schedule(c.interval, c.typ, c.punctuate)
	return err
}

// Process collects values, and passes on that a key is missing.
func (c *collector) Process(frame []topology.Record) error {
	for i := range frame {
		r := frame[i]
		if r.Key == nil {
			r.Value = []byte("no key")
			if err := c.ctx.Forward([]topology.Record{r}); err != nil {
				return err
			}
			continue
		}
		*c.written = r.Context()
		before, err := c.rows.Get(r.Key)
		if err != nil {
			return err
		}
		if err := c.rows.Put(r.Key, fmt.Appendf(nil, "%s|%s", before, textOr(r.Value))); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) punctuate(now int64) error {
	it, err := c.rows.Range(nil, nil, false)
	if err != nil {
		return err
	}
	var all []topology.Record
	for it.Next() {
		all = append(all, topology.Record{Key: bytes.Clone(it.Key()), Value: bytes.Clone(it.Value()), Timestamp: now})
	}
	if err := it.Close(); err != nil {
		return err
	}
	for i := range all {
		if err := c.ctx.Forward(all[i : i+1]); err != nil {
			return err
		}
		if _, err := c.rows.Delete(all[i].Key); err != nil {
			return err
		}
	}
	return nil
}

// Close leaves the store to the task.
func (c *collector) Close() error { return nil }

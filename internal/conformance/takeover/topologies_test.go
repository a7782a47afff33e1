//go:build integration

package takeover_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// judgement says what of two runs must be equal.
type judgement int

const (
	// table compares the last value of each key.
	table judgement = iota
	// sequence compares the values of each key in their order: nothing was lost or done twice on the way.
	sequence
	// records compares all records with their timestamps, in any order.
	records
)

// application is a topology that is taken over.
type application struct {
	name  string
	judge judgement
	// right says that the topic PREFIX-right is read too.
	right bool
	// closes says that results wait for stream time to go on.
	closes bool
	build  func(b *dsl.StreamsBuilder, left, right, out string)
}

const retentionDay = 24 * 60 * 60 * 1000

// applications are those of TakeoverTopologies.java.
var applications = []application{
	{name: "count", judge: sequence, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupBy(byPart()).Count().ToStream().To(out)
	}},
	{name: "tumbling", judge: sequence, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupByKey().WindowedBy(dsl.TimeWindowsOfSizeAndGrace(time.Second, time.Hour)).Count().ToStream().To(out)
	}},
	{name: "session", judge: sequence, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupByKey().WindowedBySessions(dsl.SessionWindowsOfInactivityGapAndGrace(200*time.Millisecond, time.Hour)).
			Count().ToStream().To(out)
	}},
	{name: "leftjoin", judge: records, right: true, closes: true, build: func(b *dsl.StreamsBuilder, left, right, out string) {
		b.Stream(left).LeftJoin(b.Stream(right), plus(), dsl.JoinWindowsOfTimeDifferenceAndGrace(100*time.Millisecond, 5*time.Second)).To(out)
	}},
	{name: "foreignkey", judge: table, right: true, build: func(b *dsl.StreamsBuilder, left, right, out string) {
		b.Table(left).LeftJoinForeignKey(b.Table(right), keyOfPart(), plus(), dsl.TableJoined{}).ToStream().To(out)
	}},
	{name: "tables", judge: table, right: true, build: func(b *dsl.StreamsBuilder, left, right, out string) {
		b.Table(left).OuterJoin(b.Table(right), plus()).GroupBy(byPart()).Count().ToStream().To(out)
	}},
	{name: "suppressed", judge: records, closes: true, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupByKey().WindowedBy(dsl.TimeWindowsOfSizeAndGrace(time.Second, 2*time.Second)).Count().
			Suppress(dsl.UntilWindowCloses(dsl.Unbounded())).ToStream().To(out)
	}},
	{name: "finals", judge: records, closes: true, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupByKey().WindowedBy(dsl.TimeWindowsOfSizeAndGrace(time.Second, 2*time.Second).AdvanceBy(500 * time.Millisecond)).
			EmitStrategy(dsl.OnWindowClose).Count(dsl.Materialized{Retention: time.Hour}).ToStream().To(out)
	}},
	{name: "sliding", judge: table, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupByKey().WindowedBy(dsl.SlidingWindowsOfTimeDifferenceAndGrace(300*time.Millisecond, time.Hour)).
			Reduce(bar(), dsl.Materialized{Name: "slides"}).ToStream().To(out)
	}},
	{name: "versioned", judge: records, right: true, build: func(b *dsl.StreamsBuilder, left, right, out string) {
		stream := b.Stream(left) // its nodes have the lower numbers
		stream.LeftJoinTable(versions(b, right), plus()).To(out)
	}},
	{name: "memory", judge: sequence, build: func(b *dsl.StreamsBuilder, left, _, out string) {
		b.Stream(left).GroupByKey().Count(dsl.Materialized{Name: "counts", InMemory: true}).ToStream().To(out)
	}},
	{name: "stores", judge: sequence, build: stores},
}

// waiting has records wait for versions of rows that come late. Kafka Streams 4.3.1 loses what waits when it restores the
// buffer, its own too: it takes the keys of the changelog for those of a window store
// (RocksDBTimeOrderedKeyValueBytesStore.getWriteBatches). So this one goes from there to here only.
var waiting = application{name: "waiting", judge: records, right: true, closes: true, build: func(b *dsl.StreamsBuilder, left, right, out string) {
	grace := 2 * time.Second
	stream := b.Stream(left)
	stream.LeftJoinTable(versions(b, right), plus(), dsl.Joined{Grace: &grace}).To(out)
}}

func versions(b *dsl.StreamsBuilder, topic string) *dsl.KTable {
	return b.Table(topic, dsl.Materialized{Name: "versions", Versioned: true, HistoryRetention: retentionDay * time.Millisecond})
}

func (a application) topology(t *testing.T, prefix string) *topology.Topology {
	t.Helper()
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	a.build(b, prefix+"-left", prefix+"-right", prefix+"-out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// part is what stands before ':'.
func part(value []byte) []byte {
	before, _, _ := bytes.Cut(value, []byte(":"))
	return before
}

func byPart() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Key = part(r.Value)
		return nil
	}).Out(topology.String, topology.String)
}

func keyOfPart() dsl.Fn { return byPart().Out(topology.String, nil) }

func twoTexts(between string) dsl.Fn {
	text := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return string(b)
	}
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Value = []byte(text(r.Value) + between + text(r.Extra.Second))
		return nil
	}).Out(nil, topology.String)
}

func plus() dsl.Fn { return twoTexts("+") }

func bar() dsl.Fn { return twoTexts("|") }

// stores counts records in stores of each kind that is not of the DSL.
func stores(b *dsl.StreamsBuilder, left, _, out string) {
	for _, s := range []topology.StoreSpec{
		{Name: "rows", Kind: topology.KeyValue},
		{Name: "recent", Kind: topology.LRU, MaxEntries: 1000},
		{Name: "windows", Kind: topology.Window, Retention: retentionDay, WindowSize: 1000},
		{Name: "sessions", Kind: topology.Session, Retention: retentionDay},
		{Name: "versions", Kind: topology.VersionedKeyValue, HistoryRetention: retentionDay},
	} {
		s.KeySerde, s.ValueSerde = topology.String, topology.Long
		b.AddStateStore(s)
	}
	b.Stream(left).Process(everywhereSupplier{}, "everywhere", "rows", "recent", "windows", "sessions", "versions").
		To(out, dsl.Produced{Key: topology.String, Value: topology.String})
}

type everywhereSupplier struct{}

func (everywhereSupplier) New() (topology.Processor, error) { return &everywhere{}, nil }

// everywhere counts records in stores of each kind, and forwards the counts.
type everywhere struct {
	ctx          topology.Context
	rows, recent state.KeyValueStore
	windows      state.WindowStore
	sessions     state.SessionStore
	versions     state.VersionedKeyValueStore
	written      *state.RecordContext
}

func (p *everywhere) Init(ctx topology.Context) error {
	p.ctx = ctx
	for name, take := range map[string]func(state.Store){
		"rows":     func(s state.Store) { p.rows = s.(state.KeyValueStore) },
		"recent":   func(s state.Store) { p.recent = s.(state.KeyValueStore) },
		"windows":  func(s state.Store) { p.windows = s.(state.WindowStore) },
		"sessions": func(s state.Store) { p.sessions = s.(state.SessionStore) },
		"versions": func(s state.Store) { p.versions = s.(state.VersionedKeyValueStore) },
	} {
		s, err := ctx.Store(name)
		if err != nil {
			return err
		}
		take(s)
		p.written = s.(state.ContextualStore).Context()
	}
	return nil
}

func (p *everywhere) Process(frame []topology.Record) error {
	for i := range frame {
		r := frame[i]
		*p.written = r.Context()
		value, err := p.count(&r)
		if err != nil {
			return err
		}
		r.Value = value
		if err := p.ctx.Forward([]topology.Record{r}); err != nil {
			return err
		}
	}
	return nil
}

func (p *everywhere) count(r *topology.Record) (value []byte, err error) {
	start := r.Timestamp / 1000 * 1000
	for _, count := range []func() (int64, error){
		func() (int64, error) { return countRow(p.rows, r.Key) },
		func() (int64, error) { return countRow(p.recent, r.Key) },
		func() (int64, error) {
			b, err := p.windows.FetchWindow(r.Key, start)
			n, row := next(b)
			return n, firstOf(err, func() error { return p.windows.PutWindow(r.Key, row, start) })
		},
		func() (int64, error) {
			b, err := p.sessions.FetchSession(r.Key, start, start+999)
			n, row := next(b)
			return n, firstOf(err, func() error { return p.sessions.PutSession(r.Key, start, start+999, row) })
		},
		func() (int64, error) {
			v, _, err := p.versions.AsOf(r.Key, r.Timestamp-1)
			n, row := next(v.Value)
			return n, firstOf(err, func() error { _, err := p.versions.PutVersion(r.Key, row, r.Timestamp); return err })
		},
	} {
		n, err := count()
		if err != nil {
			return nil, err
		}
		value = fmt.Appendf(value, "%d,", n)
	}
	return bytes.TrimSuffix(value, []byte(",")), nil
}

func countRow(s state.KeyValueStore, key []byte) (int64, error) {
	b, err := s.Get(key)
	n, row := next(b)
	return n, firstOf(err, func() error { return s.Put(key, row) })
}

func firstOf(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// next is one more than what is stored.
func next(stored []byte) (n int64, row []byte) {
	n = 1
	if stored != nil {
		n += int64(binary.BigEndian.Uint64(stored))
	}
	return n, binary.BigEndian.AppendUint64(nil, uint64(n))
}

func (p *everywhere) Close() error { return nil }

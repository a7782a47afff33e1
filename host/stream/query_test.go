package stream

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// ask queries until the answer holds what bound asks for, and tells its rows.
func (in *instance) ask(q StoreQuery) []string {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		answer, err := in.Query(&q)
		if err == nil {
			return rowTexts(answer.Rows)
		}
		if !errs.QueryBound.Is(err) && !errs.QueryNotReady.Is(err) && !errs.QueryMigrated.Is(err) || pause(ctx, 5*time.Millisecond) != nil {
			in.t.Fatalf("asking %s: %v", q.Store, err)
		}
	}
}

// rowTexts shows rows: key [start-end] = value @ timestamp.
func rowTexts(rows []QueryRow) []string {
	var texts []string
	for _, r := range rows {
		var b strings.Builder
		b.WriteString(string(r.Key))
		if r.Start != nil {
			fmt.Fprintf(&b, " [%d-%d]", *r.Start-windowStart, *r.End-windowStart)
		}
		if len(r.Value) == 8 {
			fmt.Fprintf(&b, " = %d", binary.BigEndian.Uint64(r.Value))
		} else {
			fmt.Fprintf(&b, " = %s", r.Value)
		}
		if r.Timestamp != nil {
			fmt.Fprintf(&b, " @%d", *r.Timestamp-windowStart)
		}
		if r.ValidTo != nil {
			fmt.Fprintf(&b, "-%d", *r.ValidTo-windowStart)
		}
		texts = append(texts, b.String())
	}
	return texts
}

func at(ms int64) *int64 {
	ms += windowStart
	return &ms
}

// queried is an application with a store of every kind that can be asked, all over partition 0 of in.
func queried(t *testing.T, in, table, global string, inMemory bool) *topology.Topology {
	b := textBuilder()
	grouped := b.Stream(in).GroupByKey()
	m := func(name string) dsl.Materialized { return dsl.Materialized{Name: name, InMemory: inMemory} }
	grouped.Count(m("counts"))
	grouped.WindowedBy(dsl.TimeWindowsOfSizeAndGrace(100*time.Millisecond, time.Hour)).Count(m("windows"))
	grouped.WindowedBySessions(dsl.SessionWindowsOfInactivityGapAndGrace(50*time.Millisecond, time.Hour)).Count(m("sessions"))
	versions := m("versions")
	versions.Versioned, versions.HistoryRetention = true, time.Hour
	b.Table(table, versions)
	b.GlobalTable(global, m("global"))
	return build(t, b)
}

func TestQueriesOfEveryKindOfStore(t *testing.T) {
	for _, inMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory=%v", inMemory), func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) { queriesOfEveryKind(t, b, inMemory) })
		})
	}
}

func queriesOfEveryKind(t *testing.T, b *brokertest.Broker, inMemory bool) {
	h := newHarness(t, b)
	in, table, global := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("table"), 1), b.CreateTopic(t, b.Name("global"), 2)
	record := func(topic, key, value string, ms int64) *kgo.Record {
		return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value), Timestamp: time.UnixMilli(*at(ms))}
	}
	h.rows(global, 2, "x=1", "y=2", "z=3")
	b.Produce(t, record(in, "ab", "1", 0), record(in, "ac", "1", 10), record(in, "ab", "1", 30), record(in, "ab", "1", 190), record(in, "b", "1", 200))
	b.Produce(t, record(table, "k", "one", 10), record(table, "k", "two", 20), record(table, "k", "three", 30))
	app := h.start(queried(t, in, table, global, inMemory)).running()
	bound := Position{in: {0: 4}, table: {0: 2}}
	inBound, tableBound := Position{in: bound[in]}, Position{table: bound[table]}
	cases := []struct {
		q    StoreQuery
		want []string
	}{
		{StoreQuery{Store: "counts", Type: KeyQuery, Key: []byte("ab")}, []string{"ab = 3 @190"}},
		{StoreQuery{Store: "counts", Type: KeyQuery, Key: []byte("none")}, nil},
		{StoreQuery{Store: "counts", Type: RangeQuery}, []string{"ab = 3 @190", "ac = 1 @10", "b = 1 @200"}},
		{StoreQuery{Store: "counts", Type: RangeQuery, Descending: true}, []string{"b = 1 @200", "ac = 1 @10", "ab = 3 @190"}},
		{StoreQuery{Store: "counts", Type: RangeQuery, KeyFrom: []byte("ac"), KeyTo: []byte("b")}, []string{"ac = 1 @10", "b = 1 @200"}},
		{StoreQuery{Store: "counts", Type: RangeQuery, KeyTo: []byte("ac")}, []string{"ab = 3 @190", "ac = 1 @10"}},
		{StoreQuery{Store: "counts", Type: RangeQuery, Prefix: []byte("a")}, []string{"ab = 3 @190", "ac = 1 @10"}},
		{StoreQuery{Store: "counts", Type: RangeQuery, KeyFrom: []byte("z"), KeyTo: []byte("a")}, nil},
		{StoreQuery{Store: "counts", Type: RangeQuery, KeyFrom: []byte("b"), After: []byte("a")}, []string{"b = 1 @200"}},
		{StoreQuery{Store: "counts", Type: RangeQuery, KeyTo: []byte("ab"), After: []byte("z"), Descending: true}, []string{"ab = 3 @190"}},
		{StoreQuery{Store: "windows", Type: WindowKeyQuery, Key: []byte("ab")}, []string{"ab [0-100] = 2 @30", "ab [100-200] = 1 @190"}},
		{StoreQuery{Store: "windows", Type: WindowKeyQuery, Key: []byte("ab"), From: at(50)}, []string{"ab [100-200] = 1 @190"}},
		{StoreQuery{Store: "windows", Type: WindowRangeQuery, From: at(100), To: at(200)}, []string{"ab [100-200] = 1 @190", "b [200-300] = 1 @200"}},
		{StoreQuery{Store: "sessions", Type: SessionKeyQuery, Key: []byte("ab")}, []string{"ab [0-30] = 2", "ab [190-190] = 1"}},
		{StoreQuery{Store: "sessions", Type: SessionRangeQuery, To: at(20)}, []string{"ab [0-30] = 2", "ac [10-10] = 1"}},
		{StoreQuery{Store: "versions", Type: VersionedKeyQuery, Key: []byte("k")}, []string{"k = three @30"}},
		{StoreQuery{Store: "versions", Type: KeyQuery, Key: []byte("k")}, []string{"k = three @30"}},
		{StoreQuery{Store: "versions", Type: VersionedKeyQuery, Key: []byte("k"), AsOf: at(25)}, []string{"k = two @20-30"}},
		{StoreQuery{Store: "versions", Type: MultiVersionedKeyQuery, Key: []byte("k"), From: at(15), To: at(25)}, []string{"k = one @10-20", "k = two @20-30"}},
		{StoreQuery{Store: "global", Type: RangeQuery}, []string{"x = 1 @0", "y = 2 @1", "z = 3 @2"}},
	}
	for _, c := range cases {
		switch c.q.Store {
		case "versions":
			c.q.Bound = tableBound
		case "global":
		default:
			c.q.Bound = inBound
		}
		if diff := cmp.Diff(c.want, app.ask(c.q)); diff != "" {
			t.Errorf("%s %s %q [%q, %q] differs:\n%s", c.q.Store, c.q.Type, c.q.Key, c.q.KeyFrom, c.q.KeyTo, diff)
		}
	}
	testPages(t, app)
	testRefusals(t, app, in)
	app.stop()
	if _, err := app.Query(&StoreQuery{Store: "counts", Type: RangeQuery}); !errs.QueryMigrated.Is(err) {
		t.Errorf("asking after the end gave %v", err)
	}
}

// testPages reads stores row by row.
func testPages(t *testing.T, app *instance) {
	for _, all := range []StoreQuery{
		{Store: "counts", Type: RangeQuery},
		{Store: "windows", Type: WindowRangeQuery},
		{Store: "sessions", Type: SessionRangeQuery},
		{Store: "global", Type: RangeQuery},
		{Store: "versions", Type: MultiVersionedKeyQuery, Key: []byte("k")},
		{Store: "versions", Type: MultiVersionedKeyQuery, Key: []byte("k"), From: at(15), To: at(29)},
	} {
		for _, descending := range []bool{false, true} {
			q := all
			q.Descending = descending
			whole, err := app.Query(&q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			q.Limit = 1
			for range len(whole.Rows) + 1 {
				page, err := app.Query(&q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, rowTexts(page.Rows)...)
				if q.After = page.Next; q.After == nil {
					break
				}
			}
			if diff := cmp.Diff(rowTexts(whole.Rows), got); diff != "" {
				t.Errorf("%s in pages, descending %v:\n%s", q.Store, descending, diff)
			}
		}
	}
}

func testRefusals(t *testing.T, app *instance, in string) {
	cases := []struct {
		q    StoreQuery
		want errs.Code
	}{
		{StoreQuery{Store: "count", Type: RangeQuery}, errs.QueryStore},
		{StoreQuery{Store: "counts", Type: WindowKeyQuery, Key: []byte("a")}, errs.QueryKind},
		{StoreQuery{Store: "windows", Type: KeyQuery, Key: []byte("a")}, errs.QueryKind},
		{StoreQuery{Store: "versions", Type: RangeQuery}, errs.QueryKind},
		{StoreQuery{Store: "counts", Type: "everything"}, errs.QueryKind},
		{StoreQuery{Store: "counts", Type: KeyQuery}, errs.QueryInvalid},
		{StoreQuery{Store: "counts", Type: RangeQuery, Partition: 1}, errs.QueryInvalid},
		{StoreQuery{Store: "counts", Type: RangeQuery, Partition: -1}, errs.QueryInvalid},
		{StoreQuery{Store: "versions", Type: MultiVersionedKeyQuery, Key: []byte("k"), After: []byte("k")}, errs.QueryInvalid},
		{StoreQuery{Store: "windows", Type: WindowKeyQuery, Key: []byte("a"), From: at(2), To: at(1)}, errs.QueryInvalid},
		{StoreQuery{Store: "counts", Type: RangeQuery, Bound: Position{in: {0: 1000}}}, errs.QueryBound},
		{StoreQuery{Store: "counts", Type: RangeQuery, Bound: Position{"other": {0: 0}}}, errs.QueryBound},
		{StoreQuery{Store: "global", Type: RangeQuery, Bound: Position{in: {0: 1}}}, errs.QueryInvalid},
	}
	for _, c := range cases {
		if _, err := app.Query(&c.q); !c.want.Is(err) {
			t.Errorf("%+v gave %v, want %s", c.q, err, c.want.ID)
		}
	}
	if answer, err := app.Query(&StoreQuery{Store: "counts", Type: RangeQuery, Bound: Position{in: {7: 1000}}}); err != nil {
		t.Errorf("a bound of another partition gave %v", err)
	} else if diff := cmp.Diff(map[int32]int64{0: 4}, answer.Position[in]); diff != "" {
		t.Errorf("the position differs:\n%s", diff)
	}
}

// TestEveryProcessKnowsWhoHasAKey: two processes agree on who has each partition, and each answers for its own.
func TestEveryProcessKnowsWhoHasAKey(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in := b.CreateTopic(t, b.Name("in"), 4)
		topo := func() *topology.Topology {
			builder := textBuilder()
			builder.Stream(in).GroupByKey().Count(dsl.Materialized{Name: "counts"})
			return build(t, builder)
		}
		h.rows(in, 4, "a=1", "b=1", "c=1", "d=1", "e=1", "f=1")
		one := h.start(topo(), "application.server=one:1").running()
		two := h.start(topo(), "application.server=two:2").running()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		apps := map[string]*instance{"one:1": one, "two:2": two}
		for !agree(one, two) {
			if pause(ctx, 10*time.Millisecond) != nil {
				t.Fatalf("they do not agree:\n%v\n%v", one.AllMetadata(), two.AllMetadata())
			}
		}
		owners, bound := map[string]int{}, Position{in: {0: -1, 1: -1, 2: -1, 3: -1}}
		for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
			bound[in][topology.PartitionForKey([]byte(key), 4)]++
		}
		for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
			m, err := two.QueryMetadataForKey("counts", []byte(key))
			if err != nil || m.Partition != topology.PartitionForKey([]byte(key), 4) {
				t.Fatalf("%+v, %v", m, err)
			}
			owners[m.Active]++
			rows := apps[m.Active].ask(StoreQuery{Store: "counts", Type: KeyQuery, Key: []byte(key), Partition: m.Partition, Bound: bound})
			if len(rows) != 1 {
				t.Errorf("%s has %v of %s", m.Active, rows, key)
			}
		}
		if len(owners) != 2 {
			t.Errorf("the owners of the keys are %v", owners)
		}
		lags, err := one.LocalStoreLags(ctx)
		if err != nil || len(lags["counts"]) != 2 {
			t.Errorf("the lags are %v, %v", lags, err)
		}
		if _, err := one.StreamsMetadataForStore("none"); !errs.QueryStore.Is(err) {
			t.Errorf("asking for an unknown store gave %v", err)
		}
		two.stop()
		for len(one.AllMetadata()) != 1 || len(one.AllMetadata()[0].Partitions) != 4 {
			if pause(ctx, 10*time.Millisecond) != nil {
				t.Fatalf("after the other left: %v", one.AllMetadata())
			}
		}
	})
}

// agree tells whether both know the same two processes with two tasks each.
func agree(one, two *instance) bool {
	a, b := one.AllMetadata(), two.AllMetadata()
	return len(a) == 2 && cmp.Equal(a, b) && !slices.ContainsFunc(a, func(m StreamsMetadata) bool {
		return len(m.Partitions) != 2 || !slices.Equal(m.Stores, []string{"counts"})
	}) &&
		one.State() == Running && two.State() == Running
}

// TestQueryOfAStoreThatIsRestored is refused, unless stale answers will do.
func TestQueryOfAStoreThatIsRestored(t *testing.T) {
	db, err := state.OpenDB("", state.Options{InMemory: true, ApplicationID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := db.NewStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Restore([]state.KV{{Key: []byte("k"), Value: []byte("v")}}, 1); err != nil {
		t.Fatal(err)
	}
	var all queryables
	task := &queryableTask{stores: map[string]state.Store{"s": store}}
	all.show(task)
	q, spec := &StoreQuery{Store: "s", Type: KeyQuery, Key: []byte("k")}, &topology.StoreSpec{Name: "s"}
	if _, err := all.ask(topology.TaskID{}, q, spec); !errs.QueryNotReady.Is(err) {
		t.Errorf("asking gave %v", err)
	}
	q.Stale = true
	answer, err := all.ask(topology.TaskID{}, q, spec)
	if err != nil || !answer.Stale || !slices.Equal(rowTexts(answer.Rows), []string{"k = v"}) {
		t.Errorf("asking for a stale answer gave %+v, %v", answer, err)
	}
	q.Bound = Position{"t": {0: 0}}
	if _, err := all.ask(topology.TaskID{}, q, spec); !errs.QueryBound.Is(err) {
		t.Errorf("asking with a bound gave %v", err)
	}
	q.Bound = nil
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := all.ask(topology.TaskID{}, q, spec); !errs.QueryMigrated.Is(err) {
		t.Errorf("asking a store that was closed gave %v", err)
	}
	all.hide(task)
	if _, err := all.ask(topology.TaskID{}, q, spec); !errs.QueryMigrated.Is(err) {
		t.Errorf("asking for a task that is gone gave %v", err)
	}
}

// TestQueriesOfStandbys: the process that has the task answers; the one that has a copy does if stale answers will do, and
// says that its is one. When the first has gone, the second has the task.
func TestQueriesOfStandbys(t *testing.T) {
	for _, inMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory=%v", inMemory), func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) { queriesOfStandbys(t, b, inMemory) })
		})
	}
}

func queriesOfStandbys(t *testing.T, b *brokertest.Broker, inMemory bool) {
	h := newHarness(t, b)
	in := b.CreateTopic(t, b.Name("in"), 2)
	s := textBuilder()
	s.Stream(in).GroupByKey().Count(dsl.Materialized{Name: "counts", InMemory: inMemory})
	topo := build(t, s)
	settings := []string{"num.standby.replicas=1", "statestore.cache.max.bytes=0"}
	instances := []*instance{h.start(topo, settings...).running(), h.start(topo, settings...).running()}
	instances[0].until("each has a task", func() bool { return instances[0].runningOn() == 1 && instances[1].runningOn() == 1 })
	for p := range int32(2) {
		b.Produce(t, &kgo.Record{Topic: in, Partition: p, Key: fmt.Append(nil, p), Value: []byte("x"), Timestamp: time.UnixMilli(*at(0))})
	}
	h.drained(in)
	for p := range int32(2) {
		want := []string{fmt.Sprintf("%d = 1 @0", p)}
		owner, other := instances[0], instances[1]
		q := StoreQuery{Store: "counts", Partition: p, Type: RangeQuery}
		if _, err := owner.Query(&q); errs.QueryMigrated.Is(err) {
			owner, other = other, owner
		}
		// The state follows the offsets that the topic was drained by.
		owner.until(fmt.Sprintf("the owner of partition %d has %q", p, want), func() bool { return cmp.Equal(want, owner.ask(q)) })
		if _, err := other.Query(&q); !errs.QueryMigrated.Is(err) {
			t.Errorf("who has a copy of partition %d answered %v", p, err)
		}
		q.Bound = Position{in: {p: 0}}
		q.Stale = true
		if _, err := other.Query(&q); !errs.QueryMigrated.Is(err) {
			t.Errorf("who has a copy of partition %d answered a bound with %v", p, err)
		}
		q.Bound = nil
		other.until("the copy has the row", func() bool {
			answer, err := other.Query(&q)
			return err == nil && answer.Stale && cmp.Equal(want, rowTexts(answer.Rows))
		})
	}
	instances[0].stop()
	for p := range int32(2) {
		if diff := cmp.Diff([]string{fmt.Sprintf("%d = 1 @0", p)}, instances[1].ask(StoreQuery{Store: "counts", Partition: p, Type: RangeQuery})); diff != "" {
			t.Errorf("partition %d when one instance has gone:\n%s", p, diff)
		}
	}
}

// TestEmptyKeysCross: an empty key is not none, on its way to another process too.
func TestEmptyKeysCross(t *testing.T) {
	want := StoreQuery{Store: "s", Type: RangeQuery, Key: []byte{}, KeyTo: []byte{}, After: []byte{}}
	text, err := json.Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	var got StoreQuery
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs:\n%s", text, diff)
	}
	if from, to := keyBounds(&got); to == nil || string(from) != "\x00" {
		t.Errorf("from %q to %q", from, to)
	}
}

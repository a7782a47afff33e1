package live_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// The inputs of every plan. Keys are k0 to k9 and values are numbers as text, so that any function takes any value.
const (
	streamOne = "stream-one"
	streamTwo = "stream-two"
	tableOne  = "table-one"
	tableTwo  = "table-two"
	rows      = "rows" // of a global table, complete before the application starts
)

var inputs = []string{streamOne, streamTwo, tableOne, tableTwo, rows}

// plan is a random topology whose final tables depend only on what each key got in its order, and not on how the
// records of different partitions come together: that is what two runs have in common.
type plan struct {
	rng      *rand.Rand
	b        *dsl.StreamsBuilder
	prefix   string
	steps    []string // what was drawn
	outs     int
	stores   int                    // with names of their own
	groups   int                    // the same
	uncached bool                   // its results depend on what caches hold back
	tables   map[string]*dsl.KTable // of the inputs: a topic is read once
	reads    map[string]bool        // topics
	global   *dsl.GlobalKTable
}

// draw builds the plan of a seed, for topics with a prefix. The same seed gives the same plan.
func draw(t *testing.T, seed uint64, prefix string) (*plan, *topology.Topology) {
	t.Helper()
	p := &plan{
		rng: rand.New(rand.NewPCG(seed, 1)), prefix: prefix, tables: map[string]*dsl.KTable{}, reads: map[string]bool{},
		b: dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String}),
	}
	for range 1 + p.rng.IntN(3) {
		p.output(p.table(2))
	}
	topo, err := p.b.Build()
	if err != nil {
		t.Fatalf("building %v: %v", p.steps, err)
	}
	return p, topo
}

func (p *plan) step(format string, args ...any) {
	p.steps = append(p.steps, fmt.Sprintf(format, args...))
}

// topic notes that an input is read, and gives its name.
func (p *plan) topic(name string) string {
	p.reads[p.prefix+"-"+name] = true
	return p.prefix + "-" + name
}

func (p *plan) one(of ...string) string { return of[p.rng.IntN(len(of))] }

// output writes a table to a topic of its own.
func (p *plan) output(t *dsl.KTable) {
	t.ToStream().To(fmt.Sprintf("%s-out-%d", p.prefix, p.outs))
	p.outs++
	p.step("output")
}

// table draws a table of texts; deep bounds how many operators it is made of.
func (p *plan) table(deep int) *dsl.KTable {
	if deep == 0 {
		return p.inputTable()
	}
	switch p.rng.IntN(9) {
	case 0, 1:
		return p.counted(p.aggregated())
	case 2:
		return p.windowed()
	case 3:
		return p.cogrouped()
	case 4:
		return p.joined(p.table(deep - 1))
	case 5:
		return p.joinedByForeignKey()
	case 6:
		return p.regrouped(p.changing())
	case 7:
		p.step("filter table")
		return p.table(deep-1).Filter(notOfThree(), p.materialized()...)
	}
	p.step("mapValues of table")
	return p.table(deep-1).MapValues(plusOne(), p.materialized()...)
}

func (p *plan) materialized() []dsl.Materialized {
	p.stores++
	name := fmt.Sprintf("store-%d", p.stores)
	switch p.rng.IntN(3) {
	case 0:
		return nil
	case 1:
		return []dsl.Materialized{{Name: name}}
	}
	return []dsl.Materialized{{Name: name, InMemory: true, CachingDisabled: p.rng.IntN(2) == 0}}
}

func (p *plan) inputTable() *dsl.KTable { return p.rows(p.one(tableOne, tableTwo)) }

// rows is the table of a topic.
func (p *plan) rows(topic string) *dsl.KTable {
	if p.tables[topic] == nil {
		p.tables[topic] = p.b.Table(p.topic(topic))
	}
	p.step("table %s", topic)
	return p.tables[topic]
}

// stream draws a stream of texts whose records come in no order that counts.
func (p *plan) stream() *dsl.KStream {
	name := p.one(streamOne, streamTwo)
	s := p.b.Stream(p.topic(name))
	p.step("stream %s", name)
	for range p.rng.IntN(4) {
		s = p.operator(s)
	}
	return s
}

func (p *plan) operator(s *dsl.KStream) *dsl.KStream {
	kind := p.one("filter", "mapValues", "flatMapValues", "guest", "selectKey", "repartition", "branches", "merge", "join", "global join")
	p.step("%s", kind)
	switch kind {
	case "filter":
		return s.Filter(notOfThree())
	case "mapValues":
		return s.MapValues(plusOne())
	case "flatMapValues":
		return s.FlatMapValues(twice())
	case "guest":
		return s.FlatMapValues(dsl.Guest("wordcount", "split-words").Out(nil, topology.String))
	case "selectKey":
		return s.SelectKey(keyOfValue())
	case "repartition":
		return s.Repartition(dsl.Repartitioned{Key: topology.String, Value: topology.String})
	case "branches":
		branches := s.Split(dsl.Named(fmt.Sprintf("split-%d-", len(p.steps)))).
			Branch(notOfThree(), dsl.Branched{Name: "a"}).DefaultBranch(dsl.Branched{Name: "b"})
		var names []string
		for name := range branches {
			names = append(names, name)
		}
		slices.Sort(names)
		return branches[names[0]].MapValues(plusOne()).Merge(branches[names[1]])
	case "merge":
		return s.Merge(p.b.Stream(p.topic(p.one(streamOne, streamTwo))))
	case "join":
		other := p.b.Stream(p.topic(streamTwo))
		return s.Join(other, sum(), dsl.JoinWindowsOfTimeDifferenceAndGrace(20*time.Millisecond, time.Hour))
	}
	if p.global == nil {
		p.global = p.b.GlobalTable(p.topic(rows))
	}
	return s.LeftJoinGlobalTable(p.global, keyOfValue(), sum())
}

func (p *plan) grouped() *dsl.KGroupedStream {
	p.groups++
	o := dsl.Grouped{Key: topology.String, Value: topology.String, Name: fmt.Sprintf("group-%d", p.groups)}
	s := p.stream()
	if p.rng.IntN(2) == 0 {
		p.step("groupByKey")
		return s.GroupByKey(o)
	}
	p.step("groupBy")
	return s.GroupBy(keyOfValue(), o)
}

// aggregated gives a table of longs.
func (p *plan) aggregated() *dsl.KTable {
	switch p.rng.IntN(3) {
	case 0:
		g := p.grouped()
		p.step("reduce")
		return g.Reduce(sum(), p.materialized()...).MapValues(longOfText())
	case 1:
		g := p.grouped()
		p.step("aggregate")
		return g.Aggregate(nothing(), sum()).MapValues(longOfText())
	}
	g := p.grouped()
	p.step("count")
	return g.Count(p.materialized()...)
}

// counted makes texts of a table of longs.
func (p *plan) counted(t *dsl.KTable) *dsl.KTable { return t.MapValues(textOfLong()) }

func (p *plan) windowed() *dsl.KTable {
	g := p.grouped()
	kind := p.one("tumbling", "hopping", "session")
	p.step("%s", kind)
	switch kind {
	case "tumbling":
		return p.ungroupable(g.WindowedBy(dsl.TimeWindowsOfSizeAndGrace(50*time.Millisecond, time.Hour)).Count())
	case "hopping":
		return p.ungroupable(g.WindowedBy(dsl.TimeWindowsOfSizeAndGrace(60*time.Millisecond, time.Hour).AdvanceBy(20 * time.Millisecond)).Count())
	}
	return p.ungroupable(g.WindowedBySessions(dsl.SessionWindowsOfInactivityGapAndGrace(15*time.Millisecond, time.Hour)).Count())
}

// ungroupable writes a table with windowed keys to a topic, and gives another that goes on.
func (p *plan) ungroupable(t *dsl.KTable) *dsl.KTable {
	p.output(p.counted(t))
	return p.table(0)
}

func (p *plan) cogrouped() *dsl.KTable {
	p.step("cogroup")
	one := p.grouped()
	return one.Cogroup(sum()).Cogroup(p.grouped(), sum()).Aggregate(nothing())
}

// joined joins a table with one that it is not made of: no join of a table with itself tells of rows that are deleted, here
// as in Kafka, so that what is left depends on which changes there were. Nor does any join when the rows of both tables are
// gone from their caches before it hears of either, so there are none.
func (p *plan) joined(left *dsl.KTable) *dsl.KTable {
	var right *dsl.KTable
	for _, name := range []string{tableOne, tableTwo} {
		if p.tables[name] == nil {
			right = p.rows(name)
		}
	}
	if right == nil {
		return left
	}
	p.uncached = true
	kind := p.one("inner", "left", "outer")
	p.step("%s join of tables", kind)
	switch kind {
	case "inner":
		return left.Join(right, sum(), p.materialized()...)
	case "left":
		return left.LeftJoin(right, sum(), p.materialized()...)
	}
	return left.OuterJoin(right, sum(), p.materialized()...)
}

// joinedByForeignKey joins rows with those that they name. An inner join may keep a result for ever, here as in Kafka:
// what takes it back is an answer for a row that has changed meanwhile, which is dropped, and the changed row gets no
// answer when it has no partner. So the rows of an inner join are never deleted and change with their foreign keys only.
// There are no caches either: a row that comes and goes in one may be joined, and no flush tells that it has gone.
func (p *plan) joinedByForeignKey() *dsl.KTable {
	p.uncached = true
	fk := keyOfValue().Out(topology.String, nil)
	if p.rng.IntN(2) == 0 {
		p.step("inner foreign-key join")
		left := p.b.Stream(p.topic(streamOne)).MapValues(modulo()).ToTable()
		return left.JoinForeignKey(p.table(0), fk, sum(), dsl.TableJoined{}, p.materialized()...)
	}
	left, right := p.inputTable(), p.table(0)
	p.step("left foreign-key join")
	return left.LeftJoinForeignKey(right, fk, sum(), dsl.TableJoined{}, p.materialized()...)
}

// changing draws a table to be regrouped. It is no aggregate with an initial value: where there is no cache, that value is
// told as the old one of a first change, here as in Kafka, and subtracted from a group that never had it.
func (p *plan) changing() *dsl.KTable {
	switch p.rng.IntN(3) {
	case 0:
		return p.joined(p.inputTable())
	case 1:
		g := p.grouped()
		p.step("reduce")
		return g.Reduce(sum(), p.materialized()...)
	}
	return p.inputTable()
}

// regrouped counts the rows of each group. A group that has no rows left is as one that never was: a cache may have
// kept it from being seen.
func (p *plan) regrouped(t *dsl.KTable) *dsl.KTable {
	p.step("groupBy of table")
	g := t.GroupBy(keyOfValue().Out(topology.String, topology.String))
	if p.rng.IntN(2) == 0 {
		return p.counted(g.Count()).Filter(notZero())
	}
	return g.Aggregate(nothing(), sum(), difference()).Filter(notZero())
}

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64) // nil is zero
	return n
}

func valued(f func(value, second []byte) int64) dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		var second []byte
		if r.Extra != nil {
			second = r.Extra.Second
		}
		r.Value = strconv.AppendInt(nil, f(r.Value, second), 10)
		return nil
	}).Out(nil, topology.String)
}

// modulo leaves of a number what keyOfValue takes of it.
func modulo() dsl.Fn  { return valued(func(v, _ []byte) int64 { return number(v) % keys }) }
func plusOne() dsl.Fn { return valued(func(v, _ []byte) int64 { return number(v) + 1 }) }
func nothing() dsl.Fn { return valued(func(_, _ []byte) int64 { return 0 }) }
func sum() dsl.Fn     { return valued(func(a, b []byte) int64 { return number(a) + number(b) }) }

// difference is the aggregate without the value.
func difference() dsl.Fn {
	return valued(func(v, aggregate []byte) int64 { return number(aggregate) - number(v) })
}

func notOfThree() dsl.Fn {
	return dsl.NativePredicate(func(r *topology.Record) bool { return number(r.Value)%3 != 0 })
}

func notZero() dsl.Fn {
	return dsl.NativePredicate(func(r *topology.Record) bool { return number(r.Value) != 0 })
}

func twice() dsl.Fn {
	return dsl.Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			for more := range int64(2) {
				r := in[i]
				r.Value, r.Index = strconv.AppendInt(nil, number(in[i].Value)+more, 10), int32(i)
				out = append(out, r)
			}
		}
		return out, nil
	}).Out(nil, topology.String)
}

// keyOfValue is one of the keys of the inputs.
func keyOfValue() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		n := number(r.Value) % keys
		r.Key = fmt.Appendf(nil, "k%d", max(n, -n))
		return nil
	}).Out(topology.String, topology.String)
}

func textOfLong() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Value = strconv.AppendUint(nil, binary.BigEndian.Uint64(r.Value), 10)
		return nil
	}).Out(nil, topology.String)
}

func longOfText() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Value = binary.BigEndian.AppendUint64(nil, uint64(number(r.Value)))
		return nil
	}).Out(nil, topology.Long)
}

func (p *plan) String() string { return strings.Join(p.steps, ", ") }

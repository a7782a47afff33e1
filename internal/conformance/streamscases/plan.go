package streamscases

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// planStep is one call of the builder. It makes the objects of the names in IDs from those in Of.
type planStep struct {
	Op  string   `json:"op"`
	IDs []string `json:"ids,omitempty"`
	Of  []string `json:"of,omitempty"`
	// Name is the name of the node, Store that of the store; Kept asks for a store without naming it.
	Name  string `json:"name,omitempty"`
	Store string `json:"store,omitempty"`
	Kept  bool   `json:"kept,omitempty"`
	// Grouped is the name of the grouping, of the split's branches or of the foreign-key join.
	Grouped    string   `json:"grouped,omitempty"`
	Topics     []string `json:"topics,omitempty"`
	Partitions int      `json:"partitions,omitempty"`
	// Join is inner, left or outer; Windows is time, sliding or session.
	Join    string `json:"join,omitempty"`
	Windows string `json:"windows,omitempty"`
	SizeMs  int64  `json:"size_ms,omitempty"`
	StepMs  int64  `json:"step_ms,omitempty"`
	GraceMs int64  `json:"grace_ms,omitempty"`
	// HistoryMs is that of a versioned store, which Store names; Graceful says that GraceMs is that of a join with one.
	HistoryMs int64 `json:"history_ms,omitempty"`
	Graceful  bool  `json:"graceful,omitempty"`
	// Closes: emission when windows close; suppression until they do.
	Closes bool `json:"closes,omitempty"`
}

// planned are the objects of a plan by their names.
type planned struct {
	b        *dsl.StreamsBuilder
	streams  map[string]*dsl.KStream
	tables   map[string]*dsl.KTable
	globals  map[string]*dsl.GlobalKTable
	groups   map[string]*dsl.KGroupedStream
	regroups map[string]*dsl.KGroupedTable
	cogroups map[string]*dsl.CogroupedKStream
	calls    map[string]func(*planStep) // by their operations
}

// plan builds a topology step by step: any calls of the builder in any order, with and without names.
func plan(b *dsl.StreamsBuilder, s *spec) rendering {
	steps, _ := take[[]planStep](s, "steps")
	p := &planned{
		b: b, streams: map[string]*dsl.KStream{}, tables: map[string]*dsl.KTable{}, globals: map[string]*dsl.GlobalKTable{},
		groups: map[string]*dsl.KGroupedStream{}, regroups: map[string]*dsl.KGroupedTable{}, cogroups: map[string]*dsl.CogroupedKStream{},
	}
	p.calls = p.operations()
	for i := range steps {
		if err := p.add(&steps[i]); err != nil {
			s.faults = append(s.faults, fmt.Errorf("step %d: %w", i, err))
			break
		}
	}
	return stringsOut()
}

func (p *planned) operations() map[string]func(*planStep) {
	all := p.sources()
	for _, calls := range []map[string]func(*planStep){p.stateless(), p.tableCalls(), p.groupings(), p.aggregations(), p.joins()} {
		maps.Copy(all, calls)
	}
	return all
}

func (p *planned) add(s *planStep) error {
	call := p.calls[s.Op]
	if call == nil {
		return fmt.Errorf("the operation %q is not known", s.Op)
	}
	call(s)
	return nil
}

func (p *planned) stream(s *planStep) *dsl.KStream { return p.streams[s.Of[0]] }

func (p *planned) table(s *planStep) *dsl.KTable { return p.tables[s.Of[0]] }

func (s *planStep) named() []dsl.Named {
	if s.Name == "" {
		return nil
	}
	return []dsl.Named{dsl.Named(s.Name)}
}

// materialized has ample retention for windows, as in every case.
func (s *planStep) materialized(value topology.Serde) []dsl.Materialized {
	m := dsl.Materialized{StoreNamed: dsl.Named(s.Name), Name: s.Store}
	if s.HistoryMs > 0 {
		m.Versioned, m.HistoryRetention = true, time.Duration(s.HistoryMs)*time.Millisecond
	}
	if s.Kept {
		m.Key, m.Value = topology.String, value
	}
	if s.Windows != "" {
		m.Retention = ampleRetention * time.Millisecond
	}
	if s.Name == "" && s.Store == "" && !s.Kept && s.Windows == "" {
		return nil
	}
	return []dsl.Materialized{m}
}

func (p *planned) sources() map[string]func(*planStep) {
	return map[string]func(*planStep){
		"stream": func(s *planStep) { p.streams[s.IDs[0]] = p.b.StreamTopics(s.Topics, dsl.Consumed{Name: s.Name}) },
		"table": func(s *planStep) {
			p.tables[s.IDs[0]] = p.b.Table(s.Topics[0], append([]dsl.TableOption{dsl.Consumed{Name: s.Name}}, tableOptions(s.stored())...)...)
		},
		"globalTable": func(s *planStep) {
			p.globals[s.IDs[0]] = p.b.GlobalTable(s.Topics[0], append([]dsl.TableOption{dsl.Consumed{Name: s.Name}}, tableOptions(s.stored())...)...)
		},
		"addStateStore": func(s *planStep) {
			p.b.AddStateStore(topology.StoreSpec{
				Name: s.Store, Kind: topology.KeyValue, InMemory: true, KeySerde: topology.String, ValueSerde: topology.String,
			})
		},
	}
}

// stored is the Materialized of a source, whose node is named by Consumed.
func (s *planStep) stored() []dsl.Materialized {
	if s.Store == "" {
		return nil
	}
	if s.HistoryMs > 0 {
		return []dsl.Materialized{{Name: s.Store, Versioned: true, HistoryRetention: time.Duration(s.HistoryMs) * time.Millisecond}}
	}
	return []dsl.Materialized{{Name: s.Store}}
}

func (p *planned) stateless() map[string]func(*planStep) {
	one := func(call func(in *dsl.KStream, s *planStep) *dsl.KStream) func(*planStep) {
		return func(s *planStep) { p.streams[s.IDs[0]] = call(p.stream(s), s) }
	}
	return map[string]func(*planStep){
		"filter":    one(func(in *dsl.KStream, s *planStep) *dsl.KStream { return in.Filter(notRound(), s.named()...) }),
		"filterNot": one(func(in *dsl.KStream, s *planStep) *dsl.KStream { return in.FilterNot(notRound(), s.named()...) }),
		"mapValues": one(func(in *dsl.KStream, s *planStep) *dsl.KStream { return in.MapValues(dotted(), s.named()...) }),
		"map": one(func(in *dsl.KStream, s *planStep) *dsl.KStream {
			return in.Map(byPart().Out(topology.String, topology.String), s.named()...)
		}),
		"selectKey": one(func(in *dsl.KStream, s *planStep) *dsl.KStream {
			return in.SelectKey(byPart().Out(topology.String, nil), s.named()...)
		}),
		"flatMapValues": one(func(in *dsl.KStream, s *planStep) *dsl.KStream { return in.FlatMapValues(marked(""), s.named()...) }),
		"peek":          one(func(in *dsl.KStream, s *planStep) *dsl.KStream { return in.Peek(nothing(), s.named()...) }),
		"merge":         one(func(in *dsl.KStream, s *planStep) *dsl.KStream { return in.Merge(p.streams[s.Of[1]], s.named()...) }),
		"repartition": one(func(in *dsl.KStream, s *planStep) *dsl.KStream {
			return in.Repartition(dsl.Repartitioned{Name: s.Name, Partitions: s.Partitions})
		}),
		"process": one(func(in *dsl.KStream, s *planStep) *dsl.KStream {
			return in.Process(numbering{s.Store}, dsl.Named(s.Name), s.stores()...)
		}),
		"processValues": one(func(in *dsl.KStream, s *planStep) *dsl.KStream {
			return in.ProcessValues(numbering{s.Store}, dsl.Named(s.Name), s.stores()...)
		}),
		"split": p.split,
		"to":    func(s *planStep) { p.stream(s).To(outputTopic, dsl.Produced{Name: s.Name}) },
	}
}

func (s *planStep) stores() []string {
	if s.Store == "" {
		return nil
	}
	return []string{s.Store}
}

// split has a branch and a default branch.
func (p *planned) split(s *planStep) {
	var one, other []dsl.Branched
	if s.Grouped != "" {
		one, other = []dsl.Branched{{Name: s.Grouped}}, []dsl.Branched{{Name: s.Grouped + "-not"}}
	}
	branches := p.stream(s).Split(s.named()...).Branch(notRound(), one...).DefaultBranch(other...)
	names := slices.Sorted(maps.Keys(branches))
	if s.Grouped == "" {
		slices.Reverse(names) // the default branch is 0
	}
	for i, id := range s.IDs {
		p.streams[id] = branches[names[i]]
	}
}

func (p *planned) tableCalls() map[string]func(*planStep) {
	one := func(call func(in *dsl.KTable, s *planStep) *dsl.KTable) func(*planStep) {
		return func(s *planStep) { p.tables[s.IDs[0]] = call(p.table(s), s) }
	}
	return map[string]func(*planStep){
		"toTable": func(s *planStep) { p.tables[s.IDs[0]] = p.stream(s).ToTable(s.materialized(topology.String)...) },
		"tableFilter": one(func(in *dsl.KTable, s *planStep) *dsl.KTable {
			return in.Filter(notRound(), s.materialized(topology.String)...)
		}),
		"tableFilterNot": one(func(in *dsl.KTable, s *planStep) *dsl.KTable {
			return in.FilterNot(notRound(), s.materialized(topology.String)...)
		}),
		"tableMapValues": one(func(in *dsl.KTable, s *planStep) *dsl.KTable {
			return in.MapValues(dotted(), s.materialized(topology.String)...)
		}),
		"numbers": one(func(in *dsl.KTable, s *planStep) *dsl.KTable {
			return in.MapValues(decimal(), s.materialized(topology.String)...)
		}),
		"transformValues": one(func(in *dsl.KTable, s *planStep) *dsl.KTable {
			return in.TransformValues(dotted(), nil, s.materialized(topology.String)...)
		}),
		"suppress": one(func(in *dsl.KTable, s *planStep) *dsl.KTable { return in.Suppress(s.suppressed().WithName(s.Name)) }),
		"toStream": func(s *planStep) { p.streams[s.IDs[0]] = p.table(s).ToStream(s.named()...) },
		"unwindow": func(s *planStep) {
			inner := timeKey(s.SizeMs)
			if s.Windows == "session" {
				inner = sessionKey
			}
			p.streams[s.IDs[0]] = p.table(s).ToStreamBy(withoutWindow(inner).Out(topology.String, nil), s.named()...)
		},
	}
}

func (s *planStep) suppressed() dsl.Suppressed {
	if s.Closes {
		return dsl.UntilWindowCloses(dsl.Unbounded())
	}
	return dsl.UntilTimeLimit(time.Duration(s.SizeMs)*time.Millisecond, dsl.Unbounded())
}

func (p *planned) groupings() map[string]func(*planStep) {
	return map[string]func(*planStep){
		"groupByKey": func(s *planStep) { p.groups[s.IDs[0]] = p.stream(s).GroupByKey(dsl.Grouped{Name: s.Grouped}) },
		"groupBy": func(s *planStep) {
			p.groups[s.IDs[0]] = p.stream(s).GroupBy(byPart().Out(topology.String, nil), dsl.Grouped{Name: s.Grouped})
		},
		"tableGroupBy": func(s *planStep) {
			p.regroups[s.IDs[0]] = p.table(s).GroupBy(byPart().Out(topology.String, topology.String), dsl.Grouped{Name: s.Grouped})
		},
		"cogroup": func(s *planStep) {
			all := p.groups[s.Of[0]].Cogroup(appending("0"))
			for i, id := range s.Of[1:] {
				all = all.Cogroup(p.groups[id], appending(fmt.Sprint(i+1)))
			}
			p.cogroups[s.IDs[0]] = all
		},
	}
}

func (p *planned) aggregations() map[string]func(*planStep) {
	return map[string]func(*planStep){
		"count":     func(s *planStep) { p.tables[s.IDs[0]] = p.aggregate(s) },
		"reduce":    func(s *planStep) { p.tables[s.IDs[0]] = p.aggregate(s) },
		"aggregate": func(s *planStep) { p.tables[s.IDs[0]] = p.aggregate(s) },
	}
}

func (p *planned) aggregate(s *planStep) *dsl.KTable {
	m := s.materialized(topology.String)
	if s.Op == "count" {
		m = s.materialized(topology.Long)
	}
	if g := p.regroups[s.Of[0]]; g != nil {
		switch s.Op {
		case "count":
			return g.Count(m...)
		case "reduce":
			return g.Reduce(between("+"), between("-"), m...)
		}
		return g.Aggregate(always(""), appending("+"), appending("-"), m...)
	}
	if k := p.cogroups[s.Of[0]]; k != nil {
		return p.cogrouped(s, k, m)
	}
	g := p.groups[s.Of[0]]
	switch {
	case s.Windows == "session":
		return p.sessions(s, g, m)
	case s.Windows != "":
		return p.windows(s, g, m)
	case s.Op == "count":
		return g.Count(m...)
	case s.Op == "reduce":
		return g.Reduce(between("|"), m...)
	}
	return g.Aggregate(always(""), appending("|"), m...)
}

func (p *planned) cogrouped(s *planStep, k *dsl.CogroupedKStream, m []dsl.Materialized) *dsl.KTable {
	switch s.Windows {
	case "":
		return k.Aggregate(always(""), m...)
	case "session":
		return k.WindowedBySessions(s.sessionWindows()).Aggregate(always(""), between("&"), m...)
	}
	return k.WindowedBy(s.fixedWindows()).Aggregate(always(""), m...)
}

func (s *planStep) sessionWindows() dsl.SessionWindows {
	return dsl.SessionWindowsOfInactivityGapAndGrace(time.Duration(s.SizeMs)*time.Millisecond, time.Duration(s.GraceMs)*time.Millisecond)
}

func (s *planStep) fixedWindows() dsl.Windows {
	size, grace := time.Duration(s.SizeMs)*time.Millisecond, time.Duration(s.GraceMs)*time.Millisecond
	if s.Windows == "sliding" {
		return dsl.SlidingWindowsOfTimeDifferenceAndGrace(size, grace)
	}
	return dsl.TimeWindowsOfSizeAndGrace(size, grace).AdvanceBy(time.Duration(s.StepMs) * time.Millisecond)
}

func (s *planStep) emission() dsl.EmitStrategy {
	if s.Closes {
		return dsl.OnWindowClose
	}
	return dsl.OnWindowUpdate
}

func (p *planned) sessions(s *planStep, g *dsl.KGroupedStream, m []dsl.Materialized) *dsl.KTable {
	w := g.WindowedBySessions(s.sessionWindows()).EmitStrategy(s.emission())
	switch s.Op {
	case "count":
		return w.Count(m...)
	case "reduce":
		return w.Reduce(between("|"), m...)
	}
	return w.Aggregate(always(""), appending("|"), between("&"), m...)
}

func (p *planned) windows(s *planStep, g *dsl.KGroupedStream, m []dsl.Materialized) *dsl.KTable {
	w := g.WindowedBy(s.fixedWindows()).EmitStrategy(s.emission())
	switch s.Op {
	case "count":
		return w.Count(m...)
	case "reduce":
		return w.Reduce(between("|"), m...)
	}
	return w.Aggregate(always(""), appending("|"), m...)
}

func (p *planned) joins() map[string]func(*planStep) {
	return map[string]func(*planStep){
		"join": func(s *planStep) {
			w := dsl.JoinWindowsOfTimeDifferenceAndGrace(time.Duration(s.SizeMs)*time.Millisecond, time.Duration(s.GraceMs)*time.Millisecond)
			p.streams[s.IDs[0]] = p.joinStreams(s, w, dsl.StreamJoined{Name: s.Name, StoreName: s.Store})
		},
		"joinTable": func(s *planStep) {
			join := p.stream(s).JoinTable
			if s.Join == "left" {
				join = p.stream(s).LeftJoinTable
			}
			how := dsl.Joined{Name: s.Name}
			if s.Graceful {
				how.Grace = new(time.Duration(s.GraceMs) * time.Millisecond)
			}
			p.streams[s.IDs[0]] = join(p.tables[s.Of[1]], between("+"), how)
		},
		"joinGlobalTable": func(s *planStep) {
			join := p.stream(s).JoinGlobalTable
			if s.Join == "left" {
				join = p.stream(s).LeftJoinGlobalTable
			}
			p.streams[s.IDs[0]] = join(p.globals[s.Of[1]], byPart().Out(topology.String, nil), between("+"), s.named()...)
		},
		"tableJoin": func(s *planStep) {
			p.tables[s.IDs[0]] = joinTables(s.Join, p.table(s), p.tables[s.Of[1]], between("+"), s.materialized(topology.String))
		},
		"foreignKeyJoin": func(s *planStep) {
			join := p.table(s).JoinForeignKey
			if s.Join == "left" {
				join = p.table(s).LeftJoinForeignKey
			}
			key := byPart().Out(topology.String, nil)
			p.tables[s.IDs[0]] = join(p.tables[s.Of[1]], key, between("+"), dsl.TableJoined{Name: s.Name}, s.stored()...)
		},
	}
}

func (p *planned) joinStreams(s *planStep, w dsl.JoinWindows, how dsl.StreamJoined) *dsl.KStream {
	left, right := p.stream(s), p.streams[s.Of[1]]
	switch s.Join {
	case "left":
		return left.LeftJoin(right, between("+"), w, how)
	case "outer":
		return left.OuterJoin(right, between("+"), w, how)
	}
	return left.Join(right, between("+"), w, how)
}

// notRound holds for values that do not end with 0, and for none.
func notRound() dsl.Fn {
	return dsl.NativePredicate(func(r *topology.Record) bool { return !strings.HasSuffix(string(r.Value), "0") })
}

// dotted puts a dot behind values that are there.
func dotted() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		if r.Value != nil {
			r.Value = append(bytes.Clone(r.Value), '.')
		}
		return nil
	}).Out(nil, topology.String)
}

// decimal shows a long as text.
func decimal() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) (err error) {
		if r.Value != nil {
			r.Value, err = topology.AppendText(nil, topology.Long, r.Value)
		}
		return err
	}).Out(nil, topology.String)
}

// byPart makes the part of the value before ':' the key: none for n and for no value.
func byPart() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		if r.Key = nil; r.Value == nil {
			return nil
		}
		if r.Key = prefix(r.Value, ":"); string(r.Key) == "n" {
			r.Key = nil
		}
		return nil
	})
}

// withoutWindow makes the text of a windowed key the key.
func withoutWindow(text func([]byte) (string, error)) dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		key, err := text(r.Key)
		r.Key = []byte(key)
		return err
	})
}

func nothing() dsl.Fn {
	return dsl.Native(func(_, out []topology.Record) ([]topology.Record, error) { return out, nil })
}

// numbering makes processors that put a mark behind values; with a store, how often the key has come.
type numbering struct{ store string }

// New implements topology.ProcessorSupplier.
func (n numbering) New() (topology.Processor, error) { return &numberer{numbering: n}, nil }

type numberer struct {
	numbering
	ctx  topology.Context
	rows state.KeyValueStore
}

// Init connects the store.
func (n *numberer) Init(ctx topology.Context) error {
	n.ctx = ctx
	if n.store == "" {
		return nil
	}
	s, err := ctx.Store(n.store)
	if err == nil {
		n.rows = s.(state.KeyValueStore)
	}
	return err
}

// Process numbers each record and passes it on.
func (n *numberer) Process(frame []topology.Record) error {
	for i := range frame {
		r := frame[i]
		mark := []byte("p")
		if n.rows != nil && r.Key != nil {
			before, err := n.rows.Get(r.Key)
			if err != nil {
				return err
			}
			mark = append(bytes.Clone(before), 'p')
			if err := n.rows.Put(r.Key, mark); err != nil {
				return err
			}
		}
		r.Value = append([]byte(textOr(r.Value)), mark...)
		if err := n.ctx.Forward([]topology.Record{r}); err != nil {
			return err
		}
	}
	return nil
}

// Close leaves the store to the task.
func (n *numberer) Close() error { return nil }

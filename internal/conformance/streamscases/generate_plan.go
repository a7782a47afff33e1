package streamscases

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Kinds of objects of a plan.
const (
	aStream   = "stream"
	aTable    = "table"
	longs     = "table of longs"
	windows   = "table of windows"
	winLongs  = "table of longs in windows"
	aGlobal   = "global table"
	aGroup    = "group"
	aRegroup  = "group of a table"
	aCogroup  = "cogroup"
	planSteps = 9
)

// planner draws a plan.
type planner struct {
	r     *rand.Rand
	steps []planStep
	kinds map[string][]string // ids by kind
	used  map[string]bool     // ids that something was made of
	forms map[string]planStep // of the windows, by the ids of their tables
	names []string
	n     int
	clash bool // names may come twice
	// history: stores with names may be versioned.
	history bool
	tables  map[string]bool
}

// randomPlan are calls of the builder that make a topology of few sources.
func randomPlan(r *rand.Rand) (map[string]any, []string) {
	p := &planner{
		r: r, kinds: map[string][]string{}, used: map[string]bool{}, forms: map[string]planStep{}, clash: r.IntN(12) == 0, history: r.IntN(4) == 0,
		tables: map[string]bool{},
	}
	p.source("left")
	p.source("right")
	for range 2 + r.IntN(planSteps) {
		p.step()
	}
	p.finish()
	spec := map[string]any{"steps": p.steps}
	if o := choose(r, "", "", "all", "merge.repartition.topics", "reuse.ktable.source.topics", "none", "single.store.self.join"); o != "" {
		spec["topology.optimization"] = o
	}
	if r.IntN(20) == 0 {
		spec["ensure.explicit.internal.resource.naming"] = true
	}
	return spec, p.topics()
}

// topics are those that the plan reads.
func (p *planner) topics() []string {
	var topics []string
	for i := range p.steps {
		topics = append(topics, p.steps[i].Topics...)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

func (p *planner) add(kind string, s planStep) string {
	p.n++
	id := fmt.Sprintf("x%d", p.n)
	s.IDs = []string{id}
	p.steps = append(p.steps, s)
	for _, of := range s.Of {
		p.used[of] = true
	}
	p.kinds[kind] = append(p.kinds[kind], id)
	return id
}

// any is an object of a kind, "" if there is none; what was made last comes more often.
func (p *planner) any(kind string) string {
	all := p.kinds[kind]
	if len(all) == 0 {
		return ""
	}
	if p.r.IntN(2) == 0 {
		return all[len(all)-1]
	}
	return all[p.r.IntN(len(all))]
}

// versioned gives a store with a name a history.
func (p *planner) versioned(s *planStep) {
	if p.history && s.Store != "" && p.r.IntN(2) == 0 {
		s.HistoryMs, s.Kept = 20+p.r.Int64N(40), true
	}
}

// name is a name for one of four.
func (p *planner) name(prefix string) string {
	if p.r.IntN(4) != 0 {
		return ""
	}
	if p.clash && len(p.names) > 0 && p.r.IntN(2) == 0 {
		return choose(p.r, p.names...)
	}
	p.names = append(p.names, fmt.Sprintf("%s%d", prefix, p.n))
	return p.names[len(p.names)-1]
}

func (p *planner) source(topic string) {
	switch p.r.IntN(3) {
	case 0, 1:
		p.add(aStream, planStep{Op: "stream", Topics: []string{topic}, Name: p.name("in")})
	default:
		s := planStep{Op: "table", Topics: []string{topic}, Name: p.name("in"), Store: p.name("st")}
		p.versioned(&s)
		p.add(aTable, s)
	}
}

// step draws a call for which there is an object.
func (p *planner) step() {
	calls := []func() bool{
		p.streamStep, p.streamStep, p.streamStep, p.tableStep, p.tableStep, p.group, p.group, p.regroup, p.cogroup, p.aggregate, p.aggregate, p.aggregate,
		p.ungroup, p.ungroup, p.join, p.join, p.more,
	}
	for range 20 {
		if choose(p.r, calls...)() {
			return
		}
	}
}

func (p *planner) more() bool {
	switch p.r.IntN(12) {
	case 0:
		p.source(choose(p.r, "left", "right", "third"))
	case 1:
		p.add(aStream, planStep{Op: "stream", Topics: []string{"left"}})
	case 2:
		p.add(aStream, planStep{Op: "stream", Topics: []string{"left", "fourth"}, Name: p.name("in")})
	case 3, 4, 5:
		p.source(fmt.Sprintf("third%d", p.n))
	case 6:
		p.add(aStream, planStep{Op: "stream", Topics: []string{"fifth", "sixth"}, Name: p.name("in")})
	default:
		if len(p.kinds[aGlobal]) > 0 {
			return false
		}
		p.add(aGlobal, planStep{Op: "globalTable", Topics: []string{"rows"}, Name: p.name("in"), Store: p.name("st")})
	}
	return true
}

func (p *planner) streamStep() bool {
	in := p.any(aStream)
	if in == "" {
		return false
	}
	s := planStep{Of: []string{in}, Name: p.name("n")}
	s.Op = choose(p.r, "filter", "filterNot", "mapValues", "map", "selectKey", "selectKey", "flatMapValues", "peek", "merge", "repartition",
		"process", "processValues", "split", "toTable", "to")
	switch s.Op {
	case "merge":
		s.Of = append(s.Of, p.any(aStream))
	case "repartition":
		s.Partitions = choose(p.r, 0, 0, 0, 2)
	case "process", "processValues":
		if p.r.IntN(3) == 0 {
			s.Store = fmt.Sprintf("rows%d", p.n)
			p.steps = append(p.steps, planStep{Op: "addStateStore", Store: s.Store})
		}
	case "split":
		s.Grouped = p.name("b")
		id := p.add(aStream, s)
		p.n++
		other := fmt.Sprintf("x%d", p.n)
		p.steps[len(p.steps)-1].IDs = []string{id, other}
		p.kinds[aStream] = append(p.kinds[aStream], other)
		return true
	case "toTable":
		s.Store, s.Kept = p.name("st"), p.r.IntN(3) == 0
		p.versioned(&s)
		p.add(aTable, s)
		return true
	case "to":
		p.steps = append(p.steps, s)
		p.used[in] = true
		return true
	}
	p.add(aStream, s)
	return true
}

func (p *planner) tableStep() bool {
	kind := choose(p.r, aTable, aTable, longs, windows, winLongs)
	in := p.any(kind)
	if in == "" {
		return false
	}
	s := planStep{Of: []string{in}, Name: p.name("n")}
	switch kind {
	case aTable:
		s.Op = choose(p.r, "tableFilter", "tableFilterNot", "tableMapValues", "transformValues", "suppress")
	case longs, winLongs:
		s.Op = choose(p.r, "numbers", "numbers", "suppress")
	case windows:
		s.Op = choose(p.r, "tableFilter", "tableMapValues", "suppress")
	}
	to := kind
	switch s.Op {
	case "suppress":
		s.SizeMs = int64(p.r.IntN(12))
		s.Closes = (kind == windows || kind == winLongs) && p.r.IntN(2) == 0
	case "numbers":
		to = map[string]string{longs: aTable, winLongs: windows}[kind]
		fallthrough
	default:
		if kind != windows && kind != winLongs {
			s.Store, s.Kept = p.name("st"), p.r.IntN(4) == 0
			p.versioned(&s)
		}
	}
	form := p.forms[in]
	p.forms[p.add(to, s)] = form
	return true
}

func (p *planner) group() bool {
	in := p.any(aStream)
	if in == "" {
		return false
	}
	p.add(aGroup, planStep{Op: choose(p.r, "groupByKey", "groupBy"), Of: []string{in}, Grouped: p.name("g")})
	return true
}

func (p *planner) regroup() bool {
	in := p.any(aTable)
	if in == "" {
		return false
	}
	p.add(aRegroup, planStep{Op: "tableGroupBy", Of: []string{in}, Grouped: p.name("g")})
	return true
}

func (p *planner) cogroup() bool {
	one, two := p.any(aGroup), p.any(aGroup)
	if one == "" || one == two {
		return false
	}
	p.add(aCogroup, planStep{Op: "cogroup", Of: []string{one, two}})
	return true
}

func (p *planner) aggregate() bool {
	kind := choose(p.r, aGroup, aGroup, aRegroup, aCogroup)
	in := p.any(kind)
	if in == "" {
		return false
	}
	s := planStep{Op: choose(p.r, "count", "reduce", "aggregate"), Of: []string{in}, Name: p.name("n"), Store: p.name("st"), Kept: p.r.IntN(5) == 0}
	if kind == aCogroup {
		s.Op = "aggregate"
	}
	to := map[bool]string{true: longs, false: aTable}[s.Op == "count"]
	if kind != aRegroup && p.r.IntN(3) == 0 {
		s.Windows, s.Kept = choose(p.r, "time", "sliding", "session"), true
		s.SizeMs, s.GraceMs = int64(1+p.r.IntN(15)), choose[int64](p.r, 0, 0, 4, 20)
		s.StepMs = choose(p.r, s.SizeMs, 1+p.r.Int64N(s.SizeMs))
		s.Closes = kind == aGroup && p.r.IntN(3) == 0
		to = map[bool]string{true: winLongs, false: windows}[s.Op == "count"]
	}
	if s.Windows == "" && kind != aCogroup {
		p.versioned(&s)
	}
	p.forms[p.add(to, s)] = s
	return true
}

// ungroup makes streams of tables.
func (p *planner) ungroup() bool {
	kind := choose(p.r, aTable, aTable, longs, windows)
	in := p.any(kind)
	if in == "" {
		return false
	}
	p.toStream(kind, in)
	return true
}

func (p *planner) toStream(kind, in string) string {
	switch kind {
	case windows:
		form := p.forms[in]
		return p.add(aStream, planStep{Op: "unwindow", Of: []string{in}, Name: p.name("n"), Windows: form.Windows, SizeMs: form.SizeMs})
	case longs, winLongs:
		to := map[string]string{longs: aTable, winLongs: windows}[kind]
		form := p.forms[in]
		in = p.add(to, planStep{Op: "numbers", Of: []string{in}, Name: p.name("n")})
		p.forms[in] = form
		return p.toStream(to, in)
	}
	return p.add(aStream, planStep{Op: "toStream", Of: []string{in}, Name: p.name("n")})
}

func (p *planner) join() bool {
	op := choose(p.r, "join", "joinTable", "joinGlobalTable", "tableJoin", "foreignKeyJoin")
	kinds := map[string][2]string{
		"join": {aStream, aStream}, "joinTable": {aStream, aTable}, "joinGlobalTable": {aStream, aGlobal},
		"tableJoin": {aTable, aTable}, "foreignKeyJoin": {aTable, aTable},
	}[op]
	one, two := p.any(kinds[0]), p.any(kinds[1])
	if one == "" || two == "" {
		return false
	}
	s := planStep{Op: op, Of: []string{one, two}, Name: p.name("n"), Join: choose(p.r, "inner", "left")}
	switch op {
	case "join":
		s.Join, s.SizeMs, s.GraceMs = choose(p.r, "inner", "left", "outer"), int64(p.r.IntN(10)), choose[int64](p.r, 0, 0, 5)
		s.Store = p.name("st")
	case "joinTable":
		if s.Graceful = p.history && p.r.IntN(3) == 0; s.Graceful {
			s.GraceMs, s.Join = p.r.Int64N(25), "inner" // Kafka Streams 4.3.1 fails at a left one without key
		}
	case "tableJoin":
		s.Join, s.Store, s.Kept = choose(p.r, "inner", "left", "outer"), p.name("st"), p.r.IntN(4) == 0
	case "foreignKeyJoin":
		s.Store = p.name("st")
	}
	p.add(kinds[0], s)
	return true
}

// finish writes what nothing was made of.
func (p *planner) finish() {
	for _, kind := range []string{aGroup, aRegroup, aCogroup} {
		for _, id := range slices.Clone(p.kinds[kind]) {
			if !p.used[id] {
				p.add(aTable, planStep{Op: "aggregate", Of: []string{id}})
			}
		}
	}
	for _, kind := range []string{longs, winLongs, aTable, windows} {
		for _, id := range slices.Clone(p.kinds[kind]) {
			if !p.used[id] {
				p.toStream(kind, id)
			}
		}
	}
	for _, id := range p.kinds[aStream] {
		if !p.used[id] {
			p.steps = append(p.steps, planStep{Op: "to", Of: []string{id}, Name: p.name("n")})
		}
	}
}

package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// Join is the rows whose keys both tables have. fn is asked for the value that two of them become.
func (t *KTable) Join(other *KTable, fn Fn, o ...Materialized) *KTable {
	return t.join(other, fn, innerJoin, o)
}

// LeftJoin is Join where rows of this table that find no other come out with a null right value.
func (t *KTable) LeftJoin(other *KTable, fn Fn, o ...Materialized) *KTable {
	return t.join(other, fn, leftJoin, o)
}

// OuterJoin is Join where rows of both tables come out without a partner too.
func (t *KTable) OuterJoin(other *KTable, fn Fn, o ...Materialized) *KTable {
	return t.join(other, fn, outerJoin, o)
}

func (t *KTable) join(other *KTable, fn Fn, join string, o []Materialized) *KTable {
	m := first(o)
	if err := checkName(m.Name); err != nil {
		t.b.fail(err)
	}
	j := &joinedTable{this: t, other: other, join: join}
	store := m.Name
	if store == "" && materialized(o) {
		store = t.b.storeName(tableMergeName)
	}
	j.merge = t.b.nodeName(m.StoreNamed, tableMergeName)
	t.b.copartition(t.sources, other.sources)
	if join != innerJoin {
		t.sendOld(true)
	}
	if join == outerJoin {
		other.sendOld(true)
	}
	c, out := t.b.place(expr.Joiner, withOutValue(fn, m.Value), expr.Types{Key: t.key, Value: t.value, Second: other.value})
	j.joiner = c
	j.joinThis = t.b.suffixedName(m.StoreNamed, "-join-this", tableJoinThisName)
	j.joinOther = t.b.suffixedName(m.StoreNamed, "-join-other", tableJoinOtherName)
	j.views = [2]View{t.of.view(), other.of.view()}
	key, value := cmp.Or(m.Key, t.key), cmp.Or(m.Value, out.Value)
	if store != "" {
		spec := t.b.spec(m, store, key, value)
		j.store, j.result.Store = &spec, store
	}
	n := &graphNode{name: j.merge, lower: j.lower, outputVersioned: versionedness(m), versionedFrom: j.versionedFrom}
	t.b.addGraphNode(n, t.node, other.node)
	return &KTable{b: t.b, node: n, key: key, value: value, store: store, sources: union(t.sources, other.sources), of: j}
}

// joinedTable is a join of two tables.
type joinedTable struct {
	this, other                *KTable
	join                       string
	joiner                     Call
	joinThis, joinOther, merge string
	views                      [2]View // of this and other
	result                     TableResult
	store                      *topology.StoreSpec // nil: not kept
	versioned                  [2]bool             // this and other
}

// sendOld needs the old values of both sides.
func (j *joinedTable) sendOld(bool) bool {
	j.this.sendOld(true)
	j.other.sendOld(true)
	j.result.SendOld = true
	return true
}

func (j *joinedTable) view() View {
	if j.store != nil {
		return View{Store: j.store.Name}
	}
	return View{Operator: j.join, Call: &j.joiner, Of: j.views[:]}
}

func (j *joinedTable) versionedFrom(parent *graphNode) {
	j.versioned[0] = j.versioned[0] || parent == j.this.node
	j.versioned[1] = j.versioned[1] || parent == j.other.node
}

// lower adds a node for each side, connected to the stores of the other, and the one that brings them together.
func (j *joinedTable) lower(t *topology.Topology, _ []string) error {
	seenFromRight := map[string]string{innerJoin: innerJoin, leftJoin: rightJoin, outerJoin: outerJoin}[j.join]
	this := TableJoin{Joiner: j.joiner, Join: j.join, Other: j.views[1], Versioned: j.versioned[0], SendOld: j.result.SendOld}
	other := TableJoin{
		Joiner: j.joiner, Join: seenFromRight, Right: true, Other: j.views[0], Versioned: j.versioned[1], SendOld: j.result.SendOld,
	}
	if err := t.AddProcessor(j.joinThis, this, j.this.node.name); err != nil {
		return err
	}
	if err := t.AddProcessor(j.joinOther, other, j.other.node.name); err != nil {
		return err
	}
	if err := addWithStores(t, j.merge, TableMerge{j.result}, storesOf(j.store), j.joinThis, j.joinOther); err != nil {
		return err
	}
	if err := t.ConnectProcessorAndStateStores(j.joinThis, j.views[1].stores()...); err != nil {
		return err
	}
	return t.ConnectProcessorAndStateStores(j.joinOther, j.views[0].stores()...)
}

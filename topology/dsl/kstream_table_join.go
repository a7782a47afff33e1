package dsl

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// Joined says how a stream is joined with a table. Name gives the node and the repartition topic their names; nil serdes
// are those of the stream.
type Joined struct {
	Name       string
	Key, Value topology.Serde
	// Grace, if not nil, has records wait that long for rows that come late (KIP-923). The table must be versioned.
	Grace *time.Duration
}

// Prefixes of the names that joins with tables generate.
const (
	streamJoinName     = "KSTREAM-JOIN-"
	streamLeftJoinName = "KSTREAM-LEFTJOIN-"
)

// JoinTable joins each record with the row of the table that has its key. fn is asked for the value that the two become.
func (s *KStream) JoinTable(t *KTable, fn Fn, o ...Joined) *KStream {
	return s.joinTable(t, fn, first(o), false)
}

// LeftJoinTable is JoinTable where a record that finds no row comes out with a null right value.
func (s *KStream) LeftJoinTable(t *KTable, fn Fn, o ...Joined) *KStream {
	return s.joinTable(t, fn, first(o), true)
}

func (s *KStream) joinTable(t *KTable, fn Fn, o Joined, left bool) *KStream {
	if err := checkName(o.Name); err != nil {
		s.b.fail(err)
	}
	if s.rekeyed {
		s = s.repartitionForJoin(suffixed(o.Name, "", s.Name()), o.Key, o.Value)
	}
	s.b.copartition(s.sources, t.sources)
	prefix := streamJoinName
	if left {
		prefix = streamLeftJoinName
	}
	name := s.b.nodeName(Named(o.Name), prefix)
	key, value := cmp.Or(o.Key, s.key), cmp.Or(o.Value, s.value)
	c, out := s.b.place(expr.Joiner, fn, expr.Types{Key: key, Value: value, Second: t.value})
	join := StreamTableJoin{Joiner: c, Left: left, Table: t.of.view()}
	var buffer *topology.StoreSpec
	if o.Grace != nil {
		buffer = s.b.joinBuffer(t, name, *o.Grace)
		join.Buffer, join.GraceMs = buffer.Name, buffer.Retention
	}
	n := &graphNode{name: name, takesNullKeys: left, lower: func(top *topology.Topology, up []string) error {
		if err := addWithStores(top, name, join, storesOf(buffer), up...); err != nil {
			return err
		}
		return lowerTableJoin(top, name, join, buffer)
	}}
	s.b.addGraphNode(n, s.node)
	return &KStream{b: s.b, node: n, key: key, value: out.Value, sources: union(s.sources, t.sources)}
}

// joinBuffer describes the store in which records wait.
func (b *StreamsBuilder) joinBuffer(t *KTable, join string, grace time.Duration) *topology.StoreSpec {
	if t.node.outputVersioned != nil && !*t.node.outputVersioned {
		b.fail(errNotVersioned(join))
	}
	return &topology.StoreSpec{
		Name: join + "-Buffer", Kind: topology.SuppressBuffer, RetainDuplicates: true, Retention: millis(grace),
	}
}

func errNotVersioned(node string) error {
	return errs.TopologyInvalid.New(node, "KTable must be versioned to use a grace period in a stream table join.",
		"keep the table in a versioned store").InKafka("IllegalArgumentException")
}

// lowerTableJoin connects the join to the stores of its table, which with a grace period must be versioned and keep
// their history at least that long.
func lowerTableJoin(t *topology.Topology, name string, join StreamTableJoin, buffer *topology.StoreSpec) error {
	stores := join.Table.stores()
	if err := t.ConnectProcessorAndStateStores(name, stores...); err != nil || buffer == nil {
		return err
	}
	for _, store := range stores {
		spec := t.StoreSpec(store)
		switch {
		case spec.Kind != topology.VersionedKeyValue:
			return errNotVersioned(name)
		case join.GraceMs > spec.HistoryRetention:
			return errs.TopologyInvalid.New(name, "History retention must be at least grace period.", fmt.Sprintf(
				"keep %d ms of history in store %s, which keeps %d ms", join.GraceMs, store, spec.HistoryRetention)).InKafka("IllegalArgumentException")
		}
	}
	return nil
}

// JoinGlobalTable joins each record with the row of the global table that has the key which keys, a function of the
// kind selectKey, answers. fn is asked for the value that the two become.
func (s *KStream) JoinGlobalTable(t *GlobalKTable, keys, fn Fn, name ...Named) *KStream {
	return s.joinGlobalTable(t, keys, fn, first(name), false)
}

// LeftJoinGlobalTable is JoinGlobalTable where a record that finds no row comes out with a null right value.
func (s *KStream) LeftJoinGlobalTable(t *GlobalKTable, keys, fn Fn, name ...Named) *KStream {
	return s.joinGlobalTable(t, keys, fn, first(name), true)
}

func (s *KStream) joinGlobalTable(t *GlobalKTable, keys, fn Fn, given Named, left bool) *KStream {
	name := s.b.nodeName(given, streamLeftJoinName) // of inner joins too, as in Kafka
	if keys.OutKey == "" {
		keys.OutKey = serdeName(t.key)
	}
	mapper, _ := s.b.place(expr.SelectKey, keys, expr.Types{Key: s.key, Value: s.value})
	c, out := s.b.place(expr.Joiner, fn, expr.Types{Key: s.key, Value: s.value, Second: t.value, MappedKey: t.key})
	join := StreamTableJoin{Joiner: c, Left: left, Table: View{Store: t.store}, KeyMapper: &mapper}
	n := s.b.addProcessor(name, join, s.node)
	n.takesNullKeys = left
	r := s.then(n)
	r.value = out.Value
	return r
}

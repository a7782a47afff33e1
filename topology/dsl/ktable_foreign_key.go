package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// TableJoined says how tables are joined by a foreign key: Name gives the nodes, the topics and the store their names.
// Partitioner and OtherPartitioner, functions of the kind partitioner that see keys alone, choose the partitions of this
// table's keys and of the other's, where those are not partitioned by their keys' hashes.
type TableJoined struct {
	Name                          string
	Partitioner, OtherPartitioner Fn
}

// Prefixes of the names that foreign-key joins generate.
const (
	fkRegistration = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-"
	fkProcessor    = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-"
	fkStateStore   = "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-"
	fkResponse     = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"
	fkResolver     = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-"
	fkOutput       = "KTABLE-FK-JOIN-OUTPUT-"
	fkTopicSuffix  = "-topic"
)

// JoinForeignKey joins each row with the row of the other table whose key foreignKey, a function of the kind selectKey,
// answers. joiner is asked for the value that the two become. The tables need not be co-partitioned.
func (t *KTable) JoinForeignKey(other *KTable, foreignKey, joiner Fn, tj TableJoined, o ...Materialized) *KTable {
	return t.joinForeignKey(other, foreignKey, joiner, tj, first(o), false)
}

// LeftJoinForeignKey is JoinForeignKey where rows that find no other come out with a null right value.
func (t *KTable) LeftJoinForeignKey(other *KTable, foreignKey, joiner Fn, tj TableJoined, o ...Materialized) *KTable {
	return t.joinForeignKey(other, foreignKey, joiner, tj, first(o), true)
}

func (t *KTable) joinForeignKey(other *KTable, foreignKey, joiner Fn, tj TableJoined, m Materialized, left bool) *KTable {
	for _, name := range []string{tj.Name, m.Name} {
		if err := checkName(name); err != nil {
			t.b.fail(err)
		}
	}
	other.sendOld(true)
	t.sendOld(true)
	j := &foreignKeyJoin{b: t.b, this: t, other: other, left: left, m: m}
	j.toOther, j.toThis = t.b.keyPartitioner(tj.OtherPartitioner, other.key), t.b.keyPartitioner(tj.Partitioner, t.key)
	j.name(Named(tj.Name))
	if foreignKey.OutKey == "" {
		foreignKey.OutKey = serdeName(cmp.Or(other.key, t.b.defaults.Key))
	}
	j.foreignKey, _ = t.b.place(expr.SelectKey, foreignKey, t.types())
	var out expr.Types
	j.joiner, out = t.b.place(expr.Joiner, withOutValue(joiner, m.Value), expr.Types{Key: t.key, Value: t.value, Second: other.value})
	return j.build(cmp.Or(m.Value, out.Value))
}

// foreignKeyJoin makes the graph of a foreign-key join.
type foreignKeyJoin struct {
	b                  *StreamsBuilder
	this, other        *KTable
	left               bool
	m                  Materialized
	foreignKey, joiner Call

	registrationTopic, subscribe, registrationSink, registrationSource string
	store, receive, answer, notify                                     string
	responseTopic, responseSink, responseSource, resolve               string
	result, resultStore                                                string
	// toOther and toThis choose the partitions of subscriptions and of responses; nil for the usual ones.
	toOther, toThis topology.FunctionSupplier
}

// name gives everything its name, in Kafka's order.
func (j *foreignKeyJoin) name(given Named) {
	name := func(suffix, prefix string) string { return j.b.suffixedName(given, suffix, prefix) }
	j.registrationTopic = j.b.notANode(name("-subscription-registration", fkRegistration)) + fkTopicSuffix
	j.subscribe = name("-subscription-registration-processor", fkRegistration)
	j.registrationSink = name("-subscription-registration-sink", tableSinkName)
	j.registrationSource = name("-subscription-registration-source", tableSourceName)
	j.store = j.b.notANode(name("-subscription-store", fkStateStore))
	j.receive = name("-subscription-receive", fkProcessor)
	j.answer = name("-subscription-join-foreign", fkProcessor)
	j.notify = name("-foreign-join-subscription", fkProcessor)
	j.responseTopic = j.b.notANode(name("-subscription-response", fkResponse)) + fkTopicSuffix
	j.responseSink = name("-subscription-response-sink", tableSinkName)
	j.responseSource = name("-subscription-response-source", tableSourceName)
	j.resolve = name("-subscription-response-resolver", fkResolver)
	j.result = name("-result", fkOutput)
	if j.resultStore = j.m.Name; j.resultStore == "" {
		j.resultStore = j.b.storeName(fkOutput)
	}
}

// notANode takes the name that was generated last out of those of nodes.
func (b *StreamsBuilder) notANode(name string) string {
	b.names = b.names[:len(b.names)-1]
	return name
}

func (j *foreignKeyJoin) build(value topology.Serde) *KTable {
	right, left := j.other.of.view(), j.this.of.view()
	store := &topology.StoreSpec{Name: j.store, Kind: topology.TimestampedKeyValue, ValueSerde: topology.Bytes, InMemory: j.b.defaults.InMemory}
	subscribe := ForeignKeySubscribe{Call: j.foreignKey, Left: j.left}
	notify := ForeignKeyNotify{Store: j.store}

	send := j.processor(j.subscribe, func() topology.ProcessorSupplier { return subscribe }, nil, nil, j.this.node)
	send.versionedFrom = func(*graphNode) { subscribe.Versioned = true }
	sink := j.sink(j.registrationSink, j.registrationTopic, j.other.key, j.toOther, send)
	source := j.source(j.registrationSource, j.registrationTopic, j.other.key, sink)
	j.b.copartition(j.other.sources, []string{j.registrationSource})
	receive := j.processor(j.receive, supplied(ForeignKeyReceive{Store: j.store}), store, nil, source)
	answer := j.processor(j.answer, supplied(ForeignKeyAnswer{Right: right}), nil, right.stores(), receive)
	scan := j.processor(j.notify, func() topology.ProcessorSupplier { return notify }, store, nil, j.other.node)
	scan.versionedFrom = func(*graphNode) { notify.Versioned = true }
	back := j.sink(j.responseSink, j.responseTopic, j.this.key, j.toThis, answer, scan)
	responses := j.source(j.responseSource, j.responseTopic, j.this.key, back)
	j.b.copartition(j.this.sources, []string{j.responseSource})
	resolve := j.processor(j.resolve, supplied(ForeignKeyResolve{Joiner: j.joiner, Left: j.left, Table: left}), nil, left.stores(), responses)
	return j.table(value, resolve)
}

func supplied(s topology.ProcessorSupplier) func() topology.ProcessorSupplier {
	return func() topology.ProcessorSupplier { return s }
}

// processor adds a node with a store of the join, connected to stores of a table.
func (j *foreignKeyJoin) processor(
	name string, s func() topology.ProcessorSupplier, store *topology.StoreSpec, tables []string, parents ...*graphNode,
) *graphNode {
	n := &graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		if err := addWithStores(t, name, s(), storesOf(store), up...); err != nil || len(tables) == 0 {
			return err
		}
		return t.ConnectProcessorAndStateStores(name, tables...)
	}}
	j.b.addGraphNode(n, parents...)
	return n
}

func (j *foreignKeyJoin) sink(name, topic string, key topology.Serde, p topology.FunctionSupplier, parents ...*graphNode) *graphNode {
	n := &graphNode{name: name, lower: func(t *topology.Topology, up []string) error {
		if err := t.AddInternalTopic(topic, 0); err != nil {
			return err
		}
		return t.AddSink(name, topic, topology.SinkOptions{KeySerde: key, ValueSerde: topology.Bytes, Partitioner: p}, up...)
	}}
	j.b.addGraphNode(n, parents...)
	return n
}

func (j *foreignKeyJoin) source(name, topic string, key topology.Serde, sink *graphNode) *graphNode {
	n := &graphNode{name: name, lower: func(t *topology.Topology, _ []string) error {
		return t.AddSource(name, topology.SourceOptions{KeySerde: key, ValueSerde: topology.Bytes}, topic)
	}}
	j.b.addGraphNode(n, sink)
	return n
}

// table adds the node that makes a table of the results.
func (j *foreignKeyJoin) table(value topology.Serde, resolve *graphNode) *KTable {
	key := cmp.Or(j.m.Key, j.this.key)
	spec := j.b.spec(j.m, j.resultStore, key, value)
	of := &sourceTable{store: &spec, kept: j.m.Name != ""}
	n := &graphNode{name: j.result, outputVersioned: versionedness(j.m), lower: func(t *topology.Topology, up []string) error {
		return of.lower(t, j.result, up...)
	}}
	j.b.addGraphNode(n, resolve)
	return &KTable{
		b: j.b, node: n, key: key, value: value, store: j.m.Name, of: of,
		sources: union(j.this.sources, []string{j.responseSource}),
	}
}

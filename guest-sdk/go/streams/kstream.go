package streams

import "strconv"

// KStream is a stream of records on its way through the topology. Each method adds an operator and returns the stream
// behind it; a stream may be used by several operators, which see its records in the order in which they were added.
type KStream struct {
	b  *StreamsBuilder
	id string
	// beside are the ids of the streams that And has put to this one.
	beside []string
}

// And is this stream and others for one operator that is the child of all of them, as a Topology's addProcessor and
// addSink take several parents: there is no node between, unlike with Merge. Process, ProcessValues, To and ToExtracted
// take it so.
func (s *KStream) And(others ...*KStream) *KStream {
	all := &KStream{b: s.b, id: s.id, beside: append([]string(nil), s.beside...)}
	for _, other := range others {
		all.beside = append(all.beside, other.all()...)
	}
	return all
}

// all are the ids of what the stream comes from.
func (s *KStream) all() []string { return append([]string{s.id}, s.beside...) }

// next is an operator that reads the stream, and others after it.
func (s *KStream) next(op, name string, others ...string) *entry {
	return s.b.add(op, name, append(s.all(), others...)...)
}

// Filter keeps the records for which fn says yes.
func (s *KStream) Filter(fn Function, name ...Named) *KStream { return s.call("filter", fn, name) }

// FilterNot drops the records for which fn says yes.
func (s *KStream) FilterNot(fn Function, name ...Named) *KStream {
	return s.call("filterNot", fn, name)
}

// MapValues replaces each value by the one that fn answers.
func (s *KStream) MapValues(fn Function, name ...Named) *KStream {
	return s.call("mapValues", fn, name)
}

// FlatMapValues replaces each value by any number of values.
func (s *KStream) FlatMapValues(fn Function, name ...Named) *KStream {
	return s.call("flatMapValues", fn, name)
}

// Map replaces key and value. Grouping afterwards repartitions.
func (s *KStream) Map(fn Function, name ...Named) *KStream { return s.call("map", fn, name) }

// FlatMap replaces each record by any number of records. Grouping afterwards repartitions.
func (s *KStream) FlatMap(fn Function, name ...Named) *KStream { return s.call("flatMap", fn, name) }

// SelectKey gives each record the key that fn answers. Grouping afterwards repartitions.
func (s *KStream) SelectKey(fn Function, name ...Named) *KStream {
	return s.call("selectKey", fn, name)
}

// Peek shows each record to fn and passes it on.
func (s *KStream) Peek(fn Function, name ...Named) *KStream { return s.call("peek", fn, name) }

// Foreach shows each record to fn; nothing comes after it.
func (s *KStream) Foreach(fn Function, name ...Named) { s.call("foreach", fn, name) }

// Print prints each record for people; nothing comes after it.
func (s *KStream) Print(o ...Printed) {
	p := first(o)
	e := s.next("print", p.Name)
	e.body.given("label", p.Label)
	e.body.function("mapper", p.Mapper)
}

func (s *KStream) call(op string, fn Function, name []Named) *KStream {
	e := s.next(op, string(first(name)))
	e.body.call(fn)
	e.body.outs(fn)
	return &KStream{b: s.b, id: e.id}
}

// Merge is the records of both streams, in no order between them.
func (s *KStream) Merge(other *KStream, name ...Named) *KStream {
	return &KStream{b: s.b, id: s.next("merge", string(first(name)), other.id).id}
}

// BranchedKStream is a stream that is being divided.
type BranchedKStream struct {
	b *StreamsBuilder
	e *entry
}

// Split divides the stream: each record goes to the first branch whose function says yes.
func (s *KStream) Split(name ...Named) *BranchedKStream {
	return &BranchedKStream{s.b, s.next("split", string(first(name)))}
}

// Branch is the stream of the records for which fn says yes and no branch before it did.
func (k *BranchedKStream) Branch(fn Function, o ...Branched) *KStream {
	var body object
	id := k.e.id + "." + strconv.Itoa(len(k.e.branches)+1)
	body.text("id", id)
	body.given("name", first(o).Name)
	body.call(fn)
	k.e.branches = append(k.e.branches, body.bytes())
	return &KStream{b: k.b, id: id}
}

// DefaultBranch is the stream of the records that no branch wants; without it they are dropped.
func (k *BranchedKStream) DefaultBranch(o ...Branched) *KStream {
	var body object
	id := k.e.id + ".default"
	body.text("id", id)
	body.given("name", first(o).Name)
	k.e.rest = body.bytes()
	return &KStream{b: k.b, id: id}
}

// GroupBy gives each record the key that fn answers and groups by it. An aggregation afterwards repartitions.
func (s *KStream) GroupBy(fn Function, o ...Grouped) *KGroupedStream {
	e := s.next("groupBy", first(o).Name)
	e.body.grouped(fn, first(o))
	return &KGroupedStream{s.b, e.id}
}

func (o *object) grouped(fn Function, g Grouped) {
	o.call(fn)
	if g.Key == "" {
		g.Key = fn.OutKey()
	}
	if g.Value == "" {
		g.Value = fn.OutValue()
	}
	o.serdes(g.Key, g.Value)
}

// GroupByKey groups by the key as it is. An aggregation afterwards repartitions only if the key was changed before.
func (s *KStream) GroupByKey(o ...Grouped) *KGroupedStream {
	g := first(o)
	e := s.next("groupByKey", g.Name)
	e.body.serdes(g.Key, g.Value)
	return &KGroupedStream{s.b, e.id}
}

// Repartition writes the stream to a topic of its own, by key, and reads it from there.
func (s *KStream) Repartition(o ...Repartitioned) *KStream {
	r := first(o)
	e := s.next("repartition", r.Name)
	if r.Partitions > 0 {
		e.body.number("partitions", int64(r.Partitions))
	}
	e.body.serdes(r.Key, r.Value)
	e.body.function("partitioner", r.Partitioner)
	return &KStream{b: s.b, id: e.id}
}

// ToTable makes a table of the stream: a null value deletes.
func (s *KStream) ToTable(o ...Materialized) *KTable {
	e := s.next("toTable", string(first(o).StoreNamed))
	e.body.materialized(o)
	return &KTable{s.b, e.id}
}

// Join joins records of both streams that are close in time; fn sees left and right.
func (s *KStream) Join(other *KStream, fn Function, w JoinWindows, o ...StreamJoined) *KStream {
	return s.join("join", other, fn, w, first(o))
}

// LeftJoin is Join where a record of this stream that is left alone comes out with a null right value.
func (s *KStream) LeftJoin(other *KStream, fn Function, w JoinWindows, o ...StreamJoined) *KStream {
	return s.join("leftJoin", other, fn, w, first(o))
}

// OuterJoin is Join where records of both streams come out alone with the other value null.
func (s *KStream) OuterJoin(other *KStream, fn Function, w JoinWindows, o ...StreamJoined) *KStream {
	return s.join("outerJoin", other, fn, w, first(o))
}

func (s *KStream) join(op string, other *KStream, fn Function, w JoinWindows, o StreamJoined) *KStream {
	e := s.next(op, o.Name, other.id)
	e.body.call(fn)
	e.body.serde("result", fn.OutValue())
	e.body.raw("windows", w.json())
	o.write(&e.body)
	return &KStream{b: s.b, id: e.id}
}

// JoinTable joins each record with the row of its key; fn sees left and right.
func (s *KStream) JoinTable(t *KTable, fn Function, o ...Joined) *KStream {
	return s.joinTable("join", t, fn, first(o))
}

// LeftJoinTable is JoinTable where records without a row come out with a null right value.
func (s *KStream) LeftJoinTable(t *KTable, fn Function, o ...Joined) *KStream {
	return s.joinTable("leftJoin", t, fn, first(o))
}

func (s *KStream) joinTable(op string, t *KTable, fn Function, o Joined) *KStream {
	e := s.next(op, o.Name, t.id)
	e.body.call(fn)
	e.body.serde("result", fn.OutValue())
	e.body.serdes(o.Key, o.Value)
	if o.GracePeriod != 0 {
		e.body.duration("gracePeriod", o.GracePeriod)
	}
	return &KStream{b: s.b, id: e.id}
}

// JoinGlobalTable joins each record with the row of the key that keys answers.
func (s *KStream) JoinGlobalTable(t *GlobalKTable, keys, fn Function, name ...Named) *KStream {
	return s.joinGlobal("join", t, keys, fn, first(name))
}

// LeftJoinGlobalTable is JoinGlobalTable where records without a row come out with a null right value.
func (s *KStream) LeftJoinGlobalTable(t *GlobalKTable, keys, fn Function, name ...Named) *KStream {
	return s.joinGlobal("leftJoin", t, keys, fn, first(name))
}

func (s *KStream) joinGlobal(op string, t *GlobalKTable, keys, fn Function, name Named) *KStream {
	e := s.next(op, string(name), t.id)
	e.body.call(fn)
	e.body.serde("result", fn.OutValue())
	e.body.function("keyMapper", keys)
	return &KStream{b: s.b, id: e.id}
}

// Process hands the records to a processor (wasmstream.Process), with the stores that it may use; without any those
// that the processor names. The key counts as changed, but a stateful operator afterwards does not repartition: say
// Repartition.
func (s *KStream) Process(fn Function, name Named, stores ...string) *KStream {
	return s.process("process", fn, name, stores)
}

// ProcessValues is Process for a processor that leaves keys alone (wasmstream.ProcessValues).
func (s *KStream) ProcessValues(fn Function, name Named, stores ...string) *KStream {
	return s.process("processValues", fn, name, stores)
}

func (s *KStream) process(op string, fn Function, name Named, stores []string) *KStream {
	e := s.next(op, string(name))
	e.body.call(fn)
	e.body.stores(fn, stores)
	return &KStream{b: s.b, id: e.id}
}

func (o *object) stores(fn Function, stores []string) {
	if len(stores) == 0 {
		stores = fn.Stores()
	}
	if len(stores) > 0 {
		o.texts("stores", stores)
	}
}

// To writes the stream to a topic that exists.
func (s *KStream) To(topic string, o ...Produced) {
	p := first(o)
	e := s.next("to", p.Name)
	e.body.text("topic", topic)
	p.write(&e.body)
}

// ToExtracted writes each record to the topic that fn answers for it (wasmstream.TopicNameExtractor). The topics must
// exist.
func (s *KStream) ToExtracted(fn Function, o ...Produced) {
	p := first(o)
	e := s.next("to", p.Name)
	e.body.function("topicExtractor", fn)
	p.write(&e.body)
}

package spec

import (
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// endOperators read topics, and are where streams end.
func endOperators() []*operator {
	processFields := []field{
		{name: "guest", form: aText, required: true, doc: "The processor, as MODULE/COMPONENT."},
		confField,
		{name: "stores", form: texts, doc: "The stores that it may use."},
	}
	return []*operator{
		{name: "stream", doc: "Reads topics.", source: true, pure: true, fields: append([]field{
			{name: "topic", form: aText, doc: "The topic to read."},
			{name: "topics", form: texts, doc: "The topics to read as one stream."},
			{name: "pattern", form: aText, doc: "A regular expression; every topic whose whole name matches is read."},
		}, consumedFields...), lower: lowerStream},
		{name: "to", doc: "Writes the stream to a topic that exists.", takes: "a stream", terminal: true, many: true, fields: []field{
			{name: "topic", form: aText, doc: "The topic to write."},
			{name: "topicExtractor", form: aFunction, doc: "A function that gives the topic of each record, in place of topic. The topics must exist."},
			topicKey, topicValue, partitioner,
		}, lower: lowerTo},
		{name: "print", doc: "Prints each record as [label]: key, value; nothing comes after it.", takes: "a stream", terminal: true, fields: []field{
			{name: "label", form: aText, doc: "What stands before each record; the name of the node before if not given."},
			{name: "file", form: aText, doc: "The file to write, from the folder of this document on; standard output if not given."},
			{name: "mapper", form: aFunction, doc: "Gives the text of each record."},
		}, lower: lowerPrint},
		{name: "foreach", doc: "Shows each record to the function; nothing comes after it.", takes: "a stream", terminal: true, fields: []field{guestField, confField}, lower: func(d *document, op *operation, in output) {
			if fn, ok := d.fn(op, op.body); ok {
				in.stream.Foreach(fn, dsl.Named(op.name))
			}
		}},
		{name: "process", doc: "Hands the records to a guest processor with stores and punctuators. The key counts as changed.", takes: "a stream", many: true, fields: processFields, lower: func(d *document, op *operation, in output) {
			lowerProcess(d, op, in, false)
		}},
		{name: "processValues", doc: "As process, for a processor that leaves keys alone.", takes: "a stream", many: true, fields: processFields, lower: func(d *document, op *operation, in output) {
			lowerProcess(d, op, in, true)
		}},
		storeOperator("addGlobalStore", "A store of which every instance has the whole: the processor writes it from all partitions of the topic.", (*dsl.StreamsBuilder).AddGlobalStore),
		storeOperator("addReadOnlyStateStore", "A store of a topic: the processor writes it, others read it, and the topic is what it is restored from.", (*dsl.StreamsBuilder).AddReadOnlyStateStore),
	}
}

// storeOperator is a store that a processor of its own writes from a topic.
func storeOperator(
	name, doc string, call func(*dsl.StreamsBuilder, topology.StoreSpec, string, dsl.Consumed, topology.ProcessorSupplier) *dsl.StreamsBuilder,
) *operator {
	fields := append([]field{
		{name: "topic", form: aText, required: true, doc: "The topic to read."},
		{name: "store", form: aWholeStore, required: true, doc: "The store."},
		{name: "guest", form: aText, required: true, doc: "The processor that writes the store, as MODULE/COMPONENT."},
		confField,
	}, consumedFields...)
	return &operator{name: name, doc: doc, source: true, terminal: true, fields: fields, lower: func(d *document, op *operation, _ output) {
		topic := d.text(op.body.get("topic"), "topic")
		c := d.consumed(op)
		v := op.body.get("store")
		if v == nil || op.body.get("guest") == nil {
			return // which is told already
		}
		store, ok := d.storeSpec(v, "store")
		fn, whole := d.fn(op, op.body)
		if !ok || !whole || topic == "" {
			return
		}
		if d.store(store.Name) != nil {
			d.faultAt(errs.TopologyStoreClash, v, fmt.Sprintf("the store %q is described twice", store.Name), "")
			return
		}
		d.stores = append(d.stores, &storeEntry{spec: store, used: true})
		call(d.builder, store, topic, c, dsl.GuestProcessor(fn.Guest.Module, fn.Guest.Component).WithConfig(fn.Config))
	}}
}

// together is the stream of all that op reads, for an operator that is the child of all of them.
func (d *document) together(op *operation, in output) (*dsl.KStream, bool) {
	s := in.stream
	for _, r := range op.from[min(1, len(op.from)):] {
		if r.op == nil || r.op.failed {
			return nil, false
		}
		other := r.output()
		if other.stream == nil {
			d.faultAt(errs.TopologyInvalid, r.at, fmt.Sprintf("%s takes streams, but %s gives %s", op.op.name, r.op.title(), other.what()), "put toStream before it")
			return nil, false
		}
		s = s.And(other.stream)
	}
	return s, true
}

func lowerTo(d *document, op *operation, in output) {
	p, ok := d.produced(op), false
	if p.Partitioner, ok = d.given(op, "partitioner"); !ok {
		return
	}
	s, ok := d.together(op, in)
	if !ok {
		return
	}
	v := op.body.get("topicExtractor")
	switch {
	case v == nil:
		s.To(d.required(op.body, "topic", "to", op.op.fieldNames()), p)
	case op.body.get("topic") != nil:
		d.faultAt(errs.YAMLInvalid, v, "to has a topic or a topicExtractor, not both", "remove one")
	default:
		if fn, ok := d.aside(op, v, "topicExtractor"); ok {
			s.ToExtracted(fn, p)
		}
	}
}

// produced is how a sink writes, but for who chooses partitions.
func (d *document) produced(op *operation) dsl.Produced {
	p := dsl.Produced{Name: op.name}
	p.Key, p.KeySerializer = d.topicSerde(op.body.get("key"))
	p.Value, p.ValueSerializer = d.topicSerde(op.body.get("value"))
	return p
}

func lowerPrint(d *document, op *operation, in output) {
	p := dsl.Printed{Name: op.name, Label: d.text(op.body.get("label"), "label"), To: d.options.Print}
	if v := op.body.get("file"); v != nil {
		if d.own != "" {
			d.faultAt(errs.ModuleTopology, v, "a module does not say which files are written", "remove it")
			return
		}
		if name := d.text(v, "file"); name != "" {
			p.File, p.To = d.resolve(name), nil
		}
	}
	var ok bool
	if p.Mapper, ok = d.given(op, "mapper"); ok {
		in.stream.Print(p)
	}
}

func lowerProcess(d *document, op *operation, in output, values bool) {
	if op.body.get("guest") == nil {
		return // which is told already
	}
	fn, ok := d.fn(op, op.body)
	stores := d.storeList(op)
	s, whole := d.together(op, in)
	if !ok || !whole {
		return
	}
	supplier := dsl.GuestProcessor(fn.Guest.Module, fn.Guest.Component)
	process := s.Process
	if values {
		supplier = dsl.GuestValuesProcessor(fn.Guest.Module, fn.Guest.Component)
		process = s.ProcessValues
	}
	op.out.stream = process(supplier.WithConfig(fn.Config), dsl.Named(op.name), stores...)
}

// storeList are the stores that an operator may use.
func (d *document) storeList(op *operation) []string {
	stores := d.texts(op.body.get("stores"), "stores")
	for i, name := range stores {
		d.useStore(op.body.get("stores"), i, name)
	}
	return stores
}

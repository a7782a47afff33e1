package wasmstream

import "strconv"

// Kind says which operator a component is a function for, or that it is a processor.
type Kind string

// The kinds of components.
const (
	KindFilter        Kind = "filter"
	KindMap           Kind = "map"
	KindMapValues     Kind = "mapValues"
	KindFlatMap       Kind = "flatMap"
	KindFlatMapValues Kind = "flatMapValues"
	KindSelectKey     Kind = "selectKey"
	KindForeach       Kind = "foreach"
	KindProcess       Kind = "process"
	KindProcessValues Kind = "processValues"

	KindInitializer Kind = "initializer"
	KindAggregator  Kind = "aggregator"
	KindReducer     Kind = "reducer"
	KindMerger      Kind = "merger"
	KindJoiner      Kind = "joiner"

	KindTimestampExtractor Kind = "timestampExtractor"
	KindTopicNameExtractor Kind = "topicNameExtractor"
	KindPartitioner        Kind = "partitioner"
	KindSerializer         Kind = "serializer"
	KindDeserializer       Kind = "deserializer"

	KindTransformation  Kind = "transformation"
	KindPredicate       Kind = "predicate"
	KindConverter       Kind = "converter"
	KindHeaderConverter Kind = "headerConverter"
	KindSource          Kind = "source"
	KindSink            Kind = "sink"
)

// connect tells whether components of this kind are plugins of Connect.
func (k Kind) connect() bool {
	switch k {
	case KindTransformation, KindPredicate, KindConverter, KindHeaderConverter, KindSource, KindSink:
		return true
	}
	return false
}

// hasArguments tells whether components of this kind are functions of more than a record.
func (k Kind) hasArguments() bool {
	return k == KindAggregator || k == KindReducer || k == KindMerger || k == KindJoiner
}

// Part is a part of a record that a component can want.
type Part uint8

// The parts of a record.
const (
	Key Part = 1 << iota
	Value
	RecordHeaders
)

// Option adds to what the manifest says of a component.
type Option func(*component)

// Wants says which parts of a record the component reads; the others are not copied into the guest. Without it a
// component gets all that its function can see.
func Wants(parts ...Part) Option {
	return func(c *component) {
		c.wants = 0
		for _, p := range parts {
			c.wants |= p
		}
	}
}

// Stores names the stores that a processor may open.
func Stores(names ...string) Option {
	return func(c *component) { c.stores = append(c.stores, names...) }
}

// Description says in one line what the component does.
func Description(text string) Option {
	return func(c *component) { c.description = text }
}

// component is one entry of the manifest and how its instances are made.
type component struct {
	name        string
	kind        Kind
	wants       Part
	stores      []string
	buffers     bool
	settings    []Setting
	description string
	// open sets apply, and for processors the rest, of a new context.
	open func(ctx *Context) error
}

// module is what the guest registered.
var module = struct {
	name, version, description string
	components                 []*component
	// topology is the application that the module brings along, nil for none.
	topology func() []byte
}{name: "guest", version: "0.0.0"}

// Module sets the name and the version that the manifest gives to the module.
func Module(name, version string) { module.name, module.version = name, version }

// SetTopology makes the module an application: document gives its topology, as JSON of the form of an application's
// document (abi/SPEC.md, 6), when the manifest is asked for. Package streams of this module calls it; a module has one.
func SetTopology(document func() []byte) {
	if module.topology != nil {
		panic("wasmstream: the module has a topology already")
	}
	module.topology = document
}

// register adds a component and names it to topologies. Without a name it gets one of its kind and of how many there are
// before it. A name that is taken is a mistake of the guest's author and ends the module.
func register(name string, kind Kind, wants Part, open func(*Context) error, opts []Option) Function {
	if name == "" {
		name = string(kind) + "-" + strconv.Itoa(len(module.components)+1)
	}
	if findComponent(name) != nil {
		panic("wasmstream: component " + name + " is registered twice")
	}
	c := &component{name: name, kind: kind, wants: wants, open: open}
	for _, o := range opts {
		o(c)
	}
	module.components = append(module.components, c)
	return Function{component: name, stores: c.stores}
}

func findComponent(name string) *component {
	for _, c := range module.components {
		if c.name == name {
			return c
		}
	}
	return nil
}

const wantAll = Key | Value | RecordHeaders

// FilterFunc is what Filter takes: it tells whether the record stays, and may fail.
type FilterFunc interface {
	func(rec *Record) bool | func(rec *Record) (bool, error)
}

// Filter registers a function that keeps the records for which fn is true.
func Filter[F FilterFunc](name string, fn F, opts ...Option) Function {
	var test func(*Record) (bool, error)
	switch f := any(fn).(type) {
	case func(*Record) bool:
		test = func(rec *Record) (bool, error) { return f(rec), nil }
	case func(*Record) (bool, error):
		test = f
	}
	return register(name, KindFilter, wantAll, func(ctx *Context) error {
		ctx.apply = func(ctx *Context) error {
			ok, err := test(ctx.record())
			if ok && err == nil {
				out.keep(ctx.in.index)
			}
			return err
		}
		return nil
	}, opts)
}

// MapValuesFunc is what MapValues takes: a function of the value, or of key and value, that may fail. The value it
// returns is copied at once; nil is null.
type MapValuesFunc interface {
	func(value []byte) []byte | func(value []byte) ([]byte, error) | func(key, value []byte) ([]byte, error)
}

// MapValues registers a function that replaces the value of each record.
func MapValues[F MapValuesFunc](name string, fn F, opts ...Option) Function {
	var apply func(ctx *Context) error
	wants := Value
	switch f := any(fn).(type) {
	case func([]byte) []byte:
		apply = func(ctx *Context) error { return ctx.answerValue(f(ctx.in.Value), nil) }
	case func([]byte) ([]byte, error):
		apply = func(ctx *Context) error { return ctx.answerValue(f(ctx.in.Value)) }
	case func(key, value []byte) ([]byte, error):
		apply = func(ctx *Context) error { return ctx.answerValue(f(ctx.in.Key, ctx.in.Value)) }
		wants = Key | Value
	}
	return register(name, KindMapValues, wants, func(ctx *Context) error { ctx.apply = apply; return nil }, opts)
}

// answerValue answers the record with another value, by reference if it is the one that came.
func (c *Context) answerValue(value []byte, err error) error {
	switch {
	case err != nil:
		return err
	case same(value, c.in.Value):
		out.keep(c.in.index)
	default:
		out.value(c.in.index, value)
	}
	return nil
}

// FlatMapValuesFunc is what FlatMapValues takes: a function of the value, or of key and value, that may fail. emit
// copies its value at once; nil is null.
type FlatMapValuesFunc interface {
	func(value []byte, emit func(value []byte)) |
		func(value []byte, emit func(value []byte)) error |
		func(key, value []byte, emit func(value []byte)) error
}

// FlatMapValues registers a function that replaces each record by any number of records with the same key.
func FlatMapValues[F FlatMapValuesFunc](name string, fn F, opts ...Option) Function {
	var apply func(ctx *Context, emit func([]byte)) error
	wants := Value
	switch f := any(fn).(type) {
	case func([]byte, func([]byte)):
		apply = func(ctx *Context, emit func([]byte)) error { f(ctx.in.Value, emit); return nil }
	case func([]byte, func([]byte)) error:
		apply = func(ctx *Context, emit func([]byte)) error { return f(ctx.in.Value, emit) }
	case func(key, value []byte, emit func([]byte)) error:
		apply = func(ctx *Context, emit func([]byte)) error { return f(ctx.in.Key, ctx.in.Value, emit) }
		wants = Key | Value
	}
	return register(name, KindFlatMapValues, wants, func(ctx *Context) error {
		emit := func(value []byte) { out.value(ctx.in.index, value) }
		ctx.apply = func(ctx *Context) error { return apply(ctx, emit) }
		return nil
	}, opts)
}

// MapFunc is what Map takes: it sets the fields of rec, which stands for the answer, and may fail.
type MapFunc interface {
	func(rec *Record) | func(rec *Record) error
}

// Map registers a function that changes key and value of each record. Headers and timestamp stay what they are.
func Map[F MapFunc](name string, fn F, opts ...Option) Function {
	change := fallible(fn)
	return register(name, KindMap, wantAll, func(ctx *Context) error {
		ctx.apply = func(ctx *Context) error {
			rec := ctx.record()
			if err := change(rec); err != nil {
				return err
			}
			rec.Headers, rec.Timestamp = ctx.in.Headers, ctx.in.Timestamp
			out.record(rec, &ctx.in, 0)
			return nil
		}
		return nil
	}, opts)
}

// fallible gives both forms of a function of a record the one that can fail.
func fallible[F MapFunc](fn F) func(*Record) error {
	switch f := any(fn).(type) {
	case func(*Record):
		return func(rec *Record) error { f(rec); return nil }
	case func(*Record) error:
		return f
	}
	return nil
}

// FlatMapFunc is what FlatMap takes: it calls emit for each record that comes of rec, and may fail. emit copies key
// and value at once; nil is null. Timestamp and headers are those of rec.
type FlatMapFunc interface {
	func(rec *Record, emit func(key, value []byte)) | func(rec *Record, emit func(key, value []byte)) error
}

// FlatMap registers a function that replaces each record by any number of others.
func FlatMap[F FlatMapFunc](name string, fn F, opts ...Option) Function {
	var apply func(rec *Record, emit func(key, value []byte)) error
	switch f := any(fn).(type) {
	case func(*Record, func(key, value []byte)):
		apply = func(rec *Record, emit func(key, value []byte)) error { f(rec, emit); return nil }
	case func(*Record, func(key, value []byte)) error:
		apply = f
	}
	return register(name, KindFlatMap, wantAll, func(ctx *Context) error {
		emit := func(key, value []byte) { out.pair(ctx.in.index, key, value) }
		ctx.apply = func(ctx *Context) error { return apply(ctx.record(), emit) }
		return nil
	}, opts)
}

// SelectKeyFunc is what SelectKey takes: it returns the new key, which is copied at once (nil is null), and may fail.
type SelectKeyFunc interface {
	func(rec *Record) []byte | func(rec *Record) ([]byte, error)
}

// SelectKey registers a function that gives each record another key.
func SelectKey[F SelectKeyFunc](name string, fn F, opts ...Option) Function {
	var key func(*Record) ([]byte, error)
	switch f := any(fn).(type) {
	case func(*Record) []byte:
		key = func(rec *Record) ([]byte, error) { return f(rec), nil }
	case func(*Record) ([]byte, error):
		key = f
	}
	return register(name, KindSelectKey, wantAll, func(ctx *Context) error {
		ctx.apply = func(ctx *Context) error {
			k, err := key(ctx.record())
			switch {
			case err != nil:
				return err
			case k != nil && same(k, ctx.in.Key):
				out.keep(ctx.in.index)
			default:
				out.key(ctx.in.index, k)
			}
			return nil
		}
		return nil
	}, opts)
}

// Foreach registers a function that is called with each record and answers nothing.
func Foreach[F MapFunc](name string, fn F, opts ...Option) Function {
	visit := fallible(fn)
	return register(name, KindForeach, wantAll, func(ctx *Context) error {
		ctx.apply = func(ctx *Context) error { return visit(ctx.record()) }
		return nil
	}, opts)
}

// Processor is the general form of a component: it has a context, may use stores and schedules, and forwards what and
// where it likes. It may also be a Punctuator and a Flusher. Embed Base for an empty Init and Close.
//
// An error fails the task with its text in Init and Close; in Process it fails the record (Skip, DeadLetter, Retry).
// What a record forwarded and wrote before its error stays, as in Kafka Streams.
type Processor interface {
	// Init is called once, before the first record: open stores and schedule here.
	Init(ctx *Context) error
	// Process is called for each record. rec is borrowed for the call and may be changed.
	Process(ctx *Context, rec *Record) error
	// Close is called once at the end, if the instance still lives.
	Close() error
}

// Punctuator is a Processor that schedules: Punctuate is called when timer is due, at time in milliseconds.
type Punctuator interface {
	Punctuate(ctx *Context, timer Timer, time int64) error
}

// Flusher is a Processor that holds records back in memory: Flush is called before each commit and forwards them.
// The manifest says so (buffers), and a trap between flushes costs the whole transaction.
type Flusher interface {
	Flush(ctx *Context) error
}

// Base is a Processor's Init and Close that do nothing.
type Base struct{}

// Init does nothing.
func (Base) Init(*Context) error { return nil }

// Close does nothing.
func (Base) Close() error { return nil }

// Process registers a processor. newProcessor is called for each instance, and once more to see whether its processors
// are Flushers.
func Process(name string, newProcessor func() Processor, opts ...Option) Function {
	return registerProcessor(name, KindProcess, newProcessor, opts)
}

// ProcessValues registers a processor that does not change keys, so that no repartitioning follows it: whatever it
// forwards while it processes a record has that record's key.
func ProcessValues(name string, newProcessor func() Processor, opts ...Option) Function {
	return registerProcessor(name, KindProcessValues, newProcessor, opts)
}

func registerProcessor(name string, kind Kind, newProcessor func() Processor, opts []Option) Function {
	f := register(name, kind, wantAll, func(ctx *Context) error {
		p := newProcessor()
		ctx.processor = p
		ctx.apply = func(ctx *Context) error { return p.Process(ctx, ctx.record()) }
		return p.Init(ctx)
	}, opts)
	_, findComponent(f.component).buffers = newProcessor().(Flusher)
	return f
}

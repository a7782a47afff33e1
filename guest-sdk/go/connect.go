package wasmstream

// The plugins of Connect. A function that needs settings is given as one that makes it: it gets the Context of the plugin,
// reads its settings with Context.Config, and returns the function, or an error that refuses them.

// Setting is one entry of a plugin's ConfigDef. One without Default and Optional is required.
type Setting struct {
	Name string
	// Type is Kafka's: BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS or PASSWORD; STRING if it is empty. The value of
	// a PASSWORD never reaches the guest: what it reads stands for it in headers of requests.
	Type string
	// Default is the default as text. A default of "" needs HasDefault.
	Default    string
	HasDefault bool
	Optional   bool
	// Importance is HIGH, MEDIUM or LOW; MEDIUM if it is empty.
	Importance string
	Doc        string
	// Values are those allowed; none is all.
	Values []string
}

// Settings defines what a plugin can be told.
func Settings(list ...Setting) Option {
	return func(c *component) { c.settings = append(c.settings, list...) }
}

// Buffers says of a sink that it keeps records until Flush.
func Buffers() Option { return func(c *component) { c.buffers = true } }

// TransformFunc is what Transform takes: it changes the record that it is given, or drops it, and may fail.
type TransformFunc interface {
	func(r *ConnectRecord) error | func(ctx *Context) (func(r *ConnectRecord) error, error)
}

// Transform registers a transformation.
func Transform[F TransformFunc](name string, fn F, opts ...Option) {
	register(name, KindTransformation, wantAll, func(ctx *Context) error {
		var change func(*ConnectRecord) error
		switch f := any(fn).(type) {
		case func(*ConnectRecord) error:
			change = f
		case func(*Context) (func(*ConnectRecord) error, error):
			var err error
			if change, err = f(ctx); err != nil {
				return err
			}
		}
		ctx.current, ctx.each, ctx.answers = &ConnectRecord{ctx: ctx}, change, true
		return nil
	}, opts)
}

// TestFunc is what Test takes: it tells whether the predicate holds, and may fail.
type TestFunc interface {
	func(r *ConnectRecord) (bool, error) | func(ctx *Context) (func(r *ConnectRecord) (bool, error), error)
}

// Predicate registers a predicate.
func Predicate[F TestFunc](name string, fn F, opts ...Option) {
	register(name, KindPredicate, wantAll, func(ctx *Context) error {
		var test func(*ConnectRecord) (bool, error)
		switch f := any(fn).(type) {
		case func(*ConnectRecord) (bool, error):
			test = f
		case func(*Context) (func(*ConnectRecord) (bool, error), error):
			var err error
			if test, err = f(ctx); err != nil {
				return err
			}
		}
		ctx.current = &ConnectRecord{ctx: ctx}
		ctx.each = func(r *ConnectRecord) error {
			ok, err := test(r)
			if ok && err == nil {
				out.keep(r.index)
			}
			return err
		}
		return nil
	}, opts)
}

// Converter turns bytes into data and back. Context.Config("isKey") is "true" where it is for keys.
type Converter interface {
	// ToConnect writes the value that b holds to w, which has been reset without a schema (Reset gives it one). b is nil for
	// null.
	ToConnect(topic string, b []byte, w *Writer) error
	// FromConnect returns the bytes of a value; nil is null. They are copied at once.
	FromConnect(topic string, d Datum) ([]byte, error)
}

// Convert registers a converter.
func Convert(name string, open func(ctx *Context) (Converter, error), opts ...Option) {
	registerConverter(name, KindConverter, open, opts)
}

// ConvertHeader registers a converter of headers: topic is the name of the header then.
func ConvertHeader(name string, open func(ctx *Context) (Converter, error), opts ...Option) {
	registerConverter(name, KindHeaderConverter, open, opts)
}

func registerConverter(name string, kind Kind, open func(ctx *Context) (Converter, error), opts []Option) {
	register(name, kind, Value, func(ctx *Context) error {
		c, err := open(ctx)
		if err != nil {
			return err
		}
		w := new(Writer)
		about := func(ctx *Context) string {
			if kind == KindHeaderConverter {
				return string(ctx.in.Key)
			}
			return ctx.topicOf(ctx.in.dest)
		}
		ctx.apply = func(ctx *Context) error {
			w.Reset(nil)
			if err := c.ToConnect(about(ctx), ctx.in.Value, w); err != nil {
				return err
			}
			out.value(ctx.in.index, w.buf)
			return nil
		}
		if ctx.direction == "fromConnect" {
			ctx.apply = func(ctx *Context) error {
				b, err := c.FromConnect(about(ctx), datumOf(ctx.in.Value))
				if err == nil {
					out.value(ctx.in.index, b)
				}
				return err
			}
		}
		return nil
	}, opts)
}

// SinkTask writes records somewhere. It may also be a BatchEnder and a SinkFlusher.
type SinkTask interface {
	// Put takes one record. An error is that of the record: it goes to the dead letters or ends the task; Retry makes all
	// records of the batch come again.
	Put(ctx *Context, r *ConnectRecord) error
}

// BatchEnder is a SinkTask that hears where a batch ends: an error is that of the whole batch.
type BatchEnder interface {
	EndBatch(ctx *Context) error
}

// SinkFlusher is a SinkTask that hears when offsets are to be committed. One that keeps records until then is registered
// with Buffers.
type SinkFlusher interface {
	FlushSink(ctx *Context) error
}

// Sink registers a sink.
func Sink(name string, open func(ctx *Context) (SinkTask, error), opts ...Option) {
	register(name, KindSink, wantAll, func(ctx *Context) error {
		task, err := open(ctx)
		if err != nil {
			return err
		}
		ctx.current = &ConnectRecord{ctx: ctx}
		ctx.each = func(r *ConnectRecord) error { return task.Put(ctx, r) }
		if b, ok := task.(BatchEnder); ok {
			ctx.batchEnd = b.EndBatch
		}
		if f, ok := task.(SinkFlusher); ok {
			ctx.flushSink = f.FlushSink
		}
		return nil
	}, opts)
}

// SourceTask reads from somewhere.
type SourceTask interface {
	// Poll gives records to batch, about budget at most. Nothing to give is no error: Poll is called again after
	// poll.interval.ms. Retry(err) has it called again by the rules of errors.retry.timeout; any other error ends the task.
	Poll(ctx *Context, batch *Records, budget int) error
}

// Acker is a SourceTask that hears how far its records are safe in Kafka.
type Acker interface {
	Ack(ctx *Context, partition, offset Datum)
}

// Source registers a source.
func Source(name string, open func(ctx *Context) (SourceTask, error), opts ...Option) {
	register(name, KindSource, wantAll, func(ctx *Context) error {
		task, err := open(ctx)
		if err != nil {
			return err
		}
		batch := new(Records)
		ctx.poll = func(ctx *Context, budget int) error { return task.Poll(ctx, batch, budget) }
		ctx.apply = func(ctx *Context) error {
			if a, ok := task.(Acker); ok {
				a.Ack(ctx, datumOf(ctx.in.second), datumOf(ctx.in.third))
			}
			return nil
		}
		return nil
	}, opts)
}

// Records takes the records of a Poll.
type Records struct {
	key, value, header, partition, offset Writer
	hasKey                                bool
	headers                               HeaderBuilder
	topic                                 string
	timestamp                             int64
}

// Begin begins a record for a topic: without key, timestamp, headers, partition and offset, with a value that is null.
func (b *Records) Begin(topic string) {
	b.topic, b.timestamp, b.hasKey = topic, NoTimestamp, false
	b.headers.Reset()
	b.value.Reset(nil)
	b.partition.Reset(nil)
	b.offset.Reset(nil)
}

// Timestamp sets the timestamp.
func (b *Records) Timestamp(ms int64) { b.timestamp = ms }

// Key begins the key.
func (b *Records) Key(s *Schema) *Writer {
	b.hasKey = true
	b.key.Reset(s)
	return &b.key
}

// Value begins the value.
func (b *Records) Value(s *Schema) *Writer {
	b.value.Reset(s)
	return &b.value
}

// Header adds a header.
func (b *Records) Header(name string, s *Schema, write func(w *Writer)) {
	b.header.Reset(s)
	write(&b.header)
	b.headers.Add(name, b.header.buf)
}

// Partition begins the partition of the source: a Map of strings to scalars.
func (b *Records) Partition() *Writer {
	b.partition.Reset(nil)
	return &b.partition
}

// Offset begins the offset in the source: a Map of strings to scalars.
func (b *Records) Offset() *Writer {
	b.offset.Reset(nil)
	return &b.offset
}

// End gives the record to the host.
func (b *Records) End() {
	var key []byte
	if b.hasKey {
		key = b.key.buf
	}
	headers := b.headers.Headers()
	size := callHdrSize + len(key) + len(b.value.buf) + len(headers.block) + len(b.partition.buf) + len(b.offset.buf)
	p := out.room(size)
	dest := out.topic(b.topic)
	head(p, size, lenOf(key), lenOf(b.value.buf), uint32(len(headers.block)), b.timestamp, noIndex, uint32(headers.count), dest)
	store32(p, recSecondLenAt, lenOf(b.partition.buf))
	store32(p, recThirdLenAt, lenOf(b.offset.buf))
	at := callHdrSize
	for _, part := range [][]byte{key, b.value.buf, headers.block, b.partition.buf, b.offset.buf} {
		if len(part) > 0 {
			putPadded(addTo(p, at), part)
			at += len(part)
		}
	}
}

// Offset is the last offset that was committed for a partition of the source, null if there is none. write writes the
// partition as Records.Partition does.
func (c *Context) Offset(write func(w *Writer)) (Datum, error) {
	var w Writer
	w.Reset(nil)
	write(&w)
	for buf := aligned(256); ; buf = aligned(2 * len(buf)) {
		n := hostOffsetGet(w.buf, buf)
		switch {
		case Errno(n) == ErrNotFound:
			return Datum{}, nil
		case n < 0:
			return Datum{}, Errno(n)
		case int(n) <= len(buf):
			return datumOf(buf[:n]), nil
		}
	}
}

// Connector is the name of the connector that the plugin works for.
func (c *Context) Connector() string { return c.application }

// topicOf is the topic with a number in the current frame.
func (c *Context) topicOf(number uint32) string {
	if number == 0 || int(number) > len(c.topics) {
		return ""
	}
	return c.topics[number-1]
}

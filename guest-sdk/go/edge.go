package wasmstream

// The functions of sources and sinks.

// SerializerFunc is what Serializer and Deserializer take: it returns the other form of data, which is never nil, and
// may fail.
type SerializerFunc interface {
	func(data []byte) []byte | func(data []byte) ([]byte, error)
}

// Serializer registers a function that gives keys or values the form of a topic.
func Serializer[F SerializerFunc](name string, fn F, opts ...Option) Function {
	return registerForm(name, KindSerializer, fn, opts)
}

// Deserializer registers a function that takes keys or values out of the form of a topic. What it refuses goes the way
// of records that cannot be deserialised.
func Deserializer[F SerializerFunc](name string, fn F, opts ...Option) Function {
	return registerForm(name, KindDeserializer, fn, opts)
}

func registerForm[F SerializerFunc](name string, kind Kind, fn F, opts []Option) Function {
	var convert func([]byte) ([]byte, error)
	switch f := any(fn).(type) {
	case func([]byte) []byte:
		convert = func(data []byte) ([]byte, error) { return f(data), nil }
	case func([]byte) ([]byte, error):
		convert = f
	}
	return registerValue(name, kind, Value, func(c *Context) ([]byte, error) {
		if c.in.Value == nil {
			return nil, nil
		}
		return convert(c.in.Value)
	}, opts)
}

// TopicNameFunc is what TopicNameExtractor takes: it returns the name of a topic, and may fail.
type TopicNameFunc interface {
	func(rec *Record) []byte | func(rec *Record) ([]byte, error)
}

// TopicNameExtractor registers a function that says which topic a record is written to.
func TopicNameExtractor[F TopicNameFunc](name string, fn F, opts ...Option) Function {
	var topic func(*Record) ([]byte, error)
	switch f := any(fn).(type) {
	case func(*Record) []byte:
		topic = func(rec *Record) ([]byte, error) { return f(rec), nil }
	case func(*Record) ([]byte, error):
		topic = f
	}
	return registerValue(name, KindTopicNameExtractor, wantAll, func(c *Context) ([]byte, error) { return topic(c.record()) }, opts)
}

// TimestampFunc is what TimestampExtractor takes: it returns the timestamp of rec in milliseconds, and may fail.
// partitionTime is the largest timestamp of the partition so far, -1 before the first. A timestamp below 0 drops the
// record.
type TimestampFunc interface {
	func(rec *Record, partitionTime int64) int64 | func(rec *Record, partitionTime int64) (int64, error)
}

// TimestampExtractor registers a function that says when a record happened.
func TimestampExtractor[F TimestampFunc](name string, fn F, opts ...Option) Function {
	var extract func(*Record, int64) (int64, error)
	switch f := any(fn).(type) {
	case func(*Record, int64) int64:
		extract = func(rec *Record, partitionTime int64) (int64, error) { return f(rec, partitionTime), nil }
	case func(*Record, int64) (int64, error):
		extract = f
	}
	return register(name, KindTimestampExtractor, wantAll, func(ctx *Context) error {
		ctx.apply = func(ctx *Context) error {
			if ctx.in.index == 0 {
				ctx.partitionTime = frameTime(ctx.frame)
			}
			timestamp, err := extract(ctx.record(), ctx.partitionTime)
			if err != nil {
				return err
			}
			ctx.partitionTime = max(ctx.partitionTime, timestamp)
			out.timestamp(ctx.in.index, timestamp)
			return nil
		}
		return nil
	}, opts)
}

// PartitionFunc is what Partitioner takes: the partition of topic, from 0 to partitions-1, that rec is written to, or
// -1 for the one that Kafka takes by default. It may fail.
type PartitionFunc interface {
	func(topic []byte, rec *Record, partitions int) int | func(topic []byte, rec *Record, partitions int) (int, error)
}

// Partitioner registers a function that says which partition a record is written to.
func Partitioner[F PartitionFunc](name string, fn F, opts ...Option) Function {
	var choose func([]byte, *Record, int) (int, error)
	switch f := any(fn).(type) {
	case func([]byte, *Record, int) int:
		choose = func(topic []byte, rec *Record, partitions int) (int, error) { return f(topic, rec, partitions), nil }
	case func([]byte, *Record, int) (int, error):
		choose = f
	}
	return register(name, KindPartitioner, wantAll, func(ctx *Context) error {
		ctx.apply = func(ctx *Context) error {
			p, err := choose(ctx.Topic(), ctx.record(), int(ctx.in.dest))
			if err == nil {
				out.partition(ctx.in.index, int32(p))
			}
			return err
		}
		return nil
	}, opts)
}

// MulticastPartitioner registers a function that sends a record to any number of partitions: it calls send for each,
// and never to drop the record.
func MulticastPartitioner(name string, fn func(topic []byte, rec *Record, partitions int, send func(partition int)) error, opts ...Option) Function {
	return register(name, KindPartitioner, wantAll, func(ctx *Context) error {
		send := func(p int) { out.partition(ctx.in.index, int32(p)) }
		ctx.apply = func(ctx *Context) error { return fn(ctx.Topic(), ctx.record(), int(ctx.in.dest), send) }
		return nil
	}, opts)
}

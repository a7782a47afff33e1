package wasmstream

// The functions of aggregations and joins. All bytes that they are given are borrowed for the call; what they return
// is copied at once. They may return one of their arguments.

// InitializerFunc is what Initializer takes: it returns the first aggregate, and may fail.
type InitializerFunc interface {
	func() []byte | func() ([]byte, error)
}

// Initializer registers the function that begins an aggregate.
func Initializer[F InitializerFunc](name string, fn F, opts ...Option) Function {
	var first func() ([]byte, error)
	switch f := any(fn).(type) {
	case func() []byte:
		first = func() ([]byte, error) { return f(), nil }
	case func() ([]byte, error):
		first = f
	}
	return registerValue(name, KindInitializer, 0, func(*Context) ([]byte, error) { return first() }, opts)
}

// AggregatorFunc is what Aggregator takes: it returns the aggregate with value added, and may fail. nil deletes the
// aggregate; an aggregate of nil is none.
type AggregatorFunc interface {
	func(key, value, aggregate []byte) []byte | func(key, value, aggregate []byte) ([]byte, error)
}

// Aggregator registers a function that adds a value to an aggregate, or that takes one out of it: the adder and the
// subtractor of a grouped table are Aggregators too.
func Aggregator[F AggregatorFunc](name string, fn F, opts ...Option) Function {
	add := failing3(fn)
	return registerValue(name, KindAggregator, Key|Value, func(c *Context) ([]byte, error) {
		return add(c.in.Key, c.in.Value, c.in.second)
	}, opts)
}

// Merger registers a function that makes the aggregates of two sessions one; one is the earlier. It has the form of an
// Aggregator's: fn(key, one, two).
func Merger[F AggregatorFunc](name string, fn F, opts ...Option) Function {
	merge := failing3(fn)
	return registerValue(name, KindMerger, Key|Value, func(c *Context) ([]byte, error) {
		return merge(c.in.Key, c.in.Value, c.in.second)
	}, opts)
}

// ReducerFunc is what Reducer and Joiner take: a function of two values that may fail.
type ReducerFunc interface {
	func(one, two []byte) []byte | func(one, two []byte) ([]byte, error)
}

// Reducer registers a function that combines the aggregate so far with a new value: fn(aggregate, value).
func Reducer[F ReducerFunc](name string, fn F, opts ...Option) Function {
	reduce := failing2(fn)
	return registerValue(name, KindReducer, Value, func(c *Context) ([]byte, error) { return reduce(c.in.Value, c.in.second) }, opts)
}

// Joiner registers a function that joins two values: fn(left, right). A side without a match is nil.
func Joiner[F ReducerFunc](name string, fn F, opts ...Option) Function {
	join := failing2(fn)
	return registerValue(name, KindJoiner, Value, func(c *Context) ([]byte, error) { return join(c.in.Value, c.in.second) }, opts)
}

// JoinerWithKey registers a Joiner that sees the key: fn(key, left, right). In a join with a global table the key is
// that of the stream's record.
func JoinerWithKey[F AggregatorFunc](name string, fn F, opts ...Option) Function {
	join := failing3(fn)
	return registerValue(name, KindJoiner, Key|Value, func(c *Context) ([]byte, error) {
		return join(c.in.Key, c.in.Value, c.in.second)
	}, opts)
}

// JoinerWithMappedKey registers a Joiner of a stream and a global table that sees the key that it looked up:
// fn(mappedKey, left, right).
func JoinerWithMappedKey[F AggregatorFunc](name string, fn F, opts ...Option) Function {
	join := failing3(fn)
	return registerValue(name, KindJoiner, Value, func(c *Context) ([]byte, error) {
		return join(c.in.third, c.in.Value, c.in.second)
	}, opts)
}

// failing2 gives both forms of a function of two values the one that can fail.
func failing2[F ReducerFunc](fn F) func(one, two []byte) ([]byte, error) {
	switch f := any(fn).(type) {
	case func(one, two []byte) []byte:
		return func(one, two []byte) ([]byte, error) { return f(one, two), nil }
	case func(one, two []byte) ([]byte, error):
		return f
	}
	return nil
}

// failing3 gives both forms of a function of a key and two values the one that can fail.
func failing3[F AggregatorFunc](fn F) func(key, one, two []byte) ([]byte, error) {
	switch f := any(fn).(type) {
	case func(key, one, two []byte) []byte:
		return func(key, one, two []byte) ([]byte, error) { return f(key, one, two), nil }
	case func(key, one, two []byte) ([]byte, error):
		return f
	}
	return nil
}

// registerValue adds a component that answers each record with one value.
func registerValue(name string, kind Kind, wants Part, value func(*Context) ([]byte, error), opts []Option) Function {
	apply := func(ctx *Context) error { return ctx.answerValue(value(ctx)) }
	return register(name, kind, wants, func(ctx *Context) error { ctx.apply = apply; return nil }, opts)
}

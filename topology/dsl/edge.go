package dsl

import (
	"encoding/binary"
	"maps"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// sourceOptions are those of a source that reads as c says, with the serdes of its keys and values.
func (b *StreamsBuilder) sourceOptions(c Consumed, key, value topology.Serde) topology.SourceOptions {
	o := topology.SourceOptions{
		KeySerde: key, ValueSerde: value, OffsetReset: c.OffsetReset, TimestampExtractor: c.TimestampExtractor,
		KeyDeserializer: b.form(expr.Deserializer, c.KeyDeserializer, key, true), ValueDeserializer: b.form(expr.Deserializer, c.ValueDeserializer, value, false),
	}
	if c.Timestamps.isSet() {
		call, _ := b.place(expr.TimestampExtractor, c.Timestamps, expr.Types{Key: key, Value: value})
		o.Timestamps = Timestamps{call}
	}
	return o
}

// form is a serializer or a deserializer of keys or values of a serde, nil for none. A guest learns which of the two it
// is for by its setting isKey.
func (b *StreamsBuilder) form(kind expr.Kind, fn Fn, s topology.Serde, isKey bool) topology.FunctionSupplier {
	if !fn.isSet() {
		return nil
	}
	if fn.Guest != (topology.GuestRef{}) {
		config := maps.Clone(fn.Config)
		if config == nil {
			config = map[string]string{}
		}
		config["isKey"] = map[bool]string{true: "true", false: "false"}[isKey]
		fn = fn.WithConfig(config)
	}
	call, _ := b.place(kind, fn, expr.Types{Key: s, Value: s})
	return call
}

// Timestamps is a user function that says when records happened. It answers each record with the time in Timestamp; an
// expression gives it as a number.
type Timestamps struct{ Call }

// Open makes the function ready for the task of ctx.
func (t Timestamps) Open(ctx topology.Context) (topology.Function, error) {
	f, err := t.open(ctx)
	if err == nil && t.isExpr() {
		f = readingValues{f, readTime}
	}
	return f, err
}

// NativeTimestamps is a timestamp extractor in Go: it is given the record, with the time of the message, and the largest
// time of the partition before it, -1 if there is none. A time below 0 drops the record.
func NativeTimestamps(extract func(r *topology.Record, partitionTime int64) int64) Fn {
	return Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			out = append(out, topology.Record{Index: int32(i), Timestamp: extract(&in[i], in[i].StreamTime)})
		}
		return out, nil
	})
}

// readingValues reads what an expression gives as values into the field that is asked for.
type readingValues struct {
	topology.Function
	read func(answer *topology.Record, value []byte)
}

// Call asks the expression.
func (f readingValues) Call(in, out []topology.Record) ([]topology.Record, error) {
	start := len(out)
	out, err := f.Function.Call(in, out)
	for i := start; i < len(out); i++ {
		f.read(&out[i], out[i].Value)
	}
	return out, err
}

// readTime reads a time; a null is none.
func readTime(answer *topology.Record, value []byte) {
	answer.Timestamp = -1
	if len(value) == 8 {
		answer.Timestamp = int64(binary.BigEndian.Uint64(value))
	}
}

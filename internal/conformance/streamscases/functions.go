package streamscases

import (
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// textOr is the text of a value, "null" for none.
func textOr(b []byte) string {
	if b == nil {
		return "null"
	}
	return string(b)
}

// twoValues is a function of two values.
func twoValues(f func(value, second []byte) string) dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Value = []byte(f(r.Value, r.Extra.Second))
		return nil
	}).Out(nil, topology.String)
}

// always is an initializer.
func always(initial string) dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Value = []byte(initial)
		return nil
	}).Out(nil, topology.String)
}

// appending is the aggregator agg + sep + value.
func appending(sep string) dsl.Fn {
	return twoValues(func(value, aggregate []byte) string { return textOr(aggregate) + sep + textOr(value) })
}

// between is a function of two values that puts sep between them.
func between(sep string) dsl.Fn {
	return twoValues(func(one, two []byte) string { return textOr(one) + sep + textOr(two) })
}

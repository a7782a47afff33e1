package dsl

import (
	"cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// place puts fn where it is asked about records of the serdes in, checks it, and says which serdes its results have as
// far as that can be known now.
func (b *StreamsBuilder) place(kind expr.Kind, fn Fn, in expr.Types) (Call, expr.Types) {
	in.Key, in.Value, in.Second = cmp.Or(in.Key, b.defaults.Key), cmp.Or(in.Value, b.defaults.Value), cmp.Or(in.Second, b.defaults.Value)
	c := Call{
		Fn: fn, Kind: kind,
		KeySerde: serdeName(in.Key), ValueSerde: serdeName(in.Value), SecondSerde: serdeName(in.Second),
	}
	out, err := fn.outTypes()
	switch {
	case err != nil:
		b.fail(err)
	case !fn.isSet():
		b.fail(errs.TopologyInvalid.New(b.next(), string(kind)+" needs a function", "give a guest component or an expression"))
	case fn.isExpr() && in.Key != nil && in.Value != nil && in.Second != nil:
		p, err := fn.compile(kind, in)
		if err != nil {
			b.fail(located(err, b.next()))
			break
		}
		out = p.Out()
	}
	return c, out
}

// aggregation builds the functions of an aggregation of values of key and value into ones of aggregate, nil if that is
// not given: then the functions may tell.
type aggregation struct {
	b                     *StreamsBuilder
	key, value, aggregate topology.Serde
}

func (a *aggregation) reduce(fn Fn) Aggregation {
	c, _ := a.b.place(expr.Reducer, fn, expr.Types{Key: a.key, Value: a.aggregate, Second: a.value})
	return Aggregation{Reducer: &c}
}

func (a *aggregation) of(initializer, aggregator Fn) Aggregation {
	i, out := a.b.place(expr.Initializer, a.withOut(initializer), expr.Types{Key: a.key, Value: a.value})
	if a.aggregate == nil {
		a.aggregate = out.Value
	}
	g, out := a.b.place(expr.Aggregator, a.withOut(aggregator), expr.Types{Key: a.key, Value: a.value, Second: a.aggregate})
	if a.aggregate == nil {
		a.aggregate = out.Value
	}
	return Aggregation{Initializer: &i, Aggregator: &g}
}

func (a *aggregation) merger(fn Fn) *Call {
	m, _ := a.b.place(expr.Merger, a.withOut(fn), expr.Types{Key: a.key, Value: a.aggregate, Second: a.aggregate})
	return &m
}

// withOut has an expression give values of the aggregate's serde.
func (a *aggregation) withOut(fn Fn) Fn {
	if fn.OutValue == "" {
		fn.OutValue = serdeName(a.aggregate)
	}
	return fn
}

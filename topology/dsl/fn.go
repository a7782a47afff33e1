package dsl

import (
	"errors"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// NativeFunc is a user function in Go over a frame. It appends an answer for each thing it has to say about a record of
// in and sets Index to the record's position in in; see topology.Function. Operators take from an answer only what they
// may change, and check the rest. It belongs to one task; a function that keeps something makes it anew by NativeNew.
type NativeFunc func(in, out []topology.Record) ([]topology.Record, error)

// Call makes a NativeFunc a topology.Function.
func (f NativeFunc) Call(in, out []topology.Record) ([]topology.Record, error) { return f(in, out) }

// Fn is a user function: a component of a wasm module, an expression, or Go code. Make it by Guest, Expr, MapExpr or
// Native.
type Fn struct {
	Guest topology.GuestRef `json:"guest,omitzero"`
	// Config is handed to the guest when it is opened.
	Config map[string]string `json:"config,omitempty"`
	// KeyExpr and ValueExpr are CEL; see package expr. Operators of one result use ValueExpr.
	KeyExpr   string `json:"keyExpr,omitempty"`
	ValueExpr string `json:"expr,omitempty"`
	// OutKey and OutValue are the serdes of what the function makes, by name; "" for what the expression's type
	// suggests, or unknown.
	OutKey   string `json:"key,omitempty"`
	OutValue string `json:"value,omitempty"`

	native func() NativeFunc
}

// Guest is the component of a module, by the names that the application gives them.
func Guest(module, component string) Fn {
	return Fn{Guest: topology.GuestRef{Module: module, Component: component}}
}

// Expr is a CEL expression over key, value, timestamp and headers.
func Expr(source string) Fn { return Fn{ValueExpr: source} }

// MapExpr are the two expressions of a map.
func MapExpr(key, value string) Fn { return Fn{KeyExpr: key, ValueExpr: value} }

// Native is Go code without state of its own: it is shared by all tasks.
func Native(f NativeFunc) Fn { return NativeNew(func() NativeFunc { return f }) }

// NativeNew is Go code with state: new is called once for each task.
func NativeNew(new func() NativeFunc) Fn { return Fn{native: new} }

// NativePredicate is a condition in Go, for filter and branches.
func NativePredicate(holds func(r *topology.Record) bool) Fn {
	return Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			if holds(&in[i]) {
				out = append(out, topology.Record{Index: int32(i)})
			}
		}
		return out, nil
	})
}

// NativeMapper is a function of one record to one in Go, for map, mapValues and selectKey: r is a copy of the record to
// change. New bytes must not be written to afterwards.
func NativeMapper(change func(r *topology.Record) error) Fn {
	return Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			out = append(out, in[i])
			r := &out[len(out)-1]
			r.Index = int32(i)
			if err := change(r); err != nil {
				return out, err
			}
		}
		return out, nil
	})
}

// Out sets the serdes of what the function makes; nil leaves one open.
func (f Fn) Out(key, value topology.Serde) Fn {
	f.OutKey, f.OutValue = serdeName(key), serdeName(value)
	return f
}

// WithConfig hands settings to the guest.
func (f Fn) WithConfig(config map[string]string) Fn {
	f.Config = config
	return f
}

// String is the function as messages name it.
func (f Fn) String() string {
	switch {
	case f.Guest != topology.GuestRef{}:
		return f.Guest.String()
	case f.isExpr():
		return "an expression"
	case f.native != nil:
		return "a native function"
	}
	return "no function"
}

func (f Fn) isExpr() bool { return f.KeyExpr != "" || f.ValueExpr != "" }

func (f Fn) isSet() bool { return f.Guest != topology.GuestRef{} || f.isExpr() || f.native != nil }

func (f Fn) uses(kind expr.Kind) []topology.GuestUse {
	if f.Guest == (topology.GuestRef{}) {
		return nil
	}
	return []topology.GuestUse{{Ref: f.Guest, Kind: string(kind), Config: f.Config}}
}

// compile compiles the expressions for records of the serdes in.
func (f Fn) compile(kind expr.Kind, in expr.Types) (*expr.Program, error) {
	out, err := f.outTypes()
	if err != nil {
		return nil, err
	}
	return expr.Compile(expr.Spec{Kind: kind, Key: f.KeyExpr, Value: f.ValueExpr, In: in, Out: out})
}

func (f Fn) outTypes() (t expr.Types, err error) {
	if t.Key, err = serdeByName(f.OutKey); err != nil {
		return t, err
	}
	t.Value, err = serdeByName(f.OutValue)
	return t, err
}

// Call is a Fn in its place: which kind of operator calls it, and the serdes of the records there.
type Call struct {
	Fn
	Kind expr.Kind `json:"kind"`
	// KeySerde and ValueSerde of the records that come in, "" for the application's default.
	KeySerde   string `json:"keySerde,omitempty"`
	ValueSerde string `json:"valueSerde,omitempty"`
	// SecondSerde is that of the second value of functions that take two.
	SecondSerde string `json:"secondSerde,omitempty"`
}

// GuestUses tells the topology which guest is called.
func (c Call) GuestUses() []topology.GuestUse { return c.uses(c.Kind) }

// Open makes the function ready for the task of ctx.
func (c Call) Open(ctx topology.Context) (topology.Function, error) { return c.open(ctx) }

// open makes the function ready for the task of ctx.
func (c Call) open(ctx topology.Context) (topology.Function, error) {
	switch {
	case c.Guest != topology.GuestRef{}:
		return ctx.Guest(c.Guest)
	case c.native != nil:
		return c.native(), nil
	}
	in, err := c.inTypes(ctx)
	if err != nil {
		return nil, err
	}
	p, err := c.compile(c.Kind, in)
	if err != nil {
		return nil, located(err, ctx.NodeName())
	}
	return p.Function(), nil
}

func (c Call) inTypes(ctx topology.Context) (t expr.Types, err error) {
	if t.Key, err = serdeOrDefault(ctx, c.KeySerde, "default.key.serde"); err != nil {
		return t, err
	}
	if t.Value, err = serdeOrDefault(ctx, c.ValueSerde, "default.value.serde"); err != nil {
		return t, err
	}
	t.Second, err = serdeOrDefault(ctx, c.SecondSerde, "default.value.serde")
	return t, err
}

func serdeOrDefault(ctx topology.Context, name, key string) (topology.Serde, error) {
	if name == "" {
		name, _ = ctx.AppConfig(key)
	}
	if name == "" {
		return topology.Bytes, nil
	}
	return topology.SerdeByName(name)
}

// located turns a fault of an expression into an error for the user of the node.
func located(err error, node string) error {
	var fault *expr.Error
	if !errors.As(err, &fault) {
		return err
	}
	return errs.TopologyExpression.New(node, fault.Message, fault.Fix).WithDetail(fault.Excerpt()).WithCause(fault)
}

func serdeName(s topology.Serde) string {
	if s == nil {
		return ""
	}
	return s.Name()
}

func serdeByName(name string) (topology.Serde, error) {
	if name == "" {
		return nil, nil
	}
	return topology.SerdeByName(name)
}

package expr

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// Function returns a function for one task. It reuses what it can from record to record.
func (p *Program) Function() topology.Function {
	f := &function{p: p, arena: &topology.Arena{}}
	f.vars.in = p.in
	f.vars.valueName, f.vars.secondName = p.kind.variables()
	return f
}

type function struct {
	p     *Program
	arena *topology.Arena
	vars  variables
}

// Call evaluates the program for each record.
func (f *function) Call(in, out []topology.Record) ([]topology.Record, error) {
	for i := range in {
		var err error
		f.vars.reset(&in[i])
		if out, err = f.answer(&in[i], int32(i), out); err != nil {
			return out, f.failed(&in[i], err)
		}
	}
	return out, nil
}

func (f *function) failed(r *topology.Record, err error) error {
	where := string(f.p.kind)
	if r.Origin != nil {
		where = fmt.Sprintf("%s at %s-%d@%d", f.p.kind, r.Origin.Topic, r.Origin.Partition, r.Offset)
	}
	return errs.RecordExpression.New(where, "the expression failed on a record", "").WithCause(err)
}

func (f *function) answer(r *topology.Record, index int32, out []topology.Record) ([]topology.Record, error) {
	a := *r
	a.Index = index
	var err error
	switch f.p.kind {
	case Filter:
		v, err := f.eval(f.p.value)
		if err != nil {
			return out, err
		}
		holds, ok := v.(types.Bool)
		if !ok {
			return out, fmt.Errorf("the condition gave %s, not a bool", v.Type().TypeName())
		}
		if !holds {
			return out, nil
		}
	case FlatMapValues, FlatMap:
		return f.list(&a, out)
	case MapValues, Initializer, Aggregator, Reducer, Merger, Joiner, TopicNameExtractor, Partitioner, TimestampExtractor:
		a.Value, err = f.bytes(f.p.value, r)
	case SelectKey:
		a.Key, err = f.bytes(f.p.key, r)
	case Map:
		if a.Key, err = f.bytes(f.p.key, r); err == nil {
			a.Value, err = f.bytes(f.p.value, r)
		}
	}
	if err != nil {
		return out, err
	}
	return append(out, a), nil
}

// list makes a record of each element of the list that the program gives.
func (f *function) list(a *topology.Record, out []topology.Record) ([]topology.Record, error) {
	v, err := f.eval(f.p.value)
	if err != nil {
		return out, err
	}
	list, ok := v.(traits.Lister)
	if !ok {
		return out, fmt.Errorf("the expression gave %s, not a list", v.Type().TypeName())
	}
	for it := list.Iterator(); it.HasNext() == types.True; {
		if err := f.element(a, it.Next()); err != nil {
			return out, err
		}
		out = append(out, *a)
	}
	return out, nil
}

func (f *function) element(a *topology.Record, v ref.Val) (err error) {
	if f.p.kind == FlatMapValues {
		a.Value, err = encode(f.arena, f.p.out.Value, v)
		return err
	}
	pair, ok := v.(traits.Mapper)
	if !ok {
		return fmt.Errorf(`an element is %s, not {"key": ..., "value": ...}`, v.Type().TypeName())
	}
	if a.Key, err = f.field(pair, "key", f.p.out.Key); err != nil {
		return err
	}
	a.Value, err = f.field(pair, "value", f.p.out.Value)
	return err
}

func (f *function) field(pair traits.Mapper, name types.String, s topology.Serde) ([]byte, error) {
	v, found := pair.Find(name)
	if !found {
		return nil, nil
	}
	return encode(f.arena, s, v)
}

func (f *function) bytes(p *part, r *topology.Record) ([]byte, error) {
	switch p.direct {
	case isKey:
		return r.Key, nil
	case isValue:
		return r.Value, nil
	case isSecond:
		return extra(r).Second, nil
	case isConstant:
		return p.constant, nil
	}
	v, err := f.eval(p)
	if err != nil {
		return nil, err
	}
	return encode(f.arena, p.out, v)
}

func (f *function) eval(p *part) (ref.Val, error) {
	v, _, err := p.program.Eval(&f.vars)
	if f.vars.err != nil {
		return nil, f.vars.err // what made the evaluation fail
	}
	if err != nil {
		return nil, err
	}
	if types.IsUnknownOrError(v) {
		return nil, errors.New("the expression has no value")
	}
	return v, nil
}

// variables are what an expression sees of one record; each is decoded when it is first used.
type variables struct {
	in                    Types
	valueName, secondName string
	r                     *topology.Record
	key, value            ref.Val
	second, mappedKey     ref.Val
	err                   error
}

var noExtra topology.Extra

// extra is what r carries beside key and value; read only.
func extra(r *topology.Record) *topology.Extra {
	if r.Extra == nil {
		return &noExtra
	}
	return r.Extra
}

var _ cel.Activation = (*variables)(nil)

func (v *variables) reset(r *topology.Record) {
	v.r, v.key, v.value, v.second, v.mappedKey, v.err = r, nil, nil, nil, nil, nil
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "key":
		return v.decoded(&v.key, v.in.Key, v.r.Key, name), true
	case v.valueName:
		return v.decoded(&v.value, v.in.Value, v.r.Value, name), true
	case v.secondName:
		return v.decoded(&v.second, v.in.Second, extra(v.r).Second, name), true
	case "mappedKey":
		return v.decoded(&v.mappedKey, v.in.MappedKey, extra(v.r).MappedKey, name), true
	case "timestamp":
		return types.Int(v.r.Timestamp), true
	case "headers":
		return v.headers(), true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }

func (v *variables) decoded(kept *ref.Val, s topology.Serde, data []byte, what string) ref.Val {
	if *kept == nil {
		val, err := decode(s, data)
		if err != nil {
			v.err = fmt.Errorf("reading the %s as %s: %w", what, s.Name(), err)
			val = types.WrapErr(v.err)
		}
		*kept = val
	}
	return *kept
}

func (v *variables) headers() ref.Val {
	m := make(map[string][]byte, len(v.r.Headers))
	for _, h := range v.r.Headers {
		m[h.Key] = h.Value
	}
	return types.DefaultTypeAdapter.NativeToValue(m)
}

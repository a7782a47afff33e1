package transforms

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// celCost bounds the work of one evaluation, so that an expression over a large record cannot hold up its task.
const celCost = 1_000_000

// celProgram is an expression over a record. It belongs to one goroutine.
type celProgram struct {
	program cel.Program
	record  *connectors.Record
}

func compileCEL(name, source string) (*celProgram, error) {
	env, err := cel.NewEnv(
		ext.Strings(), ext.Math(), ext.Encoders(),
		cel.Variable("key", cel.DynType), cel.Variable("value", cel.DynType), cel.Variable("topic", cel.StringType),
		cel.Variable("partition", cel.DynType), cel.Variable("timestamp", cel.DynType), cel.Variable("offset", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.DynType)),
	)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, config.Invalid(name, source, issues.Err().Error())
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(celCost))
	if err != nil {
		return nil, config.Invalid(name, source, err.Error())
	}
	return &celProgram{program: program}, nil
}

// ResolveName gives what an expression asks for, and makes nothing else.
func (c *celProgram) ResolveName(name string) (any, bool) {
	r := c.record
	switch name {
	case "key":
		return native(r.Key.Value), true
	case "value":
		return native(r.Value.Value), true
	case "topic":
		return r.Topic, true
	case "partition":
		return numberOrNull(int64(r.Partition), r.Partition != connectors.NoPartition), true
	case "timestamp":
		return numberOrNull(r.Timestamp, r.Timestamp != connectors.NoTimestamp), true
	case "offset":
		return numberOrNull(r.Offset, r.IsSink()), true
	case "headers":
		m := make(map[string]any, len(r.Headers))
		for _, h := range r.Headers {
			m[h.Key] = native(h.Value.Value)
		}
		return m, true
	}
	return nil, false
}

// Parent is none.
func (*celProgram) Parent() cel.Activation { return nil }

func numberOrNull(n int64, there bool) any {
	if there {
		return n
	}
	return types.NullValue
}

func (c *celProgram) eval(r *connectors.Record) (ref.Val, error) {
	c.record = r
	out, _, err := c.program.Eval(c)
	c.record = nil
	if err != nil {
		return nil, fault.Data.Errorf("evaluating the expression: %w", err)
	}
	return out, nil
}

// native is a value as CEL knows it: dates are milliseconds, decimals are doubles.
func native(v data.Value) any {
	switch v.Type() {
	case data.TypeInt8, data.TypeInt16, data.TypeInt32, data.TypeInt64, data.TypeDate:
		return v.Int()
	case data.TypeFloat32, data.TypeFloat64:
		return v.Float()
	case data.TypeBoolean:
		return v.Bool()
	case data.TypeString:
		return v.Str()
	case data.TypeBytes:
		return v.Bytes()
	case data.TypeDecimal:
		return v.Decimal().Float64()
	case data.TypeBigInteger:
		return data.NewDecimal(v.BigInteger(), 0).Float64()
	case data.TypeArray:
		list := make([]any, len(v.Array()))
		for i, e := range v.Array() {
			list[i] = native(e)
		}
		return list
	case data.TypeMap:
		m := make(map[string]any, v.Map().Len())
		for _, e := range v.Map().Entries() {
			m[e.Key.String()] = native(e.Value)
		}
		return m
	case data.TypeStruct:
		s := v.Struct()
		m := make(map[string]any, len(s.Schema().Fields()))
		for i, f := range s.Schema().Fields() {
			m[f.Name] = native(s.At(i))
		}
		return m
	}
	return types.NullValue
}

// CELFilter keeps the records for which an expression is true.
type CELFilter struct {
	closer
	condition *celProgram
}

// ConfigDef defines condition.
func (*CELFilter) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "condition", Type: config.String, Validator: config.NonEmpty, Importance: config.High,
		Doc: "An expression in CEL over key, value, topic, partition, timestamp, offset and headers. Records for which it is true stay.",
	})
}

// Configure compiles the expression.
func (f *CELFilter) Configure(props config.Props) error {
	v, err := f.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	f.condition, err = compileCEL("condition", v.String("condition"))
	return err
}

// Apply evaluates; what is no boolean is a DataException.
func (f *CELFilter) Apply(r *connectors.Record) (bool, error) {
	out, err := f.condition.eval(r)
	if err != nil {
		return true, err
	}
	keep, ok := out.Value().(bool)
	if !ok {
		return true, fault.Data.New("The condition is not a boolean but " + out.Type().TypeName())
	}
	return keep, nil
}

// CELMap replaces the key or value by the result of an expression: data without schema, unless it is a primitive value in the
// place of one with a schema.
type CELMap struct {
	closer
	side       side
	expression *celProgram
}

// ConfigDef defines expression.
func (*CELMap) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "expression", Type: config.String, Validator: config.NonEmpty, Importance: config.High,
		Doc: "An expression in CEL over key, value, topic, partition, timestamp, offset and headers. Its result is the new key or value.",
	})
}

// Configure compiles the expression.
func (m *CELMap) Configure(props config.Props) error {
	v, err := m.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	m.expression, err = compileCEL("expression", v.String("expression"))
	return err
}

// Apply evaluates and replaces.
func (m *CELMap) Apply(r *connectors.Record) (bool, error) {
	out, err := m.expression.eval(r)
	if err != nil {
		return true, err
	}
	v, err := fromCEL(out)
	if err != nil {
		return true, err
	}
	sv := m.side.of(r)
	had := sv.Schema != nil
	*sv = data.SchemaAndValue{Value: v}
	if had && v.Type().IsPrimitive() {
		sv.Schema = data.Primitive(v.Type(), true)
	}
	return true, nil
}

func fromCEL(v ref.Val) (data.Value, error) {
	switch x := v.(type) {
	case types.Null:
		return data.Null, nil
	case types.Bool:
		return data.BooleanValue(bool(x)), nil
	case types.Int:
		return data.Int64Value(int64(x)), nil
	case types.Uint:
		return data.Int64Value(int64(x)), nil
	case types.Double:
		return data.Float64Value(float64(x)), nil
	case types.String:
		return data.StringValue(string(x)), nil
	case types.Bytes:
		return data.BytesValue([]byte(x)), nil
	}
	switch x := v.(type) {
	case traits.Mapper:
		return fromCELMap(x)
	case traits.Lister:
		return fromCELList(x)
	}
	return data.Null, fault.Data.New("The result of the expression is " + v.Type().TypeName() + ", which a record cannot hold")
}

func fromCELMap(m traits.Mapper) (data.Value, error) {
	out := data.NewMap(int(m.Size().(types.Int)))
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, err := fromCEL(k)
		if err != nil {
			return data.Null, err
		}
		v, err := fromCEL(m.Get(k))
		if err != nil {
			return data.Null, err
		}
		out.PutKey(key, v)
	}
	// The order of a map in CEL is that of Go's: by key, the result is the same each time.
	return data.MapValue(data.MapOf(slices.SortedFunc(slices.Values(out.Entries()), func(a, b data.Entry) int {
		return strings.Compare(a.Key.String(), b.Key.String())
	}))), nil
}

func fromCELList(l traits.Lister) (data.Value, error) {
	var out []data.Value
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := fromCEL(it.Next())
		if err != nil {
			return data.Null, err
		}
		out = append(out, v)
	}
	return data.ArrayValue(out), nil
}

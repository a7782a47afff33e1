package registry

import (
	"encoding/json"
	"math"

	"github.com/wasmstream/wasmstream/connectors/data"
)

// avroDefault is the default of a field: null of an optional one, a value, or none. It has to fit the first type of a union.
func avroDefault(s *data.Schema) (any, bool) {
	if s.Default().IsNull() {
		return nil, s.Optional()
	}
	return avroJSON(s, s.Default(), true)
}

// avroJSON is a value as it stands in a schema. Strict is for the defaults of fields: Avro takes values of a union's first type there,
// and entries of maps only if they are members of an object.
func avroJSON(s *data.Schema, v data.Value, strict bool) (any, bool) {
	if v.IsNull() {
		return nil, !strict || s.Optional() && s.Default().IsNull()
	}
	if isAvroUnion(s) {
		return unionJSON(s, v, strict)
	}
	if s.IsLogical() {
		stored, err := data.FromLogical(s, v)
		if err != nil {
			return nil, false
		}
		v = stored
	}
	switch v.Type() {
	case data.TypeInt8, data.TypeInt16, data.TypeInt32, data.TypeInt64:
		return v.Int(), true
	case data.TypeFloat32, data.TypeFloat64:
		return floatJSON(v)
	case data.TypeBoolean:
		return v.Bool(), true
	case data.TypeString:
		return v.Str(), true
	case data.TypeBytes:
		return latin1(v.Bytes()), true
	case data.TypeArray:
		return arrayJSON(s.Elem(), v.Array(), strict)
	case data.TypeMap:
		return mapJSON(s, v.Map(), strict)
	case data.TypeStruct:
		return structJSON(s, v.Struct(), strict)
	}
	return nil, false
}

// floatJSON writes the shortest number that stands for the value.
func floatJSON(v data.Value) (any, bool) {
	f := v.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	if v.Type() == data.TypeFloat32 {
		return float32(f), true
	}
	return f, true
}

// latin1 is a text with a character for each byte, as Avro writes bytes in JSON.
func latin1(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// inside tells whether a value may stand within a default: in an optional place Avro takes null only, or with a default no null.
func inside(s *data.Schema, v data.Value, strict bool) bool {
	return !strict || !s.Optional() || v.IsNull() == s.Default().IsNull()
}

func arrayJSON(elem *data.Schema, list []data.Value, strict bool) (any, bool) {
	out := make([]any, len(list))
	for i, v := range list {
		x, ok := avroJSON(elem, v, strict)
		if !ok || !inside(elem, v, strict) {
			return nil, false
		}
		out[i] = x
	}
	return out, true
}

func mapJSON(s *data.Schema, m *data.Map, strict bool) (any, bool) {
	if s.Key() == nil || s.Key().Type() != data.TypeString || s.Key().Optional() {
		return nil, false
	}
	out := map[string]any{}
	for _, e := range m.Entries() {
		x, ok := avroJSON(s.Elem(), e.Value, strict)
		if !ok || !inside(s.Elem(), e.Value, strict) {
			return nil, false
		}
		out[e.Key.Str()] = x
	}
	return out, true
}

func structJSON(s *data.Schema, st *data.Struct, strict bool) (any, bool) {
	out := map[string]any{}
	for i, f := range s.Fields() {
		v := st.At(i)
		x, ok := avroJSON(f.Schema, v, strict)
		if !ok || !inside(f.Schema, v, strict) {
			return nil, false
		}
		out[f.Name] = x
	}
	return out, true
}

// unionJSON is the value of a union's field that is set; of a field's default it has to be the first.
func unionJSON(s *data.Schema, v data.Value, strict bool) (any, bool) {
	for i, f := range s.Fields() {
		if x := v.Struct().RawAt(i); !x.IsNull() {
			if strict && (i > 0 || s.Optional()) {
				return nil, false
			}
			return avroJSON(f.Schema, x, false)
		}
	}
	return nil, false
}

// avroValue is the value that stands in a schema as a default; numbers are of the type or as JSON has them. Structs have none.
func avroValue(t *avroType, x any) (data.Value, bool) {
	var v data.Value
	switch x := x.(type) {
	case bool:
		v = data.BooleanValue(x)
	case int32:
		v = data.Int64Value(int64(x))
	case int64:
		v = data.Int64Value(x)
	case float32:
		v = data.Float32Value(x)
	case float64:
		v = data.Float64Value(x)
	case json.Number:
		v = data.StringValue(x.String())
	case string:
		v = data.StringValue(x)
	case []byte:
		v = data.BytesValue(x)
	case []any:
		return avroList(t, x)
	case map[string]any:
		return avroMap(t, x)
	}
	switch typ := storedType(t); {
	case v.IsNull() || t.connect == nil || !typ.IsPrimitive():
		return data.Null, false
	case typ == data.TypeBytes && v.Type() == data.TypeString:
		b, ok := fromLatin1(v.Str())
		if !ok {
			return data.Null, false
		}
		v = data.BytesValue(b)
	case typ != v.Type():
		converted, err := data.Convert(data.Primitive(typ, false), nil, v)
		if err != nil {
			return data.Null, false
		}
		v = converted
	}
	v, err := data.ToLogical(t.connect, v)
	return v, err == nil
}

// storedType is the type of the values that a schema's values are stored as.
func storedType(t *avroType) data.Type {
	if t.connect == nil {
		return data.TypeNull
	}
	return t.connect.Type()
}

func fromLatin1(s string) ([]byte, bool) {
	var out []byte
	for _, c := range s {
		if c > 255 {
			return nil, false
		}
		out = append(out, byte(c))
	}
	return out, true
}

func avroList(t *avroType, list []any) (data.Value, bool) {
	if t.kind != "array" || t.entries {
		return data.Null, false
	}
	out := make([]data.Value, len(list))
	for i, x := range list {
		v, ok := avroValue(t.elem, x)
		if !ok {
			return data.Null, false
		}
		out[i] = v
	}
	return data.ArrayValue(out), true
}

func avroMap(t *avroType, members map[string]any) (data.Value, bool) {
	if t.kind != "map" {
		return data.Null, false
	}
	m := data.NewMap(len(members))
	for _, name := range sortedKeys(members) {
		v, ok := avroValue(t.elem, members[name])
		if !ok {
			return data.Null, false
		}
		m.Put(name, v)
	}
	m.Index()
	return data.MapValue(m), true
}

package connectcases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Values in cases are JSON. What JSON has not is written as text: "int64 12", "float64 1.5", "utf8 abc", "BigDecimal 1.50",
// "BigInteger 42", "epoch ms 789", "ms 789". Schemas are as JsonConverter writes them, or text: "INT32", "OPTIONAL STRING",
// "MAP<STRING,INT8>".

var (
	numberNote  = regexp.MustCompile(`^(int8|int16|int32|int64|float32|float64) (-?[0-9.eE+-]+)$`)
	decimalNote = regexp.MustCompile(`^BigDecimal (-?[0-9.eE+-]+)( \(unscaled -?\d+\))?$`)
	integerNote = regexp.MustCompile(`^BigInteger (-?\d+)$`)
	millisNote  = regexp.MustCompile(`^(?:epoch )?ms (-?\d+)$`)
)

// note reads a value in text notation.
func note(s string) (data.Value, bool) {
	if m := numberNote.FindStringSubmatch(s); m != nil {
		t, _ := data.TypeOf(strings.ToUpper(m[1]))
		v, err := data.Convert(data.Primitive(t, false), nil, data.StringValue(m[2]))
		return v, err == nil
	}
	if m := decimalNote.FindStringSubmatch(s); m != nil {
		d, err := data.ParseDecimal(m[1])
		return data.DecimalValue(d), err == nil
	}
	if m := integerNote.FindStringSubmatch(s); m != nil {
		i, ok := new(big.Int).SetString(m[1], 10)
		return data.BigIntegerValue(i), ok
	}
	if m := millisNote.FindStringSubmatch(s); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		return data.DateValue(n), err == nil
	}
	if rest, ok := strings.CutPrefix(s, "utf8 "); ok {
		return data.BytesValue([]byte(rest)), true
	}
	return data.Null, false
}

// decode reads JSON keeping the text of numbers and the order of members.
func decode(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return decodeNext(d)
}

// members is a JSON object in order.
type members []member

type member struct {
	name  string
	value any
}

func (m members) get(name string) (any, bool) {
	for _, x := range m {
		if x.name == name {
			return x.value, true
		}
	}
	return nil, false
}

func decodeNext(d *json.Decoder) (any, error) {
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeNext(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		obj := members{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeNext(d)
			if err != nil {
				return nil, err
			}
			obj = append(obj, member{name.(string), v})
		}
		_, err = d.Token()
		return obj, err
	}
	return tok, nil
}

// readValue reads a value under a schema; without one, integers are INT32 as in Java's literals, fractions FLOAT64.
func readValue(raw json.RawMessage, s *data.Schema) (data.Value, error) {
	if raw == nil {
		return data.Null, nil
	}
	v, err := decode(raw)
	if err != nil {
		return data.Null, err
	}
	return valueOf(v, s, "")
}

func valueOf(v any, s *data.Schema, key string) (data.Value, error) {
	switch v := v.(type) {
	case nil:
		return data.Null, nil
	case bool:
		return data.BooleanValue(v), nil
	case json.Number:
		return numberOf(string(v), s, key)
	case string:
		return stringOf(v, s, key)
	case []any:
		return listOf(v, s)
	case members:
		if s != nil && s.Type() == data.TypeStruct {
			return structOf(v, s)
		}
		return mapOf(v, s)
	}
	return data.Null, fmt.Errorf("a value %v that cannot be read", v)
}

// javaNames are names of fields in cases that say which type their value has.
var javaNames = map[string]data.Type{
	"byte": data.TypeInt8, "short": data.TypeInt16, "int": data.TypeInt32, "long": data.TypeInt64, "float": data.TypeFloat32,
	"double": data.TypeFloat64, "int8": data.TypeInt8, "int16": data.TypeInt16, "int32": data.TypeInt32, "int64": data.TypeInt64,
	"float32": data.TypeFloat32, "float64": data.TypeFloat64,
}

func numberOf(text string, s *data.Schema, key string) (data.Value, error) {
	t := data.TypeInt32
	if strings.ContainsAny(text, ".eE") {
		t = data.TypeFloat64
	} else if n, err := strconv.ParseInt(text, 10, 64); err != nil || n != int64(int32(n)) {
		t = data.TypeInt64
	}
	if named, ok := javaNames[key]; ok {
		t = named
	}
	switch {
	case s.IsDecimal():
		d, err := data.ParseDecimal(text)
		return data.DecimalValue(d), err
	case s.IsLogical():
		n, err := strconv.ParseInt(text, 10, 64)
		return data.DateValue(n), err
	case s != nil && s.Type() <= data.TypeFloat64:
		t = s.Type()
	}
	if t == data.TypeFloat64 || t == data.TypeFloat32 {
		f, err := strconv.ParseFloat(text, 64)
		if t == data.TypeFloat32 {
			return data.Float32Value(float32(f)), err
		}
		return data.Float64Value(f), err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return data.Null, err
	}
	return data.Convert(data.Primitive(t, false), nil, data.Int64Value(n))
}

func stringOf(text string, s *data.Schema, key string) (data.Value, error) {
	if s == nil || s.Type() != data.TypeString {
		if v, ok := note(text); ok {
			return v, nil
		}
	}
	if s == nil {
		switch {
		case text == "now":
			return data.DateValue(1_500_000_000_000), nil
		case text == "a value of that type":
			return sampleOf(key), nil
		}
	}
	if s != nil && s.Type() == data.TypeBytes && !s.IsLogical() {
		return data.BytesValue([]byte(text)), nil
	}
	return data.StringValue(text), nil
}

// sampleOf is some value of the type that a field's name tells.
func sampleOf(key string) data.Value {
	switch key {
	case "date":
		return data.DateValue(1)
	case "bool":
		return data.BooleanValue(true)
	case "list":
		return data.ArrayValue([]data.Value{data.Int32Value(1)})
	case "map":
		return data.MapValue(data.Of("k", data.StringValue("v")))
	}
	return data.StringValue("x")
}

func listOf(list []any, s *data.Schema) (data.Value, error) {
	var elem *data.Schema
	if s != nil && s.Type() == data.TypeArray {
		elem = s.Elem()
	}
	out := make([]data.Value, 0, len(list))
	for _, e := range list {
		v, err := valueOf(e, elem, "")
		if err != nil {
			return data.Null, err
		}
		out = append(out, v)
	}
	return data.ArrayValue(out), nil
}

func mapOf(m members, s *data.Schema) (data.Value, error) {
	var key, elem *data.Schema
	if s != nil && s.Type() == data.TypeMap {
		key, elem = s.Key(), s.Elem()
	}
	out := data.NewMap(len(m))
	for _, x := range m {
		v, err := valueOf(x.value, elem, x.name)
		if err != nil {
			return data.Null, err
		}
		k := data.StringValue(x.name)
		if key != nil && key.Type() != data.TypeString {
			if k, err = data.Convert(key, nil, k); err != nil {
				return data.Null, err
			}
		}
		out.PutKey(k, v)
	}
	return data.MapValue(out), nil
}

func structOf(m members, s *data.Schema) (data.Value, error) {
	out, err := data.NewStruct(s)
	if err != nil {
		return data.Null, err
	}
	for _, x := range m {
		f := s.Field(x.name)
		if f == nil {
			return data.Null, fmt.Errorf("a field %q that the schema has not", x.name)
		}
		v, err := valueOf(x.value, f.Schema, x.name)
		if err != nil {
			return data.Null, err
		}
		out.SetAt(f.Index, v)
	}
	return data.StructValue(out), nil
}

// readSchema reads a schema: null, JSON, or text.
func readSchema(raw json.RawMessage) (*data.Schema, error) {
	if isNull(raw) {
		return nil, nil
	}
	if raw[0] == '"' {
		return schemaOfText(text(raw))
	}
	return converters.ReadSchema(raw)
}

// schemaOfText reads "OPTIONAL INT32", "MAP<STRING,INT8>", "Time" and the like.
func schemaOfText(s string) (*data.Schema, error) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), " or null"))
	name, optional := strings.CutPrefix(s, "OPTIONAL ")
	if s == "null" {
		return nil, nil
	}
	var b *data.SchemaBuilder
	head, args, _ := strings.Cut(name, "<")
	params := splitArgs(strings.TrimSuffix(args, ">"))
	switch head {
	case "Date":
		b = data.NewDateSchema()
	case "Time":
		b = data.NewTimeSchema()
	case "Timestamp":
		b = data.NewTimestampSchema()
	case "ARRAY", "MAP":
		subs := make([]*data.Schema, 2)
		for i, p := range params {
			sub, err := schemaOfText(p)
			if err != nil || i > 1 {
				return nil, fmt.Errorf("a schema %q that cannot be read", s)
			}
			subs[i] = sub
		}
		b = data.NewArraySchema(subs[0])
		if head == "MAP" {
			b = data.NewMapSchema(subs[0], subs[1])
		}
	default:
		t, ok := data.TypeOf(strings.ToUpper(head))
		if !ok {
			return nil, fmt.Errorf("a schema %q that cannot be read", s)
		}
		b = data.NewSchema(t)
	}
	return b.SetOptional(optional).Build()
}

// splitArgs splits at commas that are not within angle brackets.
func splitArgs(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '<':
			depth++
		case '>':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[start:i])
				start = i + 1
			}
		}
	}
	if s != "" {
		out = append(out, s[start:])
	}
	return out
}

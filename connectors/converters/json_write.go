package converters

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// appendValue writes a value by its schema, or by what it is where there is none.
func (c *JSON) appendValue(dst []byte, s *data.Schema, v data.Value) ([]byte, error) {
	if v.IsNull() {
		if s == nil {
			return append(dst, "null"...), nil
		}
		return c.appendNull(dst, s)
	}
	if s == nil {
		return c.appendSchemaless(dst, v)
	}
	if s.IsLogical() {
		return c.appendLogical(dst, s, v)
	}
	if v.Type() != s.Type() {
		return dst, fault.Data.New("Invalid type for " + s.Type().String() + ": class " + v.Type().JavaClass())
	}
	switch s.Type() {
	case data.TypeArray:
		return c.appendArray(dst, s.Elem(), v.Array())
	case data.TypeMap:
		if c.dialect && (s.Key().Type() != data.TypeString || s.Key().Optional()) {
			return c.appendEntries(dst, s, v.Map())
		}
		return c.appendMap(dst, s.Key(), s.Elem(), v.Map(), s.Key() == nil || s.Key().Type() == data.TypeString)
	case data.TypeStruct:
		return c.appendStruct(dst, s, v.Struct())
	}
	return appendScalar(dst, v), nil
}

func (c *JSON) appendNull(dst []byte, s *data.Schema) ([]byte, error) {
	switch {
	case !s.Default().IsNull() && (c.defaults || !s.Optional()):
		return c.appendValue(dst, s, s.Default())
	case s.Optional():
		return append(dst, "null"...), nil
	}
	return dst, fault.Data.New("Conversion error: null value for field that is required and has no default value")
}

func (c *JSON) appendSchemaless(dst []byte, v data.Value) ([]byte, error) {
	switch v.Type() {
	case data.TypeArray:
		return c.appendArray(dst, nil, v.Array())
	case data.TypeMap:
		for _, e := range v.Map().Entries() {
			if e.Key.Type() != data.TypeString {
				return c.appendMap(dst, nil, nil, v.Map(), false)
			}
		}
		return c.appendMap(dst, nil, nil, v.Map(), true)
	case data.TypeStruct:
		return dst, fault.Data.New("Mismatching schema.")
	case data.TypeDecimal, data.TypeDate, data.TypeBigInteger:
		return dst, fault.Data.New("Java class class " + v.Type().JavaClass() + " does not have corresponding schema type.")
	}
	return appendScalar(dst, v), nil
}

func (c *JSON) appendLogical(dst []byte, s *data.Schema, v data.Value) ([]byte, error) {
	if s.IsDecimal() {
		d := v.Decimal()
		if d == nil {
			return dst, fault.Data.New("Invalid type for Decimal, expected BigDecimal but was class " + v.Type().JavaClass())
		}
		if c.numeric {
			return append(dst, d.String()...), nil
		}
	} else if v.Type() != data.TypeDate {
		name := map[bool]string{s.IsDate(): "Date", s.IsTime(): "Time", s.IsTimestamp(): "Timestamp"}[true]
		return dst, fault.Data.New("Invalid type for " + name + ", expected Date but was class " + v.Type().JavaClass())
	}
	stored, err := data.FromLogical(s, v)
	if err != nil {
		return dst, err
	}
	if stored.Type() != s.Type() {
		return dst, fault.Data.New("Invalid type for " + s.Type().String() + ": class " + stored.Type().JavaClass())
	}
	return appendScalar(dst, stored), nil
}

func (c *JSON) appendArray(dst []byte, elem *data.Schema, elements []data.Value) ([]byte, error) {
	var err error
	dst = append(dst, '[')
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = c.appendValue(dst, elem, e); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendMap writes an object if keys are strings, else an array of pairs.
func (c *JSON) appendMap(dst []byte, key, elem *data.Schema, m *data.Map, object bool) ([]byte, error) {
	var err error
	opening, closing := byte('['), byte(']')
	if object {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	for i, e := range m.Entries() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !object {
			dst = append(dst, '[')
		}
		if dst, err = c.appendValue(dst, key, e.Key); err != nil {
			return dst, err
		}
		if object {
			dst = append(dst, ':')
		} else {
			dst = append(dst, ',')
		}
		if dst, err = c.appendValue(dst, elem, e.Value); err != nil {
			return dst, err
		}
		if !object {
			dst = append(dst, ']')
		}
	}
	return append(dst, closing), nil
}

func (c *JSON) appendStruct(dst []byte, s *data.Schema, st *data.Struct) ([]byte, error) {
	if st.Schema() != s && !st.Schema().Equal(s) {
		return dst, fault.Data.New("Mismatching schema.")
	}
	if c.dialect {
		return c.appendMembers(dst, s, st)
	}
	dst = append(dst, '{')
	fields := s.Fields()
	for i := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, fields[i].Name), ':')
		v := st.RawAt(i)
		if c.defaults {
			v = st.At(i)
		}
		var err error
		if dst, err = c.appendValue(dst, fields[i].Schema, v); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendScalar writes a primitive value as Jackson does.
func appendScalar(dst []byte, v data.Value) []byte {
	switch v.Type() {
	case data.TypeFloat32, data.TypeFloat64:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(v.AppendText(append(dst, '"')), '"')
		}
		return v.AppendText(dst)
	case data.TypeString:
		return appendJSONString(dst, v.Str())
	case data.TypeBytes:
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, v.Bytes()), '"')
	}
	return v.AppendText(dst)
}

const hexDigits = "0123456789ABCDEF"

// appendJSONString escapes what JSON demands and nothing else.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= 0x20 && b != '"' && b != '\\' && b < 0xf0 {
			continue
		}
		if b >= 0xf0 {
			// Jackson writes characters beyond U+FFFF as pairs of escapes. Keys are compared by their bytes, so that matters.
			r, n := utf8.DecodeRuneInString(s[i:])
			high, low := utf16.EncodeRune(r)
			if n == 4 {
				dst = append(dst, s[start:i]...)
				dst = appendUnicode(appendUnicode(dst, high), low)
				start, i = i+4, i+3
			}
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = appendUnicode(dst, rune(b))
		}
	}
	return append(append(dst, s[start:]...), '"')
}

func appendUnicode(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// schemaText writes a schema; field is its name in a struct, or "".
func (c *JSON) schemaText(dst []byte, s *data.Schema, field string) ([]byte, error) {
	err := data.RefuseWithin(s, "JsonConverter with schemas.enable")
	if err != nil {
		return dst, err
	}
	dst = append(append(append(dst, `{"type":"`...), jsonTypes[s.Type()]...), '"')
	switch s.Type() {
	case data.TypeArray:
		dst, err = c.subSchema(append(dst, `,"items":`...), s.Elem())
	case data.TypeMap:
		if dst, err = c.subSchema(append(dst, `,"keys":`...), s.Key()); err == nil {
			dst, err = c.subSchema(append(dst, `,"values":`...), s.Elem())
		}
	case data.TypeStruct:
		dst = append(dst, `,"fields":[`...)
		for i, f := range s.Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = c.schemaText(dst, f.Schema, f.Name); err != nil {
				return dst, err
			}
		}
		dst = append(dst, ']')
	}
	if err != nil {
		return dst, err
	}
	return c.schemaRest(dst, s, field)
}

func (c *JSON) subSchema(dst []byte, s *data.Schema) ([]byte, error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	return c.schemaText(dst, s, "")
}

// schemaRest writes what all types have.
func (c *JSON) schemaRest(dst []byte, s *data.Schema, field string) ([]byte, error) {
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional())
	if s.Name() != "" {
		dst = appendJSONString(append(dst, `,"name":`...), s.Name())
	}
	if v, ok := s.Version(); ok {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(v), 10)
	}
	if s.Doc() != "" {
		dst = appendJSONString(append(dst, `,"doc":`...), s.Doc())
	}
	if params := s.Parameters(); len(params) > 0 {
		dst = append(dst, `,"parameters":{`...)
		for i, p := range params {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(append(appendJSONString(dst, p.Name), ':'), p.Value)
		}
		dst = append(dst, '}')
	}
	if !s.Default().IsNull() {
		var err error
		if dst, err = c.appendValue(append(dst, `,"default":`...), s, s.Default()); err != nil {
			return dst, err
		}
	}
	if field != "" {
		dst = appendJSONString(append(dst, `,"field":`...), field)
	}
	return append(dst, '}'), nil
}

// jsonTypes are the names of types in schemas.
var jsonTypes = [...]string{
	data.TypeInt8: "int8", data.TypeInt16: "int16", data.TypeInt32: "int32", data.TypeInt64: "int64", data.TypeFloat32: "float",
	data.TypeFloat64: "double", data.TypeBoolean: "boolean", data.TypeString: "string", data.TypeBytes: "bytes",
	data.TypeArray: "array", data.TypeMap: "map", data.TypeStruct: "struct",
}

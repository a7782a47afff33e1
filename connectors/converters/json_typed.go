package converters

import (
	"encoding/base64"
	"strconv"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// typed reads a value by its schema.
func (p *jsonParser) typed(s *data.Schema, defaults bool) (data.Value, error) {
	if s == nil {
		return p.value()
	}
	c := p.next()
	if c == 'n' {
		if err := p.word("null"); err != nil {
			return data.Null, err
		}
		return nullOf(s, defaults)
	}
	if s.IsLogical() {
		return p.logical(s)
	}
	switch s.Type() {
	case data.TypeStruct:
		return p.structure(s, defaults)
	case data.TypeArray:
		return p.typedArray(s, defaults)
	case data.TypeMap:
		return p.typedMap(s, defaults)
	}
	return p.scalar(s.Type())
}

// nullOf is what null means: the default if there is one (and defaults or a required field ask for it).
func nullOf(s *data.Schema, defaults bool) (data.Value, error) {
	switch {
	case !s.Default().IsNull() && (defaults || !s.Optional()):
		return s.Default(), nil
	case s.Optional():
		return data.Null, nil
	}
	return data.Null, fault.Data.New("Invalid null value for required " + s.Type().String() + " field")
}

// nodeType is Jackson's name of what the next value is.
func (p *jsonParser) nodeType() string {
	switch c := p.next(); c {
	case '{':
		return "OBJECT"
	case '[':
		return "ARRAY"
	case '"':
		return "STRING"
	case 't', 'f':
		return "BOOLEAN"
	case 'n':
		return "NULL"
	}
	return "NUMBER"
}

func (p *jsonParser) wrongType(t data.Type) error {
	node := p.nodeType()
	if err := p.skip(); err != nil {
		return err
	}
	return fault.Data.New("Invalid type for " + t.String() + ": found " + node)
}

func (p *jsonParser) scalar(t data.Type) (data.Value, error) {
	c := p.next()
	switch {
	case t == data.TypeBoolean && (c == 't' || c == 'f'):
		return p.value()
	case t == data.TypeString && c == '"':
		s, err := p.string()
		return data.StringValue(s), err
	case t == data.TypeBytes && c == '"':
		return p.base64()
	case t <= data.TypeFloat64 && (c == '-' || c >= '0' && c <= '9'):
		return p.numberOf(t)
	case t == data.TypeFloat32 && c == '"', t == data.TypeFloat64 && c == '"':
		return p.specialFloat(t)
	}
	return data.Null, p.wrongType(t)
}

func (p *jsonParser) base64() (data.Value, error) {
	s, err := p.string()
	if err != nil {
		return data.Null, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		if b, err = base64.RawStdEncoding.DecodeString(s); err != nil {
			return data.Null, fault.Data.New("Invalid bytes field").Because(err)
		}
	}
	return data.BytesValue(b), nil
}

// specialFloat reads the strings by which NaN and the infinities are written.
func (p *jsonParser) specialFloat(t data.Type) (data.Value, error) {
	s, err := p.string()
	if err != nil {
		return data.Null, err
	}
	switch s {
	case "NaN", "Infinity", "-Infinity":
		f := parseFloat(s, 64)
		if t == data.TypeFloat32 {
			return data.Float32Value(float32(f)), nil
		}
		return data.Float64Value(f), nil
	}
	return data.Null, fault.Data.New("Invalid type for " + t.String() + ": found STRING")
}

// numberOf reads a number; integers narrow and fractions are cut off, as Java's casts do.
func (p *jsonParser) numberOf(t data.Type) (data.Value, error) {
	text, integer, err := p.number()
	if err != nil {
		return data.Null, err
	}
	switch t {
	case data.TypeFloat32:
		return data.Float32Value(float32(parseFloat(text, 32))), nil
	case data.TypeFloat64:
		return data.Float64Value(parseFloat(text, 64)), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		if integer {
			return data.Null, fault.Data.New("Invalid value for " + t.String() + ": the integer " + clip(text) + " does not fit 64 bits")
		}
		n = data.FloatToLong(parseFloat(text, 64))
	}
	switch t {
	case data.TypeInt8:
		return data.Int8Value(int8(n)), nil
	case data.TypeInt16:
		return data.Int16Value(int16(n)), nil
	case data.TypeInt32:
		return data.Int32Value(int32(n)), nil
	}
	return data.Int64Value(n), nil
}

func (p *jsonParser) logical(s *data.Schema) (data.Value, error) {
	if s.IsDecimal() {
		switch c := p.next(); {
		case c == '-' || c >= '0' && c <= '9':
			text, _, err := p.number()
			if err != nil {
				return data.Null, err
			}
			d, err := data.ParseDecimal(text)
			if err != nil {
				return data.Null, fault.Data.Errorf("Invalid value for Decimal: %w", err)
			}
			return data.DecimalValue(d), nil
		case c != '"':
			node := p.nodeType()
			return data.Null, fault.Data.New("Invalid type for Decimal, underlying representation should be numeric or bytes but was " + node)
		}
	}
	stored, err := p.scalar(s.Type())
	if err != nil {
		return data.Null, err
	}
	return data.ToLogical(s, stored)
}

func (p *jsonParser) structure(s *data.Schema, defaults bool) (data.Value, error) {
	if p.dialect && IsUnion(s) {
		return p.union(s, defaults)
	}
	if p.next() != '{' {
		return data.Null, fault.Data.New("Structs should be encoded as JSON objects, but found " + p.nodeType())
	}
	if err := p.enter(); err != nil {
		return data.Null, err
	}
	st := p.slab.Struct(s)
	fields := s.Fields()
	seen := 0
	expect := 0
	for first := true; ; first = false {
		more, err := p.more('}', first)
		if err != nil {
			return data.Null, err
		}
		if !more {
			break
		}
		k, err := p.key()
		if err != nil {
			return data.Null, err
		}
		i := expect
		if i >= len(fields) || fields[i].Name != k {
			f := s.Field(k)
			if f == nil {
				if err := p.skip(); err != nil {
					return data.Null, err
				}
				continue
			}
			i = f.Index
		}
		v, err := p.typed(fields[i].Schema, defaults)
		if err != nil {
			return data.Null, err
		}
		st.SetAt(i, v)
		expect = i + 1
		seen++
	}
	if err := p.fillMissing(st, defaults); err != nil {
		return data.Null, err
	}
	return data.StructValue(st), nil
}

// fillMissing treats fields that were not there as null. In the dialect of JSONOf even those that are required may be missing.
func (p *jsonParser) fillMissing(st *data.Struct, defaults bool) error {
	for i := range st.Schema().Fields() {
		if !st.RawAt(i).IsNull() {
			continue
		}
		schema := st.Schema().Fields()[i].Schema
		if p.dialect {
			st.SetAt(i, schema.Default())
			continue
		}
		v, err := nullOf(schema, defaults)
		if err != nil {
			return err
		}
		st.SetAt(i, v)
	}
	return nil
}

func (p *jsonParser) typedArray(s *data.Schema, defaults bool) (data.Value, error) {
	if p.next() != '[' {
		return data.Null, p.wrongType(data.TypeArray)
	}
	return p.array(s.Elem(), defaults)
}

func (p *jsonParser) typedMap(s *data.Schema, defaults bool) (data.Value, error) {
	object := s.Key() == nil || s.Key().Type() == data.TypeString && !(p.dialect && s.Key().Optional())
	switch {
	case object && p.next() != '{':
		return data.Null, fault.Data.New("Maps with string fields should be encoded as JSON objects, but found " + p.nodeType())
	case object:
		return p.object(s.Elem(), defaults)
	case p.next() != '[':
		return data.Null, fault.Data.New("Maps with non-string fields should be encoded as JSON array of tuples, but found " + p.nodeType())
	}
	if err := p.enter(); err != nil {
		return data.Null, err
	}
	read := p.pair
	if p.dialect {
		read = p.entry
	}
	m := data.NewMap(0)
	for first := true; ; first = false {
		more, err := p.more(']', first)
		if err == nil && more {
			err = read(m, s, defaults)
		}
		if err != nil {
			return data.Null, err
		}
		if !more {
			m.Index()
			return data.MapValue(m), nil
		}
	}
}

// pair reads [key,value].
func (p *jsonParser) pair(m *data.Map, s *data.Schema, defaults bool) error {
	if p.next() != '[' {
		return fault.Data.New("Found invalid map entry instead of array tuple: " + p.nodeType())
	}
	if err := p.enter(); err != nil {
		return err
	}
	var pair [2]data.Value
	n := 0
	for first := true; ; first = false {
		more, err := p.more(']', first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		switch n {
		case 0:
			pair[0], err = p.typed(s.Key(), defaults)
		case 1:
			pair[1], err = p.typed(s.Elem(), defaults)
		default:
			err = p.skip()
		}
		if err != nil {
			return err
		}
		n++
	}
	if n != 2 {
		return fault.Data.New("Found invalid map entry, expected length 2 but found :" + strconv.Itoa(n))
	}
	m.PutKey(pair[0], pair[1])
	return nil
}

package converters

import (
	"strconv"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// UnionName is the name of structs that stand for one of several types in JSON Schema: the field that is set is the value.
const UnionName = "io.confluent.connect.json.OneOf"

// SumParameter is the parameter of structs that stand for one of several types, whatever the schema language they come from.
const SumParameter = "org.apache.kafka.connect.data.Union"

// IsSum tells structs with that parameter.
func IsSum(s *data.Schema) bool {
	_, is := s.Parameter(SumParameter)
	return is && s.Type() == data.TypeStruct
}

// IsUnion tells whether structs of a schema stand for the value of one of their fields.
func IsUnion(s *data.Schema) bool {
	return s.Type() == data.TypeStruct && (s.Name() == UnionName || IsSum(s))
}

// JSONOf is a converter for JSON without envelope whose messages have the schema s, in the form of Confluent's JsonSchemaConverter: a
// union is the value alone, members that are missing are null or the default, and entries of maps whose keys are no strings
// are objects. With numeric decimals are written as numbers. s may be nil for one that writes only.
func JSONOf(s *data.Schema, numeric bool) *JSON {
	c := &JSON{schemas: true, defaults: true, numeric: numeric, content: s, dialect: true}
	c.parser.dialect = true
	return c
}

// Append writes a value by its schema.
func (c *JSON) Append(dst []byte, s *data.Schema, v data.Value) ([]byte, error) {
	return c.appendValue(dst, s, v)
}

// appendMembers writes the fields of a struct that have a value, or the one of a union.
func (c *JSON) appendMembers(dst []byte, s *data.Schema, st *data.Struct) ([]byte, error) {
	if IsUnion(s) {
		return c.appendUnion(dst, s, st)
	}
	dst = append(dst, '{')
	first := true
	for i, f := range s.Fields() {
		v := st.At(i)
		if v.IsNull() && !f.Schema.Optional() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = c.appendValue(append(appendJSONString(dst, f.Name), ':'), f.Schema, v); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendUnion writes the value of the field that is set.
func (c *JSON) appendUnion(dst []byte, s *data.Schema, st *data.Struct) ([]byte, error) {
	for i, f := range s.Fields() {
		if v := st.At(i); !v.IsNull() {
			return c.appendValue(dst, f.Schema, v)
		}
	}
	return c.appendNull(dst, s)
}

// appendEntries writes a map whose keys are no strings.
func (c *JSON) appendEntries(dst []byte, s *data.Schema, m *data.Map) ([]byte, error) {
	dst = append(dst, '[')
	for i, e := range m.Entries() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = c.appendValue(append(dst, `{"key":`...), s.Key(), e.Key); err != nil {
			return dst, err
		}
		if dst, err = c.appendValue(append(dst, `,"value":`...), s.Elem(), e.Value); err != nil {
			return dst, err
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// entry reads an entry of a map whose keys are no strings.
func (p *jsonParser) entry(m *data.Map, s *data.Schema, defaults bool) error {
	if p.next() != '{' {
		return fault.Data.New("Found invalid map entry instead of object: " + p.nodeType())
	}
	if err := p.enter(); err != nil {
		return err
	}
	var pair [2]data.Value
	for n, first := 0, true; ; n, first = n+1, false {
		more, err := p.more('}', first)
		if err == nil && !more && n != 2 {
			err = fault.Data.New("Found invalid map entry, expected length 2 but found :" + strconv.Itoa(n))
		}
		if err != nil {
			return err
		}
		if !more {
			break
		}
		k, err := p.key()
		if err != nil {
			return err
		}
		switch k {
		case "key":
			pair[0], err = p.typed(s.Key(), defaults)
		case "value":
			pair[1], err = p.typed(s.Elem(), defaults)
		default:
			err = p.skip()
		}
		if err != nil {
			return err
		}
	}
	m.PutKey(pair[0], pair[1])
	return nil
}

// union reads a value into the field that it fits: the first of a simple type, else the struct with most of the members, else, for a
// string, bytes.
func (p *jsonParser) union(s *data.Schema, defaults bool) (data.Value, error) {
	place, most := -1, -1
	var members map[string]bool
	for i, f := range s.Fields() {
		if fits, err := p.fits(f.Schema); err != nil {
			return data.Null, err
		} else if fits {
			place = i
			break
		}
		if place < 0 && f.Schema.Type() == data.TypeBytes && p.next() == '"' {
			place = i
		}
		if f.Schema.Type() != data.TypeStruct || p.next() != '{' {
			continue
		}
		if members == nil {
			var err error
			if members, err = p.members(); err != nil {
				return data.Null, err
			}
		}
		if n := matching(f.Schema, members); n > most {
			place, most = i, n
		}
	}
	if place < 0 {
		return data.Null, fault.Data.New("Did not find matching oneof field for data")
	}
	v, err := p.typed(s.Fields()[place].Schema, defaults)
	if err != nil {
		return data.Null, err
	}
	st := p.slab.Struct(s)
	st.SetAt(place, v)
	return data.StructValue(st), nil
}

func matching(s *data.Schema, members map[string]bool) int {
	n := 0
	for name := range members {
		if s.Field(name) != nil {
			n++
		}
	}
	return n
}

// fits tells whether the next value may be of a schema that is no struct, or one that a union within has.
func (p *jsonParser) fits(s *data.Schema) (bool, error) {
	c := p.next()
	number := c == '-' || c >= '0' && c <= '9'
	switch t := s.Type(); {
	case IsUnion(s):
		for _, f := range s.Fields() {
			if fits, err := p.fits(f.Schema); fits || err != nil {
				return fits, err
			}
		}
		return false, nil
	case t == data.TypeStruct:
		return false, nil
	case t <= data.TypeInt64 && number:
		back := p.pos
		_, integer, err := p.number()
		p.pos = back
		return integer, err
	case t == data.TypeFloat32, t == data.TypeFloat64:
		return number, nil
	case t == data.TypeBoolean:
		return c == 't' || c == 'f', nil
	case t == data.TypeString:
		return c == '"', nil
	case t == data.TypeBytes:
		return number && s.IsDecimal(), nil
	case t == data.TypeArray:
		return c == '[', nil
	case t == data.TypeMap:
		return c == '{' || c == '[', nil
	}
	return false, nil
}

// maxScans bounds how often the bytes of a message are gone through to choose among structs: unions within unions ask for more.
const maxScans = 16

// members are the names in the next object, which stays where it is.
func (p *jsonParser) members() (map[string]bool, error) {
	back, depth := p.pos, p.depth
	if err := p.enter(); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for first := true; ; first = false {
		more, err := p.more('}', first)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		k, err := p.key()
		if err == nil {
			err = p.skip()
		}
		if err != nil {
			return nil, err
		}
		out[k] = true
	}
	if p.scanned += p.pos - back; p.scanned > maxScans*len(p.b) {
		return nil, fault.Data.New("unions of structs are nested too deep to tell which they are")
	}
	p.pos, p.depth = back, depth
	return out, nil
}

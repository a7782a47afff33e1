package wasmstream

import "unsafe"

// Schema describes values of Connect. Those of records are shared by all records of the instance, so that they can be
// compared by their address; they are not to be changed. A guest makes its own with StructSchema and its like, or by
// filling one in: once for each instance, not for each record.
type Schema struct {
	Type     DatumType // Int8 to Struct
	Optional bool
	// Name is "" for none. Logical types are told by it.
	Name string
	// Version counts if HasVersion.
	Version    int32
	HasVersion bool
	Doc        string
	Params     []Param
	Fields     []Field
	// Key and Elem are the schemas of a Map's keys, and of its values or an Array's elements.
	Key, Elem *Schema
	// Default is what stands for null, or null.
	Default Datum

	id    uint32
	index map[string]int
	// The field that was asked for last, by its own name: functions ask for the same one with every record.
	last   string
	lastAt int
}

// Field is a field of a struct.
type Field struct {
	Name   string
	Schema *Schema
}

// Param is a parameter of a schema.
type Param struct{ Name, Value string }

// Names of the logical types.
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
)

// StructSchema makes the schema of a struct.
func StructSchema(name string, fields ...Field) *Schema {
	return &Schema{Type: TypeStruct, Name: name, Fields: fields}
}

// primitives are schemas without further properties, required and optional.
var primitives [2][TypeBytes + 1]*Schema

// Primitive is the schema of a type from Int8 to Bytes without further properties.
func Primitive(t DatumType, optional bool) *Schema {
	i := 0
	if optional {
		i = 1
	}
	if primitives[i][t] == nil {
		primitives[i][t] = &Schema{Type: t, Optional: optional}
	}
	return primitives[i][t]
}

// TimestampSchema makes the schema of the logical type Timestamp.
func TimestampSchema(optional bool) *Schema {
	return &Schema{Type: TypeInt64, Name: TimestampName, Version: 1, HasVersion: true, Optional: optional}
}

// With is the schema of a struct with further fields.
func (s *Schema) With(fields ...Field) *Schema {
	out := *s
	out.id, out.index, out.last = 0, nil, ""
	out.Fields = append(append([]Field(nil), s.Fields...), fields...)
	return &out
}

// Index is the position of the field called name, -1 if there is none.
func (s *Schema) Index(name string) int {
	if s.last == name && s.index != nil {
		return s.lastAt
	}
	i := s.find(name)
	if i >= 0 {
		s.last, s.lastAt = s.Fields[i].Name, i // name itself may be borrowed
	}
	return i
}

func (s *Schema) find(name string) int {
	if s.index == nil {
		s.index = make(map[string]int, len(s.Fields))
		for i := range s.Fields {
			s.index[s.Fields[i].Name] = i
		}
	}
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// guestSchema is set in the numbers of schemas that the guest makes.
const guestSchema = 1 << 31

const (
	schemaHdrSize  = 32
	schemaOptional = 1
	schemaVersion  = 2
)

// schemas are those that have crossed, by number: of the host, and of the guest.
var schemas struct{ host, guest []*Schema }

func schemaOf(id uint32) *Schema {
	list := schemas.host
	if id&guestSchema != 0 {
		list = schemas.guest
	}
	if i := id &^ guestSchema; i > 0 && int(i) <= len(list) {
		return list[i-1]
	}
	return nil
}

// learn takes the schemas of a frame's aux block.
func learn(aux []byte) {
	for len(aux) > 0 {
		var k, v []byte
		k, v, aux = nextPair(aux)
		if string(k) == "schema" {
			learnSchema(v)
		}
	}
}

func learnSchema(b []byte) {
	p := ptr(b)
	id := load32(p, 0)
	for int(id) > len(schemas.host) {
		schemas.host = append(schemas.host, nil)
	}
	flags := load16(p, 4) >> 8
	s := &Schema{
		Type: DatumType(load16(p, 4)), Optional: flags&schemaOptional != 0, HasVersion: flags&schemaVersion != 0, Version: int32(load32(p, 8)),
		Key: schemaOf(load32(p, 12)), Elem: schemaOf(load32(p, 16)), id: id,
	}
	fields, params := int(load32(p, 20)), int(load32(p, 24))
	for n, rest := 0, b[schemaHdrSize:]; len(rest) > 0; n++ {
		var k, v []byte
		k, v, rest = nextPair(rest)
		switch name := string(k); {
		case n < fields:
			s.Fields = append(s.Fields, Field{name, schemaOf(load32(ptr(v), 0))})
		case n < fields+params:
			s.Params = append(s.Params, Param{name, string(v)})
		case name == "name":
			s.Name = string(v)
		case name == "doc":
			s.Doc = string(v)
		case name == "default":
			s.Default = datumOf(append([]byte(nil), v...))
		}
	}
	schemas.host[id-1] = s
}

// number is the schema's number; one that has not crossed yet goes into the aux block of the frame that is written.
func (s *Schema) number() uint32 {
	if s == nil {
		return 0
	}
	if s.id == 0 {
		out.aux = s.define(out.aux)
	}
	return s.id
}

// define appends the pair of the schema, after those of the schemas inside it.
func (s *Schema) define(aux []byte) []byte {
	for _, inner := range []*Schema{s.Key, s.Elem} {
		if inner != nil && inner.id == 0 {
			aux = inner.define(aux)
		}
	}
	for i := range s.Fields {
		if s.Fields[i].Schema.id == 0 {
			aux = s.Fields[i].Schema.define(aux)
		}
	}
	schemas.guest = append(schemas.guest, s)
	s.id = uint32(len(schemas.guest)) | guestSchema
	b := aligned(schemaHdrSize)
	p := ptr(b)
	store32(p, 0, s.id)
	kind := uint32(s.Type)
	if s.Optional {
		kind |= schemaOptional << 8
	}
	if s.HasVersion {
		kind |= schemaVersion << 8
	}
	store32(p, 4, kind)
	store32(p, 8, uint32(s.Version))
	store32(p, 12, s.Key.number())
	store32(p, 16, s.Elem.number())
	store32(p, 20, uint32(len(s.Fields)))
	store32(p, 24, uint32(len(s.Params)))
	for i := range s.Fields {
		var id [4]byte
		store32(unsafe.Pointer(&id), 0, s.Fields[i].Schema.id)
		b = appendPair(b, []byte(s.Fields[i].Name), id[:])
	}
	for _, param := range s.Params {
		b = appendPair(b, []byte(param.Name), []byte(param.Value))
	}
	if s.Name != "" {
		b = appendPair(b, []byte("name"), []byte(s.Name))
	}
	if s.Doc != "" {
		b = appendPair(b, []byte("doc"), []byte(s.Doc))
	}
	if !s.Default.IsNull() {
		var w Writer
		w.Reset(nil)
		w.Copy(s.Default)
		b = appendPair(b, []byte("default"), w.buf)
	}
	return appendPair(aux, []byte("schema"), b)
}

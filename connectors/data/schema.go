package data

import "strconv"

// Param is one parameter of a schema.
type Param struct{ Name, Value string }

// Field is a field of a struct schema.
type Field struct {
	Name   string
	Index  int
	Schema *Schema
}

// Schema describes values. It is immutable; a nil *Schema is the missing schema of data that describes itself.
// An empty name or doc is none.
type Schema struct {
	typ        Type
	optional   bool
	hasVersion bool
	logical    logical
	version    int32
	def        Value
	name, doc  string
	params     []Param
	fields     []Field
	index      map[string]int
	key, value *Schema
	within     *Schema // what a reference of a Knot stands for
}

// logical is which logical type of Kafka's own a schema's name gives it.
type logical uint8

const (
	plain logical = iota
	logicalDecimal
	logicalDate
	logicalTime
	logicalTimestamp
)

func logicalOf(name string) logical {
	switch name {
	case DecimalName:
		return logicalDecimal
	case DateName:
		return logicalDate
	case TimeName:
		return logicalTime
	case TimestampName:
		return logicalTimestamp
	}
	return plain
}

// Type is what values hold; of logical types the type that they are stored as.
func (s *Schema) Type() Type { return s.typ }

// Optional tells whether null is allowed.
func (s *Schema) Optional() bool { return s.optional }

// Default is the value that stands for null, or null.
func (s *Schema) Default() Value { return s.def }

// Name is the schema's name, which for logical types says which.
func (s *Schema) Name() string { return s.name }

// Version is the version, and whether there is one.
func (s *Schema) Version() (int32, bool) { return s.version, s.hasVersion }

// Doc is the documentation.
func (s *Schema) Doc() string { return s.doc }

// Parameters are in the order in which they were given.
func (s *Schema) Parameters() []Param { return s.params }

// Parameter is one parameter and whether there is one.
func (s *Schema) Parameter(name string) (string, bool) {
	for _, p := range s.params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// Key is the schema of a map's keys, nil if there is none.
func (s *Schema) Key() *Schema { return s.key }

// Elem is the schema of an array's elements or a map's values, nil if there is none (Kafka's valueSchema).
func (s *Schema) Elem() *Schema { return s.value }

// Fields are those of a struct, in order.
func (s *Schema) Fields() []Field { return s.fields }

// Field finds a field of a struct, nil if there is none.
func (s *Schema) Field(name string) *Field {
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			return &s.fields[i]
		}
		return nil
	}
	for i := range s.fields {
		if s.fields[i].Name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// IsDecimal tells whether values are Decimals.
func (s *Schema) IsDecimal() bool { return s != nil && s.logical == logicalDecimal }

// IsDate tells whether values are days.
func (s *Schema) IsDate() bool { return s != nil && s.logical == logicalDate }

// IsTime tells whether values are times of a day.
func (s *Schema) IsTime() bool { return s != nil && s.logical == logicalTime }

// IsTimestamp tells whether values are instants.
func (s *Schema) IsTimestamp() bool { return s != nil && s.logical == logicalTimestamp }

// IsLogical tells whether the schema is one of Kafka's four logical types.
func (s *Schema) IsLogical() bool { return s != nil && s.logical != plain }

// Equal compares everything, as Kafka's ConnectSchema.equals.
func (s *Schema) Equal(o *Schema) bool {
	var seen equality
	return s.equal(o, &seen)
}

func (s *Schema) equal(o *Schema, seen *equality) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil {
		return false
	}
	if (s.within != nil || o.within != nil) && !seen.open(s, o) {
		return true
	}
	return s.typ == o.typ && s.optional == o.optional && s.name == o.name && s.doc == o.doc &&
		s.hasVersion == o.hasVersion && s.version == o.version && s.def.Equal(o.def) &&
		equalParams(s, o) && equalFields(s.fields, o.fields, seen) && s.key.equal(o.key, seen) && s.value.equal(o.value, seen)
}

func equalParams(s, o *Schema) bool {
	if len(s.params) != len(o.params) {
		return false
	}
	for _, p := range s.params {
		if v, ok := o.Parameter(p.Name); !ok || v != p.Value {
			return false
		}
	}
	return true
}

func equalFields(a, b []Field, seen *equality) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !a[i].Schema.equal(b[i].Schema, seen) {
			return false
		}
	}
	return true
}

// String is Kafka's: Schema{name:TYPE}, or the type alone.
func (s *Schema) String() string {
	switch {
	case s == nil:
		return "null"
	case s.name != "":
		return "Schema{" + s.name + ":" + s.typ.String() + "}"
	}
	return "Schema{" + s.typ.String() + "}"
}

// scale is the scale of a Decimal's schema.
func (s *Schema) scale() (int, error) {
	text, ok := s.Parameter(ScaleParameter)
	if !ok {
		return 0, noScale()
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badScale(err)
	}
	return n, nil
}

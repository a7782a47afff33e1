package data

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Struct holds the values of a struct schema. It may be filled until it is part of a record; from then on it is not to
// be changed.
type Struct struct {
	schema *Schema
	values []Value
}

// NewStruct makes a struct of nulls. A schema of another type is a DataException.
func NewStruct(schema *Schema) (*Struct, error) {
	if schema == nil || schema.typ != TypeStruct {
		return nil, fault.Data.New("Not a struct schema: " + schema.String())
	}
	return &Struct{schema: schema, values: make([]Value, len(schema.fields))}, nil
}

// StructOf makes a struct of values in the order of the schema's fields, which it takes over unchecked: for those who
// have made the values by the schema. Their number must be that of the fields.
func StructOf(schema *Schema, values []Value) *Struct {
	if schema.typ != TypeStruct || len(values) != len(schema.fields) {
		panic("data: StructOf: values do not belong to the schema")
	}
	return &Struct{schema: schema, values: values}
}

// Schema describes the struct.
func (s *Struct) Schema() *Schema { return s.schema }

// At is the value of field i; null is replaced by the field's default.
func (s *Struct) At(i int) Value {
	if v := s.values[i]; !v.IsNull() {
		return v
	}
	return s.schema.fields[i].Schema.def
}

// RawAt is the value of field i as it is.
func (s *Struct) RawAt(i int) Value { return s.values[i] }

// SetAt sets field i unchecked, for those who have made the value by the schema.
func (s *Struct) SetAt(i int, v Value) { s.values[i] = v }

// Recast gives a struct that is still being made another schema. Values stay in their places; those of further fields are null.
func (s *Struct) Recast(to *Schema) {
	if to.typ != TypeStruct || len(to.fields) < len(s.values) {
		panic("data: Recast: values do not belong to the schema")
	}
	for len(s.values) < len(to.fields) {
		s.values = append(s.values, Null)
	}
	s.schema = to
}

// Get is the value of a field; null is replaced by the field's default.
func (s *Struct) Get(name string) (Value, error) {
	f, err := s.field(name)
	if err != nil {
		return Null, err
	}
	return s.At(f.Index), nil
}

// GetWithoutDefault is the value of a field as it is.
func (s *Struct) GetWithoutDefault(name string) (Value, error) {
	f, err := s.field(name)
	if err != nil {
		return Null, err
	}
	return s.values[f.Index], nil
}

// Put sets a field after checking the value against its schema.
func (s *Struct) Put(name string, v Value) error {
	f, err := s.field(name)
	if err != nil {
		return err
	}
	if err := validate(f.Name, f.Schema, v); err != nil {
		return err
	}
	s.values[f.Index] = v
	return nil
}

// MustPut is Put for values that are part of the program.
func (s *Struct) MustPut(name string, v Value) *Struct {
	if err := s.Put(name, v); err != nil {
		panic(err)
	}
	return s
}

func (s *Struct) field(name string) (*Field, error) {
	if f := s.schema.Field(name); f != nil {
		return f, nil
	}
	return nil, fault.Data.New(name + " is not a valid field name")
}

// Validate checks that each required field has a value or a default.
func (s *Struct) Validate() error {
	for i := range s.schema.fields {
		f := &s.schema.fields[i]
		if s.values[i].IsNull() && (f.Schema.optional || !f.Schema.def.IsNull()) {
			continue
		}
		if err := validate(f.Name, f.Schema, s.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// Equal compares schema and values.
func (s *Struct) Equal(o *Struct) bool {
	return s == o || s != nil && o != nil && s.schema.Equal(o.schema) && equalArrays(s.values, o.values)
}

// String is Kafka's: Struct{a=1,b=x}, without nulls.
func (s *Struct) String() string {
	var b strings.Builder
	b.WriteString("Struct{")
	first := true
	for i, v := range s.values {
		if v.IsNull() {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteString(s.schema.fields[i].Name)
		b.WriteByte('=')
		b.WriteString(v.String())
	}
	b.WriteByte('}')
	return b.String()
}

package data

import "github.com/wasmstream/wasmstream/connectors/fault"

// SchemaBuilder makes a Schema. Mistakes are kept and reported by Build.
type SchemaBuilder struct {
	s   Schema
	err error
}

// NewSchema begins a schema of a type; for arrays and maps use NewArray and NewMapSchema.
func NewSchema(t Type) *SchemaBuilder { return &SchemaBuilder{s: Schema{typ: t}} }

// NewStructSchema begins the schema of a struct.
func NewStructSchema() *SchemaBuilder { return NewSchema(TypeStruct) }

// NewArraySchema begins the schema of an array. elem may be nil: an array of which nothing is known, as in Values.
func NewArraySchema(elem *Schema) *SchemaBuilder {
	return &SchemaBuilder{s: Schema{typ: TypeArray, value: elem}}
}

// NewMapSchema begins the schema of a map. key and value may be nil, as in Values.
func NewMapSchema(key, value *Schema) *SchemaBuilder {
	return &SchemaBuilder{s: Schema{typ: TypeMap, key: key, value: value}}
}

// CopyBasics begins a schema of type t with name, version, doc and parameters of another: Kafka's
// SchemaUtil.copySchemaBasics. Whether null is allowed, the default and the fields are not copied.
func CopyBasics(s *Schema, t Type) *SchemaBuilder {
	b := &SchemaBuilder{s: Schema{typ: t, name: s.name, version: s.version, hasVersion: s.hasVersion, doc: s.doc}}
	b.s.params = append([]Param(nil), s.params...)
	return b
}

// Optional allows null.
func (b *SchemaBuilder) Optional() *SchemaBuilder { return b.SetOptional(true) }

// SetOptional says whether null is allowed.
func (b *SchemaBuilder) SetOptional(yes bool) *SchemaBuilder {
	b.s.optional = yes
	return b
}

// Default sets the value that stands for null. Null takes it away.
func (b *SchemaBuilder) Default(v Value) *SchemaBuilder {
	b.s.def = v
	return b
}

// Name sets the name.
func (b *SchemaBuilder) Name(name string) *SchemaBuilder {
	b.s.name = name
	return b
}

// Version sets the version.
func (b *SchemaBuilder) Version(v int32) *SchemaBuilder {
	b.s.version, b.s.hasVersion = v, true
	return b
}

// Doc sets the documentation.
func (b *SchemaBuilder) Doc(doc string) *SchemaBuilder {
	b.s.doc = doc
	return b
}

// Parameter sets a parameter.
func (b *SchemaBuilder) Parameter(name, value string) *SchemaBuilder {
	for i := range b.s.params {
		if b.s.params[i].Name == name {
			b.s.params[i].Value = value
			return b
		}
	}
	b.s.params = append(b.s.params, Param{Name: name, Value: value})
	return b
}

// Field adds a field to a struct.
func (b *SchemaBuilder) Field(name string, schema *Schema) *SchemaBuilder {
	switch {
	case b.s.typ != TypeStruct:
		b.fail("Cannot create fields on type " + b.s.typ.String())
	case name == "":
		b.fail("fieldName cannot be null.")
	case schema == nil:
		b.fail("fieldSchema for field " + name + " cannot be null.")
	case b.has(name):
		b.fail("Cannot create field because of field name duplication " + name)
	default:
		b.s.fields = append(b.s.fields, Field{Name: name, Index: len(b.s.fields), Schema: schema})
		if b.s.index != nil {
			b.s.index[name] = len(b.s.fields) - 1
		} else if len(b.s.fields) >= indexFrom {
			b.s.index = make(map[string]int, 2*len(b.s.fields))
			for i := range b.s.fields {
				b.s.index[b.s.fields[i].Name] = i
			}
		}
	}
	return b
}

// Has tells whether a field of this name was added.
func (b *SchemaBuilder) has(name string) bool { return b.s.Field(name) != nil }

func (b *SchemaBuilder) fail(message string) {
	if b.err == nil {
		b.err = fault.SchemaBuilder.New(message)
	}
}

// Build makes the schema, or reports the first mistake as a SchemaBuilderException.
func (b *SchemaBuilder) Build() (*Schema, error) {
	if b.err != nil {
		return nil, b.err
	}
	s := b.s
	s.logical = logicalOf(s.name)
	s.fields = append([]Field(nil), b.s.fields...)
	if !s.def.IsNull() {
		probe := s
		if err := ValidateValue(&probe, s.def); err != nil {
			return nil, fault.SchemaBuilder.Errorf("Invalid default value: %w", err)
		}
	}
	return &s, nil
}

// MustBuild is Build for schemas that are part of the program.
func (b *SchemaBuilder) MustBuild() *Schema {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}

// CopyArray begins a schema as CopyBasics does, with the elements of an array's schema.
func CopyArray(s *Schema) *SchemaBuilder {
	b := CopyBasics(s, TypeArray)
	b.s.value = s.value
	return b
}

// CopyAll begins a schema with everything of another.
func CopyAll(s *Schema) *SchemaBuilder {
	b := &SchemaBuilder{s: *s}
	b.s.params = append([]Param(nil), s.params...)
	b.s.fields = append([]Field(nil), s.fields...)
	if s.index != nil {
		b.s.index = make(map[string]int, len(s.index))
		for i := range b.s.fields {
			b.s.index[b.s.fields[i].Name] = i
		}
	}
	return b
}

// Rebuild is Build without the check of the default: for a schema that is another with a new name or version.
func (b *SchemaBuilder) Rebuild() *Schema {
	s := b.s
	s.logical = logicalOf(s.name)
	return &s
}

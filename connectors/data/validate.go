package data

import "github.com/wasmstream/wasmstream/connectors/fault"

// ValidateValue checks that v may stand under s: its type, nulls, the elements within.
func ValidateValue(s *Schema, v Value) error { return validate("", s, v) }

func validate(field string, s *Schema, v Value) error {
	if v.IsNull() {
		if s.optional {
			return nil
		}
		return fault.Data.New("Invalid value: null used for required field: \"" + fieldName(field) + "\", schema type: " + s.typ.String())
	}
	if !fits(s, v) {
		return mismatch(field, s, v)
	}
	switch s.typ {
	case TypeStruct:
		if !v.Struct().schema.Equal(s) {
			return fault.Data.New("Struct schemas do not match.")
		}
		return v.Struct().Validate()
	case TypeArray:
		for _, e := range v.Array() {
			if s.value == nil {
				continue
			}
			if err := validate(field, s.value, e); err != nil {
				return err
			}
		}
	case TypeMap:
		return validateMap(field, s, v.Map())
	}
	return nil
}

func validateMap(field string, s *Schema, m *Map) error {
	for _, e := range m.entries {
		if s.key != nil {
			if err := validate(field, s.key, e.Key); err != nil {
				return err
			}
		}
		if s.value != nil {
			if err := validate(field, s.value, e.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// fits compares a value's type with that which the schema expects; logical schemas expect the object behind.
func fits(s *Schema, v Value) bool {
	switch s.logical {
	case plain:
		return v.t == s.typ
	case logicalDecimal:
		return v.t == TypeDecimal
	}
	return v.t == TypeDate
}

func fieldName(name string) string {
	if name == "" {
		return "null"
	}
	return name
}

func mismatch(field string, s *Schema, v Value) error {
	text := "Invalid Java object for schema "
	if s.name != "" {
		text += "\"" + s.name + "\" "
	}
	text += "with type " + s.typ.String() + ": class " + v.t.JavaClass()
	if field != "" {
		text += " for field: \"" + field + "\""
	}
	return fault.Data.New(text)
}

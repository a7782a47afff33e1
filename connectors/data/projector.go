package data

import "github.com/wasmstream/wasmstream/connectors/fault"

// Project turns a value of one version of a schema into one of another: Kafka's SchemaProjector. Numbers may widen; fields
// that are new take their default, or null; what does not fit is a SchemaProjectorException.
func Project(source *Schema, v Value, target *Schema) (Value, error) {
	if err := compatible(source, target); err != nil {
		return Null, err
	}
	if v.IsNull() || source.optional && !target.optional && target.def.IsNull() {
		return projectNull(source, target)
	}
	if source == target || source.Equal(target) {
		return v, nil
	}
	switch target.typ {
	case TypeStruct:
		return projectStruct(source, v.Struct(), target)
	case TypeArray:
		return projectArray(source, v, target)
	case TypeMap:
		return projectMap(source, v, target)
	}
	if v.t == target.typ || v.t > TypeStruct {
		return v, nil
	}
	return Convert(Primitive(target.typ, false), nil, v)
}

func projectNull(source, target *Schema) (Value, error) {
	switch {
	case !source.optional || target.optional:
		return Null, nil
	case !target.def.IsNull():
		return target.def, nil
	}
	return Null, fault.SchemaProjector.New("Writer schema is optional, however, target schema does not provide a default value.")
}

func compatible(source, target *Schema) error {
	switch {
	case source.typ != target.typ && !promotable(source.typ, target.typ):
		return fault.SchemaProjector.New("Schema type mismatch. source type: " + source.typ.String() + " and target type: " + target.typ.String())
	case source.name != target.name:
		return fault.SchemaProjector.New("Schema name mismatch. source name: " + source.name + " and target name: " + target.name)
	case !equalParams(source, target):
		return fault.SchemaProjector.New("Schema parameters not equal.")
	}
	return nil
}

// promotable tells whether numbers of a type fit the other without loss of their size.
func promotable(from, to Type) bool {
	return from >= TypeInt8 && from < to && to <= TypeFloat64
}

func projectStruct(source *Schema, s *Struct, target *Schema) (Value, error) {
	out := &Struct{schema: target, values: make([]Value, len(target.fields))}
	for i := range target.fields {
		f := &target.fields[i]
		from := source.Field(f.Name)
		if from == nil {
			if !f.Schema.optional && f.Schema.def.IsNull() {
				return Null, fault.SchemaProjector.New("Required field `" + f.Name + "` is missing from source schema: " + source.String())
			}
			if !f.Schema.optional {
				out.values[i] = f.Schema.def
			}
			continue
		}
		v, err := Project(from.Schema, s.At(from.Index), f.Schema)
		if err != nil {
			return Null, fault.SchemaProjector.Errorf("Error projecting %s: %w", f.Name, err)
		}
		out.values[i] = v
	}
	return StructValue(out), nil
}

func projectArray(source *Schema, v Value, target *Schema) (Value, error) {
	out := make([]Value, len(v.Array()))
	for i, e := range v.Array() {
		var err error
		if out[i], err = Project(source.value, e, target.value); err != nil {
			return Null, err
		}
	}
	return ArrayValue(out), nil
}

func projectMap(source *Schema, v Value, target *Schema) (Value, error) {
	out := NewMap(v.Map().Len())
	for _, e := range v.Map().Entries() {
		k, err := Project(source.key, e.Key, target.key)
		if err != nil {
			return Null, err
		}
		x, err := Project(source.value, e.Value, target.value)
		if err != nil {
			return Null, err
		}
		out.PutKey(k, x)
	}
	return MapValue(out), nil
}

package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// ExtractField replaces the key or value by one of its fields.
type ExtractField struct {
	closer
	side     side
	path     FieldPath
	defaults bool
}

const extractPurpose = "field extraction"

// ConfigDef defines field.
func (*ExtractField) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "field", Type: config.String, Importance: config.Medium, Doc: "The field that takes the place of the whole."},
		syntaxKey(), replaceNullKey(),
	)
}

// Configure reads the settings.
func (e *ExtractField) Configure(props config.Props) error {
	v, err := e.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	e.defaults = v.Bool(replaceNull)
	e.path, err = ParseFieldPath(v.String("field"), v.String(fieldSyntaxVersion))
	return config.At("field", err)
}

// Apply extracts. A null stays null; with a schema a field that is not there is an error, without one it is null.
func (e *ExtractField) Apply(r *connectors.Record) (bool, error) {
	sv := e.side.of(r)
	if sv.Schema == nil {
		return true, e.schemaless(sv)
	}
	if !sv.Value.IsNull() {
		if _, err := requireStruct(sv.Value, extractPurpose); err != nil {
			return true, err
		}
	}
	schema, err := e.schemaIn(sv.Schema)
	if err != nil {
		return true, err
	}
	v, err := e.path.In(sv.Value, e.defaults)
	*sv = data.SchemaAndValue{Schema: schema, Value: v}
	return true, err
}

// schemaIn finds the schema of the field. What is no struct on the way to it is a mistake in the data, a struct without it one in
// the settings.
func (e *ExtractField) schemaIn(s *data.Schema) (*data.Schema, error) {
	if len(e.path.Steps) == 0 {
		return nil, fault.IllegalArgument.New("The path to the field is empty")
	}
	for _, step := range e.path.Steps {
		if s.Type() != data.TypeStruct {
			return nil, fault.Data.New("Cannot look up fields on non-struct type")
		}
		f := s.Field(step)
		if f == nil {
			return nil, fault.IllegalArgument.New("Unknown field: " + e.path.Text)
		}
		s = f.Schema
	}
	return s, nil
}

func (e *ExtractField) schemaless(sv *data.SchemaAndValue) error {
	if sv.Value.IsNull() {
		return nil
	}
	if _, err := requireMap(sv.Value, extractPurpose); err != nil {
		return err
	}
	if len(e.path.Steps) == 0 {
		return fault.IllegalArgument.New("The path to the field is empty")
	}
	v, err := e.path.In(sv.Value, e.defaults)
	sv.Value = v
	return err
}

// Filter drops every record; a predicate says which ones come to it.
type Filter struct{ closer }

// ConfigDef defines nothing.
func (*Filter) ConfigDef() *config.Def { return config.NewDef() }

// Configure reads nothing.
func (*Filter) Configure(config.Props) error { return nil }

// Apply drops the record.
func (*Filter) Apply(*connectors.Record) (bool, error) { return false, nil }

// HoistField wraps the key or value into a struct or map with one field; with V2 a path makes several around each other.
type HoistField struct {
	closer
	side  side
	path  FieldPath
	cache schemaCache[[]*data.Schema]
	slab  data.Slab
}

// ConfigDef defines field.
func (*HoistField) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "field", Type: config.String, Importance: config.Medium, Doc: "The name of the one field of the new struct or map."},
		pathsKey(),
	)
}

// Configure reads the settings.
func (h *HoistField) Configure(props config.Props) error {
	v, err := h.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	h.path, err = pathAt("field", v.String("field"), v)
	return err
}

// Apply wraps, null too.
func (h *HoistField) Apply(r *connectors.Record) (bool, error) {
	return h.ApplyDraft(r, &connectors.Draft{})
}

// ApplyDraft implements connectors.DraftTransformation.
func (h *HoistField) ApplyDraft(r *connectors.Record, d *connectors.Draft) (bool, error) {
	sv, own := h.side.of(r), h.side.draft(d)
	if sv.Schema == nil {
		for i := len(h.path.Steps) - 1; i >= 0; i-- {
			m := h.slab.Map(nil, 1+draftRoom)
			m.Put(h.path.Steps[i], sv.Value)
			sv.Value, *own = data.MapValue(m), true
		}
		return true, nil
	}
	schemas, err := h.cache.get(sv.Schema, func() ([]*data.Schema, error) { return h.wrap(sv.Schema) })
	if err != nil {
		return true, err
	}
	if sv.Value.IsNull() && !sv.Schema.Optional() {
		return true, data.ValidateValue(sv.Schema, sv.Value)
	}
	for _, s := range schemas {
		out := h.slab.RoomyStruct(s, draftRoom)
		out.SetAt(0, sv.Value)
		*sv, *own = data.SchemaAndValue{Schema: s, Value: data.StructValue(out)}, true
	}
	return true, nil
}

// wrap makes the schemas from the inside out.
func (h *HoistField) wrap(inner *data.Schema) ([]*data.Schema, error) {
	var out []*data.Schema
	for i := len(h.path.Steps) - 1; i >= 0; i-- {
		s, err := data.NewStructSchema().Field(h.path.Steps[i], inner).Build()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		inner = s
	}
	return out, nil
}

package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// DropHeaders removes headers by name.
type DropHeaders struct {
	closer
	names []string
}

// ConfigDef defines headers.
func (*DropHeaders) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "headers", Type: config.List, Validator: config.FilledList, Importance: config.High,
		Doc: "Names of the headers that go.",
	})
}

// Configure reads the settings.
func (d *DropHeaders) Configure(props config.Props) error {
	v, err := d.ConfigDef().Parse(props)
	d.names = v.List("headers")
	return err
}

// Apply removes every header of the names.
func (d *DropHeaders) Apply(r *connectors.Record) (bool, error) {
	for _, name := range d.names {
		r.Headers = r.Headers.Remove(name)
	}
	return true, nil
}

// InsertHeader adds a header with a fixed value.
type InsertHeader struct {
	closer
	header string
	value  data.SchemaAndValue
}

// ConfigDef defines header and value.literal.
func (*InsertHeader) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "header", Type: config.String, Validator: config.NotNull, Importance: config.High, Doc: "The header to add."},
		config.Key{Name: "value.literal", Type: config.String, Validator: config.NotNull, Importance: config.High, Doc: "The value, whose type is guessed as that of a header is."},
	)
}

// Configure reads the settings; the type of the literal is guessed as that of a header is.
func (i *InsertHeader) Configure(props config.Props) error {
	v, err := i.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	i.header, i.value = v.String("header"), data.ParseString(v.String("value.literal"))
	return nil
}

// Apply adds the header behind those that are there.
func (i *InsertHeader) Apply(r *connectors.Record) (bool, error) {
	r.Headers = r.Headers.Add(i.header, i.value)
	return true, nil
}

// HeaderFrom copies or moves fields of the key or value to headers.
type HeaderFrom struct {
	closer
	side    side
	paths   []FieldPath
	headers []string
	move    bool
	ed      editor
}

// ConfigDef defines fields, headers and operation.
func (*HeaderFrom) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "fields", Type: config.List, Validator: config.NonEmptyList, Importance: config.High, Doc: "The fields that become headers."},
		config.Key{Name: "headers", Type: config.List, Validator: config.NonEmptyList, Importance: config.High, Doc: "The headers, one for each of fields."},
		config.Key{Name: "operation", Type: config.String, Validator: config.OneOf("move", "copy"), Importance: config.High, Doc: "move takes the fields away, copy leaves them."},
		replaceNullKey(), pathsKey(),
	)
}

// Configure reads the settings.
func (h *HeaderFrom) Configure(props config.Props) error {
	v, err := h.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	h.headers, h.move = v.List("headers"), v.String("operation") == "move"
	if len(h.headers) != len(v.List("fields")) {
		return config.At("headers", config.Exception("'fields' config must have the same number of elements as 'headers' config."))
	}
	if h.paths, err = pathsAt("fields", v); err != nil {
		return err
	}
	root := &edit{}
	for _, p := range h.paths {
		root.at(p.Steps).drop = true
	}
	h.ed = editor{edit: root, defaults: v.Bool(replaceNull), purpose: "header " + v.String("operation")}
	return nil
}

// Apply adds the headers, and takes the fields away if they are moved.
func (h *HeaderFrom) Apply(r *connectors.Record) (bool, error) {
	sv := h.side.of(r)
	var err error
	if sv.Schema == nil {
		_, err = requireMap(sv.Value, h.ed.purpose)
	} else {
		_, err = requireStruct(sv.Value, h.ed.purpose)
	}
	if err != nil {
		return true, err
	}
	headers := make(connectors.Headers, len(r.Headers), len(r.Headers)+len(h.paths))
	copy(headers, r.Headers)
	for i, p := range h.paths {
		out := connectors.Header{Key: h.headers[i]}
		if sv.Schema != nil {
			if out.Value.Schema = p.SchemaIn(sv.Schema); out.Value.Schema == nil {
				return true, fault.Data.New("Unknown field: " + p.Text)
			}
		}
		if out.Value.Value, err = p.In(sv.Value, h.ed.defaults); err != nil {
			return true, err
		}
		headers = append(headers, out)
	}
	r.Headers = headers
	if h.move {
		var own bool
		err = h.ed.change(sv, nil, &own)
	}
	return true, err
}

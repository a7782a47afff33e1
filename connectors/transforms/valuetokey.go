package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// ValueToKey makes a key of fields of the value; of a path the last step names the field.
type ValueToKey struct {
	closer
	paths    []FieldPath
	defaults bool
	cache    schemaCache[*data.Schema]
}

const valueToKeyPurpose = "copying fields from value to key"

// ConfigDef defines fields.
func (*ValueToKey) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "fields", Type: config.List, Validator: config.FilledList, Importance: config.High, Doc: "The value's fields that make the key."},
		replaceNullKey(), pathsKey(),
	)
}

// Configure reads the settings.
func (k *ValueToKey) Configure(props config.Props) error {
	v, err := k.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	k.defaults = v.Bool(replaceNull)
	if k.paths, err = pathsAt("fields", v); err != nil {
		return err
	}
	return k.differ()
}

// differ is an error if two paths name the same field of the key: one of them would be lost.
func (k *ValueToKey) differ() error {
	texts := map[string]string{}
	for _, p := range k.paths {
		if text, met := texts[p.Name()]; met && text != p.Text {
			return config.Exception("The paths " + text + " and " + p.Text + " both make the key's field " + p.Name())
		}
		texts[p.Name()] = p.Text
	}
	return nil
}

// Apply sets the key. A field that is not there is an error with a schema, null without one.
func (k *ValueToKey) Apply(r *connectors.Record) (bool, error) {
	if r.Value.Schema == nil {
		if _, err := requireMap(r.Value.Value, valueToKeyPurpose); err != nil {
			return true, err
		}
		key := data.NewMap(len(k.paths))
		for _, p := range k.paths {
			v, err := p.In(r.Value.Value, k.defaults)
			if err != nil {
				return true, err
			}
			key.Put(p.Name(), v)
		}
		r.Key = data.SchemaAndValue{Value: data.MapValue(key)}
		return true, nil
	}
	s, err := requireStruct(r.Value.Value, valueToKeyPurpose)
	if err != nil {
		return true, err
	}
	schema, err := k.cache.get(s.Schema(), func() (*data.Schema, error) { return k.keySchema(s.Schema()) })
	if err != nil {
		return true, err
	}
	values := make([]data.Value, len(k.paths))
	for i, p := range k.paths {
		if values[i], err = p.In(r.Value.Value, k.defaults); err != nil {
			return true, err
		}
	}
	r.Key = data.SchemaAndValue{Schema: schema, Value: data.StructValue(data.StructOf(schema, values))}
	return true, nil
}

func (k *ValueToKey) keySchema(value *data.Schema) (*data.Schema, error) {
	b := data.NewStructSchema()
	for _, p := range k.paths {
		s := p.SchemaIn(value)
		if s == nil {
			return nil, fault.Data.New("Field does not exist: " + p.Text)
		}
		b.Field(p.Name(), s)
	}
	return b.Build()
}

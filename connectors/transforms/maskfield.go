package transforms

import (
	"math/big"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// MaskField replaces values of fields by the zero of their type, or by a text read in their type.
type MaskField struct {
	closer
	side side
	ed   editor
}

// ConfigDef defines fields and replacement.
func (*MaskField) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "fields", Type: config.List, Validator: config.FilledList, Importance: config.High, Doc: "The fields to mask."},
		config.Key{Name: "replacement", Type: config.String, Nullable: true, Validator: config.NonEmpty, Importance: config.Low, Doc: "What stands in place of numbers and strings; the zero of their type, if it is not set."},
		replaceNullKey(), pathsKey(),
	)
}

// Configure reads the settings.
func (m *MaskField) Configure(props config.Props) error {
	v, err := m.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	paths, err := pathsAt("fields", v)
	if err != nil {
		return err
	}
	mask := &masker{custom: !v.Null("replacement"), text: v.String("replacement")}
	root := &edit{}
	for _, p := range paths {
		node := root.at(p.Steps)
		node.mapper = mask
	}
	m.ed = editor{edit: root, keep: keepOptional, defaults: v.Bool(replaceNull), purpose: "mask fields"}
	return nil
}

// Apply masks; the schema stays as it is.
func (m *MaskField) Apply(r *connectors.Record) (bool, error) {
	return m.ApplyDraft(r, &connectors.Draft{})
}

// ApplyDraft implements connectors.DraftTransformation.
func (m *MaskField) ApplyDraft(r *connectors.Record, d *connectors.Draft) (bool, error) {
	return true, m.ed.change(m.side.of(r), nil, m.side.draft(d))
}

// masker masks one value.
type masker struct {
	custom bool
	text   string
}

func (*masker) mapSchema(s *data.Schema) (*data.Schema, error) { return s, nil }

func (m *masker) mapValue(_ *data.Schema, v data.Value) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	if m.custom {
		return m.replaced(v.Type())
	}
	switch t := v.Type(); t {
	case data.TypeInt8, data.TypeInt16, data.TypeInt32, data.TypeInt64, data.TypeFloat32, data.TypeFloat64, data.TypeBoolean:
		return numberOf(0, 0, t), nil
	case data.TypeString:
		return data.StringValue(""), nil
	case data.TypeDecimal:
		return data.DecimalValue(data.NewDecimal(new(big.Int), 0)), nil
	case data.TypeBigInteger:
		return data.BigIntegerValue(new(big.Int)), nil
	case data.TypeDate:
		return data.DateValue(0), nil
	case data.TypeArray:
		return data.ArrayValue(nil), nil
	case data.TypeMap:
		return data.MapValue(data.NewMap(0)), nil
	}
	return v, fault.Data.New("Cannot mask value of type: class " + v.Type().JavaClass())
}

func (m *masker) replaced(t data.Type) (data.Value, error) {
	text := data.StringValue(m.text)
	switch t {
	case data.TypeString:
		return text, nil
	case data.TypeInt8, data.TypeInt16, data.TypeInt32, data.TypeInt64, data.TypeFloat32, data.TypeFloat64:
		return data.Convert(data.Primitive(t, true), nil, text)
	case data.TypeDecimal:
		d, err := data.ParseDecimal(m.text)
		if err != nil {
			return text, m.notNumber(err)
		}
		return data.DecimalValue(d), nil
	case data.TypeBigInteger:
		i, ok := new(big.Int).SetString(m.text, 10)
		if !ok {
			return text, m.notNumber(fault.NumberFormat.New("not an integer"))
		}
		return data.BigIntegerValue(i), nil
	}
	return text, fault.Data.New("Cannot mask value of type class " + t.JavaClass() + " with custom replacement.")
}

func (m *masker) notNumber(err error) error {
	return fault.Data.New("Unable to convert " + m.text + " (class java.lang.String) to number").Because(err)
}

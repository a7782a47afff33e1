package registry

import (
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// JSONSchema is like Confluent's JsonSchemaConverter.
type JSONSchema struct {
	client  *client
	writer  *converters.JSON
	readers map[identity]*converters.JSON
	numeric bool
	// loose says that properties which are not required are optional.
	loose bool
	sums  bool // generalized.sum.type.support
}

// ConfigDef defines the settings.
func (*JSONSchema) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		config.Key{Name: "decimal.format", Type: config.String, Default: "BASE64", Validator: config.OneOfFold("BASE64", "NUMERIC"), Importance: config.Low, Doc: "How decimals are written: BASE64 or NUMERIC."},
		config.Key{Name: "use.optional.for.nonrequired", Type: config.Boolean, Default: false, Importance: config.Low, Doc: "Whether properties that are not required are optional."},
		sums(), refused("object.additional.properties", true), refused("ignore.default.for.nullables", false),
	)...)
}

// Configure reads the settings.
func (j *JSONSchema) Configure(props config.Props, isKey bool) error {
	v, err := j.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	j.numeric, j.loose = strings.EqualFold(v.String("decimal.format"), "NUMERIC"), v.Bool("use.optional.for.nonrequired")
	j.sums = v.Bool("generalized.sum.type.support")
	j.readers, j.writer = map[identity]*converters.JSON{}, converters.JSONOf(nil, j.numeric)
	j.client, err = newClient(v, sr.TypeJSON, isKey)
	return err
}

// FromConnectData registers the schema and writes JSON. Data without a schema has to be primitive.
func (j *JSONSchema) FromConnectData(dst []byte, topic string, h *connectors.Headers, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Value.IsNull() && (v.Schema == nil || v.Schema.Optional() && v.Schema.Default().IsNull()) {
		return dst, true, nil
	}
	if v.Schema == nil {
		if !v.Value.Type().IsPrimitive() {
			return dst, false, fault.Data.New("JsonSchemaConverter needs a schema for data of class " + v.Value.Type().JavaClass())
		}
		v.Schema = data.Primitive(v.Value.Type(), true)
	}
	r, err := j.client.find(topic, v.Schema, func() (string, error) { return writeJSONSchema(v.Schema, j.sums) })
	if err != nil {
		return dst, false, err
	}
	out, err := j.writer.Append(j.client.begin(dst, r, nil, h), v.Schema, v.Value)
	if err != nil {
		return dst, false, err
	}
	return out, false, nil
}

// ToConnectData finds the schema and reads JSON.
func (j *JSONSchema) ToConnectData(topic string, h connectors.Headers, b []byte) (data.SchemaAndValue, error) {
	if b == nil {
		return data.SchemaAndValue{}, nil
	}
	id, _, rest, _, err := j.client.cut(h, b)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	r := j.readers[id]
	if r == nil {
		if r, err = j.reader(id); err != nil {
			return data.SchemaAndValue{}, err
		}
		remember(j.readers, id, r, j.client.most)
	}
	return r.ToConnectData(topic, h, rest)
}

func (j *JSONSchema) reader(id identity) (*converters.JSON, error) {
	known, err := j.client.schema(id)
	if err != nil {
		return nil, err
	}
	s, err := readJSONSchema(known, j.loose, j.sums)
	if err != nil {
		return nil, err
	}
	return converters.JSONOf(s, j.numeric), nil
}

// Close does nothing.
func (*JSONSchema) Close() error { return nil }

// jsonTypes are JSON Schema's type and Connect's word for it.
var jsonTypes = map[data.Type][2]string{
	data.TypeInt8: {"integer", "int8"}, data.TypeInt16: {"integer", "int16"}, data.TypeInt32: {"integer", "int32"}, data.TypeInt64: {"integer", "int64"},
	data.TypeFloat32: {"number", "float32"}, data.TypeFloat64: {"number", "float64"}, data.TypeBoolean: {"boolean", ""}, data.TypeString: {"string", ""},
	data.TypeBytes: {"string", "bytes"},
}

package registry

import (
	"encoding/json"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// JSONSchema is like Confluent's JsonSchemaConverter. Maps have strings as keys.
type JSONSchema struct {
	client  *client
	writer  converters.JSON
	readers map[int]*jsonReader
	numeric string
	// loose says that properties which are not required are optional.
	loose bool
}

// jsonReader reads data of one schema.
type jsonReader struct {
	schema *data.Schema
	json   converters.JSON
}

// ConfigDef defines the settings.
func (*JSONSchema) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		config.Key{Name: "decimal.format", Type: config.String, Default: "BASE64", Validator: config.OneOfFold("BASE64", "NUMERIC"), Importance: config.Low, Doc: "How decimals are written: BASE64 or NUMERIC."},
		config.Key{Name: "use.optional.for.nonrequired", Type: config.Boolean, Default: false, Importance: config.Low, Doc: "Whether properties that are not required are optional."},
	)...)
}

// Configure reads the settings.
func (j *JSONSchema) Configure(props config.Props, isKey bool) error {
	v, err := j.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	j.readers, j.numeric, j.loose = map[int]*jsonReader{}, v.String("decimal.format"), v.Bool("use.optional.for.nonrequired")
	if j.client, err = newClient(v, sr.TypeJSON, isKey); err != nil {
		return err
	}
	return j.writer.Configure(config.PropsOf(map[string]string{"schemas.enable": "false", "decimal.format": j.numeric}), isKey)
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
	r, err := j.client.find(topic, v.Schema, func() (string, error) {
		out, err := writeJSONSchema(v.Schema)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(out)
		return string(text), err
	})
	if err != nil {
		return dst, false, err
	}
	out, _, err := j.writer.FromConnectData(appendHeader(dst, r.id), topic, h, v)
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
	id, rest, err := cutHeader(b)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	r := j.readers[id]
	if r == nil {
		if r, err = j.reader(id); err != nil {
			return data.SchemaAndValue{}, err
		}
		j.readers[id] = r
	}
	return r.json.ToConnectData(topic, h, rest)
}

func (j *JSONSchema) reader(id int) (*jsonReader, error) {
	known, err := j.client.schema(id)
	if err != nil {
		return nil, err
	}
	r := &jsonReader{}
	if r.schema, err = readJSONSchema(known, j.loose); err != nil {
		return nil, err
	}
	content, err := converters.SchemaText(r.schema)
	if err != nil {
		return nil, err
	}
	return r, r.json.Configure(config.PropsOf(map[string]string{"schema.content": content}), false)
}

// Close does nothing.
func (*JSONSchema) Close() error { return nil }

// jsonTypes are JSON Schema's type and Connect's word for it.
var jsonTypes = map[data.Type][2]string{
	data.TypeInt8: {"integer", "int8"}, data.TypeInt16: {"integer", "int16"}, data.TypeInt32: {"integer", "int32"}, data.TypeInt64: {"integer", "int64"},
	data.TypeFloat32: {"number", "float32"}, data.TypeFloat64: {"number", "float64"}, data.TypeBoolean: {"boolean", ""}, data.TypeString: {"string", ""},
	data.TypeBytes: {"string", "bytes"},
}

func writeJSONSchema(s *data.Schema) (map[string]any, error) {
	if s == nil {
		return nil, fault.Data.New("JSON Schema needs a schema for all parts of the data")
	}
	out := map[string]any{}
	var err error
	switch s.Type() {
	case data.TypeStruct:
		out["type"] = "object"
		err = writeProperties(out, s)
	case data.TypeArray:
		out["type"] = "array"
		out["items"], err = writeJSONSchema(s.Elem())
	case data.TypeMap:
		if s.Key() == nil || s.Key().Type() != data.TypeString {
			return nil, fault.Data.New("JSON Schema has maps with strings as keys only")
		}
		out["type"], out["connect.type"] = "object", "map"
		out["additionalProperties"], err = writeJSONSchema(s.Elem())
	default:
		names := jsonTypes[s.Type()]
		out["type"] = names[0]
		if names[1] != "" {
			out["connect.type"] = names[1]
		}
		if s.IsDecimal() {
			out["type"] = []string{"string", "number"}
		}
	}
	if err != nil {
		return nil, err
	}
	writeProps(out, s)
	if s.Optional() {
		return map[string]any{"oneOf": []any{map[string]any{"type": "null"}, out}}, nil
	}
	return out, nil
}

func writeProps(out map[string]any, s *data.Schema) {
	if s.Name() != "" {
		out["title"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		out["connect.version"] = v
	}
	if s.Doc() != "" {
		out["description"] = s.Doc()
	}
	params := map[string]string{}
	for _, p := range s.Parameters() {
		params[p.Name] = p.Value
	}
	if len(params) > 0 {
		out["connect.parameters"] = params
	}
	if def, ok := avroDefault(s); ok && def != nil {
		out["default"] = def
	}
}

func writeProperties(out map[string]any, s *data.Schema) error {
	properties := map[string]any{}
	for _, f := range s.Fields() {
		p, err := writeJSONSchema(f.Schema)
		if err != nil {
			return err
		}
		p["connect.index"] = f.Index
		properties[f.Name] = p
	}
	out["properties"] = properties
	return nil
}

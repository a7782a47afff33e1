package registry

import (
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Avro is like Confluent's AvroConverter.
type Avro struct {
	client  *client
	options avroOptions
	writers map[int]*avroType
	readers map[int]*avroType
	slab    data.Slab
}

// ConfigDef defines the settings of the registry.
func (*Avro) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		flag("connect.meta.data", true, "Whether the schema in Avro tells what Avro has no word for: names, versions, parameters and the like, as connect.name, connect.version, connect.parameters."),
		flag("scrub.invalid.names", false, "Whether names that Avro does not allow are changed to ones that it does: what is no letter, digit or _ is URL-encoded, % becomes _, and x goes in front of a digit."),
		flag("allow.optional.map.keys", false, "Whether a map whose keys are texts that may be null is a map in Avro; an array of entries, if not."),
		refused("enhanced.avro.schema.support", false), refused("discard.type.doc.default", false), refused("flatten.singleton.unions", true),
		refused("generalized.sum.type.support", false), refused("ignore.default.for.nullables", false),
	)...)
}

// Configure reads the settings.
func (a *Avro) Configure(props config.Props, isKey bool) error {
	v, err := a.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	a.options = avroOptions{meta: v.Bool("connect.meta.data"), scrub: v.Bool("scrub.invalid.names"), nullKeys: v.Bool("allow.optional.map.keys")}
	a.writers, a.readers = map[int]*avroType{}, map[int]*avroType{}
	a.client, err = newClient(v, sr.TypeAvro, isKey)
	return err
}

// FromConnectData registers the schema and writes Avro. Data without a schema has to be primitive.
func (a *Avro) FromConnectData(dst []byte, topic string, _ *connectors.Headers, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Schema == nil {
		if v.Value.IsNull() {
			return dst, true, nil
		}
		if !v.Value.Type().IsPrimitive() {
			return dst, false, fault.Data.New("AvroConverter needs a schema for data of class " + v.Value.Type().JavaClass())
		}
		v.Schema = data.Primitive(v.Value.Type(), true)
	}
	if v.Value.IsNull() && v.Schema.Optional() && v.Schema.Default().IsNull() {
		return dst, true, nil
	}
	r, err := a.client.find(topic, v.Schema, func() (string, error) { return writeAvro(v.Schema, a.options) })
	if err != nil {
		return dst, false, err
	}
	t := a.writers[r.id]
	if t == nil {
		if t, err = readAvro(r, a.options.scrub); err != nil {
			return dst, false, err
		}
		a.writers[r.id] = t
	}
	out, err := t.append(appendHeader(dst, r.id), v.Value)
	if err != nil {
		return dst, false, err
	}
	return out, false, nil
}

// ToConnectData finds the schema and reads Avro.
func (a *Avro) ToConnectData(_ string, _ connectors.Headers, b []byte) (data.SchemaAndValue, error) {
	if b == nil {
		return data.SchemaAndValue{}, nil
	}
	id, rest, err := cutHeader(b)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	t := a.readers[id]
	if t == nil {
		known, err := a.client.schema(id)
		if err != nil {
			return data.SchemaAndValue{}, err
		}
		if t, err = readAvro(known, false); err != nil {
			return data.SchemaAndValue{}, err
		}
		a.readers[id] = t
	}
	r := avroBytes{b: rest, slab: &a.slab}
	v, err := r.read(t)
	return data.SchemaAndValue{Schema: t.connect, Value: v}, err
}

// Close does nothing.
func (*Avro) Close() error { return nil }

// Plugins are the converters of this package.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Class: "io.confluent.connect.avro.AvroConverter", Kind: connectors.KindConverter, Version: connectors.Version,
			Doc: "Avro with a schema registry", Converter: func() connectors.Converter { return &Avro{} },
		},
		{
			Class: "io.confluent.connect.json.JsonSchemaConverter", Kind: connectors.KindConverter, Version: connectors.Version,
			Doc: "JSON with a schema registry", Converter: func() connectors.Converter { return &JSONSchema{} },
		},
		{
			Class: "io.confluent.connect.protobuf.ProtobufConverter", Kind: connectors.KindConverter, Version: connectors.Version,
			Doc: "Protobuf with a schema registry", Converter: func() connectors.Converter { return &Protobuf{} },
		},
	}
}

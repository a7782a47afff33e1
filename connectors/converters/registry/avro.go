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
	writers map[identity]*avroType
	readers map[identity]*avroType
	slab    data.Slab
}

// ConfigDef defines the settings of the registry.
func (*Avro) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		flag("connect.meta.data", true, "Whether the schema in Avro tells what Avro has no word for: names, versions, parameters and the like, as connect.name, connect.version, connect.parameters."),
		flag("scrub.invalid.names", false, "Whether names that Avro does not allow are changed to ones that it does: what is no letter, digit or _ is URL-encoded, % becomes _, and x goes in front of a digit."),
		flag("allow.optional.map.keys", false, "Whether a map whose keys are texts that may be null is a map in Avro; an array of entries, if not."),
		flag("enhanced.avro.schema.support", false, "Whether texts that come from an enumeration are written as one, and fields of unions have the full names of types."),
		flag("discard.type.doc.default", false, "Whether docs of fields become docs of their schemas; parameters tell docs and defaults, if not."),
		flag("flatten.singleton.unions", true, "Whether a union of one type is the type."),
		sums(), refused("ignore.default.for.nullables", false),
	)...)
}

// Configure reads the settings.
func (a *Avro) Configure(props config.Props, isKey bool) error {
	v, err := a.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	a.options = avroOptions{
		meta: v.Bool("connect.meta.data"), scrub: v.Bool("scrub.invalid.names"), nullKeys: v.Bool("allow.optional.map.keys"),
		enhanced: v.Bool("enhanced.avro.schema.support"), sums: v.Bool("generalized.sum.type.support"),
		discard: v.Bool("discard.type.doc.default"), singletons: !v.Bool("flatten.singleton.unions"),
	}
	a.writers, a.readers = map[identity]*avroType{}, map[identity]*avroType{}
	a.client, err = newClient(v, sr.TypeAvro, isKey)
	return err
}

// FromConnectData registers the schema and writes Avro. Data without a schema has to be primitive.
func (a *Avro) FromConnectData(dst []byte, topic string, h *connectors.Headers, v data.SchemaAndValue) ([]byte, bool, error) {
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
	t := a.writers[r.identity]
	if t == nil {
		if t, err = readAvro(r, a.options); err != nil {
			return dst, false, err
		}
		remember(a.writers, r.identity, t, a.client.most)
	}
	out, err := t.append(a.client.begin(dst, r, nil, h), v.Value)
	if err != nil {
		return dst, false, err
	}
	return out, false, nil
}

// ToConnectData finds the schema and reads Avro.
func (a *Avro) ToConnectData(_ string, h connectors.Headers, b []byte) (data.SchemaAndValue, error) {
	if b == nil {
		return data.SchemaAndValue{}, nil
	}
	id, _, rest, _, err := a.client.cut(h, b)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	t := a.readers[id]
	if t == nil {
		known, err := a.client.schema(id)
		if err != nil {
			return data.SchemaAndValue{}, err
		}
		if t, err = readAvro(known, a.options); err != nil {
			return data.SchemaAndValue{}, err
		}
		remember(a.readers, id, t, a.client.most)
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

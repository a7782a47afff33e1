package registry

import (
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Protobuf is like Confluent's ProtobufConverter. Behind the schema's id a message says which message of the schema it is.
type Protobuf struct {
	client   *client
	options  protoOptions
	writers  map[identity]*protoTarget
	readers  map[identity]*protoFile
	slab     data.Slab
	wrap     bool // primitive data goes into a wrapper of google.protobuf
	nullable bool // fields that may be null get the label optional
}

// protoTarget is what data of one schema is written as.
type protoTarget struct {
	message *protoType
	path    []byte // of the message within its file
}

// ConfigDef defines the settings.
func (*Protobuf) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		flag("int.for.enums", false, "Whether enums are integers; texts, if not."),
		flag("optional.for.nullables", false, "Whether fields that may be null have the label optional."),
		flag("wrapper.for.nullables", false, "Whether the wrappers of google.protobuf are read as primitive values that may be null."),
		flag("wrapper.for.raw.primitives", true, "Whether data that is no struct is written in a wrapper of google.protobuf."),
		flag("enhanced.protobuf.schema.support", false, "Whether schemas are called by the full names of messages, with the package; by the last word, if not."),
		flag("generate.index.for.unions", true, "Whether the name of a union's struct ends with its index."),
		flag("flatten.unions", false, "Whether the fields of a union stand in the message itself."),
		refused("generate.struct.for.nulls", false), sums(), refused("ignore.default.for.nullables", false),
	)...)
}

// Configure reads the settings.
func (p *Protobuf) Configure(props config.Props, isKey bool) error {
	v, err := p.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	p.options = protoOptions{
		intEnums: v.Bool("int.for.enums"), labels: v.Bool("optional.for.nullables"), wrappers: v.Bool("wrapper.for.nullables"),
		unwrap: v.Bool("wrapper.for.raw.primitives"), indexes: v.Bool("generate.index.for.unions"), flat: v.Bool("flatten.unions"),
		fullNames: v.Bool("enhanced.protobuf.schema.support"), sums: v.Bool("generalized.sum.type.support"),
	}
	p.wrap, p.nullable = v.Bool("wrapper.for.raw.primitives"), v.Bool("optional.for.nullables")
	p.writers, p.readers = map[identity]*protoTarget{}, map[identity]*protoFile{}
	p.client, err = newClient(v, sr.TypeProtobuf, isKey)
	return err
}

// FromConnectData registers the schema and writes Protobuf. Data without a schema has to be primitive.
func (p *Protobuf) FromConnectData(dst []byte, topic string, h *connectors.Headers, v data.SchemaAndValue) ([]byte, bool, error) {
	if v.Value.IsNull() {
		return dst, true, nil
	}
	if v.Schema == nil {
		if !v.Value.Type().IsPrimitive() {
			return dst, false, fault.Data.New("ProtobufConverter needs a schema for data of class " + v.Value.Type().JavaClass())
		}
		v.Schema = data.Primitive(v.Value.Type(), true)
	}
	if v.Schema.Type() != data.TypeStruct && (!p.wrap || !v.Schema.Type().IsPrimitive() || v.Schema.IsLogical()) {
		return dst, false, fault.Data.New("ProtobufConverter writes structs, and primitive values with wrapper.for.raw.primitives, but here is " + v.Schema.String())
	}
	r, err := p.client.find(topic, v.Schema, func() (string, error) { return writeProto(v.Schema, p.nullable, p.options.wrappers) })
	if err != nil {
		return dst, false, err
	}
	t := p.writers[r.identity]
	if t == nil {
		if t, err = p.target(r, v.Schema.Name()); err != nil {
			return dst, false, err
		}
		remember(p.writers, r.identity, t, p.client.most)
	}
	out := p.client.begin(dst, r, t.path, h)
	if v.Schema.Type() == data.TypeStruct {
		out, err = t.message.appendStruct(out, v.Value.Struct())
	} else {
		out, err = t.message.fields[0].append(out, v.Value)
	}
	if err != nil {
		return dst, false, err
	}
	return out, false, nil
}

// target finds the message for data of a schema: the one of its name, or the first.
func (p *Protobuf) target(r registered, name string) (*protoTarget, error) {
	f, err := p.file(r)
	if err != nil {
		return nil, err
	}
	path := []int{0}
	for i := range f.desc.Messages().Len() {
		m := f.desc.Messages().Get(i)
		if string(m.FullName()) == name || string(m.Name()) == name {
			path[0] = i
		}
	}
	m, err := f.message(path)
	return &protoTarget{message: m, path: appendPath(nil, path)}, err
}

func (p *Protobuf) file(r registered) (*protoFile, error) {
	if f := p.readers[r.identity]; f != nil {
		return f, nil
	}
	f, err := readProto(r, p.options)
	if err == nil {
		remember(p.readers, r.identity, f, p.client.most)
	}
	return f, err
}

// ToConnectData finds the schema and reads Protobuf.
func (p *Protobuf) ToConnectData(_ string, h connectors.Headers, b []byte) (data.SchemaAndValue, error) {
	if b == nil {
		return data.SchemaAndValue{}, nil
	}
	id, before, rest, inHeader, err := p.client.cut(h, b)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	f := p.readers[id]
	if f == nil {
		known, err := p.client.schema(id)
		if err != nil {
			return data.SchemaAndValue{}, err
		}
		if f, err = p.file(known); err != nil {
			return data.SchemaAndValue{}, err
		}
	}
	if !inHeader {
		before = rest
	}
	path, after, err := f.cutPath(before)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	if !inHeader {
		rest = after
	}
	m, err := f.message(path)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	v, err := m.read(rest, &protoReading{slab: &p.slab})
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	if m.wrapper && p.options.unwrap {
		return data.SchemaAndValue{Schema: m.fields[0].connect, Value: v.Struct().RawAt(0)}, nil
	}
	return data.SchemaAndValue{Schema: m.connect, Value: v}, nil
}

// Close does nothing.
func (*Protobuf) Close() error { return nil }

// appendPath writes which message of its file a message is: how many steps, then each, as zigzag varints; a single zero for
// the first message.
func appendPath(dst []byte, path []int) []byte {
	if len(path) == 1 && path[0] == 0 {
		return append(dst, 0)
	}
	dst = protowire.AppendVarint(dst, protowire.EncodeZigZag(int64(len(path))))
	for _, i := range path {
		dst = protowire.AppendVarint(dst, protowire.EncodeZigZag(int64(i)))
	}
	return dst
}

// maxPath bounds how deep messages are defined within each other.
const maxPath = 50

// cutPath takes the path off; it is good until the next call.
func (f *protoFile) cutPath(b []byte) (path []int, rest []byte, err error) {
	next := func() int64 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			err = fault.Data.New("the Protobuf message ends before it says which message it is")
			return 0
		}
		b = b[n:]
		return protowire.DecodeZigZag(v)
	}
	n := next()
	if err == nil && (n < 0 || n > maxPath) {
		err = fault.Data.Errorf("%d steps to a message of the Protobuf schema", n)
	}
	f.path = f.path[:0]
	if err == nil && n == 0 {
		f.path = append(f.path, 0)
	}
	for range n {
		if err != nil {
			break
		}
		f.path = append(f.path, int(next()))
	}
	return f.path, b, err
}

package registry

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// protoOptions say how Protobuf becomes Connect's data.
type protoOptions struct{ intEnums, labels, wrappers, unwrap, indexes, flat bool }

// protoFile is a compiled schema. It belongs to one goroutine.
type protoFile struct {
	desc     protoreflect.FileDescriptor
	options  protoOptions
	messages map[protoreflect.FullName]*protoType
	within   map[protoreflect.FullName]bool // what is being read
	path     []int
}

// protoForm is what a message stands for.
type protoForm uint8

const (
	protoStruct protoForm = iota
	protoTimestamp
	protoDate
	protoTimeOfDay
	protoDecimal
)

// protoForms are messages that stand for Connect's logical types.
var protoForms = map[protoreflect.FullName]protoForm{
	"google.protobuf.Timestamp": protoTimestamp, "google.type.Date": protoDate, "google.type.TimeOfDay": protoTimeOfDay, "confluent.type.Decimal": protoDecimal,
}

// protoType is a message, and the schema that its data has in Connect.
type protoType struct {
	form    protoForm
	wrapper bool // one of wrapperNames
	connect *data.Schema
	fields  []*protoField
	unions  []protoUnionField

	// last and places are the schema that was written last, and where the fields are in it.
	last   *data.Schema
	places []int
}

// protoUnionField is a oneof that is a struct of its own: its place among the fields, and how many fields it has.
type protoUnionField struct {
	place, size int
	connect     *data.Schema
}

// protoField is a field of a message.
type protoField struct {
	number   protoreflect.FieldNumber
	name     string
	kind     protoreflect.Kind
	list     bool
	packed   bool
	presence bool // a value is written although it is zero
	place    int  // in the struct, or in the union's struct
	union    int  // which union, -1 for none
	connect  *data.Schema
	elem     *data.Schema // connect, or that of its elements
	key      *protoField  // of maps
	value    *protoField
	message  *protoType
	unwrap   bool // a wrapper that is read as its value
	numbers  map[string]int32
	symbols  map[int32]string // of enums that are texts
}

// maxProtoText bounds a schema.
const maxProtoText = 1 << 20

// readProto compiles the text of a schema; those that it refers to have the paths of its imports.
func readProto(r registered, o protoOptions) (*protoFile, error) {
	const path = "schema.proto"
	if len(r.text) > maxProtoText {
		return nil, fault.Data.Errorf("a Protobuf schema of %d bytes", len(r.text))
	}
	sources := maps.Clone(protoImports)
	for _, to := range r.references {
		sources[to.name] = to.text
	}
	sources[path] = r.text
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(sources)}),
		MaxParallelism: 1,
	}
	files, err := compiler.Compile(context.Background(), path)
	if err != nil {
		return nil, fault.Data.Errorf("reading a Protobuf schema: %w", err)
	}
	return &protoFile{desc: files[0], options: o, messages: map[protoreflect.FullName]*protoType{}, within: map[protoreflect.FullName]bool{}}, nil
}

// message is the one at a path of indexes.
func (f *protoFile) message(path []int) (*protoType, error) {
	list := f.desc.Messages()
	var m protoreflect.MessageDescriptor
	for _, i := range path {
		if i < 0 || i >= list.Len() {
			return nil, fault.Data.Errorf("the Protobuf schema has no message number %d", i)
		}
		m = list.Get(i)
		list = m.Messages()
	}
	if m == nil {
		return nil, fault.Data.New("the Protobuf schema has no message")
	}
	return f.read(m)
}

// read makes the type of a message, once.
func (f *protoFile) read(m protoreflect.MessageDescriptor) (*protoType, error) {
	if t := f.messages[m.FullName()]; t != nil {
		return t, nil
	}
	if f.within[m.FullName()] || len(f.within) > maxPath {
		return nil, fault.Data.New("the Protobuf message " + string(m.FullName()) + " is within itself, which Connect's data cannot be")
	}
	f.within[m.FullName()] = true
	defer delete(f.within, m.FullName())
	t := &protoType{form: protoForms[m.FullName()], wrapper: wrapperNames[string(m.FullName())]}
	b := data.NewStructSchema().Name(string(m.FullName()))
	unions := map[protoreflect.FullName]int{}
	places := 0
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		field, err := f.field(fd)
		if err != nil {
			return nil, err
		}
		t.fields = append(t.fields, field)
		if one := fd.ContainingOneof(); one != nil && !one.IsSynthetic() && !f.options.flat {
			u, known := unions[one.FullName()]
			if !known {
				u = len(t.unions)
				unions[one.FullName()] = u
				union, err := f.union(one)
				if err != nil {
					return nil, err
				}
				union.place = places
				places++
				t.unions = append(t.unions, union)
				b.Field(f.unionName(one), union.connect)
			}
			field.union = u
			continue
		}
		field.place = places
		places++
		b.Field(field.name, field.connect)
	}
	for _, field := range t.fields {
		if field.union >= 0 {
			field.place = t.unions[field.union].connect.Field(field.name).Index
		}
	}
	var err error
	if t.connect, err = f.schema(t, b).Build(); err != nil {
		return nil, err
	}
	f.messages[m.FullName()] = t
	return t, nil
}

func (f *protoFile) unionName(one protoreflect.OneofDescriptor) string {
	if f.options.indexes {
		return string(one.Name()) + "_" + strconv.Itoa(one.Index())
	}
	return string(one.Name())
}

// union is the struct for a oneof, of whose fields one is set.
func (f *protoFile) union(one protoreflect.OneofDescriptor) (protoUnionField, error) {
	b := data.NewStructSchema().Name(protoUnion + string(one.Name())).Optional()
	for i := range one.Fields().Len() {
		field, err := f.field(one.Fields().Get(i))
		if err != nil {
			return protoUnionField{}, err
		}
		b.Field(field.name, field.connect)
	}
	s, err := b.Build()
	return protoUnionField{size: one.Fields().Len(), connect: s}, err
}

// schema is that of a message: a logical type, or the struct that b builds.
func (f *protoFile) schema(t *protoType, b *data.SchemaBuilder) *data.SchemaBuilder {
	switch t.form {
	case protoTimestamp:
		return data.NewTimestampSchema()
	case protoDate:
		return data.NewDateSchema()
	case protoTimeOfDay:
		return data.NewTimeSchema()
	case protoDecimal:
		return data.NewDecimalSchema(0)
	}
	return b
}

// field makes the type of a field.
func (f *protoFile) field(fd protoreflect.FieldDescriptor) (*protoField, error) {
	out := &protoField{
		number: fd.Number(), name: string(fd.Name()), kind: fd.Kind(), list: fd.IsList(), packed: fd.IsPacked(), presence: fd.HasPresence(), union: -1,
	}
	b, err := f.base(out, fd)
	if err != nil {
		return nil, err
	}
	if out.list {
		if out.elem, err = b.Build(); err != nil {
			return nil, err
		}
		b = data.NewArraySchema(out.elem)
	}
	b.Parameter(protoTag, strconv.Itoa(int(fd.Number())))
	out.connect, err = b.SetOptional(!f.options.labels || fd.HasOptionalKeyword() || fd.Kind() == protoreflect.MessageKind || fd.ContainingOneof() != nil).Build()
	if !out.list {
		out.elem = out.connect
	}
	if out.message != nil && !out.unwrap && err == nil {
		m := *out.message // its structs have the field's schema, which is optional and has a tag
		m.connect = out.elem
		out.message = &m
	}
	return out, err
}

// base begins the schema of a field, or of the elements of a repeated one.
func (f *protoFile) base(out *protoField, fd protoreflect.FieldDescriptor) (*data.SchemaBuilder, error) {
	var err error
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return data.NewSchema(data.TypeBoolean), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		switch protoNotes(fd)[protoConnectType] {
		case "int8":
			return data.NewSchema(data.TypeInt8), nil
		case "int16":
			return data.NewSchema(data.TypeInt16), nil
		}
		return data.NewSchema(data.TypeInt32), nil
	case protoreflect.FloatKind:
		return data.NewSchema(data.TypeFloat32), nil
	case protoreflect.DoubleKind:
		return data.NewSchema(data.TypeFloat64), nil
	case protoreflect.StringKind:
		return data.NewSchema(data.TypeString), nil
	case protoreflect.BytesKind:
		return data.NewSchema(data.TypeBytes), nil
	case protoreflect.EnumKind:
		return f.enum(out, fd.Enum()), nil
	case protoreflect.GroupKind:
		return nil, fault.Data.New("the Protobuf field " + out.name + " is a group")
	case protoreflect.MessageKind:
		if fd.IsMap() {
			return f.mapping(out, fd)
		}
		if out.message, err = f.read(fd.Message()); err != nil {
			return nil, err
		}
		if out.message.wrapper && f.options.wrappers {
			out.unwrap = true
			return data.CopyAll(out.message.fields[0].connect), nil
		}
		if out.message.form == protoDecimal {
			return decimalOf(fd), nil
		}
		return data.CopyAll(out.message.connect), nil
	}
	return data.NewSchema(data.TypeInt64), nil // the other integers
}

func (f *protoFile) mapping(out *protoField, fd protoreflect.FieldDescriptor) (b *data.SchemaBuilder, err error) {
	if out.key, err = f.field(fd.MapKey()); err != nil {
		return nil, err
	}
	if out.value, err = f.field(fd.MapValue()); err != nil {
		return nil, err
	}
	return data.NewMapSchema(out.key.connect, out.value.connect), nil
}

func (f *protoFile) enum(out *protoField, e protoreflect.EnumDescriptor) *data.SchemaBuilder {
	if f.options.intEnums {
		return data.NewSchema(data.TypeInt32)
	}
	out.numbers, out.symbols = map[string]int32{}, map[int32]string{}
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		out.numbers[string(v.Name())] = int32(v.Number())
		if _, known := out.symbols[int32(v.Number())]; !known {
			out.symbols[int32(v.Number())] = string(v.Name())
		}
	}
	return data.NewSchema(data.TypeString)
}

func decimalOf(fd protoreflect.FieldDescriptor) *data.SchemaBuilder {
	notes := protoNotes(fd)
	scale, _ := strconv.Atoi(notes[protoScale])
	b := data.NewDecimalSchema(scale)
	if p := notes[protoPrecision]; p != "" && p != "64" {
		b.Parameter("connect.decimal.precision", p)
	}
	return b
}

// protoNotes are Confluent's parameters among the options of a field.
func protoNotes(fd protoreflect.FieldDescriptor) map[string]string {
	notes := map[string]string{}
	fd.Options().ProtoReflect().Range(func(o protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if o.Number() != metaNumber || o.Kind() != protoreflect.MessageKind {
			return true
		}
		params := o.Message().Fields().ByNumber(metaParams)
		if params == nil || !params.IsMap() {
			return true
		}
		v.Message().Get(params).Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			notes[strings.ToLower(key.String())] = value.String()
			return true
		})
		return true
	})
	return notes
}

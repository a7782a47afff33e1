package registry

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"unicode"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// protoOptions say how Protobuf becomes Connect's data.
type protoOptions struct{ intEnums, labels, wrappers, unwrap, indexes, flat, fullNames, sums bool }

// protoFile is a compiled schema. It belongs to one goroutine.
type protoFile struct {
	desc     protoreflect.FileDescriptor
	options  protoOptions
	messages map[protoreflect.FullName]*protoType
	open     map[protoreflect.FullName]*opened[protoType]
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
	name        string
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
	return &protoFile{desc: files[0], options: o, messages: map[protoreflect.FullName]*protoType{}, open: map[protoreflect.FullName]*opened[protoType]{}}, nil
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
	t, err := f.read(m)
	if err != nil {
		clear(f.messages) // some refer to what could not be read
	}
	return t, err
}

// read makes the type of a message, once.
func (f *protoFile) read(m protoreflect.MessageDescriptor) (*protoType, error) {
	if t := f.messages[m.FullName()]; t != nil {
		return t, nil
	}
	if len(f.open) > maxPath {
		return nil, fault.Data.New("the Protobuf message " + string(m.FullName()) + " is within too many others")
	}
	open := &opened[protoType]{}
	f.open[m.FullName()] = open
	defer delete(f.open, m.FullName())
	t := &protoType{form: protoForms[m.FullName()], wrapper: wrapperNames[string(m.FullName())]}
	for i := range m.Fields().Len() {
		field, err := f.field(m.Fields().Get(i))
		if err != nil {
			return nil, err
		}
		t.fields = append(t.fields, field)
	}
	b := data.NewStructSchema().Name(f.name(m))
	if err := f.places(t, b, m); err != nil {
		return nil, err
	}
	var err error
	if t.connect, err = f.schema(t, b).Build(); err != nil {
		return nil, err
	}
	open.tie(t, func(t *protoType) **data.Schema { return &t.connect })
	f.messages[m.FullName()] = t
	return t, nil
}

// name is what a message or an enumeration is called in Connect.
func (f *protoFile) name(d protoreflect.Descriptor) string {
	if f.options.fullNames {
		return string(d.FullName())
	}
	return string(d.Name())
}

// places puts the fields of a message into its struct: a struct for each oneof, then the others.
func (f *protoFile) places(t *protoType, b *data.SchemaBuilder, m protoreflect.MessageDescriptor) error {
	places := 0
	for i := range m.Oneofs().Len() {
		one := m.Oneofs().Get(i)
		if one.IsSynthetic() || f.options.flat {
			continue
		}
		union := protoUnionField{name: string(one.Name()), place: places, size: one.Fields().Len()}
		inner := data.NewStructSchema().Name(protoUnion + f.name(one)).Optional()
		if f.options.sums {
			inner.Name(string(one.Name())).Parameter(sumParameter, string(one.Name()))
		}
		for j := range one.Fields().Len() {
			field := t.fields[one.Fields().Get(j).Index()]
			field.union, field.place = len(t.unions), j
			inner.Field(field.name, field.connect)
		}
		var err error
		if union.connect, err = inner.Build(); err != nil {
			return err
		}
		b.Field(f.unionName(one), union.connect)
		t.unions = append(t.unions, union)
		places++
	}
	for _, field := range t.fields {
		if field.union < 0 {
			b.Field(field.name, field.connect)
			field.place = places
			places++
		}
	}
	return nil
}

func (f *protoFile) unionName(one protoreflect.OneofDescriptor) string {
	if f.options.indexes {
		return string(one.Name()) + "_" + strconv.Itoa(one.Index())
	}
	return string(one.Name())
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
	if fd.Kind() == protoreflect.MessageKind && f.open[fd.Message().FullName()] != nil {
		return f.itself(out, f.open[fd.Message().FullName()])
	}
	b, err := f.base(out, fd)
	if err != nil {
		return nil, err
	}
	if out.list {
		if out.elem, err = b.Optional().Build(); err != nil {
			return nil, err
		}
		b = data.NewArraySchema(out.elem)
	}
	b.Parameter(protoTag, strconv.Itoa(int(fd.Number())))
	out.connect, err = b.SetOptional(f.nullable(fd)).Build()
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

// nullable tells whether the schema of a field allows null.
func (f *protoFile) nullable(fd protoreflect.FieldDescriptor) bool {
	return !f.options.labels || fd.HasOptionalKeyword() || fd.Kind() == protoreflect.MessageKind || fd.ContainingOneof() != nil
}

// itself is a field whose type is a message that the field is within.
func (f *protoFile) itself(out *protoField, open *opened[protoType]) (*protoField, error) {
	tag := data.Param{Name: protoTag, Value: strconv.Itoa(int(out.number))}
	out.message = &protoType{}
	open.within = append(open.within, out.message)
	if !out.list {
		out.connect = open.knot.Reference(true, tag)
		out.elem, out.message.connect = out.connect, out.connect
		return out, nil
	}
	out.elem = open.knot.Reference(true)
	out.message.connect = out.elem
	var err error
	out.connect, err = data.NewArraySchema(out.elem).Parameter(tag.Name, tag.Value).Optional().Build()
	return out, err
}

// base begins the schema of a field, or of the elements of a repeated one.
func (f *protoFile) base(out *protoField, fd protoreflect.FieldDescriptor) (*data.SchemaBuilder, error) {
	var err error
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return data.NewSchema(data.TypeBoolean), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return smallInteger(fd), nil
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
	return integerKind(data.NewSchema(data.TypeInt64), fd, protoreflect.Int64Kind), nil // the other integers
}

func smallInteger(fd protoreflect.FieldDescriptor) *data.SchemaBuilder {
	switch protoNotes(fd)[protoConnectType] {
	case "int8":
		return data.NewSchema(data.TypeInt8)
	case "int16":
		return data.NewSchema(data.TypeInt16)
	}
	return integerKind(data.NewSchema(data.TypeInt32), fd, protoreflect.Int32Kind)
}

// integerKind notes how an integer is written if that is not the usual way.
func integerKind(b *data.SchemaBuilder, fd protoreflect.FieldDescriptor, usual protoreflect.Kind) *data.SchemaBuilder {
	if fd.Kind() != usual {
		b.Parameter(protoIntegerKind, fd.Kind().String())
	}
	return b
}

func (f *protoFile) mapping(out *protoField, fd protoreflect.FieldDescriptor) (b *data.SchemaBuilder, err error) {
	if out.key, err = f.field(fd.MapKey()); err != nil {
		return nil, err
	}
	if out.value, err = f.field(fd.MapValue()); err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(f.name(fd.Message()), "Entry")
	return data.NewMapSchema(out.key.connect, out.value.connect).Name(mapField(name)), nil
}

// enum is the name of a value, or its number; parameters tell which there are.
func (f *protoFile) enum(out *protoField, e protoreflect.EnumDescriptor) *data.SchemaBuilder {
	b := data.NewSchema(data.TypeString)
	if f.options.intEnums {
		b = data.NewSchema(data.TypeInt32)
	} else {
		out.numbers, out.symbols = map[string]int32{}, map[int32]string{}
	}
	param := protoEnum
	if f.options.sums {
		param = sumEnum
	}
	b.Name(f.name(e)).Parameter(param, string(e.Name()))
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		b.Parameter(param+"."+string(v.Name()), strconv.Itoa(int(v.Number())))
		if f.options.intEnums {
			continue
		}
		out.numbers[string(v.Name())] = int32(v.Number())
		if _, known := out.symbols[int32(v.Number())]; !known {
			out.symbols[int32(v.Number())] = string(v.Name())
		}
	}
	return b
}

// mapField is the name of a map's field, which the name of its entries is made of: ByName of by_name.
func mapField(entries string) string {
	at := strings.LastIndexByte(entries, '.') + 1
	var b strings.Builder
	b.WriteString(entries[:at])
	for i, c := range entries[at:] {
		if unicode.IsUpper(c) {
			if i > 0 {
				b.WriteByte('_')
			}
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
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

package registry

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// appendStruct writes the fields of a struct that the message has, by their names.
func (t *protoType) appendStruct(dst []byte, s *data.Struct) ([]byte, error) {
	if t.last != s.Schema() {
		t.findPlaces(s.Schema())
	}
	for i, f := range t.fields {
		if t.places[i] < 0 {
			continue
		}
		v := s.At(t.places[i])
		if f.union >= 0 {
			if u := v.Struct(); u != nil && u.Schema().Field(f.name) != nil {
				v = u.RawAt(u.Schema().Field(f.name).Index)
			} else {
				continue
			}
		}
		if v.IsNull() {
			continue
		}
		var err error
		if dst, err = f.append(dst, v); err != nil {
			return dst, fault.Data.Errorf("field %s: %w", f.name, err)
		}
	}
	return dst, nil
}

func (t *protoType) findPlaces(s *data.Schema) {
	t.places = t.places[:0]
	for _, f := range t.fields {
		name := f.name
		if f.union >= 0 {
			name = t.connect.Fields()[t.unions[f.union].place].Name
		}
		place := -1
		if at := s.Field(name); at != nil {
			place = at.Index
		} else if f.union >= 0 {
			place = slices.IndexFunc(s.Fields(), func(at data.Field) bool {
				one, is := unionOf(at.Schema)
				return is && one == t.unions[f.union].name
			})
		}
		t.places = append(t.places, place)
	}
	t.last = s
}

// append writes a field that is not null.
func (f *protoField) append(dst []byte, v data.Value) ([]byte, error) {
	switch {
	case f.key != nil && v.Type() == data.TypeMap:
		return f.appendMap(dst, v.Map())
	case f.list && v.Type() == data.TypeArray:
		return f.appendList(dst, v.Array())
	case f.list || f.key != nil:
		return dst, f.misfit(v)
	}
	if !f.presence && isZero(v) {
		return dst, nil
	}
	return f.appendOne(protowire.AppendTag(dst, f.number, f.wire()), v)
}

func isZero(v data.Value) bool {
	switch v.Type() {
	case data.TypeString:
		return v.Str() == ""
	case data.TypeBytes:
		return len(v.Bytes()) == 0
	}
	return v.Type().IsPrimitive() && v.Bits() == 0
}

func (f *protoField) misfit(v data.Value) error {
	return fault.Data.New("class " + v.Type().JavaClass() + " does not fit into Protobuf's " + f.kind.String())
}

func (f *protoField) appendMap(dst []byte, m *data.Map) ([]byte, error) {
	for _, e := range m.Entries() {
		if e.Key.IsNull() || e.Value.IsNull() {
			return dst, fault.Data.New("Protobuf has no null in maps")
		}
		dst = protowire.AppendTag(dst, f.number, protowire.BytesType)
		at := len(dst)
		out, err := f.key.append(dst, e.Key)
		if err == nil {
			out, err = f.value.append(out, e.Value)
		}
		if err != nil {
			return out, err
		}
		dst = insertLength(out, at)
	}
	return dst, nil
}

func (f *protoField) appendList(dst []byte, elements []data.Value) ([]byte, error) {
	if len(elements) == 0 {
		return dst, nil
	}
	at := 0
	if f.packed {
		dst = protowire.AppendTag(dst, f.number, protowire.BytesType)
		at = len(dst)
	}
	for _, e := range elements {
		if e.IsNull() {
			return dst, fault.Data.New("Protobuf has no null in arrays")
		}
		if !f.packed {
			dst = protowire.AppendTag(dst, f.number, f.wire())
		}
		var err error
		if dst, err = f.appendOne(dst, e); err != nil {
			return dst, err
		}
	}
	if f.packed {
		dst = insertLength(dst, at)
	}
	return dst, nil
}

// insertLength puts the length of what follows at a place before it.
func insertLength(b []byte, at int) []byte {
	n := len(b) - at
	size := protowire.SizeVarint(uint64(n))
	for range size {
		b = append(b, 0)
	}
	copy(b[at+size:], b[at:at+n])
	binary.PutUvarint(b[at:at+size], uint64(n))
	return b
}

// wire is how values of the kind are written.
func (f *protoField) wire() protowire.Type {
	switch f.kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	}
	return protowire.VarintType
}

// appendOne writes a value behind its tag.
func (f *protoField) appendOne(dst []byte, v data.Value) ([]byte, error) {
	vt := v.Type()
	integer := vt >= data.TypeInt8 && vt <= data.TypeInt64
	switch f.kind {
	case protoreflect.BoolKind:
		if vt == data.TypeBoolean {
			return protowire.AppendVarint(dst, v.Bits()&1), nil
		}
	case protoreflect.EnumKind:
		if integer {
			return protowire.AppendVarint(dst, uint64(v.Int())), nil
		}
		if n, ok := f.numbers[v.Str()]; ok && vt == data.TypeString {
			return protowire.AppendVarint(dst, uint64(int64(n))), nil
		}
	case protoreflect.FloatKind:
		if vt == data.TypeFloat32 {
			return protowire.AppendFixed32(dst, math.Float32bits(float32(v.Float()))), nil
		}
	case protoreflect.DoubleKind:
		if vt == data.TypeFloat64 || vt == data.TypeFloat32 {
			return protowire.AppendFixed64(dst, math.Float64bits(v.Float())), nil
		}
	case protoreflect.StringKind:
		if vt == data.TypeString {
			return protowire.AppendString(dst, v.Str()), nil
		}
	case protoreflect.BytesKind:
		if vt == data.TypeBytes {
			return protowire.AppendBytes(dst, v.Bytes()), nil
		}
	case protoreflect.MessageKind:
		at := len(dst)
		out, err := f.appendMessage(dst, v)
		if err != nil {
			return out, err
		}
		return insertLength(out, at), nil
	default:
		if integer {
			return f.appendInteger(dst, v.Int()), nil
		}
	}
	return dst, f.misfit(v)
}

func (f *protoField) appendInteger(dst []byte, n int64) []byte {
	switch f.kind {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(dst, protowire.EncodeZigZag(n))
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.AppendFixed32(dst, uint32(n))
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.AppendFixed64(dst, uint64(n))
	}
	return protowire.AppendVarint(dst, uint64(n))
}

// appendMessage writes the inside of a message.
func (f *protoField) appendMessage(dst []byte, v data.Value) ([]byte, error) {
	number := func(n protowire.Number, value int64) {
		if value != 0 {
			dst = protowire.AppendVarint(protowire.AppendTag(dst, n, protowire.VarintType), uint64(value))
		}
	}
	switch {
	case f.unwrap:
		return f.message.fields[0].append(dst, v)
	case f.message.form == protoDecimal && v.Type() == data.TypeDecimal:
		d := v.Decimal()
		dst = protowire.AppendBytes(protowire.AppendTag(dst, 1, protowire.BytesType), d.AppendUnscaled(nil))
		number(2, int64(d.Precision()))
		number(3, int64(d.Scale()))
		return dst, nil
	case f.message.form == protoStruct && v.Type() == data.TypeStruct:
		return f.message.appendStruct(dst, v.Struct())
	case f.message.form == protoStruct || v.Type() != data.TypeDate:
		return dst, f.misfit(v)
	}
	at := time.UnixMilli(v.Millis()).UTC()
	switch f.message.form {
	case protoTimestamp:
		number(1, at.Unix())
		number(2, int64(at.Nanosecond()))
	case protoDate:
		number(1, int64(at.Year()))
		number(2, int64(at.Month()))
		number(3, int64(at.Day()))
	default:
		number(1, int64(at.Hour()))
		number(2, int64(at.Minute()))
		number(3, int64(at.Second()))
		number(4, int64(at.Nanosecond()))
	}
	return dst, nil
}

// protoReading is what the messages within one share.
type protoReading struct {
	slab  *data.Slab
	depth int
}

// maxProtoDepth is how deep messages may nest, as in Google's library.
const maxProtoDepth = 100

// read takes a message apart. Texts and bytes refer to b.
func (t *protoType) read(b []byte, r *protoReading) (data.Value, error) {
	if r.depth++; r.depth > maxProtoDepth {
		return data.Value{}, fault.Data.Errorf("the Protobuf data nests deeper than %d messages", maxProtoDepth)
	}
	defer func() { r.depth-- }()
	values := r.slab.Values(len(t.connectFields()))
	var lists map[int][]data.Value
	var entries map[int][]data.Entry
	var logical [5]int64 // fields 1 to 4 of a message that stands for a logical type
	var unscaled []byte
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return data.Value{}, brokenProto()
		}
		body := b[n:]
		size := protowire.ConsumeFieldValue(number, wire, body)
		if size < 0 {
			return data.Value{}, brokenProto()
		}
		b = body[size:]
		body = body[:size]
		if t.form != protoStruct {
			if wire == protowire.VarintType && number <= 4 {
				v, _ := protowire.ConsumeVarint(body)
				logical[number] = int64(v)
			} else if wire == protowire.BytesType && number == 1 {
				unscaled, _ = protowire.ConsumeBytes(body)
			}
			continue
		}
		f := t.byNumber(number)
		switch {
		case f == nil:
		case f.key != nil:
			e, err := f.entry(body, wire, r)
			if err != nil {
				return data.Value{}, err
			}
			if entries == nil {
				entries = map[int][]data.Entry{}
			}
			entries[f.place] = append(entries[f.place], e)
		case f.list:
			if lists == nil {
				lists = map[int][]data.Value{}
			}
			var err error
			if lists[f.place], err = f.elements(lists[f.place], body, wire, r); err != nil {
				return data.Value{}, err
			}
		default:
			v, err := f.one(body, wire, r)
			if err != nil {
				return data.Value{}, err
			}
			t.set(values, f, v, r)
		}
	}
	if t.form != protoStruct {
		return t.logical(logical, unscaled), nil
	}
	t.complete(values, lists, entries, r)
	return data.StructValue(r.slab.StructOf(t.connect, values)), nil
}

func (t *protoType) connectFields() []data.Field {
	if t.form != protoStruct {
		return nil
	}
	return t.connect.Fields()
}

func (t *protoType) byNumber(n protowire.Number) *protoField {
	for _, f := range t.fields {
		if f.number == n {
			return f
		}
	}
	return nil
}

// set puts a value into its place; of a union's fields the last one counts.
func (t *protoType) set(values []data.Value, f *protoField, v data.Value, r *protoReading) {
	if f.union < 0 {
		values[f.place] = v
		return
	}
	u := t.unions[f.union]
	fields := r.slab.Values(u.size)
	fields[f.place] = v
	values[u.place] = data.StructValue(r.slab.StructOf(u.connect, fields))
}

// complete puts in lists and maps, and for fields that were not written what that means.
func (t *protoType) complete(values []data.Value, lists map[int][]data.Value, entries map[int][]data.Entry, r *protoReading) {
	for _, f := range t.fields {
		switch {
		case f.union >= 0:
		case f.key != nil:
			values[f.place] = data.MapValue(r.slab.Map(entries[f.place], 0))
		case f.list:
			values[f.place] = r.slab.Array(lists[f.place])
		case values[f.place].IsNull() && !f.presence:
			values[f.place] = f.zero()
		}
	}
}

// zero is what a field without presence is when it is not written.
func (f *protoField) zero() data.Value {
	switch f.elem.Type() {
	case data.TypeString:
		return data.StringValue(f.symbols[0])
	case data.TypeBytes:
		return data.BytesValue([]byte{})
	case data.TypeBoolean:
		return data.BooleanValue(false)
	case data.TypeFloat32:
		return data.Float32Value(0)
	case data.TypeFloat64:
		return data.Float64Value(0)
	}
	return f.integer(0)
}

func (f *protoField) integer(n int64) data.Value {
	switch f.elem.Type() {
	case data.TypeInt8:
		return data.Int8Value(int8(n))
	case data.TypeInt16:
		return data.Int16Value(int16(n))
	case data.TypeInt32:
		return data.Int32Value(int32(n))
	}
	return data.Int64Value(n)
}

func (t *protoType) logical(n [5]int64, unscaled []byte) data.Value {
	switch t.form {
	case protoDecimal:
		return data.DecimalValue(data.DecimalFromUnscaled(unscaled, int(int32(n[3]))))
	case protoTimestamp:
		return data.DateValue(n[1]*1000 + n[2]/1_000_000)
	case protoDate:
		return data.DateValue(time.Date(int(int32(n[1])), time.Month(int32(n[2])), int(int32(n[3])), 0, 0, 0, 0, time.UTC).UnixMilli())
	}
	return data.DateValue(((n[1]*60+n[2])*60+n[3])*1000 + n[4]/1_000_000)
}

func (f *protoField) entry(b []byte, wire protowire.Type, r *protoReading) (e data.Entry, err error) {
	body, n := protowire.ConsumeBytes(b)
	if wire != protowire.BytesType || n < 0 {
		return e, brokenProto()
	}
	e.Key = f.key.zero()
	if f.value.kind != protoreflect.MessageKind {
		e.Value = f.value.zero()
	}
	for len(body) > 0 {
		number, wire, n := protowire.ConsumeTag(body)
		if n < 0 {
			return e, brokenProto()
		}
		size := protowire.ConsumeFieldValue(number, wire, body[n:])
		if size < 0 {
			return e, brokenProto()
		}
		switch value := body[n : n+size]; number {
		case 1:
			e.Key, err = f.key.one(value, wire, r)
		case 2:
			e.Value, err = f.value.one(value, wire, r)
		}
		if err != nil {
			return e, err
		}
		body = body[n+size:]
	}
	if e.Value.IsNull() {
		e.Value, err = f.value.message.read(nil, r)
	}
	return e, err
}

// elements adds what a repeated field has, packed or not.
func (f *protoField) elements(list []data.Value, b []byte, wire protowire.Type, r *protoReading) ([]data.Value, error) {
	if wire != protowire.BytesType || f.wire() == protowire.BytesType {
		v, err := f.one(b, wire, r)
		return append(list, v), err
	}
	body, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return list, brokenProto()
	}
	for len(body) > 0 {
		size := protowire.ConsumeFieldValue(f.number, f.wire(), body)
		if size < 0 {
			return list, brokenProto()
		}
		v, err := f.one(body[:size], f.wire(), r)
		if err != nil {
			return list, err
		}
		list = append(list, v)
		body = body[size:]
	}
	return list, nil
}

func brokenProto() error { return fault.Data.New("the Protobuf data is broken") }

// one reads a value; b is all of it.
func (f *protoField) one(b []byte, wire protowire.Type, r *protoReading) (data.Value, error) {
	if wire != f.wire() {
		return data.Value{}, fault.Data.New("field " + f.name + " is not " + f.kind.String() + " in the Protobuf data")
	}
	switch wire {
	case protowire.BytesType:
		body, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return data.Value{}, brokenProto()
		}
		return f.bytes(body, r)
	case protowire.Fixed32Type:
		n, _ := protowire.ConsumeFixed32(b)
		if f.kind == protoreflect.FloatKind {
			return data.Float32Value(math.Float32frombits(n)), nil
		}
		if f.kind == protoreflect.Fixed32Kind {
			return f.integer(int64(n)), nil
		}
		return f.integer(int64(int32(n))), nil
	case protowire.Fixed64Type:
		n, _ := protowire.ConsumeFixed64(b)
		if f.kind == protoreflect.DoubleKind {
			return data.Float64Value(math.Float64frombits(n)), nil
		}
		return f.integer(int64(n)), nil
	}
	n, _ := protowire.ConsumeVarint(b)
	return f.varint(n), nil
}

func (f *protoField) varint(n uint64) data.Value {
	switch f.kind {
	case protoreflect.BoolKind:
		return data.BooleanValue(n != 0)
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return f.integer(protowire.DecodeZigZag(n))
	case protoreflect.Uint32Kind:
		return f.integer(int64(uint32(n)))
	case protoreflect.EnumKind:
		if f.symbols != nil {
			return f.symbol(int32(n))
		}
	}
	return f.integer(int64(n))
}

// symbol is the name of an enum's number; a number that the schema does not know is its own name.
func (f *protoField) symbol(n int32) data.Value {
	if s, ok := f.symbols[n]; ok {
		return data.StringValue(s)
	}
	return data.StringValue("UNKNOWN_ENUM_VALUE_" + f.name + "_" + data.Int32Value(n).String())
}

func (f *protoField) bytes(b []byte, r *protoReading) (data.Value, error) {
	switch f.kind {
	case protoreflect.StringKind:
		if !utf8.Valid(b) {
			return data.Value{}, fault.Data.New("field " + f.name + " is no UTF-8")
		}
		return data.StringValue(unsafe.String(unsafe.SliceData(b), len(b))), nil
	case protoreflect.BytesKind:
		return data.BytesValue(b[:len(b):len(b)]), nil
	}
	v, err := f.message.read(b, r)
	if err != nil || !f.unwrap {
		return v, err
	}
	return v.Struct().RawAt(0), nil
}

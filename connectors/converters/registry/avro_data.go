package registry

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// append writes a value in Avro's binary form.
func (t *avroType) append(dst []byte, v data.Value) ([]byte, error) {
	if t.kind == "union" {
		return t.appendUnion(dst, v)
	}
	if v.IsNull() && t.connect != nil && !t.connect.Default().IsNull() {
		v = t.connect.Default()
	}
	if t.connect.IsLogical() {
		stored, err := data.FromLogical(t.connect, v)
		if err != nil {
			return dst, err
		}
		v = stored
	}
	switch vt := v.Type(); {
	case t.kind == "null" && vt == data.TypeNull:
		return dst, nil
	case t.kind == "boolean" && vt == data.TypeBoolean:
		if v.Bool() {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case (t.kind == "int" || t.kind == "long") && vt >= data.TypeInt8 && vt <= data.TypeInt64:
		return binary.AppendVarint(dst, v.Int()), nil
	case t.kind == "float" && vt == data.TypeFloat32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	case t.kind == "double" && (vt == data.TypeFloat64 || vt == data.TypeFloat32):
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
	case t.kind == "string" && vt == data.TypeString:
		return append(binary.AppendVarint(dst, int64(len(v.Str()))), v.Str()...), nil
	case t.kind == "bytes" && vt == data.TypeBytes:
		return append(binary.AppendVarint(dst, int64(len(v.Bytes()))), v.Bytes()...), nil
	case t.kind == "fixed" && vt == data.TypeBytes && len(v.Bytes()) == t.size:
		return append(dst, v.Bytes()...), nil
	case t.kind == "fixed" && t.connect.IsDecimal() && len(v.Bytes()) < t.size:
		return append(appendSign(dst, v.Bytes(), t.size), v.Bytes()...), nil
	case t.kind == "enum" && vt == data.TypeString:
		if i := slices.Index(t.symbols, v.Str()); i >= 0 {
			return binary.AppendVarint(dst, int64(i)), nil
		}
	case t.kind == "array" && vt == data.TypeArray:
		return t.appendArray(dst, v.Array())
	case t.kind == "array" && t.entries && vt == data.TypeMap, t.kind == "map" && vt == data.TypeMap:
		return t.appendMap(dst, v.Map())
	case t.kind == "record" && vt == data.TypeStruct:
		return t.appendRecord(dst, v.Struct())
	}
	return dst, fault.Data.New("Invalid type for Avro " + t.kind + ": class " + v.Type().JavaClass())
}

// appendSign writes the bytes by which a number of fixed size is longer than it has to be.
func appendSign(dst, number []byte, size int) []byte {
	var sign byte
	if len(number) > 0 && number[0] >= 0x80 {
		sign = 0xff
	}
	for range size - len(number) {
		dst = append(dst, sign)
	}
	return dst
}

func (t *avroType) appendUnion(dst []byte, v data.Value) ([]byte, error) {
	if v.IsNull() {
		for i, b := range t.branches {
			if b.kind == "null" {
				return binary.AppendVarint(dst, int64(i)), nil
			}
		}
		return dst, fault.Data.New("null used for a required Avro union")
	}
	if s := v.Struct(); s != nil && (t.sum || isAvroUnion(s.Schema())) {
		return t.appendBranch(dst, s)
	}
	for i, b := range t.branches {
		if b.kind != "null" {
			return b.append(binary.AppendVarint(dst, int64(i)), v)
		}
	}
	return dst, fault.Data.New("an Avro union of null only")
}

// appendBranch writes the one field of a union's struct that is set.
func (t *avroType) appendBranch(dst []byte, s *data.Struct) ([]byte, error) {
	field := 0
	for i, b := range t.branches {
		if b.kind == "null" {
			continue
		}
		if field >= len(s.Schema().Fields()) {
			break
		}
		if v := s.RawAt(field); !v.IsNull() {
			return b.append(binary.AppendVarint(dst, int64(i)), v)
		}
		field++
	}
	return dst, fault.Data.New("a union without a value")
}

func (t *avroType) appendArray(dst []byte, elements []data.Value) ([]byte, error) {
	if len(elements) > 0 {
		dst = binary.AppendVarint(dst, int64(len(elements)))
	}
	for _, e := range elements {
		var err error
		if dst, err = t.elem.append(dst, e); err != nil {
			return dst, err
		}
	}
	return append(dst, 0), nil
}

func (t *avroType) appendMap(dst []byte, m *data.Map) ([]byte, error) {
	if m.Len() > 0 {
		dst = binary.AppendVarint(dst, int64(m.Len()))
	}
	for _, e := range m.Entries() {
		var err error
		value := t.elem
		if t.entries {
			value = t.elem.fields[1]
			dst, err = t.elem.fields[0].append(dst, e.Key)
		} else if e.Key.IsNull() {
			err = fault.Data.New("null is the key of a map in Avro")
		} else {
			dst = append(binary.AppendVarint(dst, int64(len(e.Key.Str()))), e.Key.Str()...)
		}
		if err == nil {
			dst, err = value.append(dst, e.Value)
		}
		if err != nil {
			return dst, err
		}
	}
	return append(dst, 0), nil
}

func (t *avroType) appendRecord(dst []byte, s *data.Struct) ([]byte, error) {
	if t.last != s.Schema() {
		t.places = t.places[:0]
		for _, name := range t.names {
			place := -1
			if f := s.Schema().Field(name); f != nil {
				place = f.Index
			} else if t.scrub {
				place = slices.IndexFunc(s.Schema().Fields(), func(f data.Field) bool { return scrubName(f.Name) == name })
			}
			t.places = append(t.places, place)
		}
		t.last = s.Schema()
	}
	for i, f := range t.fields {
		var v data.Value
		if t.places[i] >= 0 {
			v = s.At(t.places[i])
		}
		var err error
		if dst, err = f.append(dst, v); err != nil {
			return dst, fault.Data.Errorf("field %s: %w", t.names[i], err)
		}
	}
	return dst, nil
}

// avroBytes is what is left of a message.
type avroBytes struct {
	b     []byte
	slab  *data.Slab
	depth int
	empty int // elements that took no bytes
}

func short() error { return fault.Data.New("the Avro data ends too early") }

func (r *avroBytes) long() (int64, error) {
	n, used := binary.Varint(r.b)
	if used <= 0 {
		return 0, short()
	}
	r.b = r.b[used:]
	return n, nil
}

func (r *avroBytes) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(r.b)) {
		return nil, short()
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out, nil
}

// read reads a value of a type. Texts and bytes refer to the message.
func (r *avroBytes) read(t *avroType) (data.Value, error) {
	if r.depth++; r.depth > 1000 {
		return data.Null, fault.Data.New("the Avro data nests too deep")
	}
	defer func() { r.depth-- }()
	switch t.kind {
	case "null":
		return data.Null, nil
	case "union":
		return r.union(t)
	case "record", "error":
		return r.record(t)
	case "array", "map":
		return r.collection(t)
	}
	v, err := r.scalar(t)
	if err != nil {
		return v, err
	}
	return data.ToLogical(t.connect, v)
}

func (r *avroBytes) scalar(t *avroType) (data.Value, error) {
	switch t.kind {
	case "boolean":
		b, err := r.take(1)
		return data.BooleanValue(err == nil && b[0] == 1), err
	case "int", "long":
		n, err := r.long()
		if err != nil || t.kind == "int" && n != int64(int32(n)) {
			return data.Null, short()
		}
		return data.Convert(data.Primitive(t.connect.Type(), false), nil, data.Int64Value(n))
	case "float":
		b, err := r.take(4)
		if err != nil {
			return data.Null, err
		}
		return data.Float32Value(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
	case "double":
		b, err := r.take(8)
		if err != nil {
			return data.Null, err
		}
		return data.Float64Value(math.Float64frombits(binary.LittleEndian.Uint64(b))), nil
	case "fixed":
		b, err := r.take(int64(t.size))
		return data.BytesValue(b), err
	}
	n, err := r.long()
	if err != nil {
		return data.Null, err
	}
	if t.kind == "enum" {
		if n < 0 || n >= int64(len(t.symbols)) {
			return data.Null, fault.Data.New("the Avro data has a symbol that the schema has not")
		}
		return data.StringValue(t.symbols[n]), nil
	}
	b, err := r.take(n)
	if t.kind == "bytes" {
		return data.BytesValue(b), err
	}
	return data.StringValue(unsafe.String(unsafe.SliceData(b), len(b))), err
}

func (r *avroBytes) union(t *avroType) (data.Value, error) {
	n, err := r.long()
	if err != nil || n < 0 || n >= int64(len(t.branches)) {
		return data.Null, short()
	}
	v, err := r.read(t.branches[n])
	if err != nil || !t.sum || t.branches[n].kind == "null" {
		return v, err
	}
	s := r.slab.Struct(t.connect)
	field := 0
	for i := range n {
		if t.branches[i].kind != "null" {
			field++
		}
	}
	s.SetAt(field, v)
	return data.StructValue(s), nil
}

func (r *avroBytes) record(t *avroType) (data.Value, error) {
	values := r.slab.Values(len(t.fields))
	for i, f := range t.fields {
		var err error
		if values[i], err = r.read(f); err != nil {
			return data.Null, err
		}
	}
	return data.StructValue(r.slab.StructOf(t.connect, values)), nil
}

// maxEmpty bounds the elements of a message that take no bytes, which no end of the bytes bounds.
const maxEmpty = 1 << 20

// collection reads the blocks of an array or map.
func (r *avroBytes) collection(t *avroType) (data.Value, error) {
	var list []data.Value
	m := data.NewMap(0)
	for {
		n, err := r.long()
		if err != nil {
			return data.Null, err
		}
		if n == 0 {
			break
		}
		if n < 0 {
			if _, err := r.long(); err != nil {
				return data.Null, err
			}
			n = -n
		}
		if n < 0 || n > int64(len(r.b))+maxEmpty {
			return data.Null, short()
		}
		for range n {
			left := len(r.b)
			if err := r.element(t, &list, m); err != nil {
				return data.Null, err
			}
			if len(r.b) < left {
				continue
			}
			if r.empty++; r.empty > maxEmpty {
				return data.Null, short()
			}
		}
	}
	if t.kind == "map" || t.entries {
		m.Index()
		return data.MapValue(m), nil
	}
	return data.ArrayValue(list), nil
}

func (r *avroBytes) element(t *avroType, list *[]data.Value, m *data.Map) error {
	switch {
	case t.entries:
		k, err := r.read(t.elem.fields[0])
		if err != nil {
			return err
		}
		v, err := r.read(t.elem.fields[1])
		m.PutKey(k, v)
		return err
	case t.kind == "map":
		k, err := r.scalar(&avroType{kind: "string"})
		if err != nil {
			return err
		}
		v, err := r.read(t.elem)
		m.Put(k.Str(), v)
		return err
	}
	v, err := r.read(t.elem)
	*list = append(*list, v)
	return err
}

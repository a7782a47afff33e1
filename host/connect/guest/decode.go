package guest

import (
	"bytes"
	"fmt"
	"math/big"
	"unsafe"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// decoder reads data of one instance. It trusts nothing. What it makes holds copies of the bytes it is given.
type decoder struct {
	enc    *encoder // knows the schemas of the host
	own    map[uint32]*data.Schema
	slab   data.Slab
	bytes  []byte // room for copies
	reader abi.DatumReader
}

func newDecoder(enc *encoder) decoder { return decoder{enc: enc, own: map[uint32]*data.Schema{}} }

func clause(name, format string, args ...any) error {
	return &abi.FrameError{Clause: name, Record: -1, What: fmt.Sprintf(format, args...)}
}

// datum reads a part of an answer; nil is null without a schema. kept is the same part of the input, or null.
func (d *decoder) datum(part []byte, kept data.SchemaAndValue) (data.SchemaAndValue, error) {
	if part == nil {
		return data.SchemaAndValue{}, nil
	}
	if err := d.reader.Reset(part, true); err != nil {
		return data.SchemaAndValue{}, err
	}
	if abi.CellType(part[abi.DatumRootAt]) == abi.CellPatch {
		v, err := d.patched(kept.Value)
		return data.SchemaAndValue{Schema: kept.Schema, Value: v}, err
	}
	schema, err := d.schema(d.reader.Schema())
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	v, err := d.value(abi.DatumRootAt, kept.Value, 0)
	if err != nil {
		return data.SchemaAndValue{}, err
	}
	if schema != nil {
		if s := v.Struct(); s != nil && s.Schema() == schema {
			return data.SchemaAndValue{Schema: schema, Value: v}, nil // its fields were checked one by one
		}
		if err := fitting(schema, v); err != nil {
			return data.SchemaAndValue{}, err
		}
	}
	return data.SchemaAndValue{Schema: schema, Value: v}, nil
}

func fitting(s *data.Schema, v data.Value) error {
	if v.IsNull() && !s.Default().IsNull() {
		return nil
	}
	if err := data.ValidateValue(s, v); err != nil {
		return clause("DATA-7", "a value does not fit its schema: %v", err)
	}
	return nil
}

// value reads the cell at a place.
func (d *decoder) value(at int, kept data.Value, depth int) (data.Value, error) {
	c, err := d.reader.Cell(at)
	if err != nil {
		return data.Null, err
	}
	switch c.Type {
	case abi.CellInt8:
		return data.Int8Value(int8(c.V)), nil
	case abi.CellInt16:
		return data.Int16Value(int16(c.V)), nil
	case abi.CellInt32:
		return data.Int32Value(int32(c.V)), nil
	case abi.CellInt64:
		return data.Int64Value(int64(c.V)), nil
	case abi.CellFloat32:
		return data.Float32Bits(uint32(c.V)), nil
	case abi.CellFloat64:
		return data.Float64Bits(c.V), nil
	case abi.CellBoolean:
		return data.BooleanValue(c.V != 0), nil
	case abi.CellString:
		b := d.copied(&c)
		return data.StringValue(unsafe.String(unsafe.SliceData(b), len(b))), nil
	case abi.CellBytes:
		return data.BytesValue(d.copied(&c)), nil
	case abi.CellDate:
		return data.DateValue(int64(c.V)), nil
	case abi.CellDecimal:
		return data.DecimalValue(data.DecimalFromUnscaled(d.reader.Bytes(&c), int(int32(c.High)))), nil
	case abi.CellBigInteger:
		unscaled := data.DecimalFromUnscaled(d.reader.Bytes(&c), 0)
		return data.BigIntegerValue(new(big.Int).Set(unscaled.Unscaled())), nil
	case abi.CellKeep:
		return child(kept, c.V)
	case abi.CellArray, abi.CellMap, abi.CellStruct:
		if depth == abi.MaxDatumDepth {
			return data.Null, clause("DATA-6", "a datum is nested too deep")
		}
		return d.container(&c, kept, depth)
	}
	return data.Null, nil
}

// bytesBlock is how many bytes copies take from the heap at once. A copy keeps its block from being freed.
const bytesBlock = 8 << 10

// copied are the bytes of a cell, for as long as somebody refers to them.
func (d *decoder) copied(c *abi.Cell) []byte {
	b := d.reader.Bytes(c)
	switch n := len(b); {
	case n == 0:
		return []byte{}
	case n > bytesBlock/8:
		return bytes.Clone(b)
	case n > cap(d.bytes)-len(d.bytes):
		d.bytes = make([]byte, 0, bytesBlock)
	}
	at := len(d.bytes)
	d.bytes = append(d.bytes, b...)
	return d.bytes[at:len(d.bytes):len(d.bytes)]
}

// patched is a value of the input with some of its children replaced.
func (d *decoder) patched(kept data.Value) (out data.Value, err error) {
	c, err := d.reader.Cell(abi.DatumRootAt)
	if err != nil {
		return data.Null, err
	}
	if c.At == 0 {
		return kept, nil
	}
	var fields []data.Field
	var values []data.Value
	var entries []data.Entry
	switch s, m := kept.Struct(), kept.Map(); {
	case s != nil:
		fields = s.Schema().Fields()
		values = d.slab.Values(len(fields))
		for i := range values {
			values[i] = s.RawAt(i)
		}
		out = data.StructValue(d.slab.StructOf(s.Schema(), values))
	case m != nil:
		copied := d.slab.Map(m.Entries(), 0)
		copied.Index()
		entries, out = copied.Entries(), data.MapValue(copied)
	default:
		values = d.slab.Values(len(kept.Array()))
		copy(values, kept.Array())
		out = data.ArrayValue(values)
	}
	for at := c.At; at != 0; {
		n, cell, next, err := d.reader.Patch(at)
		if err != nil {
			return data.Null, err
		}
		v, err := d.value(cell, kept, 1)
		if err != nil {
			return data.Null, err
		}
		switch {
		case n < uint64(len(values)):
			if fields != nil {
				if err := fitting(fields[n].Schema, v); err != nil {
					return data.Null, err
				}
			}
			values[n] = v
		case n%2 == 1 && n/2 < uint64(len(entries)):
			entries[n/2].Value = v
		default:
			return data.Null, clause("DATA-5", "child %d of the input is patched, which it does not have", n)
		}
		at = next
	}
	return out, nil
}

// child is the n-th child of the root of an input.
func child(root data.Value, n uint64) (data.Value, error) {
	switch {
	case root.Struct() != nil:
		if n < uint64(len(root.Struct().Schema().Fields())) {
			return root.Struct().RawAt(int(n)), nil
		}
	case root.Map() != nil:
		if entries := root.Map().Entries(); n < 2*uint64(len(entries)) {
			if n%2 == 0 {
				return entries[n/2].Key, nil
			}
			return entries[n/2].Value, nil
		}
	case n < uint64(len(root.Array())):
		return root.Array()[n], nil
	}
	return data.Null, clause("DATA-5", "child %d of the input is kept, which it does not have", n)
}

func (d *decoder) container(c *abi.Cell, kept data.Value, depth int) (data.Value, error) {
	if c.Type == abi.CellStruct {
		return d.structOf(c, kept, depth)
	}
	values := d.slab.Values(c.Children())
	for i := range values {
		var err error
		if values[i], err = d.value(c.At+i*abi.CellSize, kept, depth+1); err != nil {
			return data.Null, err
		}
	}
	if c.Type == abi.CellArray {
		return data.ArrayValue(values), nil
	}
	return mapOf(values)
}

// scalar is a key of a map that is no string.
type scalar struct {
	typ  data.Type
	bits uint64
}

// mapOf makes a map of keys and values in turn; of equal keys the last value counts. What is in a map of Java as a key
// without being found again is refused.
func mapOf(values []data.Value) (data.Value, error) {
	entries := make([]data.Entry, 0, len(values)/2)
	strings, scalars := map[string]int(nil), map[scalar]int(nil)
	if len(values) > 2 {
		strings, scalars = make(map[string]int, len(values)/2), map[scalar]int{}
	}
	for i := 0; i < len(values); i += 2 {
		key, at, seen := values[i], len(entries), false
		switch t := key.Type(); {
		case t == data.TypeString && strings != nil:
			if at, seen = strings[key.Str()]; !seen {
				strings[key.Str()] = len(entries)
			}
		case t <= data.TypeBoolean || t == data.TypeDate:
			if at, seen = scalars[scalar{t, key.Bits()}]; !seen && scalars != nil {
				scalars[scalar{t, key.Bits()}] = len(entries)
			}
		case t != data.TypeString:
			return data.Null, clause("DATA-8", "the key of a map is of type %s", t)
		}
		if seen {
			entries[at].Value = values[i+1]
			continue
		}
		entries = append(entries, data.Entry{Key: key, Value: values[i+1]})
	}
	m := data.MapOf(entries)
	m.Index()
	return data.MapValue(m), nil
}

func (d *decoder) structOf(c *abi.Cell, kept data.Value, depth int) (data.Value, error) {
	schema, err := d.schema(c.High)
	if err != nil {
		return data.Null, err
	}
	if schema == nil || schema.Type() != data.TypeStruct {
		return data.Null, clause("DATA-7", "a struct names schema %d, which is that of no struct", c.High)
	}
	fields := schema.Fields()
	if len(fields) != c.N {
		return data.Null, clause("DATA-7", "a struct has %d fields, its schema %d", c.N, len(fields))
	}
	values := d.slab.Values(c.N)
	for i := range values {
		if values[i], err = d.value(c.At+i*abi.CellSize, kept, depth+1); err != nil {
			return data.Null, err
		}
		if err := fitting(fields[i].Schema, values[i]); err != nil {
			return data.Null, err
		}
	}
	return data.StructValue(d.slab.StructOf(schema, values)), nil
}

// schema is the one with a number, nil for 0.
func (d *decoder) schema(id uint32) (*data.Schema, error) {
	switch {
	case id == 0:
		return nil, nil
	case id&abi.GuestSchema == 0 && int64(id) <= int64(len(d.enc.sent)):
		return d.enc.sent[id-1], nil
	}
	if s := d.own[id]; s != nil {
		return s, nil
	}
	return nil, clause("SCHEMA-5", "schema %d was never told", id)
}

// define takes a schema that the guest made.
func (d *decoder) define(text []byte) error {
	def, err := abi.ReadSchema(text)
	if err != nil {
		return err
	}
	switch {
	case def.ID&abi.GuestSchema == 0:
		return clause("SCHEMA-2", "the guest gives a schema number %d, which is the host's", def.ID)
	case d.own[def.ID] != nil:
		return clause("SCHEMA-2", "the guest gives number %d to two schemas", def.ID)
	case len(d.own) >= maxSchemas:
		return clause("SCHEMA-6", "the guest defines more than %d schemas", maxSchemas)
	}
	s, err := d.build(&def)
	if err != nil {
		return err
	}
	d.own[def.ID] = s
	return nil
}

func (d *decoder) build(def *abi.Schema) (*data.Schema, error) {
	key, err := d.schema(def.Key)
	if err != nil {
		return nil, err
	}
	elem, err := d.schema(def.Elem)
	if err != nil {
		return nil, err
	}
	b := data.NewSchema(data.Type(def.Type))
	switch def.Type {
	case abi.CellArray:
		b = data.NewArraySchema(elem)
	case abi.CellMap:
		b = data.NewMapSchema(key, elem)
	}
	b.SetOptional(def.Flags&abi.SchemaOptional != 0)
	if def.Flags&abi.SchemaVersion != 0 {
		b.Version(def.Version)
	}
	pairs := abi.ReadPairs(def.Pairs)
	for n := 0; ; n++ {
		name, value, ok := pairs.Next()
		switch {
		case !ok:
			s, err := b.Build()
			if err != nil {
				return nil, clause("SCHEMA-4", "schema %d: %v", def.ID, err)
			}
			return s, nil
		case n < def.FieldCount:
			field, err := d.schema(abi.FieldSchema(value))
			if err != nil {
				return nil, err
			}
			b.Field(string(name), field)
		case n < def.FieldCount+def.ParamCount:
			b.Parameter(string(name), string(value))
		default:
			if err := d.property(b, string(name), value); err != nil {
				return nil, err
			}
		}
	}
}

func (d *decoder) property(b *data.SchemaBuilder, name string, value []byte) error {
	switch name {
	case abi.SchemaName:
		b.Name(string(value))
	case abi.SchemaDoc:
		b.Doc(string(value))
	case abi.SchemaDefault:
		v, err := d.datum(value, data.SchemaAndValue{})
		if err != nil {
			return err
		}
		b.Default(v.Value)
	}
	return nil
}

package guest

import (
	"fmt"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

const (
	// maxKnown bounds the schemas that are known by their address. Those of converters that make a new one for each
	// record are found by their content.
	maxKnown = 4096
	// maxSchemas is when an instance has been told of so many schemas that a fresh one is cheaper.
	maxSchemas = 10_000
)

// encoder writes data for one instance, and each schema once.
type encoder struct {
	known     map[*data.Schema]uint32
	last      *data.Schema // the one that was asked for last, which is mostly asked for again
	lastID    uint32
	byContent map[string]uint32
	sent      []*data.Schema // by number, from 1
	pending   []byte         // pairs of schemas that the next frame carries
	scratch   []byte
}

func newEncoder() encoder {
	return encoder{known: map[*data.Schema]uint32{}, byContent: map[string]uint32{}}
}

// datum appends a datum to dst.
func (e *encoder) datum(dst []byte, v data.SchemaAndValue) ([]byte, error) {
	id, err := e.schema(v.Schema, 0)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	return e.value(abi.AppendDatum(dst, id), start, start+abi.DatumRootAt, v.Value, 0)
}

// value writes a value to the cell at dst[at] of the datum at dst[start].
func (e *encoder) value(dst []byte, start, at int, v data.Value, depth int) ([]byte, error) {
	switch v.Type() {
	case data.TypeNull:
		return dst, nil
	case data.TypeInt8, data.TypeInt16, data.TypeInt32, data.TypeInt64:
		abi.PutCell(dst, at, abi.CellType(v.Type()), 0, uint64(v.Int()))
	case data.TypeFloat32, data.TypeFloat64:
		abi.PutCell(dst, at, abi.CellType(v.Type()), 0, v.Bits())
	case data.TypeBoolean:
		abi.PutCell(dst, at, abi.CellBoolean, 0, v.Bits())
	case data.TypeDate:
		abi.PutCell(dst, at, abi.CellDate, 0, uint64(v.Millis()))
	case data.TypeString:
		return abi.AppendCellBytes(dst, start, at, abi.CellString, v.Str(), 0), nil
	case data.TypeBytes:
		return abi.AppendCellBytes(dst, start, at, abi.CellBytes, v.Bytes(), 0), nil
	case data.TypeDecimal:
		e.scratch = v.Decimal().AppendUnscaled(e.scratch[:0])
		return abi.AppendCellBytes(dst, start, at, abi.CellDecimal, e.scratch, uint32(int32(v.Decimal().Scale()))), nil
	case data.TypeBigInteger:
		e.scratch = data.AppendBigInt(e.scratch[:0], v.BigInteger())
		return abi.AppendCellBytes(dst, start, at, abi.CellBigInteger, e.scratch, 0), nil
	default:
		return e.container(dst, start, at, v, depth)
	}
	return dst, nil
}

func (e *encoder) container(dst []byte, start, at int, v data.Value, depth int) (out []byte, err error) {
	if depth == abi.MaxDatumDepth {
		return dst, fault.Data.New(fmt.Sprintf("a value is nested deeper than %d", abi.MaxDatumDepth))
	}
	switch v.Type() {
	case data.TypeArray:
		elements := v.Array()
		dst, first := abi.AppendCells(dst, start, at, abi.CellArray, len(elements), 0)
		for i := range elements {
			if dst, err = e.value(dst, start, first+i*abi.CellSize, elements[i], depth+1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	case data.TypeMap:
		entries := v.Map().Entries()
		dst, first := abi.AppendCells(dst, start, at, abi.CellMap, 2*len(entries), 0)
		for i := range entries {
			if dst, err = e.value(dst, start, first+2*i*abi.CellSize, entries[i].Key, depth+1); err != nil {
				return dst, err
			}
			if dst, err = e.value(dst, start, first+(2*i+1)*abi.CellSize, entries[i].Value, depth+1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	s := v.Struct()
	id, err := e.schema(s.Schema(), 0)
	if err != nil {
		return dst, err
	}
	n := len(s.Schema().Fields())
	dst, first := abi.AppendCells(dst, start, at, abi.CellStruct, n, id)
	for i := range n {
		if dst, err = e.value(dst, start, first+i*abi.CellSize, s.RawAt(i), depth+1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// schema is the number of a schema, which the next frame carries if the instance does not know it yet.
func (e *encoder) schema(s *data.Schema, depth int) (uint32, error) {
	if s == nil {
		return 0, nil
	}
	if s == e.last {
		return e.lastID, nil
	}
	if id, ok := e.known[s]; ok {
		e.last, e.lastID = s, id
		return id, nil
	}
	if err := data.RefuseWithin(s, "a plugin in WebAssembly"); err != nil {
		return 0, err
	}
	if depth == abi.MaxDatumDepth {
		return 0, fault.Data.New(fmt.Sprintf("a schema is nested deeper than %d", abi.MaxDatumDepth))
	}
	def, err := e.define(s, depth)
	if err != nil {
		return 0, err
	}
	if len(e.known) >= maxKnown {
		clear(e.known)
	}
	content := string(abi.AppendSchema(nil, &def))
	id, ok := e.byContent[content]
	if !ok {
		e.sent = append(e.sent, s)
		id = uint32(len(e.sent))
		def.ID = id
		e.pending = abi.AppendPair(e.pending, abi.AuxSchema, abi.AppendSchema(nil, &def))
		e.byContent[content] = id
	}
	e.known[s] = id
	return id, nil
}

// define describes a schema without a number, those inside it by theirs.
func (e *encoder) define(s *data.Schema, depth int) (def abi.Schema, err error) {
	def.Type = abi.CellType(s.Type())
	if s.Optional() {
		def.Flags |= abi.SchemaOptional
	}
	if v, ok := s.Version(); ok {
		def.Flags, def.Version = def.Flags|abi.SchemaVersion, v
	}
	if def.Key, err = e.schema(s.Key(), depth+1); err != nil {
		return def, err
	}
	if def.Elem, err = e.schema(s.Elem(), depth+1); err != nil {
		return def, err
	}
	for _, f := range s.Fields() {
		id, err := e.schema(f.Schema, depth+1)
		if err != nil {
			return def, err
		}
		def.Pairs = abi.AppendSchemaField(def.Pairs, f.Name, id)
	}
	for _, p := range s.Parameters() {
		def.Pairs = abi.AppendPair(def.Pairs, p.Name, p.Value)
	}
	def.FieldCount, def.ParamCount = len(s.Fields()), len(s.Parameters())
	if s.Name() != "" {
		def.Pairs = abi.AppendPair(def.Pairs, abi.SchemaName, s.Name())
	}
	if s.Doc() != "" {
		def.Pairs = abi.AppendPair(def.Pairs, abi.SchemaDoc, s.Doc())
	}
	if !s.Default().IsNull() {
		datum, err := e.value(abi.AppendDatum(nil, 0), 0, abi.DatumRootAt, s.Default(), depth)
		if err != nil {
			return def, err
		}
		def.Pairs = abi.AppendPair(def.Pairs, abi.SchemaDefault, datum)
	}
	return def, nil
}

// full tells whether the instance has been told of as many schemas as it takes.
func (e *encoder) full() bool { return len(e.sent) >= maxSchemas }

package abi

import (
	"encoding/binary"
	"unicode/utf8"
)

// A datum is one value of Connect with the number of its schema: a header of 8 bytes, the root cell, and behind it the
// cells and bytes that it refers to (SPEC.md, 12). Keys, values and header values of frames for Connect's kinds are data.

// Sizes of a datum's parts.
const (
	DatumHeaderSize = 8
	CellSize        = 16
	// DatumRootAt is where the root cell stands.
	DatumRootAt = DatumHeaderSize
	// MaxDatumDepth is how deep cells may be nested.
	MaxDatumDepth = 100
)

// CellType says what a cell holds.
type CellType uint8

// The types. Those up to CellStruct are Kafka's Schema.Type, in its order.
const (
	CellNull CellType = iota
	CellInt8
	CellInt16
	CellInt32
	CellInt64
	CellFloat32
	CellFloat64
	CellBoolean
	CellString
	CellBytes
	CellArray
	CellMap
	CellStruct
	// CellDecimal is a BigDecimal: its unscaled number, big-endian, and a scale.
	CellDecimal
	// CellDate is a Date, Time or Timestamp in milliseconds.
	CellDate
	// CellBigInteger is a BigInteger, big-endian.
	CellBigInteger
	// CellKeep stands, in an answer, for a child of the root of the same part of the input.
	CellKeep
	// CellPatch stands, in an answer, for the root of the same part of the input with some of its children replaced. It is a
	// root.
	CellPatch
)

// Cell is one decoded cell.
type Cell struct {
	Type CellType
	// N is the length of bytes, or the number of elements, entries or fields.
	N int
	// V is a number as its 64 bits.
	V uint64
	// At is where the bytes, or the first child, lie in the datum.
	At int
	// High is the scale of a decimal, or the schema of a struct.
	High uint32
}

// Children is how many cells the cell refers to.
func (c *Cell) Children() int {
	switch c.Type {
	case CellArray, CellStruct:
		return c.N
	case CellMap:
		return 2 * c.N
	}
	return 0
}

// AppendDatum begins a datum at the end of dst, whose root is null. schema is its number, 0 for none.
func AppendDatum(dst []byte, schema uint32) []byte {
	dst, b := extend(dst, DatumHeaderSize+CellSize)
	clear(b)
	binary.LittleEndian.PutUint32(b, schema)
	return dst
}

// PutCell writes a cell without bytes or children of its own at dst[at].
func PutCell(dst []byte, at int, t CellType, n uint32, v uint64) {
	b := dst[at : at+CellSize]
	binary.LittleEndian.PutUint64(b, uint64(t)|uint64(n)<<32)
	binary.LittleEndian.PutUint64(b[8:], v)
}

// AppendCells makes the cell at dst[at] of the datum that begins at dst[start] one with count children, which are null
// until they are written; first is where the first one is. Of a map count is twice its entries; high is the schema of a
// struct.
func AppendCells(dst []byte, start, at int, t CellType, count int, high uint32) (out []byte, first int) {
	first = len(dst)
	out, cells := extend(dst, count*CellSize)
	clear(cells)
	n := uint32(count)
	if t == CellMap {
		n /= 2
	}
	PutCell(out, at, t, n, uint64(uint32(first-start))|uint64(high)<<32)
	return out, first
}

// AppendCellBytes makes the cell at dst[at] of the datum that begins at dst[start] one with bytes; high is the scale of a
// decimal.
func AppendCellBytes[B ~string | ~[]byte](dst []byte, start, at int, t CellType, b B, high uint32) []byte {
	PutCell(dst, at, t, uint32(len(b)), uint64(uint32(len(dst)-start))|uint64(high)<<32)
	if len(b) == 0 {
		return dst
	}
	n := pad8(len(b))
	dst, room := extend(dst, n)
	binary.LittleEndian.PutUint64(room[n-8:], 0)
	copy(room, b)
	return dst
}

// DatumReader decodes data cell by cell. It trusts nothing, never panics and allocates only for an error. Cells are asked
// for by place: the root at DatumRootAt, children at Cell.At and CellSize bytes on from there.
type DatumReader struct {
	part []byte
	left int // cells that may still be asked for as children: a datum has no cell twice
	// Kept tells whether CellKeep is allowed.
	kept bool
}

// Reset begins to read a datum. kept says whether it is part of an answer, where cells may refer to the input.
func (r *DatumReader) Reset(part []byte, kept bool) error {
	r.part, r.left, r.kept = part, len(part)/CellSize, kept
	if len(part) < DatumHeaderSize+CellSize {
		return fault("DATA-1", -1, "a datum is shorter than its header and its root")
	}
	if len(part)%8 != 0 {
		return fault("DATA-1", -1, "the length of a datum is not a multiple of 8")
	}
	return nil
}

// Schema is the number of the schema, 0 for none.
func (r *DatumReader) Schema() uint32 { return binary.LittleEndian.Uint32(r.part) }

// Cell decodes the cell at a place that is DatumRootAt or lies among the children of a cell that was decoded.
func (r *DatumReader) Cell(at int) (Cell, error) {
	if at < DatumRootAt || at > len(r.part)-CellSize {
		return Cell{}, fault("DATA-2", -1, "a cell lies outside of its datum")
	}
	b := r.part[at : at+CellSize]
	head, v := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	c := Cell{Type: CellType(head), N: int(uint32(head >> 32)), V: v}
	switch c.Type {
	case CellString, CellBytes, CellDecimal, CellBigInteger:
		return c, r.bytesCell(&c)
	case CellArray, CellMap, CellStruct:
		return c, r.childrenCell(&c, at)
	case CellKeep, CellPatch:
		if !r.kept {
			return c, fault("DATA-5", -1, "a datum of an input refers to an input")
		}
		if c.At = int(uint32(v)); c.Type == CellPatch && at != DatumRootAt {
			return c, fault("DATA-5", -1, "a patch that is no root")
		}
		return c, nil
	}
	if c.Type > CellPatch {
		return c, fault("DATA-3", -1, "a cell has an unknown type")
	}
	return c, nil
}

func (r *DatumReader) bytesCell(c *Cell) error {
	c.At, c.High = int(uint32(c.V)), uint32(c.V>>32)
	if uint64(c.At)+uint64(c.N) > uint64(len(r.part)) {
		return fault("DATA-2", -1, "the bytes of a cell lie outside of its datum")
	}
	switch {
	case c.Type == CellString && !utf8.Valid(r.part[c.At:c.At+c.N]):
		return fault("DATA-4", -1, "a string is not UTF-8")
	case (c.Type == CellDecimal || c.Type == CellBigInteger) && c.N == 0:
		return fault("DATA-4", -1, "a number of arbitrary size has no bytes")
	}
	return nil
}

func (r *DatumReader) childrenCell(c *Cell, at int) error {
	c.At, c.High = int(uint32(c.V)), uint32(c.V>>32)
	n := c.Children()
	if c.At <= at || c.At%8 != 0 || uint64(c.At)+uint64(n)*CellSize > uint64(len(r.part)) {
		return fault("DATA-2", -1, "the children of a cell do not lie behind it in its datum")
	}
	if r.left -= n; r.left < 0 {
		return fault("DATA-2", -1, "cells of a datum are used more than once")
	}
	return nil
}

// Patch decodes the patch at a place: which child of the input's root is replaced, where the cell stands that takes its
// place, and where the next patch is, 0 at the end. The first one is at Cell.At of a CellPatch.
func (r *DatumReader) Patch(at int) (child uint64, cell, next int, err error) {
	if at < DatumRootAt+CellSize || at%8 != 0 || at > len(r.part)-2*CellSize {
		return 0, 0, 0, fault("DATA-2", -1, "a patch lies outside of its datum")
	}
	if r.left -= 2; r.left < 0 {
		return 0, 0, 0, fault("DATA-2", -1, "cells of a datum are used more than once")
	}
	b := r.part[at : at+CellSize]
	head := binary.LittleEndian.Uint64(b)
	if CellType(head) != CellInt32 {
		return 0, 0, 0, fault("DATA-3", -1, "a patch does not begin with an int32")
	}
	if next = int(uint32(head >> 32)); next != 0 && next <= at {
		return 0, 0, 0, fault("DATA-2", -1, "the next patch does not lie behind the one before")
	}
	return binary.LittleEndian.Uint64(b[8:]), at + CellSize, next, nil
}

// AppendPatch appends room for a patch of a child to the datum at dst[start], whose root is made a CellPatch, behind the
// patch at dst[last] (0 for the first). cell is where the value is to be written.
func AppendPatch(dst []byte, start, last int, child uint32) (out []byte, at, cell int) {
	at = len(dst)
	out, room := extend(dst, 2*CellSize)
	clear(room)
	PutCell(out, at, CellInt32, 0, uint64(child))
	if last == 0 {
		PutCell(out, start+DatumRootAt, CellPatch, 0, uint64(at-start))
	} else {
		binary.LittleEndian.PutUint32(out[last+4:], uint32(at-start))
	}
	return out, at, at + CellSize
}

// Bytes are those of a cell that has bytes: a view into the datum.
func (r *DatumReader) Bytes(c *Cell) []byte { return r.part[c.At : c.At+c.N : c.At+c.N] }

// CheckDatum decodes a datum to its end.
func CheckDatum(part []byte, kept bool) error {
	var r DatumReader
	if err := r.Reset(part, kept); err != nil {
		return err
	}
	return r.check(DatumRootAt, 0)
}

func (r *DatumReader) check(at, depth int) error {
	c, err := r.Cell(at)
	if err != nil {
		return err
	}
	if c.Type == CellPatch {
		return r.checkPatches(c.At)
	}
	n := c.Children()
	if n > 0 && depth == MaxDatumDepth {
		return fault("DATA-6", -1, "a datum is nested too deep")
	}
	for i := range n {
		if err := r.check(c.At+i*CellSize, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *DatumReader) checkPatches(at int) error {
	for at != 0 {
		_, cell, next, err := r.Patch(at)
		if err != nil {
			return err
		}
		if err := r.check(cell, 1); err != nil {
			return err
		}
		at = next
	}
	return nil
}

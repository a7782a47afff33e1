package wasmstream

import (
	"math"
	"unsafe"
)

// Writer makes one value of Connect. After Reset it takes one value: a scalar, or Struct, Map or Array and then their
// children in order - the fields of the schema; key, value, key, value; the elements. What is left out is null. Writing
// more than was announced does nothing.
//
// A Writer copies what it is given and keeps its buffer.
type Writer struct {
	buf   []byte
	next  int // where the next cell stands
	left  int // how many cells in a row are still to be written there
	stack []cells
	patch int // where the last patch stands
}

// cells are those of a container that go on when the one inside is done.
type cells struct{ next, left int }

// Reset begins a value with a schema, nil for none.
func (w *Writer) Reset(s *Schema) {
	w.buf = grown(w.buf[:0], datumHdrSize+cellSize)
	clear(w.buf)
	store32(ptr(w.buf), 0, s.number())
	w.next, w.left, w.stack = datumHdrSize, 1, w.stack[:0]
}

// grown makes b n bytes longer; its memory begins at a multiple of 8.
func grown(b []byte, n int) []byte {
	at := len(b)
	if cap(b)-at >= n {
		return b[: at+n : cap(b)]
	}
	larger := aligned(max(2*cap(b), at+n, 256))
	copy(larger, b)
	return larger[:at+n]
}

// take is the place of the cell to write, false if there is none.
func (w *Writer) take() (at int, ok bool) {
	if w.left > 0 {
		at = w.next
		w.next += cellSize
		w.left--
		return at, true
	}
	return w.outer()
}

// outer is take where the container that is written is complete.
func (w *Writer) outer() (at int, ok bool) {
	for w.left == 0 && len(w.stack) > 0 {
		top := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.next, w.left = top.next, top.left
	}
	if w.left == 0 {
		return 0, false
	}
	at = w.next
	w.next += cellSize
	w.left--
	return at, true
}

func (w *Writer) put(at int, t DatumType, n uint32, v uint64) {
	p := ptr(w.buf)
	store64(p, uintptr(at), uint64(t)|uint64(n)<<32)
	store64(p, uintptr(at)+8, v)
}

func (w *Writer) scalar(t DatumType, v uint64) {
	if at, ok := w.take(); ok {
		w.put(at, t, 0, v)
	}
}

// Null writes null.
func (w *Writer) Null() { w.scalar(TypeNull, 0) }

// Int8 writes an Int8.
func (w *Writer) Int8(v int8) { w.scalar(TypeInt8, uint64(v)) }

// Int16 writes an Int16.
func (w *Writer) Int16(v int16) { w.scalar(TypeInt16, uint64(v)) }

// Int32 writes an Int32.
func (w *Writer) Int32(v int32) { w.scalar(TypeInt32, uint64(v)) }

// Int64 writes an Int64.
func (w *Writer) Int64(v int64) { w.scalar(TypeInt64, uint64(v)) }

// Float32 writes a Float32.
func (w *Writer) Float32(v float32) { w.scalar(TypeFloat32, uint64(math.Float32bits(v))) }

// Float64 writes a Float64.
func (w *Writer) Float64(v float64) { w.scalar(TypeFloat64, math.Float64bits(v)) }

// Bool writes a Boolean.
func (w *Writer) Bool(v bool) {
	var bit uint64
	if v {
		bit = 1
	}
	w.scalar(TypeBoolean, bit)
}

// Date writes the value of a Date, Time or Timestamp, in milliseconds.
func (w *Writer) Date(ms int64) { w.scalar(TypeDate, uint64(ms)) }

// String writes a String, which is UTF-8.
func (w *Writer) String(s string) {
	w.bytes(TypeString, unsafe.Slice(unsafe.StringData(s), len(s)), 0)
}

// Text writes a String of bytes, which are UTF-8.
func (w *Writer) Text(b []byte) { w.bytes(TypeString, b, 0) }

// Bytes writes Bytes.
func (w *Writer) Bytes(b []byte) { w.bytes(TypeBytes, b, 0) }

// Decimal writes a Decimal: its unscaled number, big-endian in two's complement, and the digits behind the point.
func (w *Writer) Decimal(unscaled []byte, scale int) {
	w.bytes(TypeDecimal, unscaled, uint32(int32(scale)))
}

// BigInteger writes a BigInteger, big-endian in two's complement.
func (w *Writer) BigInteger(b []byte) { w.bytes(TypeBigInteger, b, 0) }

func (w *Writer) bytes(t DatumType, b []byte, high uint32) {
	at, ok := w.take()
	if !ok {
		return
	}
	to := len(w.buf)
	if len(b) > 0 {
		w.buf = grown(w.buf, pad8(len(b)))
		putPadded(unsafe.Add(ptr(w.buf), to), b)
	}
	p := ptr(w.buf)
	store64(p, uintptr(at), uint64(t)|uint64(len(b))<<32)
	store64(p, uintptr(at)+8, uint64(uint32(to))|uint64(high)<<32)
}

// Struct writes a struct, whose fields follow.
func (w *Writer) Struct(s *Schema) { w.container(TypeStruct, len(s.Fields), len(s.Fields), s.number()) }

// Map writes a map of n entries: n times a key and a value follow.
func (w *Writer) Map(n int) { w.container(TypeMap, n, 2*n, 0) }

// Array writes an array, whose n elements follow.
func (w *Writer) Array(n int) { w.container(TypeArray, n, n, 0) }

func (w *Writer) container(t DatumType, n, children int, high uint32) {
	at, ok := w.take()
	if !ok {
		return
	}
	first := len(w.buf)
	w.buf = grown(w.buf, children*cellSize)
	clear(w.buf[first:])
	w.put(at, t, uint32(n), uint64(uint32(first))|uint64(high)<<32)
	if w.left > 0 {
		w.stack = append(w.stack, cells{w.next, w.left})
	}
	w.next, w.left = first, children
}

// Keep writes child i of the root of the record's part that is replaced - of a map 2*i for a key, 2*i+1 for a value -
// without its bytes crossing.
func (w *Writer) Keep(i int) { w.scalar(keepCell, uint64(i)) }

// Copy writes a value with all that is in it.
func (w *Writer) Copy(d Datum) {
	switch t := d.Type(); t {
	case TypeString, TypeBytes, TypeDecimal, TypeBigInteger:
		w.bytes(t, d.Bytes(), uint32(d.bits()>>32))
	case TypeArray, TypeMap, TypeStruct:
		n := d.Len()
		if t == TypeMap {
			n *= 2
		}
		w.container(t, d.Len(), n, uint32(d.bits()>>32))
		for i := range n {
			w.Copy(d.child(i))
		}
	case TypeNull:
		w.scalar(TypeNull, 0)
	default:
		w.scalar(t, d.bits())
	}
}

// edit begins a value that is the record's own, but for the children that are written: child i now, others by child.
func (w *Writer) edit(i int) {
	const at, size = datumHdrSize + cellSize, datumHdrSize + 3*cellSize
	if cap(w.buf) < size {
		w.buf = aligned(256)
	}
	w.buf = w.buf[:size]
	p := ptr(w.buf)
	store64(p, 0, 0)
	store64(p, datumHdrSize, patchCell)
	store64(p, datumHdrSize+8, at)
	store64(p, at, uint64(TypeInt32))
	store64(p, at+8, uint64(i))
	store64(p, at+cellSize, uint64(TypeNull))
	store64(p, at+cellSize+8, 0)
	w.patch, w.next, w.left, w.stack = at, at+cellSize, 1, w.stack[:0]
}

// child has the next value written in place of child i of the root.
func (w *Writer) child(i int) {
	at := len(w.buf)
	w.buf = grown(w.buf, 2*cellSize)
	p := ptr(w.buf)
	store64(p, uintptr(at), uint64(TypeInt32))
	store64(p, uintptr(at)+8, uint64(i))
	store64(p, uintptr(at)+cellSize, uint64(TypeNull))
	store64(p, uintptr(at)+cellSize+8, 0)
	store32(p, uintptr(w.patch)+4, uint32(at))
	w.patch, w.next, w.left, w.stack = at, at+cellSize, 1, w.stack[:0]
}

func float64From(bits uint64) float64 { return math.Float64frombits(bits) }
func float32From(bits uint32) float32 { return math.Float32frombits(bits) }

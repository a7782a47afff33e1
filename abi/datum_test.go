package abi

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestDatumRefused holds the reader to each clause of SPEC.md, 12.
func TestDatumRefused(t *testing.T) {
	person := func(change func(b []byte)) []byte {
		b := personDatum(4, "kim", false)
		change(b)
		return b
	}
	first := DatumRootAt + CellSize
	for _, c := range []struct {
		clause string
		part   []byte
	}{
		{"DATA-1", nil},
		{"DATA-1", make([]byte, DatumHeaderSize+CellSize-8)},
		{"DATA-1", make([]byte, DatumHeaderSize+CellSize+4)},
		{"DATA-2", person(func(b []byte) { PutCell(b, DatumRootAt, CellStruct, 100, uint64(first)) })},
		{"DATA-2", person(func(b []byte) { PutCell(b, DatumRootAt, CellMap, 1<<31, uint64(first)) })},
		{"DATA-2", person(func(b []byte) { PutCell(b, DatumRootAt, CellStruct, 1, uint64(DatumRootAt)) })}, // its own child
		{"DATA-2", person(func(b []byte) { PutCell(b, first, CellString, 1<<31, 0) })},
		{"DATA-2", shared()},
		{"DATA-3", person(func(b []byte) { b[first] = 99 })},
		{"DATA-4", textDatum(0, "\xff")},
		{"DATA-4", person(func(b []byte) { PutCell(b, first+CellSize, CellDecimal, 0, 0) })},
		{"DATA-5", personDatum(4, "kim", true)},
		{"DATA-5", patchDatum("x")},
		{"DATA-6", nested(MaxDatumDepth + 1)},
	} {
		err := CheckDatum(c.part, false)
		var fault *FrameError
		if !errors.As(err, &fault) || fault.Clause != c.clause {
			t.Errorf("%x: %v, want %s", c.part, err, c.clause)
		}
	}
	for _, part := range [][]byte{nested(MaxDatumDepth), AppendDatum(nil, 0), mapDatum("", 1)} {
		if err := CheckDatum(part, false); err != nil {
			t.Error(err)
		}
	}
}

// TestPatchRefused holds the reader to what a patch may be.
func TestPatchRefused(t *testing.T) {
	if err := CheckDatum(patchDatum("x"), true); err != nil {
		t.Error(err)
	}
	first := DatumRootAt + CellSize
	for clause, change := range map[string]func(b []byte){
		"DATA-2": func(b []byte) { PutCell(b, DatumRootAt, CellPatch, 0, 1<<20) },
		"DATA-3": func(b []byte) { PutCell(b, first, CellInt64, 0, 0) },
		"DATA-5": func(b []byte) { PutCell(b, first+CellSize, CellPatch, 0, 0) },
	} {
		b := patchDatum("x")
		change(b)
		var fault *FrameError
		if err := CheckDatum(b, true); !errors.As(err, &fault) || fault.Clause != clause {
			t.Errorf("%v, want %s", err, clause)
		}
	}
	b := patchDatum("x")
	PutCell(b, first, CellInt32, uint32(first), 0) // its own next
	if CheckDatum(b, true) == nil {
		t.Error("a patch that is its own next is accepted")
	}
}

// shared is an array of two arrays that have the same children: a billion laughs in small.
func shared() []byte {
	b, first := AppendCells(AppendDatum(nil, 0), 0, DatumRootAt, CellArray, 2, 0)
	b, inner := AppendCells(b, 0, first, CellArray, 4, 0)
	PutCell(b, first+CellSize, CellArray, 4, uint64(inner))
	return b
}

// nested is an array within an array, and so on.
func nested(depth int) []byte {
	b, at := AppendDatum(nil, 0), DatumRootAt
	for range depth {
		b, at = AppendCells(b, 0, at, CellArray, 1, 0)
	}
	return b
}

func TestSchemaRefused(t *testing.T) {
	good := personSchemas()[3]
	change := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	for _, c := range []struct {
		clause string
		b      []byte
	}{
		{"SCHEMA-1", good[:31]},
		{"SCHEMA-2", change(func(b []byte) { clear(b[:4]) })},
		{"SCHEMA-3", change(func(b []byte) { b[4] = byte(CellDecimal) })},
		{"SCHEMA-3", change(func(b []byte) { b[4] = byte(CellInt8) })},
		{"SCHEMA-4", change(func(b []byte) { b[20] = 200 })},
		{"SCHEMA-4", change(func(b []byte) { b[20] = 4 })},
		{"SCHEMA-4", change(func(b []byte) { b[24] = 2 })},
		{"PAIR-1", good[:len(good)-8]},
	} {
		_, err := ReadSchema(c.b)
		var fault *FrameError
		if !errors.As(err, &fault) || fault.Clause != c.clause {
			t.Errorf("%x: %v, want %s", c.b, err, c.clause)
		}
	}
	s, err := ReadSchema(good)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(good, AppendSchema(nil, &s)); diff != "" {
		t.Errorf("encoded again (-want +got):\n%s", diff)
	}
}

// tree is a value as a test sees it.
type tree struct {
	Type  CellType
	V     uint64
	High  uint32
	Bytes string
	Of    []tree
}

func drawTree(t *rapid.T, depth int) tree {
	types := []CellType{CellNull, CellInt8, CellInt64, CellFloat64, CellBoolean, CellString, CellBytes, CellDecimal, CellDate, CellBigInteger}
	if depth > 0 {
		types = append(types, CellArray, CellMap, CellStruct)
	}
	v := tree{Type: rapid.SampledFrom(types).Draw(t, "type")}
	switch v.Type {
	case CellString:
		v.Bytes = rapid.StringN(0, 20, 60).Draw(t, "text")
	case CellBytes:
		v.Bytes = string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
	case CellDecimal, CellBigInteger:
		v.Bytes = string(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "digits"))
		if v.Type == CellDecimal {
			v.High = rapid.Uint32().Draw(t, "scale")
		}
	case CellArray, CellMap, CellStruct:
		n := rapid.IntRange(0, 4).Draw(t, "n")
		if v.Type == CellMap {
			n *= 2
		}
		for range n {
			v.Of = append(v.Of, drawTree(t, depth-1))
		}
		if v.Type == CellStruct {
			v.High = rapid.Uint32().Draw(t, "schema")
		}
	case CellNull:
	default:
		v.V = rapid.Uint64().Draw(t, "v")
	}
	return v
}

func (v *tree) append(dst []byte, at int) []byte {
	switch v.Type {
	case CellString, CellBytes, CellDecimal, CellBigInteger:
		return AppendCellBytes(dst, 0, at, v.Type, v.Bytes, v.High)
	case CellArray, CellMap, CellStruct:
		dst, first := AppendCells(dst, 0, at, v.Type, len(v.Of), v.High)
		for i := range v.Of {
			dst = v.Of[i].append(dst, first+i*CellSize)
		}
		return dst
	}
	PutCell(dst, at, v.Type, 0, v.V)
	return dst
}

func readTree(t *rapid.T, r *DatumReader, at int) tree {
	c, err := r.Cell(at)
	if err != nil {
		t.Fatal(err)
	}
	v := tree{Type: c.Type, High: c.High}
	switch c.Type {
	case CellString, CellBytes, CellDecimal, CellBigInteger:
		v.Bytes = string(r.Bytes(&c))
	case CellArray, CellMap, CellStruct:
	default:
		v.V = c.V
	}
	for i := range c.Children() {
		v.Of = append(v.Of, readTree(t, r, c.At+i*CellSize))
	}
	return v
}

// TestDatumRoundTrip wants back what was written, for any tree.
func TestDatumRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawTree(t, 3)
		b := want.append(AppendDatum(nil, 7), DatumRootAt)
		if err := CheckDatum(b, false); err != nil {
			t.Fatal(err)
		}
		var r DatumReader
		if err := r.Reset(b, false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, readTree(t, &r, DatumRootAt)); diff != "" || r.Schema() != 7 {
			t.Fatalf("schema %d (-want +got):\n%s", r.Schema(), diff)
		}
	})
}

// FuzzDatum wants: no panic, and no more work than there are bytes.
func FuzzDatum(f *testing.F) {
	for _, part := range [][]byte{personDatum(4, "kim", false), personDatum(4, "kim", true), shared(), nested(5), mapDatum("a", 1)} {
		f.Add(part, true)
		f.Add(patchDatum("x"), true)
	}
	f.Fuzz(func(_ *testing.T, part []byte, kept bool) { _ = CheckDatum(part, kept) })
}

// FuzzSchema wants: no panic, and whatever is accepted encodes to the same bytes but for reserved ones.
func FuzzSchema(f *testing.F) {
	for _, s := range personSchemas() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadSchema(b)
		if err != nil {
			return
		}
		again, err := ReadSchema(AppendSchema(nil, &s))
		if diff := cmp.Diff(s, again); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestDatumAllocatesNothing(t *testing.T) {
	part := personDatum(4, "kim", false)
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		if CheckDatum(part, false) != nil {
			t.Fail()
		}
		b, first := AppendCells(AppendDatum(buf, 4), 0, DatumRootAt, CellStruct, 2, 4)
		b = AppendCellBytes(b, 0, first, CellString, "kim", 0)
		PutCell(b, first+CellSize, CellInt32, 0, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

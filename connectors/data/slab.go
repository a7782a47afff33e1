package data

// slabSize is how many values a Slab takes from the heap at once.
const slabSize = 256

// Slab hands out memory for values in blocks, so that a record does not cost an allocation for each struct, map and array in
// it. Nothing is taken back: a block is freed when nothing refers into it any more. A Slab belongs to one goroutine; the zero
// Slab is ready.
type Slab struct {
	values  []Value
	entries []Entry
	structs []Struct
	maps    []Map
}

// Values are n nulls, to be filled and then part of a value.
func (s *Slab) Values(n int) []Value {
	if n > len(s.values) {
		s.values = make([]Value, max(n, slabSize))
	}
	out := s.values[:n:n]
	s.values = s.values[n:]
	return out
}

// Struct is a struct of nulls.
func (s *Slab) Struct(schema *Schema) *Struct { return s.RoomyStruct(schema, 0) }

// RoomyStruct is a struct of nulls with room for extra fields (Recast).
func (s *Slab) RoomyStruct(schema *Schema, extra int) *Struct {
	n := len(schema.fields)
	return s.StructOf(schema, s.Values(n + extra)[:n])
}

// StructOf is StructOf without an allocation of its own.
func (s *Slab) StructOf(schema *Schema, values []Value) *Struct {
	if len(s.structs) == 0 {
		s.structs = make([]Struct, slabSize/8)
	}
	out := &s.structs[0]
	s.structs = s.structs[1:]
	out.schema, out.values = schema, values
	return out
}

// Array copies elements into an array.
func (s *Slab) Array(elements []Value) Value {
	out := s.Values(len(elements))
	copy(out, elements)
	return ArrayValue(out)
}

// Map copies entries with distinct keys into a map with room for extra ones.
func (s *Slab) Map(entries []Entry, extra int) *Map {
	if len(s.maps) == 0 {
		s.maps = make([]Map, slabSize/8)
	}
	n := len(entries) + extra
	if n > len(s.entries) {
		s.entries = make([]Entry, max(n, slabSize))
	}
	out := &s.maps[0]
	s.maps = s.maps[1:]
	out.entries = s.entries[:len(entries):n]
	copy(out.entries, entries)
	s.entries = s.entries[n:]
	return out
}

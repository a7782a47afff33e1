package abi

import "encoding/binary"

// GuestSchema is set in the numbers of schemas that a guest made; those of the host do not have it. 0 is no schema.
const GuestSchema uint32 = 1 << 31

// schemaHeaderSize is the fixed part of a schema; pairs follow.
const schemaHeaderSize = 32

// Flags of a schema.
const (
	SchemaOptional uint8 = 1 << 0
	SchemaVersion  uint8 = 1 << 1 // version is set
)

// Keys of a schema's properties.
const (
	SchemaName    = "name"
	SchemaDoc     = "doc"
	SchemaDefault = "default"
)

// Schema is one schema as it crosses. Schemas inside of it are named by number and have crossed before.
type Schema struct {
	ID    uint32
	Type  CellType // CellInt8 to CellStruct
	Flags uint8
	// Version counts if Flags has SchemaVersion.
	Version int32
	// Key and Elem are the schemas of a map's keys, and of its values or an array's elements; 0 is none.
	Key, Elem uint32
	// FieldCount pairs are name and u32 schema of a field, then ParamCount pairs are parameters, and the rest are
	// properties: SchemaName, SchemaDoc, SchemaDefault (a datum).
	FieldCount, ParamCount int
	Pairs                  []byte
}

// AppendSchema appends a schema, whose Pairs are appended by AppendPair behind it (AppendSchemaField for fields).
func AppendSchema(dst []byte, s *Schema) []byte {
	dst, b := extend(dst, schemaHeaderSize)
	le := binary.LittleEndian
	le.PutUint32(b, s.ID)
	le.PutUint32(b[4:], uint32(s.Type)|uint32(s.Flags)<<8)
	le.PutUint32(b[8:], uint32(s.Version))
	le.PutUint32(b[12:], s.Key)
	le.PutUint32(b[16:], s.Elem)
	le.PutUint32(b[20:], uint32(s.FieldCount))
	le.PutUint32(b[24:], uint32(s.ParamCount))
	le.PutUint32(b[28:], 0)
	return append(dst, s.Pairs...)
}

// AppendSchemaField appends the pair of a field.
func AppendSchemaField(dst []byte, name string, schema uint32) []byte {
	var id [4]byte
	binary.LittleEndian.PutUint32(id[:], schema)
	return AppendPair(dst, name, id[:])
}

// ReadSchema decodes a schema; Pairs is a view into b. It trusts nothing, and what it returns is sound but for the
// schemas that it names.
func ReadSchema(b []byte) (Schema, error) {
	if len(b) < schemaHeaderSize {
		return Schema{}, fault("SCHEMA-1", -1, "a schema is shorter than its header of 32 bytes")
	}
	le := binary.LittleEndian
	s := Schema{
		ID: le.Uint32(b), Type: CellType(b[4]), Flags: b[5], Version: int32(le.Uint32(b[8:])), Key: le.Uint32(b[12:]), Elem: le.Uint32(b[16:]),
		FieldCount: int(le.Uint32(b[20:])), ParamCount: int(le.Uint32(b[24:])), Pairs: b[schemaHeaderSize:],
	}
	switch {
	case s.ID == 0:
		return s, fault("SCHEMA-2", -1, "a schema has the number 0")
	case s.Type < CellInt8 || s.Type > CellStruct:
		return s, fault("SCHEMA-3", -1, "a schema has no type of Connect")
	case s.FieldCount > 0 && s.Type != CellStruct:
		return s, fault("SCHEMA-3", -1, "a schema that is no struct has fields")
	}
	return s, s.checkPairs()
}

// checkPairs holds the pairs to their counts.
func (s *Schema) checkPairs() error {
	pairs, n := ReadPairs(s.Pairs), 0
	for key, value, ok := pairs.Next(); ok; key, value, ok = pairs.Next() {
		switch {
		case n < s.FieldCount && (len(value) != 4 || len(key) == 0):
			return fault("SCHEMA-4", -1, "a field of a schema has no name or no schema")
		case value == nil:
			return fault("SCHEMA-4", -1, "a parameter or property of a schema is null")
		}
		n++
	}
	if err := pairs.Err(); err != nil {
		return err
	}
	if n < s.FieldCount || n-s.FieldCount < s.ParamCount {
		return fault("SCHEMA-4", -1, "a schema has fewer pairs than fields and parameters")
	}
	return nil
}

// FieldSchema is the number of a field's schema, from the value of its pair.
func FieldSchema(value []byte) uint32 {
	if len(value) != 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(value)
}

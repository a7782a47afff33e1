package abi

// The schemas of the golden frames for Connect: a person with a name, a balance of two digits and a birthday.
func personSchemas() [][]byte {
	balance := &Schema{ID: 2, Type: CellBytes, Flags: SchemaVersion, Version: 1, ParamCount: 1}
	balance.Pairs = AppendPair(AppendPair(nil, "scale", "2"), SchemaName, "org.apache.kafka.connect.data.Decimal")
	birthday := &Schema{ID: 3, Type: CellInt32, Flags: SchemaVersion | SchemaOptional, Version: 1}
	birthday.Pairs = AppendPair(nil, SchemaName, "org.apache.kafka.connect.data.Date")
	person := &Schema{ID: 4, Type: CellStruct, FieldCount: 3}
	for i, name := range []string{"name", "balance", "birthday"} {
		person.Pairs = AppendSchemaField(person.Pairs, name, uint32(i+1))
	}
	person.Pairs = AppendPair(person.Pairs, SchemaName, "Person")
	text := &Schema{ID: 1, Type: CellString}
	var out [][]byte
	for _, s := range []*Schema{text, balance, birthday, person} {
		out = append(out, AppendSchema(nil, s))
	}
	return out
}

// patchDatum is the input with another name.
func patchDatum(name string) []byte {
	b, _, cell := AppendPatch(AppendDatum(nil, 0), 0, 0, 0)
	return AppendCellBytes(b, 0, cell, CellString, name, 0)
}

// personDatum is a person as schema says; kept leaves all but the name as it is in the input.
func personDatum(schema uint32, name string, kept bool) []byte {
	b := AppendDatum(nil, schema)
	b, first := AppendCells(b, 0, DatumRootAt, CellStruct, 3, schema)
	b = AppendCellBytes(b, 0, first, CellString, name, 0)
	if kept {
		PutCell(b, first+CellSize, CellKeep, 0, 1)
		PutCell(b, first+2*CellSize, CellKeep, 0, 2)
		return b
	}
	b = AppendCellBytes(b, 0, first+CellSize, CellDecimal, []byte{0x04, 0xD2}, 2)
	PutCell(b, first+2*CellSize, CellDate, 0, 86_400_000)
	return b
}

// textDatum is a string, with or without a schema.
func textDatum(schema uint32, text string) []byte {
	return AppendCellBytes(AppendDatum(nil, schema), 0, DatumRootAt, CellString, text, 0)
}

// mapDatum is a map of one string to one number, without a schema.
func mapDatum(key string, value int64) []byte {
	b, first := AppendCells(AppendDatum(nil, 0), 0, DatumRootAt, CellMap, 2, 0)
	b = AppendCellBytes(b, 0, first, CellString, key, 0)
	PutCell(b, first+CellSize, CellInt64, 0, uint64(value))
	return b
}

func connectInput(in FrameHeader) golden {
	r := plain(0, nil, personDatum(4, "kim", false))
	r.Dest = 1
	r.pairs = [][2]string{{"trace", string(textDatum(1, "abc"))}}
	return golden{name: "connect-input", about: "a transformation's record: a struct with its schemas and a header", header: in, topic: "people", schemas: personSchemas(), records: []goldenRecord{r}}
}

func connectOutput() golden {
	r := output(0, KeepKey|KeepHeaders|KeepTimestamp, nil, patchDatum("***"))
	r.Dest, r.Partition = 1, 3
	return golden{name: "connect-output", about: "its answer: the name patched, the rest of the struct kept, to the same partition of another topic", header: FrameHeader{Partition: -1}, topic: "masked", expect: Expect{Output: true, Inputs: 1, Connect: true}, records: []goldenRecord{r}}
}

func pollOutput() golden {
	r := output(NoIndex, 0, nil, textDatum(0, "line"))
	r.Dest, r.Timestamp = 1, 1700000000000
	r.Second, r.Third = mapDatum("file", 1), mapDatum("position", 5)
	return golden{name: "connect-poll", about: "a record of a source, with its partition and offset there", header: FrameHeader{Partition: -1, Flags: FrameHasArguments}, topic: "lines", expect: Expect{Output: true, Connect: true, Arguments: true}, records: []goldenRecord{r}}
}

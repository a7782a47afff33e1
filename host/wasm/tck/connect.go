package tck

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
)

// settingValue is what the kit sets a setting to that a plugin needs.
func settingValue(s *abi.Setting) string {
	switch {
	case s.HasDefault:
		return s.Default
	case len(s.Values) > 0:
		return s.Values[0]
	case s.Type == "BOOLEAN":
		return "true"
	case s.Type == "STRING", s.Type == "LIST", s.Type == "CLASS", s.Type == "PASSWORD":
		return "text"
	}
	return "1"
}

// connectRecord is an input record of a plugin of Connect: parts are data, nil is null.
type connectRecord struct {
	key, value []byte
	headers    [][2][]byte
	topic      uint32
}

// Topics of the kit, and the schemas of its records: 1 a string, 2 an optional number, 3 a timestamp, 4 a struct of them.
var connectTopics = []string{"tck-one", "tck-two"}

func connectSchemas() (out [][]byte) {
	timestamp := abi.AppendPair(nil, abi.SchemaName, "org.apache.kafka.connect.data.Timestamp")
	fields := []byte(nil)
	for i, name := range []string{"text", "number", "at"} {
		fields = abi.AppendSchemaField(fields, name, uint32(i+1))
	}
	for _, s := range []abi.Schema{
		{ID: 1, Type: abi.CellString},
		{ID: 2, Type: abi.CellInt32, Flags: abi.SchemaOptional},
		{ID: 3, Type: abi.CellInt64, Flags: abi.SchemaVersion, Version: 1, Pairs: timestamp},
		{ID: 4, Type: abi.CellStruct, FieldCount: 3, Pairs: fields},
	} {
		out = append(out, abi.AppendSchema(nil, &s))
	}
	return out
}

func textDatum(schema uint32, text string) []byte {
	return abi.AppendCellBytes(abi.AppendDatum(nil, schema), 0, abi.DatumRootAt, abi.CellString, text, 0)
}

func structDatum(text string, number int64) []byte {
	b, first := abi.AppendCells(abi.AppendDatum(nil, 4), 0, abi.DatumRootAt, abi.CellStruct, 3, 4)
	b = abi.AppendCellBytes(b, 0, first, abi.CellString, text, 0)
	if number != 0 {
		abi.PutCell(b, first+abi.CellSize, abi.CellInt32, 0, uint64(number))
	}
	abi.PutCell(b, first+2*abi.CellSize, abi.CellDate, 0, uint64(wallTime))
	return b
}

// mapDatum is a map without a schema of every type there is.
func mapDatum() []byte {
	names := []string{"text", "number", "null", "bytes", "list", "decimal", "big", "float", "yes"}
	b, first := abi.AppendCells(abi.AppendDatum(nil, 0), 0, abi.DatumRootAt, abi.CellMap, 2*len(names), 0)
	at := func(i int) int { return first + (2*i+1)*abi.CellSize }
	for i, name := range names {
		b = abi.AppendCellBytes(b, 0, first+2*i*abi.CellSize, abi.CellString, name, 0)
	}
	b = abi.AppendCellBytes(b, 0, at(0), abi.CellString, "스트림 처리", 0)
	abi.PutCell(b, at(1), abi.CellInt64, 0, 1<<63)
	b = abi.AppendCellBytes(b, 0, at(3), abi.CellBytes, []byte{0xFF, 0}, 0)
	b, list := abi.AppendCells(b, 0, at(4), abi.CellArray, 3, 0)
	abi.PutCell(b, list+abi.CellSize, abi.CellInt8, 0, 7)
	b = abi.AppendCellBytes(b, 0, at(5), abi.CellDecimal, []byte{0xFF, 0x7F}, 0xFFFFFFFE)
	b = abi.AppendCellBytes(b, 0, at(6), abi.CellBigInteger, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, 0)
	abi.PutCell(b, at(7), abi.CellFloat32, 0, 0x7FC00000)
	abi.PutCell(b, at(8), abi.CellBoolean, 0, 1)
	return b
}

// connectCorpus is what every plugin is asked.
func connectCorpus() (out []connectRecord) {
	values := [][]byte{
		nil, abi.AppendDatum(nil, 0), abi.AppendDatum(nil, 2), textDatum(1, ""), textDatum(1, "all streams lead to kafka 4111 1111 1111 1111"), textDatum(0, "no schema"),
		structDatum("kim", 5), structDatum("", 0), mapDatum(), textDatum(0, string(bytes.Repeat([]byte("w "), 100_000))),
	}
	for i, v := range values {
		out = append(out, connectRecord{key: textDatum(1, fmt.Sprint(i)), value: v, topic: uint32(i % 3)})
	}
	out = append(out, connectRecord{value: structDatum("headers", 1), topic: 1, headers: [][2][]byte{{[]byte("a"), textDatum(1, "x")}, {[]byte("a"), nil}, {{}, mapDatum()}}})
	return out
}

// encodeConnect writes records as a frame; the first of a session carries the schemas.
func (c *component) encodeConnect(records []connectRecord, first int, schemas bool) []byte {
	frame := abi.AppendFrameHeader(nil, &abi.FrameHeader{Partition: -1, StreamTime: wallTime})
	for i, r := range records {
		rec := abi.Record{Timestamp: wallTime, Offset: firstOffset + int64(first+i), Partition: inputPartition, Index: uint32(i), Dest: r.topic}
		if c.Wants.Has(abi.WantKey) {
			rec.Key = r.key
		}
		if c.Wants.Has(abi.WantValue) {
			rec.Value = r.value
		}
		if c.Wants.Has(abi.WantHeaders) {
			rec.Headers, rec.HeaderCount = headerBlock(r.headers), len(r.headers)
		}
		frame = abi.AppendRecord(frame, &rec)
	}
	at := len(frame)
	for _, topic := range connectTopics {
		frame = abi.AppendPair(frame, abi.AuxTopic, topic)
	}
	if schemas {
		for _, s := range connectSchemas() {
			frame = abi.AppendPair(frame, abi.AuxSchema, s)
		}
	}
	abi.FinishAux(frame, 0, at)
	abi.FinishFrame(frame, 0, len(records))
	return frame
}

// checkConnect holds a plugin of Connect to everything that can be seen of its answers.
func (c *component) checkConnect() {
	if c.Kind == abi.Source {
		c.checkSource()
		return
	}
	input := connectCorpus()
	if c.Kind == abi.Converter || c.Kind == abi.HeaderConverter {
		input = input[:0]
		for _, r := range corpus() {
			input = append(input, connectRecord{key: r.key, value: r.value, topic: 1})
		}
	}
	whole, err := c.runConnect(input, len(input))
	if err != nil && isCallError(err) {
		c.report.add("REC-8", c.Name, NotApplicable, "it refuses the kit's records: %v", err)
		return
	}
	if !c.sound(err) {
		return
	}
	c.holdAnswers(whole, len(input))
	cut, err := c.runConnect(input, 1)
	problem := problemOf(err)
	if err == nil {
		problem = difference("in frames of one record", &answers{outputs: whole}, &answers{outputs: cut})
	}
	c.report.hold("REC-8", c.Name, problem)
}

// runConnect sends records through a fresh instance in frames of size records.
func (c *component) runConnect(input []connectRecord, size int) (out []output, err error) {
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	defer s.in.Close()
	data := c.Kind != abi.Predicate && c.Kind != abi.Sink
	for first := 0; first < len(input); first += size {
		part := input[first:min(first+size, len(input))]
		s.host.beginCall(nil)
		last, err := process(s.in, s.handle, c.encodeConnect(part, first, first == 0))
		if err != nil {
			return nil, faultOf(err)
		}
		got, err := c.collectConnect(s, last, abi.Expect{Output: true, Inputs: len(part), Connect: true}, data, first)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	if c.Kind == abi.Sink {
		if _, err := s.in.Flush(s.handle, 1); err != nil {
			return nil, faultOf(err)
		}
	}
	return out, nil
}

// collectConnect decodes the frames of a call with all data and schemas in them.
func (c *component) collectConnect(s *session, last []byte, expect abi.Expect, data bool, first int) (out []output, err error) {
	frames := s.host.emitted
	if last != nil {
		frames = append(frames, last)
	}
	for _, frame := range frames {
		var r abi.Reader
		if err := r.Reset(frame, expect); err != nil {
			return nil, faultOf(err)
		}
		var topics []string
		aux := abi.ReadPairs(r.Aux())
		for key, value, ok := aux.Next(); ok; key, value, ok = aux.Next() {
			if string(key) == abi.AuxTopic {
				topics = append(topics, string(value))
			}
			if string(key) != abi.AuxSchema {
				continue
			}
			def, err := abi.ReadSchema(value)
			if err != nil {
				return nil, faultOf(err)
			}
			if def.ID&abi.GuestSchema == 0 {
				return nil, &fault{"SCHEMA-2", fmt.Sprintf("schema %d has a number of the host", def.ID)}
			}
		}
		var rec abi.Record
		for r.Next(&rec) {
			if data && rec.Kind == abi.KindRecord {
				if err := checkData(&rec); err != nil {
					return nil, faultOf(err)
				}
			}
			o := outputOf(&rec, first)
			if rec.Kind == abi.KindRecord && rec.Dest > 0 {
				o.dest = c.topicNumber(topics[rec.Dest-1])
			}
			out = append(out, o)
		}
		if err := r.Err(); err != nil {
			return nil, faultOf(err)
		}
		expect.MinIndex = r.LastIndex()
	}
	return out, nil
}

// topicNumber is the number of a topic for all frames of the component, from 1.
func (c *component) topicNumber(name string) uint32 {
	i := slices.Index(c.topics, name)
	if i < 0 {
		c.topics = append(c.topics, name)
		i = len(c.topics) - 1
	}
	return uint32(i + 1)
}

// checkData holds every datum of a record to the rules.
func checkData(rec *abi.Record) error {
	parts := [][]byte{rec.Key, rec.Value, rec.Second, rec.Third}
	pairs := abi.ReadPairs(rec.Headers)
	for _, value, ok := pairs.Next(); ok; _, value, ok = pairs.Next() {
		parts = append(parts, value)
	}
	for _, part := range parts {
		if part == nil {
			continue
		}
		if err := abi.CheckDatum(part, true); err != nil {
			return err
		}
	}
	return nil
}

// connectRules are what the kinds may answer to one record.
var connectRules = map[abi.Kind]rule{
	abi.Transformation:  {"CONN-1", 0, 1, 0, true},
	abi.Predicate:       {"CONN-2", 0, 1, abi.KeepAll, false},
	abi.Converter:       {"CONN-3", 1, 1, 0, false},
	abi.HeaderConverter: {"CONN-4", 1, 1, 0, false},
	abi.Sink:            {"CONN-6", 0, 0, 0, false},
}

// holdAnswers holds the answers to the corpus against the kind of the plugin.
func (c *component) holdAnswers(outputs []output, inputs int) {
	r := connectRules[c.Kind]
	problem := r.problem(outputs, inputs)
	for i := range outputs {
		if o := &outputs[i]; o.index == abi.NoIndex {
			problem = "a record without an index"
		}
	}
	c.report.hold(r.clause, c.Name, problem)
	for _, clause := range []string{"DATA-1", "DATA-2", "DATA-3", "DATA-4", "DATA-6", "SCHEMA-1", "SCHEMA-2", "SCHEMA-3", "SCHEMA-4", "CONN-7", "CONN-8"} {
		c.report.hold(clause, c.Name, "") // collectConnect has decoded all answers by them
	}
}

// checkSource polls. A source that reaches for the network is refused it, and may say so.
func (c *component) checkSource() {
	s, err := c.open()
	if err != nil {
		c.report.hold("CONN-5", c.Name, err.Error())
		return
	}
	defer s.in.Close()
	s.host.beginCall(nil)
	last, err := s.in.Poll(s.handle, 10)
	if isCallError(err) && !errors.Is(err, abi.Unsupported) {
		c.report.add("CONN-5", c.Name, NotApplicable, "it refuses to be polled by the kit: %v", err)
		return
	}
	if err != nil {
		err = faultOf(err)
	}
	var out []output
	if err == nil {
		out, err = c.collectConnect(s, last, abi.Expect{Output: true, Connect: true, Arguments: true}, true, 0)
	}
	for i := range out {
		if out[i].dest == 0 || out[i].kind != abi.KindRecord {
			err = &fault{"CONN-5", "a record without a topic"}
		}
	}
	c.report.hold("CONN-5", c.Name, problemOf(err))
}

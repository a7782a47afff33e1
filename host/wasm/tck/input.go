package tck

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
)

// record is an input record of the kit, with all its parts; what the component does not want is left out when it is
// encoded.
type record struct {
	key, value []byte
	headers    [][2][]byte
	timestamp  int64
	kind       uint8
	// second and third are the arguments for functions that have them.
	second, third []byte
}

const (
	inputTopic     = "tck-input"
	inputPartition = 3
	firstOffset    = 1000
	// partitions is how many a partitioner is told to choose from.
	partitions = 7
)

// corpus is the records that every component is asked: nulls, empty and large parts, headers, numbers, JSON, text that
// is not UTF-8, and noise that is the same in every run.
func corpus() []record {
	long := []byte{0, 0, 0, 0, 0, 0, 0, 7}
	values := [][]byte{
		nil,
		{},
		[]byte("all streams lead to kafka"), []byte("  two  blanks  "), []byte("스트림 처리"),
		{0xFF, 0xFE, 0x00},
		long,
		[]byte(`{"user":"u1","type":"buy","amount":12.5,"tags":["a",{"b":null}],"agent":"x"}`), []byte(`{"broken":`), []byte("12345678"),
		bytes.Repeat([]byte("w "), 70_000), bytes.Repeat(append(bytes.Repeat([]byte{'x'}, 1023), ' '), 1024),
	}
	var out []record
	for i, v := range values {
		out = append(out, record{key: []byte(fmt.Sprintf("k%d", i%3)), value: v, timestamp: wallTime + int64(i%5)*1000})
	}
	out = append(out,
		record{value: []byte("null key"), timestamp: wallTime},
		record{key: []byte{}, value: []byte("empty key"), timestamp: 0},
		record{timestamp: wallTime},
		record{key: []byte("h"), value: []byte("headers"), timestamp: wallTime, headers: [][2][]byte{{[]byte("a"), []byte("1")}, {[]byte("a"), {}}, {{}, nil}}},
	)
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		out = append(out, record{key: noise(random, 12), value: noise(random, 200), timestamp: wallTime + random.Int64N(10_000)})
	}
	for i := range out {
		out[i].second, out[i].third = out[(i*7+3)%len(out)].value, out[(i*5+1)%len(out)].key
	}
	return out
}

// noise is null, or up to n bytes, half of them letters and blanks.
func noise(random *rand.Rand, n int) []byte {
	if random.IntN(10) == 0 {
		return nil
	}
	b := make([]byte, random.IntN(n))
	letters := random.IntN(2) == 0
	for i := range b {
		b[i] = byte(random.Uint32())
		if letters {
			b[i] = "abcdefGHIJ   "[int(b[i])%13]
		}
	}
	return b
}

// shape says how a frame is written: as version 1.0 does, or as a later one may.
type shape struct {
	frameFlags            uint32
	frameMore, recordMore int // bytes behind the headers
	noAux                 bool
}

// times are what a host knows of records, with the stream time as it goes on.
func times(records []record, first int) []streamTime {
	out := make([]streamTime, len(records))
	high := int64(-1)
	for i, r := range records {
		high = max(high, r.timestamp)
		out[i] = streamTime{firstOffset + int64(first+i), high}
	}
	return out
}

// encode writes records, the first of which is number first of the input, as a frame for a component.
func encode(records []record, first int, c *abi.Component, s shape) []byte {
	var streamTime int64 = -1
	if len(records) > 0 {
		streamTime = records[0].timestamp
	}
	header, headerSize := abi.FrameHeader{Flags: s.frameFlags, Partition: inputPartition, StreamTime: streamTime, Epoch: 1}, abi.RecordHeaderSize
	if c.Kind.HasArguments() {
		header.Flags |= abi.FrameHasArguments
		headerSize = abi.CallHeaderSize
	}
	frame := abi.AppendFrameHeader(nil, &header)
	frame = append(frame, bytes.Repeat([]byte{0xA5}, s.frameMore)...)
	for i := range records {
		frame = appendRecord(frame, &records[i], first, i, c, s.recordMore)
	}
	if !s.noAux {
		frame = abi.AppendAux(frame, 0, inputTopic)
	}
	abi.FinishFrame(frame, 0, len(records))
	putU16(frame[abi.FrameHeaderLenAt:], abi.FrameHeaderSize+s.frameMore)
	putU16(frame[abi.FrameRecHeaderLenAt:], headerSize+s.recordMore)
	return frame
}

func appendRecord(frame []byte, r *record, first, i int, c *abi.Component, more int) []byte {
	rec := abi.Record{
		Key: r.key, Value: r.value, Timestamp: r.timestamp, Offset: firstOffset + int64(first+i), Partition: inputPartition,
		Index: uint32(i), Kind: r.kind,
	}
	if !c.Wants.Has(abi.WantKey) {
		rec.Key = nil
	}
	if !c.Wants.Has(abi.WantValue) {
		rec.Value = nil
	}
	if c.Wants.Has(abi.WantHeaders) {
		rec.Headers, rec.HeaderCount = headerBlock(r.headers), len(r.headers)
	}
	switch {
	case c.Kind == abi.Partitioner:
		rec.Dest = partitions
	case c.Kind == abi.Initializer:
		rec.Key, rec.Value = nil, nil
	}
	start, headerSize := len(frame), abi.RecordHeaderSize
	if c.Kind.HasArguments() {
		rec.Second, rec.Third, headerSize = r.second, r.third, abi.CallHeaderSize
		frame = abi.AppendCall(frame, &rec)
	} else {
		frame = abi.AppendRecord(frame, &rec)
	}
	if more > 0 {
		frame = slices.Insert(frame, start+headerSize, bytes.Repeat([]byte{0xA5}, more)...)
		putU32(frame[start:], len(frame)-start)
	}
	return frame
}

func headerBlock(headers [][2][]byte) (block []byte) {
	for _, h := range headers {
		if h[1] == nil {
			block = abi.AppendNullPair(block, h[0])
		} else {
			block = abi.AppendPair(block, h[0], h[1])
		}
	}
	return block
}

func putU16(b []byte, v int) { b[0], b[1] = byte(v), byte(v>>8) }

func putU32(b []byte, v int) { putU16(b, v); putU16(b[2:], v>>16) }

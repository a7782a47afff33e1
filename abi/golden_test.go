package abi

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden frames")

// golden is one frame as a value: what the encoder is given and what the decoder must give back.
type golden struct {
	name, about string
	header      FrameHeader
	topic       string   // aux
	schemas     [][]byte // aux
	records     []goldenRecord
	expect      Expect
}

// joined is a record of two values as a joiner gets it, and of a mapped key.
func joined(index uint32, key, left, right, mapped []byte) goldenRecord {
	r := plain(index, key, left)
	r.Second, r.Third = right, mapped
	return r
}

type goldenRecord struct {
	Record
	pairs [][2]string // headers; "\x00null" is a null value
}

const nullValue = "\x00null"

func plain(index uint32, key, value []byte) goldenRecord {
	return goldenRecord{Record: Record{
		Key: key, Value: value, Timestamp: 1700000000000 + int64(index), Offset: 40 + int64(index), Index: index, Partition: 3,
	}}
}

func output(index uint32, flags uint8, key, value []byte) goldenRecord {
	return goldenRecord{Record: Record{Key: key, Value: value, Index: index, Flags: flags, Offset: -1, Partition: -1}}
}

func goldens() []golden {
	in := FrameHeader{Partition: 3, StreamTime: 1700000000000, Epoch: 7}
	out := FrameHeader{Partition: -1}
	headers := plain(0, []byte("k"), []byte("value of nine"))
	headers.pairs = [][2]string{{"trace", "abc"}, {"trace", ""}, {"", nullValue}, {"비", "twelve bytes"}}
	errRec := goldenRecord{Record: Record{Value: []byte("no field amount"), Index: 1, Dest: uint32(ClassDeadLetter), Kind: KindError, Offset: -1, Partition: -1}}
	routed := output(2, 0, []byte("word"), []byte{0, 0, 0, 0, 0, 0, 0, 5})
	routed.Dest, routed.Timestamp = 2, 1700000000999
	free := output(NoIndex, 0, []byte("late"), nil)
	free.Timestamp = 5
	args := in
	args.Flags = FrameHasArguments
	both := joined(0, []byte("k"), []byte("left"), []byte("right value"), []byte("mapped"))
	both.pairs = [][2]string{{"trace", "abc"}}
	return []golden{
		{name: "empty", about: "a frame without records", header: in},
		{name: "input", about: "two records: a -> hi, null -> \"\"", header: in, records: []goldenRecord{
			plain(0, []byte("a"), []byte("hi")), plain(1, nil, []byte{}),
		}},
		{name: "input-values", about: "the same for a component that wants only values", header: in, records: []goldenRecord{
			plain(0, nil, []byte("hi")), plain(1, nil, []byte{}),
		}},
		{name: "arguments", about: "a joiner's records: left and right with a header and a mapped key, left alone", header: args, records: []goldenRecord{
			both, joined(1, []byte("k"), []byte{}, nil, nil),
		}},
		{name: "output-map-values", about: "its answer: upper case, all but the value kept", header: out, expect: Expect{Output: true, Inputs: 2}, records: []goldenRecord{
			output(0, KeepKey|KeepHeaders|KeepTimestamp, nil, []byte("HI")), output(1, KeepKey|KeepHeaders|KeepTimestamp, nil, []byte{}),
		}},
		{name: "headers", about: "a key twice, an empty value, a null value, an empty key", header: in, records: []goldenRecord{headers}},
		{name: "topic", about: "an aux block behind a tombstone", header: in, topic: "streams-plaintext-input", records: []goldenRecord{plain(0, []byte("eight888"), nil)}},
		{name: "output-filter", about: "records 0 and 2 of three pass by reference", header: out, expect: Expect{Output: true, Inputs: 3}, records: []goldenRecord{
			output(0, KeepAll, nil, nil), output(2, KeepAll, nil, nil),
		}},
		{name: "output-error", about: "record 1 goes to the dead letters", header: out, expect: Expect{Output: true, Inputs: 2}, records: []goldenRecord{
			output(0, KeepAll, nil, nil), errRec,
		}},
		{name: "output-process", about: "a new record for the second child, with a timestamp of its own", header: out, expect: Expect{Output: true, Inputs: 3, Children: 2}, records: []goldenRecord{routed}},
		{name: "output-punctuate", about: "a record that comes from no input", header: out, expect: Expect{Output: true}, records: []goldenRecord{free}},
		connectInput(in), connectOutput(), pollOutput(),
	}
}

func (g *golden) encode() []byte {
	frame := AppendFrameHeader(nil, &g.header)
	for i := range g.records {
		rec := &g.records[i]
		if g.header.Flags&FrameHasArguments != 0 {
			frame = rec.appendCall(frame)
			continue
		}
		start := len(frame)
		frame = AppendRecord(frame, &rec.Record)
		for _, p := range rec.pairs {
			if p[1] == nullValue {
				frame = AppendNullPair(frame, p[0])
			} else {
				frame = AppendPair(frame, p[0], p[1])
			}
		}
		if rec.pairs != nil {
			FinishHeaders(frame, start, len(rec.pairs))
		}
	}
	at := len(frame)
	if g.topic != "" {
		frame = AppendPair(frame, AuxTopic, g.topic)
	}
	for _, schema := range g.schemas {
		frame = AppendPair(frame, AuxSchema, schema)
	}
	FinishAux(frame, 0, at)
	FinishFrame(frame, 0, len(g.records))
	return frame
}

func (r *goldenRecord) appendCall(frame []byte) []byte {
	call := r.Record
	for _, p := range r.pairs {
		call.Headers = AppendPair(call.Headers, p[0], p[1])
	}
	call.HeaderCount = len(r.pairs)
	return AppendCall(frame, &call)
}

func (g *golden) decode(t *testing.T, frame []byte) {
	t.Helper()
	var r Reader
	if err := r.Reset(frame, g.expect); err != nil {
		t.Fatal(err)
	}
	h := *r.Header()
	want := g.header
	want.Count, want.AuxLen = len(g.records), h.AuxLen
	if h.AuxLen > 0 {
		want.Flags |= FrameHasAux
	}
	if h != want {
		t.Errorf("header %+v, want %+v", h, want)
	}
	var rec Record
	for i := range g.records {
		if !r.Next(&rec) {
			t.Fatalf("record %d: %v", i, r.Err())
		}
		want := g.records[i].Record
		want.HeaderCount, want.Headers = rec.HeaderCount, rec.Headers
		if diff := cmp.Diff(want, rec); diff != "" {
			t.Errorf("record %d (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(g.records[i].pairs, pairsOf(t, rec.Headers)); diff != "" {
			t.Errorf("headers of %d (-want +got):\n%s", i, diff)
		}
	}
	if r.Next(&rec) || r.Err() != nil {
		t.Errorf("after the last record: %v", r.Err())
	}
	var topic string
	var schemas [][]byte
	aux := ReadPairs(r.Aux())
	for key, value, ok := aux.Next(); ok; key, value, ok = aux.Next() {
		switch string(key) {
		case AuxTopic:
			topic = string(value)
		case AuxSchema:
			schemas = append(schemas, value)
		}
	}
	if diff := cmp.Diff(g.schemas, schemas); diff != "" || topic != g.topic {
		t.Errorf("topic %q, want %q; schemas (-want +got):\n%s", topic, g.topic, diff)
	}
}

func pairsOf(t *testing.T, block []byte) (pairs [][2]string) {
	r := ReadPairs(block)
	for key, value, ok := r.Next(); ok; key, value, ok = r.Next() {
		if value == nil {
			value = []byte(nullValue)
		}
		pairs = append(pairs, [2]string{string(key), string(value)})
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	return pairs
}

// TestGolden holds the encoder and the decoder to the frames in testdata/golden, which other languages test against.
func TestGolden(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			frame := g.encode()
			g.decode(t, frame)
			path := filepath.Join("testdata", "golden", g.name+".hex")
			text := annotate(g.name+": "+g.about, frame)
			if *update {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(file), text); diff != "" {
				t.Errorf("encoder (-file +got):\n%s", diff)
			}
			g.decode(t, parseHex(t, file))
		})
	}
}

// TestSpecExample holds the worked example of SPEC.md to the golden frames.
func TestSpecExample(t *testing.T) {
	spec, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"input-values", "output-map-values"} {
		file, err := os.ReadFile(filepath.Join("testdata", "golden", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(spec, file) {
			t.Errorf("SPEC.md does not show golden/%s.hex as it is", name)
		}
	}
}

// parseHex reads hexadecimal bytes; '#' starts a comment.
func parseHex(t *testing.T, text []byte) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var frameFields = []string{
	"magic WSB1, hdr_len, rec_hdr_len", "frame_len, count", "flags, aux_off", "aux_len, input", "partition, 0", "stream_time", "epoch", "0",
}

var recordFields = []string{
	"rec_len, key_len", "val_len, hdrs_len", "timestamp", "offset", "index, hdr_count, kind, flags", "dest, partition",
}

// annotate writes frame as hexadecimal lines of 8 bytes with the names of what they are.
func annotate(title string, frame []byte) string {
	var w strings.Builder
	fmt.Fprintf(&w, "# %s\n", title)
	for i, name := range frameFields {
		annotateLine(&w, frame, i*8, name)
	}
	var r Reader
	var rec Record
	if err := r.Reset(frame, Expect{}); err != nil {
		return err.Error()
	}
	at := FrameHeaderSize
	for n := 0; r.Next(&rec); n++ {
		fmt.Fprintf(&w, "# record %d\n", n)
		for i, name := range recordFields {
			annotateLine(&w, frame, at+i*8, name)
		}
		at += RecordHeaderSize
		if r.Header().Flags&FrameHasArguments != 0 {
			annotateLine(&w, frame, at, "second_len, third_len")
			at += CallHeaderSize - RecordHeaderSize
		}
		at = annotateParts(&w, frame, at, &rec)
	}
	if aux := r.Aux(); aux != nil {
		fmt.Fprintf(&w, "# aux block\n")
		annotatePart(&w, frame, at, len(aux), "aux")
	}
	return w.String()
}

func annotateParts(w *strings.Builder, frame []byte, at int, rec *Record) int {
	at = annotatePart(w, frame, at, len(rec.Key), "key")
	at = annotatePart(w, frame, at, len(rec.Value), "value")
	at = annotatePart(w, frame, at, len(rec.Headers), "headers")
	at = annotatePart(w, frame, at, len(rec.Second), "second")
	return annotatePart(w, frame, at, len(rec.Third), "third")
}

func annotatePart(w *strings.Builder, frame []byte, at, n int, name string) int {
	for end := at + pad8(n); at < end; at += 8 {
		text := strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, string(bytes.ToValidUTF8(frame[at:at+8], []byte("."))))
		annotateLine(w, frame, at, fmt.Sprintf("%s  %s", name, text))
	}
	return at
}

func annotateLine(w *strings.Builder, frame []byte, at int, what string) {
	b := frame[at : at+8]
	fmt.Fprintf(w, "% x  % x  # %4d %s\n", b[:4], b[4:], at, what)
}

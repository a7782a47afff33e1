package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

// cases are lines and their words, the rule of split said by example.
var cases = []struct {
	name  string
	line  []byte
	words []string
}{
	{"null", nil, nil},
	{"empty", []byte{}, []string{""}},
	{"one blank", []byte(" "), nil},
	{"blanks", []byte("    "), nil},
	{"plain", []byte("all streams lead to kafka"), []string{"all", "streams", "lead", "to", "kafka"}},
	{"upper case", []byte("Hello KAFKA Streams"), []string{"hello", "kafka", "streams"}},
	{"double blank", []byte("a  b"), []string{"a", "", "b"}},
	{"leading blank", []byte(" a"), []string{"", "a"}},
	{"trailing blanks", []byte("a b  "), []string{"a", "b"}},
	{"other white space", []byte("a\tb\nc"), []string{"a\tb\nc"}},
	{"edges of the alphabet", []byte("@AZ[`az{"), []string{"@az[`az{"}},
	{"Korean", []byte("안녕 카프카 STREAMS 안녕"), []string{"안녕", "카프카", "streams", "안녕"}},
	{"umlauts stay", []byte("ÄÖ Ü"), []string{"ÄÖ", "Ü"}},
	{"not UTF-8", []byte("\xff\xfe A"), []string{"\xff\xfe", "a"}},
}

func open(t testing.TB, component string) (*wasmstream.TestHost, *wasmstream.TestNode) {
	t.Helper()
	host := wasmstream.NewTestHost()
	node, err := host.Open(component)
	if err != nil {
		t.Fatal(err)
	}
	return host, node
}

func TestSplitWords(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, node := open(t, "split-words")
			outs, err := node.Process(wasmstream.TestRecord{Key: []byte("k"), Value: c.line, Timestamp: 7})
			if err != nil {
				t.Fatal(err)
			}
			if len(outs) != len(c.words) {
				t.Fatalf("%d words, want %d", len(outs), len(c.words))
			}
			for i, o := range outs {
				if string(o.Record.Value) != c.words[i] || o.Record.Value == nil {
					t.Errorf("word %d is %q, want %q", i, o.Record.Value, c.words[i])
				}
				if string(o.Record.Key) != "k" || o.Record.Timestamp != 7 || o.Index != 0 {
					t.Errorf("word %d lost its record: %+v", i, o)
				}
			}
		})
	}
}

func TestCountWordsForwardsEachUpdate(t *testing.T) {
	host, node := open(t, "count-words")
	var got []string
	for _, line := range []string{"all streams lead to kafka", "hello kafka streams", "join kafka summit"} {
		outs, err := node.Process(wasmstream.TestRecord{Value: []byte(line)})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outs {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			got = append(got, string(o.Record.Key)+" "+string(rune('0'+binary.BigEndian.Uint64(o.Record.Value))))
		}
	}
	want := "all 1, streams 1, lead 1, to 1, kafka 1, hello 1, kafka 2, streams 2, join 1, kafka 3, summit 1"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if n := binary.BigEndian.Uint64(host.Store("counts").Get("kafka")); n != 3 {
		t.Errorf("the store counts kafka %d times, want 3", n)
	}
}

func TestCountWordsRefusesAForeignValue(t *testing.T) {
	host, node := open(t, "count-words")
	host.Store("counts").Put("b", []byte("three"))
	outs, err := node.Process(wasmstream.TestRecord{Value: []byte("a b c")})
	if err != nil {
		t.Fatal(err)
	}
	if len(outs) != 2 || string(outs[0].Record.Key) != "a" || outs[1].Err == nil || outs[1].Err.Class != wasmstream.ClassFail {
		t.Errorf("got %+v, want a's count and then the record's failure", outs)
	}
}

func TestHugeLine(t *testing.T) {
	const words = 524288
	line := bytes.Repeat([]byte("A "), words)
	_, split := open(t, "split-words")
	outs, err := split.Process(wasmstream.TestRecord{Value: line})
	if err != nil {
		t.Fatal(err)
	}
	if len(outs) != words || string(outs[words-1].Record.Value) != "a" {
		t.Fatalf("%d words, want %d", len(outs), words)
	}
	_, count := open(t, "count-words")
	outs, err = count.Process(wasmstream.TestRecord{Value: line})
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.BigEndian.Uint64(outs[len(outs)-1].Record.Value); n != words {
		t.Fatalf("counted %d words, want %d", n, words)
	}
}

func TestNoAllocationPerRecord(t *testing.T) {
	lines := make([]wasmstream.TestRecord, 100)
	for i := range lines {
		lines[i].Value = []byte("All streams lead to Kafka and back again")
	}
	for _, component := range []string{"split-words", "count-words"} {
		_, node := open(t, component)
		run := node.Prepare(lines...)
		run()
		if n := testing.AllocsPerRun(50, run); n != 0 {
			t.Errorf("%s: %v allocations for a frame of %d records, want none", component, n, len(lines))
		}
	}
}

func BenchmarkSplitWords(b *testing.B) {
	lines := make([]wasmstream.TestRecord, 100)
	for i := range lines {
		lines[i].Value = []byte("All streams lead to Kafka and back again, and then some more of them until 96 bytes are full")
	}
	_, node := open(b, "split-words")
	run := node.Prepare(lines...)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

//go:build !wasm

package wasmstream

import (
	"bytes"
	"strconv"
	"testing"
)

var line []byte

// join writes its parts with a bar between them; nil is a dash.
func join(parts ...[]byte) []byte {
	line = line[:0]
	for i, p := range parts {
		if i > 0 {
			line = append(line, '|')
		}
		if p == nil {
			p = []byte("-")
		}
		line = append(line, p...)
	}
	return line
}

func init() {
	Initializer("zero", func() []byte { return join([]byte("0")) })
	Aggregator("append", func(key, value, aggregate []byte) []byte { return join(key, value, aggregate) })
	Aggregator("delete", func(_, _, _ []byte) ([]byte, error) { return nil, nil })
	Aggregator("refuse", func(_, _, _ []byte) ([]byte, error) { return nil, Skip(errOdd) })
	Reducer("longer", func(aggregate, value []byte) []byte {
		if len(aggregate) >= len(value) {
			return aggregate
		}
		return value
	})
	Merger("both", func(key, one, two []byte) []byte { return join(key, one, two) })
	Joiner("pair", func(left, right []byte) ([]byte, error) { return join(left, right), nil })
	JoinerWithKey("pair-key", func(key, left, right []byte) []byte { return join(key, left, right) })
	JoinerWithMappedKey("pair-mapped", func(mapped, left, right []byte) []byte { return join(mapped, left, right) })
	TimestampExtractor("later", func(rec *Record, partitionTime int64) int64 {
		if rec.Value == nil {
			return partitionTime + 1
		}
		return int64(len(rec.Value))
	})
	TopicNameExtractor("by-key", func(rec *Record) []byte { return join([]byte("t"), rec.Key) })
	Partitioner("last", func(_ []byte, rec *Record, partitions int) int {
		if rec.Key == nil {
			return -1
		}
		return partitions - 1
	})
	MulticastPartitioner("all-but-topic", func(topic []byte, rec *Record, partitions int, send func(int)) error {
		for p := range partitions {
			if strconv.Itoa(p) != string(topic) {
				send(p)
			}
		}
		return nil
	})
	Serializer("out", func(data []byte) []byte { return join(data, []byte("out")) })
	Deserializer("in", func(data []byte) ([]byte, error) { return bytes.TrimSuffix(data, []byte("|out")), nil })
}

// TestFunctionsOfSeveralArguments asks each function of several arguments.
func TestFunctionsOfSeveralArguments(t *testing.T) {
	rec := TestRecord{Key: []byte("k"), Value: []byte("left"), Second: []byte("right"), Third: []byte("m")}
	alone := TestRecord{Key: []byte("k"), Value: []byte("left"), Headers: []TestHeader{{"h", []byte("v")}}}
	for _, tt := range []struct {
		component string
		in        TestRecord
		want      string // "-" for null
	}{
		{"zero", TestRecord{}, "0"},
		{"append", rec, "k|left|right"},
		{"append", alone, "k|left|-"},
		{"delete", rec, "-"},
		{"longer", rec, "right"},
		{"longer", alone, "left"},
		{"both", rec, "k|left|right"},
		{"pair", rec, "left|right"},
		{"pair", alone, "left|-"},
		{"pair-key", rec, "k|left|right"},
		{"pair-mapped", rec, "m|left|right"},
		{"by-key", rec, "t|k"},
		{"out", rec, "left|out"},
		{"in", TestRecord{Value: []byte("left|out")}, "left"},
		{"in", TestRecord{}, "-"},
	} {
		out := ask(t, tt.component, TestConfig{}, tt.in)
		if len(out) != 1 || string(join(out[0].Record.Value)) != tt.want {
			t.Errorf("%s answers %+v, want %q", tt.component, out, tt.want)
		}
	}
	if out := ask(t, "refuse", TestConfig{}, rec); len(out) != 1 || out[0].Err == nil || out[0].Err.Class != ClassSkip {
		t.Errorf("refuse answers %+v", out)
	}
}

// TestTimestampExtractor wants partition time to follow what the function answered.
func TestTimestampExtractor(t *testing.T) {
	out := ask(t, "later", TestConfig{}, TestRecord{}, TestRecord{Value: []byte("12345")}, TestRecord{Timestamp: 99}, TestRecord{Value: []byte("1")}, TestRecord{})
	var got []int64
	for _, o := range out {
		got = append(got, o.Record.Timestamp)
	}
	if want := []int64{0, 5, 6, 1, 7}; !equal(got, want) {
		t.Errorf("timestamps %v, want %v", got, want)
	}
}

// TestPartitioner wants the partitions that were chosen.
func TestPartitioner(t *testing.T) {
	partitions := func(out []TestOutput) (got []int64) {
		for _, o := range out {
			got = append(got, int64(o.Index), int64(o.Record.Partition))
		}
		return got
	}
	records := []TestRecord{{Key: []byte("k")}, {}}
	if got, want := partitions(ask(t, "last", TestConfig{Partitions: 3}, records...)), []int64{0, 2, 1, -1}; !equal(got, want) {
		t.Errorf("last: %v, want %v", got, want)
	}
	h := NewTestHost()
	h.Topic = "1"
	n, err := h.Open("all-but-topic", TestConfig{Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Process(records...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := partitions(out), []int64{0, 0, 0, 2, 1, 0, 1, 2}; !equal(got, want) {
		t.Errorf("multicast: %v, want %v", got, want)
	}
}

func ask(t *testing.T, component string, config TestConfig, records ...TestRecord) []TestOutput {
	t.Helper()
	n, err := NewTestHost().Open(component, config)
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Process(records...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestFunctionsDoNotAllocate runs each function over records again and again.
func TestFunctionsDoNotAllocate(t *testing.T) {
	rec := TestRecord{Key: []byte("k"), Value: []byte("left"), Second: []byte("right"), Third: []byte("m")}
	for _, component := range []string{"zero", "append", "longer", "both", "pair", "pair-key", "pair-mapped", "later", "last", "all-but-topic", "by-key", "out"} {
		n, err := NewTestHost().Open(component, TestConfig{Partitions: 4})
		if err != nil {
			t.Fatal(err)
		}
		run := n.Prepare(rec, rec, rec)
		run()
		if allocs := testing.AllocsPerRun(20, run); allocs != 0 {
			t.Errorf("%s: %v allocations for 3 records, want none", component, allocs)
		}
	}
}

package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// The vector is what ValueAndTimestampSerializer of Apache Kafka wrote.
func TestTimestampedVectors(t *testing.T) {
	f, err := os.Open("testdata/timestamped-value.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var v struct {
			ID       string
			Input    struct{ Value, TS int64 }
			Expected string
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		long := binary.BigEndian.AppendUint64(nil, uint64(v.Input.Value))
		stored := AppendTimestamped(nil, v.Input.TS, long)
		if got := hex.EncodeToString(stored); got != v.Expected {
			t.Errorf("%s: %s, want %s", v.ID, got, v.Expected)
		}
		if value, ts := SplitTimestamped(stored); !bytes.Equal(value, long) || ts != v.Input.TS {
			t.Errorf("%s: split into %x, %d", v.ID, value, ts)
		}
	}
	if n == 0 {
		t.Fatal("no vectors")
	}
}

func TestTimestampedEdges(t *testing.T) {
	if got := AppendTimestamped([]byte("x"), 1, nil); string(got) != "x" {
		t.Errorf("a null value appends %q", got)
	}
	for _, short := range [][]byte{nil, {}, {1, 2, 3}} {
		if value, ts := SplitTimestamped(short); value != nil || ts != TimestampUnknown {
			t.Errorf("%x: %x, %d", short, value, ts)
		}
	}
	stored := AppendTimestamped(nil, math.MinInt64, []byte{})
	if value, ts := SplitTimestamped(stored); value == nil || len(value) != 0 || ts != math.MinInt64 {
		t.Errorf("an empty value comes back as %x (nil: %v), %d", value, value == nil, ts)
	}
}

func TestTimestampedFacade(t *testing.T) {
	s := NewTimestamped(newTestStore(t, StoreConfig{Format: Timestamped}))
	noError(t, s.PutTimestamped([]byte("k"), []byte("v"), 7))
	value, ts, err := s.GetTimestamped([]byte("k"))
	if err != nil || string(value) != "v" || ts != 7 {
		t.Errorf("got %q, %d, %v", value, ts, err)
	}
	noError(t, s.PutTimestamped([]byte("k"), nil, 8))
	if value, ts, err := s.GetTimestamped([]byte("k")); err != nil || value != nil || ts != TimestampUnknown {
		t.Errorf("after a delete: %q, %d, %v", value, ts, err)
	}
}

func FuzzInputOffsets(f *testing.F) {
	f.Add(appendInputOffsets(nil, map[TopicPartition]int64{{"in", 3}: 42, {"", 0}: -1}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		offsets, err := decodeInputOffsets(b)
		if err != nil {
			return
		}
		again, err := decodeInputOffsets(appendInputOffsets(nil, offsets))
		if err != nil || len(again) != len(offsets) {
			t.Fatalf("%v became %v (%v)", offsets, again, err)
		}
		for tp, o := range offsets {
			if again[tp] != o {
				t.Fatalf("%v became %v", offsets, again)
			}
		}
	})
}

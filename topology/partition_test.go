package topology

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// vectors reads the cases that the real Kafka answered, by the family their id begins with.
func vectors(t *testing.T, family string, each func(id string, input, expected json.RawMessage)) {
	t.Helper()
	f, err := os.Open("testdata/vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var v struct {
			ID              string
			Input, Expected json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(v.ID, family) {
			each(v.ID, v.Input, v.Expected)
			n++
		}
	}
	if n == 0 {
		t.Fatalf("no vectors of family %s", family)
	}
}

func TestPartitionVectors(t *testing.T) {
	vectors(t, "partition-", func(id string, input, expected json.RawMessage) {
		var in struct {
			KeyHex string `json:"key_hex"`
		}
		var want struct {
			Murmur2               int32
			P3, P4, P10, P12, P50 int32
		}
		if json.Unmarshal(input, &in) != nil || json.Unmarshal(expected, &want) != nil {
			t.Fatalf("%s: cannot be read", id)
		}
		key, err := hex.DecodeString(in.KeyHex)
		if err != nil {
			t.Fatal(err)
		}
		if got := Murmur2(key); got != want.Murmur2 {
			t.Errorf("%s: Murmur2 = %d, want %d", id, got, want.Murmur2)
		}
		for n, p := range map[int32]int32{3: want.P3, 4: want.P4, 10: want.P10, 12: want.P12, 50: want.P50} {
			if got := PartitionForKey(key, n); got != p {
				t.Errorf("%s: PartitionForKey of %d = %d, want %d", id, n, got, p)
			}
		}
	})
}

func TestTaskID(t *testing.T) {
	for _, s := range []string{"1_10", "0_0", "12_2147483647"} {
		id, err := ParseTaskID(s)
		if err != nil || id.String() != s {
			t.Errorf("ParseTaskID(%q) = %v, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "1", "1_", "_1", "a_1", "1_b", "-1_0", "1_2_3", "0_2147483648"} {
		if id, err := ParseTaskID(s); err == nil {
			t.Errorf("ParseTaskID(%q) = %v, want an error", s, id)
		}
	}
	if (TaskID{1, 10}).Less(TaskID{1, 2}) || !(TaskID{1, 2}).Less(TaskID{1, 10}) {
		t.Error("tasks must be in numeric order")
	}
}

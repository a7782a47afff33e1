package state_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/state"
)

// TestVersionsAreKafkas replays what Kafka Streams 4.3.1 answered from its versioned store in RocksDB: scripts of one key
// ("# a@20 -@20 c@10", where - deletes), and after each put the time at which it ends, the latest version, and what held
// at some times.
func TestVersionsAreKafkas(t *testing.T) {
	golden, err := os.ReadFile("testdata/versions-kafka.txt")
	if err != nil {
		t.Fatal(err)
	}
	for script := range bytes.SplitSeq(bytes.TrimPrefix(golden, []byte("# ")), []byte("\n# ")) {
		ops, want, _ := strings.Cut(strings.TrimSpace(string(script)), "\n")
		if got := strings.TrimSpace(replayVersions(t, ops)); got != want {
			t.Errorf("%s\ngot:\n%s\nKafka:\n%s", ops, got, want)
		}
	}
}

func replayVersions(t *testing.T, ops string) string {
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := db.NewStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "s"}, Kind: state.VersionedKind, HistoryRetention: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := store.(*state.MeteredVersionedStore)
	show := func(v state.Version, ok bool, err error) string {
		switch {
		case err != nil:
			t.Fatal(err)
		case !ok:
			return "null"
		}
		return fmt.Sprintf("%s@%d", v.Value, v.Timestamp)
	}
	var b strings.Builder
	for op := range strings.FieldsSeq(ops) {
		var at int64
		text, time, _ := strings.Cut(op, "@")
		if _, err := fmt.Sscan(time, &at); err != nil {
			t.Fatal(err)
		}
		value := []byte(text)
		if text == "-" {
			value, text = nil, "null"
		}
		end, err := s.PutVersion([]byte("k"), value, at)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "put %s@%d -> %d | get=%s", text, at, end, show(s.Latest([]byte("k"))))
		for _, t := range []int64{5, 10, 15, 20, 25, 30, 40} {
			fmt.Fprintf(&b, " %d:%s", t, show(s.AsOf([]byte("k"), t)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

package streamtest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

const (
	input  = "streams-plaintext-input"
	output = "streams-wordcount-output"
)

// wordCounts are the two forms of WordCount, each with the name of the store that holds the counts.
var wordCounts = []struct {
	name  string
	build func(*dsl.StreamsBuilder)
	store string
}{
	{"dsl", buildDSL, "counts"},
	{"processor", buildProcessor, "counts"},
}

func buildDSL(b *dsl.StreamsBuilder) {
	b.Stream(input).
		FlatMapValues(dsl.Guest("wordcount", "split-words")).
		GroupBy(dsl.Expr("value"), dsl.Grouped{Key: topology.String, Value: topology.String}).
		Count(dsl.Materialized{Name: "counts"}).
		ToStream().
		To(output, dsl.Produced{Key: topology.String, Value: topology.Long})
}

func buildProcessor(b *dsl.StreamsBuilder) {
	b.AddStateStore(topology.StoreSpec{Name: "counts", Kind: topology.KeyValue, KeySerde: topology.String, ValueSerde: topology.Long})
	b.Stream(input).
		Process(dsl.GuestProcessor("wordcount", "count-words"), "", "counts").
		To(output, dsl.Produced{Key: topology.String, Value: topology.Long})
}

func eachWordCount(t *testing.T, test func(t *testing.T, d *streamtest.Driver), c streamtest.Config) {
	for _, guest := range wordCountGuests {
		for _, form := range wordCounts {
			t.Run(guest+"/"+form.name, func(t *testing.T) { test(t, startGuest(t, guest, form.build, c)) })
		}
	}
}

func startWordCount(t testing.TB, build func(*dsl.StreamsBuilder), c streamtest.Config) *streamtest.Driver {
	t.Helper()
	return startGuest(t, "wordcount-c", build, c)
}

func startGuest(t testing.TB, guest string, build func(*dsl.StreamsBuilder), c streamtest.Config) *streamtest.Driver {
	t.Helper()
	b := dsl.NewStreamsBuilder()
	build(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	c.Modules = map[string][]byte{"wordcount": guestbuild.Load(t, guest)}
	c.KeySerde, c.ValueSerde = topology.String, topology.String
	c.Start = time.UnixMilli(1_700_000_000_000)
	d, err := streamtest.New(topo, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// counts reads the outputs as "word count".
func counts(t *testing.T, d *streamtest.Driver) []string {
	t.Helper()
	var lines []string
	for _, r := range d.ReadOutputs(output) {
		if len(r.Value) != 8 {
			t.Fatalf("count of %q: %d bytes, want a long of 8", r.Key, len(r.Value))
		}
		lines = append(lines, fmt.Sprintf("%s %d", r.Key, binary.BigEndian.Uint64(r.Value)))
	}
	return lines
}

func pipe(t *testing.T, d *streamtest.Driver, line string) {
	t.Helper()
	if err := d.Pipe(input, nil, []byte(line), 1000); err != nil {
		t.Fatal(err)
	}
}

func TestLabGivesItsElevenOutputs(t *testing.T) {
	want := []string{
		"all 1", "streams 1", "lead 1", "to 1", "kafka 1", "hello 1", "kafka 2", "streams 2", "join 1", "kafka 3", "summit 1",
	}
	for _, frame := range []int{1, 500} {
		eachWordCount(t, func(t *testing.T, d *streamtest.Driver) {
			lines := []string{"all streams lead to kafka", "hello kafka streams", "join kafka summit"}
			var records []streamtest.Record
			for _, l := range lines {
				records = append(records, streamtest.Record{Value: []byte(l), Timestamp: 1000})
			}
			if err := d.PipeAll(input, records...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, counts(t, d)); diff != "" {
				t.Errorf("frames of %d (-want +got):\n%s", frame, diff)
			}
		}, streamtest.Config{FrameSize: frame})
	}
}

func TestRuleForWords(t *testing.T) {
	tests := []struct {
		name, line string
		want       []string
	}{
		{"lower case of ASCII only", "Kafka KAFKA Ä", []string{"kafka 1", "kafka 2", "Ä 1"}},
		{"double blanks leave an empty word", "a  b", []string{"a 1", " 1", "b 1"}},
		{"a blank at the start leaves an empty word", " a", []string{" 1", "a 1"}},
		{"blanks at the end leave nothing", "a   ", []string{"a 1"}},
		{"an empty line is one empty word", "", []string{" 1"}},
		{"blanks alone have no words", "   ", nil},
		{"tabs do not separate", "a\tb", []string{"a\tb 1"}},
		{"Korean", "카프카 스트림즈 카프카", []string{"카프카 1", "스트림즈 1", "카프카 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachWordCount(t, func(t *testing.T, d *streamtest.Driver) {
				pipe(t, d, tt.line)
				if diff := cmp.Diff(tt.want, counts(t, d)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}, streamtest.Config{})
		})
	}
}

func TestNullLineHasNoWords(t *testing.T) {
	eachWordCount(t, func(t *testing.T, d *streamtest.Driver) {
		if err := d.Pipe(input, []byte("key"), nil, 1000); err != nil {
			t.Fatal(err)
		}
		pipe(t, d, "kafka")
		if diff := cmp.Diff([]string{"kafka 1"}, counts(t, d)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}, streamtest.Config{})
}

// splitWords is the rule for words, independent of the guests: Java's split(" ") after lower case of ASCII.
func splitWords(line string) []string {
	line = strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, line)
	if line == "" {
		return []string{""}
	}
	words := strings.Split(line, " ")
	for len(words) > 0 && words[len(words)-1] == "" {
		words = words[:len(words)-1]
	}
	return words
}

func TestLinesOfAMegabyte(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var long strings.Builder
	for long.Len() < 1<<20 {
		fmt.Fprintf(&long, "W%d ", rng.IntN(1000))
	}
	lines := map[string]string{
		"words of two bytes": strings.Repeat("a ", 1<<19),
		"one word":           strings.Repeat("x", 1<<20),
		"many words":         long.String(),
	}
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			eachWordCount(t, func(t *testing.T, d *streamtest.Driver) {
				var want []string
				seen := map[string]int{}
				for _, w := range splitWords(line) {
					seen[w]++
					want = append(want, fmt.Sprintf("%s %d", w, seen[w]))
				}
				pipe(t, d, line)
				if got := counts(t, d); !cmp.Equal(want, got) {
					t.Errorf("%d outputs differ from the %d wanted", len(got), len(want))
				}
			}, streamtest.Config{FrameSize: 500}) // one commit for each word would be half a million
		})
	}
}

func TestStoreHoldsTheCounts(t *testing.T) {
	d := startWordCount(t, buildDSL, streamtest.Config{})
	pipe(t, d, "a b a")
	stored, err := d.KeyValueStore("counts").Get([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	value, at := state.SplitTimestamped(stored)
	if got := binary.BigEndian.Uint64(value); got != 2 || at != 1000 {
		t.Errorf("stored count of a: %d at %d, want 2 at 1000", got, at)
	}
	want := []string{output, "test-counts-changelog", "test-counts-repartition"}
	if diff := cmp.Diff(want, d.ProducedTopicNames()); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
}

func TestCacheForwardsOnceForEachCommit(t *testing.T) {
	d := startWordCount(t, buildDSL, streamtest.Config{CacheBytes: 1 << 20})
	pipe(t, d, "a b a") // the words come back through the repartition topic, with a commit after each
	if diff := cmp.Diff([]string{"a 1", "b 1", "a 2"}, counts(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d = startWordCount(t, buildDSL, streamtest.Config{CacheBytes: 1 << 20, FrameSize: 100})
	pipe(t, d, "a b a")
	if diff := cmp.Diff([]string{"b 1", "a 2"}, counts(t, d)); diff != "" {
		t.Errorf("one commit for all words, in the order of the last writes (-want +got):\n%s", diff)
	}
}

func TestRestOfTheWorldGivesErrors(t *testing.T) {
	d := startWordCount(t, buildDSL, streamtest.Config{})
	if err := d.Pipe("no-such-topic", nil, nil, 0); err == nil {
		t.Error("piping to a topic that nobody reads: no error")
	}
	if d.Store("no-such-store") != nil || d.KeyValueStore("no-such-store") != nil {
		t.Error("a store that is not there was found")
	}
	if err := d.Pipe(input, nil, []byte("x"), -1); err == nil {
		t.Error("a negative timestamp: no error (FailOnInvalidTimestamp is the default)")
	}
}

func TestNegativeTimestampSkipped(t *testing.T) {
	d := startWordCount(t, buildDSL, streamtest.Config{TimestampExtractor: stream.LogAndSkipOnInvalidTimestamp})
	if err := d.Pipe(input, nil, []byte("x"), -1); err != nil {
		t.Fatal(err)
	}
	pipe(t, d, "y")
	if diff := cmp.Diff([]string{"y 1"}, counts(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := d.Metrics().Dropped.Load(); got != 1 {
		t.Errorf("dropped records: %d, want 1", got)
	}
}

func TestUpgradeKeepsCounting(t *testing.T) {
	eachWordCount(t, func(t *testing.T, d *streamtest.Driver) {
		module, err := os.ReadFile("../../../examples/wordcount/wordcount.wasm")
		if err != nil {
			t.Fatal(err)
		}
		// A custom section behind the module makes another digest of the same code.
		other := append(bytes.Clone(module), 0, 3, 1, 'x', 'y')
		var want []string
		for i := range 20 {
			pipe(t, d, "kafka")
			want = append(want, fmt.Sprintf("kafka %d", i+1))
			next := module
			if i%2 == 0 {
				next = other
			}
			if err := d.Upgrade("wordcount", next); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, counts(t, d)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}, streamtest.Config{})
}

package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// hostile is a guest that works until it is told not to (host/stream/testdata/guests/hostile.c).
func hostile(t testing.TB) []byte {
	t.Helper()
	module, err := os.ReadFile("../testdata/guests/hostile.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// sharedEngine compiles the module once for all drivers of a test.
func sharedEngine(t testing.TB) *wasm.Engine {
	t.Helper()
	e, err := wasm.NewEngine(context.Background(), wasm.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	held, err := e.Compile(context.Background(), "hostile", hostile(t)) // so that drivers find it compiled
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(held.Close(), e.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return e
}

// rules are the same for every component.
type rules struct {
	instance wasm.Limits
	stream.GuestSettings
}

func (r rules) Component(string, string) stream.GuestSettings { return r.GuestSettings }
func (r rules) Instance(string) wasm.Limits                   { return r.instance }

// onError is a policy, with little fuel so that loops end soon.
func onError(p stream.ErrorPolicy) rules {
	return rules{instance: wasm.Limits{FuelPerFrame: 500_000, FuelPerRecord: 50_000, MemoryBytes: 1 << 20, StackBytes: 1 << 16}, GuestSettings: stream.GuestSettings{OnError: &p}}
}

// misdeeds undo what the record did before. An error record of class fail would not: what came before it stands (ERR-3).
var misdeeds = []string{"trap", "loop", "deep", "grow", "abort -1", "fail 3"}

func isMisdeed(value []byte) bool {
	return slices.ContainsFunc(misdeeds, func(m string) bool { return strings.HasPrefix(string(value), m) })
}

// ledgerTopology has two components of one instance: in -> echo -> echoed, and in -> ledger -> out with a store. With
// clean the misdeeds are filtered out before either of them, in Go.
func ledgerTopology(t testing.TB, kind topology.StoreKind, caching, clean bool) *topology.Topology {
	t.Helper()
	topo := topology.New()
	filter := dsl.Filter{Call: dsl.Call{Kind: "filter", Fn: dsl.NativePredicate(func(r *topology.Record) bool {
		return !clean || !isMisdeed(r.Value)
	})}}
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("clean", filter, "source"),
		topo.AddProcessor("echo", dsl.MapValues{Call: dsl.Call{Kind: "mapValues", Fn: dsl.Guest("hostile", "echo")}}, "clean"),
		topo.AddProcessor("ledger", dsl.GuestProcessor("hostile", "ledger"), "clean"),
		topo.AddStateStore(&topology.StoreSpec{Name: "ledger", Kind: kind, CachingEnabled: caching}, "ledger"),
		topo.AddSink("echoed", "echoed", topology.SinkOptions{}, "echo"),
		topo.AddSink("out", "out", topology.SinkOptions{}, "ledger"),
	); err != nil {
		t.Fatal(err)
	}
	return topo
}

// outcome is all that a run leaves behind.
type outcome struct {
	Topics  map[string][]string
	Store   map[string]string
	Records int64 // as the guest counted them
}

// run pipes batches through a topology and tells what comes of it.
func run(t testing.TB, topo *topology.Topology, c streamtest.Config, batches [][]streamtest.Record) (o outcome, letters []streamtest.Record) {
	t.Helper()
	c.ApplicationID, c.DeadLetterTopic = "app", "dead"
	c.Modules = map[string][]byte{"hostile": hostile(t)}
	d, err := streamtest.New(topo, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, batch := range batches {
		if err := d.PipeAll("in", batch...); err != nil {
			t.Fatal(err)
		}
	}
	letters = d.ReadOutputs("dead")
	o = outcome{Topics: map[string][]string{}, Store: map[string]string{}}
	for _, topic := range d.ProducedTopicNames() {
		for _, r := range d.ReadOutputs(topic) {
			o.Topics[topic] = append(o.Topics[topic], fmt.Sprintf("%s=%s@%d", r.Key, shown(r.Value), r.Timestamp))
		}
	}
	delete(o.Topics, "dead")
	if kv := d.KeyValueStore("ledger"); kv != nil {
		it, err := kv.Range(nil, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		for it.Next() {
			o.Store[string(it.Key())] = string(it.Value())
		}
		if err := errors.Join(it.Err(), it.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range d.Metrics().Guests() {
		for _, s := range g.Series() {
			o.Records += s.Value.Load()
		}
	}
	return o, letters
}

// drawBatches are records of few keys, in time, some of which are misdeeds.
func drawBatches(t *rapid.T) (batches [][]streamtest.Record, bad []string) {
	at := int64(0)
	for range rapid.IntRange(1, 3).Draw(t, "batches") {
		var batch []streamtest.Record
		for range rapid.IntRange(1, 25).Draw(t, "records") {
			at += int64(rapid.IntRange(0, 1).Draw(t, "time") * 50)
			value := strings.Repeat("work", rapid.IntRange(1, 4).Draw(t, "length"))
			if rapid.IntRange(0, 7).Draw(t, "misdeed") == 0 {
				value = rapid.SampledFrom(misdeeds).Draw(t, "which")
				bad = append(bad, value)
			}
			key := "k" + strconv.Itoa(rapid.IntRange(0, 4).Draw(t, "key"))
			batch = append(batch, streamtest.Record{Key: []byte(key), Value: []byte(value), Timestamp: at})
		}
		batches = append(batches, batch)
	}
	return batches, bad
}

// TestFaultsLeaveNothingBehind runs random records with random misdeeds, in frames of one and of many, through guests
// with and without stores. What comes out, the changelog, the store and the guest's own metrics must be those of a run
// in which the bad records never reached the guests, and each bad record is in the dead-letter topic, once for each of
// the two guests.
func TestFaultsLeaveNothingBehind(t *testing.T) {
	engine := sharedEngine(t)
	rapid.Check(t, func(rt *rapid.T) {
		batches, bad := drawBatches(rt)
		kind := rapid.SampledFrom([]topology.StoreKind{topology.KeyValue, topology.TimestampedKeyValue}).Draw(rt, "kind")
		caching := rapid.Bool().Draw(rt, "caching")
		policy := stream.ErrorPolicy{Action: stream.DeadLetter, Retries: rapid.IntRange(0, 1).Draw(rt, "retries"), Backoff: time.Millisecond}
		frame := rapid.IntRange(2, 50).Draw(rt, "frame")
		cache := int64(0)
		if caching {
			cache = 1 << 20
		}
		start := time.UnixMilli(1_000_000)
		config := func(frame int) streamtest.Config {
			return streamtest.Config{FrameSize: frame, CacheBytes: cache, Engine: engine, Guests: onError(policy), Start: start}
		}
		for _, frame := range []int{1, frame} {
			want, none := run(t, ledgerTopology(t, kind, caching, true), config(frame), batches)
			got, letters := run(t, ledgerTopology(t, kind, caching, false), config(frame), batches)
			if caching { // commits come earlier after a fault, so that the cache hides fewer changes
				delete(want.Topics, "app-ledger-changelog")
				delete(got.Topics, "app-ledger-changelog")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("frames of %d, misdeeds %q: bad records have effects (-without +with):\n%s", frame, bad, diff)
			}
			if len(none) != 0 || len(letters) != 2*len(bad) {
				rt.Fatalf("frames of %d: %d dead letters of %d bad records, %d without any", frame, len(letters), len(bad), len(none))
			}
		}
	})
}

// TestHoardLosesNothing gives records with misdeeds to a guest that holds records back until the commit. The task starts
// again from what is committed for each of them; nothing that it held may be lost or given twice.
func TestHoardLosesNothing(t *testing.T) {
	engine := sharedEngine(t)
	rapid.Check(t, func(rt *rapid.T) {
		batches, bad := drawBatches(rt)
		topo := topology.New()
		if err := errors.Join(
			topo.AddSource("source", topology.SourceOptions{}, "in"),
			topo.AddProcessor("hoard", dsl.GuestProcessor("hostile", "hoard"), "source"),
			topo.AddSink("out", "out", topology.SinkOptions{}, "hoard"),
		); err != nil {
			t.Fatal(err)
		}
		policy := stream.ErrorPolicy{Action: stream.DeadLetter, Retries: rapid.IntRange(0, 1).Draw(rt, "retries"), Backoff: time.Millisecond}
		got, letters := run(t, topo, streamtest.Config{FrameSize: rapid.IntRange(1, 50).Draw(rt, "frame"), Engine: engine, Guests: onError(policy)}, batches)
		var count, sum, wantCount, wantSum int
		for _, line := range got.Topics["out"] {
			line, _, _ = strings.Cut(line, "@")
			k, v, _ := strings.Cut(line, "=")
			n, _ := strconv.Atoi(k)
			s, _ := strconv.Atoi(v)
			count, sum = count+n, sum+s
		}
		for _, r := range slices.Concat(batches...) {
			if !isMisdeed(r.Value) {
				wantCount, wantSum = wantCount+1, wantSum+len(r.Value)
			}
		}
		if len(letters) != len(bad) {
			rt.Errorf("%d dead letters of %d bad records", len(letters), len(bad))
		}
		// A guest that reports an error or refuses a call lives on, and remembers of the record what it likes.
		remembers := slices.ContainsFunc(bad, func(m string) bool { return strings.HasPrefix(m, "fail") || strings.HasPrefix(m, "abort") })
		if !remembers && (count != wantCount || sum != wantSum) {
			rt.Fatalf("%d records of %d bytes came out, %d of %d went in; misdeeds %q; %v", count, sum, wantCount, wantSum, bad, got.Topics)
		}
	})
}

// TestDeadLetters compares records of the dead-letter topic part by part.
func TestDeadLetters(t *testing.T) {
	b := dsl.NewStreamsBuilder()
	b.Stream("in").MapValues(dsl.Native(dsl.NativeFunc(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			out = append(out, in[i])
			out[len(out)-1].Index, out[len(out)-1].Value = int32(i), []byte("trap, made of "+string(in[i].Value))
		}
		return out, nil
	}))).MapValues(dsl.Guest("hostile", "echo")).To("out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	record := streamtest.Record{Key: []byte("k"), Value: []byte("raw"), Timestamp: 77, Headers: []topology.Header{{Key: "mine", Value: []byte("1")}}}
	_, letters := run(t, topo, streamtest.Config{Guests: onError(stream.ErrorPolicy{Action: stream.DeadLetter})}, [][]streamtest.Record{{{Key: []byte("first")}}, {record}})
	if len(letters) != 2 {
		t.Fatalf("%d records in the dead-letter topic, want 2", len(letters))
	}
	got := letters[1]
	headers := map[string]string{}
	for _, h := range got.Headers {
		headers[h.Key] = string(h.Value)
	}
	if string(got.Key) != "k" || string(got.Value) != "raw" || got.Timestamp != 77 {
		t.Errorf("the letter is %s=%s at %d", got.Key, got.Value, got.Timestamp)
	}
	message, stack := headers[stream.HeaderErrorMessage], headers[stream.HeaderErrorStacktrace]
	delete(headers, stream.HeaderErrorMessage)
	delete(headers, stream.HeaderErrorStacktrace)
	want := map[string]string{
		"mine": "1", stream.HeaderErrorException: "E-GUEST-TRAP", stream.HeaderErrorTopic: "in",
		stream.HeaderErrorPartition: "0", stream.HeaderErrorOffset: "1",
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	for _, part := range []string{"application app", "task 0_0", "hostile/echo", "sha256:", "unreachable at misdeed"} {
		if !strings.Contains(message, part) {
			t.Errorf("the message does not tell %q: %s", part, message)
		}
	}
	if !strings.Contains(stack, "at misdeed") || !strings.Contains(stack, "fuel used: ") {
		t.Errorf("the stack: %s", stack)
	}
}

// TestPolicies runs one misdeed under each policy.
func TestPolicies(t *testing.T) {
	engine := sharedEngine(t)
	topo := func() *topology.Topology {
		b := dsl.NewStreamsBuilder()
		b.Stream("in").MapValues(dsl.Guest("hostile", "echo")).To("out")
		topo, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return topo
	}
	for _, tt := range []struct {
		misdeed string
		policy  stream.ErrorPolicy
		letters int
		code    errs.Code // of the error, if any
		traps   string
		waited  time.Duration
	}{
		{"trap", stream.ErrorPolicy{Action: stream.Skip}, 0, errs.Code{}, "map[trap:2]", 0},
		{"trap", stream.ErrorPolicy{Action: stream.DeadLetter}, 1, errs.Code{}, "map[trap:2]", 0},
		{"trap", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.GuestTrap, "map[trap:2]", 0},
		{"trap", stream.ErrorPolicy{Action: stream.Skip, Retries: 3, Backoff: 500 * time.Millisecond, MaxBackoff: time.Second}, 0, errs.Code{}, "map[trap:5]", 2500 * time.Millisecond},
		{"trap", stream.ErrorPolicy{Action: stream.Skip, Retries: 3, Backoff: time.Second, MaxBackoff: 2 * time.Second}, 0, errs.Code{}, "map[trap:8]", 7 * time.Second},
		{"loop", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.GuestBudget, "map[fuel:2]", 0},
		{"deep", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.GuestBudget, "", 0},
		{"grow", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.GuestMemory, "map[memory:2]", 0},
		{"fail 2", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.GuestError, "map[]", 0},
		{"fail 2", stream.ErrorPolicy{Action: stream.Skip}, 0, errs.Code{}, "map[]", 0},
		{"fail 0", stream.ErrorPolicy{Action: stream.Fail}, 0, errs.Code{}, "map[]", 0},
		{"fail 1", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.Code{}, "map[]", 0},
		{"fail 3", stream.ErrorPolicy{Action: stream.Skip}, 0, errs.Code{}, "map[]", 700 * time.Millisecond},
		{"fail 3", stream.ErrorPolicy{Action: stream.Fail}, 1, errs.GuestError, "map[]", 700 * time.Millisecond},
		{"abort -1", stream.ErrorPolicy{Action: stream.Skip}, 0, errs.Code{}, "map[]", 0},
	} {
		t.Run(tt.misdeed+"/"+fmt.Sprint(tt.policy), func(t *testing.T) {
			start := time.UnixMilli(1000)
			d, err := streamtest.New(topo(), streamtest.Config{
				Modules: map[string][]byte{"hostile": hostile(t)}, FrameSize: 10, Engine: engine, Guests: onError(tt.policy), DeadLetterTopic: "dead", Start: start,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			err = d.PipeAll("in", streamtest.Record{Value: []byte("a")}, streamtest.Record{Value: []byte(tt.misdeed)}, streamtest.Record{Value: []byte("b")})
			if failed := tt.code.ID != ""; failed != (err != nil) || failed && (!tt.code.Is(err) || !strings.Contains(err.Error(), "in-0@1:")) {
				t.Errorf("the error: %v", err)
			}
			traps := map[string]int64{}
			for _, g := range d.Metrics().Guests() { // one for each life of the task
				g.Traps.Each(func(reason string, n int64) { traps[reason] += n })
			}
			if tt.traps != "" && fmt.Sprint(traps) != tt.traps {
				t.Errorf("traps %v, want %s", traps, tt.traps)
			}
			if got := len(d.ReadOutputs("dead")); got != tt.letters {
				t.Errorf("%d dead letters, want %d", got, tt.letters)
			}
			if waited := d.Now().Sub(start); waited != tt.waited {
				t.Errorf("waited %v, want %v", waited, tt.waited)
			}
			if out := d.ReadOutputs("out"); err == nil && len(out) != 2 {
				t.Errorf("%d records came out, want 2", len(out))
			}
		})
	}
}

// TestDropsAreCountedByReason looks at what is dropped for which reason.
func TestDropsAreCountedByReason(t *testing.T) {
	b := dsl.NewStreamsBuilder()
	b.Stream("in").MapValues(dsl.Guest("hostile", "echo")).To("out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d, err := streamtest.New(topo, streamtest.Config{
		Modules: map[string][]byte{"hostile": hostile(t)}, Guests: onError(stream.ErrorPolicy{Action: stream.Skip}), Deserialization: stream.LogAndContinue,
		TimestampExtractor: stream.LogAndSkipOnInvalidTimestamp, ValueSerde: topology.Long,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for value, at := range map[string]int64{"no long": 1, "trap....": 1, "deep....": 1, "fine....": -1} {
		if err := d.Pipe("in", nil, []byte(value), at); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int64{"deserialization": 1, "guest-trap": 1, "guest-depth": 1, "negative-timestamp": 1}
	if diff := cmp.Diff(want, maps.Collect(maps.All(d.Metrics().Drops()))); diff != "" {
		t.Errorf("drops (-want +got):\n%s", diff)
	}
}

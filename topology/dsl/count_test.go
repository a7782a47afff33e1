package dsl_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// countStore opens the store of a count, with a cache of that many bytes.
func countStore(t testing.TB, cacheBytes int64) state.Store {
	t.Helper()
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.NewKeyValueStore(state.StoreConfig{
		ID: state.StoreID{Task: "0_0", Store: "counts"}, Format: state.Timestamped, Cache: state.NewThreadCache(cacheBytes),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), db.Close() })
	return s
}

func TestCount(t *testing.T) {
	ctx := newContext()
	ctx.stores = map[string]state.Store{"counts": countStore(t, 0)}
	p := start(t, dsl.Count{Store: "counts"}, ctx)
	if err := p.Process(records("a=x@5 b=y@6 a=z@3 null=x@7 a=null@8 a=w@9")); err != nil {
		t.Fatal(err)
	}
	if want, got := "a=1 @5\nb=1 @6\na=2 @5\na=3 @9\n", ctx.text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if ctx.dropped != 2 {
		t.Errorf("dropped = %d, want 2: the null key and the null value", ctx.dropped)
	}
}

// TestCountCached: results leave with the cache, one for each key, in the order in which the keys were last changed.
func TestCountCached(t *testing.T) {
	ctx := newContext()
	store := countStore(t, 1<<20)
	ctx.stores, ctx.streamTime = map[string]state.Store{"counts": store}, 42
	p := start(t, dsl.Count{Store: "counts"}, ctx)
	in := records("a=x@5 b=y@6 a=z@3")
	if err := p.Process(in); err != nil {
		t.Fatal(err)
	}
	if len(ctx.sent) > 0 {
		t.Errorf("forwarded before the flush:\n%s", ctx.text())
	}
	if err := store.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, s := range ctx.sent {
		if s.r.StreamTime != 42 || s.r.Origin != in[0].Origin {
			t.Errorf("stream time %d, origin %v", s.r.StreamTime, s.r.Origin)
		}
	}
	if want, got := "a=2 @5\nb=1 @6\n", ctx.text(); got != want && got != "b=1 @6\na=2 @5\n" {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestCountNeedsItsStore(t *testing.T) {
	p, err := dsl.Count{Store: "counts"}.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Init(newContext()); err == nil {
		t.Error("Init without the store")
	}
}

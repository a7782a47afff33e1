package stream

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/metrics"
	"github.com/wasmstream/wasmstream/state"
)

// TestIdleThreadsCommitSooner: a thread without work commits after a fifth of the interval, unless its results are seen
// at once anyway or its record cache holds some back.
func TestIdleThreadsCommitSooner(t *testing.T) {
	cache := state.NewThreadCache(1 << 20)
	db, err := state.OpenDB("", state.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cached, err := db.NewKeyValueStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "s"}, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	interval := func(exactlyOnce, idle bool) time.Duration {
		s := &session{Thread: &Thread{cfg: &threadConfig{exactlyOnce: exactlyOnce, commitInterval: 100 * time.Millisecond}, cache: cache}}
		return s.commitInterval(idle) / time.Millisecond
	}
	check := func(what string, got, want time.Duration) {
		t.Helper()
		if got != want {
			t.Errorf("%s: after %d ms, want %d", what, got, want)
		}
	}
	check("idle", interval(true, true), 20)
	check("busy", interval(true, false), 100)
	check("idle, at least once", interval(false, true), 100)
	if err := cached.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	check("idle with a record in the cache", interval(true, true), 100)
}

// TestTheIntervalBeginsAfterACommit: what a commit itself takes is not part of the time until the next one.
func TestTheIntervalBeginsAfterACommit(t *testing.T) {
	const commitTakes, interval = 70 * time.Millisecond, 100 * time.Millisecond
	db, err := state.OpenDB("", state.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	client, err := kgo.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	set, err := metrics.New(prometheus.NewRegistry(), "a")
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_000_000)
	cfg := &threadConfig{
		exactlyOnce: true, commitInterval: interval, metrics: newThreadMetrics(set, "t"),
		clock: func() time.Time { now = now.Add(commitTakes / 2); return now }, // once while it commits, once at its end
	}
	s := &session{
		Thread: &Thread{cfg: cfg, db: db}, hard: t.Context(), producer: &Producer{}, consumer: &Consumer{}, batch: db.NewBatch(),
		records: newRecordCollector(t.Context(), client, nil, cfg.metrics), tasks: &TaskManager{cfg: cfg},
	}
	s.records.sent = 1
	if err := s.commit(false); err != nil {
		t.Fatal(err)
	}
	for idle, wait := range map[bool]time.Duration{true: interval / idleCommits, false: interval} {
		if s.commitDue(now.Add(wait-1), idle) || !s.commitDue(now.Add(wait), idle) {
			t.Errorf("idle %t: the next commit is not due after %v, but after %v", idle, wait, s.lastCommit.Add(s.commitInterval(idle)).Sub(now))
		}
	}
}

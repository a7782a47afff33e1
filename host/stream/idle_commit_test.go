package stream

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/metrics"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
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

// TestMuchThatIsWrittenIsCommittedSooner: not at once, and only where no one would see more for it.
func TestMuchThatIsWrittenIsCommittedSooner(t *testing.T) {
	const interval = 100 * time.Millisecond
	db, err := state.OpenDB("", state.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := db.NewKeyValueStore(state.StoreConfig{ID: state.StoreID{Task: "0_0", Store: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_000_000)
	s := &session{Thread: &Thread{cfg: &threadConfig{exactlyOnce: true, commitInterval: interval}}, lastCommit: now}
	s.tasks = &TaskManager{tasks: []*managedTask{
		{}, // one that is restored
		{task: &Task{}, state: &StateManager{stores: []*managedStore{{store: store}}}},
	}}
	write := func(bytes int) {
		if err := store.Put([]byte("k"), make([]byte, bytes)); err != nil {
			t.Fatal(err)
		}
	}
	dueAfter := func(want time.Duration) {
		t.Helper()
		if s.commitDue(now.Add(want-1), false) || !s.commitDue(now.Add(want), false) {
			t.Errorf("with %d bytes written, exactly once %t, a commit is not due after %v", s.tasks.uncommittedBytes(), s.cfg.exactlyOnce, want)
		}
	}
	write(earlyBytes / 2)
	dueAfter(interval)
	write(earlyBytes + 1)
	dueAfter(interval / idleCommits)
	s.cfg.exactlyOnce = false
	dueAfter(interval)
	write(uncommittedBytes + 1)
	if !s.commitDue(now, false) {
		t.Error("more than may be held is not committed at once")
	}
}

// TestBufferedBytesAreThoseOfAllTasks: of those that run, while others have no queues yet.
func TestBufferedBytesAreThoseOfAllTasks(t *testing.T) {
	m := &TaskManager{byPartition: map[topology.TopicPartition]*inputPartition{}}
	add := func(partition int32, records ...*kgo.Record) {
		tp := topology.TopicPartition{Topic: "in", Partition: partition}
		owner := &managedTask{}
		if len(records) > 0 {
			q := &RecordQueue{}
			q.add(records)
			owner.task = &Task{group: &PartitionGroup{byPartition: map[topology.TopicPartition]*RecordQueue{tp: q}}}
		}
		m.byPartition[tp] = &inputPartition{tp: tp, owner: owner}
	}
	add(0, &kgo.Record{Value: make([]byte, 100)}, &kgo.Record{Value: make([]byte, 200)})
	add(1)
	add(2, &kgo.Record{Value: make([]byte, 3000)})
	if got, want := m.bufferedBytes(), int64(3300+3*20); got != want {
		t.Errorf("%d bytes wait, want %d", got, want)
	}
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
		wall:  time.Now,
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

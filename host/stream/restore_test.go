package stream

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestStateIsRebuiltWhateverHappensToIt breaks the local state between two runs in every way there is. The changelog
// holds a transaction that was aborted and a foreign key behind the application's own records.
func TestStateIsRebuiltWhateverHappensToIt(t *testing.T) {
	damages := map[string]func(t *testing.T, dir string){
		"kept":    func(*testing.T, string) {},
		"deleted": func(t *testing.T, dir string) { check(t, os.RemoveAll(dir)) },
		"database deleted": func(t *testing.T, dir string) {
			check(t, os.RemoveAll(onlyMatch(t, filepath.Join(dir, "*", "*", "db"))))
		},
		"truncated": func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, "*", "*", "db", "*"))
			check(t, err)
			for _, f := range files {
				if !strings.HasSuffix(f, "LOCK") {
					check(t, os.Truncate(f, 10))
				}
			}
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
				h := newHarness(t, b)
				in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
				dir := t.TempDir()
				input := numbered(in, 0, 500, 13, 2)
				b.Produce(t, input...)
				app := h.start(countTopology(t, in, out), "state.dir="+dir, "statestore.cache.max.bytes=0")
				h.output(out, len(input))
				app.stop()
				h.abortInto(h.appID+"-KSTREAM-AGGREGATE-STATE-STORE-0000000001-changelog", 2)
				damage(t, dir)
				more := numbered(in, 500, 100, 13, 2)
				b.Produce(t, more...)
				input = append(input, more...)
				h.start(countTopology(t, in, out), "state.dir="+dir, "statestore.cache.max.bytes=0")
				h.output(out, len(input))
				h.checkCounts(in, out, input)
			})
		})
	}
}

// TestDamageThatShowsWhileItRunsIsBuiltAgain breaks the files of a database that is open, under a process that reads them:
// it goes on with what the changelog gives.
func TestDamageThatShowsWhileItRunsIsBuiltAgain(t *testing.T) {
	const keys = 5_000 // of 500 bytes: more than the cache of blocks holds
	wide := func(records []*kgo.Record) []*kgo.Record {
		for _, r := range records {
			r.Key = append(r.Key, make([]byte, 500)...)
			r.Partition = topology.PartitionForKey(r.Key, 2)
		}
		return records
	}
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 2)
	dir := t.TempDir()
	input := wide(numbered(in, 0, keys, keys, 2))
	b.Produce(t, input...)
	app := h.start(countTopology(t, in, out), "state.dir="+dir, "statestore.cache.max.bytes=0", "state.memory.max.bytes=4194304", "num.stream.threads=2")
	h.output(out, len(input))
	for round := range 2 {
		db := app.db.Load()
		files, err := filepath.Glob(filepath.Join(dir, "*", "*", "db", "*.sst"))
		check(t, err)
		for _, f := range files {
			if content, err := os.ReadFile(f); err == nil { // a compaction may have removed it
				for i := 0; i < len(content); i += 1000 {
					content[i] ^= 1
				}
				check(t, os.WriteFile(f, content, 0o600))
			}
		}
		more := wide(numbered(in, (round+1)*keys, keys, keys, 2))
		b.Produce(t, more...)
		input = append(input, more...)
		h.output(out, len(input))
		if app.db.Load() == db {
			t.Fatalf("vacuous: nobody has read any of %d files", len(files))
		}
	}
	h.checkCounts(in, out, input)
	app.stop()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onlyMatch(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s matches %v (%v)", pattern, found, err)
	}
	return found[0]
}

// abortInto writes a transaction into each partition of a topic and aborts it.
func (h *harness) abortInto(topic string, partitions int32) {
	h.t.Helper()
	cl := h.b.Client(h.t, kgo.TransactionalID(h.b.Name("abort")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ctx := context.Background()
	if err := cl.BeginTransaction(); err != nil {
		h.t.Fatal(err)
	}
	for p := range partitions {
		for i := range 13 {
			r := &kgo.Record{Topic: topic, Partition: p, Key: []byte("k" + string(rune('0'+i))), Value: make([]byte, 8)}
			if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	if err := cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		h.t.Fatal(err)
	}
}

// TestStateBehindTheLogStartIsBuiltAgain: the changelog was deleted and made again, so the state on disk belongs to
// nothing any more.
func TestStateBehindTheLogStartIsBuiltAgain(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
	dir := t.TempDir()
	input := numbered(in, 0, 100, 1, 1)
	b.Produce(t, input...)
	changelog := h.appID + "-KSTREAM-AGGREGATE-STATE-STORE-0000000001-changelog"
	app := h.start(countTopology(t, in, out), "state.dir="+dir, "statestore.cache.max.bytes=0")
	h.output(out, len(input))
	app.stop()
	check(t, b.Fake.DeleteTopic(changelog))
	check(t, b.Fake.CreateTopic(changelog, 1, map[string]string{"cleanup.policy": "compact"}))
	b.Produce(t, numbered(in, 100, 1, 1, 1)...)
	h.start(countTopology(t, in, out), "state.dir="+dir, "statestore.cache.max.bytes=0")
	got := lines(h.output(out, len(input)+1), long)[0]
	if last := got[len(got)-1]; last != "k0=1" {
		t.Errorf("the count after the loss of the changelog is %s, from state that it does not cover", last)
	}
}

// TestStateOfAnotherTimeIsBuiltAgain: the changelog forgets deletions after a day, so state of longer ago is not gone on from,
// nor state of as far ahead, whose age nobody knows. After a smaller jump of the clock it is.
func TestStateOfAnotherTimeIsBuiltAgain(t *testing.T) {
	for ahead, again := range map[time.Duration]bool{time.Hour: false, -time.Hour: false, 48 * time.Hour: true, -48 * time.Hour: true} {
		t.Run(ahead.String(), func(t *testing.T) {
			b := brokertest.Fake(t)
			h := newHarness(t, b)
			in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
			set := []string{"state.dir=" + t.TempDir(), "statestore.cache.max.bytes=0"}
			b.Produce(t, numbered(in, 0, 100, 1, 1)...)
			app := h.start(countTopology(t, in, out), set...)
			h.output(out, 100)
			app.stop()
			b.Produce(t, numbered(in, 100, 1, 1, 1)...)
			app, book := h.booked(countTopology(t, in, out), func(a *App) {
				a.wall = func() time.Time { return time.Now().Add(ahead) }
			}, set...)
			got := lines(h.output(out, 101), long)[0]
			app.stop()
			if last := got[len(got)-1]; last != "k0=101" {
				t.Errorf("the last count is %s", last)
			}
			if (book.restored > 0) != again {
				t.Errorf("%d records were restored", book.restored)
			}
		})
	}
}

func TestInternalTopicsAreMadeAndChecked(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 3), b.CreateTopic(t, b.Name("out"), 1)
		repartition, changelog := h.appID+"-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition", h.appID+"-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog"
		h.start(wordCountTopology(t, in, out)).running().stop()
		adm := kadm.NewClient(b.Client(t))
		configs, err := adm.DescribeTopicConfigs(t.Context(), repartition, changelog)
		check(t, err)
		got := map[string]string{}
		for _, rc := range configs {
			for _, c := range rc.Configs {
				if c.Key == "cleanup.policy" || c.Key == "retention.ms" && rc.Name == repartition {
					got[strings.TrimPrefix(rc.Name, h.appID)+" "+c.Key] = c.MaybeValue()
				}
			}
		}
		want := map[string]string{
			"-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition cleanup.policy": "delete",
			"-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition retention.ms":   "-1",
			"-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog cleanup.policy":   "compact",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		topics, err := adm.ListTopics(t.Context(), repartition, changelog)
		check(t, err)
		if r, c := len(topics[repartition].Partitions), len(topics[changelog].Partitions); r != 3 || c != 3 {
			t.Errorf("the repartition topic has %d partitions and the changelog %d, want 3 and 3", r, c)
		}
		_, err = adm.UpdatePartitions(t.Context(), 5, changelog)
		check(t, err)
		if err := h.start(wordCountTopology(t, in, out)).ended(); !errs.TopicPartitions.Is(err) {
			t.Errorf("a changelog of 5 partitions for 3 tasks gives %v", err)
		}
	})
}

func TestProcessedRecordsOfRepartitionTopicsAreDeleted(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		b.Produce(t, &kgo.Record{Topic: in, Value: []byte("a b c d")})
		h.start(wordCountTopology(t, in, out), "repartition.purge.interval.ms=50", "statestore.cache.max.bytes=0")
		h.output(out, 4)
		adm := kadm.NewClient(b.Client(t))
		repartition := h.appID + "-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition"
		for deadline := time.Now().Add(time.Minute); ; {
			starts, err := adm.ListStartOffsets(t.Context(), repartition)
			check(t, err)
			if o, _ := starts.Lookup(repartition, 0); o.Offset >= 4 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the repartition topic is not purged")
			}
			check(t, pause(t.Context(), 10*time.Millisecond))
		}
	})
}

// TestAStoreWithoutChangelogFollowsItsInput: set back to the beginning, the input is counted from nothing again.
func TestAStoreWithoutChangelogFollowsItsInput(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		sb := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
		sb.Stream(in).GroupByKey().Count(dsl.Materialized{Name: "counts", LoggingDisabled: true}).ToStream().To(out)
		topo := build(t, sb)
		dir := t.TempDir()
		input := numbered(in, 0, 50, 5, 1)
		b.Produce(t, input...)
		once := counted(input)[0]
		run := func(want []string) {
			t.Helper()
			app := h.start(topo, "state.dir="+dir, "statestore.cache.max.bytes=0")
			got := lines(h.output(out, len(want)), long)[0]
			h.drained(in)
			app.stop()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		run(once)
		adm := kadm.NewClient(b.Client(t))
		var back kadm.Offsets
		back.AddOffset(in, 0, 0, -1)
		check(t, adm.CommitAllOffsets(t.Context(), h.appID, back))
		run(append(once, once...))
	})
}

func TestMetricsAreThereToScrape(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), 1), b.CreateTopic(t, b.Name("out"), 1)
		input := numbered(in, 0, 200, 5, 1)
		b.Produce(t, input...)
		app := h.app(countTopology(t, in, out), "statestore.cache.max.bytes=0")
		registry := prometheus.NewRegistry()
		cfg := app.cfg
		cfg.Registerer = registry
		app, err := New(cfg)
		check(t, err)
		in1 := h.run(app)
		h.output(out, len(input))
		h.drained(in)
		// A reader may know of the commit before who has committed.
		in1.until("the commit is counted", func() bool { return scraped(t, registry)["wasmstream_txn_duration_seconds"] > 0 })
		values := scraped(t, registry)
		for name, want := range map[string]float64{
			"wasmstream_client_state": 2, "wasmstream_alive_stream_threads": 1, "wasmstream_processed_records_total": 200,
			"wasmstream_task_created_total": 1, "wasmstream_build_info": 1,
		} {
			if values[name] != want {
				t.Errorf("%s is %v, want %v", name, values[name], want)
			}
		}
		for _, name := range []string{"wasmstream_thread_duration_seconds", "wasmstream_txn_total", "wasmstream_store_operations_total", "wasmstream_txn_duration_seconds", "wasmstream_records_produced_total"} {
			if values[name] == 0 {
				t.Errorf("%s is 0", name)
			}
		}
		for _, name := range []string{"wasmstream_lag_records", "wasmstream_lag_seconds"} {
			if lag, there := values[name]; lag != 0 || !there {
				t.Errorf("%s is %v (there: %v), want 0", name, lag, there)
			}
		}
		in1.stop()
	})
}

// scraped adds up the series of each metric; of a histogram it is how often it was told something.
func scraped(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	check(t, err)
	values := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestErrorsAreSortedByWhatMustBeDone(t *testing.T) {
	network := errors.New("read: connection reset by peer")
	for _, c := range []struct {
		err       error
		migrated  bool
		corrupted bool
		code      *errs.Code
	}{
		{err: kerr.ProducerFenced, migrated: true},
		{err: kerr.InvalidProducerEpoch, migrated: true},
		{err: kerr.IllegalGeneration, migrated: true},
		{err: kerr.UnknownMemberID, migrated: true},
		{err: kerr.TransactionAbortable, corrupted: true},
		{err: kerr.RequestTimedOut, corrupted: true},
		{err: network, corrupted: true},
		{err: kerr.FencedInstanceID, code: &errs.KafkaFenced},
		{err: kerr.TransactionalIDAuthorizationFailed, code: &errs.KafkaAuthorization},
	} {
		got := commitError("committing", c.err)
		var corrupted *TaskCorruptedError
		if errors.Is(got, ErrTaskMigrated) != c.migrated || errors.As(got, &corrupted) != c.corrupted || c.code != nil && !c.code.Is(got) {
			t.Errorf("%v becomes %v", c.err, got)
		}
	}
}

// TestAnAnswerThatPassesDoesNotEndTheThread: what one broker could not answer during a restore, it or another one can soon.
func TestAnAnswerThatPassesDoesNotEndTheThread(t *testing.T) {
	for err, want := range map[error]bool{
		kerr.NotLeaderForPartition: true, kerr.CoordinatorLoadInProgress: true, kerr.UnknownServerError: true, kerr.RequestTimedOut: true,
		io.EOF: true, kerr.UnknownTopicOrPartition: false, kerr.TopicAuthorizationFailed: false, errors.New("a fault of our own"): false,
	} {
		if got := passes(kafkaError("restoring from a changelog", err)); got != want {
			t.Errorf("%v passes: %t, want %t", err, got, want)
		}
	}
}

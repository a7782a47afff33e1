package stream

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// table is the latest value of each key, with the partition that it stands in; a deleted key is gone.
func table(recs []*kgo.Record, key func([]byte) string, value func([]byte) string) map[string]string {
	rows := make(map[string]string)
	for _, r := range recs {
		at := key(r.Key) + " in " + strconv.Itoa(int(r.Partition))
		if r.Value == nil {
			delete(rows, at)
			continue
		}
		rows[at] = value(r.Value)
	}
	return rows
}

// TestWindowsGoOnAfterARestart: the final counts of tumbling windows and sessions are those of one run, over several
// partitions, threads, caches and restarts, and each key stands in the partition of the key inside.
func TestWindowsGoOnAfterARestart(t *testing.T) {
	for _, cache := range []string{"0", "1000000"} {
		t.Run("cache "+cache, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) { windowsAfterRestarts(t, b, cache) })
		})
	}
}

const windowStart = 1_700_000_000_000

func windowsAfterRestarts(t *testing.T, b *brokertest.Broker, cache string) {
	h := newHarness(t, b)
	in, windows, sessions := b.CreateTopic(t, b.Name("in"), 3), b.CreateTopic(t, b.Name("windows"), 3), b.CreateTopic(t, b.Name("sessions"), 3)
	dir := t.TempDir()
	var input []*kgo.Record
	for round := range 3 {
		more := numbered(in, round*300, 300, 7, 3)
		input = append(input, more...)
		b.Produce(t, more...)
		builder := dsl.NewStreamsBuilder()
		grouped := builder.Stream(in).GroupByKey(dsl.Grouped{Key: topology.String})
		grouped.WindowedBy(dsl.TimeWindowsOfSizeAndGrace(100*time.Millisecond, time.Hour)).Count(dsl.Materialized{Name: "windows"}).ToStream().To(windows)
		grouped.WindowedBySessions(dsl.SessionWindowsOfInactivityGapAndGrace(8*time.Millisecond, time.Hour)).Count(dsl.Materialized{Name: "sessions"}).ToStream().To(sessions)
		app := h.start(build(t, builder), "state.dir="+dir, "num.stream.threads=2", "statestore.cache.max.bytes="+cache)
		h.drained(in)
		app.stop()
	}
	if diff := cmp.Diff(windowCounts(input), table(b.ReadAll(t, windows), timeKey, long)); diff != "" {
		t.Errorf("the windows differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sessionCounts(input), table(b.ReadAll(t, sessions), sessionKey, long)); diff != "" {
		t.Errorf("the sessions differ (-want +got):\n%s", diff)
	}
}

func timeKey(b []byte) string {
	key, start, _ := topology.SplitTimeWindowedKey(b)
	return fmt.Sprintf("%s@%d", key, start-windowStart)
}

func sessionKey(b []byte) string {
	key, start, end, _ := state.SplitSessionKey(b)
	return fmt.Sprintf("%s@%d/%d", key, start-windowStart, end-windowStart)
}

func windowCounts(input []*kgo.Record) map[string]string {
	counts := make(map[string]int)
	for _, r := range input {
		counts[fmt.Sprintf("%s@%d in %d", r.Key, (r.Timestamp.UnixMilli()-windowStart)/100*100, r.Partition)]++
	}
	return texts(counts)
}

// sessionCounts: the records of a key come every seven milliseconds, so each key has one session.
func sessionCounts(input []*kgo.Record) map[string]string {
	first, last, n := make(map[string]int64), make(map[string]int64), make(map[string]int)
	partition := make(map[string]int32)
	for _, r := range input {
		key, at := string(r.Key), r.Timestamp.UnixMilli()-windowStart
		if n[key] == 0 {
			first[key] = at
		}
		last[key], partition[key] = at, r.Partition
		n[key]++
	}
	counts := make(map[string]int)
	for key := range n {
		counts[fmt.Sprintf("%s@%d/%d in %d", key, first[key], last[key], partition[key])] = n[key]
	}
	return texts(counts)
}

func texts(counts map[string]int) map[string]string {
	rows := make(map[string]string)
	for key, n := range counts {
		rows[key] = strconv.Itoa(n)
	}
	return rows
}

// TestStreamJoinGoesOnAfterARestart: pairs are found across a restart, and what has no partner comes out once.
func TestStreamJoinGoesOnAfterARestart(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		left, right, out := b.CreateTopic(t, b.Name("left"), 2), b.CreateTopic(t, b.Name("right"), 2), b.CreateTopic(t, b.Name("out"), 2)
		dir := t.TempDir()
		record := func(topic, key, value string, at int64) *kgo.Record {
			return &kgo.Record{Topic: topic, Partition: topology.PartitionForKey([]byte(key), 2), Key: []byte(key), Value: []byte(value), Timestamp: time.UnixMilli(windowStart + at)}
		}
		rounds := [][]*kgo.Record{
			{record(left, "a", "a1", 0), record(left, "b", "b1", 1)},
			{record(right, "a", "A1", 5), record(right, "b", "late", 500)},
			{record(left, "a", "a2", 600), record(left, "b", "b2", 601)},
		}
		for _, round := range rounds {
			b.Produce(t, round...)
			builder := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
			joiner := dsl.Expr("left + '+' + (right == null ? 'null' : right)")
			builder.Stream(left).LeftJoin(builder.Stream(right), joiner, dsl.JoinWindowsOfTimeDifferenceAndGrace(10*time.Millisecond, 5*time.Millisecond)).To(out)
			app := h.start(build(t, builder), "state.dir="+dir)
			h.drained(left, right)
			app.stop()
		}
		var got []string
		for _, r := range b.ReadAll(t, out) {
			got = append(got, string(r.Value))
		}
		slices.Sort(got)
		want := []string{"a1+A1", "b1+null"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

package stream

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestPartitionsThatAnAnswerLeavesOutAreNotAtTheirEnd: a broker that has filled an answer gives nothing of the partitions
// behind, which looks as if there were nothing.
func TestPartitionsThatAnAnswerLeavesOutAreNotAtTheirEnd(t *testing.T) {
	r := &ChangelogReader{chunks: make(chan changelogChunk, 4)}
	r.mu.positions = map[topology.TopicPartition]*changelogPosition{}
	var positions []*changelogPosition
	for p := range int32(2) {
		one := &restoration{tp: topology.TopicPartition{Topic: "log", Partition: p}, limit: -1}
		positions = append(positions, &changelogPosition{r: one, end: 10, placed: true})
		r.mu.positions[one.tp] = positions[p]
	}
	batch := make([]byte, 61)
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-12))
	batch[16] = 2
	binary.BigEndian.PutUint32(batch[23:], 4) // offsets 0 to 4
	answer := func(first []byte) *kmsg.FetchResponse {
		resp := kmsg.NewPtrFetchResponse()
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = "log"
		for p, records := range [][]byte{first, nil} {
			part := kmsg.NewFetchResponseTopicPartition()
			part.Partition, part.HighWatermark, part.LastStableOffset, part.RecordBatches = int32(p), 10, 10, records
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp
	}
	for _, step := range []struct {
		records []byte
		want    [2]int64
	}{{batch, [2]int64{5, 0}}, {nil, [2]int64{10, 10}}} {
		if err := r.take(t.Context(), positions, answer(step.records)); err != nil {
			t.Fatal(err)
		}
		if got := [2]int64{positions[0].next, positions[1].next}; got != step.want {
			t.Errorf("after an answer with %d bytes the positions are %v, want %v", len(step.records), got, step.want)
		}
	}
}

// TestChangelogsThatFillAnswersAreRestoredWhole restores more partitions than an answer of the broker has room for.
func TestChangelogsThatFillAnswersAreRestoredWhole(t *testing.T) {
	const (
		partitions = 8
		keys       = 200 // of each, with 10 kB
	)
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, out := b.CreateTopic(t, b.Name("in"), partitions), b.CreateTopic(t, b.Name("out"), partitions)
		builder := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
		builder.Stream(in).GroupByKey().Reduce(dsl.Expr("value")).ToStream().To(out)
		topo := build(t, builder)
		value := []byte(strings.Repeat("0123456789", 1000))
		var records []*kgo.Record
		for p := range int32(partitions) {
			for k := range keys {
				records = append(records, &kgo.Record{Topic: in, Partition: p, Key: fmt.Appendf(nil, "%d-%d", p, k), Value: value})
			}
		}
		b.Produce(t, records...)
		first := h.start(topo, "statestore.cache.max.bytes=0")
		h.output(out, len(records))
		h.drained(in)
		first.stop()
		second, book := h.booked(topo, nil, "statestore.cache.max.bytes=0")
		second.running()
		book.with(func() {
			if book.restored != int64(len(records)) {
				t.Errorf("%d records were restored of %d", book.restored, len(records))
			}
		})
	})
}

// TestStoresAreRestoredOneAfterAnother: of those that have much left the nearest to its end is fetched, small ones together, and
// those that have nothing to give hold none up.
func TestStoresAreRestoredOneAfterAnother(t *testing.T) {
	position := func(p int32, left int64, dry, standby bool) *changelogPosition {
		return &changelogPosition{r: &restoration{tp: topology.TopicPartition{Topic: "log", Partition: p}, standby: standby}, next: 7, end: 7 + left, dry: dry}
	}
	for name, c := range map[string]struct {
		list []*changelogPosition
		want []int32
	}{
		"none":     {nil, nil},
		"large":    {[]*changelogPosition{position(0, 9000, false, false), position(1, 8000, false, false), position(2, 8500, false, false)}, []int32{1}},
		"small":    {[]*changelogPosition{position(0, 3000, false, false), position(1, 1000, false, false), position(2, 9000, false, false)}, []int32{1, 0}},
		"equal":    {[]*changelogPosition{position(1, 9000, false, false), position(0, 9000, false, false)}, []int32{0}},
		"dry":      {[]*changelogPosition{position(0, 1, true, false), position(1, 9000, false, false), position(2, 9001, true, false)}, []int32{1, 0, 2}},
		"standbys": {[]*changelogPosition{position(0, 9000, false, true), position(1, 8000, false, true)}, []int32{1, 0}},
	} {
		var got []int32
		for _, p := range nearestToEnd(c.list) {
			got = append(got, p.r.tp.Partition)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v are fetched, want %v", name, got, c.want)
		}
	}
}

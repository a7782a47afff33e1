package stream

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestAnInputGrows: new partitions are read where there is no internal topic that would have to grow with them, and with a
// code and a remedy refused where there is one, as in Kafka Streams.
func TestAnInputGrows(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		cases := map[string]func(t testing.TB, in, out string) *topology.Topology{"copy": copyTopology, "count": countTopology, "repartition": wordCountTopology}
		for name, topo := range cases {
			h := newHarness(t, b)
			h.appID = b.Name(name)
			in, out := b.CreateTopic(t, b.Name(name+"-in"), 2), b.CreateTopic(t, b.Name(name+"-out"), 2)
			app := h.start(topo(t, in, out), "metadata.max.age.ms=100").running()
			_, err := kadm.NewClient(b.Client(t)).UpdatePartitions(t.Context(), 3, in)
			check(t, err)
			if name != "copy" {
				err := app.ended()
				if !errs.TopicPartitions.Is(err) || !strings.Contains(err.Error(), "has 2 partitions, the topology needs 3") || !strings.Contains(err.Error(), "wasmstream reset") {
					t.Errorf("%s ended with %v", name, err)
				}
				continue
			}
			input := make([]*kgo.Record, 0, 90)
			for i, r := range numbered(in, 0, 90, 9, 3) {
				r.Partition = int32(i % 3)
				input = append(input, r)
			}
			b.Produce(t, input...)
			if n := len(h.output(out, len(input))); n != len(input) {
				t.Errorf("%d records of %d were copied", n, len(input))
			}
			app.stop()
		}
	})
}

// TestInputsOfAJoinGrowApart: the counts of both stand in the error.
func TestInputsOfAJoinGrowApart(t *testing.T) {
	b := brokertest.Fake(t)
	h := newHarness(t, b)
	in, table, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("table"), 2), b.CreateTopic(t, b.Name("out"), 2)
	sb := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	sb.Stream(in).JoinTable(sb.Table(table), dsl.NativeMapper(func(*topology.Record) error { return nil })).To(out)
	app := h.start(build(t, sb), "metadata.max.age.ms=100").running()
	_, err := kadm.NewClient(b.Client(t)).UpdatePartitions(t.Context(), 3, in)
	check(t, err)
	if err := app.ended(); !errs.TopicPartitions.Is(err) || !strings.Contains(err.Error(), in+" (3)") || !strings.Contains(err.Error(), table+" (2)") {
		t.Errorf("it ended with %v", err)
	}
}

// TestTopicsThatAreDeleted end the application with their names.
func TestTopicsThatAreDeleted(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		for _, gone := range []string{"input", "output", "changelog"} {
			h := newHarness(t, b)
			h.appID = b.Name(gone)
			in, out := b.CreateTopic(t, b.Name(gone+"-in"), 1), b.CreateTopic(t, b.Name(gone+"-out"), 1)
			input := numbered(in, 0, 10, 3, 1)
			b.Produce(t, input...)
			app := h.start(countTopology(t, in, out), "metadata.max.age.ms=100", "statestore.cache.max.bytes=0", "task.timeout.ms=1000").running()
			h.output(out, len(input))
			h.drained(in)
			topic := map[string]string{"input": in, "output": out, "changelog": h.appID + "-KSTREAM-AGGREGATE-STATE-STORE-0000000001-changelog"}[gone]
			_, err := kadm.NewClient(b.Client(t)).DeleteTopics(t.Context(), topic)
			check(t, err)
			if gone != "input" {
				b.Produce(t, numbered(in, 10, 10, 3, 1)...)
			}
			if err := app.ended(); !errs.TopicMissing.Is(err) || !strings.Contains(err.Error(), topic) {
				t.Errorf("without its %s it ended with %v", gone, err)
			}
		}
	})
}

// TestATopicOfAPatternIsDeleted: the others that match it are read on.
func TestATopicOfAPatternIsDeleted(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		stays, goes, out := b.CreateTopic(t, b.Name("some-stays"), 2), b.CreateTopic(t, b.Name("some-goes"), 2), b.CreateTopic(t, b.Name("out"), 2)
		sb := dsl.NewStreamsBuilder()
		sb.StreamPattern(regexp.QuoteMeta(stays) + "|" + regexp.QuoteMeta(goes)).To(out)
		app := h.app(build(t, sb), "metadata.max.age.ms=100")
		app.cfg.ClientOptions = append(app.cfg.ClientOptions, kgo.ConsiderMissingTopicDeletedAfter(300*time.Millisecond))
		running := h.run(app).running()
		input := append(numbered(stays, 0, 50, 9, 2), numbered(goes, 50, 50, 9, 2)...)
		b.Produce(t, input...)
		h.output(out, len(input))
		h.drained(stays, goes)
		_, err := kadm.NewClient(b.Client(t)).DeleteTopics(t.Context(), goes)
		check(t, err)
		running.until("only one topic is read", func() bool {
			inputs := 0
			running.threadsNow()[0].call(t.Context(), func(s *session) { inputs = len(s.tasks.byPartition) })
			return inputs == 2
		})
		b.Produce(t, numbered(stays, 100, 50, 9, 2)...)
		want, got := make(map[string]int), make(map[string]int)
		for i := range 150 {
			want[string(numbered(stays, i, 1, 9, 2)[0].Value)]++
		}
		for _, r := range h.output(out, 150) {
			got[string(r.Value)]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		running.stop()
	})
}

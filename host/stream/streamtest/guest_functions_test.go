package streamtest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// step is a record for a topic.
type step struct {
	topic, key, value string
	at                int64
}

// TestGuestsInJoinsAndAggregations has a guest join and aggregate: it answers with what it was given, with bars
// between (guest-sdk/c/testdata/probe.c).
func TestGuestsInJoinsAndAggregations(t *testing.T) {
	probe := func(component string) dsl.Fn { return dsl.Guest("probe", component).Out(nil, topology.String) }
	steps := []step{{"left", "k", "l1", 1}, {"right", "k", "r1", 2}, {"left", "k", "l2", 3}}
	for name, tt := range map[string]struct {
		build func(left, right *dsl.KStream)
		want  []string
	}{
		"join of streams": {func(left, right *dsl.KStream) {
			left.Join(right, probe("join"), dsl.JoinWindowsOfTimeDifferenceWithNoGrace(time.Minute)).To("out")
		}, []string{"k|l1|r1|(null)", "k|l2|r1|(null)"}},
		"left join of stream and table": {func(left, right *dsl.KStream) {
			left.LeftJoinTable(right.ToTable(), probe("join")).To("out")
		}, []string{"k|l1|(null)|(null)", "k|l2|r1|(null)"}},
		"aggregate": {func(left, _ *dsl.KStream) {
			left.GroupByKey().Aggregate(probe("zero"), probe("aggregate")).ToStream().To("out")
		}, []string{"k|l1|0|(null)", "k|l2|k|l1|0|(null)|(null)"}},
		"reduce": {func(left, _ *dsl.KStream) {
			left.GroupByKey().Reduce(probe("reduce")).ToStream().To("out")
		}, []string{"l1", "k|l1|l2|(null)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, runSteps(t, tt.build, steps)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func runSteps(t *testing.T, build func(left, right *dsl.KStream), steps []step) (values []string) {
	t.Helper()
	b := dsl.NewStreamsBuilder()
	text := dsl.Consumed{Key: topology.String, Value: topology.String}
	build(b.Stream("left", text), b.Stream("right", text))
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	d, err := streamtest.New(topo, streamtest.Config{Modules: map[string][]byte{"probe": probe(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, s := range steps {
		if err := d.Pipe(s.topic, []byte(s.key), []byte(s.value), s.at); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range d.ReadOutputs("out") {
		values = append(values, string(r.Value))
	}
	return values
}

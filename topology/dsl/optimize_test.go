package dsl_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// optimized are topologies whose descriptions by Kafka Streams 4.3.1 are in testdata/optimized, by the same calls there.
var optimized = map[string]struct {
	setting string
	build   func(b *dsl.StreamsBuilder)
}{
	"reuse": {"all", func(b *dsl.StreamsBuilder) {
		rows := b.Table("rows", dsl.Materialized{Name: "rows-store"})
		rows.Join(b.Table("other"), dsl.Expr("left + right")).ToStream().To("out")
	}},
	"merge": {"all", func(b *dsl.StreamsBuilder) {
		s := b.Stream("in").SelectKey(dsl.Expr("value"))
		s.GroupByKey().Count().ToStream().To("counts")
		s.Filter(dsl.Expr("true")).GroupByKey().Reduce(dsl.Expr("value")).ToStream().To("sums")
	}},
	"mapvalues": {"all", func(b *dsl.StreamsBuilder) {
		s := b.Stream("in").SelectKey(dsl.Expr("value"))
		s.MapValues(dsl.Expr("value")).GroupByKey().Count().ToStream().To("counts")
		s.GroupByKey(dsl.Grouped{Name: "named"}).Reduce(dsl.Expr("value")).ToStream().To("sums")
	}},
	"join": {"all", func(b *dsl.StreamsBuilder) {
		s, o := b.Stream("in").Map(dsl.MapExpr("value", "key")), b.Stream("other")
		s.Join(o, dsl.Expr("left + right"), dsl.JoinWindowsOfTimeDifferenceWithNoGrace(time.Minute)).To("joined")
		s.GroupByKey().Count().ToStream().To("counts")
	}},
	"merged": {"all", func(b *dsl.StreamsBuilder) {
		s, o := b.Stream("in").SelectKey(dsl.Expr("value")), b.Stream("other").SelectKey(dsl.Expr("value"))
		m := s.Merge(o)
		m.GroupByKey().Count(dsl.Materialized{Name: "c"}).ToStream().To("counts")
		m.Filter(dsl.Expr("true")).GroupByKey().Reduce(dsl.Expr("value")).ToStream().To("sums")
	}},
	"groupby": {"merge.repartition.topics", func(b *dsl.StreamsBuilder) {
		s := b.Stream("in")
		nothing := dsl.Guest("m", "show")
		g := s.GroupBy(dsl.Expr("value"))
		g.Count().ToStream().To("counts")
		g.WindowedBy(dsl.TimeWindowsOfSizeWithNoGrace(time.Minute)).Count().ToStream().Foreach(nothing)
		s.SelectKey(dsl.Expr("value")).Repartition(dsl.Repartitioned{Name: "mine"}).GroupByKey().Count().ToStream().Foreach(nothing)
		s.SelectKey(dsl.Expr("value")).ToTable().ToStream().To("t")
	}},
}

func TestOptimizedAsKafka(t *testing.T) {
	text, err := os.ReadFile("testdata/optimized")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, part := range strings.Split(string(text), "== ")[1:] {
		name, description, _ := strings.Cut(part, "\n")
		want[name] = strings.TrimSpace(description)
	}
	for name, c := range optimized {
		t.Run(name, func(t *testing.T) {
			topo := buildOptimized(t, c.setting, c.build)
			if diff := cmp.Diff(want[name], strings.TrimSpace(topo.Describe())); diff != "" {
				t.Errorf("(-Kafka +ours):\n%s", diff)
			}
		})
	}
}

func buildOptimized(t *testing.T, setting string, build func(b *dsl.StreamsBuilder)) *topology.Topology {
	t.Helper()
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String}).Optimize(setting)
	build(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// The topic of a table is its changelog, unless the store holds another form of what is in the topic.
func TestReusedSourceTopics(t *testing.T) {
	topo := buildOptimized(t, "reuse.ktable.source.topics", func(b *dsl.StreamsBuilder) {
		b.Table("a", dsl.Materialized{Name: "a"})
		b.Table("b", dsl.Consumed{ValueDeserializer: dsl.Guest("m", "unpack")}, dsl.Materialized{Name: "b"})
		b.Table("c") // keeps nothing
	})
	reused, logged := map[string]string{}, []string{}
	for _, s := range topo.Subtopologies("app") {
		for topic, store := range s.SourceChangelogs {
			reused[topic] = store
		}
		for store := range s.Changelogs {
			logged = append(logged, store)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "a"}, reused); diff != "" {
		t.Errorf("reused (-want +got):\n%s", diff)
	}
	if len(logged) != 1 {
		t.Errorf("changelogs of %v, want that of b", logged)
	}
}

// Behind a filter that two groupings share, Kafka gives up; here the filter moves once.
func TestMergedRepartitionsShareWhatIsBetween(t *testing.T) {
	topo := buildOptimized(t, "merge.repartition.topics", func(b *dsl.StreamsBuilder) {
		s := b.Stream("in").SelectKey(dsl.Expr("value")).Filter(dsl.Expr("true"))
		s.GroupByKey().Count()
		s.Filter(dsl.Expr("true")).GroupByKey().Reduce(dsl.Expr("value"))
	})
	if got := len(topo.Subtopologies("app")); got != 2 {
		t.Errorf("%d sub-topologies, want the one before the repartition and the one behind it:\n%s", got, topo.Describe())
	}
}

package dsl_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// described is what the real Kafka said of a topology.
type described struct {
	Describe          string                  `json:"describe"`
	CopartitionGroups [][]string              `json:"copartition_groups"`
	Subtopologies     map[string]describedSub `json:"subtopologies"`
}

type describedSub struct {
	SourceTopics       []string                     `json:"source_topics"`
	SinkTopics         []string                     `json:"sink_topics"`
	RepartitionSources map[string]map[string]string `json:"repartition_source_topics"`
	ChangelogTopics    map[string]map[string]string `json:"changelog_topics"`
}

func TestTopologyVectors(t *testing.T) {
	builders := map[string]func(*dsl.StreamsBuilder){
		"topology-wordcount-named": func(b *dsl.StreamsBuilder) {
			b.Stream("input").FlatMapValues(words).GroupBy(dsl.Expr("value")).
				Count(dsl.Materialized{Name: "counts"}).ToStream().To("output")
		},
		"topology-wordcount-lab": func(b *dsl.StreamsBuilder) {
			b.Stream("streams-plaintext-input").FlatMapValues(words).GroupBy(dsl.Expr("value")).
				Count().ToStream().To("streams-wordcount-output")
		},
		"topology-split-merge": func(b *dsl.StreamsBuilder) {
			branches := b.Stream("input").Split("b-").Branch(words).Branch(words, dsl.Branched{Name: "two"}).DefaultBranch()
			branches["b-1"].Merge(branches["b-0"]).To("output")
		},
		"topology-ss-leftjoin": func(b *dsl.StreamsBuilder) {
			w := dsl.JoinWindowsOfTimeDifferenceAndGrace(10*time.Millisecond, 5*time.Millisecond)
			b.Stream("left").LeftJoin(b.Stream("right"), words, w).To("output")
		},
		"topology-ss-join-rekeyed-named": func(b *dsl.StreamsBuilder) {
			w := dsl.JoinWindowsOfTimeDifferenceWithNoGrace(10 * time.Millisecond)
			left := b.Stream("left").SelectKey(words)
			left.Join(b.Stream("right").SelectKey(words), words, w, dsl.StreamJoined{Name: "j", StoreName: "s"}).To("output")
		},
	}
	seen := 0
	for id, want := range topologyVectors(t) {
		build := builders[id]
		if build == nil {
			continue // made of operators of later chapters
		}
		seen++
		b := dsl.NewStreamsBuilder()
		build(b)
		topo, err := b.Build()
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if diff := cmp.Diff(want.Describe, topo.Describe()); diff != "" {
			t.Errorf("%s: description (-want +got):\n%s", id, diff)
		}
		if want.Subtopologies == nil {
			continue
		}
		var groups [][]string
		for _, s := range topo.Subtopologies("app") {
			groups = append(groups, s.CopartitionGroups...)
		}
		if diff := cmp.Diff(want.CopartitionGroups, groups, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: co-partitioned (-want +got):\n%s", id, diff)
		}
		if diff := cmp.Diff(want.Subtopologies, describeSubs(topo.Subtopologies("app"))); diff != "" {
			t.Errorf("%s: sub-topologies (-want +got):\n%s", id, diff)
		}
	}
	if seen != len(builders) {
		t.Errorf("%d of %d vectors found", seen, len(builders))
	}
}

var words = dsl.Guest("wordcount", "split-words")

func topologyVectors(t *testing.T) map[string]described {
	t.Helper()
	f, err := os.Open("testdata/vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]described{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v struct {
			ID       string
			Expected json.RawMessage
		}
		var d described
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(v.Expected, &d) == nil && d.Describe != "" {
			all[v.ID] = d
		}
	}
	return all
}

func describeSubs(subs []*topology.Subtopology) map[string]describedSub {
	all := map[string]describedSub{}
	for _, s := range subs {
		d := describedSub{
			SourceTopics: s.SourceTopics, SinkTopics: s.SinkTopics,
			RepartitionSources: map[string]map[string]string{}, ChangelogTopics: map[string]map[string]string{},
		}
		for name, r := range s.Repartitions {
			d.RepartitionSources[name] = maps.Clone(r.Configs)
		}
		for name, c := range s.Changelogs {
			d.ChangelogTopics[name] = maps.Clone(c.Configs)
		}
		all[string(rune('0'+s.ID))] = d
	}
	return all
}

func TestTasksOfWordCount(t *testing.T) {
	b := dsl.NewStreamsBuilder()
	b.Stream("input").FlatMapValues(words).GroupBy(dsl.Expr("value")).Count(dsl.Materialized{Name: "counts"}).ToStream().To("output")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := topology.PlanPartitions(topo.Subtopologies("app"), map[string]int{"input": 2})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"input": 2, "app-counts-repartition": 2, "app-counts-changelog": 2}
	if diff := cmp.Diff(want, plan.Partitions); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	if got := len(plan.Tasks); got != 4 || !slices.IsSortedFunc(plan.Tasks, func(a, b topology.TaskID) int {
		if a.Less(b) {
			return -1
		}
		return 1
	}) {
		t.Errorf("tasks = %v", plan.Tasks)
	}
}

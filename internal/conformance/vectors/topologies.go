package vectors

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// fn stands for user functions: what they do is not described.
var fn = dsl.Native(func(_, out []topology.Record) ([]topology.Record, error) { return out, nil })

// topologies by the ids of their vectors, which describe them in words.
func topologies() map[string]func(*dsl.StreamsBuilder) {
	window := dsl.JoinWindowsOfTimeDifferenceWithNoGrace(10 * time.Millisecond)
	return map[string]func(*dsl.StreamsBuilder){
		"topology-wordcount-named": func(b *dsl.StreamsBuilder) {
			b.Stream("input").FlatMapValues(fn).GroupBy(fn).Count(dsl.Materialized{Name: "counts"}).ToStream().To("output")
		},
		"topology-wordcount-lab": func(b *dsl.StreamsBuilder) {
			b.Stream("streams-plaintext-input").FlatMapValues(fn).GroupBy(fn).Count().ToStream().To("streams-wordcount-output")
		},
		"topology-split-merge": func(b *dsl.StreamsBuilder) {
			branches := b.Stream("input").Split("b-").Branch(fn).Branch(fn, dsl.Branched{Name: "two"}).DefaultBranch()
			branches["b-1"].Merge(branches["b-0"]).To("output")
		},
		"topology-ss-leftjoin": func(b *dsl.StreamsBuilder) {
			w := dsl.JoinWindowsOfTimeDifferenceAndGrace(10*time.Millisecond, 5*time.Millisecond)
			b.Stream("left").LeftJoin(b.Stream("right"), fn, w).To("output")
		},
		"topology-ss-join-rekeyed-named": func(b *dsl.StreamsBuilder) {
			left := b.Stream("left").SelectKey(fn)
			left.Join(b.Stream("right").SelectKey(fn), fn, window, dsl.StreamJoined{Name: "j", StoreName: "s"}).To("output")
		},
		"topology-table": func(b *dsl.StreamsBuilder) { b.Table("input").ToStream().To("output") },
		"topology-table-groupby": func(b *dsl.StreamsBuilder) {
			b.Table("input").GroupBy(fn).Count().ToStream().To("output")
		},
		"topology-tt-join": func(b *dsl.StreamsBuilder) {
			b.Table("a").Join(b.Table("b"), fn).ToStream().To("output")
		},
		"topology-fk-leftjoin-named": func(b *dsl.StreamsBuilder) {
			left, right := b.Table("left"), b.Table("right")
			left.LeftJoinForeignKey(right, fn, fn, dsl.TableJoined{Name: "fkj"}, dsl.Materialized{Name: "res"}).ToStream().To("output")
		},
	}
}

func describedTopology(v vector) (any, error) {
	build := topologies()[v.ID]
	if build == nil {
		return nil, fmt.Errorf("the topology %s is not known", v.ID)
	}
	b := dsl.NewStreamsBuilder()
	build(b)
	t, err := b.Build()
	if err != nil {
		return nil, err
	}
	subs := t.Subtopologies("app")
	return pick(v, map[string]any{
		"describe": t.Describe(), "copartition_groups": copartitionGroups(subs), "subtopologies": describeSubs(subs),
	})
}

func copartitionGroups(subs []*topology.Subtopology) [][]string {
	groups := [][]string{}
	for _, s := range subs {
		groups = append(groups, s.CopartitionGroups...)
	}
	slices.SortFunc(groups, slices.Compare)
	return groups
}

type described struct {
	SourceTopics      []string                     `json:"source_topics"`
	SinkTopics        []string                     `json:"sink_topics"`
	RepartitionTopics map[string]map[string]string `json:"repartition_source_topics"`
	ChangelogTopics   map[string]map[string]string `json:"changelog_topics"`
}

func describeSubs(subs []*topology.Subtopology) map[string]described {
	all := map[string]described{}
	for _, s := range subs {
		all[strconv.Itoa(s.ID)] = described{
			SourceTopics: append([]string{}, s.SourceTopics...), SinkTopics: append([]string{}, s.SinkTopics...),
			RepartitionTopics: configs(s.Repartitions), ChangelogTopics: configs(s.Changelogs),
		}
	}
	return all
}

func configs(topics map[string]topology.InternalTopic) map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, topic := range topics {
		all[name] = maps.Clone(topic.Configs)
	}
	return all
}

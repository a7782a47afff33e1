package streamscases

import (
	"fmt"
	"strings"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// prefix is the part of a value before sep.
func prefix(value []byte, sep string) []byte {
	before, _, _ := strings.Cut(string(value), sep)
	return []byte(before)
}

// groupKey groups rows by the part of the value before ':'.
func (s *spec) groupKey() dsl.Fn { return byPrefix(s.sentence("group_key", groupKeySentence, ":")[0]) }

func byPrefix(sep string) dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Key = prefix(r.Value, sep)
		return nil
	}).Out(topology.String, topology.String)
}

// stored is a Materialized with a name if wanted says so.
func (s *spec) stored(wanted, name string) []dsl.Materialized {
	if s.flag(wanted) {
		return []dsl.Materialized{{Name: name}}
	}
	return nil
}

// tableOptions is stored for Table.
func tableOptions(list []dsl.Materialized) []dsl.TableOption {
	var options []dsl.TableOption
	for _, m := range list {
		options = append(options, m)
	}
	return options
}

func tableTableJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	left, right := b.Table(s.text("left_topic")), b.Table(s.text("right_topic"))
	joinTables(s.joinKind("inner", "left", "outer"), left, right, s.joiner(), s.stored("result_materialised", "result")).ToStream().To(outputTopic)
	return stringsOut()
}

func joinTables(kind string, left, right *dsl.KTable, joiner dsl.Fn, m []dsl.Materialized) *dsl.KTable {
	switch kind {
	case "left":
		return left.LeftJoin(right, joiner, m...)
	case "outer":
		return left.OuterJoin(right, joiner, m...)
	}
	return left.Join(right, joiner, m...)
}

func tableGroupByAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	words := s.sentence("aggregate", tableSentence, "", "+", "-")
	b.Table(s.text("topic")).GroupBy(s.groupKey()).
		Aggregate(always(words[0]), appending(words[1]), appending(words[2])).ToStream().To(outputTopic)
	return stringsOut()
}

func tableFilterGroupByCount(b *dsl.StreamsBuilder, s *spec) rendering {
	s.choice("aggregate", "count", "count", "")
	b.Table(s.text("topic")).Filter(s.condition(), s.stored("filter_result_materialised", "filtered")...).
		GroupBy(s.groupKey()).Count().ToStream().To(outputTopic)
	return rendering{key: plainKey, value: topology.Long}
}

// countGroupByCount counts how many keys have come so often.
func countGroupByCount(b *dsl.StreamsBuilder, s *spec) rendering {
	byCount := dsl.NativeMapper(func(r *topology.Record) (err error) {
		r.Key, err = topology.AppendText(nil, topology.Long, r.Value)
		return err
	}).Out(topology.String, topology.Long)
	b.Stream(s.text("topic")).GroupByKey().Count().GroupBy(byCount).Count().ToStream().To(outputTopic)
	return rendering{key: plainKey, value: topology.Long}
}

func tableFilterToStream(b *dsl.StreamsBuilder, s *spec) rendering {
	b.Table(s.text("topic"), tableOptions(s.stored("source_materialised", "source"))...).
		Filter(s.condition(), s.stored("filter_result_materialised", "filtered")...).ToStream().To(outputTopic)
	return stringsOut()
}

func streamToTableJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	from, to := s.text("left_topic"), s.text("right_topic")
	words := s.sentence("topology", toTableSentence, from, "left", to)
	if words[0] != from || words[2] != to {
		s.faults = append(s.faults, fmt.Errorf("the key %q joins other topics than %s and %s", "topology", from, to))
	}
	left, right := b.Stream(from).ToTable(), b.Stream(to).ToTable()
	joinTables(words[1], left, right, s.joiner(), nil).ToStream().To(outputTopic)
	return stringsOut()
}

func tableTableJoinGroupBy(b *dsl.StreamsBuilder, s *spec) rendering {
	words := s.sentence("topology", regroupSentence, "inner", "+", ":", "+", "-", "")
	left, right := b.Table(s.text("left_topic")), b.Table(s.text("right_topic"))
	joinTables(words[0], left, right, joinBy(words[1]), nil).
		GroupBy(byPrefix(words[2])).Aggregate(always(words[5]), appending(words[3]), appending(words[4])).ToStream().To(outputTopic)
	return stringsOut()
}

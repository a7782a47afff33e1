package streamscases

import (
	"strings"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// prefix is the part of a value before ':'.
func prefix(value []byte) []byte {
	before, _, _ := strings.Cut(string(value), ":")
	return []byte(before)
}

// byPrefix groups rows by the part of the value before ':'.
func byPrefix() dsl.Fn {
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Key = prefix(r.Value)
		return nil
	}).Out(topology.String, topology.String)
}

// notEndingInZero is the condition of the filters.
func notEndingInZero() dsl.Fn {
	return dsl.NativePredicate(func(r *topology.Record) bool { return !strings.HasSuffix(string(r.Value), "0") })
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
	s.prose("joiner")
	joinTables(s.joinKind("inner", "left", "outer"), left, right, s.stored("result_materialised", "result")).ToStream().To(outputTopic)
	return stringsOut()
}

func joinTables(kind string, left, right *dsl.KTable, m []dsl.Materialized) *dsl.KTable {
	switch kind {
	case "left":
		return left.LeftJoin(right, joinByPlus(), m...)
	case "outer":
		return left.OuterJoin(right, joinByPlus(), m...)
	}
	return left.Join(right, joinByPlus(), m...)
}

func tableGroupByAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("group_key", "aggregate")
	b.Table(s.text("topic")).GroupBy(byPrefix()).
		Aggregate(empty(), appending("+"), appending("-")).ToStream().To(outputTopic)
	return stringsOut()
}

func tableFilterGroupByCount(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("filter", "group_key", "aggregate")
	b.Table(s.text("topic")).Filter(notEndingInZero(), s.stored("filter_result_materialised", "filtered")...).
		GroupBy(byPrefix()).Count().ToStream().To(outputTopic)
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
	s.prose("filter")
	b.Table(s.text("topic"), tableOptions(s.stored("source_materialised", "source"))...).
		Filter(notEndingInZero(), s.stored("filter_result_materialised", "filtered")...).ToStream().To(outputTopic)
	return stringsOut()
}

func streamToTableJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("joiner", "topology")
	left, right := b.Stream(s.text("left_topic")).ToTable(), b.Stream(s.text("right_topic")).ToTable()
	left.LeftJoin(right, joinByPlus()).ToStream().To(outputTopic)
	return stringsOut()
}

func tableTableJoinGroupBy(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("topology")
	b.Table(s.text("left_topic")).Join(b.Table(s.text("right_topic")), joinByPlus()).
		GroupBy(byPrefix()).Aggregate(empty(), appending("+"), appending("-")).ToStream().To(outputTopic)
	return stringsOut()
}

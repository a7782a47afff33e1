package streamscases

import (
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

func streamTableJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	stream, table := b.Stream(s.text("stream_topic")), b.Table(s.text("table_topic"))
	return joinTable(s, stream, table, dsl.Joined{})
}

// streamTableJoinVersioned finds the version of the time of each record, which may wait for late ones.
func streamTableJoinVersioned(b *dsl.StreamsBuilder, s *spec) rendering {
	var how dsl.Joined
	if s.has("grace_ms") {
		grace := s.millis("grace_ms")
		how.Grace = &grace
	}
	stream := b.Stream(s.text("stream_topic"))
	table := b.Table(s.text("table_topic"), dsl.Materialized{
		Name: "versions", Versioned: true, HistoryRetention: s.millis("history_retention_ms"),
	})
	return joinTable(s, stream, table, how)
}

func joinTable(s *spec, stream *dsl.KStream, table *dsl.KTable, how dsl.Joined) rendering {
	if s.joinKind("inner", "left") == "left" {
		stream.LeftJoinTable(table, s.joiner(), how).To(outputTopic)
	} else {
		stream.JoinTable(table, s.joiner(), how).To(outputTopic)
	}
	return stringsOut()
}

// keyMapper is the part of a value before ':' as a key, null for a null value.
func (s *spec) keyMapper() dsl.Fn {
	sep := s.sentence("key_mapper", keyMapperSentence, ":")[0]
	return dsl.NativeMapper(func(r *topology.Record) error {
		r.Key = nil
		if r.Value != nil {
			r.Key = prefix(r.Value, sep)
		}
		return nil
	}).Out(topology.String, nil)
}

func streamGlobalTableJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	stream, table := b.Stream(s.text("stream_topic")), b.GlobalTable(s.text("global_table_topic"))
	if s.joinKind("inner", "left") == "left" {
		stream.LeftJoinGlobalTable(table, s.keyMapper(), s.joiner()).To(outputTopic)
	} else {
		stream.JoinGlobalTable(table, s.keyMapper(), s.joiner()).To(outputTopic)
	}
	return stringsOut()
}

// foreignKey is the part of a left value before ':'; 'n' means null.
func (s *spec) foreignKey() dsl.Fn {
	words := s.sentence("foreign_key", foreignSentence, ":", "n")
	return dsl.NativeMapper(func(r *topology.Record) error {
		if r.Key = prefix(r.Value, words[0]); string(r.Key) == words[1] {
			r.Key = nil
		}
		return nil
	}).Out(topology.String, nil)
}

func foreignKeyJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	left, right := b.Table(s.text("left_topic")), b.Table(s.text("right_topic"))
	m := s.stored("result_materialised", "result")
	if s.joinKind("inner", "left") == "left" {
		left.LeftJoinForeignKey(right, s.foreignKey(), s.joiner(), dsl.TableJoined{}, m...).ToStream().To(outputTopic)
	} else {
		left.JoinForeignKey(right, s.foreignKey(), s.joiner(), dsl.TableJoined{}, m...).ToStream().To(outputTopic)
	}
	return stringsOut()
}

package streamscases

import (
	"bytes"
	"fmt"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// joinKinds are the values of the key join.
func (s *spec) joinKind(kinds ...string) string { return s.choice("join", "inner", kinds...) }

// joinStreams joins two streams in one of the ways.
func joinStreams(kind string, left, right *dsl.KStream, joiner dsl.Fn, w dsl.JoinWindows) *dsl.KStream {
	switch kind {
	case "left":
		return left.LeftJoin(right, joiner, w)
	case "outer":
		return left.OuterJoin(right, joiner, w)
	}
	return left.Join(right, joiner, w)
}

func streamStreamJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(0, s.grace()).After(s.millis("after_ms")).Before(s.millis("before_ms"))
	left, right := b.Stream(s.text("left_topic")), b.Stream(s.text("right_topic"))
	return joinSides(s, left, right, w)
}

// streamStreamJoinRekeyed gives both sides the part of the value before ':' as key, null for n.
func streamStreamJoinRekeyed(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(0, s.grace()).After(s.millis("after_ms")).Before(s.millis("before_ms"))
	part := dsl.NativeMapper(func(r *topology.Record) error {
		r.Key, _, _ = bytes.Cut(r.Value, []byte(":"))
		if r.Value == nil || string(r.Key) == "n" {
			r.Key = nil
		}
		return nil
	}).Out(topology.String, nil)
	left, right := b.Stream(s.text("left_topic")), b.Stream(s.text("right_topic"))
	left, right = left.SelectKey(part), right.SelectKey(part)
	return joinSides(s, left, right, w)
}

func joinSides(s *spec, left, right *dsl.KStream, w dsl.JoinWindows) rendering {
	joinStreams(s.joinKind("inner", "left", "outer"), left, right, s.joiner(), w).To(outputTopic)
	return stringsOut()
}

func streamSelfJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(s.millis("time_difference_ms"), s.grace())
	stream := b.Stream(s.text("topic"))
	joinStreams(s.joinKind("inner", "left", "outer"), stream, stream, s.joiner(), w).To(outputTopic)
	return stringsOut()
}

func streamStreamJoinOfJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(s.millis("time_difference_ms"), s.grace())
	topics := s.list("topics")
	words := s.sentence("topology", chainSentence, topics[0], "inner", topics[1], "left", topics[1])
	streams := map[string]*dsl.KStream{}
	for _, topic := range topics {
		streams[topic] = b.Stream(topic)
	}
	one, two, three := streams[words[0]], streams[words[2]], streams[words[4]]
	if one == nil || two == nil || three == nil {
		s.faults = append(s.faults, fmt.Errorf("the key %q joins other topics than %v", "topology", topics))
		return stringsOut()
	}
	joiner := s.joiner()
	joinStreams(words[3], joinStreams(words[1], one, two, joiner, w), three, joiner, w).To(outputTopic)
	return stringsOut()
}

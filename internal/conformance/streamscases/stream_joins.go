package streamscases

import (
	"bytes"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// joinKinds are the values of the key join.
func (s *spec) joinKind(kinds ...string) string { return s.choice("join", "inner", kinds...) }

// joinStreams joins two streams in one of the ways.
func joinStreams(kind string, left, right *dsl.KStream, w dsl.JoinWindows) *dsl.KStream {
	switch kind {
	case "left":
		return left.LeftJoin(right, joinByPlus(), w)
	case "outer":
		return left.OuterJoin(right, joinByPlus(), w)
	}
	return left.Join(right, joinByPlus(), w)
}

func streamStreamJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(0, s.millis("grace_ms")).After(s.millis("after_ms")).Before(s.millis("before_ms"))
	left, right := b.Stream(s.text("left_topic")), b.Stream(s.text("right_topic"))
	return joinSides(s, left, right, w)
}

// streamStreamJoinRekeyed gives both sides the part of the value before ':' as key, null for n.
func streamStreamJoinRekeyed(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(0, s.millis("grace_ms")).After(s.millis("after_ms")).Before(s.millis("before_ms"))
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
	s.prose("joiner")
	joinStreams(s.joinKind("inner", "left", "outer"), left, right, w).To(outputTopic)
	return stringsOut()
}

func streamSelfJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(s.millis("time_difference_ms"), s.millis("grace_ms"))
	stream := b.Stream(s.text("topic"))
	s.prose("joiner")
	b.Optimize(s.text("topology.optimization"))
	joinStreams(s.joinKind("inner", "left", "outer"), stream, stream, w).To(outputTopic)
	return stringsOut()
}

func streamStreamJoinOfJoin(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.JoinWindowsOfTimeDifferenceAndGrace(s.millis("time_difference_ms"), s.millis("grace_ms"))
	topics := s.list("topics")
	s.prose("joiner", "topology")
	left, right := b.Stream(topics[0]), b.Stream(topics[1])
	joinStreams("left", joinStreams("inner", left, right, w), right, w).To(outputTopic)
	return stringsOut()
}

package streamscases

import (
	"time"

	"github.com/wasmstream/wasmstream/topology/dsl"
)

// millis takes a number of milliseconds.
func (s *spec) millis(key string) time.Duration {
	return time.Duration(s.number(key)) * time.Millisecond
}

func (s *spec) emit() dsl.EmitStrategy {
	return dsl.EmitStrategy(s.choice("emit", "on-window-update", "on-window-update", "on-window-close"))
}

func timeWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	size := s.millis("size_ms")
	w := dsl.TimeWindowsOfSizeAndGrace(size, s.millis("grace_ms")).AdvanceBy(s.millis("advance_ms"))
	s.prose("aggregate")
	b.Stream(s.text("topic")).GroupByKey().WindowedBy(w).EmitStrategy(s.emit()).
		Aggregate(empty(), appending("|"), dsl.Materialized{Retention: s.millis("store_retention_ms")}).ToStream().To(outputTopic)
	return rendering{key: timeKey(size.Milliseconds()), value: stringsOut().value}
}

func slidingWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	size := s.millis("time_difference_ms")
	w := dsl.SlidingWindowsOfTimeDifferenceAndGrace(size, s.millis("grace_ms"))
	s.prose("aggregate")
	b.Stream(s.text("topic")).GroupByKey().WindowedBy(w).EmitStrategy(s.emit()).
		Aggregate(empty(), appending("|"), dsl.Materialized{Retention: s.millis("store_retention_ms")}).ToStream().To(outputTopic)
	return rendering{key: timeKey(size.Milliseconds()), value: stringsOut().value}
}

func sessionWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	w := dsl.SessionWindowsOfInactivityGapAndGrace(s.millis("inactivity_gap_ms"), s.millis("grace_ms"))
	s.prose("aggregate", "session_merger")
	b.Stream(s.text("topic")).GroupByKey().WindowedBySessions(w).EmitStrategy(s.emit()).
		Aggregate(empty(), appending("|"), between("&"), dsl.Materialized{Retention: s.millis("store_retention_ms")}).ToStream().To(outputTopic)
	return rendering{key: sessionKey, value: stringsOut().value}
}

func streamReduce(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("reduce")
	b.Stream(s.text("topic")).GroupByKey().Reduce(between("|")).ToStream().To(outputTopic)
	return stringsOut()
}

func cogroup(b *dsl.StreamsBuilder, s *spec) rendering {
	topics := s.list("topics")
	s.prose("aggregate")
	marks := []string{"l", "r"}
	grouped := b.Stream(topics[0]).GroupByKey().Cogroup(appending(marks[0]))
	for i, topic := range topics[1:] {
		grouped.Cogroup(b.Stream(topic).GroupByKey(), appending(marks[i+1]))
	}
	grouped.Aggregate(empty()).ToStream().To(outputTopic)
	return stringsOut()
}

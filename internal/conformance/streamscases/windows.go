package streamscases

import (
	"time"

	"github.com/wasmstream/wasmstream/topology"

	"github.com/wasmstream/wasmstream/topology/dsl"
)

// millis takes a number of milliseconds.
func (s *spec) millis(key string) time.Duration {
	return time.Duration(s.number(key)) * time.Millisecond
}

func (s *spec) emit() dsl.EmitStrategy {
	return dsl.EmitStrategy(s.choice("emit", "on-window-update", "on-window-update", "on-window-close"))
}

// fixedWindows are those of a kind that is not sessions, with their length.
func (s *spec) fixedWindows(kind string) (w dsl.Windows, size int64) {
	if kind == "sliding" {
		sliding := dsl.SlidingWindowsOfTimeDifferenceAndGrace(s.millis("time_difference_ms"), s.millis("grace_ms"))
		return sliding, sliding.TimeDifferenceMs
	}
	windows := dsl.TimeWindowsOfSizeAndGrace(s.millis("size_ms"), s.millis("grace_ms")).AdvanceBy(s.millis("advance_ms"))
	return windows, windows.SizeMs
}

func (s *spec) sessionWindows() dsl.SessionWindows {
	return dsl.SessionWindowsOfInactivityGapAndGrace(s.millis("inactivity_gap_ms"), s.millis("grace_ms"))
}

func timeWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	return windowAggregate(b, s, "time")
}

func slidingWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	return windowAggregate(b, s, "sliding")
}

func windowAggregate(b *dsl.StreamsBuilder, s *spec, kind string) rendering {
	w, size := s.fixedWindows(kind)
	s.prose("aggregate")
	b.Stream(s.text("topic")).GroupByKey().WindowedBy(w).EmitStrategy(s.emit()).
		Aggregate(empty(), appending("|"), dsl.Materialized{Retention: s.millis("store_retention_ms")}).ToStream().To(outputTopic)
	return rendering{key: timeKey(size), value: stringsOut().value}
}

func sessionWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("aggregate", "session_merger")
	b.Stream(s.text("topic")).GroupByKey().WindowedBySessions(s.sessionWindows()).EmitStrategy(s.emit()).
		Aggregate(empty(), appending("|"), between("&"), dsl.Materialized{Retention: s.millis("store_retention_ms")}).ToStream().To(outputTopic)
	return rendering{key: sessionKey, value: stringsOut().value}
}

// windowedOperation counts or reduces by any kind of windows.
func windowedOperation(b *dsl.StreamsBuilder, s *spec) rendering {
	kind := s.choice("windows", "time", "time", "sliding", "session")
	counts := s.choice("operation", "count", "count", "reduce") == "count"
	m := dsl.Materialized{Retention: s.millis("store_retention_ms")}
	grouped := b.Stream(s.text("topic")).GroupByKey()
	render := stringsOut()
	if counts {
		render.value = topology.Long
	}
	if kind == "session" {
		render.key = sessionKey
		w := grouped.WindowedBySessions(s.sessionWindows()).EmitStrategy(s.emit())
		if counts {
			w.Count(m).ToStream().To(outputTopic)
		} else {
			w.Reduce(between("|"), m).ToStream().To(outputTopic)
		}
		return render
	}
	windows, size := s.fixedWindows(kind)
	render.key = timeKey(size)
	w := grouped.WindowedBy(windows).EmitStrategy(s.emit())
	if counts {
		w.Count(m).ToStream().To(outputTopic)
	} else {
		w.Reduce(between("|"), m).ToStream().To(outputTopic)
	}
	return render
}

func streamReduce(b *dsl.StreamsBuilder, s *spec) rendering {
	s.prose("reduce")
	b.Stream(s.text("topic")).GroupByKey().Reduce(between("|")).ToStream().To(outputTopic)
	return stringsOut()
}

func cogroup(b *dsl.StreamsBuilder, s *spec) rendering {
	topics := s.list("topics")
	s.prose("aggregate")
	grouped := b.Stream(topics[0]).GroupByKey().Cogroup(appending("l"))
	for _, topic := range topics[1:] {
		grouped.Cogroup(b.Stream(topic).GroupByKey(), appending("r"))
	}
	grouped.Aggregate(empty()).ToStream().To(outputTopic)
	return stringsOut()
}

func cogroupWindowed(b *dsl.StreamsBuilder, s *spec) rendering {
	topics := s.list("topics")
	s.prose("aggregate")
	grouped := b.Stream(topics[0]).GroupByKey().Cogroup(appending("l")).Cogroup(b.Stream(topics[1]).GroupByKey(), appending("r"))
	m := dsl.Materialized{Retention: s.millis("store_retention_ms")}
	kind := s.choice("windows", "time", "time", "sliding", "session")
	if kind == "session" {
		grouped.WindowedBySessions(s.sessionWindows()).Aggregate(empty(), between("&"), m).ToStream().To(outputTopic)
		return rendering{key: sessionKey, value: topology.String}
	}
	w, size := s.fixedWindows(kind)
	grouped.WindowedBy(w).Aggregate(empty(), m).ToStream().To(outputTopic)
	return rendering{key: timeKey(size), value: topology.String}
}

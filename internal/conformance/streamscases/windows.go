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

// millisOr is millis of a key that may be missing.
func (s *spec) millisOr(key string, standard time.Duration) time.Duration {
	if !s.has(key) {
		return standard
	}
	return s.millis(key)
}

// grace is none if it is missing.
func (s *spec) grace() time.Duration { return s.millisOr("grace_ms", 0) }

// kept is the retention of a store, Kafka's own if it is missing.
func (s *spec) kept() dsl.Materialized {
	return dsl.Materialized{Retention: s.millisOr("store_retention_ms", 0)}
}

// timeWindows tumble if no advance is given.
func (s *spec) timeWindows() dsl.TimeWindows {
	size := s.millis("size_ms")
	return dsl.TimeWindowsOfSizeAndGrace(size, s.grace()).AdvanceBy(s.millisOr("advance_ms", size))
}

func (s *spec) emit() dsl.EmitStrategy {
	return dsl.EmitStrategy(s.choice("emit", "on-window-update", "on-window-update", "on-window-close"))
}

// fixedWindows are those of a kind that is not sessions, with their length.
func (s *spec) fixedWindows(kind string) (w dsl.Windows, size int64) {
	if kind == "sliding" {
		sliding := dsl.SlidingWindowsOfTimeDifferenceAndGrace(s.millis("time_difference_ms"), s.grace())
		return sliding, sliding.TimeDifferenceMs
	}
	windows := s.timeWindows()
	return windows, windows.SizeMs
}

func (s *spec) sessionWindows() dsl.SessionWindows {
	return dsl.SessionWindowsOfInactivityGapAndGrace(s.millis("inactivity_gap_ms"), s.grace())
}

func timeWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	return windowAggregate(b, s, "time")
}

func slidingWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	return windowAggregate(b, s, "sliding")
}

func windowAggregate(b *dsl.StreamsBuilder, s *spec, kind string) rendering {
	w, size := s.fixedWindows(kind)
	initializer, aggregator := s.windowAggregator()
	b.Stream(s.text("topic")).GroupByKey().WindowedBy(w).EmitStrategy(s.emit()).
		Aggregate(initializer, aggregator, s.kept()).ToStream().To(outputTopic)
	return rendering{key: timeKey(size), value: stringsOut().value}
}

func sessionWindowAggregate(b *dsl.StreamsBuilder, s *spec) rendering {
	initializer, aggregator := s.windowAggregator()
	b.Stream(s.text("topic")).GroupByKey().WindowedBySessions(s.sessionWindows()).EmitStrategy(s.emit()).
		Aggregate(initializer, aggregator, s.merger(), s.kept()).ToStream().To(outputTopic)
	return rendering{key: sessionKey, value: stringsOut().value}
}

// windowedOperation counts or reduces by any kind of windows.
func windowedOperation(b *dsl.StreamsBuilder, s *spec) rendering {
	kind := s.choice("windows", "time", "time", "sliding", "session")
	counts := s.choice("operation", "count", "count", "reduce") == "count"
	m := s.kept()
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
	b.Stream(s.text("topic")).GroupByKey().Reduce(s.reducer()).ToStream().To(outputTopic)
	return stringsOut()
}

func cogroup(b *dsl.StreamsBuilder, s *spec) rendering {
	topics := s.list("topics")
	initializer, aggregators := s.cogroupAggregators(topics)
	cogrouped(b, topics, aggregators).Aggregate(initializer).ToStream().To(outputTopic)
	return stringsOut()
}

func cogrouped(b *dsl.StreamsBuilder, topics []string, aggregators []dsl.Fn) *dsl.CogroupedKStream {
	all := b.Stream(topics[0]).GroupByKey().Cogroup(aggregators[0])
	for i, topic := range topics[1:] {
		all = all.Cogroup(b.Stream(topic).GroupByKey(), aggregators[i+1])
	}
	return all
}

func cogroupWindowed(b *dsl.StreamsBuilder, s *spec) rendering {
	topics := s.list("topics")
	initializer, aggregators := s.cogroupAggregators(topics)
	grouped := cogrouped(b, topics, aggregators)
	m := s.kept()
	kind := s.choice("windows", "time", "time", "sliding", "session")
	if kind == "session" {
		grouped.WindowedBySessions(s.sessionWindows()).Aggregate(initializer, s.merger(), m).ToStream().To(outputTopic)
		return rendering{key: sessionKey, value: topology.String}
	}
	w, size := s.fixedWindows(kind)
	grouped.WindowedBy(w).Aggregate(initializer, m).ToStream().To(outputTopic)
	return rendering{key: timeKey(size), value: topology.String}
}

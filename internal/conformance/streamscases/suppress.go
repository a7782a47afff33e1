package streamscases

import (
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// bound takes a number of records or bytes, or "unbounded".
func (s *spec) bound(key string) (n int64, bounded bool) {
	if string(s.values[key]) == `"unbounded"` {
		delete(s.values, key)
		return 0, false
	}
	return s.number(key), true
}

// buffer takes the bounds of a buffer and what happens when it is full.
func (s *spec) buffer() dsl.BufferConfig {
	c := dsl.Unbounded()
	for key, with := range map[string]func(dsl.BufferConfig, int64) dsl.BufferConfig{
		"max_records": dsl.BufferConfig.WithMaxRecords, "max_bytes": dsl.BufferConfig.WithMaxBytes,
	} {
		if !s.has(key) {
			continue
		}
		if n, bounded := s.bound(key); bounded {
			c = with(c, n)
		}
	}
	if s.choice("when_full", "shut down", "emit early", "shut down") == "emit early" {
		return c.EmitEarlyWhenFull()
	}
	return c.ShutDownWhenFull()
}

func tableSuppressTimeLimit(b *dsl.StreamsBuilder, s *spec) rendering {
	table := b.Table(s.text("topic"))
	table.Suppress(dsl.UntilTimeLimit(s.millis("suppress_time_limit_ms"), s.buffer())).ToStream().To(outputTopic)
	return stringsOut()
}

func windowCountSuppressFinal(b *dsl.StreamsBuilder, s *spec) rendering {
	w := s.timeWindows()
	s.choice("aggregate", "count", "count")
	s.choice("suppress", "", "until window closes, unbounded")
	b.Stream(s.text("topic")).GroupByKey().WindowedBy(w).Count(s.kept()).
		Suppress(dsl.UntilWindowCloses(dsl.Unbounded())).ToStream().To(outputTopic)
	return rendering{key: timeKey(w.SizeMs), value: topology.Long}
}

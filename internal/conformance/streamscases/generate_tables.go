package streamscases

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// topicsOf are those that a spec names.
func topicsOf(spec map[string]any) []string {
	var topics []string
	for _, key := range []string{"topic", "left_topic", "right_topic", "stream_topic", "table_topic", "global_table_topic"} {
		if topic, ok := spec[key].(string); ok {
			topics = append(topics, topic)
		}
	}
	return topics
}

// fixed has no parameters.
func fixed(spec map[string]any) generator {
	return func(*rand.Rand) (map[string]any, []string) { return spec, topicsOf(spec) }
}

func randomTableJoin(r *rand.Rand) (map[string]any, []string) {
	spec := map[string]any{"stream_topic": "left", "table_topic": "right", "joiner": "stream '+' table", "join": choose(r, "inner", "left")}
	return spec, topicsOf(spec)
}

func randomVersionedJoin(r *rand.Rand) (map[string]any, []string) {
	history := r.IntN(60)
	spec := map[string]any{
		"stream_topic": "left", "table_topic": "right", "join": choose(r, "inner", "left"), "history_retention_ms": history,
	}
	if r.IntN(2) == 0 {
		spec["grace_ms"] = r.IntN(history + 1)
	}
	return spec, topicsOf(spec)
}

func randomGlobalJoin(r *rand.Rand) (map[string]any, []string) {
	spec := map[string]any{
		"stream_topic": "left", "global_table_topic": "right", "join": choose(r, "inner", "left"), "joiner": "stream '+' table",
		"key_mapper": "the stream value's part before ':' (null for a null value)",
	}
	return spec, topicsOf(spec)
}

func randomRowJoin(kinds ...string) generator {
	return func(r *rand.Rand) (map[string]any, []string) {
		spec := map[string]any{
			"left_topic": "left", "right_topic": "right", "join": choose(r, kinds...), "result_materialised": r.IntN(2) == 0,
			"joiner": "left '+' right, a missing side prints null",
		}
		return spec, topicsOf(spec)
	}
}

func randomForeignKeyJoin(r *rand.Rand) (map[string]any, []string) {
	spec, topics := randomRowJoin("inner", "left")(r)
	spec["foreign_key"] = "the left value's part before ':'; 'n' means a null foreign key"
	return spec, topics
}

func randomFilter(more map[string]any) generator {
	return func(r *rand.Rand) (map[string]any, []string) {
		spec := maps.Clone(more)
		for _, key := range slices.Sorted(maps.Keys(spec)) {
			if spec[key] == nil {
				spec[key] = r.IntN(2) == 0
			}
		}
		spec["topic"], spec["filter"], spec["filter_result_materialised"] = "left", "value does not end with '0'", r.IntN(2) == 0
		return spec, topicsOf(spec)
	}
}

// randomSuppress bounds by records, by bytes, by both or not.
func randomSuppress(r *rand.Rand) (map[string]any, []string) {
	spec := map[string]any{"topic": "left", "suppress_time_limit_ms": r.IntN(16), "when_full": "emit early"}
	spec["max_records"] = choose[any](r, "unbounded", "unbounded", 1, 2, 3)
	if r.IntN(2) == 0 {
		spec["max_bytes"] = 1 + r.IntN(400)
	}
	return spec, topicsOf(spec)
}

func randomFinals(r *rand.Rand) (map[string]any, []string) {
	size := 1 + r.IntN(12)
	spec := map[string]any{
		"topic": "left", "size_ms": size, "advance_ms": choose(r, size, 1+r.IntN(size)), "grace_ms": choose(r, 0, 3, 10),
		"aggregate": "count", "suppress": "until window closes, unbounded", "store_retention_ms": ampleRetention,
	}
	return spec, topicsOf(spec)
}

func randomBranches(r *rand.Rand) (map[string]any, []string) {
	letters := []string{"a", "b", "c", "n"}
	r.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
	spec := map[string]any{
		"topic": "left", "branches": letters[:1+r.IntN(3)], "default": r.IntN(2) == 0, "merge": choose(r, "forward", "backward"),
		"direct": r.IntN(3) == 0,
	}
	return spec, topicsOf(spec)
}

func randomPunctuation(r *rand.Rand) (map[string]any, []string) {
	spec := map[string]any{"topic": "left", "interval_ms": 1 + r.IntN(20), "type": choose(r, "stream-time", "wall-clock-time")}
	return spec, []string{"left", "left", wallClock}
}

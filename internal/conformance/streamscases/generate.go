package streamscases

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes random parameters of a family, and says which topics are piped to.
type generator func(r *rand.Rand) (spec map[string]any, topics []string)

type generatedFamily struct {
	family string
	make   generator
}

// generated are the families that Generate knows, in the order in which it takes them.
var generated = []generatedFamily{
	{"time-window-aggregate", randomWindows("time", true)},
	{"sliding-window-aggregate", randomWindows("sliding", true)},
	{"session-window-aggregate", randomWindows("session", true)},
	{"windowed-operation", randomOperation},
	{"stream-reduce", func(*rand.Rand) (map[string]any, []string) {
		return map[string]any{"topic": "left", "reduce": "agg + '|' + value"}, []string{"left"}
	}},
	{"cogroup", randomCogroup},
	{"cogroup-windowed", randomCogroupWindowed},
	{"stream-stream-join", randomStreamJoin},
	{"stream-stream-join-rekeyed", randomStreamJoin},
	{"stream-self-join", randomSelfJoin},
	{"stream-stream-join-of-join", randomJoinOfJoin},
	{"stream-table-join", randomTableJoin},
	{"stream-table-join-versioned", randomVersionedJoin},
	{"stream-globaltable-join", randomGlobalJoin},
	{"stream-totable-join", func(r *rand.Rand) (map[string]any, []string) {
		return map[string]any{
			"left_topic": "left", "right_topic": "right", "joiner": "left '+' right",
			"topology": "left.toTable() " + choose(r, "left", "inner", "outer") + "Join right.toTable(); null value deletes",
		}, []string{"left", "right"}
	}},
	{"table-table-join", randomRowJoin("inner", "left", "outer")},
	{"foreign-key-join", randomForeignKeyJoin},
	{"table-table-join-groupby", func(r *rand.Rand) (map[string]any, []string) {
		return map[string]any{
			"left_topic": "left", "right_topic": "right", "topology": choose(r, "inner", "left", "outer") + " join (joiner left '+' right), " +
				"then groupBy(result's part before ':'), aggregate adder agg '+' value, subtractor agg '-' value, initial ''",
		}, []string{"left", "right"}
	}},
	{"table-groupby-aggregate", fixed(map[string]any{
		"topic": "left", "group_key": "the value's part before ':'",
		"aggregate": "initial '' ; adder agg + '+' + value ; subtractor agg + '-' + value",
	})},
	{"table-filter-groupby-count", randomFilter(map[string]any{"group_key": "the value's part before ':'", "aggregate": "count"})},
	{"table-filter-tostream", randomFilter(map[string]any{"source_materialised": nil})},
	{"table-suppress-time-limit", randomSuppress},
	{"window-count-suppress-final", randomFinals},
	{"count-groupby-count", fixed(map[string]any{"topic": "left"})},
	{"branches", randomBranches},
	{"punctuate", randomPunctuation},
	{"plan", randomPlan},
}

// Generate writes n cases without results, one a line, of one family or, if that is "", of all in turns. The same seed
// gives the same cases.
func Generate(w io.Writer, seed uint64, n int, family string) error {
	r := rand.New(rand.NewPCG(seed, 0))
	encode := json.NewEncoder(w)
	from := generated
	if family != "" {
		at := slices.IndexFunc(generated, func(g generatedFamily) bool { return g.family == family })
		if at < 0 {
			return fmt.Errorf("no random cases of the family %q", family)
		}
		from = generated[at : at+1]
	}
	for i := range n {
		g := from[i%len(from)]
		spec, topics := g.make(r)
		spec = maps.Clone(spec)
		if r.IntN(5) == 0 {
			spec["statestore.cache.max.bytes"] = 1 << 20
			if spec["store_retention_ms"] != nil && spec["size_ms"] == nil {
				spec["store_retention_ms"] = ampleRetention // sessions and sliding windows find in a cache what the store has no more
			}
		}
		if r.IntN(8) == 0 && spec["topology.optimization"] == nil {
			spec["topology.optimization"] = choose(r, "all", "reuse.ktable.source.topics", "merge.repartition.topics")
		}
		raw, err := json.Marshal(spec)
		if err != nil {
			return err
		}
		c := testCase{
			ID: fmt.Sprintf("seed-%d-%s-%d", seed, g.family, i), Topology: g.family, Spec: raw,
			Inputs: randomInputs(r, topics, marksOf(spec)), Expected: []output{},
		}
		if failsWithoutKey(spec) {
			for i := range c.Inputs {
				c.Inputs[i].Key = cmp.Or(c.Inputs[i].Key, new("a"))
			}
		}
		if err := encode.Encode(&c); err != nil {
			return fmt.Errorf("writing case %d: %w", i, err)
		}
	}
	return nil
}

// failsWithoutKey tells whether Kafka Streams 4.3.1 fails at a record without key: its left joins with a grace period do.
func failsWithoutKey(spec map[string]any) bool {
	return spec["history_retention_ms"] != nil && spec["grace_ms"] != nil && spec["join"] == "left"
}

// marksOf are the lengths of a spec, and sums of two of them: what happens at the edges is told from before and after.
func marksOf(spec map[string]any) []int64 {
	var lengths []int64
	for _, key := range slices.Sorted(maps.Keys(spec)) {
		if n, ok := spec[key].(int); ok && strings.HasSuffix(key, "_ms") && n < ampleRetention {
			lengths = append(lengths, int64(n))
		}
	}
	marks := slices.Clone(lengths)
	for i := range lengths {
		for j := range i {
			marks = append(marks, lengths[i]+lengths[j])
		}
	}
	return marks
}

// randomInputs are records of few keys whose time goes on with steps back, ties, now and then a jump, and steps by the
// marks, or one more or less. Some begin today, and have texts that are empty, long or not of ASCII.
func randomInputs(r *rand.Rand, topics []string, marks []int64) []input {
	now := int64(r.IntN(20))
	keys, values := []string{"a", "b", "c"}, []string{"a", "b", "c", "n"}
	if odd := r.IntN(4) == 0; odd {
		now += choose[int64](r, 0, 1_764_000_000_000)
		keys, values = []string{"", "a", "ab", "ключ"}, []string{"", "a", "ab", "ä", "n", strings.Repeat("long", 40)}
	}
	mark := func() int64 {
		if len(marks) == 0 {
			return int64(r.IntN(25))
		}
		return max(0, choose(r, marks...)+int64(r.IntN(3)-1))
	}
	rare := 10
	if r.IntN(5) == 0 {
		keys, rare = keys[:1+r.IntN(2)], choose(r, 2, 3, 1000)
	}
	still := choose(r, 12, 12, 12, 2, 40) // few steps in time, or many
	inputs := make([]input, 5+r.IntN(30))
	for i := range inputs {
		switch r.IntN(still) {
		case 0:
			now += int64(r.IntN(60))
		case 1:
			now += mark()
		case 2, 3:
		default:
			if still == 40 && r.IntN(4) > 0 {
				break
			}
			now += int64(r.IntN(6))
		}
		at := now
		switch r.IntN(6) {
		case 0:
			at = max(0, now-int64(r.IntN(25)))
		case 1:
			at = max(0, now-mark())
		}
		inputs[i] = input{Topic: topics[r.IntN(len(topics))], Key: pick(r, 10, keys...), Timestamp: at}
		if v := pick(r, rare, values...); v != nil {
			value := fmt.Sprintf("%s:%d", *v, i)
			if r.IntN(20) == 0 {
				value = *v
			}
			inputs[i].Value = &value
		}
	}
	return inputs
}

// pick is one of the texts, or none: one time of rare.
func pick(r *rand.Rand, rare int, texts ...string) *string {
	if r.IntN(rare) == 0 {
		return nil
	}
	return &texts[r.IntN(len(texts))]
}

func choose[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// ampleRetention is far longer than any window: what is emitted when windows close depends on the store otherwise.
const ampleRetention = 3600000

// randomWindows are the windows of an aggregation; one of its own has the keys of the recorded cases.
func randomWindows(kind string, own bool) generator {
	return func(r *rand.Rand) (map[string]any, []string) {
		grace := choose(r, 0, 0, 3, 5, 20)
		spec := map[string]any{"grace_ms": grace}
		least := grace
		switch kind {
		case "time":
			size := 1 + r.IntN(20)
			spec["size_ms"], spec["advance_ms"] = size, choose(r, size, 1+r.IntN(size))
			if r.IntN(8) == 0 {
				size = choose(r, 1000, 60000, 86400)
				spec["size_ms"], spec["advance_ms"] = size, choose(r, size, size/2, size/5)
			}
			least += size
		case "sliding":
			difference := 1 + r.IntN(15) // Kafka fails at 0
			spec["time_difference_ms"] = difference
			least += 2 * difference
		default:
			gap := 1 + r.IntN(11)
			spec["inactivity_gap_ms"] = gap
			least += gap
		}
		spec["store_retention_ms"] = choose(r, ampleRetention, ampleRetention, least)
		if !own {
			return spec, []string{"left"}
		}
		spec["topic"], spec["aggregate"] = "left", "initial '' then agg + '|' + value"
		randomEmit(r, spec)
		if kind == "session" {
			spec["session_merger"] = "agg1 + '&' + agg2"
		}
		if kind != "time" {
			spec["order_within_one_input"] = "set"
		}
		return spec, []string{"left"}
	}
}

func randomEmit(r *rand.Rand, spec map[string]any) {
	spec["emit"] = choose(r, "on-window-update", "on-window-close")
	if spec["emit"] == "on-window-close" {
		spec["store_retention_ms"] = ampleRetention
	}
}

func randomOperation(r *rand.Rand) (map[string]any, []string) {
	kind := choose(r, "time", "sliding", "session")
	spec, topics := randomWindows(kind, false)(r)
	spec["topic"], spec["windows"], spec["operation"] = "left", kind, choose(r, "count", "reduce")
	randomEmit(r, spec)
	if kind != "time" {
		spec["order_within_one_input"] = "set"
	}
	return spec, topics
}

func randomCogroup(*rand.Rand) (map[string]any, []string) {
	return map[string]any{
		"topics": "left,right", "aggregate": "initial '' ; left: agg + 'l' + value ; right: agg + 'r' + value",
	}, []string{"left", "right"}
}

func randomCogroupWindowed(r *rand.Rand) (map[string]any, []string) {
	kind := choose(r, "time", "sliding", "session")
	spec, _ := randomWindows(kind, false)(r)
	cogrouped, topics := randomCogroup(r)
	for key, value := range cogrouped {
		spec[key] = value
	}
	spec["windows"] = kind
	if kind == "sliding" {
		spec["order_within_one_input"] = "set"
	}
	return spec, topics
}

func randomStreamJoin(r *rand.Rand) (map[string]any, []string) {
	before := r.IntN(12)
	after := choose(r, r.IntN(12), -r.IntN(before+1))
	if r.IntN(4) == 0 {
		before, after = after, before
	}
	return map[string]any{
		"left_topic": "left", "right_topic": "right", "join": choose(r, "inner", "left", "outer"),
		"before_ms": before, "after_ms": after, "grace_ms": choose(r, 0, 0, 2, 5, 15),
		"joiner": "left '+' right, a missing side prints null",
	}, []string{"left", "right"}
}

func randomSelfJoin(r *rand.Rand) (map[string]any, []string) {
	return map[string]any{
		"topic": "left", "join": choose(r, "inner", "inner", "left", "outer"), "time_difference_ms": r.IntN(12), "grace_ms": choose(r, 0, 3, 10),
		"topology.optimization": choose(r, "none", "all", "single.store.self.join"), "joiner": "left '+' right",
	}, []string{"left"}
}

func randomJoinOfJoin(r *rand.Rand) (map[string]any, []string) {
	return map[string]any{
		"topics":             "left,right",
		"topology":           "(left " + choose(r, "inner", "left", "outer") + "Join right) " + choose(r, "inner", "left", "outer") + "Join " + choose(r, "left", "right") + ", same window",
		"time_difference_ms": r.IntN(12), "grace_ms": r.IntN(6), "joiner": "left '+' right, a missing side prints null",
	}, []string{"left", "right"}
}

package tck

import (
	"fmt"

	"github.com/wasmstream/wasmstream/abi"
)

// rule is what a kind of component may answer to one input record.
type rule struct {
	clause   string
	min, max int   // records; max -1 is any number
	keep     uint8 // flags that each answer has
	free     bool  // dest and records without an index are allowed
}

const (
	keepAround = abi.KeepHeaders | abi.KeepTimestamp
	many       = -1
)

var rules = map[abi.Kind]rule{
	abi.Filter:        {"KIND-1", 0, 1, abi.KeepAll, false},
	abi.Map:           {"KIND-2", 1, 1, keepAround, false},
	abi.MapValues:     {"KIND-3", 1, 1, keepAround | abi.KeepKey, false},
	abi.FlatMap:       {"KIND-4", 0, many, keepAround, false},
	abi.FlatMapValues: {"KIND-5", 0, many, keepAround | abi.KeepKey, false},
	abi.SelectKey:     {"KIND-6", 1, 1, keepAround | abi.KeepValue, false},
	abi.Foreach:       {"KIND-7", 0, 0, 0, false},
	abi.Process:       {"KIND-8", 0, many, 0, true},
	abi.ProcessValues: {"KIND-9", 0, many, abi.KeepKey, true},

	abi.Initializer: {"KIND-10", 1, 1, keepAround, false},
	abi.Aggregator:  {"KIND-11", 1, 1, keepAround | abi.KeepKey, false},
	abi.Reducer:     {"KIND-12", 1, 1, keepAround | abi.KeepKey, false},
	abi.Merger:      {"KIND-13", 1, 1, keepAround | abi.KeepKey, false},
	abi.Joiner:      {"KIND-14", 1, 1, keepAround | abi.KeepKey, false},

	abi.TimestampExtractor: {"KIND-15", 1, 1, abi.KeepKey | abi.KeepValue | abi.KeepHeaders, false},
	abi.TopicNameExtractor: {"KIND-16", 1, 1, keepAround | abi.KeepKey, false},
	abi.Partitioner:        {"KIND-17", 0, many, abi.KeepAll, false},
	abi.Serializer:         {"KIND-18", 1, 1, keepAround | abi.KeepKey, false},
	abi.Deserializer:       {"KIND-18", 1, 1, keepAround | abi.KeepKey, false},
}

// holdKind holds the answers to the corpus against the component's kind.
func (c *component) holdKind(outputs []output) {
	r := rules[c.Kind]
	problem := r.problem(outputs, len(c.input))
	if problem == "" && c.Kind == abi.Partitioner {
		problem = partitionProblem(outputs)
	}
	c.report.hold(r.clause, c.Name, problem)
}

// partitionProblem finds an answer of a partitioner that names no partition of the kit's topic.
func partitionProblem(outputs []output) string {
	for i := range outputs {
		if o := &outputs[i]; o.kind == abi.KindRecord && (o.partition < -1 || o.partition >= partitions) {
			return fmt.Sprintf("the answer to input %d has partition %d of %d", o.index, o.partition, partitions)
		}
	}
	return ""
}

func (r *rule) problem(outputs []output, inputs int) string {
	counts, failed := make([]int, inputs), make([]bool, inputs)
	for i := range outputs {
		o := &outputs[i]
		if o.index == abi.NoIndex {
			if !r.free {
				return "a record without an index"
			}
			continue
		}
		if o.kind == abi.KindError {
			failed[o.index] = true
			continue
		}
		counts[o.index]++
		if o.flags&r.keep != r.keep {
			return fmt.Sprintf("the answer to input %d has the KEEP flags %#x, it needs %#x", o.index, o.flags, r.keep)
		}
		if o.dest != abi.AllChildren && !r.free {
			return fmt.Sprintf("the answer to input %d has a dest", o.index)
		}
	}
	for i, n := range counts {
		if failed[i] && n <= max(r.max, 0) || failed[i] && r.max == many {
			continue
		}
		if n < r.min || r.max != many && n > r.max {
			return fmt.Sprintf("%d answers to input %d", n, i)
		}
	}
	return ""
}

package streamscases

import (
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// family builds a topology that writes to outputTopic from the parameters in s, and says how its outputs are shown.
type family func(b *dsl.StreamsBuilder, s *spec) rendering

// families by name.
func families() map[string]family {
	return map[string]family{
		"branches":                    branches,
		"cogroup":                     cogroup,
		"cogroup-windowed":            cogroupWindowed,
		"count-groupby-count":         countGroupByCount,
		"foreign-key-join":            foreignKeyJoin,
		"plan":                        plan,
		"punctuate":                   punctuate,
		"session-window-aggregate":    sessionWindowAggregate,
		"sliding-window-aggregate":    slidingWindowAggregate,
		"stream-globaltable-join":     streamGlobalTableJoin,
		"stream-reduce":               streamReduce,
		"stream-self-join":            streamSelfJoin,
		"stream-stream-join":          streamStreamJoin,
		"stream-stream-join-of-join":  streamStreamJoinOfJoin,
		"stream-stream-join-rekeyed":  streamStreamJoinRekeyed,
		"stream-table-join":           streamTableJoin,
		"stream-table-join-versioned": streamTableJoinVersioned,
		"stream-totable-join":         streamToTableJoin,
		"table-filter-groupby-count":  tableFilterGroupByCount,
		"table-filter-tostream":       tableFilterToStream,
		"table-groupby-aggregate":     tableGroupByAggregate,
		"table-suppress-time-limit":   tableSuppressTimeLimit,
		"table-table-join":            tableTableJoin,
		"table-table-join-groupby":    tableTableJoinGroupBy,
		"time-window-aggregate":       timeWindowAggregate,
		"window-count-suppress-final": windowCountSuppressFinal,
		"windowed-operation":          windowedOperation,
	}
}

// strings shows keys and values as they are.
func stringsOut() rendering { return rendering{key: plainKey, value: topology.String} }

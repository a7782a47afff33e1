package streamscases

import (
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// family builds a topology that writes to outputTopic from the parameters in s, and says how its outputs are shown.
type family func(b *dsl.StreamsBuilder, s *spec) rendering

// families by name.
func families() map[string]family {
	return map[string]family{}
}

// strings shows keys and values as they are.
func stringsOut() rendering { return rendering{key: plainKey, value: topology.String} }

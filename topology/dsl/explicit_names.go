package dsl

import (
	"regexp"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// EnsureExplicitNaming is the setting of EnsureExplicitNames; its faults stand at it.
const EnsureExplicitNaming = "ensure.explicit.internal.resource.naming"

// EnsureExplicitNames has Build refuse a topology with internal topics or stores whose names were generated: adding an
// operator would give them others, and leave what they hold behind (ensure.explicit.internal.resource.naming, KIP-1111).
func (b *StreamsBuilder) EnsureExplicitNames() *StreamsBuilder {
	b.explicitNames = true
	return b
}

// generatedResource is a name with an index in it, of a store or a topic.
var generatedResource = regexp.MustCompile(`-[0-9]{10}(-store|-topic|-repartition|-changelog)*$`)

// unnamedResources are faults for the stores and topics with generated names, in Kafka's words. As in Kafka a name counts
// when it is generated: that of a table counts whether anything needs its rows or not, since the next operator may.
func (b *StreamsBuilder) unnamedResources(t *topology.Topology) []error {
	resources := []struct {
		what, fix string
		names     []string
	}{
		{what: "changelog topic(s)", fix: "name the store (Materialized, StreamJoined)"},
		{what: "state store(s)", fix: "name it (Materialized, StreamJoined)"},
		{what: "repartition topic(s)", fix: "name it (Grouped, Joined, Repartitioned, StreamJoined, TableJoined)"},
	}
	note := func(i int, name string) {
		if generatedResource.MatchString(name) {
			resources[i].names = append(resources[i].names, name)
		}
	}
	for _, s := range t.Stores() {
		if !s.LoggingDisabled {
			note(0, s.Name+"-changelog")
		}
		note(1, s.Name)
	}
	for _, name := range b.storeNames {
		if t.StoreSpec(name) == nil {
			note(0, name+"-changelog")
			note(1, name)
		}
	}
	for _, topic := range t.InternalTopics() {
		note(2, topic)
	}
	var faults []error
	for _, r := range resources {
		if len(r.names) > 0 {
			faults = append(faults, errs.TopologyInvalid.New(EnsureExplicitNaming,
				"Following "+r.what+" has not been named: "+strings.Join(r.names, ", "), r.fix).InKafka("TopologyException"))
		}
	}
	return faults
}

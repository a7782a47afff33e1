package errs

// Codes of topologies.
var (
	TopologyInvalid = Code{
		ID: "E-TOPOLOGY-INVALID", Exit: ExitInput, Title: "A topology cannot be built",
		Explanation: "A rule of Kafka's Topology or StreamsBuilder is broken: a name is used twice, an argument is missing, two sources want the same topic in different ways.",
		Remedy:      "Change the operator named in the message.",
	}
	TopologyUnknownNode = Code{
		ID: "E-TOPOLOGY-UNKNOWN-NODE", Exit: ExitInput, Title: "A node or operator is referred to that does not exist",
		Explanation: "`from`, a parent or a store connection names something that is not defined before it.",
		Remedy:      "Correct the name; the nearest known one is shown.",
	}
	TopologyCycle = Code{
		ID: "E-TOPOLOGY-CYCLE", Exit: ExitInput, Title: "The operators form a cycle",
		Explanation: "Records flow from sources to sinks. A way back goes through a topic, not through an edge.",
		Remedy:      "Break the cycle printed in the message: write to a topic and read it as a source.",
	}
	TopologyNotConnected = Code{
		ID: "E-TOPOLOGY-NOT-CONNECTED", Exit: ExitInput, Title: "A node is not connected",
		Explanation: "A processor or sink has no parent, a store is used by no processor, or nothing reads a source.",
		Remedy:      "Connect the node or remove it.",
	}
	TopologyNoSource = Code{
		ID: "E-TOPOLOGY-NO-SOURCE", Exit: ExitInput, Title: "A topology reads nothing",
		Explanation: "Without a source no record ever arrives.",
		Remedy:      "Add a stream operator with the topics to read.",
	}
	TopologyExpression = Code{
		ID: "E-TOPOLOGY-EXPRESSION", Exit: ExitInput, Title: "An expression does not compile",
		Explanation: "Expressions are CEL over key, value, headers and timestamp, typed by the serdes at that place.",
		Remedy:      "Correct the expression under the caret.",
	}
)

func topologyCodes() []Code {
	return []Code{TopologyInvalid, TopologyUnknownNode, TopologyCycle, TopologyNotConnected, TopologyNoSource, TopologyExpression}
}

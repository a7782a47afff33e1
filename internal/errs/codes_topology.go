package errs

// Codes of topologies.
var (
	TopologyInvalid = Code{
		ID: "E-TOPOLOGY-INVALID", Exit: ExitInput, Title: "A topology cannot be built",
		Explanation: "A rule of Kafka's Topology or StreamsBuilder is broken: a name is not allowed, an argument is missing, windows are too short. The message names the exception that Kafka Streams throws: TopologyException, of windows and retentions IllegalArgumentException, of stores of a join StreamsException.",
		Remedy:      "Each message says what its rule wants; the operator stands in it.",
	}
	TopologyUnknownNode = Code{
		ID: "E-TOPOLOGY-UNKNOWN-NODE", Exit: ExitInput, Title: "A node or operator is referred to that does not exist",
		Explanation: "`from`, a parent or a store connection names something that is not defined before it.",
		Remedy:      "Correct the name; the nearest known one is shown.",
		Exception:   "TopologyException",
	}
	TopologyCycle = Code{
		ID: "E-TOPOLOGY-CYCLE", Exit: ExitInput, Title: "The operators form a cycle",
		Explanation: "Records flow from sources to sinks. A way back goes through a topic, not through an edge.",
		Remedy:      "Break the cycle printed in the message: write to a topic and read it as a source.",
		Exception:   "TopologyException",
	}
	TopologyNotConnected = Code{
		ID: "E-TOPOLOGY-NOT-CONNECTED", Exit: ExitInput, Title: "A node is not connected",
		Explanation: "A processor or sink has no parent, a store is used by no processor, or nothing reads a source.",
		Remedy:      "Connect the node or remove it.",
		Exception:   "TopologyException",
	}
	TopologyNoSource = Code{
		ID: "E-TOPOLOGY-NO-SOURCE", Exit: ExitInput, Title: "A topology reads nothing",
		Explanation: "Without a source no record ever arrives.",
		Remedy:      "Add a stream operator with the topics to read.",
		Exception:   "TopologyException",
	}
	TopologyDuplicateName = Code{
		ID: "E-TOPOLOGY-DUPLICATE-NAME", Exit: ExitInput, Title: "Two nodes have the same name",
		Explanation: "Names of nodes are unique in a topology, given ones and generated ones together.",
		Remedy:      "Give one of the two another name.",
		Exception:   "TopologyException",
	}
	TopologyStoreClash = Code{
		ID: "E-TOPOLOGY-STORE-CLASH", Exit: ExitInput, Title: "Two stores have the same name",
		Explanation: "A store's name also names its changelog topic, so it is unique in an application.",
		Remedy:      "Give one of the two stores another name (Materialized, or stores in the file).",
		Exception:   "TopologyException",
	}
	TopologyTopicTaken = Code{
		ID: "E-TOPOLOGY-TOPIC-TAKEN", Exit: ExitInput, Title: "Two sources read the same topic",
		Explanation: "A topic belongs to one source. The DSL joins sources of exactly the same topics by itself; overlapping lists and patterns it cannot.",
		Remedy:      "Read the topic once and use that stream twice.",
		Exception:   "TopologyException",
	}
	TopologyExpression = Code{
		ID: "E-TOPOLOGY-EXPRESSION", Exit: ExitInput, Title: "An expression does not compile",
		Explanation: "Expressions are CEL over key, value, headers and timestamp, typed by the serdes at that place.",
		Remedy:      "Correct the expression under the caret.",
	}
)

func topologyCodes() []Code {
	return []Code{
		TopologyInvalid, TopologyUnknownNode, TopologyCycle, TopologyNotConnected, TopologyNoSource,
		TopologyDuplicateName, TopologyStoreClash, TopologyTopicTaken, TopologyExpression,
	}
}

package errs

// Codes of topics.
var (
	TopicMissing = Code{
		ID: "E-TOPIC-MISSING", Exit: ExitInput, Title: "A topic does not exist",
		Explanation: "Topics that an application reads or writes are not created for it, as in Kafka Streams; only its internal topics are.",
		Remedy:      "Create it: wasmstream topic create NAME --partitions N --replication-factor R.",
	}
	TopicExists = Code{
		ID: "E-TOPIC-EXISTS", Exit: ExitInput, Title: "A topic exists already",
		Explanation: "Nothing was changed.",
		Remedy:      "Use it as it is, pass --if-not-exists, or delete it first.",
	}
	TopicInvalid = Code{
		ID: "E-TOPIC-INVALID", Exit: ExitInput, Title: "A topic's name, partitions, replication or settings do not fit",
		Explanation: "The broker refused to create or change the topic.",
		Remedy:      "Correct what the message names. A new single broker can make one replica only.",
	}
	TopicPartitions = Code{
		ID: "E-TOPIC-PARTITIONS", Exit: ExitInput, Title: "Partition counts do not fit",
		Explanation: "Topics that are joined or merged by key need the same number of partitions, and an internal topic that exists must have the number the topology asks for.",
		Remedy:      "Both counts stand in the message: repartition one side, or reset the application to have its internal topics made anew.",
	}
	TopicConfig = Code{
		ID: "E-TOPIC-CONFIG", Exit: ExitInput, Title: "An internal topic has settings that would lose data",
		Explanation: "A changelog without compaction forgets keys.",
		Remedy:      "Correct cleanup.policy of the topic, or reset the application.",
	}
)

func topicCodes() []Code {
	return []Code{TopicMissing, TopicExists, TopicInvalid, TopicPartitions, TopicConfig}
}

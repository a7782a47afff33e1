package errs

// Codes of records.
var (
	RecordDeserialization = Code{
		ID: "E-RECORD-DESERIALIZATION", Exit: ExitRuntime, Title: "A record cannot be deserialised",
		Explanation: "The bytes of a key or value are not what the serde of the source reads. The default handler stops the application, as Kafka's does.",
		Remedy:      "Correct the serde or the producer; with deserialization.exception.handler log-and-continue such records are skipped and counted.",
	}
	RecordTimestamp = Code{
		ID: "E-RECORD-TIMESTAMP", Exit: ExitRuntime, Title: "A record has a negative timestamp",
		Explanation: "The default extractor, FailOnInvalidTimestamp, stops the application there.",
		Remedy:      "Use LogAndSkipOnInvalidTimestamp or UsePartitionTimeOnInvalidTimestamp as default.timestamp.extractor.",
	}
	RecordTooLarge = Code{
		ID: "E-RECORD-TOO-LARGE", Exit: ExitRuntime, Title: "A record is larger than the topic or the client allows",
		Explanation: "max.request.size of the producer or max.message.bytes of the topic.",
		Remedy:      "Raise both limits, or make the record smaller.",
	}
	RecordProcessing = Code{
		ID: "E-RECORD-PROCESSING", Exit: ExitRuntime, Title: "A record could not be processed",
		Explanation: "A node of the topology failed on a record, and the processing handler did not say to go on. Nothing of the open transaction was written.",
		Remedy:      "Correct the record or the operator that the message names; with processing.exception.handler log-and-continue such records are skipped and counted.",
	}
	RecordProduction = Code{
		ID: "E-RECORD-PRODUCTION", Exit: ExitRuntime, Title: "A record could not be written",
		Explanation: "The broker refused a record and the production handler did not say to go on.",
		Remedy:      "Correct what the broker's error names.",
	}
	DeadLetter = Code{
		ID: "E-RECORD-DEAD-LETTER", Exit: ExitRuntime, Title: "A record cannot be written to the dead-letter topic",
		Explanation: "A record that failed was to be set aside in errors.dead.letter.queue.topic.name, and that failed too. It is not given up silently: nothing of the open transaction was written.",
		Remedy:      "Create the topic, and check that it takes records of this size and that the application may write to it.",
	}
	DeadLetterUnset = Code{
		ID: "E-RECORD-NO-DEAD-LETTER", Exit: ExitRuntime, Title: "A record is to be set aside, and there is no dead-letter topic",
		Explanation: "A guest answered with the class dead letter, or onError says dead-letter, and errors.dead.letter.queue.topic.name is not set.",
		Remedy:      "Set errors.dead.letter.queue.topic.name to a topic that exists.",
	}
	RecordExpression = Code{
		ID: "E-RECORD-EXPRESSION", Exit: ExitRuntime, Title: "An expression failed on a record",
		Explanation: "A field was missing, a type was not what the expression needs, or its cost went over the limit. The record is handled as a guest's error would be.",
		Remedy:      "Guard the expression with has(value.field) or value != null before the field is read.",
	}
	RecordFormat = Code{
		ID: "E-RECORD-FORMAT", Exit: ExitInput, Title: "A line or a value does not fit the type asked for",
		Explanation: "--key and --value give the type of the bytes: a long is 8 bytes, big-endian.",
		Remedy:      "Give the type that was written, such as --value long.",
	}
)

func recordCodes() []Code {
	return []Code{RecordDeserialization, RecordTimestamp, RecordTooLarge, RecordProcessing, RecordProduction, DeadLetter, DeadLetterUnset, RecordExpression, RecordFormat}
}

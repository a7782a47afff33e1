package errs

// Codes of the cluster and the connection to it.
var (
	KafkaUnreachable = Code{
		ID: "E-KAFKA-UNREACHABLE", Exit: ExitEnvironment, Title: "No broker answers",
		Explanation: "None of the addresses in bootstrap.servers could be connected to and asked for metadata within a few seconds.",
		Remedy:      "Start a broker (wasmstream broker) or correct bootstrap.servers / --bootstrap-server. A listener with TLS or SASL that is spoken to in plain text does not answer either.",
	}
	KafkaAuthentication = Code{
		ID: "E-KAFKA-AUTHENTICATION", Exit: ExitEnvironment, Title: "The broker refuses who we say we are",
		Explanation: "SASL or TLS authentication was refused.",
		Remedy:      "Check sasl.mechanism, the user and password in sasl.jaas.config, and the certificates.",
	}
	KafkaAuthorization = Code{
		ID: "E-KAFKA-AUTHORIZATION", Exit: ExitEnvironment, Title: "The broker does not allow it",
		Explanation: "The user is known but lacks the right to the topic, the group, the transactional id or the cluster.",
		Remedy:      "Add an ACL for the resource named in the message.",
	}
	KafkaUnsupported = Code{
		ID: "E-KAFKA-UNSUPPORTED", Exit: ExitEnvironment, Title: "The broker is too old",
		Explanation: "The cluster does not know a request that is needed.",
		Remedy:      "Use a broker of Kafka 2.5 or newer.",
	}
	KafkaRequest = Code{
		ID: "E-KAFKA-REQUEST", Exit: ExitRuntime, Title: "The cluster refused a request",
		Explanation: "The broker answered with an error that is not transient. Its name is Kafka's.",
		Remedy:      "Look the name up in Kafka's documentation; the message says which request it was.",
	}
	KafkaGroupActive = Code{
		ID: "E-KAFKA-GROUP-ACTIVE", Exit: ExitInput, Title: "The group has members that are alive",
		Explanation: "A reset moves the offsets of a group, which its running members would overwrite.",
		Remedy:      "Stop the application first. After a crash wait for the session timeout, or remove the members with --force.",
	}
	KafkaNoApplication = Code{
		ID: "E-KAFKA-NO-APPLICATION", Exit: ExitInput, Title: "The cluster knows no such application",
		Explanation: "There is no group of this id, no internal topic whose name begins with it, and no local state of it. Nothing was changed.",
		Remedy:      "Check the application.id and the cluster.",
	}
	KafkaFenced = Code{
		ID: "E-KAFKA-FENCED", Exit: ExitRuntime, Title: "Another process took over",
		Explanation: "A process with the same identity (the process id in state.dir and the thread's number) started and fenced this one.",
		Remedy:      "Run one process for each state.dir.",
	}
)

func kafkaCodes() []Code {
	return []Code{KafkaUnreachable, KafkaAuthentication, KafkaAuthorization, KafkaUnsupported, KafkaRequest, KafkaGroupActive, KafkaNoApplication, KafkaFenced}
}

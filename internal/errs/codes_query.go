package errs

// Codes of interactive queries.
var (
	QueryStore = Code{
		ID: "E-QUERY-STORE", Exit: ExitInput, Title: "There is no such store",
		Explanation: "A query names a store as the topology does: what Materialized.as or a store's name says, or the name that Kafka generates. wasmstream state info lists them.",
		Remedy:      "Name a store of the application.",
	}
	QueryNotReady = Code{
		ID: "E-QUERY-NOT-READY", Exit: ExitEnvironment, Title: "A store cannot be asked yet",
		Explanation: "The application is starting, the store is still being restored from its changelog, or its task is on its way from one process to another. This passes. A query that allows stale answers is also answered from stores that are being restored.",
		Remedy:      "Ask again in a moment.",
	}
	QueryMigrated = Code{
		ID: "E-QUERY-MIGRATED", Exit: ExitEnvironment, Title: "The task has moved away",
		Explanation: "The process that was asked had the task a moment ago and gave it up, or never had it.",
		Remedy:      "Ask again; who has the task now is known after the rebalance.",
	}
	QueryKind = Code{
		ID: "E-QUERY-KIND", Exit: ExitInput, Title: "The store is of another kind",
		Explanation: "Key-value stores are asked by key, range and prefix; window and session stores by key and time; versioned stores by key and a moment or a span of time.",
		Remedy:      "Ask what this kind of store answers.",
	}
	QueryInvalid = Code{
		ID: "E-QUERY-INVALID", Exit: ExitInput, Title: "A query makes no sense",
		Explanation: "Something is missing in it, or is not possible: a key, a partition that the store does not have, an empty span of time.",
		Remedy:      "Correct the query.",
	}
	QueryBound = Code{
		ID: "E-QUERY-BOUND", Exit: ExitEnvironment, Title: "The store is not up to the position bound",
		Explanation: "The query asks for a state that holds all input up to certain offsets (KIP-796), and what is committed here does not hold that yet.",
		Remedy:      "Ask again after the next commit.",
	}
	QueryOwner = Code{
		ID: "E-QUERY-OWNER", Exit: ExitEnvironment, Title: "The process that has the key cannot be asked",
		Explanation: "It has no application.server, does not answer, or what answers there is something else.",
		Remedy:      "Have every process listen (--admin or application.server.listen), and set application.server where the others reach it by another address.",
	}
	QueryDenied = Code{
		ID: "E-QUERY-DENIED", Exit: ExitInput, Title: "A query was not allowed",
		Explanation: "The address answers only queries that carry the token of its setting application.server.token.",
		Remedy:      "Give the token: --token, WASMSTREAM_TOKEN, or the setting application.server.token of the process that asks on.",
	}
	QueryAbsent = Code{
		ID: "E-QUERY-ABSENT", Exit: ExitRuntime, Title: "The store has no value for the key",
		Explanation: "Nothing that was committed has the key, at the time that was asked for. The bytes of the key are those of --key-type, and it is looked for in the partition that Kafka's partitioner gives it, unless --partition is given.",
		Remedy:      "Check the key and its type; wasmstream state scan shows what the store has.",
	}
	QueryBusy = Code{
		ID: "E-QUERY-BUSY", Exit: ExitEnvironment, Title: "Too many queries at once",
		Explanation: "A process answers a bounded number of queries at a time, so that they cannot take what the stream needs.",
		Remedy:      "Ask again in a moment.",
	}
)

func queryCodes() []Code {
	return []Code{QueryStore, QueryNotReady, QueryMigrated, QueryKind, QueryInvalid, QueryBound, QueryOwner, QueryDenied, QueryAbsent, QueryBusy}
}

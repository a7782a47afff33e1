package errs

// Codes of running guests.
var (
	GuestTrap = Code{
		ID: "E-GUEST-TRAP", Exit: ExitRuntime, Title: "A guest trapped",
		Explanation: "The module's code ended with a trap: unreachable, division by zero, an address outside its memory, a panic. Its instance was dropped, and the record at fault was found by giving fresh instances less and less; nothing of the call that failed was written. What becomes of the record is said by onError of the component, else by processing.exception.handler.",
		Remedy:      "Correct the guest function named in the message; topic, partition and offset give the record. Build with debug names to see the functions' names, or set onError: dead-letter to have such records set aside.",
	}
	GuestBudget = Code{
		ID: "E-GUEST-BUDGET", Exit: ExitRuntime, Title: "A guest used up its budget",
		Explanation: "Each call may use a bounded amount of work, by records and bytes given, a bounded time and a bounded stack. What it asks of the host counts as well: each by the bytes that cross, an iterator also by its rows and by what the call has written before it. A guest that loops for ever is stopped there; the rest of the process does not notice. What becomes of the record is said by onError of the component, else by processing.exception.handler.",
		Remedy:      "Look for a loop or a recursion that does not end in the functions named in the message. If the work is honest, raise the limit: wasm.fuel.per.record and wasm.fuel.max for computing, wasm.call.timeout.ms for time, wasm.stack.max.bytes for depth.",
	}
	GuestMemory = Code{
		ID: "E-GUEST-MEMORY", Exit: ExitRuntime, Title: "A guest wanted more memory than it may have",
		Explanation: "The memory of an instance is bounded: memory.grow answers -1 beyond it, and the guest gave up then.",
		Remedy:      "Release what is kept between records, or raise wasm.memory.max.bytes.",
	}
	GuestError = Code{
		ID: "E-GUEST-ERROR", Exit: ExitRuntime, Title: "A guest reported an error for a record",
		Explanation: "The guest's code answered with an error of the class fail, or of the class retry as often as it may be tried again, and neither onError of the component nor processing.exception.handler said to go on.",
		Remedy:      "Correct the record or the guest; with processing.exception.handler log-and-continue such records are skipped and counted.",
	}
	GuestContract = Code{
		ID: "E-GUEST-CONTRACT", Exit: ExitRuntime, Title: "A guest broke the ABI",
		Explanation: "The answer of a guest could not be read: an offset outside its frame, an index that is not in the input, an unknown flag. Its instance was dropped, and nothing of the call was written.",
		Remedy:      "Check the module with wasmstream module tck F.wasm.",
	}
	GuestAnswer = Code{
		ID: "E-GUEST-ANSWER", Exit: ExitRuntime, Title: "A function gave an answer that its operator does not allow",
		Explanation: "A mapValues answers each record exactly once and leaves its key alone, a flatMapValues leaves the key alone, a foreach answers nothing. The guest's answer was well formed but broke such a rule; nothing of the frame was written.",
		Remedy:      "Correct the function named in the message, or use the operator that allows what it does (map, flatMap, process).",
	}
	GuestUnsupported = Code{
		ID: "E-GUEST-UNSUPPORTED", Exit: ExitRuntime, Title: "A guest asked for something that this version does not do",
		Explanation: "A component writes to a store whose cache forwards its changes, through other nodes, to the component itself. The task stopped, nothing of the frame was written.",
		Remedy:      "Do not cache a store that a guest writes to and whose changes flow back into the guest.",
	}
	GuestLimit = Code{
		ID: "E-GUEST-LIMIT", Exit: ExitRuntime, Title: "A guest answered more than it may",
		Explanation: "The records or bytes of one answer are bounded. Nothing of the call was written.",
		Remedy:      "Answer less for a record, or raise wasm.output.max.records and wasm.output.max.bytes.",
	}
	GuestSettings = Code{
		ID: "E-GUEST-SETTINGS", Exit: ExitInput, Title: "A module or component is given limits that it cannot have",
		Explanation: "limits of a module may only lower those of the application (the settings wasm.*), limits of a component only those of its module. Memory, stack and log belong to the instance that the components of a module share, so they are limits of the module.",
		Remedy:      "Lower the value, or raise the application's setting of that name with wasm. in front.",
	}
	GuestOpen = Code{
		ID: "E-GUEST-OPEN", Exit: ExitRuntime, Title: "A guest refused to start",
		Explanation: "Instantiating the module or opening the component failed.",
		Remedy:      "Read the guest's message; check the component's config.",
	}
)

func guestCodes() []Code {
	return []Code{GuestTrap, GuestBudget, GuestMemory, GuestError, GuestContract, GuestAnswer, GuestUnsupported, GuestLimit, GuestSettings, GuestOpen}
}

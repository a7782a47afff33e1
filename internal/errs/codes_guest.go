package errs

// Codes of running guests.
var (
	GuestTrap = Code{
		ID: "E-GUEST-TRAP", Exit: ExitRuntime, Title: "A guest trapped",
		Explanation: "The module's code ended with a trap: unreachable, division by zero, an address outside its memory, a panic. Its instance was dropped, the transaction aborted, nothing of the frame was written.",
		Remedy:      "Correct the guest function named in the message; topic, partition and offset give the first record of the frame. Build with debug names to see the functions' names.",
	}
	GuestBudget = Code{
		ID: "E-GUEST-BUDGET", Exit: ExitRuntime, Title: "A guest used up its budget",
		Explanation: "Each call may use a bounded amount of work, by records and bytes given. A guest that loops for ever is stopped there; the rest of the process does not notice.",
		Remedy:      "Look for a loop that does not end in the function named in the message.",
	}
	GuestMemory = Code{
		ID: "E-GUEST-MEMORY", Exit: ExitRuntime, Title: "A guest wanted more memory than it may have",
		Explanation: "The memory of an instance is bounded.",
		Remedy:      "Release what is kept between records, or raise the limit.",
	}
	GuestError = Code{
		ID: "E-GUEST-ERROR", Exit: ExitRuntime, Title: "A guest reported an error for a record",
		Explanation: "The guest's code answered with an error of the class fail, or processing.exception.handler turned it into one.",
		Remedy:      "Correct the record or the guest; with processing.exception.handler log-and-continue such records are skipped and counted.",
	}
	GuestContract = Code{
		ID: "E-GUEST-CONTRACT", Exit: ExitRuntime, Title: "A guest broke the ABI",
		Explanation: "The answer of a guest could not be read: an offset outside its frame, an index that is not in the input, an unknown flag. Its instance was dropped and the transaction aborted.",
		Remedy:      "Check the module with wasmstream module tck F.wasm.",
	}
	GuestAnswer = Code{
		ID: "E-GUEST-ANSWER", Exit: ExitRuntime, Title: "A function gave an answer that its operator does not allow",
		Explanation: "A mapValues answers each record exactly once and leaves its key alone, a flatMapValues leaves the key alone, a foreach answers nothing. The guest's answer was well formed but broke such a rule; nothing of the frame was written.",
		Remedy:      "Correct the function named in the message, or use the operator that allows what it does (map, flatMap, process).",
	}
	GuestUnsupported = Code{
		ID: "E-GUEST-UNSUPPORTED", Exit: ExitRuntime, Title: "A guest asked for something that this version does not do",
		Explanation: "A record was to go to a dead-letter topic or to be tried again, or a guest was to run inside its own call. The task stopped, nothing of the frame was written.",
		Remedy:      "Use the classes skip and fail; do not cache a store that a guest writes to and whose changes flow into a guest of the same module.",
	}
	GuestOpen = Code{
		ID: "E-GUEST-OPEN", Exit: ExitRuntime, Title: "A guest refused to start",
		Explanation: "Instantiating the module or opening the component failed.",
		Remedy:      "Read the guest's message; check the component's config.",
	}
)

func guestCodes() []Code {
	return []Code{GuestTrap, GuestBudget, GuestMemory, GuestError, GuestContract, GuestAnswer, GuestUnsupported, GuestOpen}
}

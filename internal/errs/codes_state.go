package errs

// Codes of local state.
var (
	StateLocked = Code{
		ID: "E-STATE-LOCKED", Exit: ExitEnvironment, Title: "The state directory is in use by another process",
		Explanation: "One process owns the state of an application in a directory; the lock is released when that process ends, however it ends.",
		Remedy:      "Stop the other process, or give this one a state.dir of its own.",
	}
	StateUnusable = Code{
		ID: "E-STATE-UNUSABLE", Exit: ExitEnvironment, Title: "The state directory cannot be used",
		Explanation: "It cannot be created, read or written, or the disk is full.",
		Remedy:      "Check the rights and the space at state.dir.",
	}
	StateCorrupt = Code{
		ID: "E-STATE-CORRUPT", Exit: ExitRuntime, Title: "Local state is damaged",
		Explanation: "Files of the store fail their checksums, are cut short or missing. The changelog holds all that is needed to build it again.",
		Remedy:      "Delete the application's folder under state.dir; it is restored from the changelog.",
	}
	StateForeign = Code{
		ID: "E-STATE-FOREIGN", Exit: ExitRuntime, Title: "Local state belongs to someone else",
		Explanation: "The database under state.dir was written by another application, or by another program.",
		Remedy:      "Check application.id and state.dir. If the files are not needed, delete the application's folder under state.dir; it is restored from the changelog.",
	}
	StateRetention = Code{
		ID: "E-STATE-RETENTION", Exit: ExitInput, Title: "The retention of a store is not possible",
		Explanation: "Window, session and versioned stores keep their rows for a time that must be positive, and drop them in segments of it.",
		Remedy:      "Give the store a retention of at least the window's size and grace period, in milliseconds.",
	}
	StateEntries = Code{
		ID: "E-STATE-ENTRIES", Exit: ExitInput, Title: "A store cannot keep that number of entries",
		Explanation: "A store of the kind lru keeps the keys that were used last, up to the number it is given.",
		Remedy:      "Give the store a maximum that is positive.",
	}
	StateValueSize = Code{
		ID: "E-STATE-VALUE-SIZE", Exit: ExitRuntime, Title: "A value is too large for a store",
		Explanation: "A key and its value may have 256 MiB together. Long before that, max.request.size and the broker's max.message.bytes refuse the record of the changelog.",
		Remedy:      "Keep large objects outside and their names in the store, or divide them.",
	}
	StateFormat = Code{
		ID: "E-STATE-FORMAT", Exit: ExitRuntime, Title: "Local state has another format",
		Explanation: "The database under state.dir was written by a version of wasmstream that lays it out differently.",
		Remedy:      "Run the version that wrote it, or delete the application's folder under state.dir; it is restored from the changelog.",
	}
)

func stateCodes() []Code {
	return []Code{StateLocked, StateUnusable, StateCorrupt, StateForeign, StateFormat, StateRetention, StateEntries, StateValueSize}
}

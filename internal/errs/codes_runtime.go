package errs

// Codes of what has no code of its own.
var (
	RuntimeError = Code{
		ID: "E-RUNTIME-ERROR", Exit: ExitRuntime, Title: "Something failed that has no code of its own",
		Explanation: "The message is that of the library or the operating system.",
		Remedy:      "If the message does not help, please report it with the command that led there.",
	}
	RuntimeTimeout = Code{
		ID: "E-RUNTIME-TIMEOUT", Exit: ExitRuntime, Title: "It took too long",
		Explanation: "A time limit passed before the work was done.",
		Remedy:      "Try again, with a longer --timeout where the command has one.",
	}
)

func runtimeCodes() []Code { return []Code{RuntimeError, RuntimeTimeout} }

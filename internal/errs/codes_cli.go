package errs

// Codes of the command line.
var (
	CLIUnknownCommand = Code{
		ID: "E-CLI-UNKNOWN-COMMAND", Exit: ExitInput, Title: "There is no such command",
		Explanation: "The nearest command is shown.",
		Remedy:      "wasmstream help lists the commands.",
	}
	CLIUsage = Code{
		ID: "E-CLI-USAGE", Exit: ExitInput, Title: "A flag or an argument is missing, unknown or wrong",
		Explanation: "Nothing was done.",
		Remedy:      "wasmstream COMMAND --help shows what the command takes.",
	}
	CLIPortInUse = Code{
		ID: "E-CLI-PORT-IN-USE", Exit: ExitEnvironment, Title: "A port is in use",
		Explanation: "Another process listens on the address.",
		Remedy:      "Stop it, or choose another port with --port or --admin.",
	}
	CLINotLoopback = Code{
		ID: "E-CLI-NOT-LOOPBACK", Exit: ExitInput, Title: "An address is not on loopback",
		Explanation: "The embedded broker and the admin server know no authentication, so they listen on 127.0.0.1, ::1 or localhost only.",
		Remedy:      "Use a loopback address, with a proxy that authenticates before it where others must reach it.",
	}
	CLIUnknownCode = Code{
		ID: "E-CLI-UNKNOWN-CODE", Exit: ExitInput, Title: "There is no such error code",
		Explanation: "The nearest code is shown.",
		Remedy:      "wasmstream explain lists all codes.",
	}
	CLIOutput = Code{
		ID: "E-CLI-OUTPUT", Exit: ExitEnvironment, Title: "What a command prints cannot be written",
		Explanation: "The standard output is closed or its disk is full. What the command did besides printing is done.",
		Remedy:      "Make room, or send the output elsewhere.",
	}
)

func cliCodes() []Code {
	return []Code{CLIUnknownCommand, CLIUsage, CLIPortInUse, CLINotLoopback, CLIUnknownCode, CLIOutput}
}

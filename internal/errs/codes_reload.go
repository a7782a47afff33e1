package errs

// Codes of replacing modules in a running application.
var (
	ReloadRefused = Code{
		ID: "E-RELOAD-REFUSED", Exit: ExitInput, Title: "A module may not replace the running one",
		Explanation: "A new version must keep the components in use, their stores and their wants; otherwise state or results would change their meaning. The running module goes on. What differs is listed.",
		Remedy:      "Stop the application and start it with the new module.",
	}
	ReloadFailed = Code{
		ID: "E-RELOAD-FAILED", Exit: ExitInput, Title: "A module could not be prepared",
		Explanation: "Loading, compiling, instantiating or opening it failed. The running module goes on.",
		Remedy:      "Correct the module; the cause is shown.",
	}
	ReloadNotReady = Code{
		ID: "E-RELOAD-NOT-READY", Exit: ExitEnvironment, Title: "An application is still starting",
		Explanation: "Its modules are not compiled yet, so there is nothing to replace.",
		Remedy:      "Try again when it runs; /readyz of the admin address tells.",
	}
	ReloadUnreachable = Code{
		ID: "E-RELOAD-UNREACHABLE", Exit: ExitEnvironment, Title: "The admin address does not answer",
		Explanation: "reload speaks to a process that was started with run --admin ADDR.",
		Remedy:      "Give the address that run printed.",
	}
)

func reloadCodes() []Code {
	return []Code{ReloadRefused, ReloadFailed, ReloadNotReady, ReloadUnreachable}
}

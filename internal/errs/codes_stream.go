package errs

// Codes of running an application.
var (
	StreamShutdown = Code{
		ID: "E-STREAM-SHUTDOWN", Exit: ExitRuntime, Title: "The whole application was shut down",
		Explanation: "A thread failed in another process of the application, and the answer to that is to shut all of them down (uncaught.exception.response: shutdown_application). What was done here is committed.",
		Remedy:      "Look for the error in the log of the process that failed, and start the processes again.",
	}
	StreamThreads = Code{
		ID: "E-STREAM-THREADS", Exit: ExitInput, Title: "A thread cannot be added or removed",
		Explanation: "Threads are added and removed while the application runs or rebalances, not while it starts or ends, and only a thread that there is can be removed.",
		Remedy:      "Ask for the state first: /readyz of the admin address tells.",
	}
	StreamUncommitted = Code{
		ID: "E-STREAM-UNCOMMITTED", Exit: ExitEnvironment, Title: "The last commit before the end failed",
		Explanation: "The application was asked to end, and the cluster did not take its last commit, or did not say so. Nothing is lost: what was processed since the commit before is processed again at the next start, under at_least_once with its results written a second time.",
		Remedy:      "See that the cluster answers, and start the application again.",
	}
	StreamNotReady = Code{
		ID: "E-STREAM-NOT-READY", Exit: ExitEnvironment, Title: "An application is still starting",
		Explanation: "Its modules are not compiled yet, so there is nothing to control.",
		Remedy:      "Try again in a moment.",
	}
	StreamUnreachable = Code{
		ID: "E-STREAM-UNREACHABLE", Exit: ExitEnvironment, Title: "The admin address does not answer",
		Explanation: "The command speaks to a process that was started with run --admin ADDR.",
		Remedy:      "Give the address that run printed.",
	}
)

func streamCodes() []Code {
	return []Code{StreamShutdown, StreamThreads, StreamUncommitted, StreamNotReady, StreamUnreachable}
}

package errs

// Codes of Connect: workers, connectors and their REST API.
var (
	ConnectConfig = Code{
		ID: "E-CONNECT-CONFIG", Exit: ExitInput, Title: "Settings of a worker or connector do not fit",
		Explanation: "A file of settings cannot be read, a setting is missing or has no sound value, or a class is not known. All faults are listed; nothing was started.",
		Remedy:      "Correct what the message names; values of secrets are never shown.",
	}
	ConnectStart = Code{
		ID: "E-CONNECT-START", Exit: ExitEnvironment, Title: "A worker cannot start",
		Explanation: "The broker cannot be reached, one of the three topics cannot be made or read, a listener's address is taken, or the offsets file cannot be read.",
		Remedy:      "See to the cause that is shown and start the worker again.",
	}
	ConnectRefused = Code{
		ID: "E-CONNECT-REFUSED", Exit: ExitRuntime, Title: "A worker refused a request",
		Explanation: "The REST API of the worker answered with an error, whose status and text are shown.",
		Remedy:      "Do what the text says; the worker's log tells more of answers with status 500.",
	}
	ConnectPlugin = Code{
		ID: "E-CONNECT-PLUGIN", Exit: ExitInput, Title: "A plugin in a module cannot be used",
		Explanation: "Settings name plugins in WebAssembly modules as wasm:FILE#COMPONENT or wasm:sha256:DIGEST#COMPONENT. Files are looked for under plugin.path of the worker; a component must be of the kind that the setting needs.",
		Remedy:      "Put the module into a folder of plugin.path; wasmstream module inspect FILE lists its components.",
	}
	ConnectRecursion = Code{
		ID: "E-CONNECT-RECURSION", Exit: ExitInput, Title: "A schema is within itself where that cannot be",
		Explanation: "Types of Avro, Protobuf and JSON Schema can have themselves as fields: nodes of lists and trees. The converters read and write them, and most transformations pass them on. JsonConverter with schemas.enable, Flatten, and plugins in WebAssembly have no form for such a schema. The record is refused as one that cannot be converted (errors.tolerance, dead letters).",
		Remedy:      "Drop or extract the field before it gets there, by ReplaceField or ExtractField, or let JsonConverter write without schemas (schemas.enable=false).",
	}
	ConnectRegistry = Code{
		ID: "E-CONNECT-REGISTRY", Exit: ExitEnvironment, Title: "The schema registry does not answer, or is out of order",
		Explanation: "None of the addresses of schema.registry.url gave an answer that counts: no connection, a certificate that is not trusted, no answer within 30 seconds, or a status of 500 and more. Schemas that are known already are used on. The record waits as long as errors.retry.timeout says; then the task fails, and is restarted, or the record is skipped if errors.tolerance is all.",
		Remedy:      "Look whether the registry runs and whether schema.registry.url and schema.registry.ssl.* are right. Set errors.retry.timeout so that an outage is waited for.",
	}
	ConnectUnreachable = Code{
		ID: "E-CONNECT-UNREACHABLE", Exit: ExitEnvironment, Title: "No worker answers",
		Explanation: "The connector commands speak to the REST API of a worker.",
		Remedy:      "Start one with wasmstream connect, or give the URL of one with --server.",
	}
)

func connectCodes() []Code {
	return []Code{ConnectConfig, ConnectStart, ConnectRefused, ConnectPlugin, ConnectRecursion, ConnectRegistry, ConnectUnreachable}
}

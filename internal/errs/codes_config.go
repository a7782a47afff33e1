package errs

// Codes of settings.
var (
	ConfigUnknownKey = Code{
		ID: "E-CONFIG-UNKNOWN-KEY", Exit: ExitInput, Title: "A setting has a name that neither Kafka nor wasmstream knows",
		Explanation: "Settings are spelled as Kafka spells them. A misspelt key would be ignored without a word, so it is an error; the nearest known name is shown.",
		Remedy:      "Correct the key. docs/configuration.md lists them all, with the prefixes main.consumer., restore.consumer., global.consumer., consumer., producer., admin. and topic.",
	}
	ConfigUnsupported = Code{
		ID: "E-CONFIG-UNSUPPORTED", Exit: ExitInput, Title: "A setting of Kafka asks for something that wasmstream does not do",
		Explanation: "The key is one of Kafka's, but the value asks for what cannot be honoured (a Java class, an extension of the JVM, a feature that the release of Kafka we follow does not have). Ignoring it would change what the application does without telling.",
		Remedy:      "Remove the key or set it to the value named in the message. docs/configuration.md gives the reason for each.",
	}
	ConfigInvalid = Code{
		ID: "E-CONFIG-INVALID", Exit: ExitInput, Title: "A setting has a value that does not fit",
		Explanation: "The value has the wrong type, is out of range, or contradicts another setting. All faults of a configuration are reported at once.",
		Remedy:      "Correct the value; the message says what is expected.",
	}
	ConfigMissing = Code{
		ID: "E-CONFIG-MISSING", Exit: ExitInput, Title: "A setting that has no default is not set",
		Explanation: "An application needs at least application.id and bootstrap.servers.",
		Remedy:      "Set the key in the config section of the file, by --set KEY=VALUE or by its environment variable (WASMSTREAM_ and the key in capitals, dots as underscores).",
	}
	ConfigUnsetVariable = Code{
		ID: "E-CONFIG-UNSET-VARIABLE", Exit: ExitInput, Title: "A reference in a value leads nowhere",
		Explanation: "${env:X} names an environment variable that is not set and gives no default, or ${file:path} a file that cannot be read.",
		Remedy:      "Set the variable, or write a default as ${env:X:-default}.",
	}
	ConfigFile = Code{
		ID: "E-CONFIG-FILE", Exit: ExitInput, Title: "A file cannot be read",
		Explanation: "The file named on the command line is not there, is a directory, or may not be read by this user.",
		Remedy:      "Check the path; relative paths start at the current directory.",
	}
)

func configCodes() []Code {
	return []Code{ConfigUnknownKey, ConfigUnsupported, ConfigInvalid, ConfigMissing, ConfigUnsetVariable, ConfigFile}
}

package errs

// Codes of wasmstream test.
var (
	CaseFailed = Code{
		ID: "E-CASE-FAILED", Exit: ExitVerification, Title: "A test of an application failed",
		Explanation: "What came of the input is not what the case expects. Each difference is shown with its place in the file, what was expected and what came.",
		Remedy:      "Correct the application or the case; wasmstream test --update writes what came into the file, for you to review.",
	}
	CaseNone = Code{
		ID: "E-CASE-NONE", Exit: ExitInput, Title: "There is no test to run",
		Explanation: "No file with a list tests: was found at the paths, or --run matches none of the names.",
		Remedy:      "Name a file of tests, a folder, or ./... for all folders below. docs/testing.md shows how a file looks.",
	}
	CaseApplication = Code{
		ID: "E-CASE-APPLICATION", Exit: ExitInput, Title: "A file of tests does not say what it tests",
		Explanation: "The file has no application:, no document is called after it, and its folder does not have exactly one application.",
		Remedy:      "Write application: app.yaml at the top of the file, or give --application.",
	}
	CaseUnknownName = Code{
		ID: "E-CASE-UNKNOWN-NAME", Exit: ExitInput, Title: "A test names a topic or store that the application does not have",
		Explanation: "Input goes to topics that a source reads, output comes from topics that a sink writes or that the application keeps for itself, rows are in its stores.",
		Remedy:      "Correct the name; the nearest known one is shown.",
	}
	CaseLiteral = Code{
		ID: "E-CASE-LITERAL", Exit: ExitInput, Title: "A key or value of a test is not of the type that the topic or store has",
		Explanation: "Keys and values are written as the serde of the topic or store says: numbers for long, texts for string, any tree for json. Topics that the topology leaves at bytes can be given serdes in the file.",
		Remedy:      "Correct the value, or add the topic under serdes:.",
	}
	CaseUpdate = Code{
		ID: "E-CASE-UPDATE", Exit: ExitInput, Title: "A test cannot be written anew",
		Explanation: "--update replaces whole lines: output, store and dlq must begin on lines of their own.",
		Remedy:      "Write the case with each key on a line of its own.",
	}
)

func caseCodes() []Code {
	return []Code{CaseFailed, CaseNone, CaseApplication, CaseUnknownName, CaseLiteral, CaseUpdate}
}

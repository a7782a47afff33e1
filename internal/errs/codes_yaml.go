package errs

// Codes of documents.
var (
	YAMLSyntax = Code{
		ID: "E-YAML-SYNTAX", Exit: ExitInput, Title: "A file is not YAML",
		Explanation: "The parser stopped at the place under the caret. Nothing of the file was used.",
		Remedy:      "Correct the line under the caret. Often the indentation, a missing blank after a colon, or an unclosed quote or bracket.",
	}
	YAMLUnknownField = Code{
		ID: "E-YAML-UNKNOWN-FIELD", Exit: ExitInput, Title: "A field has a name that the document does not have",
		Explanation: "Unknown fields and operators are errors, because a misspelt one would be ignored without a word.",
		Remedy:      "Correct the name; the nearest known one is shown.",
	}
	YAMLDuplicateKey = Code{
		ID: "E-YAML-DUPLICATE-KEY", Exit: ExitInput, Title: "A key occurs twice in one mapping",
		Explanation: "YAML forbids it, and which one would win depends on the parser.",
		Remedy:      "Remove one of the two.",
	}
	YAMLInvalid = Code{
		ID: "E-YAML-INVALID", Exit: ExitInput, Title: "A value in a document does not fit",
		Explanation: "The document is YAML but a value has the wrong type or is not one of those allowed.",
		Remedy:      "Correct the value under the caret; the message says what is expected.",
	}
	YAMLLimit = Code{
		ID: "E-YAML-LIMIT", Exit: ExitInput, Title: "A document is beyond a limit",
		Explanation: "A document has at most 1 MiB, nests at most 64 deep and holds at most 100,000 values, aliases and references unfolded. At most 100 faults are listed. It was not read further, because the cost of reading grows faster than the document.",
		Remedy:      "Check that the file is the one you meant; split an application that is really so large.",
	}
)

func yamlCodes() []Code {
	return []Code{YAMLSyntax, YAMLUnknownField, YAMLDuplicateKey, YAMLInvalid, YAMLLimit}
}

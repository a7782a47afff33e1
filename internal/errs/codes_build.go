package errs

// Codes of building guests.
var (
	BuildNoToolchain = Code{
		ID: "E-BUILD-NO-TOOLCHAIN", Exit: ExitEnvironment, Title: "The compiler for a guest is not installed",
		Explanation: "Go guests need Go, Rust guests rustc with a WebAssembly target, C guests clang and lld.",
		Remedy:      "Install what the message names and make sure that it is on the PATH.",
	}
	BuildUnknownLanguage = Code{
		ID: "E-BUILD-UNKNOWN-LANGUAGE", Exit: ExitInput, Title: "The language of a guest folder cannot be told",
		Explanation: "A folder with go.mod is Go, with Cargo.toml Rust, with .c files C.",
		Remedy:      "Name the folder that holds the guest's source.",
	}
	BuildFailed = Code{
		ID: "E-BUILD-FAILED", Exit: ExitInput, Title: "A guest does not compile",
		Explanation: "The compiler's own messages stand above.",
		Remedy:      "Correct the source.",
	}
	BuildStale = Code{
		ID: "E-BUILD-STALE", Exit: ExitVerification, Title: "A committed module is not that of its source",
		Explanation: "Modules that lie in the repository beside their source must be what their source compiles to.",
		Remedy:      "Run go run ./internal/guestbuild/cmd/guests -update and commit what it writes.",
	}
	BuildConformance = Code{
		ID: "E-BUILD-CONFORMANCE", Exit: ExitVerification, Title: "A module does not keep the contract",
		Explanation: "The conformance kit checked the module clause by clause; those that failed are listed.",
		Remedy:      "Build it with the SDK of this version, or correct what the clauses name.",
	}
)

func buildCodes() []Code {
	return []Code{BuildNoToolchain, BuildUnknownLanguage, BuildFailed, BuildStale, BuildConformance}
}

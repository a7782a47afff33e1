package errs

// Codes of wasm modules.
var (
	ModuleMissing = Code{
		ID: "E-MODULE-MISSING", Exit: ExitInput, Title: "A module's file is not there or cannot be read",
		Explanation: "The path under modules: is relative to the file that names it. Only regular files are opened: no folders, pipes and devices.",
		Remedy:      "Build the module (wasmstream build DIR) or correct its path.",
	}
	ModuleNotWasm = Code{
		ID: "E-MODULE-NOT-WASM", Exit: ExitInput, Title: "A file is not a WebAssembly core module",
		Explanation: "A module begins with the bytes 00 61 73 6d 01 00 00 00. Components (the component model), text (.wat) and other files are refused before the engine sees them.",
		Remedy:      "Give the .wasm that the compiler wrote.",
	}
	ModuleMalformed = Code{
		ID: "E-MODULE-MALFORMED", Exit: ExitInput, Title: "A module is damaged or does not validate",
		Explanation: "A section is cut off, an index leads nowhere, or the types do not agree.",
		Remedy:      "Build it again; if it is fresh, report the compiler.",
	}
	ModuleNoMarker = Code{
		ID: "E-MODULE-NO-MARKER", Exit: ExitInput, Title: "A module lacks the export that marks it as a guest of wasmstream",
		Explanation: "Each guest exports ws_abi_v1. A module without it was built for another host, or its exports were stripped. The exports that were found are listed.",
		Remedy:      "Build it with a wasmstream SDK.",
	}
	ModuleMissingExport = Code{
		ID: "E-MODULE-MISSING-EXPORT", Exit: ExitInput, Title: "A module lacks an export of the ABI, or exports it with another signature",
		Explanation: "abi/SPEC.md lists the exports and their types.",
		Remedy:      "Build it with the SDK of this version.",
	}
	ModuleUnknownImport = Code{
		ID: "E-MODULE-UNKNOWN-IMPORT", Exit: ExitInput, Title: "A module imports a function that the host does not give",
		Explanation: "Guests see the functions of ws1.core, ws1.state, ws1.connect, ws1.egress and WASI preview 1, and nothing else; each is held to its signature, and memories, tables and globals are not given at all.",
		Remedy:      "Remove what pulls in the import named in the message, often a library that wants a browser or another host.",
	}
	ModuleForbidden = Code{
		ID: "E-MODULE-FORBIDDEN", Exit: ExitInput, Title: "A module uses a feature of WebAssembly that is switched off",
		Explanation: "Threads, exception handling, tail calls, several memories and the like are off, for safety of the host.",
		Remedy:      "Compile without the feature; the message names the compiler's flag where it is known.",
	}
	ModuleTooLarge = Code{
		ID: "E-MODULE-TOO-LARGE", Exit: ExitInput, Title: "A module is beyond a limit",
		Explanation: "Size, functions, code per function, tables, memory and others are bounded, because compiling has a cost that grows with them.",
		Remedy:      "Make the module smaller (strip it, optimise for size).",
	}
	ModuleCompile = Code{
		ID: "E-MODULE-COMPILE", Exit: ExitInput, Title: "Compiling a module took more than it may",
		Explanation: "Modules are compiled in a process of their own with limits on memory, CPU and time, so that a module made to be slow to compile costs nothing but itself. That process used up a limit, or was ended from outside.",
		Remedy:      "Make the module smaller: split huge functions, strip it, optimise for size. If the machine was out of memory, try again.",
	}
	ModuleCache = Code{
		ID: "E-MODULE-CACHE", Exit: ExitInput, Title: "The folder of compiled modules cannot be used",
		Explanation: "Compiled modules are machine code that will be run, so the folder that keeps them (wasm.cache.dir, else the user's cache folder) must be a folder that nobody else may write to.",
		Remedy:      "Take the right to write from group and others (chmod go-w DIR), name another folder, or keep nothing (wasm.cache.dir: off).",
	}
	ModuleNoComponent = Code{
		ID: "E-MODULE-NO-COMPONENT", Exit: ExitInput, Title: "A component is not in the module",
		Explanation: "An operator refers to module/component. The components of a module stand in its manifest (wasmstream module inspect F.wasm).",
		Remedy:      "Correct the name after the slash; the nearest known one is shown.",
	}
	ModuleDigest = Code{
		ID: "E-MODULE-DIGEST", Exit: ExitInput, Title: "A module has another digest than the application asks for",
		Explanation: "The digest pins the bytes of a module. The file was changed, or the wrong one lies there.",
		Remedy:      "Put the right file in place, or write the new digest into the application.",
	}
	ModuleManifest = Code{
		ID: "E-MODULE-MANIFEST", Exit: ExitInput, Title: "A module's manifest cannot be read or does not fit",
		Explanation: "The manifest is JSON in the custom section ws.manifest, or the answer of ws_describe.",
		Remedy:      "Build it with the SDK of this version; wasmstream module inspect F.wasm shows what is read.",
	}
	ModuleABIVersion = Code{
		ID: "E-MODULE-ABI-VERSION", Exit: ExitInput, Title: "A module speaks another version of the ABI",
		Explanation: "The host speaks version 1.",
		Remedy:      "Build it with an SDK of version 1.",
	}
	ModuleTopology = Code{
		ID: "E-MODULE-TOPOLOGY", Exit: ExitInput, Title: "A module's own topology is missing, or says what a module may not say",
		Explanation: "A module can be an application: its manifest then holds a topology that the SDK's StreamsBuilder wrote. Such a topology calls the module's own components only, reads neither environment nor files, and sets nothing that reaches the machine, the access to the cluster or the sandbox.",
		Remedy:      "Build the topology in the module (StreamsBuilder of the SDK), or write an application that names the module; give other settings by --set.",
	}
)

func moduleCodes() []Code {
	return []Code{
		ModuleMissing, ModuleNotWasm, ModuleMalformed, ModuleNoMarker, ModuleMissingExport, ModuleUnknownImport,
		ModuleForbidden, ModuleTooLarge, ModuleCompile, ModuleCache, ModuleNoComponent, ModuleDigest, ModuleManifest, ModuleABIVersion,
		ModuleTopology,
	}
}

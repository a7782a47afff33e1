package wasm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// exportSet tells which of the optional exports a module has.
type exportSet struct {
	initialize, describe, punctuate, flush, poll, ack, closes bool
}

// checkContract checks the module against abi: imports by name and signature, marker, required exports, memory. The
// error names the first thing that is wrong, imports first.
func checkContract(m *module) (exportSet, error) {
	if err := checkImports(m); err != nil {
		return exportSet{}, err
	}
	if err := checkReserved(m); err != nil {
		return exportSet{}, err
	}
	if err := checkMarker(m); err != nil {
		return exportSet{}, err
	}
	if err := checkExports(m); err != nil {
		return exportSet{}, err
	}
	return exportSet{
		initialize: m.exportedFunc(abi.ExportInitialize) != nil, describe: m.exportedFunc(abi.ExportDescribe) != nil,
		punctuate: m.exportedFunc(abi.ExportPunctuate) != nil, flush: m.exportedFunc(abi.ExportFlush) != nil,
		poll: m.exportedFunc(abi.ExportPoll) != nil, ack: m.exportedFunc(abi.ExportAck) != nil,
		closes: m.exportedFunc(abi.ExportClose) != nil,
	}, nil
}

// offered are the signatures of every import that a guest may name, by module and name.
func offered() map[string]map[string]abi.Function {
	all := map[string]map[string]abi.Function{wasiModule: {}}
	for _, name := range importModules {
		all[name] = map[string]abi.Function{}
	}
	for _, f := range abi.Imports() {
		all[f.Module][f.Name] = f
	}
	for _, f := range wasiFunctions {
		all[wasiModule][f.name] = abi.Function{Module: wasiModule, Name: f.name, Params: f.params, Results: f.results()}
	}
	return all
}

func checkImports(m *module) error {
	known := offered()
	for _, imp := range m.imports {
		name := shown(imp.module) + "." + shown(imp.name) // in the message: who loads the module may have a better place
		fn, ok := known[imp.module][imp.name]
		if !ok {
			return errs.ModuleUnknownImport.New(m.name, fmt.Sprintf("it imports %s: %s", name, unknownImport(imp, known)), "")
		}
		t := &m.types[imp.typ]
		if got := signature(letters(t.params), letters(t.results)); got != signature(fn.Params, fn.Results) {
			return errs.ModuleUnknownImport.New(m.name,
				fmt.Sprintf("it imports %s, which the host gives with the signature %s (got %s)", name, signature(fn.Params, fn.Results), got),
				"declare the import as abi/SPEC.md has it")
		}
	}
	return nil
}

func unknownImport(imp importEntry, known map[string]map[string]abi.Function) string {
	functions, ok := known[imp.module]
	if !ok {
		return fmt.Sprintf("the host gives no module of that name; it gives %s and %s", strings.Join(importModules, ", "), wasiModule)
	}
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	what := "the host gives no function of that name in this module"
	if near := errs.Nearest(imp.name, names); near != "" {
		what += fmt.Sprintf("; the nearest is %s", near)
	}
	return what
}

func signature(params, results string) string { return "(" + params + ") -> (" + results + ")" }

func (m *module) export(name string, kind byte) *exportEntry {
	i := slices.IndexFunc(m.exports, func(e exportEntry) bool { return e.name == name && e.kind == kind })
	if i < 0 {
		return nil
	}
	return &m.exports[i]
}

func (m *module) exportedFunc(name string) *exportEntry { return m.export(name, kindFunc) }

const markerPrefix = "ws_abi_v"

// digits tells whether s is a number, however large.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func checkMarker(m *module) error {
	if m.exportedFunc(abi.ExportMarker) != nil {
		return checkReactor(m)
	}
	names := make([]string, 0, len(m.exports))
	for _, e := range m.exports {
		if version, ok := strings.CutPrefix(e.name, markerPrefix); ok && digits(version) {
			return errs.ModuleABIVersion.New(m.name, fmt.Sprintf("the module speaks version %s of the ABI; this host speaks version %d", shown(version), abi.Version), "")
		}
		names = append(names, shown(e.name))
	}
	what := fmt.Sprintf("the module does not export %s (it exports %s)", abi.ExportMarker, listed(names))
	if slices.Contains(names, "_start") {
		return errs.ModuleNoMarker.New(m.name, what, "this is a program with a main; "+flagReactor)
	}
	return errs.ModuleNoMarker.New(m.name, what, "")
}

const flagReactor = "build a reactor with an SDK (Go: -buildmode=c-shared, C: -Wl,--no-entry or -mexec-model=reactor, Rust: crate-type cdylib)"

// checkReactor refuses a program that has a main to run to its end: nobody calls it, so its runtime would never start.
func checkReactor(m *module) error {
	if m.exportedFunc("_start") == nil || m.exportedFunc(abi.ExportInitialize) != nil {
		return nil
	}
	return errs.ModuleForbidden.New(m.name, "the module is a program (it exports _start and no _initialize); a guest is a reactor, whose exports are called one by one and which has no main to run to its end", flagReactor)
}

func listed(names []string) string {
	const enough = 12
	if len(names) == 0 {
		return "nothing"
	}
	more := ""
	if len(names) > enough {
		names, more = names[:enough], ", ..."
	}
	return strings.Join(names, ", ") + more
}

func checkExports(m *module) error {
	for _, fn := range abi.Exports() {
		e := m.exportedFunc(fn.Name)
		if e == nil {
			if fn.Required {
				return errs.ModuleMissingExport.New(m.name, "the module does not export "+fn.Name, "")
			}
			continue
		}
		t := &m.types[m.funcs[e.index]]
		if got := signature(letters(t.params), letters(t.results)); got != signature(fn.Params, fn.Results) {
			return errs.ModuleMissingExport.New(m.name, fmt.Sprintf("the export %s has another signature than the ABI's %s (got %s)", fn.Name, signature(fn.Params, fn.Results), got), "")
		}
	}
	if m.export(abi.ExportMemory, kindMemory) == nil {
		return errs.ModuleMissingExport.New(m.name, `the module does not export its memory as "memory"`, "export it (--export-memory is the default of wasm-ld)")
	}
	return nil
}

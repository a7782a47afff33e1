package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Info is what a module tells without being run; Manifest is the exception, if the module gives it by ws_describe only.
// Its names in JSON are a contract, and are the same whether the module is accepted or not.
type Info struct {
	Digest    string       `json:"digest"`
	SizeBytes int          `json:"sizeBytes"`
	Manifest  abi.Manifest `json:"manifest"`
	// ManifestFrom is "section" or "ws_describe".
	ManifestFrom string `json:"manifestFrom"`
	// ModuleName is from the name section; often empty.
	ModuleName string     `json:"moduleName,omitempty"`
	Imports    []FuncInfo `json:"imports"`
	Exports    []FuncInfo `json:"exports"`
	// Functions are the module's own.
	Functions int `json:"functions"`
	// CountedFunctions are those on cycles of the call graph, which count their depth.
	CountedFunctions int `json:"countedFunctions"`
	Globals          int `json:"globals"`
	TableEntries     int `json:"tableEntries"`
	// MemoryMinBytes is what an instance begins with, MemoryMaxBytes what it declares at most; 0 if it does not.
	MemoryMinBytes uint64        `json:"memoryMinBytes"`
	MemoryMaxBytes uint64        `json:"memoryMaxBytes,omitempty"`
	CodeBytes      int           `json:"codeBytes"`
	DataBytes      int           `json:"dataBytes"`
	Sections       []SectionInfo `json:"sections"`
	// Producers are the tools that made the module, as they say: "language: C11", "processed-by: clang 19.1.7".
	Producers []string `json:"producers,omitempty"`
	// Features are what the tools say they used ("+bulk-memory").
	Features []string `json:"features,omitempty"`
}

// FuncInfo is an imported or exported function. Params and Results are one letter each: i for i32, l for i64; others
// stand in angle brackets.
type FuncInfo struct {
	Module  string `json:"module,omitempty"`
	Name    string `json:"name"`
	Params  string `json:"params"`
	Results string `json:"results"`
}

// SectionInfo is a section and its size.
type SectionInfo struct {
	Name      string `json:"name"`
	Custom    bool   `json:"custom,omitempty"`
	SizeBytes int    `json:"sizeBytes"`
}

// Inspect reads a module without compiling it. It answers for every module that is within the limits, also one that is
// no guest: then the error beside the Info says what is missing. Info is nil for what is no module at all.
func Inspect(name string, wasm []byte) (*Info, error) {
	m, err := decode(name, wasm)
	if err != nil {
		return nil, err
	}
	countRecursion(m)
	info := describe(m, Digest(wasm))
	if _, err := checkContract(m); err != nil {
		return info, err
	}
	if info.ManifestFrom != fromSection {
		return info, nil
	}
	text, sections := manifestSection(m)
	info.Manifest, err = parseManifest(name, text, sections)
	return info, err
}

const (
	fromSection  = "section"
	fromDescribe = abi.ExportDescribe
)

// manifestSection joins the custom sections of the manifest and counts them; a linker may have split them.
func manifestSection(m *module) (text []byte, sections int) {
	for _, s := range m.customs {
		if s.name == abi.ManifestSection {
			text = append(text, m.bytes[s.body.start:s.body.end]...)
			sections++
		}
	}
	return text, sections
}

// parseManifest reads the text of a manifest that came from so many custom sections, 0 if the module was asked.
func parseManifest(name string, text []byte, sections int) (abi.Manifest, error) {
	manifest, err := abi.ParseManifest(text)
	switch {
	case err == nil:
		return manifest, nil
	case errors.Is(err, abi.ErrVersion):
		return manifest, errs.ModuleABIVersion.New(name, "the manifest is of another version of the ABI", "").WithCause(err)
	case sections == 1 && len(bytes.TrimRight(text, "\x00")) == 0:
		return manifest, errs.ModuleManifest.New(name, "the custom section "+abi.ManifestSection+" is empty", "")
	case sections > 1:
		return manifest, errs.ModuleManifest.New(name, fmt.Sprintf("the module has %d custom sections %s, and one behind the other they are no manifest", sections, abi.ManifestSection), "leave one").WithCause(err)
	}
	return manifest, errs.ModuleManifest.New(name, "the manifest does not keep the rules", "").WithCause(err)
}

func describe(m *module, digest string) *Info {
	info := &Info{
		Digest: digest, SizeBytes: len(m.bytes), ModuleName: m.ownName, Functions: len(m.bodies), Globals: len(m.globals),
		Imports: []FuncInfo{}, Exports: []FuncInfo{}, Sections: []SectionInfo{},
	}
	if _, sections := manifestSection(m); sections > 0 {
		info.ManifestFrom = fromSection
	} else if m.exportedFunc(abi.ExportDescribe) != nil {
		info.ManifestFrom = fromDescribe
	}
	for _, imp := range m.imports {
		t := &m.types[imp.typ]
		info.Imports = append(info.Imports, FuncInfo{shown(imp.module), shown(imp.name), letters(t.params), letters(t.results)})
	}
	for _, e := range m.exports {
		if e.kind == kindFunc {
			t := &m.types[m.funcs[e.index]]
			info.Exports = append(info.Exports, FuncInfo{"", shown(e.name), letters(t.params), letters(t.results)})
		}
	}
	for i := range m.bodies {
		if m.bodies[i].recursive {
			info.CountedFunctions++
		}
	}
	for _, t := range m.tables {
		info.TableEntries += int(t.min)
	}
	for _, mem := range m.memories {
		info.MemoryMinBytes = uint64(mem.min) * pageSize
		info.MemoryMaxBytes = uint64(mem.max) * pageSize
	}
	describeSections(m, info)
	return info
}

func describeSections(m *module, info *Info) {
	custom := 0
	for _, s := range m.sections {
		size := s.body.end - s.body.start
		switch s.id {
		case secCode:
			info.CodeBytes = size
		case secData:
			info.DataBytes = size
		case secCustom:
			info.Sections = append(info.Sections, SectionInfo{shown(m.customs[custom].name), true, size})
			custom++
			continue
		}
		info.Sections = append(info.Sections, SectionInfo{sectionNames[s.id], false, size})
	}
	for _, c := range m.customs {
		r := reader{b: m.bytes, pos: c.body.start, end: c.body.end}
		switch c.name {
		case "producers":
			info.Producers = append(info.Producers, readProducers(&r)...)
		case "target_features":
			info.Features = append(info.Features, readFeatures(&r)...)
		}
	}
}

// readProducers reads the fields of the producers section; what is damaged is left out.
func readProducers(r *reader) []string {
	var out []string
	for range r.count(maxCustoms, "fields") {
		field := r.name()
		for range r.count(maxCustoms, "values") {
			name, version := r.name(), r.name()
			if r.bad == "" {
				out = append(out, shown(strings.TrimSpace(field+": "+name+" "+version)))
			}
		}
	}
	return out
}

func readFeatures(r *reader) []string {
	var out []string
	for range r.count(maxCustoms, "features") {
		feature := bytes.Clone(r.bytes(1))
		feature = append(feature, r.name()...)
		if r.bad == "" {
			out = append(out, shown(string(feature)))
		}
	}
	return out
}

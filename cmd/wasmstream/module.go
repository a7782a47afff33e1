package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/host/wasm/tck"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func moduleCommand() *cli.Command {
	return &cli.Command{
		Name: "module", Usage: "look at wasm modules and check them",
		Subcommands: []*cli.Command{moduleInspectCommand(), moduleTckCommand()},
	}
}

func moduleInspectCommand() *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "show components, imports, exports, memory and digest of a module", ArgsUsage: "FILE",
		Flags:  []cli.Flag{outputFlag("text", "json")},
		Action: moduleInspect,
	}
}

// moduleBytes reads the file that is the only argument.
func moduleBytes(c *cli.Context) (string, []byte, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return "", nil, err
	}
	path := c.Args().First()
	data, err := wasm.ReadFile(path)
	return path, data, err
}

// moduleInspect shows what can be shown also of a module that is no guest; then the error follows.
func moduleInspect(c *cli.Context) error {
	path, data, err := moduleBytes(c)
	if err != nil {
		return err
	}
	info, fault := wasm.Inspect(path, data)
	if info == nil {
		return fault
	}
	if info.ManifestFrom == "ws_describe" && fault == nil {
		if info, err = describeByRunning(c, path, data); err != nil {
			return err
		}
	}
	if c.String("output") == "json" {
		err = printJSON(c.App.Writer, info)
	} else {
		err = printInfo(c, path, info)
	}
	if fault != nil {
		return fault
	}
	return err
}

// describeByRunning compiles the module, which asks it for its manifest.
func describeByRunning(c *cli.Context, path string, data []byte) (*wasm.Info, error) {
	engine, err := wasm.NewEngine(c.Context, wasm.DefaultConfig())
	if err != nil {
		return nil, err
	}
	defer engine.Close(c.Context)
	m, err := engine.Compile(c.Context, path, data)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	info := m.Info()
	return &info, nil
}

func printInfo(c *cli.Context, path string, info *wasm.Info) error {
	w, m := c.App.Writer, info.Manifest
	fmt.Fprintf(w, "%s\n  digest   %s\n  size     %d bytes\n", path, info.Digest, info.SizeBytes)
	if m.Name != "" {
		fmt.Fprintf(w, "  guest    %s\n", guestLine(m))
	}
	memory := fmt.Sprintf("%d KiB at start", info.MemoryMinBytes>>10)
	if info.MemoryMaxBytes > 0 {
		memory += fmt.Sprintf(", at most %d KiB", info.MemoryMaxBytes>>10)
	}
	fmt.Fprintf(w, "  memory   %s\n", memory)
	if len(info.Producers) > 0 {
		fmt.Fprintf(w, "  made by  %s\n", strings.Join(info.Producers, "; "))
	}
	if len(m.Components) > 0 {
		fmt.Fprintln(w)
		var rows [][]string
		for _, comp := range m.Components {
			rows = append(rows, []string{comp.Name, string(comp.Kind), dash(comp.Wants.Names()), dash(comp.Stores), comp.Description})
		}
		if err := printTable(w, []string{"COMPONENT", "KIND", "WANTS", "STORES", "DESCRIPTION"}, rows); err != nil {
			return err
		}
	}
	printFunctions(c, "imports", info.Imports)
	printFunctions(c, "exports", info.Exports)
	return nil
}

// guestLine is what the manifest says of the module as a whole.
func guestLine(m abi.Manifest) string {
	parts := []string{strings.TrimSpace(m.Name + " " + m.Version)}
	if m.Language != "" {
		parts = append(parts, m.Language)
	}
	if m.SDK != "" {
		parts = append(parts, "SDK "+m.SDK)
	}
	return strings.Join(append(parts, fmt.Sprintf("ABI %d", m.ABI)), ", ")
}

func printFunctions(c *cli.Context, title string, functions []wasm.FuncInfo) {
	fmt.Fprintf(c.App.Writer, "\n%s\n", title)
	for _, f := range functions {
		name := f.Name
		if f.Module != "" {
			name = f.Module + "." + name
		}
		fmt.Fprintf(c.App.Writer, "  %s(%s)%s\n", name, letters(f.Params, ", "), results(f.Results))
	}
}

// letters writes i as i32 and l as i64.
func letters(types, separator string) string {
	var names []string
	for _, t := range types {
		switch t {
		case 'i':
			names = append(names, "i32")
		case 'l':
			names = append(names, "i64")
		default:
			return types
		}
	}
	return strings.Join(names, separator)
}

func results(types string) string {
	if types == "" {
		return ""
	}
	return " -> " + letters(types, ", ")
}

func dash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}

func moduleTckCommand() *cli.Command {
	return &cli.Command{
		Name: "tck", Usage: "hold a module to the ABI, clause by clause", ArgsUsage: "FILE",
		Flags:  []cli.Flag{outputFlag("text", "json")},
		Action: moduleTck,
	}
}

func moduleTck(c *cli.Context) error {
	path, data, err := moduleBytes(c)
	if err != nil {
		return err
	}
	engine, err := wasm.NewEngine(c.Context, wasm.DefaultConfig())
	if err != nil {
		return err
	}
	defer engine.Close(c.Context)
	report, err := tck.Run(c.Context, engine, path, data)
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		err = printJSON(c.App.Writer, jsonOf(report))
	} else {
		_, err = report.WriteTo(c.App.Writer)
	}
	if failed := report.Failed(); err == nil && len(failed) > 0 {
		return errs.BuildConformance.New(path, plural(len(failed), "clause")+" not kept", "")
	}
	return err
}

// jsonReport is what tck -o json prints; its names are a contract.
type jsonReport struct {
	Module  string       `json:"module"`
	Digest  string       `json:"digest"`
	Passed  bool         `json:"passed"`
	Results []jsonResult `json:"results"`
}

type jsonResult struct {
	Status string `json:"status"` // pass, fail, n/a
	tck.Result
}

func jsonOf(r *tck.Report) jsonReport {
	out := jsonReport{Module: r.Module, Digest: r.Digest, Passed: r.Passed(), Results: []jsonResult{}}
	for _, res := range r.Results {
		out.Results = append(out.Results, jsonResult{strings.ToLower(res.Status.String()), res})
	}
	return out
}

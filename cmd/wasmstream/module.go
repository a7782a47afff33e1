package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/host/wasm/tck"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func moduleCommand() *cli.Command {
	return &cli.Command{
		Name: "module", Usage: "look at wasm modules and check them",
		Subcommands: []*cli.Command{moduleInspectCommand(), moduleCheckCommand(), moduleTckCommand()},
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
	return wasm.ShownPath(path), data, err
}

// checkEngine is an engine for modules that nobody knows: they are compiled in a process of its own, and nothing is
// kept.
func checkEngine(c *cli.Context) (*wasm.Engine, error) {
	debug.SetMemoryLimit(checkMemory)
	config := wasm.DefaultConfig()
	config.Limits, config.Compiler.Command = wasm.CheckLimits(), compiler()
	return wasm.NewEngine(c.Context, config)
}

// checkMemory is where the collector begins to work hard: a look at a file, whatever it is, takes less than 256 MiB.
const checkMemory = 160 << 20

// moduleInspect prepares the module as it would be to run. It shows what can be shown also of one that is no guest;
// then the error follows.
func moduleInspect(c *cli.Context) error {
	path, data, err := moduleBytes(c)
	if err != nil {
		return err
	}
	engine, err := checkEngine(c)
	if err != nil {
		return err
	}
	defer engine.Close(c.Context)
	info, fault := engine.Check(c.Context, path, data)
	if info == nil {
		return fault
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

func moduleCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "prepare modules fully and say of each whether it is accepted", ArgsUsage: "FILE...",
		Description: "Each file is judged, metered, compiled, instantiated, started and asked for its manifest. One line a file:\n" +
			"  ok PATH DIGEST NAME, COMPONENTS\n  refused PATH CODE MESSAGE\nThe exit status is 2 if any is refused. A path that does not fit on a line is quoted.",
		Action: moduleCheck,
	}
}

func moduleCheck(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	engine, err := checkEngine(c)
	if err != nil {
		return err
	}
	defer engine.Close(c.Context)
	refused := false
	for _, path := range c.Args().Slice() {
		info, err := engine.CheckFile(c.Context, path)
		if err := c.Context.Err(); err != nil {
			return err
		}
		if err != nil {
			refused = true
			fmt.Fprintln(c.App.Writer, refusal(wasm.ShownPath(path), err))
			continue
		}
		fmt.Fprintf(c.App.Writer, "ok %s %s %s, %s\n", wasm.ShownPath(path), info.Digest, guestLine(info.Manifest), plural(len(info.Manifest.Components), "component"))
	}
	if refused {
		return silentError(errs.ExitInput)
	}
	return nil
}

// refusal is the line of a module that was refused.
func refusal(path string, err error) string {
	code, message := errs.RuntimeError.ID, err.Error()
	var coded *errs.Error
	if errors.As(err, &coded) {
		code = coded.Code
		message = strings.TrimPrefix(strings.TrimPrefix(coded.Error(), code+" "), path+": ")
	}
	return fmt.Sprintf("refused %s %s %s", path, code, oneLine(message))
}

// oneLine makes of a text one line that does nothing to a terminal.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
}

func printInfo(c *cli.Context, path string, info *wasm.Info) error {
	w, m := c.App.Writer, info.Manifest
	fmt.Fprintf(w, "%s\n  digest   %s\n  size     %d bytes\n", wasm.ShownPath(path), info.Digest, info.SizeBytes)
	if m.Name != "" {
		fmt.Fprintf(w, "  guest    %s\n", guestLine(m))
	}
	memory := fmt.Sprintf("%d KiB at start", info.MemoryMinBytes>>10)
	if info.MemoryMaxBytes > 0 {
		memory += fmt.Sprintf(", at most %d KiB", info.MemoryMaxBytes>>10)
	}
	fmt.Fprintf(w, "  memory   %s\n", memory)
	if len(info.Producers) > 0 {
		fmt.Fprintf(w, "  made by  %s\n", oneLine(strings.Join(info.Producers, "; ")))
	}
	if len(m.Components) > 0 {
		fmt.Fprintln(w)
		var rows [][]string
		for _, comp := range m.Components {
			rows = append(rows, []string{comp.Name, string(comp.Kind), dash(comp.Wants.Names()), dash(comp.Stores), oneLine(comp.Description)})
		}
		if err := printTable(w, []string{"COMPONENT", "KIND", "WANTS", "STORES", "DESCRIPTION"}, rows); err != nil {
			return err
		}
	}
	printFunctions(c, "imports", info.Imports)
	printFunctions(c, "exports", info.Exports)
	return nil
}

// guestLine is what the manifest says of the module as a whole, on one line.
func guestLine(m abi.Manifest) string {
	parts := []string{strings.TrimSpace(m.Name + " " + m.Version)}
	if m.Language != "" {
		parts = append(parts, m.Language)
	}
	if m.SDK != "" {
		parts = append(parts, "SDK "+m.SDK)
	}
	return oneLine(strings.Join(append(parts, fmt.Sprintf("ABI %d", m.ABI)), ", "))
}

func printFunctions(c *cli.Context, title string, functions []wasm.FuncInfo) {
	fmt.Fprintf(c.App.Writer, "\n%s\n", title)
	for _, f := range functions {
		name := f.Name
		if f.Module != "" {
			name = f.Module + "." + name
		}
		fmt.Fprintf(c.App.Writer, "  %s(%s)%s\n", oneLine(name), letters(f.Params, ", "), results(f.Results))
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
	config := wasm.DefaultConfig()
	config.Compiler.Command = compiler()
	engine, err := wasm.NewEngine(c.Context, config)
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

package tck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Run holds a module to the contract. The error is for what keeps the kit from working; what is wrong with the module
// is in the report.
func Run(ctx context.Context, engine *wasm.Engine, name string, module []byte) (*Report, error) {
	k := &kit{ctx: ctx, report: &Report{Module: name, Digest: wasm.Digest(module)}}
	if !k.static(module) {
		return k.report, ctx.Err()
	}
	m, err := engine.Compile(ctx, name, module)
	if err != nil {
		k.report.add("MOD-1", "", Fail, "%v", err)
		return k.report, ctx.Err()
	}
	defer m.Close()
	k.module = m
	k.dynamic()
	return k.report, ctx.Err()
}

// kit is one run.
type kit struct {
	ctx    context.Context
	module *wasm.Module
	report *Report
}

// static holds what can be seen without running the module, and tells whether it may be run.
func (k *kit) static(module []byte) bool {
	info, err := wasm.Inspect(k.report.Module, module)
	if info == nil {
		k.report.add("MOD-1", "", Fail, "%v", err)
		return false
	}
	k.report.hold("MOD-1", "", "")
	before := len(k.report.Failed())
	imports := importProblem(info)
	if imports == "" && errs.ModuleUnknownImport.Is(err) {
		imports = err.Error() // of a module that is neither the contract's nor WASI's, or a function that WASI lacks
	}
	k.report.hold("IMP-1", "", imports)
	missing, differing := exportProblems(info)
	k.report.hold("EXP-1", "", missing)
	k.report.hold("EXP-2", "", differing)
	k.report.hold("MOD-4", "", manifestProblem(info))
	if len(k.report.Failed()) > before {
		return false
	}
	// What is left to object to is the memory or the manifest.
	clause := "MOD-2"
	if info.ManifestFrom == "section" && err != nil && strings.Contains(err.Error(), "manifest") {
		clause = "MAN-1"
		k.report.hold("MOD-2", "", "")
	}
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	return k.report.hold(clause, "", problem)
}

func importProblem(info *wasm.Info) string {
	for _, imp := range info.Imports {
		if !strings.HasPrefix(imp.Module, "ws1.") {
			continue // WASI's are known to the engine
		}
		want := signatureOf(abi.Imports(), imp.Module, imp.Name)
		if want == "" {
			return fmt.Sprintf("%s.%s is not in the contract", imp.Module, imp.Name)
		}
		if got := imp.Params + ">" + imp.Results; got != want {
			return fmt.Sprintf("%s.%s has the signature %s, not %s", imp.Module, imp.Name, got, want)
		}
	}
	return ""
}

func signatureOf(functions []abi.Function, module, name string) string {
	for _, f := range functions {
		if f.Module == module && f.Name == name {
			return f.Params + ">" + f.Results
		}
	}
	return ""
}

func exportProblems(info *wasm.Info) (missing, differing string) {
	var absent []string
	for _, want := range abi.Exports() {
		found := false
		for _, have := range info.Exports {
			if have.Name != want.Name {
				continue
			}
			found = true
			if have.Params != want.Params || have.Results != want.Results {
				differing = fmt.Sprintf("%s has the signature %s>%s, not %s>%s", want.Name, have.Params, have.Results, want.Params, want.Results)
			}
		}
		if !found && want.Required {
			absent = append(absent, want.Name)
		}
	}
	if i := slices.Index(absent, abi.ExportMarker); i >= 0 {
		absent[i] += " (the marker, by which a host knows a guest)"
	}
	if len(absent) > 0 {
		missing = "not exported: " + strings.Join(absent, ", ")
	}
	return missing, differing
}

func manifestProblem(info *wasm.Info) string {
	if info.ManifestFrom == "" {
		return "neither a custom section " + abi.ManifestSection + " nor an export " + abi.ExportDescribe
	}
	return ""
}

// dynamic holds what shows when the module runs.
func (k *kit) dynamic() {
	in, err := k.instantiate(newHost(nil))
	if !k.report.hold("LIFE-5", "", problemOf(err)) {
		return
	}
	in.Close()
	if !k.memory() || !k.life() {
		return
	}
	manifest := k.module.Manifest()
	k.topology(&manifest)
	for i := range manifest.Components {
		c := &component{kit: k, Component: &manifest.Components[i], input: corpus()}
		c.check()
	}
}

func (k *kit) instantiate(h *host) (*wasm.Instance, error) {
	return k.module.Instantiate(k.ctx, h, wasm.Limits{})
}

func problemOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// memory holds ws_reserve to MEM-1: the engine checks each answer, the kit asks for sizes.
func (k *kit) memory() bool {
	in, err := k.instantiate(newHost(nil))
	if err != nil {
		return k.report.hold("MEM-1", "", err.Error())
	}
	defer in.Close()
	for _, n := range []int{1, 8, 4096, 64 << 10, 1 << 20, 5_000_001, 8 << 20} {
		view, err := in.Reserve(n)
		if err != nil {
			return k.report.hold("MEM-1", "", fmt.Sprintf("ws_reserve for %d bytes: %v", n, err))
		}
		for i := range view {
			view[i] = 0xA5
		}
	}
	return k.report.hold("MEM-1", "", "")
}

// life holds the module to LIFE-1 to LIFE-4.
func (k *kit) life() bool {
	h := newHost(nil)
	in, err := k.instantiate(h)
	if err != nil {
		return k.report.hold("LIFE-1", "", err.Error())
	}
	defer func() { in.Close() }()
	unknown := abi.Component{Name: "no-such-component"}
	_, err = in.Open(openFrame(&unknown, false))
	problem := ""
	if !errors.Is(err, abi.NotFound) {
		problem = fmt.Sprintf("ws_open of a component that is not there: %s, want NOT_FOUND (-4)", outcome(err))
	}
	if !k.report.hold("LIFE-1", "", problem) {
		return false
	}
	if !k.report.hold("LIFE-3", "", unopenedProblem(in, h)) {
		return false
	}
	return k.handles()
}

// unopenedProblem asks handles that were never given.
func unopenedProblem(in *wasm.Instance, h *host) string {
	for _, handle := range []int32{0, 1, 1000, -1, -1 << 31, 1<<31 - 1} {
		if problem := refusalProblem(in, h, handle); problem != "" {
			return problem
		}
	}
	return ""
}

func refusalProblem(in *wasm.Instance, h *host, handle int32) string {
	h.beginCall(nil)
	_, err := process(in, handle, encode(nil, 0, &abi.Component{Wants: abi.WantAll}, shape{}))
	if !errors.Is(err, abi.InvalidArg) && !errors.Is(err, abi.Closed) {
		return fmt.Sprintf("ws_process with handle %d, which is not open: %s, want INVALID_ARG (-2) or CLOSED (-7)", handle, outcome(err))
	}
	return ""
}

func outcome(err error) string {
	if err == nil {
		return "went well"
	}
	return err.Error()
}

// handles opens every component twice and closes them: LIFE-2, LIFE-4, and MAN-2.
func (k *kit) handles() bool {
	manifest := k.module.Manifest()
	for i := range manifest.Components {
		c := &manifest.Components[i]
		h := newHost(c.Stores)
		in, err := k.instantiate(h)
		if err != nil {
			return k.report.hold("MAN-2", c.Name, err.Error())
		}
		ok := k.twice(in, h, c)
		in.Close()
		if !ok {
			return false
		}
	}
	return true
}

func (k *kit) twice(in *wasm.Instance, h *host, c *abi.Component) bool {
	first, err := in.Open(openFrame(c, false))
	if !k.report.hold("MAN-2", c.Name, openProblem(err, h)) {
		return false
	}
	second, err := in.Open(openFrame(c, false))
	if err == nil && first == second {
		err = fmt.Errorf("ws_open gave handle %d twice", first)
	}
	if !k.report.hold("LIFE-2", c.Name, openProblem(err, h)) {
		return false
	}
	_, err = in.Open(openFrame(c, true))
	if !k.report.hold("OPEN-2", c.Name, openProblem(err, h)) {
		return false
	}
	if err := in.CloseHandle(first, abi.CloseStop); err != nil {
		return k.report.hold("LIFE-4", c.Name, err.Error())
	}
	if !k.hasClose() {
		k.report.add("LIFE-4", c.Name, NotApplicable, "no export %s", abi.ExportClose)
		return true
	}
	return k.report.hold("LIFE-4", c.Name, refusalProblem(in, h, first))
}

func (k *kit) hasClose() bool {
	return slices.Contains(k.module.Exports(), abi.ExportClose)
}

func openProblem(err error, h *host) string {
	if err == nil {
		return ""
	}
	if h.lastErr != "" {
		return fmt.Sprintf("%v (%s)", err, h.lastErr)
	}
	return err.Error()
}

// openFrame is what a component is opened with; more adds keys that no version has.
func openFrame(c *abi.Component, more bool) []byte {
	frame := abi.AppendOpenHeader(nil)
	n := 0
	add := func(key, value string) {
		frame = abi.AppendPair(frame, key, value)
		n++
	}
	add(abi.OpenComponent, c.Name)
	add(abi.OpenApplicationID, "tck")
	add(abi.OpenTaskID, "0_3")
	add(abi.OpenNode, "node")
	add(abi.OpenMode, abi.ModeNormal)
	add(abi.OpenEpoch, "1")
	add(abi.OpenFeatures, "1")
	if more {
		add("x.later", "a key of a later version")
		frame = abi.AppendNullPair(frame, "x.null")
		n++
	}
	add(abi.OpenConfigPrefix+configKey, configValue)
	for _, child := range childNames {
		add(abi.OpenChild, child)
	}
	for _, store := range c.Stores {
		add(abi.OpenStore, store)
	}
	if c.Kind.Connect() {
		add(abi.OpenConnector, "tck")
		add(abi.OpenTask, "0")
		add(abi.OpenDirection, abi.ToConnect)
	}
	for i := range c.Config {
		if s := &c.Config[i]; !s.Optional {
			add(abi.OpenConfigPrefix+s.Name, settingValue(s))
		}
	}
	abi.FinishOpen(frame, 0, n)
	return frame
}

// process sends one frame.
func process(in *wasm.Instance, handle int32, frame []byte) ([]byte, error) {
	view, err := in.Reserve(len(frame))
	if err != nil {
		return nil, err
	}
	copy(view, frame)
	return in.Process(handle, len(frame))
}

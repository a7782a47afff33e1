package wasm

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestCheckAnswersForEveryPath: what is no regular file is not opened, and the answer is a code.
func TestCheckAnswersForEveryPath(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sparse := write("sparse", nil)
	if err := os.Truncate(sparse, 1<<40); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link, loop := filepath.Join(dir, "link"), filepath.Join(dir, "loop")
	if err := os.Symlink(write("good.wasm", guestBytes()), link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	e := testEngine(t, Config{Limits: CheckLimits(), Interpreter: true})
	for path, want := range map[string]*errs.Code{
		link: nil, dir: &errs.ModuleMissing, os.DevNull: &errs.ModuleMissing, "/dev/zero": &errs.ModuleMissing,
		socket: &errs.ModuleMissing, loop: &errs.ModuleMissing, sparse: &errs.ModuleTooLarge, "": &errs.ModuleMissing,
		filepath.Join(dir, "no\nthing"): &errs.ModuleMissing, dir + "/x\x00y": &errs.ModuleMissing,
		strings.Repeat("n", 10_000): &errs.ModuleMissing, filepath.Join(link, "below"): &errs.ModuleMissing,
		write("empty", nil): &errs.ModuleNotWasm, write("text", []byte("(module)")): &errs.ModuleNotWasm,
	} {
		_, err := e.CheckFile(t.Context(), path)
		if (err == nil) != (want == nil) || want != nil && !want.Is(err) {
			t.Errorf("%.100q: got %v, want %v", path, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q has several lines", err)
		}
	}
}

// TestCheckStartsAModule: what only shows when a module starts is refused with the code of what happened.
func TestCheckStartsAModule(t *testing.T) {
	describing := func(code []byte) []byte {
		return with(func(w *wmodule, _ map[string]*wfunc) {
			w.funcs = append(w.funcs, wfunc{params: "ii", results: "i", code: code, exports: []string{abi.ExportDescribe}})
		})
	}
	e := testEngine(t, Config{Limits: Limits{FuelPerFrame: 1_000_000, FuelMax: 1_000_000}})
	for name, c := range map[string]struct {
		wasm []byte
		want *errs.Code
	}{
		"a good one":                          {guestBytes(), nil},
		"a loop in _initialize":               {withCode(loopForever), &errs.GuestBudget},
		"a trap in _initialize":               {withCode(ops(opUnreachable)), &errs.GuestTrap},
		"a loop in ws_describe":               {describing(loopForever), &errs.GuestBudget},
		"an error of ws_describe":             {describing(i32c(-1)), &errs.GuestError},
		"a manifest of 2 GiB by ws_describe":  {describing(i32c(1<<31 - 1)), &errs.GuestContract},
		"_start, the marker, no _initialize":  {with(func(_ *wmodule, f map[string]*wfunc) { f[abi.ExportInitialize].exports = []string{"_start"} }), &errs.ModuleForbidden},
		"_start and _initialize, as Go might": {with(func(w *wmodule, _ map[string]*wfunc) { w.funcs = append(w.funcs, wfunc{exports: []string{"_start"}}) }), nil},
	} {
		info, err := e.Check(context.Background(), name, c.wasm)
		if (err == nil) != (c.want == nil) || c.want != nil && !c.want.Is(err) || info == nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

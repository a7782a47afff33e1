package wasm

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// CheckLimits are for a look at unknown modules: starting one may take as long as an honest Go program needs many times
// over, and not longer.
func CheckLimits() Limits { return Limits{FuelMax: 500_000_000, Wall: 2 * time.Second} }

// Check prepares a module fully, as it would be to run: it judges, meters and compiles it, makes an instance, runs
// _initialize and ws_describe if the module has them. What is wrong is a coded error. Info is nil for what is no module;
// else it is there also beside an error.
func (e *Engine) Check(ctx context.Context, name string, wasm []byte) (*Info, error) {
	info, err := Inspect(name, wasm)
	if err != nil {
		return info, err
	}
	m, err := e.Compile(ctx, name, wasm)
	if err != nil {
		return info, Coded(name, err)
	}
	defer m.Close()
	whole := m.Info()
	return &whole, Coded(name, m.start(ctx))
}

// start makes an instance and asks it for its manifest, if it has an export for it.
func (m *Module) start(ctx context.Context) error {
	in, err := m.instantiate(ctx, noHost{}, Limits{})
	if err != nil {
		return err
	}
	defer in.Close()
	if m.compiled.exported.describe {
		_, err = in.describe()
	}
	return err
}

// Coded gives an error of Compile, Instantiate or a call the code that users know it by; where is the module's file or
// name. An error that has a code stays as it is.
func Coded(where string, err error) error {
	if _, ok := errors.AsType[*errs.Error](err); ok || err == nil {
		return err
	}
	if trap, ok := errors.AsType[*TrapError](err); ok {
		return trap.Coded(where)
	}
	if answer, ok := errors.AsType[*CallError](err); ok {
		return errs.GuestError.New(where, answer.Error(), "")
	}
	return err
}

// CheckFile is Check of a file. It answers for every path.
func (e *Engine) CheckFile(ctx context.Context, path string) (*Info, error) {
	name := ShownPath(path)
	wasm, err := readFileAs(path, name)
	if err != nil {
		return nil, err
	}
	return e.Check(ctx, name, wasm)
}

// ShownPath is a path as it stands on one line of a terminal: as it is, or quoted if something in it is not printable.
func ShownPath(path string) string {
	if path == "" || !utf8.ValidString(path) {
		return strconv.QuoteToASCII(path)
	}
	for _, r := range path {
		if !unicode.IsPrint(r) {
			return strconv.QuoteToASCII(path)
		}
	}
	return path
}

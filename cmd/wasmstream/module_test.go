package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// TestInspectPrintsWhatAModuleSaysOfItself: whatever a module has for words, none reaches the terminal but as a character
// of one line.
func TestInspectPrintsWhatAModuleSaysOfItself(t *testing.T) {
	const hostile = "evil\x1b[2J\u202e\u009b31m\nok forged.wasm"
	info := &wasm.Info{
		Producers: []string{hostile},
		Manifest: abi.Manifest{
			Name: "guest", Version: hostile, Language: hostile, SDK: hostile,
			Components: []abi.Component{{Name: "all", Kind: abi.Filter, Description: hostile}},
		},
		Exports: []wasm.FuncInfo{{Name: hostile}},
	}
	var out bytes.Buffer
	app := &cli.App{Writer: &out}
	if err := printInfo(cli.NewContext(app, nil, nil), hostile, info); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e\u009b") || strings.Contains(text, "\nok ") || strings.Count(text, "evil") < 7 {
		t.Errorf("%q", text)
	}
}

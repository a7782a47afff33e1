package wasm

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// describeCommand is the command of a Describer that is this test binary.
func describeCommand(t testing.TB) []string {
	t.Helper()
	return []string{compileCommand(t)[0], describeArg}
}

const describedGuest = "../../examples/connect/connect.wasm"

func TestDescribeFileTellsWhatCompileTells(t *testing.T) {
	code, err := os.ReadFile(describedGuest)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEngine(t.Context(), DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	m, err := e.Compile(t.Context(), "connect.wasm", code)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := Description{Digest: m.Digest(), Manifest: m.Manifest()}
	cached := DefaultConfig()
	cached.CacheDir, cached.Compiler.Command = filepath.Join(t.TempDir(), "cache"), compileCommand(t)
	for _, c := range []struct {
		name    string
		config  Config
		command []string
	}{
		{"in this process", DefaultConfig(), nil},
		{"in a process of its own", cached, describeCommand(t)},
		{"from what is kept", cached, []string{filepath.Join(t.TempDir(), "no such program")}},
	} {
		got, err := NewDescriber(c.config, c.command).DescribeFile(t.Context(), "connect.wasm", describedGuest)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", c.name, got, err)
		}
	}
	tight := cached
	tight.Limits.MemoryBytes = pageSize
	if _, err := NewDescriber(tight, describeCommand(t)).DescribeFile(t.Context(), "connect.wasm", describedGuest); !errs.ModuleTooLarge.Is(err) {
		t.Errorf("what is kept passes a limit on memory: %v", err)
	}
}

func TestDescribeFileRefusesWhatCompileRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.wasm")
	if err := os.WriteFile(path, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, here := NewDescriber(DefaultConfig(), nil).DescribeFile(t.Context(), "bad.wasm", path)
	_, there := NewDescriber(DefaultConfig(), describeCommand(t)).DescribeFile(t.Context(), "bad.wasm", path)
	if here == nil || there == nil || here.Error() != there.Error() {
		t.Errorf("%v, in a process of its own %v", here, there)
	}
	if _, err := NewDescriber(DefaultConfig(), nil).DescribeFile(t.Context(), "none.wasm", path+".none"); !errs.ModuleMissing.Is(err) {
		t.Error(err)
	}
	if _, err := NewDescriber(DefaultConfig(), []string{"/dev/null"}).DescribeFile(t.Context(), "bad.wasm", path); !errs.ModuleManifest.Is(err) {
		t.Error(err)
	}
}

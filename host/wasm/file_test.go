package wasm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int64) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("\x00asm"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		path string
		want errs.Code
	}{
		{filepath.Join(dir, "none.wasm"), errs.ModuleMissing},
		{dir, errs.ModuleMissing},
		{os.DevNull, errs.ModuleMissing},
		{write("large.wasm", 1<<40), errs.ModuleTooLarge},
		{write("over.wasm", MaxModuleBytes+1), errs.ModuleTooLarge},
	} {
		if data, err := ReadFile(c.path); !c.want.Is(err) || data != nil {
			t.Errorf("%s: %d bytes, %v", c.path, len(data), err)
		}
	}
	if data, err := ReadFile(write("most.wasm", MaxModuleBytes)); err != nil || len(data) != MaxModuleBytes {
		t.Errorf("the largest module: %d bytes, %v", len(data), err)
	}
}

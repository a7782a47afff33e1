//go:build unix

package spec

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestPipeWithoutWriter: nobody writes to the pipe, and nobody waits for it.
func TestPipeWithoutWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errs.YAMLInvalid.Is(err) {
		t.Errorf("got %v, want %s", err, errs.YAMLInvalid.ID)
	}
}

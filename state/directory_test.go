package state

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
)

func TestDirectory(t *testing.T) {
	base := filepath.Join(t.TempDir(), "states")
	d, err := OpenDirectory(base, "app.1")
	noError(t, err)
	if want := filepath.Join(base, "app.1", "wasmstream"); d.Path() != want {
		t.Errorf("path %s, want %s", d.Path(), want)
	}
	if !isUUID(d.ProcessID()) {
		t.Errorf("process id %q", d.ProcessID())
	}
	if info, err := os.Stat(d.Path()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	other, err := OpenDirectory(base, "app.2")
	noError(t, err)
	if other.ProcessID() == d.ProcessID() {
		t.Error("two applications share a process id")
	}
	noError(t, other.Close())
	id := d.ProcessID()
	noError(t, d.Close())
	noError(t, d.Close())
	d, err = OpenDirectory(base, "app.1")
	noError(t, err)
	if d.ProcessID() != id {
		t.Errorf("process id %q became %q", id, d.ProcessID())
	}
	noError(t, d.Close())
}

func TestDirectoryLocked(t *testing.T) {
	base := t.TempDir()
	d, err := OpenDirectory(base, "app")
	noError(t, err)
	defer d.Close()
	for name, open := range map[string]func() error{
		"open":  func() error { _, err := OpenDirectory(base, "app"); return err },
		"clean": func() error { return CleanDirectory(base, "app") },
	} {
		err := open()
		want := fmt.Sprintf("process %d", os.Getpid())
		if !errs.StateLocked.Is(err) || !strings.Contains(err.Error(), d.Path()) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDirectoryIdentityDamaged(t *testing.T) {
	base := t.TempDir()
	for _, content := range []string{"", "{", `{"processId":""}`, `{"processId":"../../x"}`} {
		d, err := OpenDirectory(base, "app")
		noError(t, err)
		noError(t, d.Close())
		noError(t, os.WriteFile(filepath.Join(d.Path(), identityFile), []byte(content), 0o600))
		again, err := OpenDirectory(base, "app")
		noError(t, err)
		if !isUUID(again.ProcessID()) || again.ProcessID() == d.ProcessID() {
			t.Errorf("%q: process id %q", content, again.ProcessID())
		}
		noError(t, again.Close())
	}
}

func TestCleanDirectory(t *testing.T) {
	base := t.TempDir()
	noError(t, CleanDirectory(base, "never"))
	if _, err := os.Stat(filepath.Join(base, "never")); err == nil {
		t.Error("cleaning made a folder")
	}
	d, err := OpenDirectory(base, "app")
	noError(t, err)
	db, err := OpenDB(d.DatabasePath(), Options{ApplicationID: "app"})
	noError(t, err)
	noError(t, db.Close())
	kafkas := filepath.Join(base, "app", "0_0")
	noError(t, os.Mkdir(kafkas, 0o700))
	noError(t, d.Close())
	noError(t, CleanDirectory(base, "app"))
	if _, err := os.Stat(d.DatabasePath()); err == nil {
		t.Error("the database is still there")
	}
	if _, err := os.Stat(kafkas); err != nil {
		t.Error("what is not ours was deleted")
	}
	again, err := OpenDirectory(base, "app")
	noError(t, err)
	defer again.Close()
	if again.ProcessID() == d.ProcessID() {
		t.Error("the process id outlived the clean")
	}
}

func TestDirectoryRefused(t *testing.T) {
	base := t.TempDir()
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a b", "é"} {
		if _, err := OpenDirectory(base, id); !errs.ConfigInvalid.Is(err) {
			t.Errorf("application id %q: %v", id, err)
		}
	}
	file := filepath.Join(base, "file")
	noError(t, os.WriteFile(file, nil, 0o600))
	if _, err := OpenDirectory(file, "app"); !errs.StateUnusable.Is(err) {
		t.Errorf("a state.dir that is a file: %v", err)
	}
}

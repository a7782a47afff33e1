//go:build unix

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// TestAllowedPaths attacks allowed.paths by names, by links and by what is no file. What is refused has no value, or is an error that does
// not say what is there.
func TestAllowedPaths(t *testing.T) {
	dir := t.TempDir()
	in, out, evil := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "in-evil")
	for _, d := range []string{in, out, evil, filepath.Join(in, "..2026")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, path string) {
		t.Helper()
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(in, "ok"), "k=inside")
	put(filepath.Join(in, "..2026", "ok"), "k=mounted")
	put(filepath.Join(out, "s"), "k=STOLEN")
	put(filepath.Join(evil, "s"), "k=STOLEN")
	put(filepath.Join(in, "large"), "k="+strings.Repeat("x", 17<<20))
	link("..2026", filepath.Join(in, "..data")) // as Kubernetes mounts a secret
	link("..data/ok", filepath.Join(in, "mounted"))
	link("../out/s", filepath.Join(in, "link"))
	link(filepath.Join(out, "s"), filepath.Join(in, "absolute"))
	link("../out", filepath.Join(in, "folder"))
	if err := syscall.Mkfifo(filepath.Join(in, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	allowed := config.PropsOf(map[string]string{"allowed.paths": in})
	for _, tt := range []struct {
		provider   config.Provider
		path, key  string
		want, fail string
	}{
		{&config.FileProvider{}, in + "/ok", "k", "inside", ""},
		{&config.FileProvider{}, in + "/../in/ok", "k", "inside", ""},
		{&config.FileProvider{}, in + "/mounted", "k", "mounted", ""},
		{&config.FileProvider{}, in + "/../out/s", "k", "", ""},
		{&config.FileProvider{}, evil + "/s", "k", "", ""},
		{&config.FileProvider{}, "in/ok", "k", "", ""},
		{&config.FileProvider{}, in + "/link", "k", "", "Could not read properties"},
		{&config.FileProvider{}, in + "/absolute", "k", "", "Could not read properties"},
		{&config.FileProvider{}, in + "/folder/s", "k", "", "Could not read properties"},
		{&config.FileProvider{}, in + "/pipe", "k", "", "Could not read properties"},
		{&config.FileProvider{}, in, "k", "", "Could not read properties"},
		{&config.FileProvider{}, in + "/large", "k", "", "Could not read properties"},
		{&config.DirectoryProvider{}, in, "ok", "k=inside", ""},
		{&config.DirectoryProvider{}, in, "mounted", "k=mounted", ""},
		{&config.DirectoryProvider{}, in + "/..data", "ok", "k=mounted", ""},
		{&config.DirectoryProvider{}, in, "../out/s", "", ""},
		{&config.DirectoryProvider{}, in + "/folder", "s", "", ""},
		{&config.DirectoryProvider{}, in, "link", "", "Could not read file"},
		{&config.DirectoryProvider{}, in, "pipe", "", ""},
		{&config.DirectoryProvider{}, in, "folder", "", "Could not read file"},
	} {
		if err := tt.provider.Configure(allowed); err != nil {
			t.Fatal(err)
		}
		got, err := tt.provider.Get(tt.path, []string{tt.key})
		failed := err != nil && strings.Contains(err.Error(), tt.fail) && fault.Config.Is(err) && !strings.Contains(fault.Trace(err), "STOLEN")
		if got.Data[tt.key] != tt.want || failed != (tt.fail != "") || err != nil && !failed {
			t.Errorf("%T %s %s: %q, %v", tt.provider, tt.path, tt.key, got.Data[tt.key], err)
		}
	}
}

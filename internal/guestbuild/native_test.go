package guestbuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Guests bring unit tests that run natively, each in a module or crate of its own, which go test ./... does not reach.
func TestUnitTestsOfGuests(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range Guests() {
		switch {
		case g.Language == Go:
			t.Run(g.Name, func(t *testing.T) { runTests(t, filepath.Join(root, g.Dir), nil, "go", "test", "./...") })
		case g.Language == Rust && !testing.Short():
			target := "CARGO_TARGET_DIR=" + filepath.Join(root, ".cache", "rust-native")
			t.Run(g.Name, func(t *testing.T) { runTests(t, filepath.Join(root, g.Dir), []string{target}, "cargo", "test", "-q") })
		}
	}
}

func runTests(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}

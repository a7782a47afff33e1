package guestbuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestMinimumRust: the SDK for Rust passes its tests with the compiler that it says is the oldest (with and without std
// it builds), and the guests that say the same build. rustup fetches the compiler.
func TestMinimumRust(t *testing.T) {
	if testing.Short() {
		return
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	sdk := filepath.Join(root, "guest-sdk", "rust")
	oldest := rustVersion(t, sdk)
	target := []string{"CARGO_TARGET_DIR=" + filepath.Join(root, ".cache", "rust-"+oldest)}
	cargo := func(dir string, args ...string) {
		runTests(t, dir, target, "rustup", append([]string{"run", "--install", oldest, "cargo"}, args...)...)
	}
	cargo(sdk, "test", "-q")
	cargo(sdk, "check", "-q", "--no-default-features")
	for _, g := range Guests() {
		if dir := filepath.Join(root, g.Dir); g.Language == Rust {
			if v := rustVersion(t, dir); v != oldest {
				t.Errorf("%s: rust-version is %s, that of the SDK %s", g.Name, v, oldest)
			}
			cargo(dir, "check", "-q", "--tests")
		}
	}
}

// rustVersion is the oldest compiler that a crate says it needs.
func rustVersion(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "Cargo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^rust-version = "(.*)"$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s does not say which compiler it needs", dir)
	}
	return string(m[1])
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

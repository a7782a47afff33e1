package guestbuild

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// write makes files under dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const goMain = "package main\n\n//go:wasmexport ws_abi_v1\nfunc abi() int32 { return 1 }\n\nfunc main() {}\n"

func TestDetect(t *testing.T) {
	for file, want := range map[string]Language{"go.mod": Go, "Cargo.toml": Rust, "guest.c": C} {
		dir := t.TempDir()
		write(t, dir, map[string]string{file: "", "README.md": ""})
		if got, err := Detect(dir); got != want || err != nil {
			t.Errorf("a folder with %s is %q (%v), want %q", file, got, err, want)
		}
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		if got, err := Detect(dir); !errs.BuildUnknownLanguage.Is(err) {
			t.Errorf("%s is %q (%v), want %s", dir, got, err, errs.BuildUnknownLanguage.ID)
		}
	}
}

func TestBuildNamesTheModuleAfterItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop", "go")
	write(t, dir, map[string]string{"go.mod": "module shop\n\ngo 1.24\n", "main.go": goMain})
	r, err := Build(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(dir, "shop.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if string(module[:4]) != "\x00asm" || r.Size != int64(len(module)) || r.Digest != digestOf(module) || !strings.HasPrefix(r.Toolchain, "go 1.") {
		t.Errorf("got %+v for a module of %d bytes with digest %s", r, len(module), digestOf(module))
	}
}

// TestBuildBringsTheHeader compiles a guest in C with no guest-sdk in the folders above it.
func TestBuildBringsTheHeader(t *testing.T) {
	source, err := os.ReadFile("../../guest-sdk/c/testdata/probe.c")
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for range 2 {
		dir := t.TempDir()
		write(t, dir, map[string]string{"probe.c": string(source)})
		r, err := Build(t.Context(), Options{Dir: dir, Out: filepath.Join(dir, "probe.wasm"), Debug: false})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, r.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("the module depends on where it was built: %v", digests)
	}
}

func TestBuildShowsTheCompilersWords(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"go.mod": "module broken\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() { undefinedName() }\n"})
	_, err := Build(t.Context(), Options{Dir: dir, Out: filepath.Join(dir, "out.wasm")})
	if !errs.BuildFailed.Is(err) {
		t.Fatalf("got %v, want %s", err, errs.BuildFailed.ID)
	}
	if detail := err.(*errs.Error).Detail; !strings.Contains(detail, "undefinedName") {
		t.Errorf("the detail does not hold the compiler's message:\n%s", detail)
	}
	if _, err := os.Stat(filepath.Join(dir, "out.wasm")); !os.IsNotExist(err) {
		t.Errorf("a failed build left a file (%v)", err)
	}
}

func TestMissingToolchainNamesThePackage(t *testing.T) {
	for _, c := range []struct {
		file, pkg string
	}{{"go.mod", "golang-go"}, {"Cargo.toml", "rustup"}, {"guest.c", "clang-19 lld-19"}} {
		dir := t.TempDir()
		write(t, dir, map[string]string{c.file: ""})
		t.Setenv("PATH", dir)
		_, err := Build(context.Background(), Options{Dir: dir})
		if !errs.BuildNoToolchain.Is(err) || !strings.Contains(err.Error(), c.pkg) {
			t.Errorf("%s without a toolchain: got %v, want %s that names %s", c.file, err, errs.BuildNoToolchain.ID, c.pkg)
		}
	}
}

func TestGuestsOfThisRepositoryAreWhereTheySay(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range Guests() {
		if got, err := Detect(filepath.Join(root, g.Dir)); got != g.Language || err != nil {
			t.Errorf("%s: %s is %q (%v), want %q", g.Name, g.Dir, got, err, g.Language)
		}
	}
}

func TestCommittedModulesAreCurrent(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(t.Context(), root); err != nil {
		t.Error(err)
	}
}

// home is a repository with one small guest and its module.
func home(t *testing.T) (root string, g Guest) {
	t.Helper()
	root = t.TempDir()
	g = Guest{Name: "tiny-go", Language: Go, Dir: "examples/tiny/go", Committed: "examples/tiny/tiny.wasm"}
	write(t, root, map[string]string{
		"examples/tiny/go/go.mod":  "module tiny\n\ngo 1.24\n",
		"examples/tiny/go/main.go": goMain,
		"guest-sdk/go/sdk.go":      "package sdk\n",
	})
	t.Setenv(CacheEnv, filepath.Join(root, "cache"))
	return root, g
}

func TestEnsureBuildsWhatChanged(t *testing.T) {
	root, g := home(t)
	ensure := func(why string, fresh bool) Built {
		b, err := g.Ensure(t.Context(), root, CacheDir(root))
		if err != nil {
			t.Fatal(err)
		}
		if b.Fresh != fresh {
			t.Errorf("%s: built %v, want %v", why, b.Fresh, fresh)
		}
		return b
	}
	first := ensure("the first time", true)
	ensure("nothing changed", false)
	write(t, root, map[string]string{"examples/tiny/go/main_test.go": "package main\n", "examples/tiny/go/README.md": "words"})
	ensure("only a test and words changed", false)
	write(t, root, map[string]string{"guest-sdk/go/sdk.go": "package sdk\n\nconst A = 1\n"})
	second := ensure("the SDK changed", true)
	if first.Digest != second.Digest {
		t.Error("the same source gave another module")
	}
	write(t, root, map[string]string{"cache/tiny-go.wasm": "cut off"})
	ensure("the cached module is broken", true)
}

func TestCheckSeesWhatIsStale(t *testing.T) {
	root, g := home(t)
	built, err := g.update(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	manifest := Manifest{Modules: []Built{built}}
	module, err := os.ReadFile(filepath.Join(root, g.Committed))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := g.check(t.Context(), root, manifest); err != nil || !c.Rebuilt {
		t.Fatalf("a current module: rebuilt %v, %v", c.Rebuilt, err)
	}
	stale := func(why string, m Manifest) {
		if _, err := g.check(t.Context(), root, m); !errs.BuildStale.Is(err) {
			t.Errorf("%s: got %v, want %s", why, err, errs.BuildStale.ID)
		}
	}
	stale("not in the manifest", Manifest{})
	write(t, root, map[string]string{g.Committed: "not the module"})
	stale("another module", manifest)
	other := manifest.Modules[0]
	other.Digest = digestOf([]byte("not the module"))
	stale("a module of other bytes than its source gives", Manifest{Modules: []Built{other}})
	write(t, root, map[string]string{g.Committed: string(module), "examples/tiny/go/main.go": goMain + "\nvar changed int\n"})
	stale("changed source", manifest)
}

func TestCheckLeavesOtherToolchainsAlone(t *testing.T) {
	root, g := home(t)
	b, err := g.update(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	b.Toolchain = "go 0.9"
	c, err := g.check(t.Context(), root, Manifest{Modules: []Built{b}})
	if err != nil || c.Rebuilt || !strings.Contains(c.Why, "go 0.9") {
		t.Errorf("got rebuilt %v (%q), %v", c.Rebuilt, c.Why, err)
	}
}

// recorder is a TB that notes how a test would fail.
type recorder struct{ failed string }

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	text, _ := json.Marshal(args)
	r.failed = format + string(text)
}

func TestLoad(t *testing.T) {
	if module := Load(t, "wordcount-go"); len(module) < 4 || string(module[:4]) != "\x00asm" {
		t.Errorf("wordcount-go is not a module")
	}
	var r recorder
	Load(&r, "wordcount-cobol")
	if r.failed == "" {
		t.Error("an unknown guest did not fail the test")
	}
}

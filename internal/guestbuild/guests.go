package guestbuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// CacheEnv names the environment variable with the folder for modules that only tests need; by default it is
// .cache/guests in the repository.
const CacheEnv = "WASMSTREAM_GUESTS_DIR"

// Guest is a guest of this repository. Its paths are relative to the repository's root, with slashes.
type Guest struct {
	Name     string // as Load knows it, "wordcount-go"
	Language Language
	Dir      string
	// Committed is the module that is kept in the repository, "" if there is none.
	Committed string
}

// Guests lists the guests of this repository.
func Guests() []Guest {
	return []Guest{
		{Name: "hello-c", Language: C, Dir: "examples/hello/c", Committed: "examples/hello/hello.wasm"},
		{Name: "hello-go", Language: Go, Dir: "examples/hello/go"},
		{Name: "hello-rust", Language: Rust, Dir: "examples/hello/rust"},
		{Name: "wordcount-c", Language: C, Dir: "examples/wordcount/c", Committed: "examples/wordcount/wordcount.wasm"},
		{Name: "wordcount-go", Language: Go, Dir: "examples/wordcount/go"},
		{Name: "wordcount-rust", Language: Rust, Dir: "examples/wordcount/rust"},
		{Name: "mapvalues-c", Language: C, Dir: "examples/mapvalues/c", Committed: "examples/mapvalues/mapvalues.wasm"},
		{Name: "mapvalues-go", Language: Go, Dir: "examples/mapvalues/go"},
		{Name: "mapvalues-go-stdlib", Language: Go, Dir: "examples/mapvalues/go-stdlib"},
		{Name: "mapvalues-rust", Language: Rust, Dir: "examples/mapvalues/rust"},
		{Name: "pageviews-c", Language: C, Dir: "examples/pageviews/c", Committed: "examples/pageviews/pageviews.wasm"},
		{Name: "pageviews-rust", Language: Rust, Dir: "examples/pageviews/rust"},
		{Name: "fraud-c", Language: C, Dir: "examples/fraud/c", Committed: "examples/fraud/fraud.wasm"},
		{Name: "fraud-go", Language: Go, Dir: "examples/fraud/go"},
		{Name: "orders-c", Language: C, Dir: "examples/orders/c", Committed: "examples/orders/orders.wasm"},
		{Name: "deduplicate-c", Language: C, Dir: "examples/deduplicate/c", Committed: "examples/deduplicate/deduplicate.wasm"},
		{Name: "deduplicate-rust", Language: Rust, Dir: "examples/deduplicate/rust"},
		{Name: "alert-c", Language: C, Dir: "examples/alert/c", Committed: "examples/alert/alert.wasm"},
		{Name: "alert-go", Language: Go, Dir: "examples/alert/go"},
		{Name: "finalresults-c", Language: C, Dir: "examples/finalresults/c", Committed: "examples/finalresults/finalresults.wasm"},
		{Name: "topology-c", Language: C, Dir: "examples/topology/c", Committed: "examples/topology/topology.wasm"},
		{Name: "topology-go", Language: Go, Dir: "examples/topology/go"},
		{Name: "topology-rust", Language: Rust, Dir: "examples/topology/rust"},
		{Name: "everything-c", Language: C, Dir: "guest-sdk/c/testdata/topology", Committed: "guest-sdk/c/testdata/topology/everything.wasm"},
		{Name: "events-c", Language: C, Dir: "internal/bench/guests/c", Committed: "internal/bench/guests/events.wasm"},
		{Name: "connect-c", Language: C, Dir: "examples/connect/c", Committed: "examples/connect/connect.wasm"},
		{Name: "connect-go", Language: Go, Dir: "examples/connect/go"},
		{Name: "connect-rust", Language: Rust, Dir: "examples/connect/rust"},
		{Name: "rows-c", Language: C, Dir: "internal/guestbuild/testdata/rows/c", Committed: "internal/guestbuild/testdata/rows/rows.wasm"},
		{Name: "rows-go", Language: Go, Dir: "internal/guestbuild/testdata/rows/go"},
		{Name: "rows-rust", Language: Rust, Dir: "internal/guestbuild/testdata/rows/rust"},
		{Name: "hostile-connect-c", Language: C, Dir: "host/connect/guest/testdata/guests", Committed: "host/connect/guest/testdata/guests/hostile.wasm"},
		{Name: "subjects-c", Language: C, Dir: "cmd/wasmstream/testdata/guests/subjects", Committed: "cmd/wasmstream/testdata/guests/subjects.wasm"},
		{Name: "hostile-c", Language: C, Dir: "host/stream/testdata/guests", Committed: "host/stream/testdata/guests/hostile.wasm"},
	}
}

// Root is the root of the repository that holds the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module github.com/wasmstream/wasmstream\n") {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("finding the repository: the working directory is not in it")
		}
		dir = up
	}
}

// SourceDigest is one digest over everything that the guest's module is made of: its folder and the SDK, without
// tests and products.
func (g Guest) SourceDigest(root string) (string, error) {
	sum := sha256.New()
	for _, dir := range []string{g.Dir, "guest-sdk/" + string(g.Language)} {
		files, err := sourceFiles(filepath.Join(root, filepath.FromSlash(dir)))
		if err != nil {
			return "", fmt.Errorf("reading the source of %s: %w", g.Name, err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				return "", fmt.Errorf("reading the source of %s: %w", g.Name, err)
			}
			rel, _ := filepath.Rel(root, f)
			fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(rel), len(data))
			sum.Write(data)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// sourceFiles lists the files under dir, in order, that a compiler reads.
func sourceFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch name := ""; {
		case err != nil:
			return err
		case path == dir:
			return nil
		default:
			name = d.Name()
			if d.IsDir() && (name == "target" || name == "testdata" || name == "tests" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			if d.Type().IsRegular() && isSource(name) {
				files = append(files, path)
			}
			return nil
		}
	})
	slices.Sort(files)
	return files, err
}

func isSource(name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	switch filepath.Ext(name) {
	case ".go", ".mod", ".sum", ".rs", ".toml", ".lock", ".c", ".h":
		return true
	}
	return false
}

// Built is what is known of a module that was built: the entry of the manifest, and what lies beside a cached module.
type Built struct {
	// Module is the file, relative to the folder of the manifest.
	Module string `json:"module"`
	// Guest is the folder with its source, relative to the folder of the manifest.
	Guest string `json:"guest"`
	// Source is Guest.SourceDigest as the module was built, Digest that of the module.
	Source    string `json:"source"`
	Toolchain string `json:"toolchain"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	// Fresh says that this call built it. It is not kept.
	Fresh bool `json:"-"`
}

// CacheDir is where modules that only tests need are kept.
func CacheDir(root string) string {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return dir
	}
	return filepath.Join(root, ".cache", "guests")
}

// Ensure builds the guest into dir unless a module of the same source and toolchain is there, and returns what is
// there: <name>.wasm, with its Built in <name>.json. Several processes may call it at once.
func (g Guest) Ensure(ctx context.Context, root, dir string) (Built, error) {
	source, err := g.SourceDigest(root)
	if err != nil {
		return Built{}, err
	}
	toolchain, err := Toolchain(ctx, g.Language)
	if err != nil {
		return Built{}, fmt.Errorf("building the guest %s: %w", g.Name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Built{}, fmt.Errorf("making the folder for guests: %w", err)
	}
	lock := flock.New(filepath.Join(dir, g.Name+".lock"))
	if err := lock.Lock(); err != nil {
		return Built{}, fmt.Errorf("locking the guest %s: %w", g.Name, err)
	}
	defer lock.Unlock()
	if b, ok := g.cached(dir); ok && b.Source == source && b.Toolchain == toolchain {
		return b, nil
	}
	return g.build(ctx, root, dir, source)
}

// cached is the module in dir, if it is whole.
func (g Guest) cached(dir string) (b Built, ok bool) {
	note, err := os.ReadFile(filepath.Join(dir, g.Name+".json"))
	if err != nil || json.Unmarshal(note, &b) != nil {
		return Built{}, false
	}
	module, err := os.ReadFile(filepath.Join(dir, b.Module))
	return b, err == nil && digestOf(module) == b.Digest
}

// build compiles into dir and notes what came of it.
func (g Guest) build(ctx context.Context, root, dir, source string) (Built, error) {
	path := filepath.Join(dir, g.Name+".wasm")
	r, err := Build(ctx, Options{
		Dir:     filepath.Join(root, filepath.FromSlash(g.Dir)),
		Out:     path,
		WorkDir: filepath.Join(dir, "work-"+string(g.Language)),
	})
	if err != nil {
		return Built{}, fmt.Errorf("building the guest %s: %w", g.Name, err)
	}
	b := Built{
		Module: g.Name + ".wasm", Guest: g.Dir, Source: source, Toolchain: r.Toolchain, Digest: r.Digest, Size: r.Size,
		Fresh: true,
	}
	note, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return Built{}, fmt.Errorf("writing down the guest %s: %w", g.Name, err)
	}
	return b, writeWhole(filepath.Join(dir, g.Name+".json"), note)
}

// TB is the part of testing.TB that Load needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Load returns the module of a guest by its name, built if need be; the caller owns the bytes. A committed module is
// taken as it is while its source has not changed, so that it needs no toolchain. Where a toolchain is missing the
// test fails with the command that installs it.
func Load(t TB, name string) []byte {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatalf("%v", err)
	}
	module, err := load(context.Background(), root, name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return module
}

func load(ctx context.Context, root, name string) ([]byte, error) {
	i := slices.IndexFunc(Guests(), func(g Guest) bool { return g.Name == name })
	if i < 0 {
		return nil, errs.BuildUnknownLanguage.New(name, "this repository has no guest of that name", "use a name of guestbuild.Guests")
	}
	g := Guests()[i]
	if module, ok := g.committed(root); ok {
		return module, nil
	}
	dir := CacheDir(root)
	b, err := g.Ensure(ctx, root, dir)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, b.Module))
}

// committed is the module in the repository, if it is that of the source.
func (g Guest) committed(root string) (module []byte, ok bool) {
	if g.Committed == "" {
		return nil, false
	}
	m, err := ReadManifest(root)
	if err != nil {
		return nil, false
	}
	entry, ok := m.entry(g)
	source, err := g.SourceDigest(root)
	if !ok || err != nil || source != entry.Source {
		return nil, false
	}
	module, err = os.ReadFile(filepath.Join(root, filepath.FromSlash(g.Committed)))
	return module, err == nil && digestOf(module) == entry.Digest
}

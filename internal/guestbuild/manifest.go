package guestbuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// manifestDir is the folder whose manifest.json names the committed modules.
const manifestDir = "examples"

// Manifest says of each committed module what it was built from, with what, and what came out.
type Manifest struct {
	Modules []Built `json:"modules"`
}

// ReadManifest reads examples/manifest.json under root.
func ReadManifest(root string) (Manifest, error) {
	var m Manifest
	data, err := os.ReadFile(filepath.Join(root, manifestDir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("reading the manifest of the committed modules: %w", err)
	}
	return m, nil
}

func (m Manifest) entry(g Guest) (Built, bool) {
	i := slices.IndexFunc(m.Modules, func(b Built) bool { return path.Join(manifestDir, b.Module) == g.Committed })
	if i < 0 {
		return Built{}, false
	}
	return m.Modules[i], true
}

// Checked is what Check found of one committed module that is current.
type Checked struct {
	Built
	// Rebuilt: the toolchain here is the one that the module was built with, and gave the same bytes. Otherwise Why
	// says why it was not compared.
	Rebuilt bool
	Why     string
}

// Check proves that the committed modules are those of their source: the manifest's digest of the source is that of
// the files, its digest of the module that of the module, and where the toolchain of the manifest is installed a new
// build gives the same bytes. It reports all modules that are not, with the code BuildStale.
func Check(ctx context.Context, root string) ([]Checked, error) {
	m, err := ReadManifest(root)
	if err != nil {
		return nil, err
	}
	var good []Checked
	var faults []error
	for _, g := range Guests() {
		if g.Committed == "" {
			continue
		}
		c, err := g.check(ctx, root, m)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		good = append(good, c)
	}
	return good, errors.Join(faults...)
}

func (g Guest) check(ctx context.Context, root string, m Manifest) (Checked, error) {
	stale := func(what string) error { return errs.BuildStale.New(g.Committed, what, "") }
	entry, ok := m.entry(g)
	if !ok {
		return Checked{}, stale("the manifest does not name it")
	}
	source, err := g.SourceDigest(root)
	if err != nil {
		return Checked{}, err
	}
	module, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(g.Committed)))
	switch {
	case err != nil:
		return Checked{}, fmt.Errorf("reading a committed module: %w", err)
	case source != entry.Source:
		return Checked{}, stale("its source in " + g.Dir + " or the SDK has changed since it was built")
	case digestOf(module) != entry.Digest:
		return Checked{}, stale("it is not the file that the manifest names (got " + digestOf(module) + ", want " + entry.Digest + ")")
	}
	return g.compare(ctx, root, entry)
}

// compare builds the module again where the toolchain is the same.
func (g Guest) compare(ctx context.Context, root string, entry Built) (Checked, error) {
	c := Checked{Built: entry}
	here, err := Toolchain(ctx, g.Language)
	if err != nil {
		c.Why = "its toolchain is not installed here"
		return c, nil
	}
	if here != entry.Toolchain {
		c.Why = "built with " + entry.Toolchain + ", here is " + here
		return c, nil
	}
	b, err := g.Ensure(ctx, root, CacheDir(root))
	if err != nil {
		return c, err
	}
	if b.Digest != entry.Digest {
		return c, errs.BuildStale.New(g.Committed, "a new build with the same toolchain gives other bytes (got "+b.Digest+", want "+entry.Digest+")", "")
	}
	c.Rebuilt = true
	return c, nil
}

// Update builds the committed modules anew and writes the manifest.
func Update(ctx context.Context, root string) ([]Built, error) {
	var m Manifest
	for _, g := range Guests() {
		if g.Committed == "" {
			continue
		}
		b, err := g.update(ctx, root)
		if err != nil {
			return nil, err
		}
		m.Modules = append(m.Modules, b)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return m.Modules, writeWhole(filepath.Join(root, manifestDir, "manifest.json"), append(data, '\n'))
}

func (g Guest) update(ctx context.Context, root string) (Built, error) {
	dir := CacheDir(root)
	b, err := g.Ensure(ctx, root, dir)
	if err != nil {
		return Built{}, err
	}
	module, err := os.ReadFile(filepath.Join(dir, b.Module))
	if err != nil {
		return Built{}, fmt.Errorf("reading a built module: %w", err)
	}
	b.Module, b.Guest = besideManifest(g.Committed), besideManifest(g.Dir)
	return b, writeWhole(filepath.Join(root, filepath.FromSlash(g.Committed)), module)
}

// besideManifest is a path of the repository as seen from the manifest's folder, which lies in the root.
func besideManifest(name string) string {
	if inside, ok := strings.CutPrefix(name, manifestDir+"/"); ok {
		return inside
	}
	return "../" + name
}

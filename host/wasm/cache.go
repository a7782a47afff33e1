package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// codeDir is the part of the cache directory for code that this metering pass wrote. Below it wazero keeps a folder for
// each of its own versions and platforms, and in it a file for each metered module, by the hash of its bytes.
func codeDir(dir string) string { return filepath.Join(dir, fmt.Sprintf("metered-v%d", meterVersion)) }

// openCache opens the directory of compiled code, or returns nil if none is configured.
func openCache(config Config) (wazero.CompilationCache, error) {
	if config.CacheDir == "" || config.Interpreter {
		return nil, nil
	}
	dir := codeDir(config.CacheDir)
	for _, d := range []string{config.CacheDir, dir} {
		if err := ownDir(d); err != nil {
			return nil, fmt.Errorf("opening the cache of compiled modules: %w", err)
		}
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cache of compiled modules: %w", err)
	}
	return cache, nil
}

// ownDir makes a directory that only its owner may enter, and refuses one that others may write to: what lies there is
// run as machine code.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	const writableByOthers = 0o022
	if runtime.GOOS != "windows" && info.Mode().Perm()&writableByOthers != 0 {
		return fmt.Errorf("%s may be written to by others (mode %v): %w", dir, info.Mode().Perm(), fs.ErrPermission)
	}
	return nil
}

// cacheNote is a line for people beside the cached code: which module a file belongs to.
type cacheNote struct {
	Digest   string    `json:"digest"`
	Name     string    `json:"name,omitempty"`
	Version  string    `json:"version,omitempty"`
	Size     int       `json:"size"`
	Wazero   string    `json:"wazero"`
	Metering int       `json:"metering"`
	Compiled time.Time `json:"compiled"`
}

// noteCached writes the note of a module. It is for people only, so that it cannot be written is not an error.
func (e *Engine) noteCached(c *compiled) {
	if e.cache == nil || e.config.CacheDir == "" {
		return
	}
	path := filepath.Join(codeDir(e.config.CacheDir), c.digest[len("sha256:"):]+".json")
	if _, err := os.Stat(path); err == nil {
		return
	}
	note, err := json.Marshal(cacheNote{
		Digest: c.digest, Name: c.info.Manifest.Name, Version: c.info.Manifest.Version, Size: c.size,
		Wazero: wazeroVersion(), Metering: meterVersion, Compiled: time.Now().UTC(),
	})
	if err == nil {
		err = os.WriteFile(path, append(note, '\n'), 0o600)
	}
	if err != nil {
		e.config.Logger.Warn("noting a cached module", slog.String("digest", c.digest), slog.Any("error", err))
	}
}

func wazeroVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				return dep.Version
			}
		}
	}
	return "unknown"
}

func (e *Engine) workers() int {
	if e.config.Workers > 0 {
		return e.config.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// readManifest parses the manifest: from its custom sections, else by asking the module.
func (e *Engine) readManifest(ctx context.Context, name string, m *module, c *compiled) error {
	text := manifestSection(m)
	if text == nil {
		if !c.exported.describe {
			return errs.ModuleManifest.New(name, fmt.Sprintf("the module has neither a custom section %s nor an export %s", abi.ManifestSection, abi.ExportDescribe), "")
		}
		var err error
		if text, err = e.askManifest(ctx, name, c); err != nil {
			return errs.ModuleManifest.New(name, "asking the module for its manifest failed", "").WithCause(err)
		}
	}
	manifest, err := abi.ParseManifest(text)
	if err != nil {
		return errs.ModuleManifest.New(name, "the manifest does not keep the rules", "").WithCause(err)
	}
	c.info.Manifest = manifest
	return nil
}

// askManifest runs ws_describe on an instance of its own.
func (e *Engine) askManifest(ctx context.Context, name string, c *compiled) (text []byte, err error) {
	mod := &Module{engine: e, name: name, compiled: c}
	in, err := mod.instantiate(ctx, noHost{}, Limits{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return in.describe()
}

func errJoinClose(err, closing error) error { return errors.Join(err, closing) }

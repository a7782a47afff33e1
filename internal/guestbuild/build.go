// Package guestbuild compiles guests - folders with Go, Rust or C source - to WebAssembly modules, and keeps the
// modules of this repository current: those that are committed beside their source (examples/manifest.json) and those
// that only tests need (a cache).
//
// It knows compilers and where they are found, and the folders of this repository's guests. It knows nothing of what
// is in a module.
package guestbuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Language is what a guest is written in.
type Language string

// The languages that Build knows.
const (
	Go   Language = "go"
	Rust Language = "rust"
	C    Language = "c"
)

// Detect tells the language of a guest folder by the files in it: go.mod, Cargo.toml or *.c.
func Detect(dir string) (Language, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", errs.BuildUnknownLanguage.New(dir, "not a folder", "")
	}
	for _, kind := range []struct {
		pattern  string
		language Language
	}{{"go.mod", Go}, {"Cargo.toml", Rust}, {"*.c", C}} {
		if found, _ := filepath.Glob(filepath.Join(dir, kind.pattern)); len(found) > 0 {
			return kind.language, nil
		}
	}
	return "", errs.BuildUnknownLanguage.New(dir, "no go.mod, no Cargo.toml and no .c file in it", "")
}

// Options say what Build compiles, and where to.
type Options struct {
	// Dir is the folder with the source.
	Dir string
	// Out is the file to write. Empty: <name of the folder>.wasm in Dir; the name is that of the folder above where
	// the folder is called like its language (wordcount/go gives wordcount.wasm).
	Out string
	// WorkDir is where a compiler that wants one keeps its intermediate files. Empty: the compiler's own choice.
	WorkDir string
	// Debug keeps what tells the line of a trap (C: -g, Rust: line tables; Go's compiler writes none for wasm).
	Debug bool
	// Include are further folders in which C finds wasmstream.h; those above Dir that hold guest-sdk/c
	// come after them, and the header that this program was built with comes last.
	Include []string
}

// Result is what Build made.
type Result struct {
	Language Language
	Path     string
	Size     int64
	// Digest is "sha256:<hex>" of the module.
	Digest string
	// Toolchain is what the compiler says of itself.
	Toolchain string
}

// Build compiles the guest in opts.Dir. Its errors carry a code of errs: BuildUnknownLanguage, BuildNoToolchain with the
// command that installs what is missing, or BuildFailed with the compiler's output as the error's detail. A file that
// stood at opts.Out is only replaced by a whole new one.
func Build(ctx context.Context, opts Options) (*Result, error) {
	language, err := Detect(opts.Dir)
	if err != nil {
		return nil, err
	}
	tool, err := find(ctx, language, opts.Dir)
	if err != nil {
		return nil, err
	}
	if opts.Dir, err = filepath.Abs(opts.Dir); err != nil {
		return nil, fmt.Errorf("finding %s: %w", opts.Dir, err)
	}
	if opts.Out == "" {
		opts.Out = filepath.Join(opts.Dir, guestName(opts.Dir, language)+".wasm")
	}
	out, err := filepath.Abs(opts.Out)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", opts.Out, err)
	}
	module, err := compileToMemory(ctx, tool, opts)
	if err != nil {
		return nil, err
	}
	if err := writeWhole(out, module); err != nil {
		return nil, err
	}
	return &Result{Language: language, Path: opts.Out, Size: int64(len(module)), Digest: digestOf(module), Toolchain: tool.version}, nil
}

// guestName is the name of the folder that stands for the guest as a whole.
func guestName(dir string, language Language) string {
	if filepath.Base(dir) == string(language) {
		dir = filepath.Dir(dir)
	}
	return filepath.Base(dir)
}

// compileToMemory runs the compiler into a folder that nobody else sees.
func compileToMemory(ctx context.Context, tool *toolchain, opts Options) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "wasmstream-build-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the build: %w", err)
	}
	defer os.RemoveAll(tmp)
	path, err := tool.compile(ctx, opts, filepath.Join(tmp, "guest.wasm"))
	if err != nil {
		return nil, err
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the compiler's output: %w", err)
	}
	return module, nil
}

// writeWhole puts data to path so that a reader sees either the old file or all of the new one.
func writeWhole(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// run runs a compiler in dir and returns its standard output; a compiler that fails is an error with what it said.
func run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		return nil, errs.BuildFailed.New(dir, filepath.Base(name)+" ends with an error", "").WithCause(err).WithDetail(said)
	}
	return stdout.Bytes(), nil
}

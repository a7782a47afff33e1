package guestbuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	sdk "github.com/wasmstream/wasmstream/guest-sdk"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// toolchain is a compiler that was found.
type toolchain struct {
	// version is the first line of what the compiler says of itself.
	version string
	// compile compiles opts.Dir and returns where the module is: out or a place of the compiler's own.
	compile func(ctx context.Context, opts Options, out string) (string, error)
}

// find looks for the compiler of a language. where is named in errors.
func find(ctx context.Context, language Language, where string) (*toolchain, error) {
	switch language {
	case Go:
		return findGo(ctx, where)
	case Rust:
		return findRust(ctx, where)
	}
	return findC(ctx, where)
}

// Toolchain is what the compiler of a language says of itself, or the error BuildNoToolchain.
func Toolchain(ctx context.Context, language Language) (string, error) {
	tool, err := find(ctx, language, string(language))
	if err != nil {
		return "", err
	}
	return tool.version, nil
}

// output is the standard output of a program, trimmed, "" if it does not run or fails.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func findGo(ctx context.Context, where string) (*toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, errs.BuildNoToolchain.New(where, "a Go guest needs Go 1.24 or later, and there is no go on the PATH",
			"install Go from https://go.dev/dl or with: apt-get install golang-go")
	}
	env := []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"}
	compile := func(ctx context.Context, opts Options, out string) (string, error) {
		// The symbols stay (no -s): the names of functions in the stack of a trap come from them.
		_, err := run(ctx, opts.Dir, env, path, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w", "-o", out, ".")
		return out, err
	}
	// GOVERSION in the environment of the build: a go.mod may choose another toolchain than the one on the PATH.
	version := output(ctx, path, "env", "GOVERSION")
	return &toolchain{version: "go " + strings.TrimPrefix(version, "go"), compile: compile}, nil
}

const rustTarget = "wasm32-unknown-unknown"

const installRust = "run: rustup target add " + rustTarget + "; or on Debian: apt-get install rustc-web rust-web-src lld-19 and .ci/rust-wasm-std.sh"

func findRust(ctx context.Context, where string) (*toolchain, error) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		return nil, errs.BuildNoToolchain.New(where, "a Rust guest needs cargo, and there is none on the PATH",
			"install Rust from https://rustup.rs")
	}
	rustc, sysroot := findRustc(ctx, where)
	if rustc == "" {
		return nil, errs.BuildNoToolchain.New(where, "no rustc on this machine has the target "+rustTarget, installRust)
	}
	env := []string{"RUSTC=" + rustc}
	linker, found := rustLinker(sysroot)
	if !found {
		return nil, errs.BuildNoToolchain.New(where, "rustc finds no linker for WebAssembly", "run: apt-get install lld-19")
	}
	if linker != "" {
		env = append(env, "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="+linker)
	}
	compile := func(ctx context.Context, opts Options, _ string) (string, error) {
		if opts.WorkDir != "" {
			env = append(env, "CARGO_TARGET_DIR="+opts.WorkDir)
		}
		if opts.Debug {
			env = append(env, "CARGO_PROFILE_RELEASE_DEBUG=line-tables-only", "CARGO_PROFILE_RELEASE_STRIP=none")
		}
		messages, err := run(ctx, opts.Dir, env, cargo, "build", "--release", "--target", rustTarget, "--message-format", "json-render-diagnostics")
		if err != nil {
			return "", err
		}
		return cargoModule(opts.Dir, messages)
	}
	return &toolchain{version: firstLine(output(ctx, rustc, "--version")), compile: compile}, nil
}

// findRustc looks for a compiler that has the target's standard library: the one that the user names or that cargo
// would take, and the system's.
func findRustc(ctx context.Context, dir string) (rustc, sysroot string) {
	for _, name := range []string{os.Getenv("RUSTC"), "rustc", "/usr/bin/rustc"} {
		if name == "" {
			continue
		}
		cmd := exec.CommandContext(ctx, name, "--print", "sysroot")
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			cmd.Dir = dir // a rust-toolchain.toml there counts
		}
		out, err := cmd.Output()
		if err != nil {
			continue
		}
		sysroot = strings.TrimSpace(string(out))
		std, _ := filepath.Glob(filepath.Join(sysroot, "lib", "rustlib", rustTarget, "lib", "libstd-*.rlib"))
		if len(std) > 0 {
			return name, sysroot
		}
	}
	return "", ""
}

// rustLinker is the linker to name to cargo, "" if rustc brings its own.
func rustLinker(sysroot string) (linker string, found bool) {
	lld := "rust-lld"
	if runtime.GOOS == "windows" {
		lld += ".exe"
	}
	if own, _ := filepath.Glob(filepath.Join(sysroot, "lib", "rustlib", "*", "bin", lld)); len(own) > 0 {
		return "", true
	}
	for _, name := range []string{"wasm-ld-19", "wasm-ld", "rust-lld", "wasm-ld-20", "wasm-ld-18"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	home, _ := os.UserHomeDir()
	if others, _ := filepath.Glob(filepath.Join(home, ".rustup", "toolchains", "*", "lib", "rustlib", "*", "bin", lld)); len(others) > 0 {
		return others[0], true
	}
	return "", false
}

// cargoModule finds the module in cargo's messages.
func cargoModule(dir string, messages []byte) (string, error) {
	path := ""
	for line := range bytes.Lines(messages) {
		var m struct {
			Filenames []string `json:"filenames"`
		}
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		for _, f := range m.Filenames {
			if strings.HasSuffix(f, ".wasm") {
				path = f
			}
		}
	}
	if path == "" {
		return "", errs.BuildFailed.New(dir, "cargo made no .wasm file", `set crate-type = ["cdylib"] under [lib] in Cargo.toml`)
	}
	return path, nil
}

func findC(ctx context.Context, where string) (*toolchain, error) {
	clang := findClang(ctx)
	if clang == "" {
		return nil, errs.BuildNoToolchain.New(where, "a C guest needs a clang that knows wasm32, and there is none on the PATH",
			"run: apt-get install clang-19 lld-19")
	}
	if !hasWasmLinker(ctx, clang) {
		return nil, errs.BuildNoToolchain.New(where, filepath.Base(clang)+" finds no wasm-ld", "run: apt-get install lld-19")
	}
	compile := func(ctx context.Context, opts Options, out string) (string, error) {
		sources, err := filepath.Glob(filepath.Join(opts.Dir, "*.c"))
		if err != nil {
			return "", err
		}
		args := []string{
			"--target=wasm32", "-std=c11", "-O2", "-nostdlib", "-ffreestanding", "-mbulk-memory", "-msign-ext",
			"-Wl,--no-entry", "-Wl,-z,stack-size=65536", "-o", out,
		}
		if opts.Debug {
			args = append(args, "-g")
		} else {
			args = append(args, "-Wl,--strip-debug")
		}
		own, err := headerDir()
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(own)
		for _, dir := range append(slices.Concat(opts.Include, sdksAbove(opts.Dir)), own) {
			args = append(args, "-I"+dir)
		}
		args = append(args, "-ffile-prefix-map="+own+"=wasmstream") // the module must not depend on the name either
		for _, s := range sources {
			args = append(args, filepath.Base(s)) // relative: the module must not depend on where the source lies
		}
		_, err = run(ctx, opts.Dir, nil, clang, args...)
		return out, err
	}
	return &toolchain{version: firstLine(output(ctx, clang, "--version")), compile: compile}, nil
}

func findClang(ctx context.Context) string {
	for _, name := range []string{os.Getenv("WASMSTREAM_CLANG"), "clang-19", "clang", "clang-20", "clang-21", "clang-22", "clang-18"} {
		if name == "" {
			continue
		}
		path, err := exec.LookPath(name)
		if err == nil && strings.Contains(output(ctx, path, "--print-targets"), "wasm32") {
			return path
		}
	}
	return ""
}

// hasWasmLinker asks clang for the program that it would run.
func hasWasmLinker(ctx context.Context, clang string) bool {
	_, err := exec.LookPath(output(ctx, clang, "--target=wasm32", "-print-prog-name=wasm-ld"))
	return err == nil
}

// headerDir makes a folder with the headers of this program, for guests that lie anywhere. The caller removes it.
func headerDir() (string, error) {
	dir, err := os.MkdirTemp("", "wasmstream-c-")
	if err != nil {
		return "", err
	}
	for name, text := range map[string][]byte{
		"wasmstream.h": sdk.CHeader, "wasmstream_connect.h": sdk.CConnectHeader, "wasmstream_streams.h": sdk.CStreamsHeader,
		"wasmstream_stores.h": sdk.CStoresHeader,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return dir, nil
}

// sdksAbove lists the folders guest-sdk/c in the folders above dir, nearest first.
func sdksAbove(dir string) []string {
	var found []string
	for {
		sdk := filepath.Join(dir, "guest-sdk", "c")
		if _, err := os.Stat(filepath.Join(sdk, "wasmstream.h")); err == nil {
			found = append(found, sdk)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return found
		}
		dir = up
	}
}

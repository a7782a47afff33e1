// Package apptest runs the test cases of application documents: it finds the files, runs each case on a test driver,
// compares what came with what is expected, and can write what came into the file.
//
// It knows the form of cases (package spec) and the driver (package streamtest) and prints nothing. Results are plain
// data whose names in JSON are a contract.
package apptest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// Options say what is run and how.
type Options struct {
	// Run selects cases by their names; nil takes all.
	Run *regexp.Regexp
	// Application is the document under test in place of what the files say, "" for that.
	Application string
	// Set are settings KEY=VALUE that win over those of the files.
	Set []string
	// Update writes what came into the files where it differs from what was expected.
	Update bool
	// Compiler is that of host.Config.
	Compiler []string
	// Print is where applications print streams; nil is standard output.
	Print io.Writer
}

// FileResult is what came of a file of tests.
type FileResult struct {
	File        string       `json:"file"`
	Application string       `json:"application"`
	Cases       []CaseResult `json:"tests"`
}

// RunFile runs the cases of a file. The error joins all that is wrong with the file or the application; a case that
// fails is no error.
func RunFile(ctx context.Context, path string, o Options) (r FileResult, err error) {
	file, err := spec.LoadTests(ctx, path)
	if err != nil {
		return r, err
	}
	application, err := applicationOf(file, o)
	if err != nil {
		return r, err
	}
	set := slices.Clone(o.Set)
	for _, s := range file.Config {
		set = append([]string{s.Key + "=" + s.Value}, set...)
	}
	cfg, err := host.LoadContext(ctx, application, host.LoadOptions{Set: set, Compiler: o.Compiler, Print: o.Print})
	if err != nil {
		return r, err
	}
	bench, err := host.NewTestBench(ctx, cfg)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, bench.Close(ctx)) }()
	return runCases(ctx, file, application, newNames(cfg.Topology, bench, file), bench, o)
}

func runCases(ctx context.Context, file *spec.TestFile, application string, names *names, bench *host.TestBench, o Options) (FileResult, error) {
	r := FileResult{File: file.Path, Application: application, Cases: []CaseResult{}}
	var runners []*caseRunner
	var faults []error
	for i := range file.Cases {
		c := &file.Cases[i]
		if o.Run != nil && !o.Run.MatchString(c.Name) {
			continue
		}
		run := &caseRunner{file: file, c: c, names: names, bench: bench}
		faults = append(faults, run.prepare()...)
		runners = append(runners, run)
	}
	if len(faults) > 0 {
		return r, errors.Join(faults...)
	}
	var edits []edit
	for _, run := range runners {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		result := run.run()
		if o.Update && result.Error == "" {
			e, err := run.edits(result)
			if err != nil {
				return r, err
			}
			edits = append(edits, e...)
			result.Updated = len(e) > 0
			result.Passed = result.Passed || result.Updated
		}
		r.Cases = append(r.Cases, result)
	}
	return r, rewrite(file.Path, edits)
}

// Files finds the files of tests at paths: files as they are, folders with all files in them that list tests, and with
// /... behind them those of all folders below. A document of an application stands for the files of its folder that
// test it.
func Files(paths []string, o Options) ([]string, error) {
	var all []string
	for _, path := range paths {
		found, err := filesAt(path, o)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	if len(all) == 0 {
		return nil, errs.CaseNone.New(strings.Join(paths, " "), "there is no file with tests", "")
	}
	return all, nil
}

func filesAt(path string, o Options) ([]string, error) {
	if root, below := strings.CutSuffix(filepath.ToSlash(path), "..."); below {
		return walk(cmp.Or(strings.TrimSuffix(root, "/"), "."))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, errs.ConfigFile.New(path, "the file cannot be read", "").WithCause(errs.WithoutPath(err))
	case info.IsDir():
		return inFolder(path)
	case !isTests(path) && isApplication(path):
		return testsOf(path, o)
	}
	return []string{path}, nil
}

func walk(root string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case !d.IsDir() && isTests(path):
			all = append(all, path)
		case d.IsDir() && path != root && (name[0] == '.' || name[0] == '_' || name == "target" || name == "node_modules"):
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, errs.ConfigFile.New(root, "the folder cannot be read", "").WithCause(errs.WithoutPath(err))
	}
	return all, nil
}

func inFolder(dir string) (all []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errs.ConfigFile.New(dir, "the folder cannot be read", "").WithCause(errs.WithoutPath(err))
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); !e.IsDir() && isTests(path) {
			all = append(all, path)
		}
	}
	return all, nil
}

// testsOf are the files beside an application that test it.
func testsOf(application string, o Options) (all []string, err error) {
	files, err := inFolder(filepath.Dir(application))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		tests, err := spec.LoadTests(context.Background(), f)
		if err != nil {
			return nil, err
		}
		if of, err := applicationOf(tests, o); err == nil && filepath.Clean(of) == filepath.Clean(application) {
			all = append(all, f)
		}
	}
	return all, nil
}

var (
	listsTests     = regexp.MustCompile(`(?m)^(?:tests:|\{?\s*"tests"\s*:)`)
	isKind         = regexp.MustCompile(`(?m)^(?:kind:|\s*"kind"\s*:)\s*"?Application`)
	documentSuffix = []string{".yaml", ".yml", ".json"}
	testSuffix     = []string{"_test", ".test", "-test", "_tests", ".tests", "-tests"}
)

func isTests(path string) bool { return holds(path, listsTests) && !holds(path, isKind) }

func isApplication(path string) bool {
	return filepath.Ext(path) == ".wasm" || holds(path, isKind)
}

func holds(path string, re *regexp.Regexp) bool {
	if !slices.Contains(documentSuffix, filepath.Ext(path)) {
		return false
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false // a pipe is read once, by whoever takes it for what it was named as
	}
	data, err := spec.ReadFile(path)
	return err == nil && re.Match(data)
}

// applicationOf is the document that a file tests: the one it names, the one it is called after (app_test.yaml tests
// app.yaml), or the only one in its folder.
func applicationOf(file *spec.TestFile, o Options) (string, error) {
	if o.Application != "" {
		return o.Application, nil
	}
	if file.Application != "" {
		return file.Application, nil
	}
	base := strings.TrimSuffix(filepath.Base(file.Path), filepath.Ext(file.Path))
	for _, suffix := range testSuffix {
		if name, ok := strings.CutSuffix(base, suffix); ok && name != "" {
			for _, ext := range append(documentSuffix, ".wasm") {
				if path := filepath.Join(file.Folder(), name+ext); isApplication(path) && exists(path) {
					return path, nil
				}
			}
		}
	}
	return onlyApplication(file)
}

func onlyApplication(file *spec.TestFile) (string, error) {
	entries, err := os.ReadDir(file.Folder())
	if err != nil {
		return "", errs.ConfigFile.New(file.Folder(), "the folder cannot be read", "").WithCause(errs.WithoutPath(err))
	}
	var found []string
	for _, e := range entries {
		if path := filepath.Join(file.Folder(), e.Name()); !e.IsDir() && holds(path, isKind) {
			found = append(found, path)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return "", errs.CaseApplication.New(file.Path, fmt.Sprintf("the file has no application:, and %d are in its folder", len(found)), "")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

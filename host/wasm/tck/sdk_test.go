package tck

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
)

var sdks = filepath.Join("..", "..", "..", "guest-sdk")

// needed are the numbers that no SDK can do without, by their normal names.
var needed = []string{
	"framemagic", "openmagic", "frameheadersize", "recordheadersize", "null", "noindex", "keepkey", "keepvalue", "keepheaders",
	"keeptimestamp", "kindrecord", "kinderror", "classskip", "classdeadletter", "classfail", "classretry",
}

// spellings are names that SDKs use for what abi calls otherwise.
var spellings = strings.NewReplacer(
	"hdr", "header", "hdrs", "headers", "_", "",
)

// normal is the name that the same number has in every language: without case, underscores and prefix.
func normal(name string) string {
	n := strings.ToLower(strings.TrimPrefix(name, "WS_"))
	n = strings.ReplaceAll(spellings.Replace(n), "framepartat", "framepartitionat")
	n = strings.ReplaceAll(n, "frametimeat", "framestreamtimeat")
	switch n {
	case "frameheader", "recordheader":
		return n + "size"
	case "recheadersize", "recheader":
		return "recordheadersize"
	case "recheaderlenat", "recheadersat":
		return "recheaderslenat"
	case "keepts":
		return "keeptimestamp"
	case "recvallenat":
		return "recvaluelenat"
	}
	return n
}

// TestSDKNumbers holds the constants that each SDK has of its own to those of abi.
func TestSDKNumbers(t *testing.T) {
	want := goConstants(t, filepath.Join("..", "..", "..", "abi"))
	folders, err := os.ReadDir(sdks)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		dir := filepath.Join(sdks, folder.Name())
		t.Run(folder.Name(), func(t *testing.T) {
			var have map[string]int64
			switch folder.Name() {
			case "go":
				have = goConstants(t, dir)
			case "c":
				have = textConstants(t, dir, ".h", regexp.MustCompile(`(?m)^#define (WS_[A-Z0-9_]+) +([^ /\n]+|\([^)]*\))`))
			case "rust":
				have = textConstants(t, dir, ".rs", regexp.MustCompile(`const ([A-Z0-9_]+): [a-z0-9]+ = ([^;]+);`))
			default:
				t.Fatalf("the constants of %s are not read yet by this test", dir)
			}
			compareConstants(t, want, have)
		})
	}
}

func compareConstants(t *testing.T, want, have map[string]int64) {
	same := 0
	for name, v := range have {
		w, ok := want[name]
		if ok && uint32(w) != uint32(v) {
			t.Errorf("%s is %d, in abi it is %d", name, v, w)
		}
		if ok {
			same++
		}
	}
	for _, name := range needed {
		if _, ok := have[name]; !ok {
			t.Errorf("no constant %s", name)
		}
	}
	t.Logf("%d numbers compared", same)
}

// goConstants evaluates the integer constants of a Go package, without what it imports.
func goConstants(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(paths), err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	config := types.Config{Error: func(error) {}, Importer: noImports{}}
	pkg, _ := config.Check(dir, fset, files, nil)
	out := map[string]int64{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok || c.Val().Kind() != constant.Int {
			continue
		}
		v, _ := constant.Int64Val(c.Val())
		out[normal(name)] = v
	}
	return out
}

// noImports gives empty packages: constants of an SDK stand for themselves.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// textConstants reads NAME VALUE pairs from the sources of a language; values that are not numbers are left out.
func textConstants(t *testing.T, dir, suffix string, pattern *regexp.Regexp) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) || slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "target") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
			if v, ok := number(m[2]); ok {
				out[normal(m[1])] = v
			}
		}
		enumConstants(string(text), out)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	rustEnum    = regexp.MustCompile(`enum (\w+) \{([^}]*)\}`)
	rustVariant = regexp.MustCompile(`(\w+) = (-?\d+)`)
)

// enumConstants adds the numbered variants of Rust's enums: Class::Skip is classskip, Errno::Denied is denied.
func enumConstants(text string, out map[string]int64) {
	for _, enum := range rustEnum.FindAllStringSubmatch(text, -1) {
		for _, v := range rustVariant.FindAllStringSubmatch(enum[2], -1) {
			n, ok := number(v[2])
			if ok {
				out[normal(strings.TrimPrefix(enum[1], "Errno")+v[1])] = n
			}
		}
	}
}

var rustMagic = regexp.MustCompile(`from_le_bytes\(\*b"(.{4})"\)`)

// number reads an integer literal of C or Rust, or a magic of four letters.
func number(s string) (int64, bool) {
	if m := rustMagic.FindStringSubmatch(s); m != nil {
		return int64(m[1][0]) | int64(m[1][1])<<8 | int64(m[1][2])<<16 | int64(m[1][3])<<24, true
	}
	s = strings.Trim(strings.TrimSpace(s), "()")
	if s == "u32::MAX" {
		return 0xFFFFFFFF, true
	}
	s = strings.TrimRight(strings.ReplaceAll(s, "_", ""), "u")
	v, err := strconv.ParseInt(s, 0, 64)
	return v, err == nil
}

// TestHeaderImports holds the declarations of imports in the C headers to abi: a name that is not in the contract would
// only show in a guest that uses it.
func TestHeaderImports(t *testing.T) {
	text := string(readModule(t, sdks, "c", "wasmstream.h")) + string(readModule(t, sdks, "c", "wasmstream_stores.h"))
	declared := regexp.MustCompile(`(?m)^WS__(CORE|STATE|CONNECT|EGRESS)\((\w+)\) (\w+) ws1_\w+\(([^)]*)\);`).FindAllStringSubmatch(text, -1)
	want := map[string]string{}
	for _, f := range abiImports() {
		want[f[0]] = f[1]
	}
	for _, d := range declared {
		name := "ws1." + strings.ToLower(d[1]) + "." + d[2]
		if got := cSignature(d[3], d[4]); got != want[name] {
			t.Errorf("%s is declared %s, the contract says %s", name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not declared", name)
	}
}

// cSignature writes a C prototype as letters.
func cSignature(result, params string) string {
	letters := ""
	for p := range strings.SplitSeq(params, ",") {
		switch p = strings.TrimSpace(p); {
		case p == "void":
		case strings.HasPrefix(p, "int64_t"):
			letters += "l"
		default:
			letters += "i"
		}
	}
	if result == "int64_t" {
		return letters + ">l"
	}
	return letters + ">i"
}

func abiImports() [][2]string {
	var out [][2]string
	for _, f := range abi.Imports() {
		out = append(out, [2]string{f.Module + "." + f.Name, f.Params + ">" + f.Results})
	}
	return out
}

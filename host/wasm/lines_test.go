package wasm

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// lineOf is the number of the line of a file that holds text.
func lineOf(t *testing.T, path, text string) int {
	t.Helper()
	for i, line := range strings.Split(string(readFile(t, path)), "\n") {
		if strings.Contains(line, text) {
			return i + 1
		}
	}
	t.Fatalf("%s has no line with %q", path, text)
	return 0
}

// TestTrapsNameTheirLines: a trap of a guest that was compiled with line tables names file and line of the trap and of
// the calls to it; compiled without them it names functions and places in the module.
func TestTrapsNameTheirLines(t *testing.T) {
	if testing.Short() {
		return // without toolchains
	}
	root, err := guestbuild.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, file, name string }{{"c", "trap.c", "mean"}, {"rust", "src/lib.rs", "mean"}} {
		for _, debug := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s debug=%v", c.dir, debug), func(t *testing.T) {
				dir := filepath.Join("testdata", "trap", c.dir)
				out := filepath.Join(t.TempDir(), "trap.wasm")
				_, err := guestbuild.Build(t.Context(), guestbuild.Options{
					Dir: dir, Out: out, Debug: debug, WorkDir: filepath.Join(guestbuild.CacheDir(root), "work-trap-"+c.dir),
				})
				if err != nil {
					t.Fatal(err)
				}
				trap := trapAt(t, readFile(t, out), "mean")
				want := []string{
					fmt.Sprintf("%s:%d:", filepath.Base(c.file), lineOf(t, filepath.Join(dir, c.file), "TRAPS HERE")),
					fmt.Sprintf("%s:%d:", filepath.Base(c.file), lineOf(t, filepath.Join(dir, c.file), "CALLS IT")),
				}
				for i, w := range want {
					if len(trap.Stack) <= i || strings.Contains(trap.Stack[i], w) != debug || !strings.Contains(trap.Stack[i], "(0x") {
						t.Errorf("frame %d of %q: want it to name %s: %v", i, trap.Stack, w, debug)
					}
				}
				t.Log(trap.Coded("topic-0@0").Detail)
			})
		}
	}
}

// trapAt opens a component of a module and gives it a record with an empty value.
func trapAt(t *testing.T, wasm []byte, component string) *TrapError {
	t.Helper()
	in := newInstance(t, compileModule(t, testEngine(t, Config{}), "trap", wasm), newHost(), Limits{})
	h, err := in.Open(openFrame(component))
	if err != nil {
		t.Fatal(err)
	}
	_, err = process(t, in, h, inputFrame(nil, ""))
	trap, ok := errors.AsType[*TrapError](err)
	if !ok {
		t.Fatalf("got %v, want a trap", err)
	}
	return trap
}

// lineTable4 is a unit of DWARF 4 with two files and a sequence: addresses 0x10, 0x14, 0x20 at lines 7, 9, 12.
func lineTable4() []byte {
	head := append([]byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}, "dir\x00\x00a.c\x00\x00\x00\x00b.c\x00\x01\x00\x00\x00"...)
	program := []byte{
		0, 5, lineSetAddress, 0x10, 0, 0, 0, lineSetFile, 2, lineAdvanceLine, 6, lineSetColumn, 3, lineCopy,
		lineAdvance, 4, lineAdvanceLine, 2, lineCopy, lineAdvance, 12, lineAdvanceLine, 3, lineCopy, lineAdvance, 4, 0, 1, lineEndSequence,
	}
	return lineUnitOf(4, nil, head, program)
}

// lineTable5 is the same in DWARF 5, its names in the other section.
func lineTable5() (table, names []byte) {
	names = []byte("/home\x00dir\x00a.c\x00b.c\x00")
	head := append([]byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1},
		1, 1, 0x1f, 2, 0, 0, 0, 0, 6, 0, 0, 0, // folders: /home, dir
		2, 1, 0x1f, 2, 0x0b, 2, 10, 0, 0, 0, 0, 14, 0, 0, 0, 1, // files: a.c in 0, b.c in 1
	)
	program := []byte{0, 5, lineSetAddress, 0x10, 0, 0, 0, lineAdvanceLine, 6, lineCopy, lineAdvance, 4, 0, 1, lineEndSequence}
	return lineUnitOf(5, []byte{4, 0}, head, program), names
}

func lineUnitOf(version byte, sizes, head, program []byte) []byte {
	unit := append([]byte{version, 0}, sizes...)
	unit = append(unit, byte(len(head)), 0, 0, 0)
	unit = append(append(unit, head...), program...)
	return append([]byte{byte(len(unit)), 0, 0, 0}, unit...)
}

func TestLineTables(t *testing.T) {
	four := lines{table: lineTable4()}
	table, names := lineTable5()
	five := lines{table: append(lineTable4(), table...), lineStrings: names}
	five.table[4] = 99 // the first unit is of no known version
	for _, c := range []struct {
		of      *lines
		address uint64
		want    string
	}{
		{&four, 0x0f, ""},
		{&four, 0x10, "dir/b.c:7:3"},
		{&four, 0x13, "dir/b.c:7:3"},
		{&four, 0x14, "dir/b.c:9:3"},
		{&four, 0x1f, "dir/b.c:9:3"},
		{&four, 0x20, "dir/b.c:12:3"},
		{&four, 0x24, ""},
		{&five, 0x11, "dir/b.c:7"},
		{&lines{}, 0x10, ""},
	} {
		if got := c.of.find(c.address); got != c.want {
			t.Errorf("0x%x: got %q, want %q", c.address, got, c.want)
		}
	}
}

// TestOffsetsLeadBack: places in copied runs lead to their bytes, those between to what stands behind.
func TestOffsetsLeadBack(t *testing.T) {
	var o offsets
	o.add(10, 4)  // 10..: 4..
	o.add(30, 12) // 18..29 were put in before 12
	for at, want := range map[int]int{10: 4, 17: 11, 18: 12, 29: 12, 30: 12, 35: 17} {
		if got, ok := o.original(at); got != want || !ok {
			t.Errorf("%d: got %d, want %d", at, got, want)
		}
	}
	if _, ok := (&offsets{}).original(5); ok {
		t.Error("a place was found without a map")
	}
}

// TestPlacesAreThoseOfTheFile: the place of a trap is that of its instruction in the module's bytes.
func TestPlacesAreThoseOfTheFile(t *testing.T) {
	w, f := guest()
	f[abi.ExportProcess].code = cat(i32c(123456), ops(opDrop, opLoop, typeNone, opEnd), ops(opLocalGet, 0, opIf, typeNone, opEnd, opUnreachable))
	b := w.bytes()
	at := strings.Index(string(b), string(ops(opIf, typeNone, opEnd, opUnreachable))) + 3
	trap := trapOf(t, testEngine(t, Config{}), w, abi.ExportProcess)
	if want := fmt.Sprintf("ws_process (0x%x)", at); trap.Stack[0] != want {
		t.Errorf("got %q, want %q", trap.Stack[0], want)
	}
}

// FuzzLines: no line table makes find panic or hang.
func FuzzLines(f *testing.F) {
	table, names := lineTable5()
	f.Add(lineTable4(), names, uint64(0x10))
	f.Add(table, names, uint64(0x10))
	f.Fuzz(func(t *testing.T, table, names []byte, address uint64) {
		l := lines{table: table, strings: names, lineStrings: names}
		if got := l.find(address); len(got) > 2*maxShownName+64 {
			t.Errorf("a place of %d bytes", len(got))
		}
	})
}

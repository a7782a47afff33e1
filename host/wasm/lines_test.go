package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
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
	unit = binary.LittleEndian.AppendUint32(unit, uint32(len(head)))
	unit = append(append(unit, head...), program...)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(unit))), unit...)
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
		steps := lineSteps
		if got := c.of.find(c.address, &steps); got != c.want {
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

// lineTableOf5 is a unit of DWARF 5 whose folders and files all have names in .debug_str, at 0; all code is of one file.
func lineTableOf5(folders, files, file int) []byte {
	const strp = 0x0e
	table := func(format []byte, n, size int) []byte {
		return append(appendU32(format, uint32(n)), make([]byte, n*size)...)
	}
	head := cat([]byte{1, 1, 1, 0xff, 1, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1},
		table([]byte{1, 1, strp}, folders, 4), table([]byte{2, 1, strp, 2, 0x0b}, files, 5))
	program := cat(appendU32([]byte{lineSetFile}, uint32(file)), ops(0, 5, lineSetAddress, 1, 0, 0, 0, lineCopy),
		ops(0, 5, lineSetAddress, 0, 0, 0, 1, lineCopy, 0, 1, lineEndSequence))
	return lineUnitOf(5, []byte{4, 0}, head, program)
}

// lineProgram4 is a unit of DWARF 4 that makes rows and never comes to any address.
func lineProgram4(rows int) []byte {
	head := append([]byte{1, 1, 1, 0xff, 1, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}, "\x00a.c\x00\x00\x00\x00\x00"...)
	return lineUnitOf(4, nil, head, bytes.Repeat([]byte{13}, rows))
}

// hostileLines make line tables that cost much if they are read without bounds.
func hostileLines() map[string]func() *lines {
	long := func() []byte { return append(bytes.Repeat([]byte("A"), 1_000_000), 0) }
	return map[string]func() *lines{
		"folders that share a name of 1 MB": func() *lines { return &lines{table: lineTableOf5(4000, 1, 0), strings: long()} },
		"files that share a name of 1 MB":   func() *lines { return &lines{table: lineTableOf5(1, 20_000, 19_999), strings: long()} },
		"names without an end":              func() *lines { return &lines{table: lineTableOf5(20_000, 20_000, 19_999), strings: long()[:1_000_000]} },
		"9 MB of rows":                      func() *lines { return &lines{table: lineProgram4(9 << 20)} },
		"9 MB of units that hold nothing":   func() *lines { return &lines{table: make([]byte, 9<<20)} },
		"9 MB of units with a header": func() *lines {
			return &lines{table: bytes.Repeat(lineProgram4(0), (9<<20)/len(lineProgram4(0)))}
		},
	}
}

// TestLineTablesHaveBounds: the thirty frames of a trap cost no more than lineSteps together, and hardly any memory.
func TestLineTablesHaveBounds(t *testing.T) {
	for name, tables := range hostileLines() {
		t.Run(name, func(t *testing.T) {
			l := tables()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			steps := lineSteps
			for range 30 {
				if got := l.find(0x10, &steps); got != "" {
					t.Errorf("got %.40q, want no line", got)
				}
			}
			runtime.ReadMemStats(&after)
			if steps < -lineUnitSteps {
				t.Errorf("%d steps too many", -steps)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
				t.Errorf("%d bytes of memory", got)
			}
		})
	}
}

// TestLongNamesHaveLines: names up to the bound are taken whole, and those behind many others are found.
func TestLongNamesHaveLines(t *testing.T) {
	for size, want := range map[int]string{100: strings.Repeat("A", 100) + ":1", maxLineName: shown(strings.Repeat("A", maxLineName)) + ":1", maxLineName + 1: ""} {
		l := lines{table: lineTableOf5(4000, 20_000, 19_999), strings: append(bytes.Repeat([]byte("A"), size), 0)}
		steps := lineSteps
		if got := l.find(0x10, &steps); got != want {
			t.Errorf("%d: got %q, want %q", size, got, want)
		}
	}
}

// FuzzLines: no line table makes find panic or hang: what it reads is bounded by the table's size, whatever the other
// sections hold, and by the steps that it is given.
func FuzzLines(f *testing.F) {
	table, names := lineTable5()
	f.Add(lineTable4(), names, uint64(0x10))
	f.Add(table, names, uint64(0x10))
	f.Fuzz(func(t *testing.T, table, names []byte, address uint64) {
		l := lines{table: table, strings: names, lineStrings: names}
		steps := lineSteps
		if got := l.find(address, &steps); len(got) > 2*maxShownName+64 {
			t.Errorf("a place of %d bytes", len(got))
		}
		// Each unit's program is read once, the tables of one unit twice; a unit of 4 bytes costs as much as its header.
		if used, most := lineSteps-steps, 3*len(table)+(len(table)/4+1)*lineUnitSteps; used > most {
			t.Errorf("%d steps for %d bytes, want at most %d", used, len(table), most)
		}
		few := 64
		if l.find(address, &few); few < -len(table)-lineUnitSteps {
			t.Errorf("%d steps after the last", -few)
		}
	})
}

package main

import (
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smapsOfAProgram = `00400000-01c12000 r-xp 00000000 08:01 42                         /usr/bin/my stream
Size:              24648 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
01c12000-03643000 r--p 01812000 08:01 42                         /usr/bin/my stream
Anonymous:             0 kB
03643000-0375d000 rw-p 03243000 08:01 42                         /usr/bin/my stream
Anonymous:             0 kB
0375d000-04000000 r--p 0335d000 08:01 42                         /usr/bin/my stream
Anonymous:             4 kB
c000000000-c004000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000010000 r--p 00000000 08:01 43                 /usr/lib/other
Anonymous:             0 kB
7f0000020000-7f0000030000 r--p 00000000 08:01 42                 /usr/bin/my stream
`

func TestOnlyPagesThatTheFileHasAreDropped(t *testing.T) {
	got := untouchedMappings([]byte(smapsOfAProgram), "/usr/bin/my stream")
	want := []mapping{{0x400000, 0x1c12000}, {0x1c12000, 0x3643000}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); d != "" {
		t.Error(d)
	}
	for _, broken := range []string{"", "-", "x-y r--p 0 0 0 p\nAnonymous: 0 kB\n", "2-1 r--p 0 0 0 p\nAnonymous: 0 kB\n", "Anonymous:\n", "1-2\n"} {
		if got := untouchedMappings([]byte(broken), "p"); got != nil {
			t.Errorf("%q: %v", broken, got)
		}
	}
}

// TestTheProgramRunsOnWithoutItsPages drops the code that it is running.
func TestTheProgramRunsOnWithoutItsPages(t *testing.T) {
	if runtime.GOOS == "linux" {
		smaps, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			t.Fatal(err)
		}
		program, err := os.Readlink("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		code, covered := reflect.ValueOf(dropStartPages).Pointer(), false
		for _, m := range untouchedMappings(smaps, program) {
			covered = covered || m.from <= code && code < m.to
		}
		if !covered {
			t.Errorf("the code at %x is in none of the mappings of %s:\n%s", code, program, head(smaps))
		}
	}
	for range 3 {
		dropStartPages()
		runtime.GC()
		if got := strings.ToUpper("stream"); got != "STREAM" {
			t.Error(got)
		}
	}
}

func head(b []byte) []byte { return b[:min(len(b), 2000)] }

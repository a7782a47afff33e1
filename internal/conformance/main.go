// Command conformance holds this program to what the real Kafka did. It reads cases, one JSON object a line, runs each
// and prints
//
//	FAIL <id>
//	  expected ...
//	  got      ...
//
// for each that differs, and "N passed, N failed" at the end. It ends with 0 only when none failed. A family or a key that it does
// not know is a failure.
//
//	go run ./internal/conformance -kind streams|vectors|connect FILE.jsonl...
//
// It also makes random cases (-generate), and compares this program with another that runs them (-against), down to the
// fewest inputs that make the difference.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/wasmstream/wasmstream/internal/conformance/connectcases"
	"github.com/wasmstream/wasmstream/internal/conformance/streamscases"
	"github.com/wasmstream/wasmstream/internal/conformance/vectors"
)

// runner runs the case of a line and returns its id, and an error that says how it failed.
type runner func(line []byte) (id string, err error)

func runners() map[string]runner {
	return map[string]runner{
		"streams": streamscases.Run,
		"vectors": vectors.Run,
		"connect": connectcases.Run,
	}
}

func main() {
	kind := flag.String("kind", "", "what the files hold: streams, vectors, connect")
	generate := flag.Int("generate", 0, "write this many random cases")
	seed := flag.Uint64("seed", 1, "of -generate and -against")
	var against comparison
	comparisonFlags(&against)
	flag.Parse()
	if *generate > 0 {
		if err := streamscases.Generate(os.Stdout, *seed, *generate, against.family); err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
			os.Exit(2)
		}
		return
	}
	if against.command != "" {
		against.first = *seed
		exit(against.run(os.Stdout))
	}
	run := runners()[*kind]
	if run == nil || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: conformance -kind streams|vectors|connect FILE.jsonl...")
		os.Exit(2)
	}
	exit(runFiles(os.Stdout, run, flag.Args()), nil)
}

// exit ends with 0 only when nothing has failed.
func exit(failed int, err error) {
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	case failed > 0:
		os.Exit(1)
	}
	os.Exit(0)
}

// maxLine bounds a case: the largest ones have tens of kilobytes.
const maxLine = 64 << 20

// runFiles runs every case of the files and returns how many failed. A file that cannot be read, or not to its end, has failed once more.
func runFiles(out io.Writer, run runner, paths []string) (failed int) {
	passed := 0
	for _, path := range paths {
		p, f, err := runFile(out, run, path)
		if err != nil {
			f++
			fmt.Fprintf(out, "FAIL %s\n  reading the file: %v\n", path, err)
		}
		passed, failed = passed+p, failed+f
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return failed
}

// guarded has a case that panics fail, and those behind it run.
func (run runner) guarded(line []byte) (id string, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			var named struct{ ID string }
			_ = json.Unmarshal(line, &named) // the file and the line stand for what has no id
			id, err = named.ID, fmt.Errorf("  expected no panic\n  got      %v\n%s", cause, debug.Stack())
		}
	}()
	return run(line)
}

func runFile(out io.Writer, run runner, path string) (passed, failed int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		id, err := run.guarded(lines.Bytes())
		if err == nil {
			passed++
			continue
		}
		failed++
		if id == "" {
			id = fmt.Sprintf("%s:%d", path, n)
		}
		fmt.Fprintf(out, "FAIL %s\n%v\n", id, err)
	}
	return passed, failed, lines.Err()
}

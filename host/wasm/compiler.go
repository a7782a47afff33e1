package wasm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Compiler is a process of its own for the compiler, which is the only part that works on a guest's code without a
// bound of ours: what it does with a hostile module ends there. The process gets the metered bytes on its standard input,
// answers with machine code on its standard output, and reads and writes nothing else.
type Compiler struct {
	// Command is the program with its arguments; it must call CompileChild and nothing else. Empty compiles in this
	// process, which is right for modules that one made oneself.
	Command []string
	// CPU is what a compilation may use beside perMiB, Wall how long it may take by the clock; 0 takes the default.
	CPU, Wall time.Duration
	// MemoryBytes bounds the address space beyond what the program itself has; 0 takes the default.
	MemoryBytes uint64
}

// Defaults of Compiler. A Go guest of 2.3 MiB takes 3 s of CPU and 200 MiB.
const (
	compileCPU       = 5 * time.Second
	compileCPUPerMiB = 4 * time.Second
	compileWallRatio = 4 // of the CPU, for a machine that does other work
	compileMemory    = 1 << 30
	// The answer is bounded: code with its map of offsets is five times the metered bytes.
	maxCodePerByte = 16
	minCodeRoom    = 1 << 20
	maxCodeBytes   = 96 << 20
	maxChildText   = 4 << 10
)

// compileOrder is the first line that the child reads; the metered bytes follow.
type compileOrder struct {
	CPUSeconds  uint64 `json:"cpuSeconds"`
	MemoryBytes uint64 `json:"memoryBytes"`
	Workers     int    `json:"workers"`
	ModuleBytes int    `json:"moduleBytes"`
}

// order is what one compilation may use.
func (c *Compiler) order(size, workers int) (o compileOrder, wall time.Duration) {
	cpu := c.CPU
	if cpu == 0 {
		cpu = compileCPU + compileCPUPerMiB*time.Duration(size)/(1<<20)
	}
	if wall = c.Wall; wall == 0 {
		wall = compileWallRatio * cpu
	}
	o = compileOrder{CPUSeconds: uint64((cpu + time.Second - 1) / time.Second), MemoryBytes: c.MemoryBytes, Workers: workers, ModuleBytes: size}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = compileMemory
	}
	return o, wall
}

// errInvalid is the child's word that the module does not validate.
type errInvalid struct{ text string }

func (e *errInvalid) Error() string { return e.text }

// compile runs the child on metered bytes and returns the entry that it answers with, checked.
func (c *Compiler) compile(ctx context.Context, metered []byte, workers int) (key codeKey, code []byte, err error) {
	o, wall := c.order(len(metered), workers)
	head, err := json.Marshal(o)
	if err != nil {
		return key, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, wall)
	defer cancel()
	out := boundedBuffer{limit: min(len(metered)*maxCodePerByte+minCodeRoom, maxCodeBytes), stop: cancel}
	said := boundedBuffer{limit: maxChildText}
	cmd := exec.CommandContext(bounded, c.Command[0], c.Command[1:]...)
	cmd.Stdin = io.MultiReader(bytes.NewReader(append(head, '\n')), bytes.NewReader(metered))
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Env = childEnv()
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return key, nil, ctx.Err()
	case out.over:
		return key, nil, errs.ModuleCompile.New("", "the compiled code is larger than it may be", "")
	case bounded.Err() != nil:
		return key, nil, errs.ModuleCompile.New("", fmt.Sprintf("compiling took longer than %v", wall.Round(time.Millisecond)), "")
	case err != nil:
		return key, nil, childFault(err, said.b.String(), o)
	}
	return readAnswer(out.b.Bytes())
}

// childEnv keeps the child from what the environment holds: secrets, and settings of Go that weaken its limits.
func childEnv() []string {
	env := []string{"GOTRACEBACK=none", "GORACE=atexit_sleep_ms=0"} // with the race detector a child ends at once, too
	for _, name := range []string{"SYSTEMROOT", "TMP", "TEMP"} {    // Windows starts no process without the first
		if v, ok := os.LookupEnv(name); ok && runtime.GOOS == "windows" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// outOfMemory is how Go's runtime and libc say it.
var outOfMemory = regexp.MustCompile(`out of memory|cannot allocate|mmap|pthread_create|new OS thread`)

// cpuTolerance is the part of the limit by which the system's account of a process that it killed may fall short: it
// kills by one clock and accounts by another.
const cpuTolerance = 10

// childFault says why the child gave no answer. What it wrote to standard error comes of Go's runtime.
func childFault(err error, said string, o compileOrder) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("running the compiler: %w", err)
	}
	what := "the compiler ended with " + exit.String()
	if line, _, _ := strings.Cut(said, "\n"); line != "" {
		what += " (" + shown(line) + ")"
	}
	limit := time.Duration(o.CPUSeconds) * time.Second
	switch {
	case exit.UserTime()+exit.SystemTime() >= limit-limit/cpuTolerance:
		what = fmt.Sprintf("compiling took more than %d s of CPU", o.CPUSeconds)
	case outOfMemory.MatchString(said):
		what = fmt.Sprintf("compiling took more than %d MiB of memory", o.MemoryBytes>>20)
	}
	return errs.ModuleCompile.New("", what, "")
}

// Answers of the child: a byte, then an entry or a text.
const (
	answerCode    = 'c'
	answerInvalid = 'i' // the module's types do not agree
)

func readAnswer(answer []byte) (key codeKey, code []byte, err error) {
	if len(answer) > 0 && answer[0] == answerInvalid {
		return key, nil, &errInvalid{shown(string(answer[1:]))}
	}
	if len(answer) < 1+len(key) || answer[0] != answerCode {
		return key, nil, errs.ModuleCompile.New("", "the compiler gave no answer", "")
	}
	copy(key[:], answer[1:])
	if code, err = readEntry(key, answer[1+len(key):]); err != nil {
		return key, nil, fmt.Errorf("reading what the compiler gave: %w", err)
	}
	return key, code, nil
}

// CompileChild is what the program of Compiler.Command does: it takes limits upon itself, compiles the module on in and
// writes its code to out. It returns the exit status. It must be called at once, before the program does anything else.
func CompileChild(in io.Reader, out io.Writer) int {
	const failed = 1
	head, rest, err := readOrder(in)
	if err != nil {
		return failed
	}
	limitProcess(head.CPUSeconds, head.MemoryBytes)
	metered := make([]byte, head.ModuleBytes)
	if _, err := io.ReadFull(rest, metered); err != nil {
		return failed
	}
	answer, err := compileAnswer(metered, head.Workers)
	if err == nil {
		_, err = out.Write(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	return 0
}

func readOrder(in io.Reader) (o compileOrder, rest io.Reader, err error) {
	const maxOrder = 1 << 10
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(in, one); err != nil || len(line) > maxOrder {
			return o, nil, errors.New("no order")
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	if err := json.Unmarshal(line, &o); err != nil {
		return o, nil, err
	}
	if o.ModuleBytes < 0 || o.ModuleBytes > maxMeteredBytes || o.Workers < 0 {
		return o, nil, errors.New("no order")
	}
	return o, in, nil
}

// compileAnswer compiles metered bytes and takes the code out of wazero's hands.
func compileAnswer(metered []byte, workers int) ([]byte, error) {
	ctx := context.Background()
	var sink codeSink
	cache, ok := compilationCache(&sink)
	if !ok {
		return nil, errors.New("this wazero gives no code")
	}
	r := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(false).WithCompilationCache(cache))
	_, err := compileBytes(ctx, r, metered, workers)
	if broken, ok := errors.AsType[*errCompiler](err); ok {
		return nil, broken
	}
	if err != nil {
		return append([]byte{answerInvalid}, shown(err.Error())...), nil
	}
	return append(append([]byte{answerCode}, sink.key[:]...), sink.entry...), nil
}

// codeSink is a cache of wazero that takes one entry.
type codeSink struct {
	key   codeKey
	entry []byte
}

// Get implements the cache of wazero.
func (s *codeSink) Get(codeKey) (io.ReadCloser, bool, error) { return nil, false, nil }

// Add implements the cache of wazero.
func (s *codeSink) Add(key codeKey, content io.Reader) error {
	code, err := io.ReadAll(content)
	if err == nil {
		s.key, s.entry = key, appendEntry(nil, key, code)
	}
	return err
}

// Delete implements the cache of wazero.
func (s *codeSink) Delete(codeKey) error { return nil }

// boundedBuffer takes as much as limit, and calls stop when more comes.
type boundedBuffer struct {
	b     bytes.Buffer // not embedded: its ReadFrom knows no limit
	limit int
	over  bool
	stop  func()
}

// Write implements io.Writer.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > b.limit {
		b.over = true
		if b.stop == nil {
			b.b.Write(p[:b.limit-b.b.Len()])
			return len(p), nil // the rest is not needed
		}
		b.stop()
		return 0, io.ErrShortWrite
	}
	return b.b.Write(p)
}

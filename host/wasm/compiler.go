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
	"runtime/metrics"
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
	// CPU is what a compilation may use, Wall how long it may take by the clock, whatever the size of the module; 0 takes
	// what DefaultCompile says of that size.
	CPU, Wall time.Duration
	// MemoryBytes bounds what the process holds in memory, the program itself included; 0 takes the default.
	MemoryBytes uint64
}

// What a compilation may use. A Go guest takes half a second of CPU for each MiB on the machine of docs/performance.md,
// whatever its size, so an honest module has room for a processor six times as slow. What is small and slow is made so.
const (
	compileCPU       = 600 * time.Millisecond
	compileCPUPerMiB = 3 * time.Second
	maxCompileCPU    = 30 * time.Second
	// The clock is for a machine that does other work; a module that is slow to compile ends by its CPU.
	compileWall      = 3 * time.Second
	compileWallRatio = 4
	maxCompileWall   = 60 * time.Second
	// compileMemory is enough for the largest honest modules, 8 MiB of Go. The collector works hard from heapEighths of it on.
	compileMemory = 240 << 20
	heapEighths   = 5
	// compileWorkers each hold a function.
	compileWorkers = 2
	// The answer is bounded: code with its map of offsets is five times the metered bytes.
	maxCodePerByte  = 16
	likelyPerByte   = 5
	minCodeRoom     = 1 << 20
	maxCodeBytes    = 96 << 20
	maxChildText    = 4 << 10
	maxMemoryOrder  = 1 << 40
	maxSecondsOrder = 1 << 20
)

// DefaultCompile is the CPU and the time by the clock that compiling a module may take, by the number of its bytes with
// their counters. Neither is ever more than that of the largest.
func DefaultCompile(size int) (cpu, wall time.Duration) {
	cpu = min(compileCPU+compileCPUPerMiB*time.Duration(size)/(1<<20), maxCompileCPU)
	return cpu, min(compileWall+compileWallRatio*cpu, maxCompileWall)
}

// compileOrder is the first line that the child reads; the metered bytes follow.
type compileOrder struct {
	CPUMillis   uint64 `json:"cpuMillis"`
	MemoryBytes uint64 `json:"memoryBytes"`
	Workers     int    `json:"workers"`
	ModuleBytes int    `json:"moduleBytes"`
}

func (o compileOrder) cpu() time.Duration { return time.Duration(o.CPUMillis) * time.Millisecond }

// order is what one compilation may use.
func (c *Compiler) order(size, workers int) (o compileOrder, wall time.Duration) {
	cpu, wall := DefaultCompile(size)
	if c.CPU > 0 {
		cpu = c.CPU
	}
	if c.Wall > 0 {
		wall = c.Wall
	}
	o = compileOrder{CPUMillis: uint64(max(cpu.Milliseconds(), 1)), MemoryBytes: c.MemoryBytes, Workers: min(workers, compileWorkers), ModuleBytes: size}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = compileMemory
	}
	return o, wall
}

// errInvalid is the child's word that the module does not validate.
type errInvalid struct{ text string }

func (e *errInvalid) Error() string { return e.text }

// compile runs the child on metered bytes and returns the entry that it answers with, checked, and the code in it.
func (c *Compiler) compile(ctx context.Context, metered []byte, workers int) (key codeKey, entry, code []byte, err error) {
	o, wall := c.order(len(metered), workers)
	head, err := json.Marshal(o)
	if err != nil {
		return key, nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, wall)
	defer cancel()
	out := boundedBuffer{limit: min(len(metered)*maxCodePerByte+minCodeRoom, maxCodeBytes), stop: cancel}
	out.b.Grow(min(len(metered)*likelyPerByte+minCodeRoom, out.limit))
	said := boundedBuffer{limit: maxChildText}
	cmd := exec.CommandContext(bounded, c.Command[0], c.Command[1:]...)
	cmd.Stdin = io.MultiReader(bytes.NewReader(append(head, '\n')), bytes.NewReader(metered))
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Env = childEnv()
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return key, nil, nil, ctx.Err()
	case out.over:
		return key, nil, nil, errs.ModuleCompile.New("", "the compiled code is larger than it may be", "")
	case bounded.Err() != nil:
		return key, nil, nil, errs.ModuleCompile.New("", fmt.Sprintf("compiling took longer than %v", wall.Round(time.Millisecond)), "")
	case err != nil:
		return key, nil, nil, childFault(err, said.b.String(), o)
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
	switch limit := o.cpu(); {
	case exit.ExitCode() == exitCPU || exit.UserTime()+exit.SystemTime() >= limit-limit/cpuTolerance:
		what = fmt.Sprintf("compiling took more than %v of CPU", limit)
	case exit.ExitCode() == exitMemory || outOfMemory.MatchString(said):
		what = fmt.Sprintf("compiling took more than %d MiB of memory", o.MemoryBytes>>20)
	}
	return errs.ModuleCompile.New("", what, "")
}

// Answers of the child: a byte, then an entry or a text.
const (
	answerCode    = 'c'
	answerInvalid = 'i' // the module's types do not agree
)

func readAnswer(answer []byte) (key codeKey, entry, code []byte, err error) {
	if len(answer) > 0 && answer[0] == answerInvalid {
		return key, nil, nil, &errInvalid{shown(string(answer[1:]))}
	}
	if len(answer) < 1+len(key) || answer[0] != answerCode {
		return key, nil, nil, errs.ModuleCompile.New("", "the compiler gave no answer", "")
	}
	copy(key[:], answer[1:])
	entry = answer[1+len(key):]
	if code, err = readEntry(key, entry); err != nil {
		return key, nil, nil, fmt.Errorf("reading what the compiler gave: %w", err)
	}
	return key, entry, code, nil
}

// Exit statuses of the child.
const (
	exitFailed = 1
	exitCPU    = 33 // its CPU is used up
	exitMemory = 34 // its memory is
)

// CompileChild is what the program of Compiler.Command does: it takes limits upon itself, compiles the module on in and
// writes its code to out. It returns the exit status. It must be called at once, before the program does anything else.
func CompileChild(in io.Reader, out io.Writer) int {
	head, rest, err := readOrder(in)
	if err != nil {
		return exitFailed
	}
	limitProcess(head.cpu(), head.MemoryBytes)
	runtime.GOMAXPROCS(compileWorkers + 1) // watch waits for no worker
	go watch(head.cpu(), head.MemoryBytes)
	metered := make([]byte, head.ModuleBytes)
	if _, err := io.ReadFull(rest, metered); err != nil {
		return exitFailed
	}
	if err := writeAnswer(out, metered, head.Workers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

// watch ends the process when it has used more than it may. It is finer than the system's limits, which count whole
// seconds and address space instead of memory, and hold should this goroutine not get its turn.
func watch(cpu time.Duration, memoryBytes uint64) {
	const interval = 5 * time.Millisecond
	for range time.Tick(interval) {
		usedCPU, usedMemory := used()
		switch {
		case usedCPU > cpu:
			os.Exit(exitCPU)
		case usedMemory > memoryBytes:
			os.Exit(exitMemory)
		}
	}
}

// goMemory is what Go's runtime holds, for systems that do not tell what the process does.
func goMemory() uint64 {
	all := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(all)
	return all[0].Value.Uint64() - all[1].Value.Uint64()
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
	if o.ModuleBytes < 0 || o.ModuleBytes > maxMeteredBytes || o.Workers < 0 || o.MemoryBytes > maxMemoryOrder || o.cpu() > maxSecondsOrder*time.Second {
		return o, nil, errors.New("no order")
	}
	return o, in, nil
}

// writeAnswer compiles metered bytes and writes the code on its way from wazero: what is large is not copied.
func writeAnswer(out io.Writer, metered []byte, workers int) error {
	ctx := context.Background()
	sink := codeSink{out: out}
	cache, ok := compilationCache(&sink)
	if !ok {
		return errors.New("this wazero gives no code")
	}
	r := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(false).WithCompilationCache(cache))
	_, err := compileBytes(ctx, r, metered, workers)
	if _, broken := errors.AsType[*errCompiler](err); err == nil || broken || sink.began {
		return err
	}
	_, err = out.Write(append([]byte{answerInvalid}, shown(err.Error())...))
	return err
}

// codeSink is a cache of wazero that writes the one entry that it is given as an answer.
type codeSink struct {
	out   io.Writer
	began bool
}

// Get implements the cache of wazero.
func (s *codeSink) Get(codeKey) (io.ReadCloser, bool, error) { return nil, false, nil }

// Add implements the cache of wazero.
func (s *codeSink) Add(key codeKey, content io.Reader) error {
	s.began = true
	sized, ok := content.(interface{ Len() int })
	if !ok {
		code, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		r := bytes.NewReader(code)
		content, sized = r, r
	}
	if _, err := s.out.Write(append([]byte{answerCode}, key[:]...)); err != nil {
		return err
	}
	return writeEntry(s.out, key, sized.Len(), content)
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

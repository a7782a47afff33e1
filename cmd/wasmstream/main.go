// Command wasmstream runs stream processing applications whose functions are WebAssembly modules, and what goes with
// it: topics, records, a broker for development, resets. This package holds flags and printing only.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func main() {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case compileChild:
			os.Exit(wasm.CompileChild(os.Stdin, os.Stdout))
		case describeChild:
			os.Exit(wasm.DescribeChild(os.Stdin, os.Stdout))
		}
	}
	os.Exit(run())
}

// These make the program a process that compiles modules (wasm.Compiler), or one that asks them for their manifests
// (wasm.Describer). They are no commands of the help.
const (
	compileChild  = "compile-child"
	describeChild = "describe-child"
)

// compiler is this program as a compiler of modules. Where it cannot be found again, modules are compiled in this
// process. On Linux it is the running program itself, which stays the same when its file is replaced by an upgrade.
func compiler() []string { return self(compileChild) }

// self is this program with an argument.
func self(argument string) []string {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return []string{running, argument}
	}
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{program, argument}
}

// run is the program: it returns the exit status.
func run() int {
	ctx, sig := untilSignal()
	out := &checkedWriter{w: os.Stdout}
	app := newApp(os.Stdin, out, os.Stderr)
	err := app.RunContext(ctx, intersperse(app.Commands, os.Args))
	if lost := out.fault(); lost != nil {
		err = lost
	}
	if err == nil {
		return errs.ExitOK
	}
	if errors.Is(err, context.Canceled) && sig() != nil {
		return exitBySignal(sig())
	}
	var silent silentError
	if errors.As(err, &silent) {
		return int(silent)
	}
	errs.Render(os.Stderr, err, errs.Colour(os.Stderr, os.Getenv))
	return errs.Exit(err)
}

// sameSignal is how soon after the first a signal of the same kind is taken for the same: timeout(1) sends its signal to
// the process and then to the group that the process is in, and nobody's finger is that quick.
const sameSignal = 200 * time.Millisecond

// untilSignal returns a context that the first SIGINT or SIGTERM cancels, and a function that tells which one it was.
// The second signal ends the process at once.
func untilSignal() (context.Context, func() os.Signal) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	first := make(chan os.Signal, 1)
	go func() {
		s := <-signals
		at := time.Now()
		first <- s
		cancel()
		for again := range signals {
			if again == s && time.Since(at) < sameSignal {
				continue
			}
			fmt.Fprintln(os.Stderr, "ended by a second signal; what was not committed is done again at the next start")
			os.Exit(exitBySignal(again))
		}
	}()
	var got os.Signal
	return ctx, func() os.Signal {
		select {
		case got = <-first:
		default:
		}
		return got
	}
}

func exitBySignal(s os.Signal) int {
	if s == syscall.SIGTERM {
		return 128 + int(syscall.SIGTERM)
	}
	return 128 + int(syscall.SIGINT)
}

// silentError is an exit status for which everything has been said already.
type silentError int

func (e silentError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

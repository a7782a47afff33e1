// Command guests builds the guests of this repository: -check proves that the committed modules are current, -update
// builds them anew, and -all [DIR] builds every guest into a folder for tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

func main() {
	check := flag.Bool("check", false, "prove that the committed modules are those of their source")
	update := flag.Bool("update", false, "build the committed modules anew and write examples/manifest.json")
	all := flag.Bool("all", false, "build every guest into DIR (default $"+guestbuild.CacheEnv+" or .cache/guests)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *check, *update, *all, flag.Arg(0)); err != nil {
		for _, e := range errs.Flatten(err) {
			fmt.Fprintln(os.Stderr, e)
		}
		os.Exit(errs.Exit(err))
	}
}

func run(ctx context.Context, w io.Writer, check, update, all bool, dir string) error {
	root, err := guestbuild.Root()
	if err != nil {
		return err
	}
	if update {
		if err := updateModules(ctx, w, root); err != nil {
			return err
		}
	}
	if check {
		if err := checkModules(ctx, w, root); err != nil {
			return err
		}
	}
	if !all {
		return nil
	}
	if dir == "" {
		dir = guestbuild.CacheDir(root)
	}
	return buildAll(ctx, w, root, dir)
}

func updateModules(ctx context.Context, w io.Writer, root string) error {
	modules, err := guestbuild.Update(ctx, root)
	for _, b := range modules {
		printLine(w, "updated", b.Module, b)
	}
	return err
}

func checkModules(ctx context.Context, w io.Writer, root string) error {
	checked, err := guestbuild.Check(ctx, root)
	for _, c := range checked {
		state := "same bytes"
		if !c.Rebuilt {
			state = "not rebuilt: " + c.Why
		}
		printLine(w, "current", c.Module, c.Built)
		fmt.Fprintf(w, "         %s\n", state)
	}
	return err
}

func buildAll(ctx context.Context, w io.Writer, root, dir string) error {
	for _, g := range guestbuild.Guests() {
		b, err := g.Ensure(ctx, root, dir)
		if err != nil {
			return err
		}
		state := "cached"
		if b.Fresh {
			state = "built"
		}
		printLine(w, state, filepath.Join(dir, b.Module), b)
	}
	return nil
}

func printLine(w io.Writer, state, name string, b guestbuild.Built) {
	fmt.Fprintf(w, "%-8s %s  %d bytes  %.19s  %s\n", state, name, b.Size, b.Digest, b.Toolchain)
}

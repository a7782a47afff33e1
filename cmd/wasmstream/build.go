package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

func buildCommand() *cli.Command {
	return &cli.Command{
		Name: "build", Usage: "compile a guest in Go, Rust or C", ArgsUsage: "[DIR]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write; the folder's name with .wasm otherwise"},
			&cli.StringSliceFlag{Name: "include", Aliases: []string{"I"}, Usage: "`DIR` with wasmstream.h, for C"},
			&cli.BoolFlag{Name: "debug", Usage: "keep line tables, so that a trap names file and line (C, Rust)"},
			outputFlag("text", "json"),
		},
		Action: build,
	}
}

// builtModule is what -o json prints; its names are a contract.
type builtModule struct {
	Path      string `json:"path"`
	Language  string `json:"language"`
	SizeBytes int64  `json:"size_bytes"`
	Digest    string `json:"digest"`
	Toolchain string `json:"toolchain"`
}

func build(c *cli.Context) error {
	if err := wantArgs(c, 0, 1); err != nil {
		return err
	}
	dir := c.Args().First()
	if dir == "" {
		dir = "."
	}
	r, err := guestbuild.Build(c.Context, guestbuild.Options{Dir: dir, Out: c.String("out"), Include: c.StringSlice("include"), Debug: c.Bool("debug")})
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, builtModule{r.Path, string(r.Language), r.Size, r.Digest, r.Toolchain})
	}
	fmt.Fprintf(c.App.Writer, "%s: %d bytes, %s\n", r.Path, r.Size, r.Digest)
	fmt.Fprintf(c.App.ErrWriter, "look at it with: wasmstream module inspect %s\n", r.Path)
	return nil
}

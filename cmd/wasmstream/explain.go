package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "what an error code means and what helps; all codes when none is named", ArgsUsage: "[CODE]",
		Action: explain,
	}
}

func explain(c *cli.Context) error {
	if err := wantArgs(c, 0, 1); err != nil {
		return err
	}
	if c.NArg() == 0 {
		var rows [][]string
		for _, code := range errs.All() {
			rows = append(rows, []string{code.ID, code.Title})
		}
		return printTable(c.App.Writer, []string{"CODE", "MEANING"}, rows)
	}
	name := c.Args().First()
	code, ok := errs.Lookup(name)
	if !ok {
		var ids []string
		for _, known := range errs.All() {
			ids = append(ids, known.ID)
		}
		fix := "wasmstream explain lists them"
		if nearest := errs.Nearest(name, ids); nearest != "" {
			fix = fmt.Sprintf("did you mean %q?", nearest)
		}
		return errs.CLIUnknownCode.New("", fmt.Sprintf("there is no code %q", name), fix)
	}
	fmt.Fprint(c.App.Writer, code.Text())
	return nil
}

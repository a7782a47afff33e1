package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology/spec"
)

func schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print the JSON schema of a kind of document", ArgsUsage: "[application|tests]",
		Description: "Editors check and complete a document by it:\n  wasmstream schema > application.schema.json\nand as the first line of the document\n  # yaml-language-server: $schema=application.schema.json",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			schema := spec.Schema
			switch kind := c.Args().First(); kind {
			case "", "application":
			case "tests":
				schema = spec.TestSchema
			default:
				return errs.CLIUsage.New("schema", fmt.Sprintf("there is no kind %q", kind), errs.DidYouMean(kind, []string{"application", "tests"}))
			}
			_, err := c.App.Writer.Write(schema())
			return err
		},
	}
}

package main

import (
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/topology/spec"
)

func schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print the JSON schema of the application document", ArgsUsage: " ",
		Description: "Editors check and complete a document by it:\n  wasmstream schema > application.schema.json\nand as the first line of the document\n  # yaml-language-server: $schema=application.schema.json",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			_, err := c.App.Writer.Write(spec.Schema())
			return err
		},
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func connectorValidateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check settings of connectors without creating them", ArgsUsage: "FILE...", Flags: restFlags(),
		Description: "Tells every fault of every setting. The status is 2 if there is one.",
		Action: func(c *cli.Context) error {
			faults := 0
			err := eachFile(c, func(r connectorRequest) error {
				n, err := connectorValidate(c, r)
				faults += n
				return err
			})
			if err == nil && faults > 0 {
				return errs.ConnectConfig.New(c.Args().First(), plural(faults, "fault"), "correct the settings that are named above")
			}
			return err
		},
	}
}

// connectorValidate asks the worker about a connector and prints what is wrong with it.
func connectorValidate(c *cli.Context, r connectorRequest) (faults int, err error) {
	body, err := json.Marshal(r.config)
	if err != nil {
		return 0, err
	}
	class, ok := r.config.Get("connector.class")
	if !ok {
		return 0, errs.ConnectConfig.New(r.path, "the connector has no connector.class", "add connector.class=...; wasmstream connector plugins lists them")
	}
	var infos config.Infos
	if err := ask(c, http.MethodPut, "/connector-plugins/"+url.PathEscape(class)+"/config/validate", body, &infos); err != nil {
		return 0, err
	}
	for _, s := range infos.Configs {
		for _, text := range s.Value.Errors {
			fmt.Fprintf(c.App.Writer, "%s: %s: %s\n", r.name, s.Value.Name, text)
			faults++
		}
	}
	if faults == 0 {
		fmt.Fprintf(c.App.Writer, "%s is valid\n", r.name)
	}
	return faults, nil
}

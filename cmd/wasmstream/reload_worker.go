package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host/connect/guest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// reloadWorker has a Connect worker read its modules again.
func reloadWorker(c *cli.Context) error {
	var done []guest.Reloaded
	if err := ask(c, http.MethodPost, "/admin/modules/reload?module="+url.QueryEscape(c.String("name")), nil, &done); err != nil {
		return err
	}
	var err error
	if c.String("output") == "json" {
		err = printJSON(c.App.Writer, done)
	} else {
		err = printReloads(c.App.Writer, done)
	}
	for _, d := range done {
		if d.Error != "" {
			err = errors.Join(err, errs.New(d.Code, d.Module, d.Error, d.Fix))
		}
	}
	return err
}

func printReloads(w io.Writer, done []guest.Reloaded) error {
	var lines strings.Builder
	if len(done) == 0 {
		lines.WriteString("no module is in use\n")
	}
	for _, d := range done {
		switch {
		case d.Error != "":
			fmt.Fprintf(&lines, "%s  %s goes on: the new module is refused\n", d.Module, shortDigest(d.Old))
		case d.Old == d.New:
			fmt.Fprintf(&lines, "%s  %s unchanged\n", d.Module, shortDigest(d.Old))
		default:
			fmt.Fprintf(&lines, "%s  %s -> %s  %s\n", d.Module, shortDigest(d.Old), shortDigest(d.New), plural(d.Running, "running plugin"))
		}
	}
	_, err := io.WriteString(w, lines.String())
	return err
}

// shortDigest is enough of a digest to tell two apart.
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func threadsCommand() *cli.Command {
	return &cli.Command{
		Name: "threads", Usage: "list, add and remove the threads of a running process",
		Subcommands: []*cli.Command{
			controlCommand("list", "print the state of a process and what its threads run", "", http.MethodGet, "/threads"),
			controlCommand("add", "start one more thread", "It joins the group and takes tasks from the others. The setting num.stream.threads is not changed.", http.MethodPost, "/threads"),
			controlCommand("remove", "stop the thread with the highest number", "It commits, and hands its tasks to the others. A process without threads stays, and can be given new ones.", http.MethodDelete, "/threads"),
		},
	}
}

func pauseCommand() *cli.Command {
	return controlCommand("pause", "stop processing in a running process", "It stays in the group and keeps its tasks, which are restored meanwhile; what it has done is committed. resume goes on.", http.MethodPost, "/pause")
}

func resumeCommand() *cli.Command {
	return controlCommand("resume", "go on after pause", "", http.MethodPost, "/resume")
}

// controlCommand sends a request to the admin address and prints what has become of the process.
func controlCommand(name, usage, description, method, path string) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, Description: strings.TrimSpace("Asks the process that was started with run --admin ADDRESS, and none but that.\n" + description), ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "admin", Usage: "`ADDRESS` that run --admin printed", EnvVars: []string{"WASMSTREAM_ADMIN"}},
			&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "how long to wait, a `DURATION` such as 30s"},
			outputFlag("text", "json"),
		},
		Action: func(c *cli.Context) error { return control(c, method, path) },
	}
}

func control(c *cli.Context, method, path string) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	if c.String("admin") == "" {
		return errs.CLIUsage.New(c.Command.HelpName, "--admin is missing", "give the address that run --admin printed")
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	m, err := host.Control(ctx, c.String("admin"), method, path)
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, m)
	}
	state := m.State
	if m.Paused {
		state += ", paused"
	}
	if _, err := fmt.Fprintln(c.App.Writer, state); err != nil {
		return err
	}
	var rows [][]string
	for _, t := range m.Threads {
		rows = append(rows, []string{t.Name, t.State, tasksOf(t.Active), tasksOf(t.Standbys)})
	}
	return printTable(c.App.Writer, []string{"THREAD", "STATE", "TASKS", "STANDBYS"}, rows)
}

func tasksOf(ids []string) string {
	if len(ids) == 0 {
		return "-"
	}
	return strings.Join(ids, " ")
}

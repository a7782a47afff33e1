package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func connectorCommand() *cli.Command {
	action := func(name, usage, method, path, done string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, ArgsUsage: "CONNECTOR...", Flags: restFlags(), Action: func(c *cli.Context) error {
			return eachConnector(c, method, path, done)
		}}
	}
	return &cli.Command{
		Name: "connector", Usage: "list, describe and change connectors of a Connect cluster",
		Subcommands: []*cli.Command{
			connectorListCommand(), connectorDescribeCommand(), connectorValidateCommand(), connectorCreateCommand(), connectorApplyCommand(),
			action("pause", "pause connectors and their tasks", http.MethodPut, "/pause", "paused"),
			action("resume", "resume connectors", http.MethodPut, "/resume", "resumed"),
			action("stop", "stop connectors and shut their tasks down", http.MethodPut, "/stop", "stopped"),
			connectorRestartCommand(),
			action("delete", "delete connectors", http.MethodDelete, "", "deleted"),
			connectorOffsetsCommand(), connectorTopicsCommand(), connectorPluginsCommand(), connectorLoggersCommand(),
		},
	}
}

// restFlags say which worker a command talks to.
func restFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "server", Aliases: []string{"s"}, Value: "http://127.0.0.1:8083", EnvVars: []string{"WASMSTREAM_CONNECT_URL"}, Usage: "`URL` of a worker; host:port is http"},
		&cli.StringFlag{Name: "user", EnvVars: []string{"WASMSTREAM_CONNECT_USER"}, Usage: "`USER:PASSWORD` for basic authentication"},
		&cli.StringFlag{Name: "token", EnvVars: []string{"WASMSTREAM_CONNECT_TOKEN"}, Usage: "`TOKEN` for bearer authentication"},
	}, more...)
}

// ask sends a request to the worker and reads the answer into out, unless that is nil.
func ask(c *cli.Context, method, path string, body []byte, out any) error {
	server := strings.TrimSuffix(c.String("server"), "/")
	if !strings.Contains(server, "://") {
		server = "http://" + server // host:port, as for brokers
	}
	ctx, cancel := context.WithTimeout(c.Context, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, server+path, bytes.NewReader(body))
	if err != nil {
		return errs.CLIUsage.New("--server", "want a URL", "as in --server http://127.0.0.1:8083")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if user, password, ok := strings.Cut(c.String("user"), ":"); ok {
		req.SetBasicAuth(user, password)
	} else if token := c.String("token"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errs.ConnectUnreachable.New(server, "no worker answers", "").WithCause(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return errs.ConnectUnreachable.New(server, "the answer broke off", "").WithCause(err)
	}
	if resp.StatusCode/100 != 2 {
		var m struct{ Message string }
		if json.Unmarshal(answer, &m) != nil || m.Message == "" {
			m.Message = resp.Status
		}
		return errs.ConnectRefused.New(server, fmt.Sprintf("%s (status %d)", m.Message, resp.StatusCode), "")
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return errs.ConnectRefused.New(server, "the answer is not one of Kafka Connect's REST API", "check the URL")
	}
	return nil
}

func connectorPath(name string) string { return "/connectors/" + url.PathEscape(name) }

// eachConnector sends the same request for each connector named.
func eachConnector(c *cli.Context, method, path, done string) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	for _, name := range c.Args().Slice() {
		if err := ask(c, method, connectorPath(name)+path, nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s %s\n", done, name)
	}
	return nil
}

// listed is an entry of GET /connectors?expand=....
type listed struct {
	Info   connect.ConnectorInfo      `json:"info"`
	Status connect.ConnectorStateInfo `json:"status"`
}

func connectorListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Aliases: []string{"ls"}, Usage: "list connectors with their states", ArgsUsage: " ",
		Flags: restFlags(outputFlag("table", "json"), &cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "show the list anew every second, until Ctrl-C"}),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			for {
				if err := connectorList(c); err != nil || !c.Bool("watch") {
					return err
				}
				select {
				case <-c.Context.Done():
					return nil
				case <-time.After(time.Second):
				}
			}
		},
	}
}

func connectorList(c *cli.Context) error {
	var all map[string]listed
	if err := ask(c, http.MethodGet, "/connectors?expand=info&expand=status", nil, &all); err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, all)
	}
	if c.Bool("watch") {
		fmt.Fprint(c.App.Writer, "\033[H\033[2J")
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name].Status
		rows = append(rows, []string{name, s.Type, string(s.Connector.State), taskSummary(s.Tasks), s.Connector.WorkerID})
	}
	return printTable(c.App.Writer, []string{"NAME", "TYPE", "STATE", "TASKS", "WORKER"}, rows)
}

// taskSummary is "3 RUNNING, 1 FAILED".
func taskSummary(tasks []connect.StateInfo) string {
	counts := map[string]int{}
	for _, t := range tasks {
		counts[string(t.State)]++
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, strconv.Itoa(counts[state])+" "+state)
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func connectorDescribeCommand() *cli.Command {
	return &cli.Command{
		Name: "describe", Usage: "show settings, tasks, and why something failed", ArgsUsage: "CONNECTOR", Flags: restFlags(outputFlag("table", "json")),
		Action: connectorDescribe,
	}
}

func connectorDescribe(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	path := connectorPath(c.Args().First())
	var one listed
	if err := ask(c, http.MethodGet, path, nil, &one.Info); err != nil {
		return err
	}
	if err := ask(c, http.MethodGet, path+"/status", nil, &one.Status); err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, one)
	}
	w, s := c.App.Writer, one.Status
	fmt.Fprintf(w, "%s: %s, %s on %s\n", s.Name, s.Type, s.Connector.State, s.Connector.WorkerID)
	printTrace(w, s.Connector.Trace)
	for _, key := range slices.Sorted(maps.Keys(one.Info.Config)) {
		value := "null"
		if v := one.Info.Config[key]; v != nil {
			value = *v
		}
		fmt.Fprintf(w, "  %s = %s\n", key, value)
	}
	var rows [][]string
	for _, t := range s.Tasks {
		rows = append(rows, []string{strconv.Itoa(*t.ID), string(t.State), t.WorkerID})
	}
	if err := printTable(w, []string{"TASK", "STATE", "WORKER"}, rows); err != nil {
		return err
	}
	for _, t := range s.Tasks {
		printTrace(w, t.Trace)
	}
	return nil
}

func printTrace(w io.Writer, trace string) {
	if trace != "" {
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(strings.TrimSpace(trace), "\n", "\n  "))
	}
}

func connectorCreateCommand() *cli.Command {
	return &cli.Command{
		Name: "create", Usage: "create connectors that do not exist", ArgsUsage: "FILE...", Flags: restFlags(),
		Description: "Files are properties, a map of settings in JSON or YAML, or {\"name\", \"config\", \"initial_state\"}.",
		Action: func(c *cli.Context) error {
			return eachFile(c, func(r connectorRequest) error {
				body, err := r.requestBody()
				if err != nil {
					return err
				}
				if err := ask(c, http.MethodPost, "/connectors", body, nil); err != nil {
					return err
				}
				fmt.Fprintf(c.App.Writer, "created %s\n", r.name)
				return nil
			})
		},
	}
}

func connectorApplyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "create connectors or change their settings", ArgsUsage: "FILE...", Flags: restFlags(),
		Action: func(c *cli.Context) error {
			return eachFile(c, func(r connectorRequest) error {
				body, err := json.Marshal(r.config)
				if err != nil {
					return err
				}
				if err := ask(c, http.MethodPut, connectorPath(r.name)+"/config", body, nil); err != nil {
					return err
				}
				fmt.Fprintf(c.App.Writer, "applied %s\n", r.name)
				return nil
			})
		},
	}
}

func eachFile(c *cli.Context, f func(connectorRequest) error) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	for _, path := range c.Args().Slice() {
		list, err := readConnectors(path)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func connectorRestartCommand() *cli.Command {
	return &cli.Command{
		Name: "restart", Usage: "restart connectors, their tasks, or one task", ArgsUsage: "CONNECTOR...",
		Flags: restFlags(
			&cli.BoolFlag{Name: "tasks", Usage: "the tasks too"},
			&cli.BoolFlag{Name: "failed", Usage: "only what has failed"},
			&cli.IntFlag{Name: "task", Value: -1, Usage: "`NUMBER` of the only task to restart"},
		),
		Action: func(c *cli.Context) error {
			path := fmt.Sprintf("/restart?includeTasks=%t&onlyFailed=%t", c.Bool("tasks"), c.Bool("failed"))
			if n := c.Int("task"); n >= 0 {
				path = fmt.Sprintf("/tasks/%d/restart", n)
			}
			return eachConnector(c, http.MethodPost, path, "restarted")
		},
	}
}

func connectorOffsetsCommand() *cli.Command {
	return &cli.Command{
		Name: "offsets", Usage: "show, set and reset offsets of a connector",
		Subcommands: []*cli.Command{
			{Name: "get", Usage: "show the offsets", ArgsUsage: "CONNECTOR", Flags: restFlags(outputFlag("table", "json")), Action: offsetsGet},
			{Name: "set", Usage: "set offsets of a stopped connector", ArgsUsage: "CONNECTOR FILE", Description: "FILE is JSON as get -o json prints it; \"offset\": null resets a partition.", Flags: restFlags(), Action: offsetsSet},
			{Name: "reset", Usage: "forget all offsets of a stopped connector", ArgsUsage: "CONNECTOR", Flags: restFlags(), Action: offsetsReset},
		},
	}
}

// offsetsBody is an offsets answer or request.
type offsetsBody struct {
	Offsets []connect.OffsetInfo `json:"offsets"`
}

func offsetsGet(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	var body offsetsBody
	if err := ask(c, http.MethodGet, connectorPath(c.Args().First())+"/offsets", nil, &body); err != nil {
		return err
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, body)
	}
	var rows [][]string
	for _, o := range body.Offsets {
		rows = append(rows, []string{string(o.Partition), string(o.Offset)})
	}
	return printTable(c.App.Writer, []string{"PARTITION", "OFFSET"}, rows)
}

func offsetsSet(c *cli.Context) error {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	body, err := os.ReadFile(c.Args().Get(1))
	if err != nil {
		return errs.ConnectConfig.New(c.Args().Get(1), "the file cannot be read", "").WithCause(withoutPath(err))
	}
	return offsetsChange(c, http.MethodPatch, body)
}

func offsetsReset(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	return offsetsChange(c, http.MethodDelete, nil)
}

func offsetsChange(c *cli.Context, method string, body []byte) error {
	var answer struct{ Message string }
	if err := ask(c, method, connectorPath(c.Args().First())+"/offsets", body, &answer); err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer, answer.Message)
	return nil
}

func connectorPluginsCommand() *cli.Command {
	return &cli.Command{
		Name: "plugins", Usage: "list the plugins of a worker", ArgsUsage: " ", Flags: restFlags(outputFlag("table", "json")),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			var list []connect.PluginInfo
			if err := ask(c, http.MethodGet, "/connector-plugins?connectorsOnly=false", nil, &list); err != nil {
				return err
			}
			if c.String("output") == "json" {
				return printJSON(c.App.Writer, list)
			}
			var rows [][]string
			for _, p := range list {
				rows = append(rows, []string{p.Class, p.Type, p.Version})
			}
			return printTable(c.App.Writer, []string{"CLASS", "TYPE", "VERSION"}, rows)
		},
	}
}

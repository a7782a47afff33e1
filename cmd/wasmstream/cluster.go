package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// defaultServer is where a broker on this machine is.
const defaultServer = "localhost:9092"

// serverEnv are the variables that give the cluster for every command; the second is the one of the setting.
var serverEnv = []string{"WASMSTREAM_BOOTSTRAP_SERVER", "WASMSTREAM_BOOTSTRAP_SERVERS"}

// clusterFlags say which cluster a command talks to, and how.
func clusterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bootstrap-server", Aliases: []string{"b"}, Usage: "`HOST:PORT,...` of the cluster", Value: defaultServer, EnvVars: serverEnv},
		&cli.StringFlag{Name: "command-config", Usage: "`FILE` of client properties, as Kafka's tools take it (security.protocol, sasl...., ssl....)"},
		&cli.StringSliceFlag{Name: "property", Usage: "a client property `KEY=VALUE`; may be given several times"},
	}
}

// clusterProperties are the client properties that the flags of a command give.
func clusterProperties(c *cli.Context) (kafka.Properties, error) {
	props := kafka.Properties{}
	if path := c.String("command-config"); path != "" {
		if err := readProperties(c.Context, path, props); err != nil {
			return nil, err
		}
	}
	for _, pair := range c.StringSlice("property") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, errs.CLIUsage.New("--property", "want KEY=VALUE", "as in --property client.id=me")
		}
		props[k] = v
	}
	if c.IsSet("bootstrap-server") || props["bootstrap.servers"] == "" {
		props["bootstrap.servers"] = c.String("bootstrap-server")
	}
	return props, nil
}

// readProperties reads a Java properties file of the simple kind: key=value lines, comments, lines continued by a
// backslash.
func readProperties(ctx context.Context, path string, into kafka.Properties) error {
	data, err := spec.ReadFileContext(ctx, path)
	if err != nil {
		return errs.ConfigFile.New(path, "the file cannot be read", "").WithCause(withoutPath(err))
	}
	joined := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\\\n"), nil)
	lines := bufio.NewScanner(bytes.NewReader(joined))
	lines.Buffer(nil, len(joined)+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "!") {
			continue
		}
		i := strings.IndexAny(line, "=:")
		if i <= 0 {
			return errs.ConfigInvalid.New(fmt.Sprintf("%s:%d:1", path, n), "want key=value in every line", "write key=value, or # before a comment")
		}
		into[strings.TrimSpace(line[:i])] = strings.TrimSpace(line[i+1:])
	}
	return lines.Err()
}

// withoutPath leaves out the path that an error of package os repeats.
func withoutPath(err error) error {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		return inPath.Err
	}
	return err
}

// where names the place of the properties for errors about them.
func where(c *cli.Context) string {
	if path := c.String("command-config"); path != "" {
		return path
	}
	return "command line"
}

// withAdmin runs f with an admin client of the cluster that the flags name.
func withAdmin(c *cli.Context, f func(*kadm.Client) error) error {
	props, err := clusterProperties(c)
	if err != nil {
		return err
	}
	adm, err := kafka.ConnectAdmin(c.Context, props, where(c))
	if err != nil {
		return err
	}
	defer adm.Close()
	return f(adm)
}

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

func stateCommand() *cli.Command {
	return &cli.Command{
		Name: "state", Usage: "ask a running application for the state it keeps",
		Subcommands: []*cli.Command{stateGetCommand(), stateScanCommand(), stateInfoCommand()},
	}
}

// stateArgs is how the commands are told which application to ask.
const stateArgs = "[APP] STORE"

const stateDescription = "Any process of the application answers: it asks the one that has the key. Found through the cluster by APP, the\napplication.id, or asked at --admin ADDRESS. What is shown was committed; what is being processed is not in it yet."

func stateFlags(more ...cli.Flag) []cli.Flag {
	flags := append(
		clusterFlags(),
		&cli.DurationFlag{Name: "timeout", Value: 10 * time.Second, Usage: "how long to ask again while the application starts, restores or rebalances, a `DURATION` such as 30s"},
		&cli.StringFlag{Name: "admin", Usage: "`ADDRESS` of a process: that of run --admin, or its application.server", EnvVars: []string{"WASMSTREAM_ADMIN"}},
		&cli.StringFlag{Name: "token", Usage: "`TOKEN` that the setting application.server.token wants", EnvVars: []string{"WASMSTREAM_TOKEN"}},
	)
	return append(append(flags, more...), outputFlag("text", "json"))
}

// readFlags are those of get and scan.
func readFlags(more ...cli.Flag) []cli.Flag {
	return stateFlags(append([]cli.Flag{
		&cli.StringFlag{Name: "key-type", Usage: "`TYPE` of keys, that of the store when empty: " + strings.Join(topology.SerdeNames(), ", ")},
		&cli.StringFlag{Name: "value-type", Usage: "`TYPE` of values, likewise"},
		&cli.StringFlag{Name: "from", Usage: "earliest `TIME`, in milliseconds or as 2026-01-31T09:00:00Z: start of windows, end of sessions, versions"},
		&cli.StringFlag{Name: "to", Usage: "latest `TIME`: start of windows and sessions, versions"},
		&cli.IntFlag{Name: "partition", Value: -1, Usage: "`NUMBER` of the only partition to ask"},
		&cli.BoolFlag{Name: "stale", Usage: "take answers of standbys and of stores that are being restored"},
		&cli.BoolFlag{Name: "reverse", Usage: "in descending order"},
	}, more...)...)
}

func stateGetCommand() *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "print what a store has of a key", ArgsUsage: stateArgs + " KEY",
		Description: stateDescription + "\nWindow and session stores give all windows of the key, or those between --from and --to; versioned stores the latest\nversion, that of --as-of, or those that held between --from and --to.",
		Flags:       readFlags(&cli.StringFlag{Name: "as-of", Usage: "`TIME` for which a version is wanted"}),
		Action:      stateGet,
	}
}

func stateScanCommand() *cli.Command {
	return &cli.Command{
		Name: "scan", Usage: "print what a store has", ArgsUsage: stateArgs,
		Description: stateDescription + "\nOne partition comes after the other, each in the order of its keys; window and session stores in the order of time first.",
		Flags: readFlags(
			&cli.StringFlag{Name: "key-from", Usage: "first `KEY`"}, &cli.StringFlag{Name: "key-to", Usage: "last `KEY`"},
			&cli.StringFlag{Name: "prefix", Usage: "`KEY` that keys begin with, in bytes"},
			&cli.Int64Flag{Name: "limit", Aliases: []string{"n"}, Value: -1, Usage: "end after `NUMBER` rows"},
		),
		Action: stateScan,
	}
}

func stateInfoCommand() *cli.Command {
	return &cli.Command{
		Name: "info", Usage: "list the stores and where their partitions are", ArgsUsage: "[APP] [STORE]",
		Description: stateDescription, Flags: stateFlags(), Action: stateInfo,
	}
}

// stateReader is a store that a command asks.
type stateReader struct {
	client     *host.StateClient
	server     string
	store      host.StoreInfo
	key, value topology.Serde
}

// openState finds a process and the store. args are the arguments behind APP, which is given unless --admin is.
func openState(c *cli.Context, args int) (*stateReader, []string, error) {
	r := &stateReader{client: host.NewStateClient(c.String("token"))}
	rest := c.Args().Slice()
	var servers []string
	switch {
	case c.String("admin") == "":
		if err := wantArgs(c, args+1, args+1); err != nil {
			return nil, nil, err
		}
		var err error
		if servers, err = findServers(c, rest[0]); err != nil {
			return nil, nil, err
		}
		rest = rest[1:]
	default:
		if err := wantArgs(c, args, args+1); err != nil {
			return nil, nil, err
		}
		servers, rest = []string{c.String("admin")}, rest[len(rest)-args:]
	}
	list, err := r.stores(c, servers)
	if err != nil {
		return nil, nil, err
	}
	return r, rest, r.choose(c, list, rest[0])
}

// ask has the server answer.
func (r *stateReader) ask(c *cli.Context, q host.StoreQuery) (answer *host.StoreAnswer, err error) {
	err = insist(c, func() (err error) {
		answer, err = r.client.Query(c.Context, r.server, q)
		return err
	})
	return answer, err
}

// findServers are where the processes of an application answer.
func findServers(c *cli.Context, application string) (servers []string, err error) {
	err = withAdmin(c, func(adm *kadm.Client) error {
		return insist(c, func() (err error) {
			servers, err = host.FindServers(c.Context, adm, application)
			return err
		})
	})
	return servers, err
}

// askAgain is the pause between two attempts.
const askAgain = 100 * time.Millisecond

// insist asks again until --timeout while what is asked for is on its way.
func insist(c *cli.Context, ask func() error) error {
	end := time.Now().Add(c.Duration("timeout"))
	for {
		err := ask()
		if !errs.QueryNotReady.Is(err) && !errs.QueryMigrated.Is(err) && !errs.QueryBusy.Is(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-c.Context.Done():
			return c.Context.Err()
		case <-time.After(askAgain):
		}
	}
}

// stores asks the servers, one after the other until one answers.
func (r *stateReader) stores(c *cli.Context, servers []string) (list []host.StoreInfo, err error) {
	for _, server := range servers {
		r.server = server
		err = insist(c, func() (err error) {
			list, err = r.client.Stores(c.Context, server)
			return err
		})
		if err == nil || !errs.QueryOwner.Is(err) {
			return list, err
		}
	}
	return nil, err
}

func (r *stateReader) choose(c *cli.Context, list []host.StoreInfo, name string) error {
	var names []string
	for _, s := range list {
		if s.Name == name {
			r.store = s
			return r.serdes(c)
		}
		names = append(names, s.Name)
	}
	return errs.QueryStore.New(name, fmt.Sprintf("the application has no store %q", name), errs.DidYouMean(name, names))
}

// serdes are those of the flags, or those that the store has. What is made up of a window is shown by its key.
func (r *stateReader) serdes(c *cli.Context) (err error) {
	if r.key, err = storeSerde(c, "key-type", r.store.KeyType); err != nil {
		return err
	}
	r.value, err = storeSerde(c, "value-type", r.store.ValueType)
	return err
}

func storeSerde(c *cli.Context, flag, name string) (topology.Serde, error) {
	if c.String(flag) != "" {
		return serdeOf(c, flag)
	}
	if s, err := topology.SerdeByName(name); err == nil {
		return s, nil
	}
	return topology.Bytes, nil
}

func stateGet(c *cli.Context) error {
	r, args, err := openState(c, 2)
	if err != nil {
		return err
	}
	defer r.client.Close()
	q, err := r.query(c)
	if err != nil {
		return err
	}
	if q.Type, err = r.keyQuery(c); err != nil {
		return err
	}
	if q.Key, err = parseKey(r.key, "KEY", args[1]); err != nil {
		return err
	}
	q.Partition = int32(c.Int("partition"))
	n := 0
	err = host.EachPage(q, func(q host.StoreQuery) (*host.StoreAnswer, error) { return r.ask(c, q) }, func(row host.QueryRow) error {
		n++
		return r.print(c, &row, false)
	})
	if err == nil && n == 0 {
		return errs.QueryAbsent.New(r.store.Name, fmt.Sprintf("there is nothing for the key %q", args[1]), "")
	}
	return err
}

// keyQuery is what get asks a store of this kind.
func (r *stateReader) keyQuery(c *cli.Context) (stream.QueryType, error) {
	spans := c.IsSet("from") || c.IsSet("to")
	switch topology.StoreKind(r.store.Kind) {
	case topology.Window, topology.TimestampedWindow:
		return stream.WindowKeyQuery, r.refuse(c, "as-of")
	case topology.Session:
		return stream.SessionKeyQuery, r.refuse(c, "as-of")
	case topology.VersionedKeyValue:
		if !spans {
			return stream.VersionedKeyQuery, nil
		}
		return stream.MultiVersionedKeyQuery, r.refuse(c, "as-of")
	}
	return stream.KeyQuery, r.refuse(c, "as-of", "from", "to", "reverse")
}

// refuse reports the first of the flags that is set though this kind of store has no use for it.
func (r *stateReader) refuse(c *cli.Context, flags ...string) error {
	for _, flag := range flags {
		if c.IsSet(flag) {
			return errs.QueryKind.New(r.store.Name, fmt.Sprintf("a store of the kind %s has no use for --%s", r.store.Kind, flag), "leave it out")
		}
	}
	return nil
}

// query has what get and scan have in common.
func (r *stateReader) query(c *cli.Context) (q host.StoreQuery, err error) {
	q = host.StoreQuery{Store: r.store.Name, Stale: c.Bool("stale"), Descending: c.Bool("reverse")}
	if q.From, err = timeFlag(c, "from"); err != nil {
		return q, err
	}
	if q.To, err = timeFlag(c, "to"); err != nil {
		return q, err
	}
	q.AsOf, err = timeFlag(c, "as-of")
	return q, err
}

// timeFlag is a time in milliseconds, nil if the flag is not set.
func timeFlag(c *cli.Context, flag string) (*int64, error) {
	text := c.String(flag)
	if text == "" {
		return nil, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return &ms, nil
	}
	t, err := parseDatetime(text)
	if err != nil {
		return nil, errs.CLIUsage.New("--"+flag, fmt.Sprintf("want a time (got %q)", text), "write milliseconds since 1970 or 2026-01-31T09:00:00Z")
	}
	ms := t.UnixMilli()
	return &ms, nil
}

func parseKey(s topology.Serde, where, text string) ([]byte, error) {
	key, err := topology.ParseText(s, text)
	if err != nil {
		return nil, errs.CLIUsage.New(where, fmt.Sprintf("%q is no %s", text, s.Name()), "give --key-type the type of the keys").WithCause(err)
	}
	return key, nil
}

func stateScan(c *cli.Context) error {
	r, _, err := openState(c, 1)
	if err != nil {
		return err
	}
	defer r.client.Close()
	q, err := r.scanQuery(c)
	if err != nil {
		return err
	}
	left := c.Int64("limit")
	for _, p := range r.store.Partitions {
		if only := c.Int("partition"); left == 0 || only >= 0 && int32(only) != p.Partition {
			continue
		}
		q.Partition = p.Partition
		err := host.EachPage(q, func(q host.StoreQuery) (*host.StoreAnswer, error) {
			if left >= 0 {
				q.Limit = int(min(left, 1000))
			}
			answer, err := r.ask(c, q)
			if err == nil && left >= 0 && int64(len(answer.Rows)) >= left {
				answer.Next = nil
			}
			return answer, err
		}, func(row host.QueryRow) error {
			left = max(left-1, min(left, -1))
			return r.print(c, &row, true)
		})
		if err != nil {
			return err
		}
	}
	return r.knowsPartition(c)
}

func (r *stateReader) knowsPartition(c *cli.Context) error {
	only := c.Int("partition")
	if only < 0 || slices.ContainsFunc(r.store.Partitions, func(p host.StorePartition) bool { return p.Partition == int32(only) }) {
		return nil
	}
	return errs.QueryInvalid.New(r.store.Name, fmt.Sprintf("the store has no partition %d", only), fmt.Sprintf("give a number from 0 to %d", len(r.store.Partitions)-1))
}

func (r *stateReader) scanQuery(c *cli.Context) (q host.StoreQuery, err error) {
	if q, err = r.query(c); err != nil {
		return q, err
	}
	switch topology.StoreKind(r.store.Kind) {
	case topology.Window, topology.TimestampedWindow:
		q.Type, err = stream.WindowRangeQuery, r.refuse(c, "prefix")
	case topology.Session:
		q.Type, err = stream.SessionRangeQuery, r.refuse(c, "prefix")
	default:
		q.Type, err = stream.RangeQuery, r.refuse(c, "from", "to")
	}
	q.Prefix = []byte(c.String("prefix"))
	for flag, key := range map[string]*[]byte{"key-from": &q.KeyFrom, "key-to": &q.KeyTo} {
		if text := c.String(flag); text != "" && err == nil {
			*key, err = parseKey(r.key, "--"+flag, text)
		}
	}
	return q, err
}

func stateInfo(c *cli.Context) error {
	n := 0 // of arguments behind APP
	if c.NArg() > 1 || c.NArg() == 1 && c.String("admin") != "" {
		n = 1
	}
	r, list, err := describeStores(c, n)
	if err != nil {
		return err
	}
	defer r.client.Close()
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, list)
	}
	var rows [][]string
	for _, s := range list {
		var parts []string
		for _, p := range s.Partitions {
			owner := p.Active
			if owner == "" {
				owner = "-"
			}
			parts = append(parts, fmt.Sprintf("%d@%s", p.Partition, strings.Join(append([]string{owner}, p.Standbys...), "+")))
		}
		kind := s.Kind
		if s.Global {
			kind = "global " + kind
		}
		rows = append(rows, []string{s.Name, kind, s.KeyType, s.ValueType, strings.Join(parts, " ")})
	}
	return printTable(c.App.Writer, []string{"STORE", "KIND", "KEY", "VALUE", "PARTITIONS"}, rows)
}

// describeStores are all stores, or the one that is named.
func describeStores(c *cli.Context, args int) (*stateReader, []host.StoreInfo, error) {
	if args == 1 {
		r, _, err := openState(c, 1)
		if err != nil {
			return nil, nil, err
		}
		return r, []host.StoreInfo{r.store}, nil
	}
	r := &stateReader{client: host.NewStateClient(c.String("token"))}
	servers := []string{c.String("admin")}
	if servers[0] == "" {
		if err := wantArgs(c, 1, 1); err != nil {
			return nil, nil, err
		}
		var err error
		if servers, err = findServers(c, c.Args().First()); err != nil {
			return nil, nil, err
		}
	}
	list, err := r.stores(c, servers)
	return r, list, err
}

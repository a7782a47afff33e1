// Command embed runs a topology inside a Go program: lines are filtered by Go code, split into words by a WebAssembly
// module, counted by an operator, exactly once. The broker is kfake, in this process; a real program names its cluster
// in bootstrap.servers and makes none.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/examples"
	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	lines := []string{"all streams lead to kafka", "# a comment", "hello kafka streams", "join kafka summit"}
	if err := run(ctx, lines, 11, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run counts the words of lines and prints the first updates to out.
func run(ctx context.Context, lines []string, updates int, out io.Writer) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "lines", "counts"))
	if err != nil {
		return err
	}
	defer cluster.Close()
	stateDir, err := os.MkdirTemp("", "embed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stateDir)
	h, err := newHost(cluster.ListenAddrs()[0], stateDir)
	if err != nil {
		return err
	}

	// Run works until its context is done; then it commits, leaves the group and returns nil.
	ctx, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := h.Run(ctx)
		stop(err) // should it fail, nobody waits for its results
		ended <- err
	}()
	err = use(ctx, cluster.ListenAddrs()[0], lines, updates, out)
	stop(nil)
	if failed := <-ended; failed != nil {
		return failed
	}
	return err
}

// newHost is the application. What the YAML of the other examples says is said in Go here.
func newHost(broker, stateDir string) (*host.Host, error) {
	b := dsl.NewStreamsBuilder()
	b.Stream("lines", dsl.Consumed{Key: topology.String, Value: topology.String}).
		Filter(dsl.NativePredicate(func(r *topology.Record) bool { return len(r.Value) > 0 && r.Value[0] != '#' })).
		FlatMapValues(dsl.Guest("wordcount", "split-words").Out(nil, topology.String)).
		GroupBy(dsl.Expr("value")).
		Count(dsl.Materialized{Name: "words"}).
		ToStream().
		To("counts", dsl.Produced{Key: topology.String, Value: topology.Long})
	t, err := b.Build()
	if err != nil {
		return nil, err
	}
	return host.New(host.Config{
		Topology: t,
		Modules:  map[string]host.Module{"wordcount": {Bytes: examples.WordCount}},
		Settings: map[string]string{
			"application.id":             "embedded-wordcount",
			"bootstrap.servers":          broker,
			"processing.guarantee":       "exactly_once_v2",
			"statestore.cache.max.bytes": "0",
			"state.dir":                  stateDir,
		},
	})
}

// use is the world around the application: it writes lines and reads counts.
func use(ctx context.Context, broker string, lines []string, updates int, out io.Writer) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics("counts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, line := range lines {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "lines", Value: []byte(line)}).FirstErr(); err != nil {
			return err
		}
	}
	for updates > 0 {
		fetches := client.PollRecords(ctx, updates)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			fmt.Fprintf(out, "%s %d\n", r.Key, binary.BigEndian.Uint64(r.Value))
			updates--
		})
	}
	return nil
}

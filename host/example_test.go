package host_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// A Go program runs a topology of its own: here one that writes every line in capitals.
func ExampleNew() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "lines", "loud"))
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	stateDir, err := os.MkdirTemp("", "wasmstream-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(stateDir)

	builder := dsl.NewStreamsBuilder(dsl.Defaults{Value: topology.String})
	builder.Stream("lines").MapValues(dsl.Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i, r := range in {
			r.Value, r.Index = []byte(strings.ToUpper(string(r.Value))), int32(i)
			out = append(out, r)
		}
		return out, nil
	})).To("loud")
	topo, err := builder.Build()
	if err != nil {
		log.Fatal(err)
	}
	h, err := host.New(host.Config{
		Topology: topo,
		Settings: map[string]string{
			"application.id":       "loud",
			"bootstrap.servers":    cluster.ListenAddrs()[0],
			"processing.guarantee": "exactly_once_v2",
			"state.dir":            stateDir,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()

	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("loud"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	client.ProduceSync(ctx, &kgo.Record{Topic: "lines", Value: []byte("hello kafka streams")})
	for it := client.PollFetches(ctx).RecordIter(); !it.Done(); {
		fmt.Println(string(it.Next().Value))
	}
	stop() // commits, leaves the group, closes
	fmt.Println(<-ended)
	// Output:
	// HELLO KAFKA STREAMS
	// <nil>
}

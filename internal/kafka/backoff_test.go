package kafka

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRefusedBatchesWaitRetryBackoff: the pause before a batch is sent again that the broker refused for now is
// retry.backoff.ms each time, by the bubble's clock.
func TestRefusedBatchesWaitRetryBackoff(t *testing.T) {
	const refusals = 5
	for backoff, want := range map[string]time.Duration{"": 100 * time.Millisecond, "30": 30 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			var network kfake.VirtualNetwork
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen), kfake.SeedTopics(1, "t"))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			props := Properties{"bootstrap.servers": cluster.ListenAddrs()[0], "linger.ms": "0"}
			if backoff != "" {
				props["retry.backoff.ms"] = backoff
			}
			opts, err := Options(Producer, props, "test")
			if err != nil {
				t.Fatal(err)
			}
			producer, err := kgo.NewClient(append(opts, kgo.Dialer(network.DialContext))...)
			if err != nil {
				t.Fatal(err)
			}
			defer producer.Close()
			send := func() {
				t.Helper()
				if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			send()
			refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.ConcurrentTransactions, Count: refusals})
			began := time.Now()
			send()
			if n := refused.Hits(); n != refusals {
				t.Errorf("%d batches were refused, want %d", n, refusals)
			}
			if took := time.Since(began) / refusals; took > want || took < want*9/10 {
				t.Errorf("retry.backoff.ms %q: %v for each refusal, want %v", backoff, took, want)
			}
		})
	}
}

package brokertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestProxyHurtsClientsAndNotTheTest: a client that knows the broker's address alone goes through the proxy, and gets its
// records to the broker over cut, half-open and slow connections in the end, each once.
func TestProxyHurtsClientsAndNotTheTest(t *testing.T) {
	b, proxy := Proxied(t)
	topic := b.CreateTopic(t, b.Name("in"), 1)
	if n := proxy.Cut(); n > 0 {
		t.Errorf("%d connections of the test itself went through the proxy", n)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr), kgo.DefaultProduceTopic(topic), kgo.RequestTimeoutOverhead(time.Second), kgo.ProduceRequestTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	hurt := []func() int{
		func() int { return 1 }, proxy.Cut, proxy.HalfOpen,
		func() int { proxy.Slow(time.Millisecond); return 1 },
		func() int { proxy.Slow(0); return 1 },
	}
	for i, f := range hurt {
		if f() == 0 {
			t.Errorf("fault %d hit no connection", i)
		}
		if err := cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatalf("producing after fault %d: %v", i, err)
		}
	}
	for i, r := range b.Read(t, topic, len(hurt)) {
		if string(r.Value) != fmt.Sprint(i) {
			t.Errorf("record %d is %s", i, r.Value)
		}
	}
}

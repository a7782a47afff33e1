// Package brokertest gives tests the brokers they run on: kfake in process always and, in builds with the tag
// "integration", a real Apache Kafka as well. A test written with Each runs on all of them by the same code.
//
// The real broker is the one at WASMSTREAM_TEST_BROKERS (make test starts one for all packages); without it each test
// binary starts its own from .ci/kafka.sh and ends it.
package brokertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/fakekafka"
)

// Broker is a cluster that a test may use as its own: names made by Name are seen by nobody else.
type Broker struct {
	// Addr is the bootstrap server, host:port.
	Addr string
	// Fake is the cluster in process for fault injection, nil on a real Kafka.
	Fake *kfake.Cluster

	unique string
	// direct connects the clients of the test, nil as usual.
	direct func(ctx context.Context, network, address string) (net.Conn, error)
}

// At is a cluster that something else has started.
func At(addr string) *Broker { return &Broker{Addr: addr, unique: token()} }

// Each runs test on every kind of broker that this build has, as subtests "kfake" and "kafka".
func Each(t *testing.T, test func(t *testing.T, b *Broker)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) { test(t, Fake(t)) })
	if addr := real(t); addr != "" {
		t.Run("kafka", func(t *testing.T) { test(t, At(addr)) })
	}
}

// Fake starts a cluster of one broker in process that ends with the test.
func Fake(t testing.TB, opts ...kfake.Opt) *Broker {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.ListenFn(fakekafka.Listener(net.Listen))}, opts...)...)
	if err != nil {
		t.Fatalf("starting kfake: %v", err)
	}
	fakekafka.Mend(cluster)
	t.Cleanup(cluster.Close)
	return &Broker{Addr: cluster.ListenAddrs()[0], Fake: cluster, unique: token()}
}

// Name returns base with a suffix of this Broker, for topics, groups and applications on a shared cluster.
func (b *Broker) Name(base string) string { return base + "-" + b.unique }

// Client returns a client that is closed with the test.
func (b *Broker) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	all := []kgo.Opt{kgo.SeedBrokers(b.Addr)}
	if b.direct != nil {
		all = append(all, kgo.Dialer(b.direct))
	}
	cl, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// CreateTopic makes a topic that keeps its records for ever, with as many replicas as the cluster has by default, and
// returns its name.
func (b *Broker) CreateTopic(t testing.TB, name string, partitions int32, configs ...string) string {
	t.Helper()
	b.CreateTopics(t, []string{name}, partitions, configs...)
	return name
}

// CreateTopics is CreateTopic for several at once.
func (b *Broker) CreateTopics(t testing.TB, names []string, partitions int32, configs ...string) {
	t.Helper()
	forever := "-1"
	set := map[string]*string{"retention.ms": &forever}
	for _, c := range configs {
		key, value, _ := strings.Cut(c, "=")
		set[key] = &value
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cl := b.Client(t)
	adm := kadm.NewClient(cl)
	created, err := adm.CreateTopics(ctx, partitions, -1, set, names...)
	if err := errors.Join(err, created.Error()); err != nil {
		t.Fatalf("creating topics %v: %v", names, err)
	}
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		t.Fatalf("listing brokers: %v", err)
	}
	for _, id := range brokers.NodeIDs() {
		for _, name := range names {
			awaitTopic(ctx, t, cl.Broker(int(id)), name)
		}
	}
}

// awaitTopic returns when a broker knows the topic with a leader: brokers hear of it some time after the controller has
// answered.
func awaitTopic(ctx context.Context, t testing.TB, broker *kgo.Broker, name string) {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	for {
		resp, err := broker.RetriableRequest(ctx, req)
		if ctx.Err() != nil {
			t.Fatalf("topic %s does not appear: %v", name, err)
		}
		if err == nil && known(resp.(*kmsg.MetadataResponse)) {
			return
		}
	}
}

func known(meta *kmsg.MetadataResponse) bool {
	for _, topic := range meta.Topics {
		if topic.ErrorCode != 0 || len(topic.Partitions) == 0 {
			return false
		}
		for _, p := range topic.Partitions {
			if p.ErrorCode != 0 {
				return false
			}
		}
	}
	return len(meta.Topics) > 0
}

// Produce writes records in order and waits for them.
func (b *Broker) Produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	cl := b.Client(t, kgo.RecordPartitioner(partitionerOf(records)))
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("producing: %v", err)
	}
}

// partitionerOf keeps the partitions of records where any is set, else it spreads by key as Kafka does.
func partitionerOf(records []*kgo.Record) kgo.Partitioner {
	for _, r := range records {
		if r.Partition != 0 {
			return kgo.ManualPartitioner()
		}
	}
	return kgo.StickyKeyPartitioner(nil)
}

// Read returns the first n committed records of topic in the order of each partition. It fails when they do not come.
func (b *Broker) Read(t testing.TB, topic string, n int) []*kgo.Record {
	t.Helper()
	cl := b.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("reading %s: %d of %d records came in time", topic, len(got), n)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

// ReadAll returns what is committed in topic up to its end as it is now, in the order of each partition.
func (b *Broker) ReadAll(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	adm := kadm.NewClient(b.Client(t))
	ends, err1 := adm.ListCommittedOffsets(ctx, topic)
	starts, err2 := adm.ListStartOffsets(ctx, topic)
	if err := errors.Join(err1, err2, ends.Error(), starts.Error()); err != nil {
		t.Fatalf("listing the ends of %s: %v", topic, err)
	}
	var got []*kgo.Record
	ends.Each(func(o kadm.ListedOffset) {
		if start, _ := starts.Lookup(topic, o.Partition); start.Offset < o.Offset {
			got = append(got, b.readPartition(ctx, t, topic, o.Partition, o.Offset)...)
		}
	})
	return got
}

// readPartition reads until the position reaches end; markers and aborted records count as progress, so it keeps
// control records to see them.
func (b *Broker) readPartition(ctx context.Context, t testing.TB, topic string, partition int32, end int64) []*kgo.Record {
	t.Helper()
	cl := b.Client(t, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	var got []*kgo.Record
	for next := int64(0); next < end; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("reading %s/%d: at offset %d of %d when time was up", topic, partition, next, end)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				got = append(got, r)
			}
		})
	}
	return got
}

func token() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

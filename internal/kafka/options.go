package kafka

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Options checks props and returns what makes a franz-go client of them: with Kafka's defaults, not franz-go's, for
// what is not set, but for the receive buffer. Options that the caller appends win. where names the place of the properties in errors.
func Options(kind Kind, props Properties, where string) ([]kgo.Opt, error) {
	return NewConnections().Options(kind, props, where)
}

// Options are those of a client whose connections belong to s.
func (s *Connections) Options(kind Kind, props Properties, where string) ([]kgo.Opt, error) {
	p, err := checkedProperties(kind, props, where)
	if err != nil {
		return nil, err
	}
	if len(p.Servers()) == 0 {
		return nil, errs.ConfigMissing.New(where, "bootstrap.servers is not set", "")
	}
	opts, err := connectionOptions(p, where, s)
	if err != nil {
		return nil, err
	}
	if kind&Consumer != 0 {
		consumer, err := consumerOptions(p, where)
		if err != nil {
			return nil, err
		}
		opts = append(opts, consumer...)
	}
	if kind&Producer != 0 {
		producer, err := producerOptions(p, where)
		if err != nil {
			return nil, err
		}
		opts = append(opts, producer...)
	}
	return opts, nil
}

// The receive buffer is the system's unless it is set. Of Kafka's 64 KiB, and of the 32 of Kafka Streams, Linux throws away
// the end of an answer that is larger when the reader is not there at once, and the broker sends it again after 200 ms.
const (
	receiveBufferBytes = "receive.buffer.bytes"
	systemBuffer       = "-1"
)

// checkedProperties are props as checked, with the default that is ours.
func checkedProperties(kind Kind, props Properties, where string) (Properties, error) {
	p, err := props.Check(kind, where)
	if err == nil && !props.isSet(receiveBufferBytes) {
		p[receiveBufferBytes] = systemBuffer
	}
	return p, err
}

func connectionOptions(p Properties, where string, connections *Connections) ([]kgo.Opt, error) {
	dial, err := newDialer(p, where, connections)
	if err != nil {
		return nil, err
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(p.Servers()...),
		kgo.SoftwareNameAndVersion("wasmstream", "1"),
		kgo.Dialer(dial.DialContext),
		kgo.MinVersions(kversion.V2_5_0()),
		kgo.ConnIdleTimeout(p.duration("connections.max.idle.ms")),
		kgo.MetadataMaxAge(p.duration("metadata.max.age.ms")),
		kgo.MetadataMinAge(metadataMinAge(p)),
		kgo.RequestTimeoutOverhead(p.duration("request.timeout.ms")),
		kgo.RetryBackoffFn(backoff(p.duration("retry.backoff.ms"), p.duration("retry.backoff.max.ms"))),
	}
	if id := p.str("client.id"); id != "" {
		opts = append(opts, kgo.ClientID(id))
	}
	if p.isSet("retries") {
		opts = append(opts, kgo.RequestRetries(int(p.integer("retries"))))
	}
	if !p.boolean("enable.metrics.push") {
		opts = append(opts, kgo.DisableClientMetrics())
	}
	mechanism, err := saslMechanism(p, where)
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// shortestMetadataAge is the least that kgo takes.
const shortestMetadataAge = 10 * time.Millisecond

// metadataMinAge is retry.backoff.ms, which is also what Kafka's clients wait before they ask for metadata again. It is
// more than that here: kgo holds back a partition whose batch the broker answered with a passing error until metadata has
// been asked for once more, so this, and not the function of backoffs, is the pause before such a batch is sent again.
// With transactions of version 2 that is the answer to the first batch that comes before the transaction before it
// is through.
func metadataMinAge(p Properties) time.Duration {
	return min(max(p.duration("retry.backoff.ms"), shortestMetadataAge), p.duration("metadata.max.age.ms"))
}

// backoff doubles from first to most and takes up to a fifth off or on, so that clients do not come in step.
func backoff(first, most time.Duration) func(int) time.Duration {
	return func(failures int) time.Duration {
		d := first << min(max(failures-1, 0), 20)
		if d > most || d < first {
			d = max(first, most)
		}
		return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
	}
}

func consumerOptions(p Properties, where string) ([]kgo.Opt, error) {
	reset, err := resetOffset(p.str("auto.offset.reset"), where)
	if err != nil {
		return nil, err
	}
	if p.integer("heartbeat.interval.ms") >= p.integer("session.timeout.ms") {
		return nil, errs.ConfigInvalid.New(where, "heartbeat.interval.ms "+p.str("heartbeat.interval.ms")+" is not below session.timeout.ms "+p.str("session.timeout.ms"), "")
	}
	isolation := kgo.ReadUncommitted()
	if p.str("isolation.level") == "read_committed" {
		isolation = kgo.ReadCommitted()
	}
	opts := []kgo.Opt{
		kgo.ConsumeResetOffset(reset),
		kgo.FetchMaxBytes(p.int32("fetch.max.bytes")),
		kgo.BrokerMaxReadBytes(int32(min(max(2*p.integer("fetch.max.bytes"), 100<<20), 1<<30))),
		kgo.FetchMaxPartitionBytes(p.int32("max.partition.fetch.bytes")),
		kgo.FetchMaxWait(p.duration("fetch.max.wait.ms")),
		kgo.FetchMinBytes(p.int32("fetch.min.bytes")),
		kgo.FetchIsolationLevel(isolation),
		kgo.Rack(p.str("client.rack")),
	}
	if !p.boolean("check.crcs") {
		opts = append(opts, kgo.DisableFetchCRCValidation())
	}
	return opts, nil
}

// GroupOptions are the properties that a consumer has once it is in a group; franz-go refuses them outside of one.
func GroupOptions(props Properties, where string) ([]kgo.Opt, error) {
	p, err := props.Check(Consumer, where)
	if err != nil {
		return nil, err
	}
	return []kgo.Opt{
		kgo.SessionTimeout(p.duration("session.timeout.ms")),
		kgo.HeartbeatInterval(p.duration("heartbeat.interval.ms")),
		kgo.RebalanceTimeout(p.duration("max.poll.interval.ms")),
	}, nil
}

func resetOffset(policy, where string) (kgo.Offset, error) {
	switch policy {
	case "earliest":
		return kgo.NewOffset().AtStart(), nil
	case "latest":
		return kgo.NewOffset().AtEnd(), nil
	case "none":
		return kgo.NoResetOffset(), nil
	}
	ago, err := ParseISODuration(strings.TrimPrefix(policy, "by_duration:"))
	if err != nil {
		return kgo.Offset{}, errs.ConfigInvalid.New(where, "auto.offset.reset: "+err.Error()+` (got "`+policy+`")`, "write by_duration:P1DT2H for a day and two hours")
	}
	return kgo.NewOffset().AfterMilli(time.Now().Add(-ago).UnixMilli()), nil
}

func producerOptions(p Properties, where string) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.ProducerBatchCompression(compression(p)),
		kgo.ProducerBatchMaxBytes(p.int32("max.request.size")),
		kgo.BrokerMaxWriteBytes(int32(min(p.integer("max.request.size")+1<<16, 1<<30))),
		kgo.MaxBufferedBytes(int(p.integer("buffer.memory"))),
		kgo.MaxBufferedRecords(math.MaxInt32),
		kgo.ProducerLinger(p.duration("linger.ms")),
		kgo.ProduceRequestTimeout(p.duration("request.timeout.ms")),
	}
	if n := tries(p); n < math.MaxInt32 {
		opts = append(opts, kgo.RecordRetries(int(n)))
	}
	return acknowledgement(p, opts, where)
}

// tries is how often a record is sent again: retries, or as often as fits into delivery.timeout.ms with the longest
// backoff in between. kgo's own delivery timeout is of no use here: it counts from the record's timestamp, which for
// event time may lie years back, so that such a record would fail at its first hiccup.
func tries(p Properties) int64 {
	n := p.integer("retries")
	if limit := p.integer("delivery.timeout.ms"); limit < math.MaxInt32 {
		n = min(n, max(1, limit/max(p.integer("retry.backoff.max.ms"), 1)))
	}
	return n
}

func acknowledgement(p Properties, opts []kgo.Opt, where string) ([]kgo.Opt, error) {
	acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks(), "-1": kgo.AllISRAcks()}[p.str("acks")]
	opts = append(opts, kgo.RequiredAcks(acks))
	if !p.boolean("enable.idempotence") {
		return append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(int(p.integer("max.in.flight.requests.per.connection")))), nil
	}
	if p.str("acks") == "0" || p.str("acks") == "1" {
		return nil, errs.ConfigInvalid.New(where, "acks "+p.str("acks")+" with the idempotent producer", "set acks to all, or enable.idempotence to false")
	}
	return opts, nil
}

func compression(p Properties) kgo.CompressionCodec {
	switch p.str("compression.type") {
	case "gzip":
		if level := p.integer("compression.gzip.level"); level > 0 {
			return kgo.GzipCompression().WithLevel(int(level))
		}
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression().WithLevel(int(min(p.integer("compression.lz4.level"), 9)))
	case "zstd":
		return kgo.ZstdCompression().WithLevel(zstdLevel(p.integer("compression.zstd.level")))
	}
	return kgo.NoCompression()
}

// zstdLevel maps zstd's levels to the four of the Go codec, at the bounds that the codec's own mapping has.
func zstdLevel(level int64) int {
	switch {
	case level < 3:
		return 1
	case level < 7:
		return 2
	case level < 11:
		return 3
	}
	return 4
}

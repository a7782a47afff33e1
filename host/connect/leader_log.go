package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// ConfigLog is the log of the configuration, in which some records are the leader's to write.
type ConfigLog interface {
	Log
	// Claim takes the right to write as the leader away from whoever had it; Relinquish gives it up.
	Claim(ctx context.Context) error
	Relinquish()
	// AppendLeading is Append for records of the leader: all of them or none.
	AppendLeading(ctx context.Context, records ...Record) error
}

// Claim implements ConfigLog: a worker alone leads.
func (l *MemoryLog) Claim(context.Context) error { return nil }

// Relinquish implements ConfigLog.
func (l *MemoryLog) Relinquish() {}

// AppendLeading implements ConfigLog.
func (l *MemoryLog) AppendLeading(ctx context.Context, records ...Record) error {
	return l.Append(ctx, records...)
}

// ErrNotLeading is about a record of the leader that a worker wanted to write which is no leader any more.
var ErrNotLeading = errors.New("this worker is not the leader of the group any more")

// configTopic is the config topic. With exactly-once sources the leader writes to it in transactions of an id that all leaders
// share: one that was stopped for a while and has not heard that it was replaced is fenced, where it would overwrite what its
// successor wrote (KIP-618).
type configTopic struct {
	*TopicLog
	id   string // transactional, "" without exactly-once sources
	opts []kgo.Opt
	one  chan struct{} // a token for a transaction
	mu   struct {
		sync.Mutex
		claimed *kgo.Client
	}
}

// leaderTransaction bounds how long a leader that dies in the middle of writing holds the others up.
const leaderTransaction = 10 * time.Second

// openConfigTopic opens the config topic of a worker.
func openConfigTopic(ctx context.Context, cfg *WorkerConfig, h *Herder) (*configTopic, error) {
	c := &configTopic{one: make(chan struct{}, 1)}
	if cfg.ExactlyOnce != "disabled" {
		c.id = "connect-cluster-" + cfg.Group
		opts, err := kafka.Options(kafka.Producer, cfg.ClientProperties(kafka.Producer, nil), "worker, topic "+cfg.Config.Name)
		if err != nil {
			return nil, err
		}
		c.opts = append(opts, kgo.TransactionTimeout(leaderTransaction), kgo.TransactionalID(c.id), kgo.ClientID("connect-leader-producer"))
	}
	var err error
	c.TopicLog, err = OpenTopicLog(ctx, cfg, cfg.Config, cfg.ExactlyOnce == "enabled", h.ApplyConfig, h.log)
	return c, err
}

// Claim implements ConfigLog.
func (c *configTopic) Claim(ctx context.Context) error {
	if c.id == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.claimed != nil {
		return nil
	}
	cl, err := kgo.NewClient(c.opts...)
	if err != nil {
		return err
	}
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cl.Close()
		return fmt.Errorf("claiming the right to write to topic %s: %w", c.topic, err)
	}
	c.mu.claimed = cl
	return nil
}

// Relinquish implements ConfigLog.
func (c *configTopic) Relinquish() {
	c.mu.Lock()
	cl := c.mu.claimed
	c.mu.claimed = nil
	c.mu.Unlock()
	if cl != nil {
		cl.Close()
	}
}

// AppendLeading implements ConfigLog. After any error the right has to be claimed again: what became of the transaction is not known.
func (c *configTopic) AppendLeading(ctx context.Context, records ...Record) error {
	if c.id == "" {
		return c.Append(ctx, records...)
	}
	select {
	case c.one <- struct{}{}:
		defer func() { <-c.one }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	cl := c.mu.claimed
	c.mu.Unlock()
	if cl == nil {
		return ErrNotLeading
	}
	if err := inTransaction(ctx, cl, c.topic, records); err != nil {
		c.Relinquish()
		return fmt.Errorf("%w: writing to topic %s: %w", ErrNotLeading, c.topic, err)
	}
	return c.ReadToEnd(ctx)
}

// Close implements Log.
func (c *configTopic) Close() error {
	c.Relinquish()
	return c.TopicLog.Close()
}

// inTransaction writes records in a transaction of their own.
func inTransaction(ctx context.Context, cl *kgo.Client, topic string, records []Record) error {
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	var rs []*kgo.Record
	for _, r := range records {
		rs = append(rs, &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value})
	}
	err := cl.ProduceSync(ctx, rs...).FirstErr()
	how := kgo.TryCommit
	if err != nil {
		how = kgo.TryAbort
	}
	return errors.Join(err, cl.EndTransaction(context.WithoutCancel(ctx), how))
}

// isFenced tells whether somebody else has taken a transactional id over.
func isFenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.InvalidProducerIDMapping)
}

// writeLeading appends records of the leader; what they are for stands in the answer of a request that times out meanwhile. A worker
// that finds that it leads no more joins its group anew.
func (h *Herder) writeLeading(ctx context.Context, what string, records ...Record) error {
	defer h.Doing(what)()
	err := h.configs.AppendLeading(ctx, records...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return h.timedOut(ctx)
	case errors.Is(err, kerr.MessageTooLarge):
		return fault.Connect.New("Error " + what + ": the record is larger than the topic or the worker's producer takes (max.message.bytes, max.request.size)").Because(err)
	case errors.Is(err, ErrNotLeading) && h.member != nil:
		h.member.Rejoin()
	}
	h.log.Warn("the config topic could not be written to as the leader", "error", err)
	return fault.Connect.New("Failed to write to config topic; this may be due to a transient error and the request can be safely retried").Because(err)
}

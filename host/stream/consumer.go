package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/topology"
)

// OffsetAndMetadata is a position in a partition as the group keeps it.
type committedOffset struct {
	offset   int64 // -1: nothing was ever committed
	epoch    int32
	metadata string
}

// rebalanceListener hears of changes of the assignment, on the thread's goroutine. The consumer waits for it: while
// revoked runs, the partitions are still the member's own.
type rebalanceListener interface {
	assigned(map[string][]int32)
	revoked(map[string][]int32)
	lost(map[string][]int32)
}

// consumerConfig is what a Consumer is made of.
type consumerConfig struct {
	options          []kgo.Opt // connection and client properties
	group            string
	instanceID       string // "" for a dynamic member
	topics, patterns []string
	assignor         *Assignor
	readCommitted    bool
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	// reset is where a partition of topic starts that has no committed offset, or lost it.
	reset func(topic string) (kgo.Offset, error)
	log   *slog.Logger
}

// Consumer is the group member of a thread: it fetches, and it commits offsets outside of transactions. It belongs to
// the thread's goroutine. Offsets are never committed by what was polled; the thread says what was processed.
//
// kgo runs the group in goroutines of its own. Its callbacks are handed to the thread through the mailbox and return
// when the thread has dealt with them, so that partitions are only given up after their tasks were committed and
// closed, and a task is touched by one goroutine only.
type Consumer struct {
	client  *kgo.Client
	admin   *kadm.Client
	cfg     consumerConfig
	mailbox *mailbox
	end     context.CancelFunc // ends all that the client waits for
	fenced  atomic.Bool        // another member joined as this instance

	mu struct {
		sync.Mutex
		woken  bool // a call waits; the next poll must not
		cancel context.CancelFunc
	}
}

func newConsumer(cfg consumerConfig, listener rebalanceListener) (*Consumer, error) {
	c := &Consumer{cfg: cfg}
	c.mailbox = newMailbox(c.interrupt)
	life, end := context.WithCancel(context.Background())
	c.end = end
	cl, err := kgo.NewClient(append(c.clientOptions(listener), kgo.WithContext(life))...)
	if err != nil {
		end()
		return nil, fmt.Errorf("making the consumer: %w", err)
	}
	c.client, c.admin = cl, kadm.NewClient(cl)
	return c, nil
}

func (c *Consumer) clientOptions(l rebalanceListener) []kgo.Opt {
	hand := func(fn func(map[string][]int32)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
			c.mailbox.call(ctx, func() { fn(parts) })
		}
	}
	opts := append([]kgo.Opt{}, c.cfg.options...)
	opts = append(opts, kgo.WithHooks(c),
		kgo.ConsumerGroup(c.cfg.group), kgo.Balancers(c.cfg.assignor), kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(c.startOffsets), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // so that positions pass the markers of transactions
		kgo.SessionTimeout(c.cfg.sessionTimeout), kgo.RebalanceTimeout(c.cfg.rebalanceTimeout),
		kgo.OnPartitionsAssigned(hand(l.assigned)), kgo.OnPartitionsRevoked(hand(l.revoked)), kgo.OnPartitionsLost(hand(l.lost)),
	)
	if c.cfg.instanceID != "" {
		opts = append(opts, kgo.InstanceID(c.cfg.instanceID))
	}
	if c.cfg.readCommitted {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if mutant(uncommittedRead) {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadUncommitted()))
	}
	return append(opts, subscriptionOptions(c.cfg.topics, c.cfg.patterns)...)
}

// OnGroupManageError implements kgo.HookGroupManageError: it hears why a membership ended.
func (c *Consumer) OnGroupManageError(err error) {
	if errors.Is(err, kerr.FencedInstanceID) {
		c.fenced.Store(true)
	}
}

// subscriptionOptions subscribes to topics by name and by pattern. Patterns make kgo read every name as one.
func subscriptionOptions(topics, patterns []string) []kgo.Opt {
	if len(patterns) == 0 {
		return []kgo.Opt{kgo.ConsumeTopics(topics...)}
	}
	return []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics(regexSubscription(topics, patterns)...)}
}

// startOffsets replaces the missing offsets of a new assignment by the topic's own policy. kgo has one policy for all
// topics, and a repartition topic is always read from its start.
func (c *Consumer) startOffsets(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for topic, parts := range offsets {
		for p, o := range parts {
			if o.EpochOffset().Offset >= 0 {
				continue
			}
			start, err := c.cfg.reset(topic)
			if err != nil {
				return nil, err
			}
			parts[p] = start
		}
	}
	resumePolled(offsets)
	return offsets, nil
}

// poll returns fetched records. With wait 0 it takes what is there; otherwise it waits for the first records, a call
// for the thread, or the end of wait.
func (c *Consumer) poll(ctx context.Context, wait time.Duration, maxRecords int) kgo.Fetches {
	if wait <= 0 {
		var dontWait context.Context // nil is kgo's word for it
		return c.client.PollRecords(dontWait, maxRecords)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c.mu.Lock()
	if c.mu.woken {
		cancel()
		c.mu.woken = false
	}
	c.mu.cancel = cancel
	c.mu.Unlock()
	fetches := c.client.PollRecords(ctx, maxRecords)
	c.mu.Lock()
	c.mu.cancel = nil
	c.mu.Unlock()
	return fetches
}

// interrupt ends the current or the next wait in poll.
func (c *Consumer) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.cancel != nil {
		c.mu.cancel()
		return
	}
	c.mu.woken = true
}

// committed asks the group for the offsets of partitions, waiting until open transactions over them have ended.
func (c *Consumer) committed(ctx context.Context, parts []topology.TopicPartition) (map[topology.TopicPartition]committedOffset, error) {
	found := make(map[topology.TopicPartition]committedOffset, len(parts))
	for _, tp := range parts {
		found[tp] = committedOffset{offset: -1, epoch: -1}
	}
	for {
		retry, err := c.fetchCommitted(ctx, found)
		if err == nil && !retry {
			return found, nil
		}
		if err != nil {
			return nil, kafkaError("fetching the committed offsets", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(unstableOffsetBackoff):
		}
	}
}

// unstableOffsetBackoff is the pause before offsets are asked for again that an open transaction holds back.
const unstableOffsetBackoff = 20 * time.Millisecond

func (c *Consumer) fetchCommitted(ctx context.Context, found map[topology.TopicPartition]committedOffset) (retry bool, err error) {
	resp, err := c.admin.FetchOffsets(kadm.RequireStable(ctx), c.cfg.group)
	if err != nil {
		return isRetriable(err), errUnless(isRetriable(err), err)
	}
	for tp := range found {
		o, ok := resp.Lookup(tp.Topic, tp.Partition)
		switch {
		case !ok:
		case isRetriable(o.Err):
			return true, nil
		case o.Err != nil:
			return false, o.Err
		default:
			found[tp] = committedOffset{offset: o.At, epoch: o.LeaderEpoch, metadata: o.Metadata}
		}
	}
	return false, nil
}

func isRetriable(err error) bool {
	return errors.Is(err, kerr.UnstableOffsetCommit) || kerr.IsRetriable(err)
}

func errUnless(cond bool, err error) error {
	if cond {
		return nil
	}
	return err
}

// commit writes offsets to the group without a transaction.
func (c *Consumer) commit(ctx context.Context, offsets map[topology.TopicPartition]committedOffset) error {
	if len(offsets) == 0 {
		return nil
	}
	plain := make(map[string]map[int32]kgo.EpochOffset)
	for tp, o := range offsets {
		if plain[tp.Topic] == nil {
			plain[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		plain[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: o.epoch, Offset: o.offset}
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for _, t := range req.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				p.Metadata = kmsg.StringPtr(offsets[topology.TopicPartition{Topic: t.Topic, Partition: p.Partition}].metadata)
			}
		}
		return nil
	})
	var result error
	c.client.CommitOffsetsSync(ctx, plain, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		result = offsetCommitResult(resp, err)
	})
	return result
}

func offsetCommitResult(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s-%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// seek moves the position of partitions that were polled before.
func (c *Consumer) seek(offsets map[topology.TopicPartition]committedOffset) {
	to := make(map[string]map[int32]kgo.EpochOffset)
	for tp, o := range offsets {
		if to[tp.Topic] == nil {
			to[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		to[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: o.offset}
	}
	c.client.SetOffsets(to)
}

// pause and resume stop and restart fetching. What is buffered of a paused partition is fetched again later.
func (c *Consumer) pause(tp topology.TopicPartition) {
	c.client.PauseFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
}

func (c *Consumer) resume(tp topology.TopicPartition) {
	c.client.ResumeFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
}

// groupMetadata identifies the member in offset commits of a transaction.
type groupMetadata struct {
	group, member, instance string
	generation              int32
}

func (c *Consumer) groupMetadata() groupMetadata {
	member, generation := c.client.GroupMetadata()
	return groupMetadata{group: c.cfg.group, member: member, instance: c.cfg.instanceID, generation: generation}
}

// leaveGrace is how long a membership may take to end in order. Nothing of value happens in that time any more, for the
// tasks are closed: kgo only waits for a join that is under way, which at the broker may wait for a member that is dead,
// until that one's session ends.
const leaveGrace = time.Second

// shutdownSpread is how long a member stays in the group that has heard of the shutdown of the application: once one leaves,
// those who have not fetched their assignment yet get none, but join again, and would hear nothing. Kafka's default of
// heartbeat.interval.ms. Whoever joins meanwhile hears it of those who stay.
const shutdownSpread = 3 * time.Second

// close ends the membership, after a stay, and the client; with leave the group learns of it at once, also of a static member, which
// kgo lets stay. Meanwhile the thread serves the callbacks, the last of which revokes everything.
//
// The order matters: a member that is told to leave while its join is under way is answered that it is unknown, and kgo
// joins once more. So the client ends first, and then another one tells the group.
func (c *Consumer) close(ctx context.Context, leave bool, stay time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = pause(ctx, stay)
		ctx, cancel := context.WithTimeout(ctx, leaveGrace)
		err := c.client.LeaveGroupContext(ctx)
		cancel()
		if err != nil {
			c.cfg.log.Debug("leaving the group", "err", err)
		}
		member, _ := c.client.GroupMetadata()
		if err != nil {
			member = "" // a join that is cut off may have brought another id
		}
		c.end()
		c.client.CloseAllowingRebalance()
		if leave {
			c.tellLeft(context.WithoutCancel(ctx), member)
		}
	}()
	c.mailbox.serveUntil(done)
	c.mailbox.close()
}

// tellLeft tells the group that the static member is gone for good. A dynamic one has said so itself.
func (c *Consumer) tellLeft(ctx context.Context, member string) {
	if c.cfg.instanceID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	cl, err := kgo.NewClient(c.cfg.options...)
	if err == nil {
		defer cl.Close()
		err = leaveStatic(ctx, cl, c.cfg.group, member, c.cfg.instanceID)
	}
	if err != nil {
		c.cfg.log.Warn("the group could not be told that this thread has left; others get its partitions after session.timeout.ms", "instance", c.cfg.instanceID, "err", err)
	}
}

// leaveStatic removes a static member from its group. member may be "" for one that is only known by its instance.
func leaveStatic(ctx context.Context, cl *kgo.Client, group, member, instance string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = member, kmsg.StringPtr(instance)
	m.Reason = kmsg.StringPtr("the thread was stopped")
	req.Members = append(req.Members, m)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, m := range resp.Members {
		if err := kerr.ErrorForCode(m.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownMemberID) {
			return err
		}
	}
	return nil
}

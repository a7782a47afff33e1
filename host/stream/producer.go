package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/wasmstream/wasmstream/topology"
)

// txnRetryBackoff is the first pause before a request of a transaction is sent again; it doubles up to txnRetryMax.
const (
	txnRetryBackoff = 5 * time.Millisecond
	txnRetryMax     = 500 * time.Millisecond
)

// txnOffsetCommitByName is the newest version of TxnOffsetCommit that names topics. Later ones carry topic ids, which
// a client that consumes nothing does not know; txnOffsetCommitPlain is the newest one before transactions of version
// 2, in which the group must be added to the transaction by a request of its own.
const (
	txnOffsetCommitByName = 5
	txnOffsetCommitPlain  = 4
)

// producerConfig is what a Producer is made of.
type producerConfig struct {
	options []kgo.Opt // connection and client properties
	// transactionalID is "" for at_least_once.
	transactionalID    string
	transactionTimeout time.Duration
	// transactionV2 tells that the cluster runs transactions of version 2 (KIP-890).
	transactionV2 bool
}

// Producer writes the records of a thread, with exactly_once_v2 in transactions that also carry the offsets of what
// was processed. It belongs to the thread's goroutine and lives for one session of the thread: after any failure it is
// closed and a new one of the same transactional id takes over, which makes the broker end what the old one left open.
//
// Why a new client and not kgo's ways of recovering: there is one way then, it is the one of a process that starts
// after a crash, and it does not matter which of the many errors happened.
type Producer struct {
	client *kgo.Client
	cfg    producerConfig
	inTxn  bool
}

func newProducer(cfg producerConfig) (*Producer, error) {
	opts := append([]kgo.Opt{}, cfg.options...)
	opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if cfg.transactionalID != "" {
		versions := kversion.Stable()
		versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), txnOffsetCommitByName)
		if !cfg.transactionV2 {
			versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), txnOffsetCommitPlain)
		}
		opts = append(opts, kgo.TransactionalID(cfg.transactionalID), kgo.TransactionTimeout(cfg.transactionTimeout), kgo.MaxVersions(versions))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("making the producer: %w", err)
	}
	return &Producer{client: cl, cfg: cfg}, nil
}

func (p *Producer) transactional() bool { return p.cfg.transactionalID != "" }

// init gets the producer its id and epoch. This fences any older producer of the transactional id and ends its open
// transaction, so it is done before the group is joined and offsets are fetched: an open transaction of a dead
// predecessor would hold them back until its timeout.
func (p *Producer) init(ctx context.Context) error {
	if !p.transactional() {
		return nil
	}
	for wait := txnRetryBackoff; ; wait = min(2*wait, txnRetryMax) {
		_, _, err := p.client.ProducerID(ctx)
		if err == nil {
			return p.begin()
		}
		if ctx.Err() != nil || isFatal(err) {
			return kafkaError("initialising the transactional producer "+p.cfg.transactionalID, err)
		}
		if err := pause(ctx, wait); err != nil {
			return kafkaError("initialising the transactional producer "+p.cfg.transactionalID, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (p *Producer) begin() error {
	if err := p.client.BeginTransaction(); err != nil {
		return commitError("beginning a transaction", err)
	}
	p.inTxn = true
	return nil
}

// commit ends the transaction with the given offsets in it and begins the next one. Everything sent must have been
// flushed without an error, and there must be something: the broker does not know of a transaction without records.
// A *TaskCorruptedError says that the outcome is open.
func (p *Producer) commit(ctx context.Context, meta func() groupMetadata, offsets map[topology.TopicPartition]committedOffset) error {
	if len(offsets) > 0 && !mutant(inputLast) {
		if err := p.sendOffsets(ctx, meta, offsets); err != nil {
			return commitError("adding the offsets to the transaction", err)
		}
	}
	failpoint("offsets sent")
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		if mutant(endIgnored) {
			return nil
		}
		return commitError("committing the transaction", err)
	}
	p.inTxn = false
	return p.begin()
}

// sendOffsets adds offsets to the transaction. The broker checks that the member is of the group's current generation.
//
// That generation may have moved on under us: kgo joins in the background, and with the cooperative protocol we keep
// our partitions meanwhile. As long as we are the same member and were not told to give anything up, the offsets are
// still ours to commit, so a refused generation is tried again with the one that follows.
func (p *Producer) sendOffsets(ctx context.Context, meta func() groupMetadata, offsets map[topology.TopicPartition]committedOffset) error {
	m := meta()
	for wait := txnRetryBackoff; ; wait = min(2*wait, txnRetryMax) {
		err := p.sendOffsetsAs(ctx, m, offsets)
		switch {
		case err == nil:
			return nil
		case isAny(err, kerr.IllegalGeneration, kerr.RebalanceInProgress):
			now, ok := p.nextGeneration(ctx, m, meta)
			if !ok {
				return err
			}
			m = now
		case !isRetriable(err) && !errors.Is(err, kerr.ConcurrentTransactions):
			return err
		}
		if perr := pause(ctx, wait); perr != nil {
			return err
		}
	}
}

// generationWait bounds how long a commit waits for a join that is under way in the background. The broker asks
// members to join again within their rebalance timeout; one that does not get through in this time gives up its work.
const generationWait = 10 * time.Second

// nextGeneration waits until the member is in a later generation than m, or reports false: it is another member now.
func (p *Producer) nextGeneration(ctx context.Context, m groupMetadata, meta func() groupMetadata) (groupMetadata, bool) {
	ctx, cancel := context.WithTimeout(ctx, generationWait)
	defer cancel()
	for {
		now := meta()
		if now.member != m.member {
			return now, false
		}
		if now.generation > m.generation {
			return now, true
		}
		if pause(ctx, txnRetryBackoff) != nil {
			return now, false
		}
	}
}

func (p *Producer) sendOffsetsAs(ctx context.Context, m groupMetadata, offsets map[topology.TopicPartition]committedOffset) error {
	id, epoch, err := p.client.ProducerID(ctx)
	if err != nil {
		return err
	}
	if !p.cfg.transactionV2 {
		if err := p.addOffsets(ctx, m.group, id, epoch); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = p.cfg.transactionalID, m.group, id, epoch
	req.MemberID, req.Generation = m.member, m.generation
	if mutant(generationUnchecked) {
		req.MemberID, req.Generation = "", -1
	} else if m.instance != "" {
		req.InstanceID = kmsg.StringPtr(m.instance)
	}
	req.Topics = offsetTopics(offsets)
	resp, err := req.RequestWith(ctx, p.client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, part := range t.Partitions {
			if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
				return fmt.Errorf("%s-%d: %w", t.Topic, part.Partition, err)
			}
		}
	}
	return nil
}

func (p *Producer) addOffsets(ctx context.Context, group string, id int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.cfg.transactionalID, id, epoch, group
	resp, err := req.RequestWith(ctx, p.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func offsetTopics(offsets map[topology.TopicPartition]committedOffset) []kmsg.TxnOffsetCommitRequestTopic {
	index := make(map[string]int)
	var topics []kmsg.TxnOffsetCommitRequestTopic
	for tp, o := range offsets {
		i, ok := index[tp.Topic]
		if !ok {
			i = len(topics)
			index[tp.Topic] = i
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = tp.Topic
			topics = append(topics, t)
		}
		part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch = tp.Partition, o.offset, o.epoch
		part.Metadata = kmsg.StringPtr(o.metadata)
		topics[i].Partitions = append(topics[i].Partitions, part)
	}
	return topics
}

// close ends the client. A transaction that is open stays so until the next producer of the id is initialised.
func (p *Producer) close() { p.client.Close() }

// abort ends the open transaction without its records, so that readers of the topics need not wait for a timeout.
func (p *Producer) abort(ctx context.Context) error {
	if !p.inTxn {
		return nil
	}
	p.inTxn = false
	if err := p.client.AbortBufferedRecords(ctx); err != nil {
		return err
	}
	return p.client.EndTransaction(ctx, kgo.TryAbort)
}

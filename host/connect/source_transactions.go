package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
)

// transactions write records of a source and their offsets together (KIP-618). They belong to the goroutine of the task.
type transactions struct {
	t        *sourceTask
	boundary string // poll, interval, connector
	interval time.Duration
	open     bool
	began    time.Time
	// what a connector asked for, by record of the next batch
	commitAt, abortAt map[int]bool
}

func newTransactions(ctx context.Context, t *sourceTask) (*transactions, error) {
	x := &transactions{t: t, boundary: boundaryOf(t.v), interval: t.interval(), commitAt: map[int]bool{}, abortAt: map[int]bool{}}
	// Fences a predecessor: its open transaction is aborted before offsets are read.
	if _, _, err := t.producer.client.ProducerID(ctx); err != nil {
		return nil, fmt.Errorf("fencing the predecessor of task %s: %w", t.spec.ID, err)
	}
	if _, err := t.offsets.All(ctx, t.spec.ID.Connector); err != nil {
		return nil, fmt.Errorf("reading offsets of %s: %w", t.spec.ID.Connector, err)
	}
	return x, nil
}

// CommitAfter implements connectors.TransactionContext.
func (x *transactions) CommitAfter(record int) { x.commitAt[record] = true }

// AbortAfter implements connectors.TransactionContext.
func (x *transactions) AbortAfter(record int) { x.abortAt[record] = true }

var _ connectors.TransactionContext = (*transactions)(nil)

// before opens a transaction for a record.
func (x *transactions) before() error {
	if x.open {
		return nil
	}
	if err := x.t.producer.client.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	x.open, x.began = true, x.t.w.Clock.Now()
	return nil
}

// after ends the transaction after a record, when the connector wants it.
func (x *transactions) after(ctx context.Context, record int) error {
	if x.boundary != "connector" {
		return nil
	}
	switch {
	case x.abortAt[record]:
		return x.end(ctx, kgo.TryAbort)
	case x.commitAt[record]:
		return x.end(ctx, kgo.TryCommit)
	}
	return nil
}

// afterBatch ends the transaction after a batch, when it is time.
func (x *transactions) afterBatch(ctx context.Context) error {
	abort, commit := x.abortAt[connectors.WholeBatch], x.commitAt[connectors.WholeBatch]
	clear(x.abortAt)
	clear(x.commitAt)
	switch {
	case !x.open:
		return nil
	case x.boundary == "connector" && abort:
		return x.end(ctx, kgo.TryAbort)
	case x.boundary == "poll", x.boundary == "connector" && commit, x.boundary == "interval" && x.t.w.Clock.Now().Sub(x.began) >= x.interval:
		return x.end(ctx, kgo.TryCommit)
	}
	return nil
}

// due is when an open transaction is to be committed whether or not more is read (transaction.boundary=interval).
func (x *transactions) due() (at time.Time, ok bool) {
	return x.began.Add(x.interval), x.open && x.boundary == "interval"
}

// idle ends the transaction when it is time and the source has nothing to give.
func (x *transactions) idle(ctx context.Context) error {
	if at, ok := x.due(); !ok || x.t.w.Clock.Now().Before(at) {
		return nil
	}
	return x.end(ctx, kgo.TryCommit)
}

// end commits or aborts the open transaction. Offsets are committed in both cases: a source does not read aborted records
// again.
func (x *transactions) end(ctx context.Context, how kgo.TransactionEndTry) error {
	ctx = context.WithoutCancel(ctx)
	client := x.t.producer.client
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := x.t.fault(); err != nil {
		_ = client.AbortBufferedRecords(ctx)
		return err
	}
	if how == kgo.TryAbort {
		x.open = false
		if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
			return fmt.Errorf("aborting a transaction: %w", err)
		}
		if err := x.before(); err != nil {
			return err
		}
	}
	if err := x.writeOffsets(ctx); err != nil {
		return err
	}
	x.open = false
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("committing a transaction: %w", err)
	}
	x.t.mu.Lock()
	x.t.mu.commits++
	x.t.mu.Unlock()
	x.t.tellTask()
	return nil
}

func (x *transactions) writeOffsets(ctx context.Context) error {
	if err := x.t.report.flush(ctx); err != nil {
		return err
	}
	offsets := x.t.take()
	for _, topic := range x.t.offsets.topics {
		records, err := topic.records(x.t.spec.ID.Connector, offsets)
		if err != nil {
			return err
		}
		for _, r := range records {
			x.t.producer.client.Produce(ctx, r, x.offsetWritten)
		}
	}
	if err := x.t.producer.client.Flush(ctx); err != nil {
		return err
	}
	return x.t.fault()
}

func (x *transactions) offsetWritten(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	if x.t.mu.err == nil {
		x.t.mu.err = fmt.Errorf("writing offsets: %w", err)
		x.t.endPolls()
	}
}

// finish ends what is open when the task ends: committed, unless the connector decides about transactions or the task failed.
func (x *transactions) finish(ctx context.Context) error {
	if !x.open {
		return x.t.fault()
	}
	if err := x.t.fault(); err != nil || x.boundary == "connector" {
		x.open = false
		_ = x.t.producer.client.AbortBufferedRecords(ctx)
		_ = x.t.producer.client.EndTransaction(ctx, kgo.TryAbort)
		return err
	}
	return x.end(ctx, kgo.TryCommit)
}

package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// sourceTask is Kafka's WorkerSourceTask: poll, transform, convert, produce; and beside it, in time, the offsets of what was
// acknowledged. With transactions it is ExactlyOnceWorkerSourceTask (source_transactions.go).
//
// mu guards submitted and pending, which the goroutine of the loop and that of the flushes share.
type sourceTask struct {
	*taskRun
	task     connectors.SourceTask
	plugins  *taskPlugins
	enc      encoder
	producer *sourceProducer
	report   *reporter
	tx       *transactions // nil unless exactly once
	offsets  connectorOffsets

	mu struct {
		sync.Mutex
		submitted *SubmittedRecords
		pending   map[string]PartitionOffset // to be committed, by partition
		err       error                      // of a record that could not be written
		acked     []acked                    // for CommitRecord
		commits   int                        // flushes that the task was not told of
	}
	recordCommitter connectors.RecordCommitter
	polls           context.Context // of a poll: done when the task is to stop, and with mu.err
	endPolls        context.CancelFunc
	flushing        sync.Mutex // one flush at a time
	singles         singles

	rs        []*connectors.Record
	out       []connectors.Outcome
	originals []connectors.Record // for dead letters only
}

type acked struct {
	record *connectors.SourceRecord
	meta   *connectors.RecordMetadata
}

// sent is a record on its way. It is the context of its kgo.Record, so that no closure is made for each.
type sent struct {
	context.Context
	record    *connectors.SourceRecord // for a RecordCommitter only: it would keep the whole batch in memory
	submitted *SubmittedRecord
	alone     bool // in a batch of its own
	out       kgo.Record
}

func (r *taskRun) runSource(ctx context.Context, task connectors.SourceTask) (err error) {
	t := &sourceTask{taskRun: r, task: task}
	t.polls, t.endPolls = context.WithCancel(ctx)
	defer t.endPolls()
	t.mu.submitted, t.mu.pending = NewSubmittedRecords(), map[string]PartitionOffset{}
	t.recordCommitter, _ = task.(connectors.RecordCommitter)
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.open(ctx); err != nil {
		return err
	}
	r.running()
	flushed := make(chan struct{})
	flushCtx, endFlushes := context.WithCancel(r.hard)
	go func() {
		defer close(flushed)
		if t.tx == nil {
			t.flushLoop(flushCtx)
		}
	}()
	err = t.loop(ctx)
	endFlushes()
	<-flushed
	if last := t.finish(); err == nil {
		err = last
	}
	return err
}

func (t *sourceTask) open(ctx context.Context) error {
	id := ""
	if t.w.Config.ExactlyOnce == "enabled" {
		if err := t.w.CheckGeneration(ctx, t.spec.ID, t.spec.Generation); err != nil {
			return err
		}
		id = transactionalIDOf(t.w.Config.Group, t.spec.ID)
	}
	var err error
	if t.report, err = t.w.newReporter(ctx, t.spec.ID, t.props, t.v, t.count); err != nil {
		return err
	}
	if t.plugins, err = t.w.newTaskPlugins(t.props, t.tol); err != nil {
		return err
	}
	if t.offsets, err = t.w.offsetsOf(ctx, t.spec.ID.Connector, t.props); err != nil {
		return err
	}
	t.enc = encoder{p: t.plugins, tol: t.tol, w: t.w}
	if t.producer, err = t.newSourceProducer(id); err != nil {
		return err
	}
	context := &connectors.SourceTaskContext{
		Offsets: offsetReader{t.offsets, t.spec.ID.Connector}, Log: t.log, Configs: func() config.Props { return t.taskRun.task },
	}
	if id != "" {
		if t.tx, err = newTransactions(ctx, t); err != nil {
			return err
		}
		if t.tx.boundary == "connector" {
			context.Transaction = t.tx
		}
	}
	return t.task.Start(context, t.taskRun.task)
}

func (t *sourceTask) close() error {
	err := guarded(t.task.Stop)
	if t.producer != nil {
		t.producer.client.Close()
		t.closeSingles()
	}
	if t.offsets.OffsetStore != nil {
		err = errors.Join(err, t.offsets.Close())
	}
	if t.report != nil {
		t.report.close()
	}
	if t.plugins != nil {
		err = errors.Join(err, t.plugins.close())
	}
	return err
}

// loop polls until the task is to stop or fails.
func (t *sourceTask) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		if paused, _ := t.gate.state(); paused {
			t.status(StatePaused, nil)
			if err := t.settle(ctx); err != nil {
				return err
			}
			if !t.awaitResume(ctx) {
				break
			}
			t.status(StateRunning, nil)
		}
		if err := t.fault(); err != nil {
			return err
		}
		batch, err := t.poll(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if len(batch) > 0 {
			err = t.process(ctx, batch)
		} else if t.tx != nil {
			err = t.tx.idle(ctx)
		}
		if err != nil {
			return err
		}
		t.tellTask()
	}
	return t.fault()
}

// settle commits what is written before the task is paused.
func (t *sourceTask) settle(ctx context.Context) error {
	if t.tx == nil {
		t.flush(ctx)
		return nil
	}
	if _, open := t.tx.due(); open {
		return t.tx.end(ctx, kgo.TryCommit)
	}
	return nil
}

func (t *sourceTask) fault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.err
}

// poll asks the task. After a retriable error it is asked again, without an end as in Kafka: nothing was polled, so nothing is lost.
func (t *sourceTask) poll(ctx context.Context) (batch []connectors.SourceRecord, err error) {
	polls, cancel := t.pollContext()
	defer cancel()
	t.gate.interruptible(cancel)
	if batch, err = t.task.Poll(polls); err == nil {
		return batch, nil
	}
	if polls.Err() != nil && t.polls.Err() == nil && errors.Is(err, polls.Err()) {
		return nil, nil // paused, or a transaction is to be committed
	}
	if fault := t.fault(); fault != nil {
		return nil, fault
	}
	if !fault.Retriable.Is(err) {
		return nil, err
	}
	t.log.Warn("the source cannot be polled and is asked again", "error", t.hide.Text(err.Error()))
	t.report.report(&Failed{Stage: StagePoll, Class: string(fault.ClassOf(err)), Cause: err, Attempts: 1}, nil, nil)
	t.w.Clock.Sleep(ctx, defaultRetryWait)
	return nil, nil
}

// pollContext is done when the task is to stop, is paused, or has a transaction to commit.
func (t *sourceTask) pollContext() (context.Context, context.CancelFunc) {
	if t.tx != nil {
		if at, ok := t.tx.due(); ok {
			return context.WithTimeout(t.polls, at.Sub(t.w.Clock.Now()))
		}
	}
	return context.WithCancel(t.polls)
}

// process takes a batch to Kafka. Every record ends as sent, filtered, or skipped and reported.
func (t *sourceTask) process(ctx context.Context, batch []connectors.SourceRecord) error {
	t.count.Read.Add(int64(len(batch)))
	t.collect()
	t.note(batch)
	defer t.forget()
	if err := t.plugins.chain.Apply(ctx, t.rs, t.out); err != nil {
		return err
	}
	sends := make([]sent, len(batch))
	for i := range batch {
		if t.tx != nil {
			if err := t.tx.before(); err != nil {
				return err
			}
		}
		if err := t.one(ctx, i, &batch[i], &sends[i]); err != nil {
			return err
		}
		if t.tx != nil {
			if err := t.tx.after(ctx, i); err != nil {
				return err
			}
		}
	}
	if t.tx != nil {
		return t.tx.afterBatch(ctx)
	}
	return nil
}

// note makes ready what belongs to the records of a batch.
func (t *sourceTask) note(batch []connectors.SourceRecord) {
	for i := range batch {
		t.rs = append(t.rs, &batch[i].Record)
		t.out = append(t.out, connectors.Outcome{})
		if t.report.letters != nil {
			t.originals = append(t.originals, batch[i].Record)
		}
	}
}

// forget lets go of the batch.
func (t *sourceTask) forget() {
	clear(t.rs)
	clear(t.out)
	clear(t.originals)
	t.rs, t.out, t.originals = t.rs[:0], t.out[:0], t.originals[:0]
}

// one takes record i of a batch to Kafka.
func (t *sourceTask) one(ctx context.Context, i int, r *connectors.SourceRecord, s *sent) error {
	out := &t.out[i]
	if out.Drop {
		t.count.Filtered.Add(1)
		t.dropped(r)
		return nil
	}
	err := out.Err
	if err == nil {
		err = t.enc.encode(ctx, &r.Record, &s.out)
	}
	if err != nil {
		if !isTolerated(err) {
			return err
		}
		t.skip(asFailed(err), r, t.letterOf(i))
		return nil
	}
	if err := t.producer.ensure(ctx, s.out.Topic); err != nil {
		return err
	}
	t.topicUsed(s.out.Topic)
	s.Context, s.out.Context = t.hard, s
	if t.recordCommitter != nil {
		s.record = r
	}
	t.mu.Lock()
	s.submitted = t.mu.submitted.Submit(r.SourcePartition, r.SourceOffset)
	t.mu.Unlock()
	t.producer.client.Produce(s, &s.out, t.produced)
	return nil
}

// dropped commits the offset of a record that is not to be written, which Kafka does not do (without it, a source whose
// records are all filtered begins anew after each restart).
func (t *sourceTask) dropped(r *connectors.SourceRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.w.Config.Compat {
		t.mu.submitted.Submit(r.SourcePartition, r.SourceOffset).Ack()
	}
	t.ackLocked(r, nil)
}

// skip reports a record that failed and goes on without it.
func (t *sourceTask) skip(f *Failed, r *connectors.SourceRecord, letter *kgo.Record) {
	t.count.Skipped.Add(1)
	t.report.report(f, placeInSource(r.SourcePartition, r.SourceOffset), letter)
	t.dropped(r)
}

// letterOf is the dead letter of record i, which never was in Kafka: key and value as the converters write them, or, where
// they are what failed, as text.
func (t *sourceTask) letterOf(i int) *kgo.Record {
	if t.report.letters == nil {
		return nil
	}
	r, out := &t.originals[i], &kgo.Record{}
	var err error
	var null bool
	if out.Key, null, err = t.plugins.key.FromConnectData(nil, r.Topic, nil, r.Key); err != nil {
		out.Key = []byte(r.Key.Value.String())
	} else if null {
		out.Key = nil
	}
	if out.Value, null, err = t.plugins.value.FromConnectData(nil, r.Topic, nil, r.Value); err != nil {
		out.Value = []byte(r.Value.Value.String())
	} else if null {
		out.Value = nil
	}
	return out
}

// produced is called by the client for every record, in order for each partition.
func (t *sourceTask) produced(out *kgo.Record, err error) {
	s := out.Context.(*sent)
	if err == nil {
		t.count.Written.Add(1)
		s.submitted.Ack()
		if t.recordCommitter != nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.ackLocked(s.record, &connectors.RecordMetadata{Topic: out.Topic, Partition: out.Partition, Offset: out.Offset, Timestamp: out.Timestamp.UnixMilli()})
		}
		return
	}
	if t.hard.Err() != nil {
		return
	}
	if t.tol.All && t.tx == nil && !s.alone && isRecordFault(err) {
		t.writeAlone(s)
		return
	}
	f := &Failed{Stage: StageProduce, Class: "org.apache.kafka.clients.producer.KafkaProducer", Cause: err, Attempts: 1}
	if t.tol.All && t.tx == nil { // KIP-779
		t.count.Skipped.Add(1)
		t.report.report(f, placeInSource(s.submitted.queue.partition, s.submitted.offset), &kgo.Record{Key: out.Key, Value: out.Value, Headers: out.Headers, Timestamp: out.Timestamp})
		s.submitted.Ack()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ackLocked(s.record, nil)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.err == nil {
		t.mu.err = fault.Connect.Errorf("Unrecoverable exception from producer send callback: writing to topic %s: %w", out.Topic, err)
		t.endPolls()
	}
}

func (t *sourceTask) ackLocked(r *connectors.SourceRecord, meta *connectors.RecordMetadata) {
	if t.recordCommitter != nil {
		t.mu.acked = append(t.mu.acked, acked{r, meta})
	}
}

// tellTask tells the task what was acknowledged and committed since the last time.
func (t *sourceTask) tellTask() {
	t.mu.Lock()
	list, commits := t.mu.acked, t.mu.commits
	t.mu.acked, t.mu.commits = nil, 0
	t.mu.Unlock()
	for _, a := range list {
		if err := t.recordCommitter.CommitRecord(a.record, a.meta); err != nil {
			t.log.Error("the task failed to note a record as committed", "error", err)
		}
	}
	if c, ok := t.task.(connectors.SourceCommitter); ok && commits > 0 {
		if err := c.Commit(); err != nil {
			t.log.Error("the task failed to note a commit of offsets", "error", err)
		}
	}
}

// flushLoop commits offsets every flush interval, whether the task polls or waits.
func (t *sourceTask) flushLoop(ctx context.Context) {
	for t.w.Clock.Sleep(ctx, t.w.Config.FlushInterval) {
		t.flush(ctx)
	}
}

// flush commits the offsets of what is acknowledged. What fails is kept for the next time.
func (t *sourceTask) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(t.w.Config.FlushTimeout, time.Millisecond))
	defer cancel()
	if err := t.commit(ctx); err != nil && t.hard.Err() == nil {
		t.log.Error("offsets could not be committed and are kept for the next time", "error", err)
	}
}

func (t *sourceTask) commit(ctx context.Context) error {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	offsets := t.take()
	if len(offsets) == 0 {
		return nil
	}
	if err := t.report.flush(ctx); err != nil {
		t.keep(offsets)
		return err
	}
	if err := t.offsets.Set(ctx, t.spec.ID.Connector, offsets); err != nil {
		if fault.Data.Is(err) {
			return fmt.Errorf("the offsets of connector %s are of no form that can be stored: %w", t.spec.ID.Connector, err)
		}
		t.keep(offsets)
		return err
	}
	t.mu.Lock()
	t.mu.commits++
	t.mu.Unlock()
	return nil
}

// collect notes what may be committed, so that nothing else of what is acknowledged stays in memory until the next flush.
func (t *sourceTask) collect() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.collectLocked()
}

func (t *sourceTask) collectLocked() {
	for _, o := range t.mu.submitted.Committable().Offsets {
		if o.Partition != nil && o.Offset != nil {
			t.mu.pending[mapText(o.Partition)] = o
		}
	}
}

// take is what may be committed.
func (t *sourceTask) take() []PartitionOffset {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.collectLocked()
	var out []PartitionOffset
	for _, o := range t.mu.pending {
		out = append(out, o)
	}
	clear(t.mu.pending)
	return out
}

// keep puts offsets back that could not be committed, unless there are newer ones.
func (t *sourceTask) keep(offsets []PartitionOffset) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range offsets {
		text := mapText(o.Partition)
		if _, newer := t.mu.pending[text]; !newer {
			t.mu.pending[text] = o
		}
	}
}

// finish waits for what is on its way and commits, within the graceful time.
func (t *sourceTask) finish() error {
	ctx, cancel := t.graceful()
	defer cancel()
	if t.tx != nil {
		return t.tx.finish(ctx)
	}
	if err := t.producer.client.Flush(ctx); err != nil && t.hard.Err() == nil {
		t.log.Warn("records were still under way when the task ended; they will be read again", "error", err)
	}
	select {
	case <-t.singlesEnded():
	case <-ctx.Done():
	}
	if err := t.commit(ctx); err != nil && t.hard.Err() == nil {
		t.log.Error("offsets could not be committed; records will be read again", "error", err)
	}
	t.tellTask()
	return t.fault()
}

// boundaryOf is transaction.boundary in lower case.
func boundaryOf(v config.Values) string { return strings.ToLower(v.String(boundaryKey)) }

package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// sinkTask is Kafka's WorkerSinkTask: consume, convert, transform, put, and in time flush and commit.
//
// mu is held while the task is called, so that a rebalance, which comes on a goroutine of the client, waits for the batch in
// work and the other way round. Between a poll and mu a rebalance cannot come in: the client blocks it.
type sinkTask struct {
	*taskRun
	task    connectors.SinkTask
	plugins *taskPlugins
	report  *reporter
	client  *kgo.Client
	max     int

	mu sync.Mutex
	// delivered are the offsets (next to be read) of what was put; committed those that are in Kafka.
	delivered, committed map[connectors.TopicPartition]int64
	assigned             map[connectors.TopicPartition]bool
	paused               map[connectors.TopicPartition]bool // by the task itself
	batch                []connectors.SinkRecord            // put again after a Retriable error
	raws                 []*kgo.Record                      // of batch
	room                 sinkRoom
	rewinds              map[connectors.TopicPartition]int64
	wait                 time.Duration
	commitSoon           bool
	err                  error // of a rebalance
	wake                 context.CancelFunc
	closing              bool
}

func (r *taskRun) runSink(ctx context.Context, task connectors.SinkTask) (err error) {
	t := &sinkTask{
		taskRun: r, task: task, delivered: map[connectors.TopicPartition]int64{}, committed: map[connectors.TopicPartition]int64{},
		assigned: map[connectors.TopicPartition]bool{}, paused: map[connectors.TopicPartition]bool{}, rewinds: map[connectors.TopicPartition]int64{},
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.open(ctx); err != nil {
		return err
	}
	r.running()
	return t.loop(ctx)
}

func (t *sinkTask) open(ctx context.Context) error {
	var err error
	if t.report, err = t.w.newReporter(ctx, t.spec.ID, t.props, t.v, t.count); err != nil {
		return err
	}
	if t.plugins, err = t.w.newTaskPlugins(t.props, t.tol); err != nil {
		return err
	}
	if err := t.task.Start(&sinkContext{t}, t.taskRun.task); err != nil {
		return err
	}
	opts, err := t.consumerOptions()
	if err != nil {
		return err
	}
	t.client, err = kgo.NewClient(opts...)
	return err
}

func (t *sinkTask) consumerOptions() ([]kgo.Opt, error) {
	props := t.w.Config.ClientProperties(kafka.Consumer, t.props)
	if _, set := props["auto.offset.reset"]; !set {
		props["auto.offset.reset"] = "earliest"
	}
	where := "connector " + t.spec.ID.Connector
	checked, err := props.Check(kafka.Consumer, where)
	if err != nil {
		return nil, err
	}
	t.max = checked.MaxPollRecords()
	opts, err := kafka.Options(kafka.Consumer, props, where)
	if err != nil {
		return nil, err
	}
	group, err := kafka.GroupOptions(props, where)
	if err != nil {
		return nil, err
	}
	opts = append(opts, group...)
	opts = append(opts, kgo.WithContext(t.hard), kgo.ClientID("connector-consumer-"+t.spec.ID.String()), kgo.ConsumerGroup(sinkGroup(t.spec.ID.Connector, t.props)),
		kgo.Balancers(kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(t.onAssigned), kgo.OnPartitionsRevoked(t.onRevoked), kgo.OnPartitionsLost(t.onLost))
	if regex := t.props.Or(topicsRegexKey, ""); regex != "" {
		pattern, err := connectorconfig.TopicsRegex(regex)
		if err != nil {
			return nil, err
		}
		return append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics(`\A(?:`+pattern+`)\z`)), nil
	}
	return append(opts, kgo.ConsumeTopics(t.v.List(topicsKey)...)), nil
}

// sinkGroup is the consumer group of a sink.
func sinkGroup(connector string, props config.Props) string {
	return props.Or("consumer.override.group.id", "connect-"+connector)
}

func (t *sinkTask) loop(ctx context.Context) error {
	nextCommit := t.w.Clock.Now().Add(t.w.Config.FlushInterval)
	for ctx.Err() == nil {
		if paused, _ := t.gate.state(); paused {
			t.status(StatePaused, nil)
			t.commitNow(ctx)
			if !t.awaitResume(ctx) {
				break
			}
			t.status(StateRunning, nil)
		}
		if err := t.round(ctx, nextCommit); err != nil {
			return err
		}
		if now := t.w.Clock.Now(); t.commitSoon || !now.Before(nextCommit) {
			t.commitNow(ctx)
			nextCommit = now.Add(t.w.Config.FlushInterval)
		}
	}
	return nil
}

// round takes one batch, or the one that is to be put again.
func (t *sinkTask) round(ctx context.Context, until time.Time) error {
	if len(t.batch) > 0 {
		return t.redeliver(ctx)
	}
	pollCtx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	t.mu.Lock()
	t.wake = cancel
	t.mu.Unlock()
	stop := t.wakeOnPause(pollCtx, cancel)
	fetches := t.client.PollRecords(pollCtx, t.max)
	stop()
	defer t.client.AllowRebalance()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	for _, f := range fetches.Errors() {
		if errors.Is(f.Err, context.Canceled) || errors.Is(f.Err, context.DeadlineExceeded) {
			continue
		}
		if err := kafka.Explain(f.Err, "connector "+t.spec.ID.Connector, "reading topic "+f.Topic); errors.Is(f.Err, kgo.ErrClientClosed) {
			return err
		}
		t.log.Warn("reading failed and is tried again", "topic", f.Topic, "partition", f.Partition, "error", f.Err)
	}
	if fetches.NumRecords() == 0 {
		return t.idle(ctx)
	}
	if err := t.convert(ctx, fetches.Records()); err != nil {
		return err
	}
	return t.deliver(ctx)
}

// idle calls put without records, as Kafka does, so that a sink that collects can write what is due.
func (t *sinkTask) idle(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	return t.put(ctx, nil)
}

// wakeOnPause ends a poll when the task is paused.
func (t *sinkTask) wakeOnPause(ctx context.Context, cancel context.CancelFunc) (stop func()) {
	_, changed := t.gate.state()
	done := make(chan struct{})
	go func() {
		select {
		case <-changed:
			cancel()
		case <-done:
		case <-ctx.Done():
		}
	}()
	return func() { close(done) }
}

// sinkRoom is memory that one batch takes over from the one before.
type sinkRoom struct {
	all []connectors.SinkRecord
	rs  []*connectors.Record
	out []connectors.Outcome
}

// take makes room for n records.
func (m *sinkRoom) take(n int) (all []connectors.SinkRecord, rs []*connectors.Record, out []connectors.Outcome) {
	clear(m.all)
	if n > cap(m.all) {
		m.all, m.rs, m.out = make([]connectors.SinkRecord, n), make([]*connectors.Record, n), make([]connectors.Outcome, n)
		for i := range m.all {
			m.rs[i] = &m.all[i].Record
		}
	}
	m.all, m.out = m.all[:n], m.out[:n]
	clear(m.out)
	return m.all, m.rs[:n], m.out
}

// convert makes the batch of what was read. What fails and is tolerated is reported and left out.
func (t *sinkTask) convert(ctx context.Context, raws []*kgo.Record) error {
	t.count.Read.Add(int64(len(raws)))
	all, rs, out := t.room.take(len(raws))
	for i, raw := range raws {
		if i == 0 || !sameSource(raw, raws[i-1]) {
			t.reads(raw)
		}
		if err := t.decode(ctx, raw, &all[i]); err != nil {
			if !isTolerated(err) {
				return err
			}
			out[i].Err = err
		}
	}
	if err := t.plugins.chain.Apply(ctx, rs, out); err != nil {
		return err
	}
	kept := 0
	for i, raw := range raws {
		switch {
		case out[i].Err != nil:
			t.skip(asFailed(out[i].Err), raw)
		case out[i].Drop:
			t.count.Filtered.Add(1)
		default:
			if kept < i {
				all[kept], raws[kept] = all[i], raw
			}
			kept++
		}
		if i+1 == len(raws) || !sameSource(raw, raws[i+1]) {
			t.delivered[connectors.TopicPartition{Topic: raw.Topic, Partition: raw.Partition}] = raw.Offset + 1
		}
	}
	t.batch, t.raws = all[:kept], raws[:kept]
	return nil
}

func sameSource(a, b *kgo.Record) bool { return a.Partition == b.Partition && a.Topic == b.Topic }

// reads notes the first of records of a partition.
func (t *sinkTask) reads(raw *kgo.Record) {
	t.topicUsed(raw.Topic)
	tp := connectors.TopicPartition{Topic: raw.Topic, Partition: raw.Partition}
	if _, known := t.committed[tp]; !known {
		t.committed[tp] = raw.Offset
	}
}

func (t *sinkTask) skip(f *Failed, raw *kgo.Record) {
	t.count.Skipped.Add(1)
	t.report.report(f, placeOf(raw), raw)
}

func placeOf(raw *kgo.Record) *Place {
	p := &Place{Topic: raw.Topic, Partition: raw.Partition, Offset: raw.Offset, Timestamp: raw.Timestamp.UnixMilli()}
	if typ := raw.Attrs.TimestampType(); typ >= 0 {
		p.TimestampType = connectors.TimestampType(typ).String()
	}
	return p
}

// decode converts one record.
func (t *sinkTask) decode(ctx context.Context, raw *kgo.Record, r *connectors.SinkRecord) error {
	r.Topic, r.Partition, r.Offset, r.Timestamp = raw.Topic, raw.Partition, raw.Offset, raw.Timestamp.UnixMilli()
	r.OriginalTopic, r.OriginalPartition, r.OriginalOffset = raw.Topic, raw.Partition, raw.Offset
	r.TimestampType = connectors.TimestampType(raw.Attrs.TimestampType())
	if r.TimestampType == connectors.NoTimestampType {
		r.Timestamp = connectors.NoTimestamp
	}
	step := func(stage Stage, class string, op func() error) error {
		err := op()
		if err != nil {
			err = t.tol.Again(ctx, t.w.Clock, stage, class, err, op)
		}
		return err
	}
	if len(raw.Headers) > 0 {
		if err := step(StageHeaderConverter, t.plugins.headerClass, func() error { return t.decodeHeaders(raw, r) }); err != nil {
			return err
		}
	}
	err := step(StageKeyConverter, t.plugins.keyClass, func() (err error) {
		r.Key, err = t.plugins.key.ToConnectData(raw.Topic, r.Headers, raw.Key)
		return err
	})
	if err != nil {
		return err
	}
	return step(StageValueConverter, t.plugins.valueClass, func() (err error) {
		r.Value, err = t.plugins.value.ToConnectData(raw.Topic, r.Headers, raw.Value)
		return err
	})
}

func (t *sinkTask) decodeHeaders(raw *kgo.Record, r *connectors.SinkRecord) error {
	headers := make(connectors.Headers, 0, len(raw.Headers))
	for _, h := range raw.Headers {
		if connectors.IsSchemaID(h.Key) {
			headers = append(headers, connectors.Header{Key: h.Key, Value: data.SchemaAndValue{Schema: data.BytesSchema, Value: data.BytesValue(h.Value)}})
			continue
		}
		v, err := t.plugins.header.ToConnectHeader(raw.Topic, h.Key, h.Value)
		if err != nil {
			return err
		}
		headers = append(headers, connectors.Header{Key: h.Key, Value: v})
	}
	r.Headers = headers
	return nil
}

// deliver puts the batch. After a Retriable error the batch stays and is put again; other errors fail the task, or, where
// errors.tolerance=all holds for puts, cost the records that the sink refuses one by one.
func (t *sinkTask) deliver(ctx context.Context) error {
	if len(t.batch) == 0 {
		return nil
	}
	err := t.put(ctx, t.batch)
	switch {
	case err == nil:
		t.count.Written.Add(int64(len(t.batch)))
		t.batch, t.raws = t.batch[:0], t.raws[:0]
		return nil
	case fault.Retriable.Is(err):
		t.count.Retries.Add(1)
		t.log.Warn("the sink asks for the same records again", "records", len(t.batch), "error", err)
		return nil
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return nil
	case t.tol.Tolerates(StagePut, err):
		return t.deliverEach(ctx)
	}
	return fault.Connect.New("Exiting WorkerSinkTask due to unrecoverable exception. Task is being killed and will not recover until manually restarted").Because(err)
}

// deliverEach finds the records that the sink refuses: each is put alone, and those that fail are reported.
func (t *sinkTask) deliverEach(ctx context.Context) error {
	for len(t.batch) > 0 {
		err := t.put(ctx, t.batch[:1])
		switch {
		case err == nil:
			t.count.Written.Add(1)
		case fault.Retriable.Is(err) || ctx.Err() != nil:
			return nil // the rest of the batch is put again later
		default:
			t.skip(&Failed{Stage: StagePut, Class: t.taskRun.task.Or(taskClassKey, ""), Cause: err, Attempts: 1}, t.raws[0])
		}
		t.batch, t.raws = t.batch[1:], t.raws[1:]
	}
	return nil
}

func (t *sinkTask) put(ctx context.Context, records []connectors.SinkRecord) error {
	err := guarded(func() error { return t.task.Put(ctx, records) })
	t.seek()
	return err
}

// defaultRetryWait is the wait before records are put again, when the sink did not say.
const defaultRetryWait = time.Second

// redeliver waits and puts the batch again. Rebalances may happen meanwhile and take records out of the batch.
func (t *sinkTask) redeliver(ctx context.Context) error {
	t.mu.Lock()
	wait := t.wait
	t.wait = 0
	t.mu.Unlock()
	if wait <= 0 {
		wait = defaultRetryWait
	}
	if !t.w.Clock.Sleep(ctx, wait) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	return t.deliver(ctx)
}

// seek carries out the offsets that the task has set.
func (t *sinkTask) seek() {
	if len(t.rewinds) == 0 {
		return
	}
	to := map[string]map[int32]kgo.EpochOffset{}
	for tp, offset := range t.rewinds {
		if !t.assigned[tp] {
			continue
		}
		if to[tp.Topic] == nil {
			to[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		to[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
		t.delivered[tp] = offset
	}
	clear(t.rewinds)
	t.client.SetOffsets(to)
}

// commitNow flushes the sink and commits. If that fails, everything since the last commit is read again.
func (t *sinkTask) commitNow(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commitSoon = false
	if len(t.batch) > 0 {
		return // what is not put yet must not be committed
	}
	t.commit(ctx, slices.Collect(maps.Keys(t.delivered)), false)
}

// commit commits partitions. The caller holds mu. closing says that they are given up, so that nothing is read again here.
func (t *sinkTask) commit(ctx context.Context, partitions []connectors.TopicPartition, closing bool) {
	current := map[connectors.TopicPartition]int64{}
	changed := false
	for _, tp := range partitions {
		if offset, ok := t.delivered[tp]; ok {
			current[tp] = offset
			changed = changed || t.committed[tp] != offset
		}
	}
	if !changed {
		return
	}
	offsets, err := t.safeOffsets(ctx, current)
	if err == nil {
		err = t.report.flush(ctx)
	}
	if err == nil {
		err = t.commitOffsets(ctx, offsets)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	t.log.Error("offsets could not be committed", "error", fault.Trace(err), "read_again", !closing)
	if !closing {
		for tp := range current {
			if last, ok := t.committed[tp]; ok {
				t.rewinds[tp] = last
			}
		}
		t.seek()
	}
}

// safeOffsets asks the task what may be committed.
func (t *sinkTask) safeOffsets(ctx context.Context, current map[connectors.TopicPartition]int64) (out map[connectors.TopicPartition]int64, err error) {
	err = guarded(func() error {
		if p, ok := t.task.(connectors.PreCommitter); ok {
			out, err = p.PreCommit(ctx, maps.Clone(current))
			return err
		}
		out = current
		return t.task.Flush(ctx, maps.Clone(current))
	})
	for tp := range out {
		if _, ok := current[tp]; !ok {
			t.log.Warn("the sink wants to commit a partition that it does not have", "topic", tp.Topic, "partition", tp.Partition)
			delete(out, tp)
		}
	}
	return out, err
}

func (t *sinkTask) commitOffsets(ctx context.Context, offsets map[connectors.TopicPartition]int64) error {
	req := map[string]map[int32]kgo.EpochOffset{}
	for tp, offset := range offsets {
		if t.committed[tp] == offset {
			continue
		}
		if req[tp.Topic] == nil {
			req[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		req[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	if len(req) == 0 {
		return nil
	}
	var failed error
	ctx, cancel := context.WithTimeout(ctx, max(t.w.Config.FlushTimeout, time.Millisecond))
	defer cancel()
	t.client.CommitOffsetsSync(ctx, req, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = firstCommitError(resp, err)
	})
	if failed != nil {
		return failed
	}
	for tp, offset := range offsets {
		t.committed[tp] = offset
	}
	return nil
}

func partitionsOf(parts map[string][]int32) (out []connectors.TopicPartition) {
	for topic, list := range parts {
		for _, p := range list {
			out = append(out, connectors.TopicPartition{Topic: topic, Partition: p})
		}
	}
	slices.SortFunc(out, func(a, b connectors.TopicPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return out
}

func (t *sinkTask) onAssigned(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := partitionsOf(parts)
	if len(list) == 0 || t.closing {
		return
	}
	for _, tp := range list {
		t.assigned[tp] = true
	}
	if l, ok := t.task.(connectors.PartitionListener); ok {
		if err := guarded(func() error { return l.Open(list) }); err != nil {
			t.failLocked(fault.Connect.New("the sink could not open its partitions").Because(err))
		}
	}
	if len(t.rewinds) > 0 && t.client != nil {
		t.seek()
	}
}

func (t *sinkTask) onRevoked(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveUp(ctx, partitionsOf(parts), true)
}

func (t *sinkTask) onLost(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveUp(ctx, partitionsOf(parts), false)
}

// giveUp commits and closes partitions. What of the batch belongs to them is dropped: their next owner reads it again.
func (t *sinkTask) giveUp(ctx context.Context, list []connectors.TopicPartition, commit bool) {
	list = slices.DeleteFunc(list, func(tp connectors.TopicPartition) bool { return !t.assigned[tp] })
	if len(list) == 0 {
		return
	}
	for i := len(t.batch) - 1; i >= 0; i-- { // offsets before the first record that was not put are still good
		tp := connectors.TopicPartition{Topic: t.raws[i].Topic, Partition: t.raws[i].Partition}
		if slices.Contains(list, tp) {
			t.delivered[tp] = t.raws[i].Offset
			t.batch, t.raws = slices.Delete(t.batch, i, i+1), slices.Delete(t.raws, i, i+1)
		}
	}
	if commit {
		t.commit(ctx, list, true)
	}
	if l, ok := t.task.(connectors.PartitionListener); ok {
		if err := guarded(func() error { return l.Close(list) }); err != nil {
			t.failLocked(fault.Connect.New("the sink could not close its partitions").Because(err))
		}
	}
	for _, tp := range list {
		delete(t.assigned, tp)
		delete(t.delivered, tp)
		delete(t.committed, tp)
		delete(t.paused, tp)
	}
}

func (t *sinkTask) failLocked(err error) {
	if t.err == nil {
		t.err = err
	}
	if t.wake != nil {
		t.wake()
	}
}

// close commits what was put and leaves the group.
func (t *sinkTask) close() error {
	if t.client != nil {
		ctx, cancel := t.graceful()
		defer cancel()
		t.mu.Lock()
		t.giveUp(ctx, slices.Collect(maps.Keys(t.assigned)), true)
		t.closing = true
		t.mu.Unlock()
		t.client.AllowRebalance()
		if err := t.client.LeaveGroupContext(ctx); err != nil {
			t.log.Warn("the consumer group could not be left; others get its partitions when the session has ended", "error", err)
		}
		t.client.Close()
	}
	err := guarded(t.task.Stop)
	if t.report != nil {
		t.report.close()
	}
	if t.plugins != nil {
		err = errors.Join(err, t.plugins.close())
	}
	return err
}

// sinkContext is what the task may ask for. It calls while the task is called, so mu is held.
type sinkContext struct{ t *sinkTask }

// Configs implements connectors.SinkTaskContext.
func (c *sinkContext) Configs() config.Props { return c.t.taskRun.task }

// Assignment implements connectors.SinkTaskContext.
func (c *sinkContext) Assignment() []connectors.TopicPartition {
	return slices.Collect(maps.Keys(c.t.assigned))
}

// SetOffsets implements connectors.SinkTaskContext.
func (c *sinkContext) SetOffsets(offsets map[connectors.TopicPartition]int64) {
	maps.Copy(c.t.rewinds, offsets)
}

// SetTimeout implements connectors.SinkTaskContext.
func (c *sinkContext) SetTimeout(d time.Duration) { c.t.wait = d }

// Pause implements connectors.SinkTaskContext.
func (c *sinkContext) Pause(partitions ...connectors.TopicPartition) error {
	for _, tp := range partitions {
		if !c.t.assigned[tp] {
			return fault.IllegalWorker.New(fmt.Sprintf("SinkTasks may not pause partitions that are not currently assigned to them: %s-%d", tp.Topic, tp.Partition))
		}
		c.t.paused[tp] = true
		c.t.client.PauseFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	}
	return nil
}

// Resume implements connectors.SinkTaskContext.
func (c *sinkContext) Resume(partitions ...connectors.TopicPartition) error {
	for _, tp := range partitions {
		if !c.t.assigned[tp] {
			return fault.IllegalWorker.New(fmt.Sprintf("SinkTasks may not resume partitions that are not currently assigned to them: %s-%d", tp.Topic, tp.Partition))
		}
		delete(c.t.paused, tp)
		c.t.client.ResumeFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	}
	return nil
}

// RequestCommit implements connectors.SinkTaskContext.
func (c *sinkContext) RequestCommit() { c.t.commitSoon = true }

// Errant implements connectors.SinkTaskContext.
func (c *sinkContext) Errant() connectors.ErrantReporter {
	if !c.t.tol.All && c.t.report.letters == nil && !c.t.report.logged {
		return nil
	}
	return errant{c.t}
}

// Log implements connectors.SinkTaskContext.
func (c *sinkContext) Log() *slog.Logger { return c.t.log }

// errant reports records for the task.
type errant struct{ t *sinkTask }

// Report implements connectors.ErrantReporter.
func (e errant) Report(record *connectors.SinkRecord, cause error) func(context.Context) error {
	f := &Failed{Stage: StagePut, Class: e.t.taskRun.task.Or(taskClassKey, ""), Cause: cause, Attempts: 1}
	e.t.skip(f, e.raw(record))
	e.t.count.Written.Add(-1) // the record is part of a batch that counts as written when put returns
	if !e.t.tol.All {
		err := fault.Connect.New("Tolerance exceeded in error handler").Because(cause)
		return func(context.Context) error { return err }
	}
	return e.t.report.flush
}

// raw finds what was read, or, for a record that the sink kept for long, writes it again.
func (e errant) raw(r *connectors.SinkRecord) *kgo.Record {
	for _, raw := range e.t.raws {
		if raw.Topic == r.OriginalTopic && raw.Partition == r.OriginalPartition && raw.Offset == r.OriginalOffset {
			return raw
		}
	}
	out := &kgo.Record{Topic: r.OriginalTopic, Partition: r.OriginalPartition, Offset: r.OriginalOffset, Timestamp: time.UnixMilli(r.Timestamp)}
	out.Key = bytesOf(e.t.plugins.key, r.OriginalTopic, r.Key)
	out.Value = bytesOf(e.t.plugins.value, r.OriginalTopic, r.Value)
	return out
}

// bytesOf writes a value as its converter does, or, where that fails, as text.
func bytesOf(c connectors.Converter, topic string, v data.SchemaAndValue) []byte {
	b, null, err := c.FromConnectData(nil, topic, nil, v)
	switch {
	case err != nil:
		return []byte(v.Value.String())
	case null:
		return nil
	}
	return b
}

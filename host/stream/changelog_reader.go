package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Bounds of restoring. The memory it takes is about restoreQueue+1 answers.
const (
	restoreFetchBytes     = 4 << 20
	restorePartitionBytes = 1 << 20
	restoreMaxWait        = 100 * time.Millisecond
	restoreRetryBackoff   = 50 * time.Millisecond
	restoreQueue          = 2
)

// fetchByName is the newest version of Fetch that names topics instead of giving their ids.
const fetchByName = 12

// restoration is one changelog partition on its way into a store.
type restoration struct {
	tp    topology.TopicPartition
	task  topology.TaskID
	store string
	next  int64 // where the store is; -1: at the changelog's beginning
	// apply writes records and the position after them to the store; wipe empties the store first.
	apply func(records []state.KV, next int64) error
	wipe  func() error

	end      int64 // once known
	restored int64
}

// ChangelogReader brings stores up to date from their changelogs, several partitions at once, while the thread goes on
// with its other tasks: goroutines of its own fetch and decode, the thread applies.
//
// The end of a changelog is its high watermark at the time, asked for after the group's offsets were fetched. Under
// exactly_once_v2 only committed records are read, so the reader waits there for open transactions to end: the
// offsets of a transaction may be final before its marker is in the changelog, and stopping at the last stable offset
// would lose its changes. Markers and aborted records count as progress.
//
// It fetches by requests of its own, not by a consumer, because it must know its position also where there are no
// records: behind markers, aborted records and what compaction removed.
type ChangelogReader struct {
	client    *kgo.Client
	admin     *kadm.Client
	isolation kgo.IsolationLevel
	log       *slog.Logger
	wake      func()

	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	results chan restoredChunk
	active  map[topology.TopicPartition]*restoration
}

// restoredChunk is what a fetch brought for a partition.
type restoredChunk struct {
	r       *restoration
	records []state.KV
	next    int64
	end     int64
	wipe    bool // the store's position is not in the log any more
	done    bool
	err     error
}

func newChangelogReader(options []kgo.Opt, readCommitted bool, wake func(), log *slog.Logger) (*ChangelogReader, error) {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.Fetch), fetchByName)
	cl, err := kgo.NewClient(append(slices.Clone(options), kgo.MaxVersions(versions))...)
	if err != nil {
		return nil, fmt.Errorf("making the restore consumer: %w", err)
	}
	r := &ChangelogReader{
		client: cl, admin: kadm.NewClient(cl), isolation: kgo.ReadUncommitted(), log: log, wake: wake,
		results: make(chan restoredChunk, restoreQueue), active: make(map[topology.TopicPartition]*restoration),
	}
	if readCommitted {
		r.isolation = kgo.ReadCommitted()
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// start begins to restore. The thread calls it, and poll from time to time until done returns true for all.
func (r *ChangelogReader) start(list []*restoration) {
	if len(list) == 0 {
		return
	}
	for _, one := range list {
		r.active[one.tp] = one
	}
	f := &restoreFetcher{reader: r, at: make(map[topology.TopicPartition]*restorePosition)}
	for _, one := range list {
		f.at[one.tp] = &restorePosition{r: one, next: one.next}
	}
	r.wg.Go(f.run)
}

// stop gives up partitions. What was applied stays.
func (r *ChangelogReader) stop(match func(topology.TaskID) bool) {
	maps.DeleteFunc(r.active, func(_ topology.TopicPartition, one *restoration) bool { return match(one.task) })
}

// restoring tells whether a task still has partitions to restore.
func (r *ChangelogReader) restoring(task topology.TaskID) bool {
	for _, one := range r.active {
		if one.task == task {
			return true
		}
	}
	return false
}

// idle tells whether nothing is being restored.
func (r *ChangelogReader) idle() bool { return len(r.active) == 0 }

// remaining is the number of offsets that are left, as far as the ends are known.
func (r *ChangelogReader) remaining() (n int64) {
	for _, one := range r.active {
		n += max(0, one.end-max(0, one.next))
	}
	return n
}

// poll applies what was fetched and returns the restorations that are done.
func (r *ChangelogReader) poll() (done []*restoration, err error) {
	for {
		select {
		case c := <-r.results:
			if r.active[c.r.tp] != c.r {
				continue // given up meanwhile
			}
			finished, err := r.apply(c)
			if err != nil {
				return done, err
			}
			if finished {
				delete(r.active, c.r.tp)
				done = append(done, c.r)
			}
		default:
			return done, nil
		}
	}
}

func (r *ChangelogReader) apply(c restoredChunk) (finished bool, err error) {
	if c.err != nil {
		return false, kafkaError("restoring from "+c.r.tp.Topic, c.err)
	}
	if c.wipe {
		r.log.Warn("the changelog does not reach back to the local state, which is built again", "store", c.r.store, "task", c.r.task.String(), "at", c.r.next, "log_start", c.next)
		if err := c.r.wipe(); err != nil {
			return false, fmt.Errorf("wiping store %q of task %s: %w", c.r.store, c.r.task, err)
		}
	}
	if c.next > c.r.next || c.wipe {
		if err := c.r.apply(c.records, c.next); err != nil {
			return false, fmt.Errorf("restoring store %q of task %s: %w", c.r.store, c.r.task, err)
		}
	}
	c.r.next, c.r.end = c.next, c.end
	c.r.restored += int64(len(c.records))
	return c.done, nil
}

// close ends the goroutines and the client.
func (r *ChangelogReader) close() {
	r.cancel()
	r.wg.Wait()
	r.client.Close()
}

// restoreFetcher is the goroutine behind one start.
type restoreFetcher struct {
	reader *ChangelogReader
	at     map[topology.TopicPartition]*restorePosition
}

type restorePosition struct {
	r         *restoration
	next, end int64
	leader    int32
	wipe      bool
}

func (f *restoreFetcher) run() {
	if err := f.bounds(); err != nil {
		f.fail(err)
		return
	}
	for len(f.at) > 0 && f.reader.ctx.Err() == nil {
		if err := f.round(); err != nil {
			f.fail(err)
			return
		}
	}
}

// fail reports err for one partition, which ends the thread's session.
func (f *restoreFetcher) fail(err error) {
	for _, p := range f.at {
		f.send(restoredChunk{r: p.r, err: err})
		return
	}
}

func (f *restoreFetcher) send(c restoredChunk) {
	select {
	case f.reader.results <- c:
		f.reader.wake()
	case <-f.reader.ctx.Done():
	}
}

// bounds asks for leaders, first offsets and high watermarks, and places every position between them.
func (f *restoreFetcher) bounds() error {
	topics := f.topics()
	starts, err := f.reader.admin.ListStartOffsets(f.reader.ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := f.reader.admin.ListEndOffsets(f.reader.ctx, topics...)
	if err != nil {
		return err
	}
	for tp, p := range f.at {
		start, ok1 := starts.Lookup(tp.Topic, tp.Partition)
		end, ok2 := ends.Lookup(tp.Topic, tp.Partition)
		if err := errors.Join(start.Err, end.Err); err != nil || !ok1 || !ok2 {
			return fmt.Errorf("listing the offsets of %s-%d: %w", tp.Topic, tp.Partition, errors.Join(err, missingUnless(ok1 && ok2)))
		}
		p.place(start.Offset, end.Offset)
		if p.next >= p.end {
			f.send(restoredChunk{r: p.r, next: p.next, end: p.end, wipe: p.wipe, done: true})
			delete(f.at, tp)
		}
	}
	return f.leaders()
}

// place moves the position into the log. State from before the log's start would bring deleted keys back, and state
// from behind its end belongs to a topic that was deleted and made again: both are built anew.
func (p *restorePosition) place(start, end int64) {
	p.end = end
	switch {
	case p.next < 0:
		p.next = start
	case p.next < start, p.next > end:
		p.next, p.wipe = start, true
	}
}

func missingUnless(ok bool) error {
	if ok {
		return nil
	}
	return kerr.UnknownTopicOrPartition
}

func (f *restoreFetcher) topics() []string {
	set := make(map[string]bool)
	for tp := range f.at {
		set[tp.Topic] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func (f *restoreFetcher) leaders() error {
	if len(f.at) == 0 {
		return nil
	}
	topics, err := f.reader.admin.ListTopics(f.reader.ctx, f.topics()...)
	if err != nil {
		return err
	}
	for tp, p := range f.at {
		p.leader = topics[tp.Topic].Partitions[tp.Partition].Leader
	}
	return nil
}

// round sends one fetch to every leader and hands on what comes back.
func (f *restoreFetcher) round() error {
	byLeader := make(map[int32][]*restorePosition)
	for _, p := range f.at {
		byLeader[p.leader] = append(byLeader[p.leader], p)
	}
	type answer struct {
		resp *kmsg.FetchResponse
		err  error
	}
	answers := make(chan answer, len(byLeader))
	for leader, positions := range byLeader {
		go func() {
			resp, err := f.fetch(leader, positions)
			answers <- answer{resp, err}
		}()
	}
	stale := false
	for range byLeader {
		a := <-answers
		switch {
		case a.err != nil:
			stale = true
			f.reader.log.Debug("fetching a changelog", "err", a.err)
		default:
			moved, err := f.take(a.resp)
			if err != nil {
				return err
			}
			stale = stale || moved
		}
	}
	if !stale || f.reader.ctx.Err() != nil {
		return nil
	}
	if err := pause(f.reader.ctx, restoreRetryBackoff); err != nil {
		return nil
	}
	return f.refresh()
}

// refresh looks for the leaders again; a cluster that does not answer right now is asked again later.
func (f *restoreFetcher) refresh() error {
	if err := f.leaders(); err != nil && isFatal(err) {
		return err
	}
	return nil
}

func (f *restoreFetcher) fetch(leader int32, positions []*restorePosition) (*kmsg.FetchResponse, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(restoreMaxWait.Milliseconds()), 1, restoreFetchBytes
	if f.reader.isolation == kgo.ReadCommitted() {
		req.IsolationLevel = 1
	}
	req.SessionEpoch = -1
	index := make(map[string]int)
	for _, p := range positions {
		i, ok := index[p.r.tp.Topic]
		if !ok {
			i = len(req.Topics)
			index[p.r.tp.Topic] = i
			t := kmsg.NewFetchRequestTopic()
			t.Topic = p.r.tp.Topic
			req.Topics = append(req.Topics, t)
		}
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.r.tp.Partition, p.next, restorePartitionBytes
		part.CurrentLeaderEpoch = -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, part)
	}
	resp, err := f.reader.client.Broker(int(leader)).RetriableRequest(f.reader.ctx, req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.FetchResponse)
	return r, kerr.ErrorForCode(r.ErrorCode)
}

// take decodes an answer and hands on its records. moved says that leaders must be looked for again.
func (f *restoreFetcher) take(resp *kmsg.FetchResponse) (moved bool, err error) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			part := &resp.Topics[i].Partitions[j]
			p := f.at[topology.TopicPartition{Topic: resp.Topics[i].Topic, Partition: part.Partition}]
			if p == nil {
				continue
			}
			switch err := kerr.ErrorForCode(part.ErrorCode); {
			case errors.Is(err, kerr.OffsetOutOfRange):
				p.next, p.wipe = part.LogStartOffset, true
				if err := f.bounds(); err != nil { // the log start moved: place all positions again
					return moved, err
				}
			case err != nil && kerr.IsRetriable(err):
				moved = true
			case err != nil:
				return moved, fmt.Errorf("fetching %s-%d: %w", p.r.tp.Topic, p.r.tp.Partition, err)
			default:
				f.advance(p, part)
			}
		}
	}
	return moved, nil
}

// advance hands on the records of one partition. The end is reached at the position of the high watermark that was
// asked for, or when nothing is left before it and no transaction is open that could still add something.
func (f *restoreFetcher) advance(p *restorePosition, part *kmsg.FetchResponseTopicPartition) {
	empty := len(part.RecordBatches) == 0
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: p.next, IsolationLevel: f.reader.isolation, Topic: p.r.tp.Topic, Partition: p.r.tp.Partition,
	}, part, kgo.DefaultDecompressor(), nil)
	stable := part.LastStableOffset < 0 || part.LastStableOffset >= p.end
	if empty && stable {
		next = max(next, p.end)
	}
	done := next >= p.end
	if next == p.next && !done {
		return
	}
	kvs := make([]state.KV, 0, len(fp.Records))
	for _, r := range fp.Records {
		if r.Key == nil {
			continue // a changelog has no records without a key; one from elsewhere changes nothing
		}
		kv := state.KV{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.UnixMilli()}
		for _, h := range r.Headers {
			kv.Headers = append(kv.Headers, state.Header(h))
		}
		kvs = append(kvs, kv)
	}
	p.next = next
	f.send(restoredChunk{r: p.r, records: kvs, next: next, end: p.end, wipe: p.wipe, done: done})
	p.wipe = false
	if done {
		delete(f.at, p.r.tp)
	}
}

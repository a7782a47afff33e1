package stream

import (
	"cmp"
	"context"
	"encoding/binary"
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

	"github.com/wasmstream/wasmstream/topology"
)

// Bounds of restoring. The memory it takes is about restoreQueue+2 answers.
const (
	restoreFetchBytes     = 4 << 20
	restorePartitionBytes = 1 << 20
	restoreMaxWait        = 100 * time.Millisecond
	restoreRetryBackoff   = 50 * time.Millisecond
	restoreRetryMax       = time.Second
	restoreQueue          = 4    // partitions
	restoreTogether       = 4096 // records left of partitions that are asked for together
)

// fetchByName is the newest version of Fetch that names topics instead of giving their ids.
const fetchByName = 12

// ChangelogReader fetches changelogs for a StateUpdater, several partitions at once, from all their leaders at the same
// time. As long as there are active tasks to restore, standby tasks wait.
//
// The end of a changelog is its high watermark at the time, asked for after the group's offsets were fetched. Under
// exactly_once_v2 only committed records are read, so the reader waits there for open transactions to end: the
// offsets of a transaction may be final before its marker is in the changelog, and stopping at the last stable offset
// would lose its changes. Markers and aborted records count as progress.
//
// It fetches by requests of its own, not by a consumer, because it must know its position also where there are no
// records: behind markers, aborted records and what compaction removed. The next request is on its way while the
// answer before it is decoded by the updater: positions come from the heads of the batches.
type ChangelogReader struct {
	client    *kgo.Client
	admin     *kadm.Client
	isolation kgo.IsolationLevel
	log       *slog.Logger
	patience  time.Duration // how long the cluster may not answer
	chunks    chan changelogChunk

	mu struct {
		sync.Mutex
		positions map[topology.TopicPartition]*changelogPosition
	}
	added chan struct{} // holds one token when positions were added
}

// changelogPosition is a partition that is read. It belongs to the reader's goroutine.
type changelogPosition struct {
	r         *restoration
	next, end int64
	leader    int32
	placed    bool // the bounds of the partition are known
	dry       bool // the last answer had nothing of it
}

// changelogChunk is what a fetch brought for a partition.
type changelogChunk struct {
	r    *restoration
	part *kmsg.FetchResponseTopicPartition // nil: there are no records in it
	from int64                             // position before
	next int64                             // position after
	end  int64                             // where the partition ends
	// stale: the log does not reach back to from, or not up to it; it begins at next.
	stale bool
	done  bool // a partition with an end has reached it
	err   error
}

func newChangelogReader(options []kgo.Opt, readCommitted bool, patience time.Duration, log *slog.Logger) (*ChangelogReader, error) {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.Fetch), fetchByName)
	cl, err := kgo.NewClient(append(slices.Clone(options), kgo.MaxVersions(versions))...)
	if err != nil {
		return nil, fmt.Errorf("making the restore consumer: %w", err)
	}
	r := &ChangelogReader{
		client: cl, admin: kadm.NewClient(cl), isolation: kgo.ReadUncommitted(), log: log, patience: patience,
		chunks: make(chan changelogChunk, restoreQueue), added: make(chan struct{}, 1),
	}
	r.mu.positions = make(map[topology.TopicPartition]*changelogPosition)
	if readCommitted {
		r.isolation = kgo.ReadCommitted()
	}
	return r, nil
}

// add begins to read changelogs from where their stores are. It can be called from any goroutine, as remove.
func (r *ChangelogReader) add(list []*restoration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range list {
		r.mu.positions[one.tp] = &changelogPosition{r: one, next: one.position.Load()}
	}
	select {
	case r.added <- struct{}{}:
	default:
	}
}

// remove ends reading; an answer that is on its way may still come.
func (r *ChangelogReader) remove(list []*restoration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range list {
		if p := r.mu.positions[one.tp]; p != nil && p.r == one {
			delete(r.mu.positions, one.tp)
		}
	}
}

// due are the positions to fetch: those of active tasks, or of standby tasks if there are none.
func (r *ChangelogReader) due() (list []*changelogPosition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var standbys []*changelogPosition
	for _, p := range r.mu.positions {
		if p.r.standby {
			standbys = append(standbys, p)
		} else {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return standbys
	}
	return list
}

// Run fetches until ctx is done, then ends the client. An error that does not pass, or not in time, is handed on and ends
// it too.
func (r *ChangelogReader) Run(ctx context.Context) {
	defer r.client.Close()
	backoff, failing := restoreRetryBackoff, time.Time{}
	for ctx.Err() == nil {
		list := r.due()
		if len(list) == 0 {
			select {
			case <-r.added:
			case <-ctx.Done():
			}
			continue
		}
		err := r.round(ctx, list)
		if err == nil {
			backoff, failing = restoreRetryBackoff, time.Time{}
			continue
		}
		if failing.IsZero() {
			failing = time.Now()
		}
		if !isTransient(err) || time.Since(failing) > r.patience {
			r.send(ctx, changelogChunk{r: list[0].r, err: err})
			return
		}
		r.log.Debug("fetching changelogs", "err", err)
		for _, p := range list {
			p.leader = -1
		}
		_ = pause(ctx, backoff) // the loop ends with ctx
		backoff = min(2*backoff, restoreRetryMax)
	}
}

func (r *ChangelogReader) send(ctx context.Context, c changelogChunk) {
	select {
	case r.chunks <- c:
	case <-ctx.Done():
	}
}

// round places positions that are new, sends one fetch to every leader and hands on what comes back.
func (r *ChangelogReader) round(ctx context.Context, list []*changelogPosition) error {
	if err := r.bounds(ctx, list); err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(p *changelogPosition) bool { return !p.placed }) // at their end already, or stale
	if err := r.leaders(ctx, list); err != nil {
		return err
	}
	byLeader := make(map[int32][]*changelogPosition)
	for _, p := range list {
		byLeader[p.leader] = append(byLeader[p.leader], p)
	}
	type answer struct {
		positions []*changelogPosition
		resp      *kmsg.FetchResponse
		err       error
	}
	answers := make(chan answer, len(byLeader))
	for leader, positions := range byLeader {
		positions = nearestToEnd(positions)
		go func() {
			resp, err := r.fetch(ctx, leader, positions)
			answers <- answer{positions, resp, err}
		}()
	}
	var failure error
	for range byLeader {
		a := <-answers
		if a.err == nil {
			a.err = r.take(ctx, a.positions, a.resp)
		}
		if failure == nil || !isTransient(a.err) && a.err != nil {
			failure = a.err
		}
	}
	return failure
}

// nearestToEnd are the positions to fetch next from a leader. Of stores to restore it is one, or several that have little
// left: a task can run while others are restored, and what the state collects and sorts is much of one store, whose tables then
// overlap less. Positions of which the last answer had nothing come last and count for nothing: a transaction may be open in
// them, or their leader be lost, and the others do not wait for that. Standbys, which have no end, are all fetched.
func nearestToEnd(list []*changelogPosition) []*changelogPosition {
	slices.SortFunc(list, func(a, b *changelogPosition) int {
		return cmp.Or(compareBool(a.dry, b.dry), cmp.Compare(a.end-a.next, b.end-b.next), cmp.Compare(a.r.tp.Topic, b.r.tp.Topic), cmp.Compare(a.r.tp.Partition, b.r.tp.Partition))
	})
	chosen, left := list[:0], int64(0)
	for _, p := range list {
		if !p.dry && !p.r.standby {
			left += p.end - p.next
			if len(chosen) > 0 && left > restoreTogether {
				continue
			}
		}
		chosen = append(chosen, p)
	}
	return chosen
}

// bounds asks for the first offsets and high watermarks of partitions that are new, and places their positions between
// them.
func (r *ChangelogReader) bounds(ctx context.Context, list []*changelogPosition) error {
	var unplaced []*changelogPosition
	for _, p := range list {
		if !p.placed {
			unplaced = append(unplaced, p)
		}
	}
	if len(unplaced) == 0 {
		return nil
	}
	topics := topicsOf(unplaced)
	starts, err := r.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := r.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	for _, p := range unplaced {
		tp := p.r.tp
		start, ok1 := starts.Lookup(tp.Topic, tp.Partition)
		end, ok2 := ends.Lookup(tp.Topic, tp.Partition)
		if err := errors.Join(start.Err, end.Err); err != nil || !ok1 || !ok2 {
			return fmt.Errorf("listing the offsets of %s-%d: %w", tp.Topic, tp.Partition, errors.Join(err, missingUnless(ok1 && ok2)))
		}
		r.place(ctx, p, start.Offset, end.Offset)
	}
	return nil
}

// place moves a position into the log. State from before the log's start would bring deleted keys back, and state from
// behind its end belongs to a topic that was deleted and made again: both are given back as stale.
func (r *ChangelogReader) place(ctx context.Context, p *changelogPosition, start, end int64) {
	p.end, p.leader = end, -1
	if p.r.limit >= 0 {
		p.end = min(end, p.r.limit)
	}
	from := p.next
	if p.next < 0 {
		p.next = start
	}
	if p.next < start || p.next > end {
		r.end(p)
		r.send(ctx, changelogChunk{r: p.r, from: from, next: start, end: p.end, stale: true})
		return
	}
	p.placed = true
	c := changelogChunk{r: p.r, from: p.next, next: p.next, end: p.end, done: !p.r.standby && p.next >= p.end}
	if c.done {
		p.placed = false
		r.end(p)
	}
	r.send(ctx, c)
}

// end takes a position out.
func (r *ChangelogReader) end(p *changelogPosition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.positions[p.r.tp] == p {
		delete(r.mu.positions, p.r.tp)
	}
}

func missingUnless(ok bool) error {
	if ok {
		return nil
	}
	return kerr.UnknownTopicOrPartition
}

func topicsOf(list []*changelogPosition) []string {
	set := make(map[string]bool)
	for _, p := range list {
		set[p.r.tp.Topic] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// leaders looks for the leaders of positions whose leader is not known.
func (r *ChangelogReader) leaders(ctx context.Context, list []*changelogPosition) error {
	var lost []*changelogPosition
	for _, p := range list {
		if p.leader < 0 {
			lost = append(lost, p)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	topics, err := r.admin.ListTopics(ctx, topicsOf(lost)...)
	if err != nil {
		return err
	}
	for _, p := range lost {
		d, ok := topics[p.r.tp.Topic].Partitions[p.r.tp.Partition]
		if !ok || d.Leader < 0 {
			return fmt.Errorf("looking for the leader of %s-%d: %w", p.r.tp.Topic, p.r.tp.Partition, cmp.Or[error](topics[p.r.tp.Topic].Err, kerr.LeaderNotAvailable))
		}
		p.leader = d.Leader
	}
	return nil
}

func (r *ChangelogReader) fetch(ctx context.Context, leader int32, positions []*changelogPosition) (*kmsg.FetchResponse, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(restoreMaxWait.Milliseconds()), 1, restoreFetchBytes
	if r.isolation == kgo.ReadCommitted() {
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
	resp, err := r.client.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	answer := resp.(*kmsg.FetchResponse)
	return answer, kerr.ErrorForCode(answer.ErrorCode)
}

// take hands on an answer. The error of a partition that may pass says to look for leaders again.
func (r *ChangelogReader) take(ctx context.Context, positions []*changelogPosition, resp *kmsg.FetchResponse) (failure error) {
	at := make(map[topology.TopicPartition]*changelogPosition, len(positions))
	for _, p := range positions {
		at[p.r.tp] = p
	}
	empty := isEmpty(resp)
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			part := &resp.Topics[i].Partitions[j]
			p := at[topology.TopicPartition{Topic: resp.Topics[i].Topic, Partition: part.Partition}]
			if p == nil {
				continue
			}
			p.dry = len(part.RecordBatches) == 0
			switch err := kerr.ErrorForCode(part.ErrorCode); {
			case errors.Is(err, kerr.OffsetOutOfRange):
				p.placed = false // the log moved under it: place it again
			case err != nil:
				failure = fmt.Errorf("fetching %s-%d: %w", p.r.tp.Topic, p.r.tp.Partition, err)
				if !isTransient(err) {
					return failure
				}
			default:
				r.advance(ctx, p, part, empty)
			}
		}
	}
	return failure
}

// isEmpty tells whether an answer has no records at all. Only then do partitions without records have none: a broker that
// has filled an answer, or whose next batch is larger than what a partition may have, leaves out the records of the
// partitions behind, and says nothing of it. The first batch of an answer comes whatever its size.
func isEmpty(resp *kmsg.FetchResponse) bool {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if len(p.RecordBatches) > 0 {
				return false
			}
		}
	}
	return true
}

// advance hands on the records of one partition. The end is reached at the position of the high watermark that was
// asked for, or when nothing is left before it (compaction may have removed the last records) and no transaction is open
// that could still add something. empty says that the answer has no records of other partitions either.
func (r *ChangelogReader) advance(ctx context.Context, p *changelogPosition, part *kmsg.FetchResponseTopicPartition, empty bool) {
	c := changelogChunk{r: p.r, part: part, from: p.next, next: max(p.next, endOfBatches(part.RecordBatches))}
	if len(part.RecordBatches) == 0 {
		c.part = nil
		stable := part.LastStableOffset < 0 || part.LastStableOffset >= p.end
		if empty && stable && !p.r.standby {
			c.next = max(c.next, p.end)
		}
	}
	end := p.end
	if p.r.standby {
		p.end = max(p.end, part.HighWatermark)
	}
	c.end, c.done = p.end, !p.r.standby && c.next >= p.end
	if p.r.limit >= 0 {
		c.next = min(c.next, max(p.end, c.from))
	}
	if c.next == p.next && p.end == end && !c.done {
		return
	}
	p.next = c.next
	if c.done {
		r.end(p)
	}
	r.send(ctx, c)
}

// endOfBatches is the offset after the last whole batch, 0 if there is none. Batches of messages from before Kafka 0.11
// are named by their last offset, newer ones by their first and the distance to the last.
func endOfBatches(b []byte) (next int64) {
	const head, magicAt, deltaAt = 12, 16, 23
	for len(b) > deltaAt+4 {
		size := int64(binary.BigEndian.Uint32(b[8:])) + head
		if size > int64(len(b)) {
			break
		}
		next = int64(binary.BigEndian.Uint64(b)) + 1
		if b[magicAt] == 2 {
			next += int64(binary.BigEndian.Uint32(b[deltaAt:]))
		}
		b = b[size:]
	}
	return next
}

package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Task runs one sub-topology over one partition of each of its source topics: records in, records to the Collector and
// writes to the stores out. It makes no client calls, reads no clock and starts no goroutine; it belongs to one
// goroutine at a time.
//
//	NewTask -> Init -> { AddRecords | Process | Punctuate... }* -> PrepareCommit -> Offsets -> PostCommit -> ... -> Close
//	                                                                                 PrepareUpgrade, Upgrade: here
//
// An error of Process, Punctuate... or PrepareCommit ends the task: what it did since the last commit is to be thrown
// away, and every later call returns the same error. Only Close is left to do.
//
// A Task executes frames (runs of records, see PartitionGroup) with the results of one record after the other, depth
// first; framing says how.
type Task struct {
	config  TaskConfig
	log     *slog.Logger
	metrics *TaskMetrics

	nodes    []*node // in topological order
	page     *FaultPage
	group    *PartitionGroup
	onStream punctuationQueue
	onWall   punctuationQueue
	guests   map[string]*guestModule // by the module's name
	contexts []*state.RecordContext  // what the stores note of the record behind a write; shared by all, so mostly one

	arena   topology.Arena
	headers slab[topology.Header]
	frame   []topology.Record // the running frame, reused
	// headerKeys are keys of headers that guests made, each kept once.
	headerKeys map[string]string
	drops      dropLog
	// shared is what nodes hold in common, by name.
	shared map[string]any
	// processorMetadata is what processors keep with the committed offsets; a change of it is committed with those of
	// all partitions, as Kafka does.
	processorMetadata map[string]int64
	metadataChanged   bool

	now             int64 // ms: the wall clock as last given
	epoch           int64 // number of commits
	faulted         bool  // a guest failed in this round
	commitRequested bool
	written         int // memory for what guests have written in the frame at hand
	commitNeeded    bool
	failed          error
	closed          bool
}

// NewTask builds a task; nothing runs before Init.
func NewTask(c TaskConfig) (*Task, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("building task %s: %w", c.ID, err)
	}
	c = c.withDefaults()
	t := &Task{config: c, log: c.Logger, metrics: c.Metrics, guests: make(map[string]*guestModule), page: c.Faults}
	t.shared, t.processorMetadata = make(map[string]any), make(map[string]int64)
	t.onStream.typ, t.onWall.typ = topology.StreamTime, topology.WallClockTime
	t.frame = make([]topology.Record, 0, c.FrameRecords)
	t.contexts = contextsOf(c.Stores)
	nodes, err := t.buildNodes()
	if err != nil {
		return nil, fmt.Errorf("building task %s: %w", c.ID, err)
	}
	queues, err := t.buildQueues(nodes)
	if err != nil {
		return nil, fmt.Errorf("building task %s: %w", c.ID, err)
	}
	t.group = newPartitionGroup(queues, &c)
	t.group.lateness = func(ms int64) { raise(&t.metrics.LatenessMax, ms) }
	return t, nil
}

func contextsOf(stores map[string]state.Store) []*state.RecordContext {
	var contexts []*state.RecordContext
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		s, ok := stores[name].(state.ContextualStore)
		if ok && !slices.Contains(contexts, s.Context()) {
			contexts = append(contexts, s.Context())
		}
	}
	return contexts
}

func (t *Task) buildNodes() (map[*topology.Node]*node, error) {
	sub := t.config.Subtopology
	framings := analyzeFrames(sub.Nodes, sub.Stores)
	nodes := make(map[*topology.Node]*node, len(sub.Nodes))
	for _, spec := range sub.Nodes {
		n, err := newNode(t, spec, framings[spec])
		if err != nil {
			return nil, err
		}
		nodes[spec] = n
		t.nodes = append(t.nodes, n)
	}
	for _, n := range t.nodes {
		for _, c := range n.spec.Children {
			n.children = append(n.children, nodes[c])
			n.childNames = append(n.childNames, c.Name)
		}
	}
	return nodes, nil
}

func (t *Task) buildQueues(nodes map[*topology.Node]*node) ([]*RecordQueue, error) {
	queues := make([]*RecordQueue, 0, len(t.config.Inputs))
	for _, tp := range t.config.Inputs {
		spec := t.config.Subtopology.Source(tp.Topic)
		if spec == nil {
			return nil, fmt.Errorf("no source reads topic %s", tp.Topic)
		}
		q, err := newRecordQueue(tp, nodes[spec], &t.config)
		if err != nil {
			return nil, err
		}
		q.headers = &t.headers
		queues = append(queues, q)
	}
	return queues, nil
}

// ID is the task's name.
func (t *Task) ID() topology.TaskID { return t.config.ID }

// Metrics are the task's counts, readable from any goroutine.
func (t *Task) Metrics() *TaskMetrics { return t.metrics }

// Init starts the processors and opens the guests, in topological order; the stores must have been restored. now is
// the wall clock in ms.
func (t *Task) Init(now int64) error {
	t.now = now
	for _, n := range t.nodes {
		if err := n.init(); err != nil {
			return t.fail(fmt.Errorf("starting task %s: %w", t.config.ID, err))
		}
	}
	return nil
}

// RestoreTime takes up the metadata that was committed for a source partition: its partition time, from which stream
// time goes on, and what processors keep there, of which the largest value of all partitions counts. It is called before
// Init. Metadata of other programs is ignored.
func (t *Task) RestoreTime(tp topology.TopicPartition, metadata string) {
	q := t.group.byPartition[tp]
	if q == nil {
		return
	}
	m, err := DecodeTopicPartitionMetadata(metadata)
	if err != nil {
		t.log.Warn("reading the time in a committed offset", slog.String("topic", tp.Topic), slog.Int("partition", int(tp.Partition)), slog.Any("error", err))
	}
	t.group.restoreTime(q, m.PartitionTime)
	for key, value := range m.Processor {
		if old, ok := t.processorMetadata[key]; !ok || old < value {
			t.processorMetadata[key] = value
		}
	}
}

// AddRecords takes fetched records of a source partition, in the order of their offsets and with no offset that came
// before; the task keeps the slice and clears it. end is the end of the partition as the broker told with them (the last stable
// offset where only committed records are read), -1 if unknown. Control records may be among them: they only move the
// position. A record that cannot be read is an error of Process, once the records before it are done.
func (t *Task) AddRecords(tp topology.TopicPartition, recs []*kgo.Record, end int64) error {
	q := t.group.byPartition[tp]
	if q == nil {
		return fmt.Errorf("task %s does not read %s-%d", t.config.ID, tp.Topic, tp.Partition)
	}
	q.end = max(q.end, end)
	t.group.add(q, recs, t.now)
	return nil
}

// SetPosition tells how far the consumer is in a partition, beyond the last record added (transaction markers, aborted
// records), and where the partition ends. -1 is unknown. Idling (max.task.idle.ms) depends on it.
func (t *Task) SetPosition(tp topology.TopicPartition, position, end int64) {
	q := t.group.byPartition[tp]
	if q == nil {
		return
	}
	q.end = max(q.end, end)
	if position <= q.fetched {
		return
	}
	q.fetched = position
	if q.records == 0 {
		q.moved = q.moved || q.position >= 0
		q.position = position
	}
}

// Lag is how many offsets of a partition are not processed yet, up to the end as last heard, and the largest timestamp
// processed, in ms, -1 before the first. known is false while position or end are not.
func (t *Task) Lag(tp topology.TopicPartition) (records, timestamp int64, known bool) {
	q := t.group.byPartition[tp]
	if q == nil || q.position < 0 || q.end < 0 {
		return 0, 0, false
	}
	return max(q.end-q.position, 0), q.partitionTime, true
}

// Buffered is what waits of a partition, in records and bytes.
func (t *Task) Buffered(tp topology.TopicPartition) (records int, bytes int64) {
	q := t.group.byPartition[tp]
	if q == nil {
		return 0, 0
	}
	return q.records, q.bytes
}

// Full tells whether fetching a partition should pause: more waits than BufferedRecords or BufferedBytes.
func (t *Task) Full(tp topology.TopicPartition) bool {
	q := t.group.byPartition[tp]
	return q != nil && t.group.isFull(q)
}

// Ready tells whether Process would do something at now.
func (t *Task) Ready(now int64) bool { return t.failed == nil && t.group.ready(now) }

// Process handles up to limit records, in frames, and returns how many were. It ends early when nothing is ready, a node
// has asked for a commit, or a guest has failed, so that the time that this took is noticed. Stream-time punctuators run where they fall due, between two frames.
func (t *Task) Process(now int64, limit int) (n int, err error) {
	t.now, t.faulted = now, false
	for n < limit && t.failed == nil && !t.commitRequested && !t.faulted && t.group.ready(now) {
		k, err := t.processFrame(limit - n)
		n += k
		if err != nil {
			return n, t.fail(err)
		}
		if t.uncommittedBytes() > uncommittedBytes {
			break // for a commit
		}
	}
	return n, t.failed
}

// uncommittedBytes is the memory that the task's stores hold until the next commit.
func (t *Task) uncommittedBytes() (n int64) {
	for _, s := range t.config.Stores {
		if s, ok := s.(state.TransactionalStore); ok {
			n += s.UncommittedBytes()
		}
	}
	return n
}

// processFrame takes one run of at most limit records through its source's subtree.
func (t *Task) processFrame(limit int) (n int, err error) {
	limits := runLimits{records: min(limit, t.page.frameRecords(t.config.FrameRecords)), bytes: int64(t.config.FrameBytes), due: t.onStream.due()}
	frame, q, err := t.group.nextRun(t.frame[:0], t.now, limits)
	if err != nil {
		return 0, err
	}
	t.commitNeeded, t.written = true, 0
	t.metrics.Processed.Add(int64(len(frame)))
	if err := q.source.process(frame); err != nil {
		return 0, err
	}
	if (!t.faulted || t.page.alone > 0) && t.page.frameSucceeded() {
		t.commitRequested = true
	}
	_, err = t.punctuate(&t.onStream, t.group.streamTime)
	return len(frame), err
}

// PunctuateStreamTime calls the stream-time punctuators that are due and returns how many. Process has called those
// that its records made due; this one is for those scheduled since. now is the wall clock in ms.
func (t *Task) PunctuateStreamTime(now int64) (n int, err error) {
	t.now = now
	n, err = t.punctuate(&t.onStream, t.group.streamTime)
	return n, t.fail(err)
}

// AdvanceStreamTime moves stream time to at, as a record of that time would that reaches no operator, and calls the
// punctuators that fall due. Operators with a time of their own (windows, joins, suppress) do not see it. now is the wall
// clock in ms.
func (t *Task) AdvanceStreamTime(at, now int64) (n int, err error) {
	t.group.streamTime = max(t.group.streamTime, at)
	return t.PunctuateStreamTime(now)
}

// PunctuateSystemTime calls the wall-clock punctuators that are due at now and returns how many.
func (t *Task) PunctuateSystemTime(now int64) (n int, err error) {
	t.now = now
	n, err = t.punctuate(&t.onWall, now)
	return n, t.fail(err)
}

func (t *Task) punctuate(q *punctuationQueue, now int64) (n int, err error) {
	if t.failed != nil {
		return 0, t.failed
	}
	t.written = 0
	n, err = q.punctuate(now)
	if n > 0 {
		t.commitNeeded = true
		t.metrics.Punctuations.Add(int64(n))
	}
	return n, err
}

// NextSystemPunctuation is the wall-clock time in ms of the next punctuator, math.MaxInt64 if there is none.
func (t *Task) NextSystemPunctuation() int64 { return t.onWall.due() }

// StreamTime is the largest timestamp taken, -1 before the first.
func (t *Task) StreamTime() int64 { return t.group.streamTime }

// CommitRequested tells whether a node has asked for a commit since the last one.
func (t *Task) CommitRequested() bool { return t.commitRequested }

// CommitNeeded tells whether a commit would change anything: records were processed or skipped, or a punctuator ran.
func (t *Task) CommitNeeded() bool {
	if t.commitNeeded {
		return true
	}
	for _, q := range t.group.queues {
		if q.moved {
			return true
		}
	}
	return false
}

// PrepareCommit has processors and guests forward what they hold back and flushes the stores' caches, in topological
// order: what a flush forwards lands in caches that are flushed after it. The outputs of the task are complete then.
func (t *Task) PrepareCommit() error {
	if t.failed != nil {
		return t.failed
	}
	t.written = 0
	for _, n := range t.nodes {
		if err := n.flush(); err != nil {
			return t.fail(err)
		}
	}
	return nil
}

// Offsets are what is to be committed: for each source partition that has moved since the last commit the offset of
// the next record to process, or the consumer's position where none waits.
func (t *Task) Offsets() map[topology.TopicPartition]OffsetAndMetadata {
	offsets := make(map[topology.TopicPartition]OffsetAndMetadata)
	for _, q := range t.group.queues {
		if q.moved || t.metadataChanged && q.position >= 0 {
			m := TopicPartitionMetadata{PartitionTime: q.partitionTime, Processor: t.processorMetadata}
			position := q.position
			if mutant(polledOffsets) {
				position = q.fetched
			}
			offsets[*q.origin] = OffsetAndMetadata{Offset: position, LeaderEpoch: q.leaderEpoch, Metadata: m.Encode()}
		}
	}
	return offsets
}

// PostCommit notes that what PrepareCommit and Offsets gave is committed.
func (t *Task) PostCommit() {
	for _, q := range t.group.queues {
		q.moved = false
	}
	t.commitNeeded, t.commitRequested, t.metadataChanged = false, false, false
	t.page.committed()
	t.epoch++
	t.metrics.Commits.Add(1)
	for _, m := range t.guests {
		m.noteStats()
	}
}

// Close ends processors and guests; records that wait are dropped. The stores are their owner's. It can be called
// twice, and after any error.
func (t *Task) Close(reason CloseReason) error {
	if t.closed {
		return nil
	}
	t.closed = true
	var failures []error
	for _, n := range t.nodes {
		failures = append(failures, n.close())
	}
	for _, name := range slices.Sorted(maps.Keys(t.guests)) {
		failures = append(failures, t.guests[name].close(int32(reason)))
	}
	if t.failed == nil {
		t.failed = fmt.Errorf("task %s is closed", t.config.ID)
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("closing task %s: %w", t.config.ID, err)
	}
	return nil
}

// slow has the task work in small frames, and look at the time after each, because guests fail: a failure may cost as
// much time as a guest may use, and a transaction has to end before its own.
func (t *Task) slow() {
	t.faulted = true
	t.page.frame = 1
}

// fail makes err, if it is one, the task's end.
func (t *Task) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

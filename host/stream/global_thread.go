package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// GlobalThread keeps the global stores of an application: it reads all partitions of their topics to the end before
// anything else starts, and follows them from then on (Kafka's GlobalStreamThread). It has a consumer without a group and
// no producer; how far it has read stands in the database, in the batch that holds the rows.
//
// The stores belong to its goroutine; readers in other threads take mu, which it holds while it works on them.
type GlobalThread struct {
	sub     *topology.Subtopology
	db      *state.DB
	client  *kgo.Client
	log     *slog.Logger
	clock   func() time.Time // measures
	wall    func() time.Time // says what time it is
	task    *Task
	stores  []state.TransactionalStore
	shared  map[string]*SharedStore
	context *state.RecordContext
	mu      sync.Mutex
	// next are the offsets to read from; ends those up to which the topics were written when this began.
	next, ends map[topology.TopicPartition]int64
}

const (
	// globalTask is the task that global stores have in the database.
	globalTask = "global"
	// globalPoll bounds the records of one batch of writes, and with it how long readers wait.
	globalPoll = 1000
)

// startGlobal opens the global stores and reads their topics to the end. It is nil for a topology without any.
func (a *App) startGlobal(ctx context.Context, admin *kadm.Client, db *state.DB) (*GlobalThread, error) {
	sub := a.cfg.Topology.Global(a.cfg.Streams.ApplicationID)
	if sub == nil {
		return nil, nil
	}
	g := &GlobalThread{
		sub: sub, db: db, clock: a.clock, wall: a.wall, log: a.log.With("thread", a.clientID()+"-GlobalStreamThread"),
		shared: make(map[string]*SharedStore), context: &state.RecordContext{Timestamp: state.TimestampUnknown},
	}
	err := g.open(ctx, a, admin)
	if err == nil {
		err = g.bootstrap(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the global stores: %w", err), g.close())
	}
	return g, nil
}

func (g *GlobalThread) open(ctx context.Context, a *App, admin *kadm.Client) error {
	if err := g.findBounds(ctx, admin); err != nil {
		return err
	}
	if err := g.openStores(); err != nil {
		return err
	}
	inputs := make([]topology.TopicPartition, 0, len(g.next))
	starts := make(map[string]map[int32]kgo.Offset)
	for tp, offset := range g.next {
		inputs = append(inputs, tp)
		if starts[tp.Topic] == nil {
			starts[tp.Topic] = make(map[int32]kgo.Offset)
		}
		starts[tp.Topic][tp.Partition] = kgo.NewOffset().At(offset)
	}
	slices.SortFunc(inputs, comparePartitions)
	var err error
	if g.task, _, err = a.newTask(TaskConfig{
		ID: topology.TaskID{Subtopology: topology.GlobalID}, Subtopology: g.sub, Inputs: inputs, Collector: noOutputs{},
		Stores: g.byName(), Logger: g.log, MaxTaskIdle: NeverIdle,
	}); err != nil {
		return err
	}
	opts, err := a.clientOptions(kafka.Consumer, streamsconfig.RestoreConsumer, a.clientID()+"-GlobalStreamThread-consumer")
	if err != nil {
		return err
	}
	opts = append(opts, kgo.ConsumePartitions(starts), kgo.KeepControlRecords(), kgo.FetchMaxBytes(defaultFetchMaxBytes))
	if g.client, err = kgo.NewClient(opts...); err != nil {
		return err
	}
	return g.task.Init(g.wall().UnixMilli())
}

func comparePartitions(a, b topology.TopicPartition) int {
	if a.Topic != b.Topic {
		if a.Topic < b.Topic {
			return -1
		}
		return 1
	}
	return int(a.Partition - b.Partition)
}

// findBounds decides where to read from: on from what the stores hold, if that is known for every partition and the
// topics still have it, else from the start.
func (g *GlobalThread) findBounds(ctx context.Context, admin *kadm.Client) error {
	starts, err := admin.ListStartOffsets(ctx, g.sub.SourceTopics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return kafkaError("finding the start of the global topics", err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, g.sub.SourceTopics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return kafkaError("finding the end of the global topics", err)
	}
	g.next, g.ends = make(map[topology.TopicPartition]int64), make(map[topology.TopicPartition]int64)
	starts.Each(func(o kadm.ListedOffset) {
		g.next[topology.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	ends.Each(func(o kadm.ListedOffset) {
		g.ends[topology.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	known := g.db.InputOffsets(globalTask)
	resumes := !slices.ContainsFunc(g.sub.Stores, func(s *topology.StoreSpec) bool { return s.InMemory })
	for tp, start := range g.next {
		at, ok := known[state.TopicPartition(tp)]
		resumes = resumes && ok && at >= start && at <= g.ends[tp]
	}
	if !resumes {
		return g.db.RemoveTask(globalTask)
	}
	for tp := range g.next {
		g.next[tp] = known[state.TopicPartition(tp)]
	}
	return nil
}

func (g *GlobalThread) openStores() error {
	for _, spec := range g.sub.Stores {
		c, err := StoreConfig(spec)
		if err != nil {
			return err
		}
		c.ID, c.Context = state.StoreID{Task: globalTask, Store: spec.Name}, g.context
		s, err := g.db.NewStore(c)
		if err != nil {
			return fmt.Errorf("opening global store %q: %w", spec.Name, err)
		}
		g.stores = append(g.stores, s)
		if g.shared[spec.Name], err = NewSharedStore(s, spec.Kind, &g.mu); err != nil {
			return err
		}
	}
	return nil
}

func (g *GlobalThread) byName() map[string]state.Store {
	stores := make(map[string]state.Store, len(g.stores))
	for _, s := range g.stores {
		stores[s.Name()] = s
	}
	return stores
}

// bootstrap reads until every partition is where it ended when this began.
func (g *GlobalThread) bootstrap(ctx context.Context) error {
	began := g.clock()
	for !g.caughtUp() {
		if err := g.once(ctx); err != nil {
			return err
		}
	}
	g.log.Info("the global stores are complete", "topics", g.sub.SourceTopics, "took", g.clock().Sub(began))
	return nil
}

func (g *GlobalThread) caughtUp() bool {
	for tp, end := range g.ends {
		if g.next[tp] < end {
			return false
		}
	}
	return true
}

// Run follows the topics until ctx is done.
func (g *GlobalThread) Run(ctx context.Context) error {
	for {
		if err := g.once(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("keeping the global stores: %w", err)
		}
	}
}

// once takes in what one fetch brings.
func (g *GlobalThread) once(ctx context.Context) error {
	fetches := g.client.PollRecords(ctx, globalPoll)
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range fetches.Errors() {
		if !isRetriable(e.Err) {
			return kafkaError(fmt.Sprintf("reading the global topic %s", e.Topic), e.Err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var failed error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 || failed != nil {
			return
		}
		tp := topology.TopicPartition{Topic: p.Topic, Partition: p.Partition}
		g.next[tp] = p.Records[len(p.Records)-1].Offset + 1
		failed = g.task.AddRecords(tp, p.Records, p.HighWatermark)
	})
	if failed != nil {
		return failed
	}
	return g.apply()
}

// apply processes what waits and makes it final.
func (g *GlobalThread) apply() error {
	now := g.wall().UnixMilli()
	for {
		n, err := g.task.Process(now, globalPoll)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if !g.task.CommitNeeded() {
		return nil
	}
	if err := g.task.PrepareCommit(); err != nil {
		return err
	}
	batch := g.db.NewBatch()
	for _, s := range g.stores {
		if err := s.Stage(batch); err != nil {
			return fmt.Errorf("staging global store %q: %w", s.Name(), err)
		}
	}
	offsets := make(map[state.TopicPartition]int64, len(g.next))
	for tp, next := range g.next {
		offsets[state.TopicPartition(tp)] = next
	}
	batch.SetInputOffsets(globalTask, offsets)
	batch.SetCommitTime(globalTask, now)
	if err := batch.Commit(); err != nil {
		return fmt.Errorf("writing the global stores: %w", err)
	}
	g.task.PostCommit()
	return nil
}

func (g *GlobalThread) close() error {
	if g == nil {
		return nil
	}
	var faults []error
	if g.task != nil {
		faults = append(faults, g.task.Close(CloseShutdown))
	}
	if g.client != nil {
		g.client.Close()
	}
	for _, s := range g.stores {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}

// noOutputs is the collector of the global task: what writes global stores forwards to no topic.
type noOutputs struct{}

// Send implements Collector.
func (noOutputs) Send(topic string, _ int32, _ *topology.Record) error {
	return errs.TopologyInvalid.New(topic, "the processor of a global store cannot write to a topic", "write from a processor of a stream, or keep the row in the store")
}

// missingGlobal reports topics of global stores that do not exist.
func missingGlobal(t *topology.Topology, existing map[string]int32) error {
	var faults []error
	for _, g := range t.GlobalStores() {
		if topic := g.Source.Topics[0]; existing[topic] == 0 {
			faults = append(faults, errs.TopicMissing.New(topic, "the application reads this topic, and it does not exist",
				"create it: wasmstream topic create "+topic+" --partitions 1 --replication-factor 1"))
		}
	}
	return errors.Join(faults...)
}

// keepsGlobal tells whether a global store outlives the process.
func keepsGlobal(t *topology.Topology) bool {
	return slices.ContainsFunc(t.GlobalStores(), func(g *topology.GlobalStore) bool { return !g.Store.InMemory })
}

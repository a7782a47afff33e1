package stream

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// TestFramesGiveTheResultsOfSingleRecords runs random topologies - filters, flatMaps, forks, merges, routers, stores
// shared by several nodes, several sinks of one topic, punctuators - over random records, once record by record and
// once in frames of all sizes. Outputs and changelogs in their order, and the stores, must be the same.
func TestFramesGiveTheResultsOfSingleRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		rounds := drawRounds(t, plan.sources)
		want := plan.execute(t, rounds, 1, 1<<20)
		for _, frame := range []int{500, rapid.IntRange(2, 20).Draw(t, "frame")} {
			limit := rapid.IntRange(1, 50).Draw(t, "limit")
			if diff := cmp.Diff(want, plan.execute(t, rounds, frame, limit)); diff != "" {
				t.Fatalf("frames of %d differ from single records (-single +frames):\n%s\n%s", frame, diff, plan)
			}
		}
	})
}

// topologyPlan is a random topology, to be built anew for each run.
type topologyPlan struct {
	sources int
	nodes   []nodePlan
}

type nodePlan struct {
	op      string
	parents []int // positions in sources and nodes; sources come first
	topic   string
	store   string
	seed    uint32
}

var planOps = []string{"filter", "flatMap", "pass", "router", "grouping router", "count", "read", "late", "tick", "sink", "sink"}

func drawPlan(t *rapid.T) *topologyPlan {
	p := &topologyPlan{sources: rapid.IntRange(1, 2).Draw(t, "sources")}
	n := rapid.IntRange(2, 10).Draw(t, "nodes")
	var sinks []bool
	for i := range n {
		np := nodePlan{op: rapid.SampledFrom(planOps).Draw(t, "op"), seed: rapid.Uint32().Draw(t, "seed")}
		var parents []int
		for j := range p.sources + i {
			if j < p.sources || !sinks[j-p.sources] {
				parents = append(parents, j)
			}
		}
		for range rapid.IntRange(1, 2).Draw(t, "parents") {
			parent := rapid.SampledFrom(parents).Draw(t, "parent")
			if !slices.Contains(np.parents, parent) {
				np.parents = append(np.parents, parent)
			}
		}
		np.topic = rapid.SampledFrom([]string{"out-0", "out-1"}).Draw(t, "topic")
		np.store = rapid.SampledFrom([]string{"s0", "s1", "s2"}).Draw(t, "store")
		sinks = append(sinks, np.op == "sink")
		p.nodes = append(p.nodes, np)
	}
	return p
}

func (p *topologyPlan) String() string {
	var b strings.Builder
	for i, n := range p.nodes {
		fmt.Fprintf(&b, "n%d %s parents %v topic %s store %s\n", i+p.sources, n.op, n.parents, n.topic, n.store)
	}
	return b.String()
}

func (p *topologyPlan) build() (*topology.Topology, error) {
	topo := topology.New()
	var names []string
	for i := range p.sources {
		names = append(names, fmt.Sprintf("source-%d", i))
		if err := topo.AddSource(names[i], topology.SourceOptions{}, fmt.Sprintf("in-%d", i)); err != nil {
			return nil, err
		}
	}
	users := map[string][]string{}
	for i, np := range p.nodes {
		name := fmt.Sprintf("n%d", i+p.sources)
		var parents []string
		for _, j := range np.parents {
			parents = append(parents, names[j])
		}
		var err error
		if np.op == "sink" {
			err = topo.AddSink(name, np.topic, topology.SinkOptions{}, parents...)
		} else {
			err = topo.AddProcessor(name, planSupplier{np}, parents...)
		}
		if err != nil {
			return nil, err
		}
		if np.op == "count" || np.op == "read" {
			users[np.store] = append(users[np.store], name)
		}
		names = append(names, name)
	}
	for _, store := range slices.Sorted(maps.Keys(users)) {
		if err := topo.AddStateStore(&topology.StoreSpec{Name: store, Kind: topology.KeyValue}, users[store]...); err != nil {
			return nil, err
		}
	}
	return topo, nil
}

type planSupplier struct{ nodePlan }

func (s planSupplier) New() (topology.Processor, error) { return &planProcessor{plan: s.nodePlan}, nil }

// planProcessor is one of planOps, written as the operators are: it works through a frame and forwards at its end.
type planProcessor struct {
	plan  nodePlan
	ctx   topology.Context
	store state.KeyValueStore
	seen  int64
	out   []topology.Record
}

func (p *planProcessor) Init(ctx topology.Context) error {
	p.ctx = ctx
	if p.plan.op == "count" || p.plan.op == "read" {
		s, err := ctx.Store(p.plan.store)
		if err != nil {
			return err
		}
		p.store = s.(state.KeyValueStore)
	}
	if p.plan.op == "tick" {
		interval := time.Duration(p.plan.seed%40+5) * time.Millisecond
		_, err := ctx.Schedule(interval, topology.StreamTime, p.tick)
		return err
	}
	return nil
}

func (p *planProcessor) tick(at int64) error {
	return p.ctx.Forward([]topology.Record{{Key: []byte("tick"), Value: fmt.Appendf(nil, "%d", p.seen), Timestamp: at, StreamTime: at, Offset: -1}})
}

func (p *planProcessor) Close() error { return nil }

func (p *planProcessor) hash(r *topology.Record) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(r.Value)
	return h.Sum32() ^ p.plan.seed
}

func (p *planProcessor) Process(frame []topology.Record) error {
	p.out = p.out[:0]
	p.seen += int64(len(frame))
	for i := range frame {
		if err := p.one(&frame[i]); err != nil {
			return err
		}
	}
	switch {
	case p.plan.op == "router" && len(p.ctx.Children()) > 0:
		return p.route()
	case p.plan.op == "grouping router" && len(p.ctx.Children()) > 0:
		return p.routeInGroups()
	}
	return p.ctx.Forward(p.out)
}

// one appends to out what comes of a record. Values say which way a record went.
func (p *planProcessor) one(r *topology.Record) error {
	name := p.ctx.NodeName()
	switch p.plan.op {
	case "filter":
		if p.hash(r)%3 > 0 {
			p.out = append(p.out, *r)
		}
	case "flatMap":
		for k := range p.hash(r) % 3 {
			p.out = append(p.out, *r)
			p.out[len(p.out)-1].Value = fmt.Appendf(nil, "%s/%s.%d", r.Value, name, k)
		}
	case "late":
		if r.Timestamp >= r.StreamTime-10 {
			p.out = append(p.out, *r)
		}
	case "count", "read":
		return p.useStore(r)
	default:
		p.out = append(p.out, *r)
	}
	return nil
}

func (p *planProcessor) useStore(r *topology.Record) error {
	old, err := p.store.Get(r.Key)
	if err != nil {
		return err
	}
	var n uint64
	if old != nil {
		n = binary.BigEndian.Uint64(old)
	}
	p.out = append(p.out, *r)
	p.out[len(p.out)-1].Value = fmt.Appendf(nil, "%s/%s=%d", r.Value, p.ctx.NodeName(), n)
	if p.plan.op == "read" {
		return nil
	}
	return p.store.Put(r.Key, binary.BigEndian.AppendUint64(nil, n+1))
}

// route forwards runs of records for one child, in order.
func (p *planProcessor) route() error {
	children := uint32(len(p.ctx.Children()))
	for at := 0; at < len(p.out); {
		to, end := p.hash(&p.out[at])%children, at+1
		for end < len(p.out) && p.hash(&p.out[end])%children == to {
			end++
		}
		if err := p.ctx.ForwardTo(int(to), p.out[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// routeInGroups forwards all that goes to the last child, then all for the one before, and so on: fine where branches
// do not meet.
func (p *planProcessor) routeInGroups() error {
	children := uint32(len(p.ctx.Children()))
	for to := range slices.Backward(make([]struct{}, children)) {
		var group []topology.Record
		for i := range p.out {
			if p.hash(&p.out[i])%children == uint32(to) {
				group = append(group, p.out[i])
			}
		}
		if err := p.ctx.ForwardTo(to, group); err != nil {
			return err
		}
	}
	return nil
}

type inputRecord struct {
	Source  int
	Key     byte
	At      int64
	Headers bool
}

func drawRounds(t *rapid.T, sources int) [][]inputRecord {
	record := rapid.Custom(func(t *rapid.T) inputRecord {
		return inputRecord{rapid.IntRange(0, sources-1).Draw(t, "source"), rapid.ByteRange('a', 'c').Draw(t, "key"), rapid.Int64Range(0, 100).Draw(t, "at"), rapid.Bool().Draw(t, "headers")}
	})
	return rapid.SliceOfN(rapid.SliceOfN(record, 0, 40), 1, 4).Draw(t, "rounds")
}

// recordingCollector notes what is sent as text, by topic.
type recordingCollector struct{ Topics map[string][]string }

func (c *recordingCollector) Send(topic string, partition int32, r *topology.Record) error {
	c.Topics[topic] = append(c.Topics[topic], fmt.Sprintf("%d %s=%s at %d, offset %d, %d headers", partition, r.Key, r.Value, r.Timestamp, r.Offset, len(r.Headers)))
	return nil
}

type recordingChangelog struct {
	store     string
	collector *recordingCollector
}

func (c *recordingChangelog) Log(key, value []byte, at int64) error {
	return c.collector.Send(c.store+"-changelog", 0, &topology.Record{Key: key, Value: value, Timestamp: at})
}

// execute runs the plan and returns what came out, by topic.
func (p *topologyPlan) execute(t *rapid.T, rounds [][]inputRecord, frame, limit int) map[string][]string {
	topo, err := p.build()
	if err != nil {
		t.Fatal(err)
	}
	db, err := state.OpenDB("", state.Options{ApplicationID: "app", InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	collector := &recordingCollector{make(map[string][]string)}
	for _, sub := range topo.Subtopologies("app") {
		task := p.newTask(t, db, sub, collector, frame)
		for _, round := range rounds {
			runRound(t, task, sub, round, limit)
		}
		if err := task.Close(CloseShutdown); err != nil {
			t.Fatal(err)
		}
	}
	return collector.Topics
}

func (p *topologyPlan) newTask(t *rapid.T, db *state.DB, sub *topology.Subtopology, collector *recordingCollector, frame int) *Task {
	c := TaskConfig{
		ID: topology.TaskID{Subtopology: sub.ID}, ApplicationID: "app", Subtopology: sub, Collector: collector,
		Stores: make(map[string]state.Store), MaxTaskIdle: NeverIdle, FrameRecords: frame,
	}
	shared := &state.RecordContext{}
	for _, topic := range sub.SourceTopics {
		c.Inputs = append(c.Inputs, topology.TopicPartition{Topic: topic})
	}
	for _, spec := range sub.Stores {
		s, err := db.NewKeyValueStore(state.StoreConfig{
			ID: state.StoreID{Task: c.ID.String(), Store: spec.Name}, InMemory: true, Context: shared,
			Changelog: &recordingChangelog{spec.Name, collector},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Stores[spec.Name] = s
	}
	task, err := NewTask(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Init(0); err != nil {
		t.Fatal(err)
	}
	return task
}

// runRound adds the records of a round that the task reads and processes them all.
func runRound(t *rapid.T, task *Task, sub *topology.Subtopology, round []inputRecord, limit int) {
	batches := make(map[string][]*kgo.Record)
	for i, r := range round {
		topic := fmt.Sprintf("in-%d", r.Source)
		if !sub.Reads(topic) {
			continue
		}
		raw := &kgo.Record{Topic: topic, Offset: int64(i), Key: []byte{r.Key}, Value: fmt.Appendf(nil, "v%d", i), Timestamp: time.UnixMilli(r.At)}
		if r.Headers {
			raw.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}
		}
		batches[topic] = append(batches[topic], raw)
	}
	for _, topic := range sub.SourceTopics {
		if err := task.AddRecords(topology.TopicPartition{Topic: topic}, batches[topic], -1); err != nil {
			t.Fatal(err)
		}
	}
	for {
		n, err := task.Process(0, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if err := task.PrepareCommit(); err != nil {
		t.Fatal(err)
	}
	task.PostCommit()
}

package streamtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// world is the topics of a driver: a stream.Collector that keeps what is written and hands back what is also read.
type world struct {
	sources map[string]bool
	outputs map[string][]Record // not read yet; a topic stays once it was written
	offsets map[string]int64
	waiting map[string][]*kgo.Record
	order   []string // topics of waiting, in the order in which they got their first record
	// delivered are records that the task has and that are not committed; sent are outputs that are not.
	delivered map[string][]*kgo.Record
	sent      []output
	times     map[string]string // committed metadata
}

type output struct {
	topic  string
	record Record
}

func newWorld(sources []string) *world {
	w := &world{
		sources: make(map[string]bool), outputs: make(map[string][]Record), offsets: make(map[string]int64),
		waiting: make(map[string][]*kgo.Record), delivered: make(map[string][]*kgo.Record), times: make(map[string]string),
	}
	for _, s := range sources {
		w.sources[s] = true
	}
	return w
}

func (w *world) reads(topic string) bool { return w.sources[topic] }

// Send implements stream.Collector.
func (w *world) Send(topic string, _ int32, rec *topology.Record) error {
	r := Record{Key: rec.Key, Value: rec.Value, Timestamp: rec.Timestamp, Headers: slices.Clone(rec.Headers)}
	w.sent = append(w.sent, output{topic, r})
	return nil
}

// release makes what was sent visible.
func (w *world) release() {
	for i := range w.sent {
		o := &w.sent[i]
		w.outputs[o.topic] = append(w.outputs[o.topic], o.record)
		if w.reads(o.topic) {
			w.enqueue(o.topic, &o.record)
		}
	}
	clear(w.sent)
	w.sent = w.sent[:0]
}

// committed forgets what the task need not be given again.
func (w *world) committed(offsets map[topology.TopicPartition]stream.OffsetAndMetadata) {
	for tp, o := range offsets {
		w.times[tp.Topic] = o.Metadata
		w.delivered[tp.Topic] = slices.DeleteFunc(w.delivered[tp.Topic], func(r *kgo.Record) bool { return r.Offset < o.Offset })
	}
}

// rewind gives the task that comes what is not committed, and takes back what was sent.
func (w *world) rewind() {
	for _, topic := range slices.Sorted(maps.Keys(w.delivered)) {
		if len(w.delivered[topic]) == 0 {
			continue
		}
		if len(w.waiting[topic]) == 0 {
			w.order = append(w.order, topic)
		}
		w.waiting[topic] = slices.Concat(w.delivered[topic], w.waiting[topic])
		delete(w.delivered, topic)
	}
	w.sent = w.sent[:0]
}

func (w *world) enqueue(topic string, r *Record) {
	raw := &kgo.Record{
		Topic: topic, Offset: w.offsets[topic], Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp),
	}
	for _, h := range r.Headers {
		raw.Headers = append(raw.Headers, kgo.RecordHeader(h))
	}
	w.offsets[topic]++
	if len(w.waiting[topic]) == 0 {
		w.order = append(w.order, topic)
	}
	w.waiting[topic] = append(w.waiting[topic], raw)
}

// deliver gives the waiting records of the topics for which is holds to a task.
func (w *world) deliver(task *stream.Task, is func(topic string) bool) error {
	for _, topic := range w.take(is) {
		w.delivered[topic] = append(w.delivered[topic], w.waiting[topic]...)
		if err := task.AddRecords(topology.TopicPartition{Topic: topic}, w.waiting[topic], w.offsets[topic]); err != nil {
			return err
		}
		delete(w.waiting, topic)
	}
	return nil
}

// take takes the topics with waiting records for which is holds.
func (w *world) take(is func(topic string) bool) []string {
	var taken []string
	w.order = slices.DeleteFunc(w.order, func(topic string) bool {
		if is(topic) {
			taken = append(taken, topic)
			return true
		}
		return false
	})
	return taken
}

// changelog is that of one store.
type changelog struct {
	topic string
	world *world
}

// Log implements state.Changelog.
func (c *changelog) Log(key, value []byte, timestamp int64) error {
	return c.LogWithHeaders(key, value, timestamp, nil)
}

// LogWithHeaders implements state.HeaderChangelog.
func (c *changelog) LogWithHeaders(key, value []byte, timestamp int64, headers []state.Header) error {
	rec := topology.Record{Key: slices.Clone(key), Value: slices.Clone(value), Timestamp: timestamp}
	for _, h := range headers {
		rec.Headers = append(rec.Headers, topology.Header{Key: h.Key, Value: slices.Clone(h.Value)})
	}
	return c.world.Send(c.topic, 0, &rec)
}

// patience is how long a call of a guest may take by the clock: what a test shows must not depend on what else the
// machine does. Work is bounded by fuel as ever.
const patience = time.Minute

// modules are the compiled modules of a driver.
type modules struct {
	engine *wasm.Engine
	byName map[string]*wasm.Module
}

// Module implements stream.Modules.
func (m modules) Module(name string) (*wasm.Module, error) {
	if module := m.byName[name]; module != nil {
		return module, nil
	}
	return nil, fmt.Errorf("the driver's Config has no module %q", name)
}

func (m modules) compile(name string, bytes []byte) (*wasm.Module, error) {
	if m.engine == nil {
		return nil, errors.New("the driver has no wasm engine: it was started without modules")
	}
	return m.engine.Compile(context.Background(), name, bytes)
}

func (m modules) replace(name string, module *wasm.Module) error {
	old := m.byName[name]
	m.byName[name] = module
	if old == nil {
		return nil
	}
	return old.Close()
}

func (m modules) close() error {
	var failures []error
	for _, module := range m.byName {
		failures = append(failures, module.Close())
	}
	clear(m.byName)
	return errors.Join(failures...)
}

// start brings everything up, in the order in which Close takes it down.
func (d *Driver) start(t *topology.Topology) error {
	if err := errors.Join(t.Validate(), d.settleSerdes()); err != nil {
		return err
	}
	sub := whole(t, d.config.ApplicationID)
	d.world = newWorld(append(slices.Clone(sub.SourceTopics), d.config.Topics...))
	if err := d.compileModules(); err != nil {
		return err
	}
	var inputs []topology.TopicPartition
	for _, topic := range slices.Sorted(maps.Keys(d.world.sources)) {
		inputs = append(inputs, topology.TopicPartition{Topic: topic})
	}
	if err := d.openStores(sub); err != nil {
		return err
	}
	d.tasks = d.taskConfig(sub, inputs, maps.Clone(d.stores))
	if err := d.startGlobal(t); err != nil {
		return err
	}
	d.tasks.GlobalStores = d.global.shared
	return d.startTask()
}

func (d *Driver) startTask() (err error) {
	if d.task, err = stream.NewTask(d.tasks); err != nil {
		return err
	}
	for topic, metadata := range d.world.times {
		d.task.RestoreTime(topology.TopicPartition{Topic: topic}, metadata)
	}
	return d.task.Init(d.now)
}

// recover answers an error of the task as a thread does: one that says that the task may start again from what is
// committed has it do so. Any other comes back.
func (d *Driver) recover(err error) error {
	if _, ok := errors.AsType[*stream.TaskCorruptedError](err); !ok {
		d.world.release()
		return err
	}
	return d.restart()
}

// restart starts the task again from what is committed.
func (d *Driver) restart() error {
	if err := d.task.Close(stream.CloseDirty); err != nil {
		return err
	}
	for _, s := range d.stores {
		if s, ok := s.(state.TransactionalStore); ok {
			s.Discard()
		}
	}
	d.world.rewind()
	return d.startTask()
}

func (d *Driver) taskConfig(sub *topology.Subtopology, inputs []topology.TopicPartition, stores map[string]state.Store) stream.TaskConfig {
	return stream.TaskConfig{
		ApplicationID: d.config.ApplicationID, Subtopology: sub, Inputs: inputs, Collector: d.world, Stores: stores,
		Modules: d.modules, Settings: d.config.Settings, KeySerde: d.config.KeySerde, ValueSerde: d.config.ValueSerde,
		TimestampExtractor: d.config.TimestampExtractor, Deserialization: d.config.Deserialization,
		Processing: d.config.Processing, MaxTaskIdle: stream.NeverIdle, Logger: d.config.Logger, Metrics: stream.NewTaskMetrics(),
		DeadLetterTopic: d.config.DeadLetterTopic, Guests: d.config.Guests, Faults: &stream.FaultPage{},
		Wait: func(pause time.Duration) error {
			d.now += pause.Milliseconds()
			return nil
		},
	}
}

// settleSerdes makes the default serdes and the settings that name them agree.
func (d *Driver) settleSerdes() error {
	settings := make(map[string]string)
	maps.Copy(settings, d.config.Settings)
	d.config.Settings = settings
	return errors.Join(
		settle(&d.config.KeySerde, settings, "default.key.serde"), settle(&d.config.ValueSerde, settings, "default.value.serde"))
}

func settle(serde *topology.Serde, settings map[string]string, key string) (err error) {
	switch name, set := settings[key]; {
	case *serde != nil:
		settings[key] = (*serde).Name()
	case set:
		*serde, err = topology.SerdeByName(name)
	}
	return err
}

// whole is all of a topology as one sub-topology, as Kafka's driver runs it.
func whole(t *topology.Topology, applicationID string) *topology.Subtopology {
	sub := &topology.Subtopology{ApplicationID: applicationID, ChangelogStores: make(map[string]string)}
	for _, s := range t.Subtopologies(applicationID) {
		sub.Nodes = append(sub.Nodes, s.Nodes...)
		sub.Stores = append(sub.Stores, s.Stores...)
		sub.SourceTopics = append(sub.SourceTopics, s.SourceTopics...)
		maps.Copy(sub.ChangelogStores, s.ChangelogStores)
	}
	// Sources come first (Subtopology.Source relies on it), each sub-topology's nodes stay in their order.
	slices.SortStableFunc(sub.Nodes, func(a, b *topology.Node) int { return rank(a) - rank(b) })
	return sub
}

func rank(n *topology.Node) int {
	if n.Kind == topology.SourceNode {
		return 0
	}
	return 1
}

func (d *Driver) compileModules() (err error) {
	d.modules = modules{engine: d.config.Engine, byName: make(map[string]*wasm.Module)}
	if len(d.config.Modules) == 0 {
		return nil
	}
	if d.modules.engine == nil {
		config := wasm.DefaultConfig()
		config.Limits.Wall = patience
		if d.engine, err = wasm.NewEngine(context.Background(), config); err != nil {
			return err
		}
		d.modules.engine = d.engine
	}
	for _, name := range slices.Sorted(maps.Keys(d.config.Modules)) {
		if d.modules.byName[name], err = d.modules.compile(name, d.config.Modules[name]); err != nil {
			delete(d.modules.byName, name)
			return err
		}
	}
	return nil
}

// taskName is that of the only task.
const taskName = "0_0"

func (d *Driver) openStores(sub *topology.Subtopology) (err error) {
	if d.db, err = state.OpenDB("", state.Options{ApplicationID: d.config.ApplicationID, InMemory: true}); err != nil {
		return err
	}
	cache := state.NewThreadCache(d.config.CacheBytes)
	shared := &state.RecordContext{Timestamp: state.TimestampUnknown}
	for _, spec := range sub.Stores {
		c, err := stream.StoreConfig(spec)
		if err != nil {
			return err
		}
		c.ID, c.Context = state.StoreID{Task: taskName, Store: spec.Name}, shared
		if !spec.LoggingDisabled {
			c.Changelog = &changelog{topic: topology.ChangelogTopic(d.config.ApplicationID, spec.Name), world: d.world}
		}
		if spec.CachingEnabled {
			c.Cache = cache
		}
		store, err := d.db.NewStore(c)
		if err != nil {
			return fmt.Errorf("opening store %s: %w", spec.Name, err)
		}
		d.stores[spec.Name] = store
	}
	return nil
}

// run processes until nothing waits. What waits for the global stores goes first.
func (d *Driver) run() error {
	tasks := func(topic string) bool { return !d.global.topics[topic] }
	for {
		if err := d.runGlobal(); err != nil {
			return err
		}
		if err := d.world.deliver(d.task, tasks); err != nil {
			return err
		}
		n, err := d.task.Process(d.now, d.config.FrameSize)
		if err != nil {
			if err := d.recover(err); err != nil {
				return err
			}
			continue
		}
		if n == 0 && !d.task.CommitNeeded() && len(d.world.order) == 0 {
			return nil
		}
		if err := d.commit(); err != nil {
			if err := d.recover(err); err != nil {
				return err
			}
		}
	}
}

// commit flushes the task and makes its writes final.
func (d *Driver) commit() error {
	if err := d.task.PrepareCommit(); err != nil {
		return err
	}
	if err := d.stage(d.stores); err != nil {
		return err
	}
	d.world.release()
	d.world.committed(d.task.Offsets())
	d.task.PostCommit()
	return nil
}

// stage makes the writes to stores final.
func (d *Driver) stage(stores map[string]state.Store) error {
	batch := d.db.NewBatch()
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		if s, ok := stores[name].(state.TransactionalStore); ok {
			if err := s.Stage(batch); err != nil {
				return err
			}
		}
	}
	return batch.Commit()
}

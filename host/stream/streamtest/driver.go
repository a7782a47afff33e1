// Package streamtest runs a topology in a test: records go in one by one, what comes out can be read at once, and time
// stands still until it is moved. It is Kafka's TopologyTestDriver over the real Task, the real stores (in memory) and
// the real guests; there are no threads, no brokers and no clock.
//
// As in Kafka's, the whole topology is one task, every topic has one partition, a commit follows each record, and what
// is written to a topic that the topology reads comes back at once.
//
// driver.go is the whole of its API. world.go holds what the task sees of the world.
package streamtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Config says how a Driver runs. The zero value is usable.
type Config struct {
	// ApplicationID is the prefix of internal topics; "" is "test".
	ApplicationID string
	// Modules are the bytes of the wasm modules, by the names that the topology gives them.
	Modules map[string][]byte
	// Engine compiles them; nil makes one. A shared one compiles each module once.
	Engine *wasm.Engine
	// Settings are the application's, as processors may ask for them.
	Settings map[string]string
	// KeySerde and ValueSerde are default.key.serde and default.value.serde; nil takes those of Settings, else bytes.
	KeySerde, ValueSerde topology.Serde
	// Topics are names that patterns among the sources match: those to be piped to.
	Topics []string
	// FrameSize is how many records are processed between two commits; 0 is one. Only PipeAll brings more than one.
	FrameSize int
	// CacheBytes is statestore.cache.max.bytes; caches are flushed by each commit. 0 is no cache.
	CacheBytes int64
	// Start is the wall clock at the beginning; the zero time is now.
	Start time.Time
	// TimestampExtractor, Deserialization and Processing are those of stream.TaskConfig.
	TimestampExtractor          stream.TimestampExtractor
	Deserialization, Processing stream.ExceptionHandler
	// DeadLetterTopic and Guests are those of stream.TaskConfig. A pause before another try moves the wall clock on.
	DeadLetterTopic string
	Guests          stream.GuestRules
	// Logger gets what the task and its guests have to say; nil discards.
	Logger *slog.Logger
}

// Record is a record of a topic. nil is a null key or value.
type Record struct {
	Key, Value []byte
	Timestamp  int64 // ms
	Headers    []topology.Header
}

// Driver runs one topology. It is for one goroutine.
type Driver struct {
	config  Config
	engine  *wasm.Engine // made by the driver, else nil
	modules modules
	db      *state.DB
	stores  map[string]state.Store
	task    *stream.Task
	tasks   stream.TaskConfig // what it is made of
	global  global
	world   *world
	now     int64
}

// New starts the topology.
func New(t *topology.Topology, c Config) (*Driver, error) {
	if c.ApplicationID == "" {
		c.ApplicationID = "test"
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	c.FrameSize = max(c.FrameSize, 1)
	d := &Driver{config: c, now: c.Start.UnixMilli(), stores: make(map[string]state.Store)}
	if err := d.start(t); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close ends the task and frees its guests and stores. It can be called twice.
func (d *Driver) Close() error {
	var failures []error
	for _, task := range []*stream.Task{d.task, d.global.task} {
		if task != nil {
			failures = append(failures, task.Close(stream.CloseShutdown))
		}
	}
	for _, s := range d.stores {
		failures = append(failures, s.Close())
	}
	clear(d.stores)
	if d.db != nil {
		failures = append(failures, d.db.Close())
		d.db = nil
	}
	failures = append(failures, d.modules.close())
	if d.engine != nil {
		failures = append(failures, d.engine.Close(context.Background()))
		d.engine = nil
	}
	return errors.Join(failures...)
}

// Pipe hands a record to a source topic and processes it, with all that comes of it. The bytes must not be changed
// afterwards.
func (d *Driver) Pipe(topic string, key, value []byte, timestamp int64) error {
	return d.PipeAll(topic, Record{Key: key, Value: value, Timestamp: timestamp})
}

// PipeAll hands records to a source topic as if they had been fetched together, and processes them.
func (d *Driver) PipeAll(topic string, records ...Record) error {
	if !d.world.reads(topic) {
		return fmt.Errorf("piping to %s: no source of the topology reads it", topic)
	}
	for i := range records {
		d.world.enqueue(topic, &records[i])
	}
	return d.run()
}

// ReadOutput takes the oldest record that was written to a topic and not read yet.
func (d *Driver) ReadOutput(topic string) (Record, bool) {
	records := d.world.outputs[topic]
	if len(records) == 0 {
		return Record{}, false
	}
	d.world.outputs[topic] = records[1:]
	return records[0], true
}

// ReadOutputs takes all records that were written to a topic and not read yet.
func (d *Driver) ReadOutputs(topic string) []Record {
	records := d.world.outputs[topic]
	d.world.outputs[topic] = nil
	return records
}

// ProducedTopicNames are the topics written to so far, changelogs and repartition topics included, sorted.
func (d *Driver) ProducedTopicNames() []string {
	names := make([]string, 0, len(d.world.outputs))
	for name := range d.world.outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// AdvanceWallClockTime moves the wall clock and calls the punctuators that fall due.
func (d *Driver) AdvanceWallClockTime(by time.Duration) error {
	d.now += by.Milliseconds()
	_, err := d.task.PunctuateSystemTime(d.now)
	return d.afterPunctuation(err)
}

// AdvanceStreamTime moves the task's stream time, from the wall clock if no record was piped yet, and calls the
// punctuators that fall due. It stands for records that no operator sees; windows, joins and suppress go by the records
// that they see themselves, so it closes no window: pipe a later record for that.
func (d *Driver) AdvanceStreamTime(by time.Duration) error {
	at := d.task.StreamTime()
	if at < 0 {
		at = d.config.Start.UnixMilli()
	}
	_, err := d.task.AdvanceStreamTime(at+by.Milliseconds(), d.now)
	return d.afterPunctuation(err)
}

func (d *Driver) afterPunctuation(err error) error {
	if err != nil {
		if err := d.recover(err); err != nil {
			return err
		}
	}
	if err := d.commit(); err != nil {
		if err := d.recover(err); err != nil {
			return err
		}
	}
	return d.run()
}

// Restart ends the task without a commit, as a crash does, and starts it again from what is committed: guests begin
// anew, stores have what was committed, and punctuators are scheduled afresh.
func (d *Driver) Restart() error {
	if err := d.restart(); err != nil {
		return err
	}
	return d.run()
}

// Now is the wall clock.
func (d *Driver) Now() time.Time { return time.UnixMilli(d.now) }

// Store returns a store of the topology, for reading and for seeding; nil if there is none of that name.
func (d *Driver) Store(name string) state.Store { return d.stores[name] }

// KeyValueStore returns a key-value store of the topology, nil if there is none of that name. Values of a timestamped
// store have their timestamp before them (state.SplitTimestamped).
func (d *Driver) KeyValueStore(name string) state.KeyValueStore {
	kv, _ := d.stores[name].(state.KeyValueStore)
	return kv
}

// Metrics are the task's counts.
func (d *Driver) Metrics() *stream.TaskMetrics { return d.task.Metrics() }

// Upgrade puts another version of a module in the place of the running one, as a hot swap does between two commits.
func (d *Driver) Upgrade(name string, wasm []byte) error {
	module, err := d.modules.compile(name, wasm)
	if err != nil {
		return err
	}
	if err := d.task.PrepareUpgrade(name, module); err != nil {
		return errors.Join(err, module.Close())
	}
	if err := d.task.Upgrade(); err != nil {
		return err
	}
	return d.modules.replace(name, module)
}

package host

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
)

// TestBench makes test drivers of one application: its topology, modules, settings and rules as they run, without a
// broker. Modules are compiled once for all drivers. It is for one goroutine.
type TestBench struct {
	cfg      Config
	settings *streamsconfig.Config
	engine   *wasm.Engine
	modules  map[string][]byte
	rules    *guestRules
	kept     moduleSet // keeps the engine's compiled modules alive between drivers
}

// NewTestBench checks the application as Check does, and keeps the modules that it compiles. bootstrap.servers need not
// be set.
func NewTestBench(ctx context.Context, cfg Config) (*TestBench, error) {
	cfg = cfg.WithoutCluster()
	b := &TestBench{cfg: cfg, modules: map[string][]byte{}}
	err := cfg.Validate()
	engineConfig := wasm.DefaultConfig()
	var fault error
	if b.settings, fault = cfg.settings(); fault == nil {
		engineConfig = guestConfig(b.settings)
		b.rules, _ = cfg.guestRules(b.settings) // Validate has told what is wrong with them
	}
	engineConfig.Compiler.Command = cfg.Compiler
	engineConfig.Limits.Wall = patient(engineConfig.Limits.Wall)
	if b.engine, fault = wasm.NewEngine(ctx, engineConfig); fault != nil {
		return nil, errors.Join(err, fault)
	}
	b.kept, fault = cfg.compileAll(ctx, b.engine, b.rules)
	if err := cfg.byPlace(err, fault); err != nil {
		return nil, errors.Join(err, b.Close(ctx))
	}
	for name := range cfg.Modules {
		if b.modules[name], err = cfg.read(name); err != nil {
			return nil, errors.Join(err, b.Close(ctx))
		}
	}
	return b, nil
}

// patient is how long a call of a guest may take in a test: where nothing is said, long enough that what a test shows does
// not depend on what else the machine does. Work is bounded by fuel as ever.
func patient(wall time.Duration) time.Duration {
	if wall == wasm.DefaultLimits().Wall {
		return time.Minute
	}
	return wall
}

// Close frees the modules. It can be called twice.
func (b *TestBench) Close(ctx context.Context) error {
	if b.engine == nil {
		return nil
	}
	err := errors.Join(b.kept.close(), b.engine.Close(ctx))
	b.engine, b.kept = nil, nil
	return err
}

// ApplicationID is the application.id.
func (b *TestBench) ApplicationID() string { return b.settings.ApplicationID }

// DeadLetterTopic is errors.dead.letter.queue.topic.name, "" if records are not set aside.
func (b *TestBench) DeadLetterTopic() string { return b.settings.DeadLetterTopic }

// Driver is a driver at the beginning, whose wall clock stands at start. topics are those to be piped to that patterns of
// the topology match. The caller closes it, before the bench.
func (b *TestBench) Driver(start time.Time, topics []string, log *slog.Logger) (*streamtest.Driver, error) {
	s := b.settings
	c := streamtest.Config{
		ApplicationID: s.ApplicationID, Modules: b.modules, Engine: b.engine, Settings: b.given(),
		KeySerde: s.KeySerde, ValueSerde: s.ValueSerde, Topics: topics, CacheBytes: s.CacheBytes, Start: start,
		DeadLetterTopic: s.DeadLetterTopic, Guests: patientRules{b.rules}, Logger: log,
	}
	var err error
	if c.TimestampExtractor, err = stream.ParseTimestampExtractor(s.TimestampExtractor); err != nil {
		return nil, err
	}
	if s.ContinueOnDeserialization {
		c.Deserialization = stream.LogAndContinue
	}
	if s.ContinueOnProcessing {
		c.Processing = stream.LogAndContinue
	}
	return streamtest.New(b.cfg.Topology, c)
}

// given are the settings as processors may ask for them.
func (b *TestBench) given() map[string]string {
	all := map[string]string{}
	for _, e := range b.settings.Entries() {
		all[e.Key], _ = b.settings.Lookup(e.Key)
	}
	return all
}

// patientRules are the rules of an application with the patience of a test.
type patientRules struct{ *guestRules }

// Instance implements stream.GuestRules.
func (r patientRules) Instance(module string) wasm.Limits {
	l := r.guestRules.Instance(module)
	l.Wall = patient(l.Wall)
	return l
}

// Component implements stream.GuestRules.
func (r patientRules) Component(module, component string) stream.GuestSettings {
	s := r.guestRules.Component(module, component)
	s.Limits.Call.Wall = patient(s.Limits.Call.Wall)
	return s
}

// DefaultSerdes are default.key.serde and default.value.serde, bytes if they are not set.
func (b *TestBench) DefaultSerdes() (key, value topology.Serde) {
	return cmp.Or(b.settings.KeySerde, topology.Bytes), cmp.Or(b.settings.ValueSerde, topology.Bytes)
}

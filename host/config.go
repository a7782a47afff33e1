package host

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology"
)

// Config is what a Host is made of. A program that embeds wasmstream sets Topology and Settings; Load makes a Config of
// a document.
type Config struct {
	// Topology is what runs.
	Topology *topology.Topology
	// Settings are those of the application by Kafka's names: application.id and bootstrap.servers at least.
	Settings map[string]string
	// Modules are the wasm modules by the names that the topology calls them.
	Modules map[string]Module
	// Compiler is a program with its arguments that calls wasm.CompileChild: modules are then compiled in a process of
	// its own, under limits. nil compiles them in this one, which is right for modules that one made oneself.
	Compiler []string
	// Admin is the address on loopback of the admin server (metrics, health, profiles, reload); "" has none.
	Admin string
	// Watch replaces a module when its file changes.
	Watch bool
	// Logger gets changes of state and what guests log; nil discards.
	Logger *slog.Logger
	// Registry gets the metrics; nil makes one, which the admin server shows.
	Registry *prometheus.Registry
	// StateListener hears of each change of state by Kafka's names (REBALANCING, RUNNING, ...), one call at a time.
	StateListener func(now, before string)
	// RestoreListener hears how stores are restored, StandbyListener how standby tasks follow their changelogs; nil for
	// nobody.
	RestoreListener StateRestoreListener
	StandbyListener StandbyUpdateListener
	// UncaughtHandler is asked when a thread has failed, on that thread's goroutine; nil leaves the answer to the setting
	// uncaught.exception.response.
	UncaughtHandler func(error) UncaughtAnswer
	// ReloadListener hears of each replacement of a module that was asked for by Watch or Reload, done or refused.
	ReloadListener func(Reloaded, error)
	// AdminListener hears where the admin server listens, once it does.
	AdminListener func(addr string)
	// ClientOptions are appended to the options of every Kafka client.
	ClientOptions []kgo.Opt

	// where names the document in errors; layers are the settings with their places, of Load.
	where  string
	layers []streamsconfig.Layer
	// nodeWhere are the places of operators in the document by the names of their nodes.
	nodeWhere map[string]string
	// excerpt shows the line of a place in the document; nil without a document.
	excerpt func(where string) string
	// application is the module that brought the topology along, "" if a document or a program did.
	application string
}

// Module is a wasm module: a file, or bytes.
type Module struct {
	// Path of the file; Watch and reloads read it again.
	Path string
	// Bytes are the module itself, where there is no Path.
	Bytes []byte
	// Digest pins the module ("sha256:..."); "" takes any.
	Digest string
	// Limits lower those of the application (the settings wasm.*) for the module's instances; keys are those of the
	// settings without wasm. in front. Components say more of single components.
	Limits     []Setting
	Components []Component

	where string
}

// withSettings adds the faults of the settings and of the modules' files to those of the document, but what follows from
// the document's faults: a setting that is missing, and one that is told already.
func (c Config) withSettings(fault error) error {
	faults := errs.Flatten(fault)
	told := map[string]bool{}
	for _, f := range faults {
		told[placeOf(f)] = true
	}
	_, err := c.settings()
	for _, f := range errs.Flatten(err) {
		if !errs.ConfigMissing.Is(f) && (placeOf(f) == "" || !told[placeOf(f)]) {
			faults = append(faults, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		if c.Modules[name].Path == "" {
			continue
		}
		if data, err := c.read(name); err != nil {
			faults = append(faults, err)
		} else if _, err := wasm.Inspect(c.Modules[name].Path, data); err != nil {
			faults = append(faults, err)
		}
	}
	return c.byPlace(faults...)
}

// Setting is one effective setting with its origin. Its names in JSON are a contract.
type Setting = streamsconfig.Entry

// Effective lists every setting as it would hold, each with the place it comes from, secrets hidden: those of Kafka
// Streams, those of wasmstream, and the clients' properties that were given.
func (c Config) Effective() ([]Setting, error) {
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	return s.All(), nil
}

func (c Config) settings() (*streamsconfig.Config, error) {
	layers := c.layers
	if c.Settings != nil {
		layers = append(layers, streamsconfig.Layer{Origin: "program", Values: c.Settings})
	}
	s, err := streamsconfig.Load(layers...)
	var faults []error
	for _, f := range errs.Flatten(err) {
		var coded *errs.Error
		if errors.As(f, &coded) && coded.Where == "" {
			coded.Where = c.where
		}
		faults = append(faults, f)
	}
	return s, errors.Join(faults...)
}

// ApplicationID is the application.id, "" if it is not given.
func (c Config) ApplicationID() string {
	s, err := c.settings()
	if err != nil {
		return ""
	}
	return s.ApplicationID
}

// Validate reports every fault that can be found without a broker and without compiling modules.
func (c Config) Validate() error {
	settings, err := c.settings()
	faults := []error{err}
	if err == nil {
		_, err = c.guestRules(settings)
		faults = append(faults, err)
	}
	if c.Topology == nil {
		faults = append(faults, errs.TopologyNoSource.New(c.where, "there is no topology", ""))
	} else {
		faults = append(faults, c.Topology.Validate())
	}
	if c.Admin != "" {
		faults = append(faults, checkAdmin(c.Admin))
	}
	return c.byPlace(faults...)
}

// WithoutCluster is c for uses that ask no cluster: bootstrap.servers need not be set.
func (c Config) WithoutCluster() Config {
	c.layers = slices.Insert(slices.Clone(c.layers), 0, streamsconfig.Layer{
		Origin: "no cluster", Values: map[string]string{"bootstrap.servers": "localhost:9092"},
	})
	return c
}

// Check reports every fault that can be found without a broker: those of Validate, and those of the modules, which it
// compiles and compares with what the topology wants of them.
func (c Config) Check(ctx context.Context) error {
	engineConfig := wasm.DefaultConfig()
	var rules *guestRules
	if settings, err := c.settings(); err == nil {
		engineConfig = guestConfig(settings)
		rules, _ = c.guestRules(settings) // Validate tells what is wrong with them
	}
	engineConfig.Compiler.Command = c.Compiler
	engine, err := wasm.NewEngine(ctx, engineConfig)
	if err != nil {
		return errors.Join(c.Validate(), err)
	}
	set, err := c.compileAll(ctx, engine, rules)
	return errors.Join(c.byPlace(c.Validate(), err), set.close(), engine.Close(ctx))
}

// byPlace joins errors, those of a file from its top to its end, behind those without a place, each with the line that it
// is about.
func (c Config) byPlace(faults ...error) error {
	all := errs.Flatten(errors.Join(faults...))
	slices.SortStableFunc(all, func(a, b error) int {
		fileA, lineA, colA := errs.Place(placeOf(a))
		fileB, lineB, colB := errs.Place(placeOf(b))
		if lineA == 0 || lineB == 0 {
			return cmp.Compare(min(lineA, 1), min(lineB, 1))
		}
		return cmp.Or(cmp.Compare(fileA, fileB), lineA-lineB, colA-colB)
	})
	for i, err := range all {
		all[i] = c.shown(err)
	}
	return errors.Join(all...)
}

// shown gives an error about a place in the document the line there.
func (c Config) shown(err error) error {
	coded, ok := err.(*errs.Error)
	if !ok || coded.Detail != "" || c.excerpt == nil {
		return err
	}
	with := *coded
	return with.WithDetail(c.excerpt(coded.Where))
}

func placeOf(err error) string {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded.Where
	}
	return ""
}

func checkAdmin(addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil && !strings.Contains(addr, ":") {
		return errs.CLIUsage.New(addr, "want an address as HOST:PORT", "for example 127.0.0.1:9090")
	}
	return kafka.CheckLoopback(addr)
}

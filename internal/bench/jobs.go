package bench

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/examples"
	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// eventsModule is the module of the jobs with state, built from guests/c.
//
//go:embed guests/events.wasm
var eventsModule []byte

const (
	windowSize = time.Minute
	joinSpan   = 10 * time.Second
)

// job is what is measured: a topology with one user function, which is a guest's component or the same in Go.
type job struct {
	name string
	// inputs are the kinds of data that it reads; the records of the first are counted.
	inputs []string
	// share of the records asked for that it gets: one in share.
	share     int
	module    string
	component string
	embedded  []byte
	native    func() dsl.NativeFunc
	build     func(b *dsl.StreamsBuilder, fn dsl.Fn, in []string, out string)
	// expect makes the digest of what the job must write; final says that only the last value of each key counts.
	expect func(data []DataSet, d *digest) error
	final  bool
	// rewrites says that Jackson writes the values in its own way (1.50 as 1.5), so that only their number compares.
	rewrites bool
}

var (
	str   = topology.String
	bytez = topology.Bytes
)

func jobs() []job {
	return []job{
		{
			name: "copy", inputs: []string{"events"}, share: 1, module: "mapvalues", component: "copy", embedded: examples.MapValues,
			native: nativeCopy, build: mapValues, expect: expectCopy,
		},
		{
			name: "mapvalues", inputs: []string{"events"}, share: 1, module: "mapvalues", component: "enrich", embedded: examples.MapValues,
			native: nativeEnrich, build: mapValues, expect: expectEnriched, rewrites: true,
		},
		{
			name: "wordcount", inputs: []string{"lines"}, share: 10, module: "wordcount", component: "split-words", embedded: examples.WordCount,
			native: nativeSplit, build: wordCount, expect: expectWords, final: true,
		},
		{
			name: "filter-count", inputs: []string{"events"}, share: 1, module: "events", component: "is-buy", embedded: eventsModule,
			native: nativeIsBuy, build: filterCount, expect: expectBuys, final: true,
		},
		{
			name: "tumbling", inputs: []string{"events"}, share: 1, module: "events", component: "is-buy", embedded: eventsModule,
			native: nativeIsBuy, build: tumbling, expect: expectWindows, final: true,
		},
		{
			name: "stream-table-join", inputs: []string{"events", "profiles"}, share: 1, module: "events", component: "with-profile",
			embedded: eventsModule, native: nativeWithProfile, build: streamTableJoin, expect: expectProfiles, rewrites: true,
		},
		{
			name: "stream-stream-join", inputs: []string{"events", "orders"}, share: 2, module: "events", component: "pair",
			embedded: eventsModule, native: nativePair, build: streamStreamJoin, expect: expectPairs, rewrites: true,
		},
	}
}

// Jobs are the names of the jobs.
func Jobs() []string {
	var names []string
	for _, j := range jobs() {
		names = append(names, j.name)
	}
	return names
}

func jobNamed(name string) (job, error) {
	for _, j := range jobs() {
		if j.name == name {
			return j, nil
		}
	}
	return job{}, fmt.Errorf("no job %q: %s are there", name, strings.Join(Jobs(), ", "))
}

// Module is the guest whose component a job calls, without its language.
func Module(name string) string {
	i := slices.IndexFunc(jobs(), func(j job) bool { return j.name == name })
	if i < 0 {
		return ""
	}
	return jobs()[i].module
}

// data are the inputs for a number of records asked for.
func (j job) data(records, partitions int) []DataSet {
	var all []DataSet
	for _, kind := range j.inputs {
		d := DataSet{Kind: kind, Records: max(records/j.share, 1), Partitions: partitions}
		if kind == "profiles" {
			d.Records = users
		}
		all = append(all, d)
	}
	return all
}

func events(b *dsl.StreamsBuilder, in string) *dsl.KStream {
	return b.Stream(in, dsl.Consumed{Key: str, Value: bytez})
}

func mapValues(b *dsl.StreamsBuilder, fn dsl.Fn, in []string, out string) {
	events(b, in[0]).MapValues(fn).To(out, dsl.Produced{Key: str, Value: bytez})
}

func wordCount(b *dsl.StreamsBuilder, fn dsl.Fn, in []string, out string) {
	b.Stream(in[0], dsl.Consumed{Key: str, Value: str}).
		FlatMapValues(fn.Out(nil, str)).
		GroupBy(dsl.Expr("value"), dsl.Grouped{Key: str, Value: str}).
		Count().
		ToStream().To(out, dsl.Produced{Key: str, Value: topology.Long})
}

func filterCount(b *dsl.StreamsBuilder, fn dsl.Fn, in []string, out string) {
	events(b, in[0]).Filter(fn).
		GroupByKey(dsl.Grouped{Key: str, Value: bytez}).
		Count().
		ToStream().To(out, dsl.Produced{Key: str, Value: topology.Long})
}

// tumbling has no function of the user.
func tumbling(b *dsl.StreamsBuilder, _ dsl.Fn, in []string, out string) {
	windows := dsl.TimeWindowsOfSizeWithNoGrace(windowSize)
	events(b, in[0]).
		GroupByKey(dsl.Grouped{Key: str, Value: bytez}).
		WindowedBy(windows).Count().
		ToStream().To(out, dsl.Produced{Key: topology.TimeWindowed(str, windowSize.Milliseconds()), Value: topology.Long})
}

func streamTableJoin(b *dsl.StreamsBuilder, fn dsl.Fn, in []string, out string) {
	profiles := b.Table(in[1], dsl.Consumed{Key: str, Value: bytez})
	events(b, in[0]).JoinTable(profiles, fn, dsl.Joined{Key: str, Value: bytez}).
		To(out, dsl.Produced{Key: str, Value: bytez})
}

func streamStreamJoin(b *dsl.StreamsBuilder, fn dsl.Fn, in []string, out string) {
	events(b, in[0]).Join(events(b, in[1]), fn, dsl.JoinWindowsOfTimeDifferenceWithNoGrace(joinSpan),
		dsl.StreamJoined{Key: str, Value: bytez, OtherValue: bytez}).
		To(out, dsl.Produced{Key: str, Value: bytez})
}

// topology builds the job for a guest; native runs the function in Go.
func (j job) topology(guest string, in []string, out string) (*topology.Topology, error) {
	fn := dsl.Guest(j.module, j.component)
	if guest == "native" {
		fn = dsl.NativeNew(j.native)
	}
	b := dsl.NewStreamsBuilder()
	j.build(b, fn, in, out)
	return b.Build()
}

// modules are those that the topology of a guest needs: the file, or without one what the binary carries.
func (j job) modules(guest, file string) (map[string]host.Module, error) {
	if guest == "native" || j.name == "tumbling" {
		return nil, nil
	}
	m := host.Module{Bytes: j.embedded}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m.Bytes = data
	}
	return map[string]host.Module{j.module: m}, nil
}

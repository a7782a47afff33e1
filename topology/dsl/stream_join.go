package dsl

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// StreamJoined says how two streams are joined. Name gives the nodes and repartition topics their names, StoreName the
// stores and their changelogs; nil serdes are those of the streams.
type StreamJoined struct {
	Name, StoreName        string
	Key, Value, OtherValue topology.Serde
	// ThisStore and OtherStore describe the stores in place of the generated ones.
	ThisStore, OtherStore *JoinStore
	InMemory              bool
	LoggingDisabled       bool
	ChangelogConfigs      map[string]string
}

// JoinStore describes a window store that the user gives to a join (Kafka's WindowBytesStoreSupplier): its retention
// and window size must be those of the join's windows, and duplicates retained.
type JoinStore struct {
	Name                  string
	Retention, WindowSize time.Duration
	RetainDuplicates      bool
	InMemory              bool
}

// Prefixes of the names that joins of streams generate.
const (
	windowedName    = "KSTREAM-WINDOWED-"
	joinThisName    = "KSTREAM-JOINTHIS-"
	joinOtherName   = "KSTREAM-JOINOTHER-"
	outerThisName   = "KSTREAM-OUTERTHIS-"
	outerOtherName  = "KSTREAM-OUTEROTHER-"
	outerSharedName = "KSTREAM-OUTERSHARED-"
)

// Join joins the records of both streams that have equal keys and timestamps within the windows. fn is asked for the
// value that two of them become.
func (s *KStream) Join(other *KStream, fn Fn, w JoinWindows, o ...StreamJoined) *KStream {
	return s.join(other, fn, w, first(o), false, false)
}

// LeftJoin is Join where a record of this stream that finds no other comes out with a null right value, once its window
// is closed.
func (s *KStream) LeftJoin(other *KStream, fn Fn, w JoinWindows, o ...StreamJoined) *KStream {
	return s.join(other, fn, w, first(o), true, false)
}

// OuterJoin is Join where records of both streams come out without a partner too.
func (s *KStream) OuterJoin(other *KStream, fn Fn, w JoinWindows, o ...StreamJoined) *KStream {
	return s.join(other, fn, w, first(o), true, true)
}

func (s *KStream) join(other *KStream, fn Fn, w JoinWindows, o StreamJoined, leftOuter, rightOuter bool) *KStream {
	s.b.checkWindows(w.Validate())
	for _, name := range []string{o.Name, o.StoreName} {
		if err := checkName(name); err != nil {
			s.b.fail(err)
		}
	}
	this, that := s, other
	if s.rekeyed {
		this = s.repartitionForJoin(suffixed(o.Name, "-left", s.Name()), o.Key, o.Value)
	}
	if other.rekeyed {
		that = other.repartitionForJoin(suffixed(o.Name, "-right", other.Name()), o.Key, o.OtherValue)
	}
	s.b.copartition(this.sources, that.sources)
	j := streamJoinBuilder{b: s.b, this: this, other: that, windows: w, o: o, leftOuter: leftOuter, rightOuter: rightOuter}
	return j.build(fn)
}

// suffixed is name with suffix, or the other one if there is no name.
func suffixed(name, suffix, other string) string {
	if name == "" {
		return other
	}
	return name + suffix
}

// repartitionForJoin is the stream behind a repartition topic. Joins of one stream that give no names share it.
func (s *KStream) repartitionForJoin(name string, key, value topology.Serde) *KStream {
	r := Repartitioned{Key: cmp.Or(key, s.key), Value: cmp.Or(value, s.value)}
	names := len(s.b.names)
	p := s.b.newRepartition(name, r)
	if s.repartitioned == nil || name != s.Name() {
		s.repartitioned = p.graphNode()
		s.b.addGraphNode(s.repartitioned, s.node)
	} else {
		s.b.names = s.b.names[:names]
	}
	return &KStream{b: s.b, node: s.repartitioned, key: r.Key, value: r.Value, sources: []string{p.source}}
}

// streamJoinBuilder makes the graph of a join: for each side a node that keeps its records in a window store, then the
// two that join, and one that brings them together.
type streamJoinBuilder struct {
	b                     *StreamsBuilder
	this, other           *KStream
	windows               JoinWindows
	o                     StreamJoined
	leftOuter, rightOuter bool
	joiner                Call

	thisWindowed, otherWindowed, joinThis, joinOther, merge string
	thisStore, otherStore, outerStore                       *topology.StoreSpec // outerStore is nil for inner joins
	selfJoin                                                bool
}

func (j *streamJoinBuilder) build(fn Fn) *KStream {
	key := cmp.Or(j.o.Key, j.this.key)
	left, right := cmp.Or(j.o.Value, j.this.value), cmp.Or(j.o.OtherValue, j.other.value)
	generated := j.names()
	j.stores(generated, key, left, right)
	var out expr.Types
	j.joiner, out = j.b.place(expr.Joiner, fn, expr.Types{Key: key, Value: left, Second: right})
	j.addWindowed(j.this, j.thisWindowed, j.thisStore)
	j.addWindowed(j.other, j.otherWindowed, j.otherStore)
	n := &graphNode{name: j.merge, takesNullKeys: j.leftOuter || j.rightOuter, join: j}
	n.lower = j.lower
	j.b.addGraphNode(n, j.this.node, j.other.node)
	return &KStream{b: j.b, node: n, key: key, value: out.Value, sources: union(j.this.sources, j.other.sources)}
}

// names generates the names of the nodes in Kafka's order; those that are given take their indices all the same. It
// returns the generated ones of the nodes that join, after which the stores are called.
func (j *streamJoinBuilder) names() (generated [2]string) {
	node := func(suffix, prefix string) string {
		name := suffixed(j.o.Name, suffix, j.b.generate(prefix))
		j.b.names = append(j.b.names, name)
		return name
	}
	j.thisWindowed = node("-this-windowed", windowedName)
	j.otherWindowed = node("-other-windowed", windowedName)
	thisPrefix, otherPrefix := joinThisName, joinOtherName
	if j.rightOuter {
		thisPrefix = outerThisName
	}
	if j.leftOuter {
		otherPrefix = outerOtherName
	}
	generated = [2]string{j.b.generate(thisPrefix), j.b.generate(otherPrefix)}
	j.joinThis = suffixed(j.o.Name, j.thisSuffix(), generated[0])
	j.joinOther = suffixed(j.o.Name, j.otherSuffix(), generated[1])
	j.b.names = append(j.b.names, j.joinThis, j.joinOther)
	j.merge = node("-merge", mergeName)
	return generated
}

func (j *streamJoinBuilder) thisSuffix() string {
	if j.rightOuter {
		return "-outer-this-join"
	}
	return "-this-join"
}

func (j *streamJoinBuilder) otherSuffix() string {
	if j.leftOuter {
		return "-outer-other-join"
	}
	return "-other-join"
}

func (j *streamJoinBuilder) stores(generated [2]string, key, left, right topology.Serde) {
	a, b := j.o.ThisStore, j.o.OtherStore
	if a != nil && b != nil && a.Name == b.Name {
		j.b.fail(errs.TopologyStoreClash.New(a.Name, "Both StoreSuppliers have the same name.  StoreSuppliers must provide unique names", "").InKafka("StreamsException"))
	}
	j.thisStore = j.windowStore(a, suffixed(j.o.StoreName, j.thisSuffix(), generated[0]), key, left)
	j.otherStore = j.windowStore(b, suffixed(j.o.StoreName, j.otherSuffix(), generated[1]), key, right)
	if !j.leftOuter {
		return
	}
	inMemory := j.inMemory()
	if a != nil {
		inMemory = a.InMemory
	}
	j.outerStore = &topology.StoreSpec{
		Name: j.outerStoreName(generated[0]) + "-store", Kind: topology.KeyValue, InMemory: inMemory,
		LoggingDisabled: j.o.LoggingDisabled, ChangelogConfigs: j.o.ChangelogConfigs,
	}
}

func (j *streamJoinBuilder) outerStoreName(generated string) string {
	suffix, prefix := "-left-shared-join", joinThisName
	if j.rightOuter {
		suffix, prefix = "-outer-shared-join", outerThisName
	}
	switch {
	case j.o.ThisStore != nil && j.o.ThisStore.Name != "":
		return j.o.ThisStore.Name + suffix
	case j.o.StoreName != "":
		return j.o.StoreName + suffix
	}
	return outerSharedName + strings.TrimPrefix(generated, prefix)
}

func (j *streamJoinBuilder) inMemory() bool { return j.o.InMemory || j.b.defaults.InMemory }

// minJoinInterval is how many milliseconds of rows a join's store at least drops at once. Kafka's minute bounds how many databases it
// has open; here it would only have rows carried along long after they have left a window of seconds. Much shorter is dear, too: a
// range that was dropped costs each read of the database something until it is merged.
const minJoinInterval = 10_000

// windowStore describes the store of one side.
func (j *streamJoinBuilder) windowStore(given *JoinStore, name string, key, value topology.Serde) *topology.StoreSpec {
	spec := &topology.StoreSpec{
		Name: name + "-store", Kind: topology.Window, InMemory: j.inMemory(), KeySerde: key, ValueSerde: value,
		LoggingDisabled: j.o.LoggingDisabled, ChangelogConfigs: j.o.ChangelogConfigs,
		Retention: plus(j.windows.sizeMs(), j.windows.GraceMs), WindowSize: j.windows.sizeMs(), RetainDuplicates: true,
	}
	spec.SegmentInterval = max(spec.Retention/2, minJoinInterval)
	if given == nil {
		return spec
	}
	j.checkGiven(given, spec)
	spec.Name, spec.InMemory, spec.LoggingDisabled, spec.ChangelogConfigs = given.Name, given.InMemory, false, nil
	return spec
}

func (j *streamJoinBuilder) checkGiven(given *JoinStore, want *topology.StoreSpec) {
	if err := checkName(given.Name); err != nil {
		j.b.fail(err)
	}
	switch {
	case !given.RetainDuplicates:
		j.b.fail(errs.TopologyInvalid.New(given.Name, "The StoreSupplier must set retainDuplicates=true, found retainDuplicates=false", "set retainDuplicates: two records of a key and a time are both kept").InKafka("StreamsException"))
	case millis(given.Retention) != want.Retention || millis(given.WindowSize) != want.WindowSize:
		j.b.fail(errs.TopologyInvalid.New(given.Name, fmt.Sprintf(
			"Window settings mismatch. WindowBytesStoreSupplier settings retention=%d, windowSize=%d must match JoinWindows settings beforeMs=%d, afterMs=%d, graceMs=%d for the window size and retention period",
			millis(given.Retention), millis(given.WindowSize), j.windows.BeforeMs, j.windows.AfterMs, j.windows.GraceMs),
			fmt.Sprintf("give a retention of %d ms and a window size of %d ms", want.Retention, want.WindowSize)).InKafka("StreamsException"))
	}
}

// addWindowed adds the node that keeps the records of a side.
func (j *streamJoinBuilder) addWindowed(s *KStream, name string, store *topology.StoreSpec) {
	j.b.addGraphNode(aggregateNode(name, JoinWindow{Store: store.Name}, store), s.node)
}

// lower adds the nodes that join below those that keep the records.
func (j *streamJoinBuilder) lower(t *topology.Topology, _ []string) error {
	if j.selfJoin {
		return addWithStores(t, j.merge, SelfJoin{Joiner: j.joiner, Windows: j.windows, Store: j.thisStore.Name},
			[]*topology.StoreSpec{j.thisStore}, j.thisWindowed)
	}
	this := StreamJoin{Joiner: j.joiner, Windows: j.windows, Join: j.merge, Outer: j.leftOuter, OtherStore: j.otherStore.Name}
	that := StreamJoin{Joiner: j.joiner, Windows: j.windows, Join: j.merge, Outer: j.rightOuter, OtherStore: j.thisStore.Name, Right: true}
	thisStores, thatStores := []*topology.StoreSpec{j.otherStore}, []*topology.StoreSpec{j.thisStore}
	if j.outerStore != nil {
		this.OuterStore, that.OuterStore = j.outerStore.Name, j.outerStore.Name
		thisStores, thatStores = append(thisStores, j.outerStore), append(thatStores, j.outerStore)
	}
	if err := addWithStores(t, j.joinThis, this, thisStores, j.thisWindowed); err != nil {
		return err
	}
	if err := addWithStores(t, j.joinOther, that, thatStores, j.otherWindowed); err != nil {
		return err
	}
	return t.AddProcessor(j.merge, PassThrough{}, j.joinThis, j.joinOther)
}

// addWithStores adds a processor and connects it to stores, which others may have added already.
func addWithStores(t *topology.Topology, name string, s topology.ProcessorSupplier, stores []*topology.StoreSpec, parents ...string) error {
	if err := t.AddProcessor(name, s, parents...); err != nil {
		return err
	}
	for _, spec := range stores {
		if err := t.AddStateStore(spec, name); err != nil {
			return err
		}
	}
	return nil
}

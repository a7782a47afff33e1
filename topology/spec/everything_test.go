package spec

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// everything makes the calls of the golden topology (abi/testdata/topology.json, which the builders of all SDKs write) on
// the Go builder.
func everything() *dsl.StreamsBuilder {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.Bytes})
	c := func(name string) dsl.Fn { return dsl.Guest("everything", name) }
	e := dsl.Expr
	text, doc, long := topology.String, topology.JSON, topology.Long
	toJSON := func(name string) dsl.Fn { return c(name).Out(nil, doc) }
	b.AddStateStore(topology.StoreSpec{Name: "seen", Kind: topology.TimestampedKeyValue, KeySerde: text, ValueSerde: long, CachingEnabled: true, ChangelogConfigs: map[string]string{"retention.ms": "1000"}})
	b.AddStateStore(topology.StoreSpec{Name: "recent", Kind: topology.LRU, KeySerde: text, ValueSerde: doc, MaxEntries: 100})
	const minute, hour = int64(time.Minute / time.Millisecond), int64(time.Hour / time.Millisecond)
	b.AddStateStore(topology.StoreSpec{Name: "visits", Kind: topology.Window, ValueSerde: long, Retention: hour, WindowSize: minute, SegmentInterval: 2 * minute, RetainDuplicates: true})
	b.AddStateStore(topology.StoreSpec{Name: "sittings", Kind: topology.Session, KeySerde: text, Retention: hour})
	b.AddStateStore(topology.StoreSpec{Name: "prices", Kind: topology.VersionedKeyValue, ValueSerde: topology.Double, HistoryRetention: minute})

	orders := b.Stream("orders", dsl.Consumed{Name: "orders", Key: text, Value: doc, OffsetReset: "earliest", TimestampExtractor: "WallclockTimestampExtractor"})
	raw := b.StreamTopics([]string{"raw-1", "raw-2"}, dsl.Consumed{Timestamps: c("when"), Key: text, Value: doc, ValueDeserializer: c("unpack")})
	b.StreamPattern("log-.*", dsl.Consumed{Key: text, Value: text}).Foreach(c("show"))
	paid := orders.Filter(c("paid").WithConfig(map[string]string{"least": "10"}), "paid").FilterNot(e("value.test == true"))
	paid.MapValues(c("total").Out(nil, long)).To("totals", dsl.Produced{Name: "totals", Key: text, Value: long, Partitioner: c("spread")})
	lines := paid.FlatMapValues(toJSON("lines")).Peek(c("show"))
	lines.Map(dsl.MapExpr("value.product", "value.amount").Out(text, long)).
		Repartition(dsl.Repartitioned{Name: "by-product", Partitions: 3, Key: text, Value: long}).
		ToExtracted(c("route"), dsl.Produced{ValueSerializer: c("pack"), Value: long})
	lines.FlatMap(c("explode").Out(text, text)).Merge(raw.MapValues(e("string(value.id)"))).
		SelectKey(e("value")).Print(dsl.Printed{Label: "ids"})

	branches := map[string]*dsl.KStream{}
	branched := func(id, name string) dsl.Branched {
		return dsl.Branched{Name: name, Chain: func(s *dsl.KStream) *dsl.KStream { branches[id] = s; return s }}
	}
	paid.Split("size-").
		Branch(e("value.amount > 1000.0"), branched("large", "large")).
		Branch(c("small"), branched("small", "")).
		DefaultBranch(branched("rest", "rest"))
	branches["large"].To("large")
	branches["small"].To("small")
	branches["rest"].Process(dsl.GuestProcessor("everything", "remember"), "remember", "seen").
		ProcessValues(dsl.GuestValuesProcessor("everything", "watch"), "").To("rest")

	byKey := paid.GroupByKey(dsl.Grouped{Name: "by-key", Key: text, Value: doc})
	byKey.Count(dsl.Materialized{Name: "counts", InMemory: true, CachingDisabled: true, ChangelogConfigs: map[string]string{"segment.ms": "60000"}})
	byKey.Reduce(c("newer"))
	byKey.Aggregate(e("0"), e("aggregate + 1"), dsl.Materialized{Name: "sums", Value: long, LoggingDisabled: true, StoreNamed: "summing"})
	byRegion := paid.GroupBy(e("value.region").Out(text, nil), dsl.Grouped{Name: "by-region"})
	byRegion.WindowedBy(dsl.TimeWindowsOfSizeAndGrace(time.Hour, time.Minute).AdvanceBy(30 * time.Minute)).
		EmitStrategy(dsl.OnWindowClose).Count(dsl.Materialized{Name: "hourly", Retention: 24 * time.Hour})
	byRegion.WindowedBy(dsl.SlidingWindowsOfTimeDifferenceWithNoGrace(time.Minute)).Reduce(c("newer"))
	zero := dsl.Materialized{Value: doc}
	byRegion.WindowedBy(dsl.UnlimitedWindows{StartMs: 5}).Aggregate(c("zero"), c("add"), zero)
	byRegion.WindowedBySessions(dsl.SessionWindowsOfInactivityGapAndGrace(time.Minute, time.Second)).
		Aggregate(c("zero"), c("add"), c("merge"), zero).
		Suppress(dsl.UntilWindowCloses(dsl.MaxRecords(100).ShutDownWhenFull().WithLoggingDisabled()).WithName("final")).
		ToStream().To("sessions")
	cities := paid.GroupBy(e("value.city").Out(text, nil))
	cities.Cogroup(c("add")).Cogroup(byKey, e("aggregate")).Aggregate(c("zero"), zero)
	cities.Cogroup(c("add")).WindowedBy(dsl.TimeWindowsOfSizeWithNoGrace(time.Second)).Aggregate(c("zero"), zero)
	cities.Cogroup(c("add")).WindowedBySessions(dsl.SessionWindowsOfInactivityGapWithNoGrace(time.Second)).Aggregate(c("zero"), c("merge"), zero)
	joins(b, orders, paid)
	storesOfTopics(b, paid)
	return b
}

// joins are the tables of everything.
func joins(b *dsl.StreamsBuilder, orders, paid *dsl.KStream) {
	c := func(name string) dsl.Fn { return dsl.Guest("everything", name) }
	e := dsl.Expr
	text, doc, long := topology.String, topology.JSON, topology.Long
	pair := c("pair").Out(nil, doc)
	customers := b.Table("customers", dsl.Consumed{Key: text, Value: doc}, dsl.Materialized{Name: "customers", HistoryRetention: time.Hour, Versioned: true})
	products := b.Table("products", dsl.Consumed{Name: "products", Key: text, Value: doc})
	countries := b.GlobalTable("countries", dsl.Consumed{Key: text, Value: text}, dsl.Materialized{Name: "countries"})
	grace := time.Minute
	paid.JoinTable(customers, pair, dsl.Joined{Name: "with-customer", Key: text, Value: doc, Grace: &grace}).
		LeftJoinTable(products, pair).
		JoinGlobalTable(countries, e("value.country"), pair, "with-country").
		LeftJoinGlobalTable(countries, c("country"), e("left"), "").To("joined")
	payments := b.Stream("payments", dsl.Consumed{Key: text, Value: doc})
	within := dsl.JoinWindowsOfTimeDifferenceAndGrace(time.Minute, time.Second)
	paid.Join(payments, pair, within.Before(0), dsl.StreamJoined{Name: "settled", StoreName: "settled", Key: text, Value: doc, OtherValue: doc}).To("settled")
	paid.LeftJoin(payments, c("pair"), within.After(5*time.Second)).To("open")
	paid.OuterJoin(payments, c("pair"), dsl.JoinWindowsOfTimeDifferenceWithNoGrace(time.Minute), dsl.StreamJoined{InMemory: true, LoggingDisabled: true}).To("all")

	active := customers.Filter(e("value.active == true"), dsl.Materialized{StoreNamed: "active"}).FilterNot(c("blocked"))
	names := active.MapValues(e("value.name"), dsl.Materialized{Name: "names", Value: text}).TransformValues(c("watch"), []string{"seen"})
	names.Join(products, pair).LeftJoin(products, pair, dsl.Materialized{Name: "left", Value: doc}).
		OuterJoin(products, pair).
		Suppress(dsl.UntilTimeLimit(10*time.Second, dsl.MaxBytes(1000).EmitEarlyWhenFull())).
		ToStreamBy(e("key"), "pairs").To("pairs")
	byCity := active.GroupBy(dsl.MapExpr("value.city", "value.age"), dsl.Grouped{Name: "by-city", Key: text, Value: long})
	byCity.Count()
	byCity.Reduce(e("aggregate + value"), e("aggregate - value"), dsl.Materialized{Name: "ages"})
	byCity.Aggregate(e("0"), e("aggregate + value"), e("aggregate - value"), dsl.Materialized{Value: long})
	orders.ToTable(dsl.Materialized{Name: "orders-table", StoreNamed: "order-rows"}).
		JoinForeignKey(products, e("value.product"), pair, dsl.TableJoined{Name: "priced"}).
		LeftJoinForeignKey(products, c("product"), pair, dsl.TableJoined{}, dsl.Materialized{Name: "enriched", Value: doc})
}

// storesOfTopics are the last calls of everything.
func storesOfTopics(b *dsl.StreamsBuilder, paid *dsl.KStream) {
	c := func(name string) dsl.Fn { return dsl.Guest("everything", name) }
	process := func(name string) dsl.Process { return dsl.GuestProcessor("everything", name) }
	text, doc, long := topology.String, topology.JSON, topology.Long
	b.AddGlobalStore(topology.StoreSpec{Name: "rates", Kind: topology.KeyValue, KeySerde: text, ValueSerde: topology.Double, InMemory: true}, "rates",
		dsl.Consumed{Name: "rates", Key: text, Value: topology.Double}, process("keep"))
	b.AddReadOnlyStateStore(topology.StoreSpec{Name: "limits", Kind: topology.TimestampedKeyValue, ValueSerde: long}, "limits",
		dsl.Consumed{Value: long}, process("keep").WithConfig(map[string]string{"store": "limits"}))
	returns := b.Stream("returns", dsl.Consumed{Key: text, Value: doc, OffsetReset: "by_duration:1h0m0s"})
	both := paid.And(returns)
	both.Process(process("check"), "", "limits", "recent", "visits", "sittings", "prices").To("checked")
	both.ProcessValues(dsl.GuestValuesProcessor("everything", "watch"), "watched").To("watched")
	both.To("archive")
	both.ToExtracted(c("route"))
	returns.Print(dsl.Printed{Name: "shown", Label: "returns", Mapper: dsl.Expr("string(value.id)")})
	joinStore := func(name string, inMemory bool) *dsl.JoinStore {
		return &dsl.JoinStore{Name: name, Retention: 121 * time.Second, WindowSize: 2 * time.Minute, RetainDuplicates: true, InMemory: inMemory}
	}
	paid.Join(returns, c("pair").Out(nil, doc), dsl.JoinWindowsOfTimeDifferenceAndGrace(time.Minute, time.Second), dsl.StreamJoined{
		ThisStore: joinStore("paid-rows", false), OtherStore: joinStore("returned-rows", true),
	}).GroupByKey().Count(dsl.Materialized{Persistent: true}).
		Suppress(dsl.UntilTimeLimit(time.Second, dsl.BufferConfig{
			MaxRecords: math.MaxInt64, MaxBytes: math.MaxInt64, ShutDown: true, ChangelogConfigs: map[string]string{"segment.ms": "60000"},
		})).
		ToStream().To("returned")
}

// TestEveryOperatorFromAModule: the topology that a module hands over is the one that the Go builder makes by the same
// calls, to the last suffix, store and guest.
func TestEveryOperatorFromAModule(t *testing.T) {
	text, err := os.ReadFile("../../abi/testdata/topology.json")
	if err != nil {
		t.Fatal(err)
	}
	app, err := ParseModule(ModuleDocument{Path: "everything.wasm", Name: "everything", Text: text}, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	wantEverything(t, app)
	if app.Name != "everything" || app.Config["processing.guarantee"] != "exactly_once_v2" {
		t.Errorf("name %q, config %v", app.Name, app.Config)
	}
}

// TestEveryOperatorFromADocument: the same as a document that people write, which says of which module a component is.
func TestEveryOperatorFromADocument(t *testing.T) {
	text, err := os.ReadFile("../../abi/testdata/topology.json")
	if err != nil {
		t.Fatal(err)
	}
	document := strings.Replace(strings.ReplaceAll(string(text), `"guest": "`, `"guest": "everything/`),
		`"operators": [`, `"modules": {"everything": {"path": "everything.wasm"}}, "operators": [`, 1)
	app, err := Parse("app.yaml", []byte(document), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	wantEverything(t, app)
}

// addNodes makes the last calls of everything, those of a Topology.
func addNodes(t *testing.T, b *dsl.StreamsBuilder, to *topology.Topology) {
	t.Helper()
	c := func(name string) dsl.Fn { return dsl.Guest("everything", name) }
	process := func(name string) dsl.Process { return dsl.GuestProcessor("everything", name) }
	text, doc, long := topology.String, topology.JSON, topology.Long
	const hour = int64(time.Hour / time.Millisecond)
	packed := dsl.Produced{ValueSerializer: c("pack"), Value: long}
	for _, err := range []error{
		to.AddSource("clicks", b.SourceOptions(dsl.Consumed{Key: text, Value: doc, OffsetReset: "latest", Timestamps: c("when")}), "clicks", "old-clicks"),
		to.AddSourcePattern("taps", topology.SourceOptions{}, "tap-.*"),
		to.AddProcessor("observe", process("watch").WithConfig(map[string]string{"least": "1"}), "clicks", "taps", "remember"),
		to.AddStateStore(&topology.StoreSpec{Name: "trail", Kind: topology.Session, Retention: hour}, "observe"),
		to.AddStateStore(&topology.StoreSpec{Name: "sums-of-clicks", Kind: topology.KeyValue, KeySerde: text, ValueSerde: long}, "observe"),
		to.ConnectProcessorAndStateStores("observe", "seen"),
		to.AddSink("observed", "observed", b.SinkOptions(dsl.Produced{Key: text, Value: doc, Partitioner: c("spread")}), "observe"),
		to.AddDynamicSink("elsewhere", b.TopicNameExtractor(c("route"), packed), b.SinkOptions(packed), "observe", "clicks"),
		to.AddGlobalStore(&topology.StoreSpec{Name: "zones", Kind: topology.KeyValue, ValueSerde: topology.Double}, "zone-source",
			b.SourceOptions(dsl.Consumed{Value: topology.Double}), "zones", "zone-keeper", process("keep")),
		to.AddReadOnlyStateStore(&topology.StoreSpec{Name: "bounds", Kind: topology.KeyValue, ValueSerde: long}, "bound-source",
			b.SourceOptions(dsl.Consumed{Value: long, TimestampExtractor: "WallclockTimestampExtractor"}), "bounds", "bound-keeper",
			process("keep").WithConfig(map[string]string{"store": "bounds"})),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

// wantEverything wants the topology that the Go builder makes.
func wantEverything(t *testing.T, app *Application) {
	t.Helper()
	b := everything()
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	addNodes(t, b, built)
	if diff := cmp.Diff(built.Description("app"), app.Topology.Description("app")); diff != "" {
		t.Errorf("(-built +given):\n%s", diff)
	}
}

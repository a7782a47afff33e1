package streams

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"
)

// golden is the topology that every SDK's builder writes for the same calls, and that the host's tests compare with the
// one of topology/dsl. WASMSTREAM_WRITE_DOCS=1 writes it.
const golden = "../../../abi/testdata/topology.json"

// everything calls every operator. The same calls stand in the tests of the other SDKs and of topology/spec.
func everything(b *StreamsBuilder) {
	c, e := wasmstream.Component, wasmstream.Expr
	b.Config("processing.guarantee", "exactly_once_v2").Config("default.key.serde", "string")
	b.AddStateStore(Store{Name: "seen", Type: "timestampedKeyValue", Key: String, Value: Long, Caching: true, ChangelogConfigs: []Setting{{"retention.ms", "1000"}}})

	orders := b.Stream("orders", Consumed{Name: "orders", Key: String, Value: JSON, OffsetReset: "earliest", TimestampExtractor: "WallclockTimestampExtractor"})
	raw := b.StreamTopics([]string{"raw-1", "raw-2"}, Consumed{Timestamps: c("when"), Key: String, Value: JSON, ValueDeserializer: c("unpack")})
	b.StreamPattern("log-.*", Consumed{Key: String, Value: String}).Foreach(c("show"))
	paid := orders.Filter(c("paid").With("least", "10"), "paid").FilterNot(e("value.test == true"))
	paid.MapValues(c("total").Out("", Long)).To("totals", Produced{Name: "totals", Key: String, Value: Long, Partitioner: c("spread")})
	lines := paid.FlatMapValues(c("lines").Out("", JSON)).Peek(c("show"))
	lines.Map(wasmstream.MapExpr("value.product", "value.amount").Out(String, Long)).
		Repartition(Repartitioned{Name: "by-product", Partitions: 3, Key: String, Value: Long}).
		ToExtracted(c("route"), Produced{ValueSerializer: c("pack"), Value: Long})
	lines.FlatMap(c("explode").Out(String, String)).Merge(raw.MapValues(e("string(value.id)"))).
		SelectKey(e("value")).Print(Printed{Label: "ids"})

	split := paid.Split("size-")
	split.Branch(e("value.amount > 1000.0"), Branched{Name: "large"}).To("large")
	split.Branch(c("small")).To("small")
	split.DefaultBranch(Branched{Name: "rest"}).
		Process(c("remember"), "remember", "seen").
		ProcessValues(c("watch"), "").To("rest")

	byKey := paid.GroupByKey(Grouped{Name: "by-key", Key: String, Value: JSON})
	byKey.Count(Materialized{Name: "counts", InMemory: true, CachingDisabled: true, ChangelogConfigs: []Setting{{"segment.ms", "60000"}}})
	byKey.Reduce(c("newer"))
	byKey.Aggregate(e("0"), e("aggregate + 1"), Materialized{Name: "sums", Value: Long, LoggingDisabled: true, StoreNamed: "summing"})
	byRegion := paid.GroupBy(e("value.region").Out(String, ""), Grouped{Name: "by-region"})
	byRegion.WindowedBy(TimeWindowsOfSizeAndGrace(time.Hour, time.Minute).AdvanceBy(30 * time.Minute)).
		EmitStrategy(OnWindowClose).Count(Materialized{Name: "hourly", Retention: 24 * time.Hour})
	byRegion.WindowedBy(SlidingWindowsOfTimeDifferenceWithNoGrace(time.Minute)).Reduce(c("newer"))
	byRegion.WindowedBy(UnlimitedWindows{Start: 5}).Aggregate(c("zero").Out("", JSON), c("add"))
	byRegion.WindowedBySessions(SessionWindowsOfInactivityGapAndGrace(time.Minute, time.Second)).
		Aggregate(c("zero").Out("", JSON), c("add"), c("merge")).
		Suppress(UntilWindowCloses(BufferConfig{MaxRecords: 100, LoggingDisabled: true}).WithName("final")).
		ToStream().To("sessions")
	cities := paid.GroupBy(e("value.city").Out(String, ""))
	cities.Cogroup(c("add")).Cogroup(byKey, e("aggregate")).Aggregate(c("zero").Out("", JSON))
	cities.Cogroup(c("add")).WindowedBy(TimeWindowsOfSizeWithNoGrace(time.Second)).Aggregate(c("zero").Out("", JSON))
	cities.Cogroup(c("add")).WindowedBySessions(SessionWindowsOfInactivityGapWithNoGrace(time.Second)).Aggregate(c("zero").Out("", JSON), c("merge"))

	customers := b.Table("customers", Consumed{Key: String, Value: JSON}, Materialized{Name: "customers", HistoryRetention: time.Hour, Versioned: true})
	products := b.Table("products", Consumed{Name: "products", Key: String, Value: JSON})
	countries := b.GlobalTable("countries", Consumed{Key: String, Value: String}, Materialized{Name: "countries"})
	paid.JoinTable(customers, c("pair").Out("", JSON), Joined{Name: "with-customer", Key: String, Value: JSON, GracePeriod: time.Minute}).
		LeftJoinTable(products, c("pair").Out("", JSON)).
		JoinGlobalTable(countries, e("value.country"), c("pair").Out("", JSON), "with-country").
		LeftJoinGlobalTable(countries, c("country"), e("left"), "").To("joined")
	payments := b.Stream("payments", Consumed{Key: String, Value: JSON})
	within := JoinWindowsOfTimeDifferenceAndGrace(time.Minute, time.Second)
	paid.Join(payments, c("pair").Out("", JSON), within.Before(0), StreamJoined{Name: "settled", StoreName: "settled", Key: String, Value: JSON, OtherValue: JSON}).To("settled")
	paid.LeftJoin(payments, c("pair"), within.After(5*time.Second)).To("open")
	paid.OuterJoin(payments, c("pair"), JoinWindowsOfTimeDifferenceWithNoGrace(time.Minute), StreamJoined{InMemory: true, LoggingDisabled: true}).To("all")

	active := customers.Filter(e("value.active == true"), Materialized{StoreNamed: "active"}).FilterNot(c("blocked"))
	named := active.MapValues(e("value.name"), Materialized{Name: "names", Value: String}).TransformValues(c("watch"), []string{"seen"})
	named.Join(products, c("pair").Out("", JSON)).LeftJoin(products, c("pair").Out("", JSON), Materialized{Name: "left", Value: JSON}).
		OuterJoin(products, c("pair").Out("", JSON)).
		Suppress(UntilTimeLimit(10*time.Second, BufferConfig{MaxBytes: 1000, EmitEarly: true})).
		ToStreamBy(e("key"), "pairs").To("pairs")
	byCity := active.GroupBy(wasmstream.MapExpr("value.city", "value.age"), Grouped{Name: "by-city", Key: String, Value: Long})
	byCity.Count()
	byCity.Reduce(e("aggregate + value"), e("aggregate - value"), Materialized{Name: "ages"})
	byCity.Aggregate(e("0"), e("aggregate + value"), e("aggregate - value"), Materialized{Value: Long})
	orders.ToTable(Materialized{Name: "orders-table", StoreNamed: "order-rows"}).
		JoinForeignKey(products, e("value.product"), c("pair").Out("", JSON), TableJoined{Name: "priced"}).
		LeftJoinForeignKey(products, c("product"), c("pair").Out("", JSON), TableJoined{}, Materialized{Name: "enriched", Value: JSON})
	storesOfTopics(b, paid)
}

// storesOfTopics are stores that processors write from topics, operators with several parents, and stores described in full.
func storesOfTopics(b *StreamsBuilder, paid *KStream) {
	c, e := wasmstream.Component, wasmstream.Expr
	b.AddStateStore(Store{Name: "recent", Type: "lru", Key: String, Value: JSON, MaxEntries: 100})
	b.AddStateStore(Store{Name: "visits", Type: "window", Value: Long, Retention: time.Hour, WindowSize: time.Minute, SegmentInterval: 2 * time.Minute, RetainDuplicates: true})
	b.AddStateStore(Store{Name: "sittings", Type: "session", Key: String, Retention: time.Hour})
	b.AddStateStore(Store{Name: "prices", Type: "versionedKeyValue", Value: Double, HistoryRetention: time.Minute})
	b.AddGlobalStore(Store{Name: "rates", Key: String, Value: Double, InMemory: true}, "rates", Consumed{Name: "rates", Key: String, Value: Double}, c("keep"))
	b.AddReadOnlyStateStore(Store{Name: "limits", Type: "timestampedKeyValue", Value: Long}, "limits", Consumed{Value: Long}, c("keep").With("store", "limits"))
	returns := b.Stream("returns", Consumed{Key: String, Value: JSON, OffsetResetBy: time.Hour})
	both := paid.And(returns)
	both.Process(c("check"), "", "limits", "recent", "visits", "sittings", "prices").To("checked")
	both.ProcessValues(c("watch"), "watched").To("watched")
	both.To("archive")
	both.ToExtracted(c("route"))
	returns.Print(Printed{Name: "shown", Label: "returns", Mapper: e("string(value.id)")})
	paid.Join(returns, c("pair").Out("", JSON), JoinWindowsOfTimeDifferenceAndGrace(time.Minute, time.Second), StreamJoined{
		ThisStore:  &JoinStore{Name: "paid-rows", Retention: 121 * time.Second, WindowSize: 2 * time.Minute},
		OtherStore: &JoinStore{Name: "returned-rows", Retention: 121 * time.Second, WindowSize: 2 * time.Minute, InMemory: true},
	}).GroupByKey().Count(Materialized{Persistent: true}).
		Suppress(UntilTimeLimit(time.Second, BufferConfig{ChangelogConfigs: []Setting{{"segment.ms", "60000"}}})).
		ToStream().To("returned")
	nodes(b.Build())
}

// nodes are the calls of a Topology, on top of what the operators make.
func nodes(t *Topology) {
	c := wasmstream.Component
	t.AddSource("clicks", Consumed{Key: String, Value: JSON, OffsetReset: "latest", Timestamps: c("when")}, "clicks", "old-clicks").
		AddSourcePattern("taps", Consumed{}, "tap-.*").
		AddProcessor("observe", c("watch").With("least", "1"), "clicks", "taps", "remember").
		AddStateStore(Store{Name: "trail", Type: "session", Retention: time.Hour}, "observe").
		AddStateStore(Store{Name: "sums-of-clicks", Key: String, Value: Long}).
		ConnectProcessorAndStateStores("observe", "sums-of-clicks", "seen").
		AddSink("observed", "observed", Produced{Key: String, Value: JSON, Partitioner: c("spread")}, "observe").
		AddSinkExtracted("elsewhere", c("route"), Produced{ValueSerializer: c("pack"), Value: Long}, "observe", "clicks").
		AddGlobalStore(Store{Name: "zones", Value: Double}, "zone-source", Consumed{Value: Double}, "zones", "zone-keeper", c("keep")).
		AddReadOnlyStateStore(Store{Name: "bounds", Value: Long}, "bound-source", Consumed{Value: Long, TimestampExtractor: "WallclockTimestampExtractor"}, "bounds", "bound-keeper", c("keep").With("store", "bounds"))
}

func TestEverything(t *testing.T) {
	b := newBuilder("everything")
	everything(b)
	var got bytes.Buffer
	if err := json.Indent(&got, b.JSON(), "", " "); err != nil {
		t.Fatalf("%v in %s", err, b.JSON())
	}
	got.WriteByte('\n')
	if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("line %d: got %s, want %s", i+1, gotLines[i], wantLines[i])
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Errorf("%d lines, want %d", len(gotLines), len(wantLines))
	}
}

// TestManifestCarriesTheTopology: the builder is the module's, and functions in place are components.
func TestManifestCarriesTheTopology(t *testing.T) {
	b := NewStreamsBuilder("")
	b.Stream("a").
		Filter(wasmstream.Filter("", func(*wasmstream.Record) bool { return true })).
		MapValues(wasmstream.MapValues("upper", func(value []byte) []byte { return value })).
		Process(wasmstream.Process("remember", func() wasmstream.Processor { return nil }, wasmstream.Stores("seen")), "").
		To("b")
	var manifest struct {
		Components []struct{ Name, Kind string }
		Topology   struct {
			Metadata  *struct{}
			Operators []map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(wasmstream.NewTestHost().Manifest()), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Components) != 3 || manifest.Components[0].Name != "filter-1" {
		t.Errorf("components %v", manifest.Components)
	}
	operators := manifest.Topology.Operators
	if len(operators) != 5 || string(operators[1]["filter"]) != `{"guest":"filter-1"}` || string(operators[3]["process"]) != `{"guest":"remember","stores":["seen"]}` {
		t.Errorf("operators %s", operators)
	}
	if manifest.Topology.Metadata != nil {
		t.Error("a builder without a name gives one")
	}
}

// TestTopologyAlone: nodes without operators, and the stores that a processor names.
func TestTopologyAlone(t *testing.T) {
	b := newBuilder("")
	b.Build().AddSource("in", Consumed{}, "a").
		AddProcessor("work", wasmstream.Process("work", func() wasmstream.Processor { return nil }, wasmstream.Stores("seen")), "in")
	want := `{"apiVersion":"wasmstream/v1","kind":"Application","topology":[{"addSource":{"name":"in","topics":["a"]}},` +
		`{"addProcessor":{"name":"work","parents":["in"],"guest":"work","stores":["seen"]}}]}`
	if got := string(b.JSON()); got != want {
		t.Errorf("got %s", got)
	}
}

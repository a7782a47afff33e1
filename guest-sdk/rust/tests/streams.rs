//! The builder of topologies.

use std::time::Duration;
use wasmstream::streams::{
    BufferConfig, Consumed, EmitStrategy, Function, Grouped, JoinStore, JoinWindows, Joined, KStream, Keeper,
    Materialized, Printed, Produced, Repartitioned, Serde, SessionWindows, SlidingWindows, Store, StreamJoined,
    StreamsBuilder, Suppressed, TableJoined, TimeWindows, Topology, UnlimitedWindows, component as c, expr as e,
    map_expr,
};
use wasmstream::{Context, Error, Module, Processor, Record, filter, map_values, process};

const STRING: Serde = Serde::STRING;
const LONG: Serde = Serde::LONG;
const JSON: Serde = Serde::JSON;
const OPEN: Serde = Serde::DEFAULT;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn json(name: &str) -> Function {
    c(name).out(OPEN, JSON)
}

/// Calls every operator. The same calls stand in the tests of the other SDKs and of topology/spec.
fn everything() -> StreamsBuilder {
    let b = StreamsBuilder::new("everything");
    b.config("processing.guarantee", "exactly_once_v2").config("default.key.serde", "string");
    b.add_state_store(Store {
        name: "seen",
        kind: "timestampedKeyValue",
        key: STRING,
        value: LONG,
        caching: true,
        changelog: &[("retention.ms", "1000")],
        ..Store::default()
    });
    let orders = b.stream(
        "orders",
        Consumed {
            name: "orders",
            offset_reset: "earliest",
            timestamp_extractor: "WallclockTimestampExtractor",
            ..Consumed::with(STRING, JSON)
        },
    );
    let raw = b.stream_topics(
        &["raw-1", "raw-2"],
        Consumed { timestamps: Some(c("when")), value_deserializer: Some(c("unpack")), ..Consumed::with(STRING, JSON) },
    );
    b.stream_pattern("log-.*", Consumed::with(STRING, STRING)).foreach(c("show"));
    let paid = orders.filter(c("paid").with("least", "10")).named("paid").filter_not(e("value.test == true"));
    stateless(&raw, &paid);
    aggregations(&paid);
    joins(&b, &orders, &paid);
    stores_of_topics(&b, &paid);
    b
}

fn stateless(raw: &KStream, paid: &KStream) {
    let totals = Produced { name: "totals", partitioner: Some(c("spread")), ..Produced::with(STRING, LONG) };
    paid.map_values(c("total").out(OPEN, LONG)).to("totals", totals);
    let lines = paid.flat_map_values(json("lines")).peek(c("show"));
    lines
        .map(map_expr("value.product", "value.amount").out(STRING, LONG))
        .repartition(Repartitioned {
            name: "by-product",
            partitions: 3,
            key: STRING,
            value: LONG,
            ..Repartitioned::default()
        })
        .to_extracted(c("route"), Produced { value_serializer: Some(c("pack")), value: LONG, ..Produced::default() });
    lines
        .flat_map(c("explode").out(STRING, STRING))
        .merge(&raw.map_values(e("string(value.id)")))
        .select_key(e("value"))
        .print(Printed { label: "ids", ..Printed::default() });
    let split = paid.split("size-");
    split.branch(e("value.amount > 1000.0"), "large").to("large", None);
    split.branch(c("small"), "").to("small", None);
    split
        .default_branch("rest")
        .process(c("remember"), &["seen"])
        .named("remember")
        .process_values(c("watch"), &[])
        .to("rest", None);
}

fn aggregations(paid: &KStream) {
    let by_key = paid.group_by_key(Grouped { name: "by-key", ..Grouped::with(STRING, JSON) });
    by_key.count(Materialized {
        in_memory: true,
        caching_disabled: true,
        changelog: &[("segment.ms", "60000")],
        ..Materialized::named("counts")
    });
    by_key.reduce(c("newer"), None);
    let sums = Materialized { value: LONG, logging_disabled: true, ..Materialized::named("sums") };
    by_key.aggregate(e("0"), e("aggregate + 1"), sums).named("summing");
    let by_region =
        paid.group_by(e("value.region").out(STRING, OPEN), Grouped { name: "by-region", ..Grouped::default() });
    by_region
        .windowed_by(TimeWindows::of_size_and_grace(seconds(3600), seconds(60)).advance_by(seconds(1800)))
        .emit_strategy(EmitStrategy::OnWindowClose)
        .count(Materialized { retention: Some(seconds(24 * 3600)), ..Materialized::named("hourly") });
    by_region.windowed_by(SlidingWindows::of_time_difference_with_no_grace(seconds(60))).reduce(c("newer"), None);
    by_region.windowed_by(UnlimitedWindows { start: 5 }).aggregate(json("zero"), c("add"), None);
    by_region
        .windowed_by_sessions(SessionWindows::of_inactivity_gap_and_grace(seconds(60), seconds(1)))
        .aggregate(json("zero"), c("add"), c("merge"), None)
        .suppress(Suppressed::until_window_closes(BufferConfig {
            max_records: 100,
            logging_disabled: true,
            ..BufferConfig::default()
        }))
        .named("final")
        .to_stream()
        .to("sessions", None);
    let cities = paid.group_by(e("value.city").out(STRING, OPEN), None);
    cities.cogroup(c("add")).cogroup(&by_key, e("aggregate")).aggregate(json("zero"), None);
    cities.cogroup(c("add")).windowed_by(TimeWindows::of_size_with_no_grace(seconds(1))).aggregate(json("zero"), None);
    cities
        .cogroup(c("add"))
        .windowed_by_sessions(SessionWindows::of_inactivity_gap_with_no_grace(seconds(1)))
        .aggregate(json("zero"), c("merge"), None);
}

fn joins(b: &StreamsBuilder, orders: &KStream, paid: &KStream) {
    let consumed = || Consumed::with(STRING, JSON);
    let customers = b.table(
        "customers",
        consumed(),
        Materialized { history_retention: Some(seconds(3600)), ..Materialized::named("customers") },
    );
    let products = b.table("products", Consumed { name: "products", ..consumed() }, None);
    let countries = b.global_table("countries", Consumed::with(STRING, STRING), Materialized::named("countries"));
    let joined = Joined { name: "with-customer", key: STRING, value: JSON, grace_period: Some(seconds(60)) };
    paid.join_table(&customers, json("pair"), joined)
        .left_join_table(&products, json("pair"), None)
        .join_global_table(&countries, e("value.country"), json("pair"))
        .named("with-country")
        .left_join_global_table(&countries, c("country"), e("left"))
        .to("joined", None);
    let payments = b.stream("payments", consumed());
    let within = JoinWindows::of_time_difference_and_grace(seconds(60), seconds(1));
    let settled = StreamJoined {
        name: "settled",
        store_name: "settled",
        key: STRING,
        value: JSON,
        other_value: JSON,
        ..StreamJoined::default()
    };
    paid.join(&payments, json("pair"), within.before(seconds(0)), settled).to("settled", None);
    paid.left_join(&payments, c("pair"), within.after(seconds(5)), None).to("open", None);
    let minute = JoinWindows::of_time_difference_with_no_grace(seconds(60));
    let in_memory = StreamJoined { in_memory: true, logging_disabled: true, ..StreamJoined::default() };
    paid.outer_join(&payments, c("pair"), minute, in_memory).to("all", None);

    let active = customers.filter(e("value.active == true"), None).named("active").filter_not(c("blocked"), None);
    let names = Materialized { value: STRING, ..Materialized::named("names") };
    active
        .map_values(e("value.name"), names)
        .transform_values(c("watch"), &["seen"], None)
        .join(&products, json("pair"), None)
        .left_join(&products, json("pair"), Materialized { value: JSON, ..Materialized::named("left") })
        .outer_join(&products, json("pair"), None)
        .suppress(Suppressed::until_time_limit(
            seconds(10),
            BufferConfig { max_bytes: 1000, emit_early: true, ..BufferConfig::default() },
        ))
        .to_stream_by(e("key"), "pairs")
        .to("pairs", None);
    let by_city = active
        .group_by(map_expr("value.city", "value.age"), Grouped { name: "by-city", ..Grouped::with(STRING, LONG) });
    by_city.count(None);
    by_city.reduce(e("aggregate + value"), e("aggregate - value"), Materialized::named("ages"));
    let long = Materialized { value: LONG, ..Materialized::default() };
    by_city.aggregate(e("0"), e("aggregate + value"), e("aggregate - value"), long);
    orders
        .to_table(Materialized::named("orders-table"))
        .named("order-rows")
        .join_foreign_key(
            &products,
            e("value.product"),
            json("pair"),
            TableJoined { name: "priced", ..TableJoined::default() },
            None,
        )
        .left_join_foreign_key(
            &products,
            c("product"),
            json("pair"),
            None,
            Materialized { value: JSON, ..Materialized::named("enriched") },
        );
}

fn stores_of_topics(b: &StreamsBuilder, paid: &KStream) {
    b.add_state_store(Store {
        name: "recent",
        kind: "lru",
        key: STRING,
        value: JSON,
        max_entries: 100,
        ..Store::default()
    });
    b.add_state_store(Store {
        name: "visits",
        kind: "window",
        value: LONG,
        retention: seconds(3600),
        window_size: seconds(60),
        segment_interval: seconds(120),
        retain_duplicates: true,
        ..Store::default()
    });
    b.add_state_store(Store {
        name: "sittings",
        kind: "session",
        key: STRING,
        retention: seconds(3600),
        ..Store::default()
    });
    b.add_state_store(Store {
        name: "prices",
        kind: "versionedKeyValue",
        value: Serde::DOUBLE,
        history_retention: seconds(60),
        ..Store::default()
    });
    let rates = Store { name: "rates", key: STRING, value: Serde::DOUBLE, in_memory: true, ..Store::default() };
    let named = Consumed { name: "rates", ..Consumed::with(STRING, Serde::DOUBLE) };
    b.add_global_store(rates, "rates", named, c("keep"));
    let limits = Store { name: "limits", kind: "timestampedKeyValue", value: LONG, ..Store::default() };
    b.add_read_only_state_store(limits, "limits", Consumed::with(OPEN, LONG), c("keep").with("store", "limits"));
    let returns =
        b.stream("returns", Consumed { offset_reset_by: Some(seconds(3600)), ..Consumed::with(STRING, JSON) });
    let both = paid.and(&returns);
    both.process(c("check"), &["limits", "recent", "visits", "sittings", "prices"]).to("checked", None);
    both.process_values(c("watch"), &[]).named("watched").to("watched", None);
    both.to("archive", None);
    both.to_extracted(c("route"), None);
    returns.print(Printed { name: "shown", label: "returns", mapper: Some(e("string(value.id)")) });
    let side =
        |name, in_memory| Some(JoinStore { name, retention: seconds(121), window_size: seconds(120), in_memory });
    let stores = StreamJoined {
        this_store: side("paid-rows", false),
        other_store: side("returned-rows", true),
        ..StreamJoined::default()
    };
    paid.join(&returns, json("pair"), JoinWindows::of_time_difference_and_grace(seconds(60), seconds(1)), stores)
        .group_by_key(None)
        .count(Materialized { persistent: true, ..Materialized::default() })
        .suppress(Suppressed::until_time_limit(
            seconds(1),
            BufferConfig { changelog: &[("segment.ms", "60000")], ..BufferConfig::default() },
        ))
        .to_stream()
        .to("returned", None);
    nodes(&b.build());
}

fn nodes(t: &Topology) {
    let clicks = Consumed { offset_reset: "latest", timestamps: Some(c("when")), ..Consumed::with(STRING, JSON) };
    let spread = Produced { partitioner: Some(c("spread")), ..Produced::with(STRING, JSON) };
    let packed = Produced { value_serializer: Some(c("pack")), ..Produced::with(OPEN, LONG) };
    let trail = Store { name: "trail", kind: "session", retention: seconds(3600), ..Store::default() };
    let zones = Keeper {
        store: Store { name: "zones", value: Serde::DOUBLE, ..Store::default() },
        source_name: "zone-source",
        consumed: Consumed::with(OPEN, Serde::DOUBLE),
        topic: "zones",
        processor_name: "zone-keeper",
    };
    let bounds = Keeper {
        store: Store { name: "bounds", value: LONG, ..Store::default() },
        source_name: "bound-source",
        consumed: Consumed { timestamp_extractor: "WallclockTimestampExtractor", ..Consumed::with(OPEN, LONG) },
        topic: "bounds",
        processor_name: "bound-keeper",
    };
    t.add_source("clicks", clicks, &["clicks", "old-clicks"])
        .add_source_pattern("taps", None, "tap-.*")
        .add_processor("observe", c("watch").with("least", "1"), &["clicks", "taps", "remember"])
        .add_state_store(trail, &["observe"])
        .add_state_store(Store { name: "sums-of-clicks", key: STRING, value: LONG, ..Store::default() }, &[])
        .connect_processor_and_state_stores("observe", &["sums-of-clicks", "seen"])
        .add_sink("observed", "observed", spread, &["observe"])
        .add_sink_extracted("elsewhere", c("route"), packed, &["observe", "clicks"])
        .add_global_store(zones, c("keep"))
        .add_read_only_state_store(bounds, c("keep").with("store", "bounds"));
}

/// JSON without the blanks between its words.
fn compact(text: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if quoted || !c.is_whitespace() {
            out.push(c);
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    out
}

#[test]
fn everything_is_the_golden_topology() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../abi/testdata/topology.json");
    let want = compact(&std::fs::read_to_string(golden).unwrap());
    let got = everything().json();
    let at = got.bytes().zip(want.bytes()).take_while(|(a, b)| a == b).count();
    let around = |s: &str| s.chars().skip(at.saturating_sub(80)).take(160).collect::<String>();
    assert_eq!(got, want, "from byte {at} on:\n got {}\nwant {}", around(&got), around(&want));
}

struct Nothing;

impl Processor for Nothing {
    fn process(&mut self, _: &mut Context, _: &Record<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn functions_in_place_are_components() {
    let b = StreamsBuilder::new("");
    b.stream("a", None)
        .filter(filter("", |_| true))
        .map_values(map_values("upper", |_, _| ()).with("locale", "tr").out(OPEN, STRING))
        .process(process("remember", || Nothing).stores(&["seen"]), &[])
        .to("b", None);
    let m = Module::new("shop", "1.0.0").with(filter("other", |_| true)).with_topology(b).manifest();
    let components: Vec<&str> = m.split("\"kind\"").filter_map(|s| s.split("\"name\":\"").nth(1)).collect();
    assert!(m.contains(r#""name":"filter-1","kind":"filter""#) && components.len() >= 4, "{m}");
    let topology = concat!(
        r#""topology":{"apiVersion":"wasmstream/v1","kind":"Application","operators":[{"id":"1","stream":{"topic":"a"}},"#,
        r#"{"id":"2","from":"1","filter":{"guest":"filter-1"}},{"id":"3","from":"2","mapValues":{"guest":"upper","config":{"locale":"tr"},"value":"string"}},"#,
        r#"{"id":"4","from":"3","process":{"guest":"remember","stores":["seen"]}},{"id":"5","from":"4","to":{"topic":"b"}}]}}"#,
    );
    assert!(m.ends_with(topology), "{m}");
}

#[test]
fn a_topology_alone() {
    let b = StreamsBuilder::new("");
    let t = b.build();
    t.add_source("in", None, &["a"]).add_processor("work", process("work", || Nothing).stores(&["seen"]), &["in"]);
    let want = concat!(
        r#"{"apiVersion":"wasmstream/v1","kind":"Application","topology":[{"addSource":{"name":"in","topics":["a"]}},"#,
        r#"{"addProcessor":{"name":"work","parents":["in"],"guest":"work","stores":["seen"]}}]}"#,
    );
    assert_eq!(b.json(), want);
}

#[test]
#[should_panic(expected = "component upper is there twice")]
fn a_name_is_taken_once() {
    let b = StreamsBuilder::new("");
    let s = b.stream("a", None);
    s.map_values(map_values("upper", |_, _| ())).map_values(map_values("upper", |_, _| ())).to("b", None);
    let _ = Module::new("shop", "1.0.0").with_topology(b);
}

#[test]
#[should_panic(expected = "has a topology already")]
fn a_module_has_one_topology() {
    let _ =
        Module::new("shop", "1.0.0").with_topology(StreamsBuilder::new("a")).with_topology(StreamsBuilder::new("b"));
}

/* A module whose topology calls every operator. The same calls stand in the tests of the other SDKs and of topology/spec. */
#include "wasmstream_streams.h"

#define MINUTE INT64_C(60000)

static ws_fn json(const char *component) { return ws_out(ws_guest(component), NULL, WS_JSON); }

static void stateless(ws_kstream paid, ws_kstream raw) {
    ws_kstream_to(ws_kstream_map_values(paid, ws_out(ws_guest("total"), NULL, WS_LONG), NULL), "totals",
                  &(ws_produced){.name = "totals", .key = WS_STRING, .value = WS_LONG, .partitioner = ws_guest("spread")});
    ws_kstream lines = ws_kstream_peek(ws_kstream_flat_map_values(paid, json("lines"), NULL), ws_guest("show"), NULL);
    ws_kstream amounts = ws_kstream_map(lines, ws_out(ws_map_expr("value.product", "value.amount"), WS_STRING, WS_LONG), NULL);
    amounts = ws_kstream_repartition(amounts, &(ws_repartitioned){.name = "by-product", .partitions = 3, .key = WS_STRING, .value = WS_LONG});
    ws_kstream_to_extracted(amounts, ws_guest("route"), &(ws_produced){.value_serializer = ws_guest("pack"), .value = WS_LONG});
    ws_kstream exploded = ws_kstream_flat_map(lines, ws_out(ws_guest("explode"), WS_STRING, WS_STRING), NULL);
    ws_kstream both = ws_kstream_merge(exploded, ws_kstream_map_values(raw, ws_expr("string(value.id)"), NULL), NULL);
    ws_kstream_print(ws_kstream_select_key(both, ws_expr("value"), NULL), "ids", NULL);

    ws_branched split = ws_kstream_split(paid, "size-");
    ws_kstream_to(ws_branched_branch(split, ws_expr("value.amount > 1000.0"), "large"), "large", NULL);
    ws_kstream_to(ws_branched_branch(split, ws_guest("small"), NULL), "small", NULL);
    ws_kstream rest = ws_kstream_process(ws_branched_default(split, "rest"), ws_guest("remember"), WS_STORE_NAMES("seen"), "remember");
    ws_kstream_to(ws_kstream_process_values(rest, ws_guest("watch"), NULL, NULL), "rest", NULL);
}

static void aggregations(ws_kstream paid) {
    ws_kgrouped by_key = ws_kstream_group_by_key(paid, &(ws_grouped){"by-key", WS_STRING, WS_JSON});
    ws_kgrouped_count(by_key, &(ws_materialized){.name = "counts", .in_memory = true, .caching_disabled = true, .changelog = {"segment.ms", "60000"}});
    ws_kgrouped_reduce(by_key, ws_guest("newer"), NULL);
    ws_kgrouped_aggregate(by_key, ws_expr("0"), ws_expr("aggregate + 1"),
                          &(ws_materialized){.name = "sums", .value = WS_LONG, .logging_disabled = true, .node = "summing"});
    ws_kgrouped by_region = ws_kstream_group_by(paid, ws_out(ws_expr("value.region"), WS_STRING, NULL), &(ws_grouped){.name = "by-region"});
    ws_windowed hourly = ws_kgrouped_windowed_by(by_region, ws_hopping_windows(60 * MINUTE, 30 * MINUTE, MINUTE), WS_ON_WINDOW_CLOSE);
    ws_windowed_count(hourly, &(ws_materialized){.name = "hourly", .retention = 24 * 60 * MINUTE});
    ws_windowed_reduce(ws_kgrouped_windowed_by(by_region, ws_sliding_windows(MINUTE, 0), NULL), ws_guest("newer"), NULL);
    ws_windowed_aggregate(ws_kgrouped_windowed_by(by_region, ws_unlimited_windows(5), NULL), json("zero"), ws_guest("add"), ws_no_fn(), NULL);
    ws_windowed sessions = ws_kgrouped_windowed_by(by_region, ws_session_windows(MINUTE, 1000), NULL);
    ws_ktable bursts = ws_windowed_aggregate(sessions, json("zero"), ws_guest("add"), ws_guest("merge"), NULL);
    bursts = ws_ktable_suppress(bursts, &(ws_suppressed){.name = "final", .until_window_closes = true, .max_records = 100, .logging_disabled = true});
    ws_kstream_to(ws_ktable_to_stream(bursts, NULL), "sessions", NULL);

    ws_kgrouped cities = ws_kstream_group_by(paid, ws_out(ws_expr("value.city"), WS_STRING, NULL), NULL);
    ws_cogrouped two = ws_kgrouped_cogroup(cities, ws_guest("add"));
    ws_cogrouped_add(&two, by_key, ws_expr("aggregate"));
    ws_cogrouped_aggregate(&two, json("zero"), NULL);
    ws_cogrouped one = ws_kgrouped_cogroup(cities, ws_guest("add"));
    ws_windowed_aggregate(ws_cogrouped_windowed_by(&one, ws_tumbling_windows(1000, 0)), json("zero"), ws_no_fn(), ws_no_fn(), NULL);
    ws_windowed_aggregate(ws_cogrouped_windowed_by(&one, ws_session_windows(1000, 0)), json("zero"), ws_no_fn(), ws_guest("merge"), NULL);
}

static void stream_joins(ws_builder *b, ws_kstream paid, ws_ktable customers, ws_ktable products, ws_gktable countries) {
    static const int64_t none = 0, seconds = 5000;
    ws_kstream s = ws_kstream_join_table(paid, customers, json("pair"),
                                         &(ws_joined){.name = "with-customer", .key = WS_STRING, .value = WS_JSON, .grace_period = MINUTE});
    s = ws_kstream_left_join_table(s, products, json("pair"), NULL);
    s = ws_kstream_join_global_table(s, countries, ws_expr("value.country"), json("pair"), "with-country");
    ws_kstream_to(ws_kstream_left_join_global_table(s, countries, ws_guest("country"), ws_expr("left"), NULL), "joined", NULL);

    ws_kstream payments = ws_streams_stream(b, "payments", &(ws_consumed){.key = WS_STRING, .value = WS_JSON});
    ws_stream_joined settled = {.name = "settled", .store_name = "settled", .key = WS_STRING, .value = WS_JSON, .other_value = WS_JSON};
    ws_join_windows before = {.difference = MINUTE, .grace = 1000, .before = &none}, after = {.difference = MINUTE, .grace = 1000, .after = &seconds};
    ws_kstream_to(ws_kstream_join(paid, payments, json("pair"), &before, &settled), "settled", NULL);
    ws_kstream_to(ws_kstream_left_join(paid, payments, ws_guest("pair"), &after, NULL), "open", NULL);
    ws_kstream_to(ws_kstream_outer_join(paid, payments, ws_guest("pair"), &(ws_join_windows){.difference = MINUTE},
                                        &(ws_stream_joined){.in_memory = true, .logging_disabled = true}),
                  "all", NULL);
}

static void tables(ws_kstream orders, ws_ktable customers, ws_ktable products) {
    ws_ktable active = ws_ktable_filter(customers, ws_expr("value.active == true"), &(ws_materialized){.node = "active"});
    active = ws_ktable_filter_not(active, ws_guest("blocked"), NULL);
    ws_ktable named = ws_ktable_map_values(active, ws_expr("value.name"), &(ws_materialized){.name = "names", .value = WS_STRING});
    named = ws_ktable_transform_values(named, ws_guest("watch"), WS_STORE_NAMES("seen"), NULL);
    named = ws_ktable_join(named, products, json("pair"), NULL);
    named = ws_ktable_left_join(named, products, json("pair"), &(ws_materialized){.name = "left", .value = WS_JSON});
    named = ws_ktable_outer_join(named, products, json("pair"), NULL);
    named = ws_ktable_suppress(named, &(ws_suppressed){.until_time_limit = 10000, .max_bytes = 1000, .emit_early = true});
    ws_kstream_to(ws_kstream_select_key(ws_ktable_to_stream(named, "pairs"), ws_expr("key"), NULL), "pairs", NULL);

    ws_kgrouped_table by_city = ws_ktable_group_by(active, ws_map_expr("value.city", "value.age"), &(ws_grouped){"by-city", WS_STRING, WS_LONG});
    ws_fn add = ws_expr("aggregate + value"), subtract = ws_expr("aggregate - value");
    ws_kgrouped_table_count(by_city, NULL);
    ws_kgrouped_table_reduce(by_city, add, subtract, &(ws_materialized){.name = "ages"});
    ws_kgrouped_table_aggregate(by_city, ws_expr("0"), add, subtract, &(ws_materialized){.value = WS_LONG});

    ws_ktable rows = ws_kstream_to_table(orders, &(ws_materialized){.name = "orders-table", .node = "order-rows"});
    rows = ws_ktable_join_foreign_key(rows, products, ws_expr("value.product"), json("pair"), &(ws_table_joined){.name = "priced"}, NULL);
    ws_ktable_left_join_foreign_key(rows, products, ws_guest("product"), json("pair"), NULL, &(ws_materialized){.name = "enriched", .value = WS_JSON});
}

static void stores_of_topics(ws_builder *b, ws_kstream paid) {
    ws_streams_add_state_store(b, &(ws_store){.name = "recent", .type = "lru", .key = WS_STRING, .value = WS_JSON, .max_entries = 100});
    ws_streams_add_state_store(b, &(ws_store){.name = "visits", .type = "window", .value = WS_LONG, .retention = 60 * MINUTE, .window_size = MINUTE,
                                              .segment_interval = 2 * MINUTE, .retain_duplicates = true});
    ws_streams_add_state_store(b, &(ws_store){.name = "sittings", .type = "session", .key = WS_STRING, .retention = 60 * MINUTE});
    ws_streams_add_state_store(b, &(ws_store){.name = "prices", .type = "versionedKeyValue", .value = WS_DOUBLE, .history_retention = MINUTE});
    ws_streams_add_global_store(b, &(ws_store){.name = "rates", .key = WS_STRING, .value = WS_DOUBLE, .in_memory = true}, "rates",
                                &(ws_consumed){.name = "rates", .key = WS_STRING, .value = WS_DOUBLE}, ws_guest("keep"));
    ws_streams_add_read_only_state_store(b, &(ws_store){.name = "limits", .type = "timestampedKeyValue", .value = WS_LONG}, "limits",
                                         &(ws_consumed){.value = WS_LONG}, ws_with(ws_guest("keep"), "store", "limits"));
    ws_kstream returns = ws_streams_stream(b, "returns", &(ws_consumed){.key = WS_STRING, .value = WS_JSON, .offset_reset_by = 60 * MINUTE});
    ws_kstream both = ws_kstream_and(paid, returns);
    ws_kstream_to(ws_kstream_process(both, ws_guest("check"), WS_STORE_NAMES("limits", "recent", "visits", "sittings", "prices"), NULL), "checked", NULL);
    ws_kstream_to(ws_kstream_process_values(both, ws_guest("watch"), NULL, "watched"), "watched", NULL);
    ws_kstream_to(both, "archive", NULL);
    ws_kstream_to_extracted(both, ws_guest("route"), NULL);
    ws_kstream_print_by(returns, ws_expr("string(value.id)"), "returns", "shown");
    ws_stream_joined stores = {.this_store = {.name = "paid-rows", .retention = 121000, .window_size = 2 * MINUTE},
                               .other_store = {.name = "returned-rows", .retention = 121000, .window_size = 2 * MINUTE, .in_memory = true}};
    ws_kstream pairs = ws_kstream_join(paid, returns, json("pair"), &(ws_join_windows){.difference = MINUTE, .grace = 1000}, &stores);
    ws_ktable counts = ws_kgrouped_count(ws_kstream_group_by_key(pairs, NULL), &(ws_materialized){.persistent = true});
    counts = ws_ktable_suppress(counts, &(ws_suppressed){.until_time_limit = 1000, .changelog = {"segment.ms", "60000"}});
    ws_kstream_to(ws_ktable_to_stream(counts, NULL), "returned", NULL);
}

static void nodes(ws_builder *b) {
    ws_topology_add_source(b, "clicks", &(ws_consumed){.key = WS_STRING, .value = WS_JSON, .offset_reset = "latest", .timestamps = ws_guest("when")},
                           WS_NODE_NAMES("clicks", "old-clicks"));
    ws_topology_add_source_pattern(b, "taps", NULL, "tap-.*");
    ws_topology_add_processor(b, "observe", ws_with(ws_guest("watch"), "least", "1"), NULL, WS_NODE_NAMES("clicks", "taps", "remember"));
    ws_topology_add_state_store(b, &(ws_store){.name = "trail", .type = "session", .retention = 60 * MINUTE}, WS_NODE_NAMES("observe"));
    ws_topology_add_state_store(b, &(ws_store){.name = "sums-of-clicks", .key = WS_STRING, .value = WS_LONG}, NULL);
    ws_topology_connect_processor_and_state_stores(b, "observe", WS_STORE_NAMES("sums-of-clicks", "seen"));
    ws_topology_add_sink(b, "observed", "observed", &(ws_produced){.key = WS_STRING, .value = WS_JSON, .partitioner = ws_guest("spread")},
                         WS_NODE_NAMES("observe"));
    ws_topology_add_sink_extracted(b, "elsewhere", ws_guest("route"), &(ws_produced){.value = WS_LONG, .value_serializer = ws_guest("pack")},
                                   WS_NODE_NAMES("observe", "clicks"));
    ws_topology_add_global_store(b, &(ws_store){.name = "zones", .value = WS_DOUBLE}, "zone-source", &(ws_consumed){.value = WS_DOUBLE}, "zones",
                                 "zone-keeper", ws_guest("keep"));
    ws_topology_add_read_only_state_store(b, &(ws_store){.name = "bounds", .value = WS_LONG}, "bound-source",
                                          &(ws_consumed){.value = WS_LONG, .timestamp_extractor = "WallclockTimestampExtractor"}, "bounds",
                                          "bound-keeper", ws_with(ws_guest("keep"), "store", "bounds"));
}

static void everything(ws_builder *b) {
    static const char *const both[] = {"raw-1", "raw-2"};
    ws_streams_config(b, "processing.guarantee", "exactly_once_v2");
    ws_streams_config(b, "default.key.serde", "string");
    ws_streams_add_state_store(b, &(ws_store){.name = "seen", .type = "timestampedKeyValue", .key = WS_STRING, .value = WS_LONG,
                                              .caching = true, .changelog = {"retention.ms", "1000"}});
    ws_kstream orders = ws_streams_stream(b, "orders", &(ws_consumed){.name = "orders", .key = WS_STRING, .value = WS_JSON,
                                                                      .offset_reset = "earliest", .timestamp_extractor = "WallclockTimestampExtractor"});
    ws_kstream raw = ws_streams_stream_topics(b, both, 2, &(ws_consumed){.key = WS_STRING, .value = WS_JSON, .timestamps = ws_guest("when"),
                                                                         .value_deserializer = ws_guest("unpack")});
    ws_kstream_foreach(ws_streams_stream_pattern(b, "log-.*", &(ws_consumed){.key = WS_STRING, .value = WS_STRING}), ws_guest("show"), NULL);
    ws_kstream paid = ws_kstream_filter(orders, ws_with(ws_guest("paid"), "least", "10"), "paid");
    paid = ws_kstream_filter_not(paid, ws_expr("value.test == true"), NULL);
    stateless(paid, raw);
    aggregations(paid);
    ws_consumed rows = {.key = WS_STRING, .value = WS_JSON}, named = {.name = "products", .key = WS_STRING, .value = WS_JSON};
    ws_ktable customers = ws_streams_table(b, "customers", &rows, &(ws_materialized){.name = "customers", .history_retention = 60 * MINUTE});
    ws_ktable products = ws_streams_table(b, "products", &named, NULL);
    ws_gktable countries = ws_streams_global_table(b, "countries", &(ws_consumed){.key = WS_STRING, .value = WS_STRING}, &(ws_materialized){.name = "countries"});
    stream_joins(b, paid, customers, products, countries);
    tables(orders, customers, products);
    stores_of_topics(b, paid);
    nodes(b);
}

static void show(ws_ctx *c, const ws_record *r) { (void)c, (void)r; }

/* The other functions are named only: what a module does not have the host finds when it checks the topology. */
#define COMPONENTS(C) C(foreach, show, "show", WS_DESCRIPTION("looks at records"))

WS_APPLICATION("everything", "1.0.0", COMPONENTS, "everything", everything)

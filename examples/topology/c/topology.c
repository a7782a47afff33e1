/* A topology in a module: paid orders counted by region. The module needs no YAML beside it. */
#include "wasmstream_streams.h"

enum { PAID, FIELDS };

static ws_json_query fields;

static bool paid(ws_ctx *c, const ws_record *r) {
    ws_json_field f[FIELDS];
    if (!fields.paths) ws_json_add(&fields, "paid");
    if (ws_is_null(r->value) || !ws_json_scan(r->value, &fields, f)) {
        ws_fail(c, WS_CLASS_FAIL, ws_str("the order is not JSON"));
        return false;
    }
    return f[PAID].type == WS_JSON_BOOL && ws_equal(ws_json_raw(r->value, &f[PAID]), ws_str("true"));
}

static void topology(ws_builder *b) {
    ws_kstream orders = ws_streams_stream(b, "orders", &(ws_consumed){.key = WS_STRING, .value = WS_JSON});
    ws_kstream kept = ws_kstream_filter(orders, ws_guest("paid"), NULL);
    ws_kgrouped by_region = ws_kstream_group_by(kept, ws_out(ws_expr("value.region"), WS_STRING, NULL), NULL);
    ws_ktable counts = ws_kgrouped_count(by_region, &(ws_materialized){.name = "orders-by-region"});
    ws_kstream_to(ws_ktable_to_stream(counts, NULL), "regions", NULL);
}

#define COMPONENTS(C) C(filter, paid, "paid", WS_WANTS(WS_VALUE) WS_DESCRIPTION("orders that are paid"))

WS_APPLICATION("topology", "1.0.0", COMPONENTS, "orders-by-region", topology)

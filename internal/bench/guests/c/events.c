/*
 * The functions of the benchmark's jobs with state, in C:
 *
 *   is-buy        the predicate of filter-count: the field type is "buy"
 *   with-profile  the joiner of stream-table-join: the event with its user's profile and without its agent
 *   pair          the joiner of stream-stream-join: user, both amounts, and how far the two are apart in time
 */
#include "wasmstream.h"

static void no_object(ws_ctx *c) { ws_fail(c, WS_CLASS_FAIL, ws_str("the value is not a JSON object")); }

static bool is_buy(ws_ctx *c, const ws_record *r) {
    static ws_json_query fields;
    ws_json_field f[1];
    if (!fields.paths) ws_json_add(&fields, "type");
    if (ws_is_null(r->value) || !ws_json_scan(r->value, &fields, f)) {
        no_object(c);
        return false;
    }
    return ws_equal(ws_json_raw(r->value, &f[0]), ws_str("\"buy\""));
}

static void with_profile(ws_ctx *c, const ws_record *r) {
    enum { AGENT, PROFILE, FIELDS };
    static ws_json_query fields, none;
    ws_json_field f[FIELDS], g[1];
    if (!fields.paths) {
        ws_json_add(&fields, "agent");
        ws_json_add(&fields, "profile");
    }
    if (!ws_json_scan(r->value, &fields, f) || !ws_json_scan(r->second, &none, g)) {
        no_object(c);
        return;
    }
    ws_json_edit edits[] = {{AGENT, WS_JSON_REMOVE, ws_null()}, {PROFILE, WS_JSON_SET, r->second}};
    ws_json_value(c, r->value, &fields, f, edits, 2);
}

static uint8_t *put(uint8_t *to, ws_bytes text) {
    ws_copy(to, text.ptr, text.len);
    return to + text.len;
}

static void pair(ws_ctx *c, const ws_record *r) {
    enum { USER, AMOUNT, TS, FIELDS };
    static ws_json_query fields;
    ws_json_field event[FIELDS], order[FIELDS];
    int64_t event_time = 0, order_time = 0;
    if (!fields.paths) {
        ws_json_add(&fields, "user");
        ws_json_add(&fields, "amount");
        ws_json_add(&fields, "ts");
    }
    if (!ws_json_scan(r->value, &fields, event) || !ws_json_scan(r->second, &fields, order)) {
        no_object(c);
        return;
    }
    ws_json_i64(ws_json_raw(r->value, &event[TS]), &event_time);
    ws_json_i64(ws_json_raw(r->second, &order[TS]), &order_time);
    uint8_t *start = ws_value_begin(c, r->value.len + r->second.len + 64), *to = start;
    to = put(to, ws_str("{\"user\":"));
    to = put(to, ws_json_raw(r->value, &event[USER]));
    to = put(to, ws_str(",\"event\":"));
    to = put(to, ws_json_raw(r->value, &event[AMOUNT]));
    to = put(to, ws_str(",\"order\":"));
    to = put(to, ws_json_raw(r->second, &order[AMOUNT]));
    to = put(to, ws_str(",\"dt\":"));
    to += ws_put_i64(order_time - event_time, to);
    *to++ = '}';
    ws_value_end(c, (uint32_t)(to - start));
}

#define COMPONENTS(C)                                                                                                     \
    C(filter, is_buy, "is-buy", WS_WANTS(WS_VALUE) WS_DESCRIPTION("events of the type buy"))                              \
    C(joiner, with_profile, "with-profile", WS_WANTS(WS_VALUE) WS_DESCRIPTION("the event with its user's profile"))       \
    C(joiner, pair, "pair", WS_WANTS(WS_VALUE) WS_DESCRIPTION("an event and an order of one user"))

WS_MODULE("events", "1.0.0", COMPONENTS)

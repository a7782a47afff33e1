/*
 * Fraud by session window: the functions that add up the payments of a card which come shortly after each other. The
 * aggregate is JSON: {"payments":3,"amount":1250.5}.
 */
#include "wasmstream.h"

enum { PAYMENTS, AMOUNT, FIELDS };

static ws_json_query fields;

/* Writes a number; one that is whole without a fraction. */
static ws_bytes number(double x, uint8_t text[32]) {
    uint32_t n = ws_put_f64(x, text);
    return ws_of(text, n > 2 && text[n - 2] == '.' && text[n - 1] == '0' ? n - 2 : n);
}

/* Reads payments and amount of a document, 0 where one is missing. */
static bool read(ws_bytes doc, ws_json_field f[FIELDS], double n[FIELDS]) {
    if (!fields.paths) {
        ws_json_add(&fields, "payments");
        ws_json_add(&fields, "amount");
    }
    if (ws_is_null(doc) || !ws_json_scan(doc, &fields, f)) return false;
    for (int i = 0; i < FIELDS; i++) {
        n[i] = 0;
        if (f[i].type == WS_JSON_NUMBER) ws_json_f64(ws_json_raw(doc, &f[i]), &n[i]);
    }
    return true;
}

/* Answers session with other numbers, which must be an object. */
static void answer(ws_ctx *c, ws_bytes session, const ws_json_field f[FIELDS], double payments, double amount) {
    uint8_t text[FIELDS][32];
    ws_json_edit edits[] = {
        {PAYMENTS, WS_JSON_SET, number(payments, text[0])},
        {AMOUNT, WS_JSON_SET, number(amount, text[1])},
    };
    if (ws_json_value(c, session, &fields, f, edits, 2) < 0)
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the session is no object"));
}

static void begin(ws_ctx *c, const ws_record *r) {
    (void)r;
    ws_value(c, ws_str("{\"payments\":0,\"amount\":0}"));
}

static void add(ws_ctx *c, const ws_record *r) {
    ws_json_field payment[FIELDS], session[FIELDS];
    double one[FIELDS], sum[FIELDS];
    if (!read(r->value, payment, one) || payment[AMOUNT].type != WS_JSON_NUMBER || !read(r->second, session, sum)) {
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the payment is not JSON with a number amount"));
        return;
    }
    answer(c, r->second, session, sum[PAYMENTS] + 1, sum[AMOUNT] + one[AMOUNT]);
}

static void merge(ws_ctx *c, const ws_record *r) {
    ws_json_field earlier[FIELDS], later[FIELDS];
    double a[FIELDS], b[FIELDS];
    if (!read(r->value, earlier, a) || !read(r->second, later, b)) {
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("a session is not JSON"));
        return;
    }
    answer(c, r->value, earlier, a[PAYMENTS] + b[PAYMENTS], a[AMOUNT] + b[AMOUNT]);
}

#define COMPONENTS(C)                                                                                          \
    C(initializer, begin, "begin", WS_WANTS_NOTHING WS_DESCRIPTION("a session without payments"))               \
    C(aggregator, add, "add", WS_WANTS(WS_VALUE) WS_DESCRIPTION("a session with one more payment"))             \
    C(merger, merge, "merge", WS_WANTS(WS_VALUE) WS_DESCRIPTION("two sessions as one"))

WS_MODULE("fraud", "1.0.0", COMPONENTS)

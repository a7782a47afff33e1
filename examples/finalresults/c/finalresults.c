/*
 * Final results of windows: the functions that keep least, largest and number of the readings of a sensor. The aggregate
 * is JSON: {"readings":2,"min":19.5,"max":21}.
 */
#include "wasmstream.h"

enum { READINGS, MIN, MAX, CELSIUS, FIELDS };

static ws_json_query fields;

/* Writes a number; one that is whole without a fraction. */
static ws_bytes number(double x, uint8_t text[32]) {
    uint32_t n = ws_put_f64(x, text);
    return ws_of(text, n > 2 && text[n - 2] == '.' && text[n - 1] == '0' ? n - 2 : n);
}

static bool read(ws_bytes doc, ws_json_field f[FIELDS], double n[FIELDS]) {
    static const char *const names[] = {"readings", "min", "max", "celsius"};
    for (int i = fields.paths; i < FIELDS; i++) ws_json_add(&fields, names[i]);
    if (ws_is_null(doc) || !ws_json_scan(doc, &fields, f)) return false;
    for (int i = 0; i < FIELDS; i++) {
        n[i] = 0;
        if (f[i].type == WS_JSON_NUMBER) ws_json_f64(ws_json_raw(doc, &f[i]), &n[i]);
    }
    return true;
}

static void begin(ws_ctx *c, const ws_record *r) {
    (void)r;
    ws_value(c, ws_str("{\"readings\":0,\"min\":0,\"max\":0}"));
}

static void add(ws_ctx *c, const ws_record *r) {
    ws_json_field reading[FIELDS], window[FIELDS];
    double one[FIELDS], all[FIELDS];
    if (!read(r->value, reading, one) || reading[CELSIUS].type != WS_JSON_NUMBER || !read(r->second, window, all)) {
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the reading is not JSON with a number celsius"));
        return;
    }
    double celsius = one[CELSIUS];
    bool first = all[READINGS] == 0;
    uint8_t text[3][32];
    ws_json_edit edits[] = {
        {READINGS, WS_JSON_SET, number(all[READINGS] + 1, text[0])},
        {MIN, WS_JSON_SET, number(first || celsius < all[MIN] ? celsius : all[MIN], text[1])},
        {MAX, WS_JSON_SET, number(first || celsius > all[MAX] ? celsius : all[MAX], text[2])},
    };
    if (ws_json_value(c, r->second, &fields, window, edits, 3) < 0)
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the window is no object"));
}

#define COMPONENTS(C)                                                                              \
    C(initializer, begin, "begin", WS_WANTS_NOTHING WS_DESCRIPTION("a window without readings"))    \
    C(aggregator, add, "add", WS_WANTS(WS_VALUE) WS_DESCRIPTION("a window with one more reading"))

WS_MODULE("finalresults", "1.0.0", COMPONENTS)

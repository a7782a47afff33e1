/* Plugins of Connect that fail in every way: what happens is what the value of the record says. */
#include "wasmstream_connect.h"

static bool says(const ws_change *r, const char *word) { return ws_equal(ws_data(ws_value_of(r)), ws_str(word)); }

static volatile uint32_t never;

static void bad_cell(ws_change *r, uint32_t at, uint32_t type, uint32_t n, uint64_t v) {
    ws_writer *w = ws_set_value(r, 0);
    ws_write_string(w, ws_str("some text"));
    ws__write_cell(w, at, type, n, v);
}

static void hostile(ws_ctx *c, ws_change *r) {
    if (says(r, "trap")) __builtin_trap();
    if (says(r, "loop")) for (;;) never++;
    if (says(r, "drop")) ws_drop(r);
    if (says(r, "skip")) ws_fail(c, WS_CLASS_SKIP, ws_str("not wanted"));
    if (says(r, "fail")) ws_fail(c, WS_CLASS_FAIL, ws_str("cannot be done"));
    if (says(r, "retry")) ws_fail(c, WS_CLASS_RETRY, ws_str("later"));
    if (says(r, "abort")) ws_abort(c, WS_CORRUPT);
    if (says(r, "twice")) {
        ws__answer(c, r);
        ws__answer(c, r);
    }
    if (says(r, "type")) bad_cell(r, 8, 99, 0, 0);
    if (says(r, "outside")) bad_cell(r, 8, WS_TYPE_STRING, 1u << 30, 24);
    if (says(r, "cycle")) bad_cell(r, 8, WS_TYPE_ARRAY, 1, 8);
    if (says(r, "keep")) bad_cell(r, 8, WS__TYPE_KEEP, 0, 7);
    if (says(r, "schema")) ws_write_string(ws_set_value(r, 12345), ws_str("x"));
    if (says(r, "misfit")) ws_write_int64(ws_set_value(r, ws_schema(ws_value_of(r))), 5);
    if (says(r, "utf8")) ws_write_string(ws_set_value(r, 0), ws_of("\xff\xfe", 2));
    if (says(r, "struct")) {
        ws_writer *w = ws_set_value(r, 0);
        ws_write_struct(w, ws_schema(ws_value_of(r)), 3);
    }
    if (says(r, "upper")) ws_write_string(ws_set_value(r, 0), ws_str("UPPER"));
}

/* Remembers what it was given until it is asked for; a trap makes it forget. */
static bool hostile_test(ws_ctx *c, const ws_change *r) {
    if (says(r, "trap")) __builtin_trap();
    if (says(r, "fail")) ws_fail(c, WS_CLASS_FAIL, ws_str("cannot be told"));
    return says(r, "yes");
}

static int32_t never_opens(ws_ctx *c) {
    (void)c;
    ws1_set_error(WS_NO_INDEX, WS_CLASS_FAIL, "the setting level is too high", 29);
    return WS_INVALID_ARG;
}

static const ws_processor picky = {.init = never_opens};
#define WS__RUN_converter(c, frame, p) ws__run_processor(c, frame, p)
#define WS__PROCESSOR_converter(p) &p

#define COMPONENTS(C)                                        \
    C(transformation, hostile, "hostile", WS_WANTS(WS_VALUE)) \
    C(predicate, hostile_test, "test", WS_WANTS(WS_VALUE))    \
    C(converter, picky, "picky", WS_WANTS(WS_VALUE))

WS_MODULE("hostile", "1.0.0", COMPONENTS)

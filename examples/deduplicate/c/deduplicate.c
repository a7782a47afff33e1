/*
 * Deduplication with the Processor API: an event goes on if none of its id came in the time before it. The ids that were
 * seen stand in a store, each with the time of the event that went on; a punctuator takes out those that are too old.
 */
#include "wasmstream.h"

typedef struct first_only {
    int32_t seen;
    int64_t window;
} first_only;

static ws_json_query fields;

static int32_t first_only_init(ws_ctx *c) {
    first_only *self = (first_only *)ws_state(c);
    ws_bytes window = ws_config(c, "window.ms");
    self->window = 600000;
    if (!ws_is_null(window) && !ws_json_i64(window, &self->window)) return WS_INVALID_ARG;
    if (!fields.paths) ws_json_add(&fields, "id");
    ws_schedule(c, self->window, WS_STREAM_TIME);
    self->seen = ws_store_open(c, "seen");
    return self->seen;
}

static void first_only_process(ws_ctx *c, const ws_record *r) {
    first_only *self = (first_only *)ws_state(c);
    ws_json_field id;
    ws_bytes last, text;
    uint8_t now[8];
    if (ws_is_null(r->value) || !ws_json_scan(r->value, &fields, &id) || id.type != WS_JSON_STRING) {
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the event is not JSON with a text id"));
        return;
    }
    text = ws_json_raw(r->value, &id);
    uint8_t *plain = ws_scratch(text.len);
    text = ws_of(plain, ws_json_unquote(text, plain));
    if (ws_store_get(c, self->seen, text, &last)) {
        int64_t since = r->timestamp - ws_long(last);
        if ((since < 0 ? -since : since) < self->window) return;
    }
    ws_put_long(now, r->timestamp);
    ws_store_put(c, self->seen, text, ws_of(now, 8));
    ws_keep(c);
}

static void first_only_punctuate(ws_ctx *c, int32_t timer, int64_t now) {
    first_only *self = (first_only *)ws_state(c);
    ws_batch old = ws_batch_start();
    ws_bytes id, time;
    ws_iter all;
    (void)timer;
    ws_iter_open(c, &all, self->seen, ws_null(), ws_null(), 0, 0);
    while (ws_iter_next(c, &all, &id, &time))
        if (now - ws_long(time) >= self->window) ws_batch_add(&old, id, ws_null());
    ws_iter_close(&all);
    ws_store_write_many(c, self->seen, &old);
}

static const ws_processor first_only_processor = {
    sizeof(first_only), first_only_init, first_only_process, first_only_punctuate, NULL, NULL,
};

#define COMPONENTS(C)                                                             \
    C(process, first_only_processor, "first-only",                                \
      WS_WANTS(WS_VALUE) WS_STORES("seen")                                        \
          WS_DESCRIPTION("drops events whose id came within the last window.ms (10 minutes)"))

WS_MODULE("deduplicate", "1.0.0", COMPONENTS)

/*
 * The functions of the applications that the fault programme hurts:
 *
 *   to-value  a selectKey: the value becomes the key, so that the record goes through a repartition topic
 *   pair      a joiner: "left|right"
 *   tally     a processor that counts the records of each key, and now and then tells by a punctuator how far each key
 *             has come: the count at its last telling and the count now, two longs. Whoever lines these up sees each
 *             record once.
 */
#include "wasmstream.h"

static void to_value(ws_ctx *c, const ws_record *r) { ws_key(c, r->value); }

static void pair(ws_ctx *c, const ws_record *r) {
    uint32_t n = r->value.len + 1 + r->second.len;
    uint8_t *to = ws_value_begin(c, n);
    ws_copy(to, r->value.ptr, r->value.len);
    to[r->value.len] = '|';
    ws_copy(to + r->value.len + 1, r->second.ptr, r->second.len);
    ws_value_end(c, n);
}

#define TELL_EVERY_MS 50

typedef struct tally {
    int32_t counts; /* of each key */
    int32_t told;   /* the count of each key at the last telling, of keys that have come further since */
} tally;

static int32_t tally_init(ws_ctx *c) {
    tally *t = (tally *)ws_state(c);
    t->counts = ws_store_open(c, "counts");
    t->told = ws_store_open(c, "told");
    ws_schedule(c, TELL_EVERY_MS, WS_WALL_CLOCK_TIME);
    return c->error;
}

static void tally_process(ws_ctx *c, const ws_record *r) {
    tally *t = (tally *)ws_state(c);
    ws_bytes count = ws_null(), old;
    uint8_t before[8], after[8];
    ws_store_get(c, t->counts, r->key, &count);
    ws_put_long(before, ws_long(count));
    ws_put_long(after, ws_long(count) + 1);
    ws_store_put(c, t->counts, r->key, ws_of(after, 8));
    ws_store_put_if_absent(c, t->told, r->key, ws_of(before, 8), &old);
}

static void tally_punctuate(ws_ctx *c, int32_t timer, int64_t time) {
    tally *t = (tally *)ws_state(c);
    ws_iter it;
    ws_bytes key, from, count, old;
    uint8_t span[16];
    (void)timer;
    (void)time;
    ws_iter_open(c, &it, t->told, ws_null(), ws_null(), 0, 0);
    while (ws_iter_next(c, &it, &key, &from)) {
        ws_copy(span, from.ptr, 8);
        ws_store_get(c, t->counts, key, &count);
        ws_copy(span + 8, count.ptr, 8);
        ws_forward(c, key, ws_of(span, 16));
        ws_store_delete(c, t->told, key, &old);
    }
    ws_iter_close(&it);
}

static const ws_processor tally_processor = {sizeof(tally), tally_init, tally_process, tally_punctuate, NULL, NULL};

#define COMPONENTS(C)                                                                                               \
    C(selectKey, to_value, "to-value", WS_WANTS(WS_VALUE) WS_DESCRIPTION("the value becomes the key"))              \
    C(joiner, pair, "pair", WS_WANTS(WS_VALUE) WS_DESCRIPTION("the left value, a bar, the right value"))            \
    C(process, tally_processor, "tally",                                                                            \
      WS_WANTS(WS_KEY) WS_STORES("counts", "told") WS_DESCRIPTION("counts records and tells how far each key is"))

WS_MODULE("subjects", "1.0.0", COMPONENTS)

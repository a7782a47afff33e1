/*
 * Alert with punctuation: a processor that remembers when it last heard of each device, and a punctuator by the wall clock
 * that tells of the devices which have been silent for too long, once each.
 */
#include "wasmstream.h"

typedef struct watch {
    int32_t heard;
    int64_t silence;
} watch;

static int64_t setting(ws_ctx *c, const char *key, int64_t otherwise) {
    int64_t n = otherwise;
    ws_bytes text = ws_config(c, key);
    return ws_is_null(text) || ws_json_i64(text, &n) ? n : otherwise;
}

static int32_t watch_init(ws_ctx *c) {
    watch *self = (watch *)ws_state(c);
    self->silence = setting(c, "silence.ms", 30000);
    ws_schedule(c, setting(c, "check.ms", 10000), WS_WALL_CLOCK_TIME);
    self->heard = ws_store_open(c, "heard");
    return self->heard;
}

static void watch_process(ws_ctx *c, const ws_record *r) {
    watch *self = (watch *)ws_state(c);
    uint8_t now[8];
    if (ws_is_null(r->key)) return;
    ws_put_long(now, ws_wall_time(c));
    ws_store_put(c, self->heard, r->key, ws_of(now, 8));
}

/* Writes a number of milliseconds. */
static uint32_t put_count(uint8_t *to, int64_t n) {
    uint32_t len = 1;
    for (int64_t rest = n / 10; rest; rest /= 10) len++;
    for (uint32_t i = len; i > 0; n /= 10) to[--i] = (uint8_t)('0' + n % 10);
    return len;
}

static void tell(ws_ctx *c, ws_bytes device, int64_t silent) {
    static const char head[] = "{\"silent_for_ms\":";
    uint8_t text[64];
    uint32_t n = sizeof head - 1;
    ws_copy(text, head, n);
    n += put_count(text + n, silent);
    text[n++] = '}';
    ws_forward(c, device, ws_of(text, n));
}

static void watch_punctuate(ws_ctx *c, int32_t timer, int64_t now) {
    watch *self = (watch *)ws_state(c);
    ws_batch told = ws_batch_start();
    ws_bytes device, time;
    ws_iter all;
    (void)timer;
    ws_iter_open(c, &all, self->heard, ws_null(), ws_null(), 0, 0);
    while (ws_iter_next(c, &all, &device, &time)) {
        int64_t silent = now - ws_long(time);
        if (silent < self->silence) continue;
        tell(c, device, silent);
        ws_batch_add(&told, device, ws_null());
    }
    ws_iter_close(&all);
    ws_store_write_many(c, self->heard, &told);
}

static const ws_processor watch_processor = {sizeof(watch), watch_init, watch_process, watch_punctuate, NULL, NULL};

#define COMPONENTS(C)                                                                                  \
    C(process, watch_processor, "watch",                                                               \
      WS_WANTS(WS_KEY) WS_STORES("heard") WS_DESCRIPTION("tells of devices that are silent for silence.ms (30 seconds)"))

WS_MODULE("alert", "1.0.0", COMPONENTS)

/*
 * A guest that works until it is told not to, for tests. A record's value is "work" or a misdeed: trap, loop, deep, grow,
 * exit N, abort N, fail N, flood N, say N, storm N, spin N, give N, wide. Misdeeds come after the record's work, so that there is
 * something to undo. The ledger answers "iterators N" and "series N" with how many it got.
 *
 * Build: go run ./internal/guestbuild/cmd/guests -update; make guests proves that hostile.wasm is current.
 */
#include "wasmstream.h"

static uint8_t text[1 << 12];

static int64_t number(ws_bytes b) {
    int64_t v = 0;
    if (!ws_is_null(b)) ws_json_i64(b, &v);
    return v;
}

static bool is(ws_bytes value, const char *word, int64_t *arg) {
    ws_bytes w = ws_str(word);
    if (value.len < w.len || !ws_equal(ws_of(value.ptr, w.len), w)) return false;
    *arg = value.len > w.len + 1 ? number(ws_of(value.ptr + w.len + 1, value.len - w.len - 1)) : 0;
    return true;
}

static volatile int64_t sink;

static __attribute__((noinline)) int64_t deeper(int64_t n) {
    int64_t below = n > 0 ? deeper(n + 1) : 0;
    sink = below;
    return below + n;
}

/* A line of n letters, at most as many as there is room for. */
static void say(int64_t n) {
    uint32_t len = n < (int64_t)sizeof text ? (uint32_t)n : (uint32_t)sizeof text;
    for (uint32_t i = 0; i < len; i++) text[i] = 'x';
    ws_log(WS_LOG_WARN, ws_of(text, len));
}

/* What the value asks for beside work. True: the record is answered. */
static bool misdeed(ws_ctx *c, ws_bytes value) {
    int64_t n = 0;
    if (is(value, "trap", &n)) __builtin_trap();
    if (is(value, "loop", &n)) for (;;) sink++;
    if (is(value, "deep", &n)) sink = deeper(1);
    if (is(value, "grow", &n)) while (__builtin_wasm_memory_grow(0, 16) != (__SIZE_TYPE__)-1) sink++;
    if (is(value, "grow", &n)) __builtin_trap();
    if (is(value, "wide", &n)) ws_scratch(200 << 20);
    if (is(value, "spin", &n)) for (; n > 0; n--) sink += n;
    if (is(value, "flood", &n)) for (; n > 0; n--) ws_log(WS_LOG_WARN, ws_str("flood"));
    if (is(value, "say", &n)) say(n);
    if (is(value, "storm", &n)) for (; n > 0; n--) sink += ws_wall_time(c);
    if (is(value, "abort", &n)) ws_abort(c, (int32_t)n);
    if (is(value, "fail", &n)) {
        ws_fail(c, (uint32_t)n, ws_str("told to"));
        return true;
    }
    return false;
}

/* A ledger: adds the length of each value to what the store has for the key, and answers with the sum of all keys. */
typedef struct ledger {
    int32_t store, metric;
    int64_t punctuated;
} ledger;

static int32_t ledger_init(ws_ctx *c) {
    ledger *l = (ledger *)ws_state(c);
    l->store = ws_store_open(c, "ledger");
    l->metric = ws_metric(WS_METRIC_COUNTER, "records");
    ws_schedule(c, 1000, WS_STREAM_TIME);
    return l->store;
}

static int64_t total(ws_ctx *c, ledger *l) {
    ws_iter it;
    ws_bytes k, v;
    int64_t sum = 0;
    ws_iter_open(c, &it, l->store, ws_null(), ws_null(), 0, 0);
    while (ws_iter_next(c, &it, &k, &v)) sum += number(v);
    ws_iter_close(&it);
    return sum;
}

/* How many of n iterators could be open at a time; the end of the call closes them. */
static int64_t iterators(const ledger *l, int64_t n) {
    int64_t opened = 0;
    while (opened < n && ws1_iter_open(l->store, NULL, WS_NULL, NULL, WS_NULL, 0, 0) >= 0) opened++;
    return opened;
}

/* How many of n metrics could be made. */
static int64_t series(int64_t n) {
    int64_t made = 0;
    for (; made < n; made++) {
        uint8_t name[24] = "series_";
        uint32_t len = 7 + ws_put_i64(made, name + 7);
        if (ws1_metric(WS_METRIC_GAUGE, name, len) < 0) break;
    }
    return made;
}

static void ledger_process(ws_ctx *c, const ws_record *r) {
    ledger *l = (ledger *)ws_state(c);
    ws_bytes old;
    int64_t n = 0;
    if (is(r->value, "iterators", &n) || is(r->value, "series", &n)) {
        n = r->value.ptr[0] == 'i' ? iterators(l, n) : series(n);
        ws_forward(c, r->key, ws_of(text, ws_put_i64(n, text)));
        return;
    }
    if (ws_store_get(c, l->store, r->key, &old)) n = number(old);
    n += r->value.len;
    ws_store_put(c, l->store, r->key, ws_of(text, ws_put_i64(n, text)));
    if (n % 5 == 0) ws_store_put(c, l->store, ws_str("fives"), r->key);
    if (n % 7 == 0) ws_store_put(c, l->store, r->key, ws_null());
    ws_metric_add(l->metric, 1);
    ws_forward(c, r->key, ws_of(text, ws_put_i64(total(c, l), text)));
    misdeed(c, r->value);
}

static void ledger_punctuate(ws_ctx *c, int32_t timer, int64_t time) {
    ledger *l = (ledger *)ws_state(c);
    (void)timer;
    (void)time;
    ws_forward(c, ws_str("total"), ws_of(text, ws_put_i64(total(c, l), text)));
}

static const ws_processor ledger_processor = {sizeof(ledger), ledger_init, ledger_process, ledger_punctuate, NULL, NULL};

/* A hoard: holds back the lengths of values, and gives their sum and number at the flush. */
typedef struct hoard {
    int64_t sum, count;
} hoard;

static int32_t hoard_init(ws_ctx *c) {
    (void)c;
    return 0;
}

static void hoard_process(ws_ctx *c, const ws_record *r) {
    hoard *h = (hoard *)ws_state(c);
    h->sum += r->value.len;
    h->count++;
    misdeed(c, r->value);
}

static void hoard_flush(ws_ctx *c) {
    hoard *h = (hoard *)ws_state(c);
    uint8_t key[20];
    if (!h->count) return;
    ws_forward(c, ws_of(key, ws_put_i64(h->count, key)), ws_of(text, ws_put_i64(h->sum, text)));
    h->sum = h->count = 0;
}

static const ws_processor hoard_processor = {sizeof(hoard), hoard_init, hoard_process, NULL, hoard_flush, NULL};

/* Values as they are. */
static void echo(ws_ctx *c, const ws_record *r) {
    if (misdeed(c, r->value)) return;
    ws_value(c, r->value);
}

/* give N: the value N times. */
static void many(ws_ctx *c, const ws_record *r) {
    int64_t n = 1;
    if (!is(r->value, "give", &n)) misdeed(c, r->value);
    for (; n > 0; n--) ws_value(c, r->value);
}

static bool keep(ws_ctx *c, const ws_record *r) {
    misdeed(c, r->value);
    return r->value.len % 2 == 0;
}

#define COMPONENTS(C)                                                                                     \
    C(process, ledger_processor, "ledger", WS_STORES("ledger"))                                            \
    C(process, hoard_processor, "hoard", WS_BUFFERS)                                                       \
    C(mapValues, echo, "echo", WS_WANTS(WS_VALUE))                                                         \
    C(flatMapValues, many, "many", WS_WANTS(WS_VALUE))                                                     \
    C(filter, keep, "keep", WS_WANTS(WS_VALUE))

WS_MODULE("hostile", "1.0.0", COMPONENTS)

/*
 * A guest that shows what the header does, for tests. A record's value is a command: words separated by one blank; the
 * answer is a record with the same key and what came of it as value.
 *
 * Build: clang-19 --target=wasm32 -O2 -nostdlib -ffreestanding -mbulk-memory -msign-ext -Wl,--no-entry \
 *     -Wl,--strip-debug -Wl,-z,stack-size=65536 -I guest-sdk/c -o guest-sdk/c/testdata/probe.wasm guest-sdk/c/testdata/probe.c
 */
#include "wasmstream.h"

/* Text that is being put together in memory of its own. */
static uint8_t text[1 << 16];
static uint32_t text_len;

static void add(ws_bytes b) {
    if (text_len + b.len > sizeof text) __builtin_trap();
    ws_copy(text + text_len, b.ptr, b.len);
    text_len += b.len;
}

static void add_value(ws_bytes b) { add(ws_is_null(b) ? ws_str("(null)") : b); }
static void add_str(const char *s) { add(ws_str(s)); }

static void add_i64(int64_t v) {
    uint8_t digits[20];
    add(ws_of(digits, ws_put_i64(v, digits)));
}

/* The next word of a command; null at its end. */
static ws_bytes word(ws_bytes *rest) {
    uint32_t n = 0;
    if (!rest->len) return ws_null();
    while (n < rest->len && rest->ptr[n] != ' ') n++;
    ws_bytes w = ws_of(rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    if (rest->len) { rest->ptr++; rest->len--; }
    return w;
}

static ws_bytes optional(ws_bytes w) { return ws_equal(w, ws_str("-")) ? ws_null() : w; }

static int64_t integer(ws_bytes w) {
    int64_t v = 0;
    ws_json_i64(w, &v);
    return v;
}

static const char *zero_ended(ws_bytes w) {
    static char s[256];
    ws_copy(s, w.ptr, w.len & 255);
    s[w.len & 255] = 0;
    return s;
}

typedef struct probe {
    int32_t store, last_timer;
    int64_t seen;
} probe;

static int32_t probe_init(ws_ctx *c) {
    probe *p = (probe *)ws_state(c);
    p->store = ws_store_open(c, "data");
    p->last_timer = ws_schedule(c, 1000, WS_STREAM_TIME);
    return p->store;
}

static void ranges(ws_ctx *c, probe *p, ws_bytes *args, int32_t flags) {
    ws_iter it;
    ws_bytes from = optional(word(args)), to = optional(word(args)), k, v;
    ws_iter_open(c, &it, p->store, from, to, flags, (int32_t)integer(word(args)));
    while (ws_iter_next(c, &it, &k, &v)) {
        add(k);
        add_str("=");
        add_i64((int64_t)v.len);
        add_str(" ");
    }
    ws_iter_close(&it);
}

static void many(ws_ctx *c, probe *p, ws_bytes *args, bool write) {
    ws_batch b = ws_batch_start();
    ws_bytes k, v, all;
    while (k = word(args), !ws_is_null(k)) ws_batch_add(&b, k, write ? optional(word(args)) : ws_null());
    if (write) {
        add_i64(ws_store_write_many(c, p->store, &b));
        return;
    }
    ws_store_get_many(c, p->store, &b, &all);
    while (ws_pairs_next(&all, &k, &v)) {
        add_value(v);
        add_str(" ");
    }
}

static void meta(ws_ctx *c, const ws_record *r) {
    add_value(ws_topic(c));
    add_str(" ");
    add_i64(r->partition);
    add_str(" ");
    add_i64(r->offset);
    add_str(" ");
    add_i64(r->timestamp);
    add_str(" ");
    add_i64(ws_stream_time(c));
    add_str(" ");
    add_i64(ws_wall_time(c));
    add_str(" ");
    add_value(ws_open_value(c, "task.id"));
}

/* Commands on the store. False: it is none of them. */
static bool store_command(ws_ctx *c, probe *p, ws_bytes name, ws_bytes *args) {
    ws_bytes key, value, old;
    if (ws_equal(name, ws_str("get"))) {
        ws_store_get(c, p->store, word(args), &value);
        add_value(value);
    } else if (ws_equal(name, ws_str("put"))) {
        key = word(args);
        add_i64(ws_store_put(c, p->store, key, optional(word(args))));
    } else if (ws_equal(name, ws_str("absent"))) {
        key = word(args);
        add_str(ws_store_put_if_absent(c, p->store, key, word(args), &old) ? "put " : "kept ");
        add_value(old);
    } else if (ws_equal(name, ws_str("delete"))) {
        add_str(ws_store_delete(c, p->store, word(args), &old) ? "had " : "none ");
        add_value(old);
    } else if (ws_equal(name, ws_str("range"))) {
        ranges(c, p, args, 0);
    } else if (ws_equal(name, ws_str("reverse"))) {
        ranges(c, p, args, WS_ITER_REVERSE);
    } else if (ws_equal(name, ws_str("many"))) {
        many(c, p, args, false);
    } else if (ws_equal(name, ws_str("write"))) {
        many(c, p, args, true);
    } else if (ws_equal(name, ws_str("fill"))) {
        /* fill KEY N: a value of N bytes */
        key = word(args);
        uint32_t n = (uint32_t)integer(word(args));
        uint8_t *big = ws_scratch(n);
        for (uint32_t i = 0; i < n; i++) big[i] = 'x';
        add_i64(ws_store_put(c, p->store, key, ws_of(big, n)));
    } else if (ws_equal(name, ws_str("foreign"))) {
        add_i64(ws_store_open(c, "not-declared"));
    } else {
        return false;
    }
    return true;
}

static void message(ws_ctx *c, const ws_record *r) {
    static const uint8_t empty[1] = {0};
    ws_new_header headers[] = {{ws_str("h"), ws_str("one")}, {ws_str("h"), ws_null()}, {ws_str(""), ws_of(empty, 0)}};
    ws_message m = {ws_str("made"), ws_null(), headers, 3, r->timestamp + 1, WS_KEEP_VALUE, (uint32_t)ws_child(c, "second")};
    ws_forward_message(c, &m);
}

static void probe_process(ws_ctx *c, const ws_record *r) {
    probe *p = (probe *)ws_state(c);
    ws_bytes args = r->value, name = word(&args);
    text_len = 0;
    p->seen++;
    if (store_command(c, p, name, &args)) {
    } else if (ws_equal(name, ws_str("header"))) {
        bool found;
        ws_bytes v = ws_header(r, zero_ended(word(&args)), &found);
        add_str(found ? "found " : "none ");
        add_value(v);
    } else if (ws_equal(name, ws_str("meta"))) {
        meta(c, r);
    } else if (ws_equal(name, ws_str("message"))) {
        message(c, r);
        return;
    } else if (ws_equal(name, ws_str("to"))) {
        ws_forward_to(c, (uint32_t)ws_child(c, zero_ended(word(&args))), r->key, ws_str("routed"));
        return;
    } else if (ws_equal(name, ws_str("child"))) {
        add_i64(ws_child(c, zero_ended(word(&args))));
    } else if (ws_equal(name, ws_str("config"))) {
        add_value(ws_config(c, zero_ended(word(&args))));
    } else if (ws_equal(name, ws_str("schedule"))) {
        p->last_timer = ws_schedule_from(c, 0, integer(word(&args)), WS_WALL_CLOCK_TIME);
        add_i64(p->last_timer);
    } else if (ws_equal(name, ws_str("cancel"))) {
        add_i64(ws_cancel(p->last_timer));
    } else if (ws_equal(name, ws_str("random"))) {
        uint8_t a[8], b[8];
        add_i64(ws_random(c, a, 8));
        ws_random(c, b, 8);
        add_str(ws_equal(ws_of(a, 8), ws_of(b, 8)) ? " same" : " other");
    } else if (ws_equal(name, ws_str("log"))) {
        add_str(ws_log_enabled(WS_LOG_DEBUG) ? "debug" : "no debug");
        ws_log(WS_LOG_WARN, args);
    } else if (ws_equal(name, ws_str("metric"))) {
        int32_t m = ws_metric(WS_METRIC_COUNTER, zero_ended(word(&args)));
        ws_metric_add(m, 5);
        add_i64(m);
    } else if (ws_equal(name, ws_str("commit"))) {
        ws_request_commit();
    } else if (ws_equal(name, ws_str("fail"))) {
        ws_fail(c, (uint32_t)integer(word(&args)), args);
        return;
    } else if (ws_equal(name, ws_str("abort"))) {
        ws_abort(c, (int32_t)integer(word(&args)));
    } else if (ws_equal(name, ws_str("trap"))) {
        __builtin_trap();
    } else {
        add_str("?");
    }
    ws_forward(c, r->key, ws_of(text, text_len));
}

static void probe_punctuate(ws_ctx *c, int32_t timer, int64_t time) {
    text_len = 0;
    add_i64(timer);
    add_str(" ");
    add_i64(time);
    ws_forward(c, ws_str("tick"), ws_of(text, text_len));
}

static void probe_flush(ws_ctx *c) {
    probe *p = (probe *)ws_state(c);
    text_len = 0;
    add_i64(p->seen);
    ws_forward(c, ws_str("seen"), ws_of(text, text_len));
    p->seen = 0;
}

static void probe_close(ws_ctx *c, int32_t reason) {
    (void)c;
    if (reason == WS_CLOSE_FAILED) ws_log(WS_LOG_WARN, ws_str("closed"));
}

static const ws_processor probe_processor = {sizeof(probe), probe_init, probe_process, probe_punctuate, probe_flush, probe_close};

/* The first line of a value, and what follows. */
static ws_bytes line(ws_bytes *rest) {
    uint32_t n = 0;
    while (n < rest->len && rest->ptr[n] != '\n') n++;
    ws_bytes l = ws_of(rest->ptr, n);
    n += n < rest->len;
    rest->ptr += n;
    rest->len -= n;
    return l;
}

/* "path\ndocument": the text of the field, null if it is not there. */
static void json_get(ws_ctx *c, const ws_record *r) {
    ws_bytes doc = r->value;
    ws_json_query q = {0};
    ws_json_field f[1];
    ws_json_add(&q, zero_ended(line(&doc)));
    if (!ws_json_scan(doc, &q, f)) ws_fail(c, WS_CLASS_FAIL, ws_str("not JSON"));
    else ws_value(c, ws_json_raw(doc, f));
}

/* "edits\ndocument", where edits are path=text or path- separated by ';': the document with them. */
static void json_edit(ws_ctx *c, const ws_record *r) {
    static char paths[WS_JSON_PATHS][64];
    ws_bytes doc = r->value, list = line(&doc);
    ws_json_query q = {0};
    ws_json_field f[WS_JSON_PATHS];
    ws_json_edit e[WS_JSON_PATHS];
    uint32_t n = 0;
    while (list.len && n < WS_JSON_PATHS) {
        uint32_t i = 0, j;
        for (; i < list.len && i < 63 && list.ptr[i] != '=' && list.ptr[i] != '-'; i++) paths[n][i] = (char)list.ptr[i];
        paths[n][i] = 0;
        for (j = i + 1; j < list.len && list.ptr[j] != ';'; j++) {}
        e[n].path = ws_json_add(&q, paths[n]);
        if (i == list.len || i == 63 || e[n].path < 0) {
            ws_fail(c, WS_CLASS_FAIL, ws_str("no edit"));
            return;
        }
        e[n].op = list.ptr[i] == '=' ? WS_JSON_SET : WS_JSON_REMOVE;
        e[n].raw = ws_of(list.ptr + i + 1, j - i - 1);
        n++;
        j += j < list.len;
        list = ws_of(list.ptr + j, list.len - j);
    }
    if (!ws_json_scan(doc, &q, f)) ws_fail(c, WS_CLASS_FAIL, ws_str("not JSON"));
    else if (ws_json_value(c, doc, &q, f, e, n) < 0) ws_fail(c, WS_CLASS_SKIP, ws_str("no such object"));
}

/* A number: read and written again. */
static void f64(ws_ctx *c, const ws_record *r) {
    uint8_t to[32];
    double v;
    if (!ws_json_f64(r->value, &v)) ws_fail(c, WS_CLASS_FAIL, ws_str("not a number"));
    else ws_value(c, ws_of(to, ws_put_f64(v, to)));
}

/* The 8 bytes of a double, little-endian: its text. */
static void f64_bits(ws_ctx *c, const ws_record *r) {
    uint8_t to[32];
    double v = 0;
    if (r->value.len == 8) __builtin_memcpy(&v, r->value.ptr, 8);
    ws_value(c, ws_of(to, ws_put_f64(v, to)));
}

static void i64(ws_ctx *c, const ws_record *r) {
    uint8_t to[20];
    int64_t v;
    if (!ws_json_i64(r->value, &v)) ws_fail(c, WS_CLASS_FAIL, ws_str("not a whole number"));
    else ws_value(c, ws_of(to, ws_put_i64(v, to)));
}

/* Any text as a JSON string, and a JSON string as its text. */
static void quote(ws_ctx *c, const ws_record *r) {
    uint8_t *to = ws_value_begin(c, 6 * r->value.len + 2);
    ws_value_end(c, ws_json_quote(r->value, to));
}

static void unquote(ws_ctx *c, const ws_record *r) {
    ws_json_query q = {0};
    if (!ws_json_scan(r->value, &q, NULL) || r->value.ptr[0] != '"') {
        ws_fail(c, WS_CLASS_FAIL, ws_str("not a string"));
        return;
    }
    uint8_t *to = ws_value_begin(c, r->value.len);
    uint32_t n = ws_json_unquote(r->value, to);
    if (!ws_json_is(r->value, ws_of(to, n))) __builtin_trap();
    ws_value_end(c, n);
}

static bool odd_length(ws_ctx *c, const ws_record *r) {
    (void)c;
    return r->value.len & 1;
}

static void swap(ws_ctx *c, const ws_record *r) { ws_key_value(c, r->value, r->key); }
static void value_as_key(ws_ctx *c, const ws_record *r) { ws_key(c, r->value); }
static void nothing(ws_ctx *c, const ws_record *r) { (void)c; (void)r; }

static void twice(ws_ctx *c, const ws_record *r) {
    ws_keep(c);
    ws_key_value(c, r->key, ws_null());
}

/* The first bytes of a part. */
static void add_head(ws_bytes b) { add_value(b.len > 1000 ? ws_of(b.ptr, 1000) : b); }

/* Functions of several arguments: what they were given, with bars between. */
static void arguments(ws_ctx *c, const ws_record *r) {
    text_len = 0;
    add_head(r->key);
    add_str("|");
    add_head(r->value);
    add_str("|");
    add_head(r->second);
    add_str("|");
    add_head(r->third);
    ws_value(c, ws_of(text, text_len));
}
static void aggregate(ws_ctx *c, const ws_record *r) { arguments(c, r); }
static void reduce(ws_ctx *c, const ws_record *r) { arguments(c, r); }
static void merge(ws_ctx *c, const ws_record *r) { arguments(c, r); }
static void join(ws_ctx *c, const ws_record *r) { arguments(c, r); }
static void zero(ws_ctx *c, const ws_record *r) { (void)r; ws_value(c, ws_str("0")); }

/* The length of the value as time; a record without value is one later than the partition. */
static void later(ws_ctx *c, const ws_record *r) {
    ws_timestamp(c, ws_is_null(r->value) ? ws_partition_time(c) + 1 : (int64_t)r->value.len);
}

/* The key's length: that partition; null, all; beyond the last one, the default. */
static void partition(ws_ctx *c, const ws_record *r) {
    if (ws_is_null(r->key)) {
        for (uint32_t p = 0; p < r->partitions; p++) ws_partition(c, (int32_t)p);
        return;
    }
    ws_partition(c, r->key.len < r->partitions ? (int32_t)r->key.len : -1);
}

static void topic(ws_ctx *c, const ws_record *r) { ws_value(c, r->key); }
static void form(ws_ctx *c, const ws_record *r) { ws_value(c, r->value); }
static void other_form(ws_ctx *c, const ws_record *r) { ws_value(c, r->value); }

#define COMPONENTS(C)                                                                                  \
    C(process, probe_processor, "probe", WS_STORES("data", "other") WS_BUFFERS WS_DESCRIPTION("commands")) \
    C(mapValues, json_get, "json-get", WS_WANTS(WS_VALUE))                                             \
    C(mapValues, json_edit, "json-edit", WS_WANTS(WS_VALUE))                                           \
    C(mapValues, f64, "f64", WS_WANTS(WS_VALUE))                                                       \
    C(mapValues, f64_bits, "f64-bits", WS_WANTS(WS_VALUE))                                             \
    C(mapValues, i64, "i64", WS_WANTS(WS_VALUE))                                                       \
    C(mapValues, quote, "quote", WS_WANTS(WS_VALUE))                                                   \
    C(mapValues, unquote, "unquote", WS_WANTS(WS_VALUE))                                               \
    C(filter, odd_length, "odd-length", WS_WANTS(WS_VALUE))                                            \
    C(map, swap, "swap", WS_WANTS(WS_KEY, WS_VALUE))                                                   \
    C(selectKey, value_as_key, "value-as-key", WS_WANTS(WS_VALUE))                                     \
    C(flatMap, twice, "twice", WS_WANTS(WS_KEY))                                                       \
    C(foreach, nothing, "nothing", WS_WANTS_NOTHING)                                                   \
    C(initializer, zero, "zero", WS_WANTS_NOTHING)                                                     \
    C(aggregator, aggregate, "aggregate", WS_WANTS(WS_KEY, WS_VALUE))                                  \
    C(reducer, reduce, "reduce", )                                                                     \
    C(merger, merge, "merge", WS_WANTS(WS_KEY, WS_VALUE))                                              \
    C(joiner, join, "join", )                                                                          \
    C(timestampExtractor, later, "later", )                                                            \
    C(partitioner, partition, "partition", WS_WANTS(WS_KEY))                                           \
    C(topicNameExtractor, topic, "topic", WS_WANTS(WS_KEY))                                            \
    C(serializer, form, "form", WS_WANTS(WS_VALUE))                                                    \
    C(deserializer, other_form, "other-form", WS_WANTS(WS_VALUE))

WS_MODULE("probe", "1.0.0", COMPONENTS)

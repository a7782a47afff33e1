/*
 * A guest that does with stores of windows, sessions, versions and timestamps what it is told, for tests. A record's value
 * is a command: words separated by one blank, "-" is null; the answer is a record with the same key and what came of it
 * as value. The same guest exists in each language.
 */
#include "wasmstream_stores.h"

typedef struct rows {
    int32_t windows, stamped, sessions, versions, latest;
} rows;

static uint8_t text[1 << 16];
static uint32_t text_len;

static void add(ws_bytes b) {
    if (ws_is_null(b)) b = ws_str("(null)");
    if (text_len + b.len > sizeof text) __builtin_trap();
    ws_copy(text + text_len, b.ptr, b.len);
    text_len += b.len;
}

static void add_i64(int64_t v) {
    uint8_t digits[20];
    add(ws_of(digits, ws_put_i64(v, digits)));
}

static void add_time(const char *before, int64_t v) {
    add(ws_str(before));
    add_i64(v);
}

static ws_bytes word(ws_bytes *rest) {
    uint32_t n = 0;
    while (n < rest->len && rest->ptr[n] != ' ') n++;
    ws_bytes w = ws_of(rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    if (rest->len) { rest->ptr++; rest->len--; }
    return ws_equal(w, ws_str("-")) ? ws_null() : w;
}

static int64_t number(ws_bytes *rest) {
    int64_t v = 0;
    ws_json_i64(word(rest), &v);
    return v;
}

static int32_t rows_init(ws_ctx *c) {
    rows *s = (rows *)ws_state(c);
    s->windows = ws_window_store(c, "windows");
    s->stamped = ws_timestamped_window_store(c, "stamped");
    s->sessions = ws_session_store(c, "sessions");
    s->versions = ws_versioned_store(c, "versions");
    s->latest = ws_timestamped_store(c, "latest");
    return s->latest;
}

/* " key@start=value" for each window. */
static void list_windows(ws_ctx *c, ws_iter *it, bool stamped) {
    ws_bytes key, value;
    int64_t start;
    while (ws_window_next(c, it, &key, &start, &value)) {
        add(ws_str(" "));
        add(key);
        add_time("@", start);
        if (stamped) add_time("!", ws_timestamped(&value));
        add(ws_str("="));
        add(value);
    }
    ws_iter_close(it);
}

static void list_sessions(ws_ctx *c, ws_iter *it) {
    ws_bytes key, value;
    int64_t start, end;
    while (ws_session_next(c, it, &key, &start, &end, &value)) {
        add(ws_str(" "));
        add(key);
        add_time("@", start);
        add_time("-", end);
        add(ws_str("="));
        add(value);
    }
    ws_iter_close(it);
}

static void add_version(const ws_version *v) {
    add_time(" @", v->timestamp);
    add_time("-", v->valid_to);
    add(ws_str("="));
    add(v->value);
}

/* Commands on windows; flags is what "r" before the name says. */
static bool on_windows(ws_ctx *c, rows *s, ws_bytes name, ws_bytes *args, int32_t flags) {
    ws_bytes key, to, value;
    ws_iter it;
    int64_t time;
    if (ws_equal(name, ws_str("window.put"))) {
        key = word(args), time = number(args);
        ws_window_put(c, s->windows, key, word(args), time);
    } else if (ws_equal(name, ws_str("window.fetch"))) {
        key = word(args);
        ws_window_fetch(c, s->windows, key, number(args), &value);
        add(value);
    } else if (ws_equal(name, ws_str("window.range"))) {
        key = word(args), time = number(args);
        ws_window_fetch_range(c, &it, s->windows, key, time, number(args), flags);
        list_windows(c, &it, false);
    } else if (ws_equal(name, ws_str("window.keys"))) {
        key = word(args), to = word(args), time = number(args);
        ws_window_fetch_keys(c, &it, s->windows, key, to, time, number(args), flags);
        list_windows(c, &it, false);
    } else if (ws_equal(name, ws_str("window.all"))) {
        time = number(args);
        ws_window_fetch_all(c, &it, s->windows, time, number(args), flags);
        list_windows(c, &it, false);
    } else if (ws_equal(name, ws_str("stamped.put"))) {
        key = word(args), time = number(args), value = word(args);
        ws_timestamped_window_put(c, s->stamped, key, value, time, number(args));
    } else if (ws_equal(name, ws_str("stamped.fetch"))) {
        key = word(args);
        if (ws_window_fetch(c, s->stamped, key, number(args), &value)) add_time("", ws_timestamped(&value)), add(ws_str("="));
        add(value);
    } else if (ws_equal(name, ws_str("stamped.all"))) {
        time = number(args);
        ws_window_fetch_all(c, &it, s->stamped, time, number(args), flags);
        list_windows(c, &it, true);
    } else {
        return false;
    }
    return true;
}

static bool on_sessions(ws_ctx *c, rows *s, ws_bytes name, ws_bytes *args, int32_t flags) {
    ws_bytes key, to, value;
    ws_iter it;
    int64_t time, end;
    if (ws_equal(name, ws_str("session.put"))) {
        key = word(args), time = number(args), end = number(args);
        ws_session_put(c, s->sessions, key, time, end, word(args));
    } else if (ws_equal(name, ws_str("session.remove"))) {
        key = word(args), time = number(args);
        ws_session_remove(c, s->sessions, key, time, number(args));
    } else if (ws_equal(name, ws_str("session.fetch"))) {
        key = word(args), time = number(args);
        ws_session_fetch(c, s->sessions, key, time, number(args), &value);
        add(value);
    } else if (ws_equal(name, ws_str("session.find"))) {
        key = word(args), time = number(args);
        ws_session_find(c, &it, s->sessions, key, time, number(args), flags);
        list_sessions(c, &it);
    } else if (ws_equal(name, ws_str("session.keys"))) {
        key = word(args), to = word(args), time = number(args);
        ws_session_find_keys(c, &it, s->sessions, key, to, time, number(args), flags);
        list_sessions(c, &it);
    } else {
        return false;
    }
    return true;
}

static bool on_versions(ws_ctx *c, rows *s, ws_bytes name, ws_bytes *args, int32_t flags) {
    ws_bytes key, value;
    ws_iter it;
    ws_version v;
    int64_t time = 0;
    if (ws_equal(name, ws_str("version.put"))) {
        key = word(args), value = word(args);
        add_i64(ws_versioned_put(c, s->versions, key, value, number(args)));
    } else if (ws_equal(name, ws_str("version.delete"))) {
        key = word(args);
        if (ws_versioned_delete(c, s->versions, key, number(args), &v)) add_version(&v);
    } else if (ws_equal(name, ws_str("version.get"))) {
        if (ws_versioned_get(c, s->versions, word(args), &v)) add_version(&v);
    } else if (ws_equal(name, ws_str("version.asof"))) {
        key = word(args);
        if (ws_versioned_get_as_of(c, s->versions, key, number(args), &v)) add_version(&v);
    } else if (ws_equal(name, ws_str("version.range"))) {
        key = word(args), time = number(args);
        ws_versioned_range(c, &it, s->versions, key, time, number(args), flags);
        while (ws_version_next(c, &it, &v)) add_version(&v);
        ws_iter_close(&it);
    } else if (ws_equal(name, ws_str("latest.put"))) {
        key = word(args), value = word(args);
        ws_timestamped_put(c, s->latest, key, value, number(args));
    } else if (ws_equal(name, ws_str("latest.get"))) {
        if (ws_timestamped_get(c, s->latest, word(args), &value, &time)) add_time("", time), add(ws_str("="));
        add(value);
    } else {
        return false;
    }
    return true;
}

static void rows_process(ws_ctx *c, const ws_record *r) {
    rows *s = (rows *)ws_state(c);
    ws_bytes args = r->value, name = word(&args);
    int32_t flags = 0;
    text_len = 0;
    if (ws_equal(name, ws_str("backward"))) flags = WS_ITER_REVERSE, name = word(&args);
    if (!on_windows(c, s, name, &args, flags) && !on_sessions(c, s, name, &args, flags) && !on_versions(c, s, name, &args, flags)) add(ws_str("?"));
    ws_forward(c, r->key, ws_of(text, text_len));
}

static const ws_processor rows_processor = {sizeof(rows), rows_init, rows_process, NULL, NULL, NULL};

#define COMPONENTS(C) C(process, rows_processor, "rows", WS_WANTS(WS_KEY, WS_VALUE) WS_STORES("windows", "stamped", "sessions", "versions", "latest"))
WS_MODULE("rows", "1.0.0", COMPONENTS)

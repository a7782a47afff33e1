/*
 * wasmstream_stores.h: stores of windows, sessions and versions, and timestamps of values, for processors in C or C++
 * (abi/SPEC.md, 7). It includes wasmstream.h.
 *
 *     #include "wasmstream_stores.h"
 *
 *     s->visits = ws_window_store(c, "visits");                         in init
 *     ws_window_put(c, s->visits, r->key, r->value, start);
 *
 *     ws_iter it;
 *     ws_bytes page;
 *     int64_t start;
 *     ws_window_fetch_range(c, &it, s->visits, r->key, from, to, 0);
 *     while (ws_window_next(c, &it, NULL, &start, &page)) ...
 *     ws_iter_close(&it);
 *
 * Names are those of Kafka's stores. Times are milliseconds, not negative. An error of a store makes the running call
 * fail, as with those of wasmstream.h: a function need not look at it. Bytes that a function gives are valid until the
 * next call on any store, those of an iterator until it goes on. WS_ITER_REVERSE in flags goes backwards.
 */
#ifndef WASMSTREAM_STORES_H
#define WASMSTREAM_STORES_H

#include "wasmstream.h"

#ifdef __cplusplus
extern "C" {
#endif

WS__STATE(state_open_as) int32_t ws1_state_open_as(const void *ptr, uint32_t len, int32_t kind, int32_t flags);
WS__STATE(state_put_version) int64_t ws1_state_put_version(int32_t store, const void *kptr, uint32_t klen, const void *vptr, uint32_t vlen, int64_t timestamp);
WS__STATE(iter_open_span) int32_t ws1_iter_open_span(int32_t store, const void *fptr, uint32_t flen, const void *tptr, uint32_t tlen, int64_t from, int64_t to, int32_t flags, int32_t limit);

/* Kinds and flags of ws1_state_open_as. */
#define WS_KEY_VALUE_STORE 0
#define WS_WINDOW_STORE 1
#define WS_SESSION_STORE 2
#define WS_VERSIONED_STORE 3
#define WS_STORE_TIMESTAMPS 1

/* The last time there is: an open end. */
#define WS_HOLDS_FOREVER 0x7FFFFFFFFFFFFFFF

/* What ws_versioned_put gives beside times (VersionedKeyValueStore.PUT_RETURN_CODE_...). */
#define WS_VALID_TO_UNDEFINED (-1)                  /* the version is the latest */
#define WS_NOT_PUT (-0x7FFFFFFFFFFFFFFF - 1)        /* it is older than the history */

WS__MAYBE int32_t ws__store_as(ws_ctx *c, const char *name, int32_t kind, int32_t flags) {
    ws_bytes n = ws_str(name);
    return ws_abort(c, ws1_state_open_as(n.ptr, n.len, kind, flags));
}

/* Where keys of rows, and values with timestamps, are put together. */
__attribute__((weak)) ws__buffer ws__row_key, ws__row_value;

/* A key with n times behind it. */
WS__MAYBE ws_bytes ws__row(ws_bytes key, uint32_t n, int64_t first, int64_t second) {
    ws__grow(&ws__row_key, 0, key.len + 16);
    uint8_t *p = ws__row_key.ptr;
    ws_copy(p, key.ptr, key.len);
    ws_put_long(p + key.len, first);
    ws_put_long(p + key.len + 8, second);
    return ws_of(p, key.len + 8 * n);
}

/* Takes the last 8 bytes off. */
WS__INLINE int64_t ws__time_off(ws_bytes *b) {
    if (b->len < 8) return 0;
    b->len -= 8;
    return ws_long(ws_of(b->ptr + b->len, 8));
}

/* Takes the first 8 bytes off. */
WS__INLINE int64_t ws__time_first(ws_bytes *b) {
    if (b->len < 8) return 0;
    int64_t t = ws_long(ws_of(b->ptr, 8));
    *b = ws_of(b->ptr + 8, b->len - 8);
    return t;
}

WS__MAYBE ws_bytes ws__with_time(ws_bytes value, int64_t timestamp) {
    if (ws_is_null(value)) return value;
    ws__grow(&ws__row_value, 0, value.len + 8);
    ws_put_long(ws__row_value.ptr, timestamp);
    ws_copy(ws__row_value.ptr + 8, value.ptr, value.len);
    return ws_of(ws__row_value.ptr, value.len + 8);
}

WS__MAYBE int32_t ws__span(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes from_key, ws_bytes to_key, int64_t from, int64_t to, int32_t flags) {
    it->buf.ptr = NULL;
    it->buf.cap = 0;
    it->rest = ws_null();
    it->id = ws1_iter_open_span(store, from_key.ptr, from_key.ptr ? from_key.len : WS_NULL, to_key.ptr, to_key.ptr ? to_key.len : WS_NULL, from, to, flags, 0);
    return ws_abort(c, it->id);
}

/* The next row, its key still with its times. */
WS__MAYBE bool ws__next_row(ws_ctx *c, ws_iter *it, ws_bytes *row, ws_bytes *value) {
    ws_bytes v;
    return ws_iter_next(c, it, row, value ? value : &v);
}

/* ---- Timestamps ----------------------------------------------------------------------------------------------------- */

/* TimestampedKeyValueStore. Of the functions of wasmstream.h those that get and iterate give values that begin with the
 * timestamp (ws_timestamped takes it off), and those that put take such values. */
WS__MAYBE int32_t ws_timestamped_store(ws_ctx *c, const char *name) { return ws__store_as(c, name, WS_KEY_VALUE_STORE, WS_STORE_TIMESTAMPS); }

/* Takes the timestamp off a value that begins with one. */
WS__INLINE int64_t ws_timestamped(ws_bytes *value) { return ws__time_first(value); }

WS__MAYBE bool ws_timestamped_get(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes *value, int64_t *timestamp) {
    if (!ws_store_get(c, store, key, value)) return false;
    *timestamp = ws_timestamped(value);
    return true;
}

/* Null deletes. */
WS__MAYBE int32_t ws_timestamped_put(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes value, int64_t timestamp) {
    return ws_store_put(c, store, key, ws__with_time(value, timestamp));
}

/* ---- Windows -------------------------------------------------------------------------------------------------------- */

/* WindowStore. Of a store with timestamps the values are bare. */
WS__MAYBE int32_t ws_window_store(ws_ctx *c, const char *name) { return ws__store_as(c, name, WS_WINDOW_STORE, 0); }

/* TimestampedWindowStore: values begin with their timestamps (ws_timestamped takes them off, ws_timestamped_window_put puts
 * them there). */
WS__MAYBE int32_t ws_timestamped_window_store(ws_ctx *c, const char *name) { return ws__store_as(c, name, WS_WINDOW_STORE, WS_STORE_TIMESTAMPS); }

/* put(key, value, windowStartTimestamp); null deletes. */
WS__MAYBE int32_t ws_window_put(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes value, int64_t start) {
    return ws_store_put(c, store, ws__row(key, 1, start, 0), value);
}

WS__MAYBE int32_t ws_timestamped_window_put(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes value, int64_t start, int64_t timestamp) {
    return ws_window_put(c, store, key, ws__with_time(value, timestamp), start);
}

/* fetch(key, time). False: there is none, and value is null. */
WS__MAYBE bool ws_window_fetch(ws_ctx *c, int32_t store, ws_bytes key, int64_t start, ws_bytes *value) {
    return ws_store_get(c, store, ws__row(key, 1, start, 0), value);
}

/* fetch(key, timeFrom, timeTo): the windows of key that start in [from, to], by start. */
WS__MAYBE int32_t ws_window_fetch_range(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes key, int64_t from, int64_t to, int32_t flags) {
    return ws__span(c, it, store, key, key, from, to, flags);
}

/* fetch(keyFrom, keyTo, timeFrom, timeTo); both keys inclusive, null is an open end. */
WS__MAYBE int32_t ws_window_fetch_keys(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes key_from, ws_bytes key_to, int64_t from, int64_t to, int32_t flags) {
    return ws__span(c, it, store, key_from, key_to, from, to, flags);
}

/* fetchAll(timeFrom, timeTo). */
WS__MAYBE int32_t ws_window_fetch_all(ws_ctx *c, ws_iter *it, int32_t store, int64_t from, int64_t to, int32_t flags) {
    return ws__span(c, it, store, ws_null(), ws_null(), from, to, flags);
}

/* The next window; what is not asked for may be NULL. False at the end. */
WS__MAYBE bool ws_window_next(ws_ctx *c, ws_iter *it, ws_bytes *key, int64_t *start, ws_bytes *value) {
    ws_bytes row;
    if (!ws__next_row(c, it, &row, value)) return false;
    int64_t at = ws__time_off(&row);
    if (start) *start = at;
    if (key) *key = row;
    return true;
}

/* ---- Sessions ------------------------------------------------------------------------------------------------------- */

/* SessionStore. */
WS__MAYBE int32_t ws_session_store(ws_ctx *c, const char *name) { return ws__store_as(c, name, WS_SESSION_STORE, 0); }

/* put(Windowed(key, start, end), aggregate); null removes. */
WS__MAYBE int32_t ws_session_put(ws_ctx *c, int32_t store, ws_bytes key, int64_t start, int64_t end, ws_bytes value) {
    return ws_store_put(c, store, ws__row(key, 2, end, start), value);
}

WS__MAYBE int32_t ws_session_remove(ws_ctx *c, int32_t store, ws_bytes key, int64_t start, int64_t end) {
    return ws_session_put(c, store, key, start, end, ws_null());
}

/* fetchSession(key, start, end). False: there is none, and value is null. */
WS__MAYBE bool ws_session_fetch(ws_ctx *c, int32_t store, ws_bytes key, int64_t start, int64_t end, ws_bytes *value) {
    return ws_store_get(c, store, ws__row(key, 2, end, start), value);
}

/* findSessions(key, earliestSessionEndTime, latestSessionStartTime). */
WS__MAYBE int32_t ws_session_find(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes key, int64_t earliest_end, int64_t latest_start, int32_t flags) {
    return ws__span(c, it, store, key, key, earliest_end, latest_start, flags);
}

/* findSessions(keyFrom, keyTo, ...); both keys inclusive, null is an open end. */
WS__MAYBE int32_t ws_session_find_keys(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes key_from, ws_bytes key_to, int64_t earliest_end, int64_t latest_start, int32_t flags) {
    return ws__span(c, it, store, key_from, key_to, earliest_end, latest_start, flags);
}

/* The next session; what is not asked for may be NULL. False at the end. */
WS__MAYBE bool ws_session_next(ws_ctx *c, ws_iter *it, ws_bytes *key, int64_t *start, int64_t *end, ws_bytes *value) {
    ws_bytes row;
    if (!ws__next_row(c, it, &row, value)) return false;
    int64_t began = ws__time_off(&row), ended = ws__time_off(&row);
    if (start) *start = began;
    if (end) *end = ended;
    if (key) *key = row;
    return true;
}

/* ---- Versions ------------------------------------------------------------------------------------------------------- */

/* A version (VersionedRecord): valid_to is WS_VALID_TO_UNDEFINED for the latest. */
typedef struct ws_version {
    ws_bytes value;
    int64_t timestamp, valid_to;
} ws_version;

WS__MAYBE ws_version ws__version(ws_bytes value) {
    ws_version v = {ws_null(), 0, 0};
    v.timestamp = ws__time_first(&value);
    v.valid_to = ws__time_first(&value);
    if (v.valid_to == WS_HOLDS_FOREVER) v.valid_to = WS_VALID_TO_UNDEFINED;
    v.value = value;
    return v;
}

/* VersionedKeyValueStore. */
WS__MAYBE int32_t ws_versioned_store(ws_ctx *c, const char *name) { return ws__store_as(c, name, WS_VERSIONED_STORE, 0); }

/* put(key, value, timestamp): where the version ends, WS_VALID_TO_UNDEFINED or WS_NOT_PUT. Null: key is absent from then on. */
WS__MAYBE int64_t ws_versioned_put(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes value, int64_t timestamp) {
    int64_t to = ws1_state_put_version(store, key.ptr, key.len, value.ptr, value.ptr ? value.len : WS_NULL, timestamp);
    if (to == WS_HOLDS_FOREVER) return WS_VALID_TO_UNDEFINED;
    if (to >= 0) return to;
    ws__checked(c, (int32_t)to);
    return WS_NOT_PUT;
}

/* get(key, asOf). False: key was absent then, or asOf is older than the history. */
WS__MAYBE bool ws_versioned_get_as_of(ws_ctx *c, int32_t store, ws_bytes key, int64_t as_of, ws_version *v) {
    ws_bytes value;
    if (!ws_store_get(c, store, ws__row(key, 1, as_of, 0), &value)) return false;
    *v = ws__version(value);
    return true;
}

/* get(key): the latest version. */
WS__MAYBE bool ws_versioned_get(ws_ctx *c, int32_t store, ws_bytes key, ws_version *v) {
    return ws_versioned_get_as_of(c, store, key, WS_HOLDS_FOREVER, v);
}

/* delete(key, timestamp): key is absent from then on. True: v is the version that held then. */
WS__MAYBE bool ws_versioned_delete(ws_ctx *c, int32_t store, ws_bytes key, int64_t timestamp, ws_version *v) {
    bool held = ws_versioned_get_as_of(c, store, key, timestamp, v);
    ws_store_put(c, store, ws__row(key, 1, timestamp, 0), ws_null());
    return held;
}

/* The versions of key that held at some time in [from, to], the oldest first. */
WS__MAYBE int32_t ws_versioned_range(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes key, int64_t from, int64_t to, int32_t flags) {
    return ws__span(c, it, store, key, key, from, to, flags);
}

/* The next version. False at the end. */
WS__MAYBE bool ws_version_next(ws_ctx *c, ws_iter *it, ws_version *v) {
    ws_bytes row, value;
    if (!ws__next_row(c, it, &row, &value)) return false;
    *v = ws__version(value);
    return true;
}

#ifdef __cplusplus
}
#endif

#endif

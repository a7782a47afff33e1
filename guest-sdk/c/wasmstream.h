/*
 * wasmstream.h: write guests for wasmstream in C or C++. One header, no libc, nothing allocated per record.
 * The contract that it speaks is abi/SPEC.md, version 1.
 *
 *     #include "wasmstream.h"
 *
 *     static void shout(ws_ctx *c, const ws_record *r) { ... ws_value(c, bytes); }
 *
 *     #define COMPONENTS(C) C(mapValues, shout, "shout", WS_WANTS(WS_VALUE) WS_DESCRIPTION("upper case"))
 *     WS_MODULE("demo", "1.0.0", COMPONENTS)
 *
 *     clang-19 --target=wasm32 -O2 -nostdlib -ffreestanding -mbulk-memory -msign-ext -Wl,--no-entry -Wl,--strip-debug \
 *         -Wl,-z,stack-size=65536 -I guest-sdk/c -o demo.wasm demo.c
 *
 * A component is one function, or a ws_processor for the kinds process and processValues. What a function answers
 * depends on its kind:
 *
 *     filter         bool f(ws_ctx *, const ws_record *)     true: the record passes
 *     mapValues      void f(ws_ctx *, const ws_record *)     one of ws_value, ws_null_value, ws_keep
 *     flatMapValues  the same                                any number of them
 *     map, flatMap   the same                                ws_key_value, ws_value, ws_key, ws_keep
 *     selectKey      the same                                ws_key, ws_keep
 *     foreach        the same                                nothing
 *     initializer, aggregator, reducer, merger, joiner, topicNameExtractor, serializer, deserializer
 *                    as mapValues                            one of ws_value, ws_null_value, ws_keep
 *     timestampExtractor  as mapValues                       ws_timestamp
 *     partitioner    as mapValues                            any number of ws_partition
 *     any of them                                            ws_fail: this record could not be processed
 *
 * Who owns bytes: a ws_record and what it points to are valid until the function returns; what stores and iterators
 * give, until the next call on a store; what ws_scratch gives, until the function returns. Everything given to a
 * function of this header is copied or used before it returns.
 *
 * Plugins of Connect: include wasmstream_connect.h instead. Modules that bring a topology of their own
 * along: wasmstream_streams.h.
 *
 * WS_MODULE stands in one source file of a module. Functions of other files are declared by the user as in any C.
 */
#ifndef WASMSTREAM_H
#define WASMSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The numbers of the contract ---------------------------------------------------------------------------------- */

#define WS_SDK "c/1.0.0"

#define WS_FRAME_HEADER 64u
#define WS_RECORD_HEADER 48u
#define WS_CALL_HEADER 56u /* of records with arguments */
#define WS_FRAME_MAGIC 0x31425357u /* "WSB1" */
#define WS_OPEN_MAGIC 0x314F5357u  /* "WSO1" */
#define WS_NULL 0xFFFFFFFFu        /* length of a part that is null */
#define WS_NO_INDEX 0xFFFFFFFFu    /* index of a record that comes from no input */
#define WS_ALL_CHILDREN 0u

#define WS_KEEP_KEY 1u
#define WS_KEEP_VALUE 2u
#define WS_KEEP_HEADERS 4u
#define WS_KEEP_TIMESTAMP 8u
#define WS_KEEP_ALL 15u

#define WS_FRAME_HAS_AUX 4u
#define WS_FRAME_HAS_ARGS 8u

#define WS_KIND_RECORD 0u
#define WS_KIND_ERROR 1u

#define WS_UNKNOWN (-1)
#define WS_INVALID_ARG (-2)
#define WS_BUF_TOO_SMALL (-3)
#define WS_NOT_FOUND (-4)
#define WS_DENIED (-5)
#define WS_LIMIT (-6)
#define WS_CLOSED (-7)
#define WS_UNSUPPORTED (-8)
#define WS_RETRY (-9)
#define WS_CORRUPT (-10)
#define WS_FATAL (-11)
#define WS_FENCED (-12)
#define WS_BUSY (-13)

/* What becomes of a record that could not be processed. */
#define WS_CLASS_SKIP 0u
#define WS_CLASS_DEAD_LETTER 1u
#define WS_CLASS_FAIL 2u
#define WS_CLASS_RETRY 3u

#define WS_LOG_DEBUG 0
#define WS_LOG_INFO 1
#define WS_LOG_WARN 2
#define WS_LOG_ERROR 3

#define WS_METRIC_COUNTER 0
#define WS_METRIC_GAUGE 1

#define WS_TIME_WALL 0
#define WS_TIME_STREAM 1

#define WS_STREAM_TIME 0     /* types of ws_schedule */
#define WS_WALL_CLOCK_TIME 1
#define WS_START_NONE (-1)

#define WS_ITER_REVERSE 1

#define WS_CLOSE_STOP 0
#define WS_CLOSE_UPGRADE 1
#define WS_CLOSE_MOVED 2
#define WS_CLOSE_FAILED 3

#define WS_FEATURE_STATE 1

#define WS_MAX_FRAME_BYTES 67108864u
#define WS_MAX_FRAME_RECORDS 100000u

/* ---- Imports: raw functions of the host, called by the functions further down ------------------------------------- */

#define WS__CORE(name) __attribute__((import_module("ws1.core"), import_name(#name))) extern
#define WS__STATE(name) __attribute__((import_module("ws1.state"), import_name(#name))) extern

WS__CORE(features) int64_t ws1_features(void);
WS__CORE(emit) int32_t ws1_emit(const void *ptr, uint32_t len);
WS__CORE(set_error) int32_t ws1_set_error(uint32_t index, uint32_t error_class, const void *ptr, uint32_t len);
WS__CORE(log_enabled) int32_t ws1_log_enabled(int32_t level);
WS__CORE(log) int32_t ws1_log(int32_t level, const void *ptr, uint32_t len);
WS__CORE(metric) int32_t ws1_metric(int32_t kind, const void *ptr, uint32_t len);
WS__CORE(metric_add) int32_t ws1_metric_add(int32_t handle, int64_t delta);
WS__CORE(time) int64_t ws1_time(int32_t which, uint32_t index);
WS__CORE(random) int32_t ws1_random(uint32_t index, void *ptr, uint32_t len);
WS__CORE(config_get) int32_t ws1_config_get(const void *kptr, uint32_t klen, void *buf, uint32_t cap);
WS__CORE(child) int32_t ws1_child(const void *ptr, uint32_t len);
WS__CORE(schedule) int32_t ws1_schedule(int64_t interval_ms, int32_t type, int64_t start_ms);
WS__CORE(cancel) int32_t ws1_cancel(int32_t timer);
WS__CORE(request_commit) int32_t ws1_request_commit(void);

WS__STATE(state_open) int32_t ws1_state_open(const void *ptr, uint32_t len);
WS__STATE(state_get) int32_t ws1_state_get(int32_t store, const void *kptr, uint32_t klen, void *buf, uint32_t cap);
WS__STATE(state_put) int32_t ws1_state_put(int32_t store, const void *kptr, uint32_t klen, const void *vptr, uint32_t vlen);
WS__STATE(state_put_if_absent) int32_t ws1_state_put_if_absent(int32_t store, const void *kptr, uint32_t klen, const void *vptr, uint32_t vlen, void *buf, uint32_t cap);
WS__STATE(state_delete) int32_t ws1_state_delete(int32_t store, const void *kptr, uint32_t klen, void *buf, uint32_t cap);
WS__STATE(state_get_many) int32_t ws1_state_get_many(int32_t store, const void *ptr, uint32_t len, void *buf, uint32_t cap);
WS__STATE(state_write_many) int32_t ws1_state_write_many(int32_t store, const void *ptr, uint32_t len);
WS__STATE(iter_open) int32_t ws1_iter_open(int32_t store, const void *fptr, uint32_t flen, const void *tptr, uint32_t tlen, int32_t flags, int32_t limit);
WS__STATE(iter_next_many) int32_t ws1_iter_next_many(int32_t iter, void *buf, uint32_t cap);
WS__STATE(iter_close) int32_t ws1_iter_close(int32_t iter);

#define WS__CONNECT(name) __attribute__((import_module("ws1.connect"), import_name(#name))) extern
#define WS__EGRESS(name) __attribute__((import_module("ws1.egress"), import_name(#name))) extern

WS__CONNECT(offset_get) int32_t ws1_offset_get(const void *ptr, uint32_t len, void *buf, uint32_t cap);
WS__EGRESS(http) int32_t ws1_http(const void *ptr, uint32_t len);
WS__EGRESS(http_response) int32_t ws1_http_response(void *buf, uint32_t cap);

/* ---- Bytes -------------------------------------------------------------------------------------------------------- */

#define WS__INLINE static inline __attribute__((always_inline))
#define WS__COLD static __attribute__((noinline, unused))
#define WS__MAYBE static __attribute__((unused))

/* Bytes that belong to someone else. ptr NULL is null; an empty value has another ptr and len 0. */
typedef struct ws_bytes {
    const uint8_t *ptr;
    uint32_t len;
} ws_bytes;

WS__INLINE ws_bytes ws_of(const void *ptr, uint32_t len) {
    ws_bytes b;
    b.ptr = (const uint8_t *)ptr;
    b.len = len;
    return b;
}

WS__INLINE ws_bytes ws_null(void) { return ws_of(NULL, 0); }

/* The bytes of a C string, without its end. */
WS__INLINE ws_bytes ws_str(const char *s) {
    uint32_t n = 0;
    if (__builtin_constant_p(__builtin_strlen(s))) return ws_of(s, (uint32_t)__builtin_strlen(s));
    while (s[n]) n++;
    return ws_of(s, n);
}

WS__INLINE bool ws_is_null(ws_bytes b) { return b.ptr == NULL; }

WS__INLINE uint32_t ws__pad8(uint32_t n) { return (n + 7u) & ~7u; }

/* Loads and stores that need no alignment, little-endian as wasm is. */
WS__INLINE uint32_t ws__load32(const void *p) { uint32_t v; __builtin_memcpy(&v, p, 4); return v; }
WS__INLINE uint64_t ws__load64(const void *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return v; }
WS__INLINE void ws__store32(void *p, uint32_t v) { __builtin_memcpy(p, &v, 4); }
WS__INLINE void ws__store64(void *p, uint64_t v) { __builtin_memcpy(p, &v, 8); }

/* Short copies are a loop: the instruction memory.copy is a call into the host's runtime. */
WS__INLINE void ws_copy(void *to, const void *from, uint32_t n) {
    uint8_t *d = (uint8_t *)to;
    const uint8_t *s = (const uint8_t *)from;
    if (n > 128) {
        __builtin_memcpy(d, s, n);
        return;
    }
    for (; n >= 8; n -= 8, d += 8, s += 8) ws__store64(d, ws__load64(s));
    if (n & 4) { ws__store32(d, ws__load32(s)); d += 4; s += 4; }
    if (n & 2) { d[0] = s[0]; d[1] = s[1]; d += 2; s += 2; }
    if (n & 1) d[0] = s[0];
}

WS__MAYBE bool ws_equal(ws_bytes a, ws_bytes b) {
    if (a.len != b.len) return false;
    uint32_t i = 0;
    for (; i + 8 <= a.len; i += 8)
        if (ws__load64(a.ptr + i) != ws__load64(b.ptr + i)) return false;
    for (; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i]) return false;
    return true;
}

#define WS__EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

/* The bit 0x80 of every byte of v that is a letter from first to last (ASCII). */
WS__INLINE uint64_t ws__letters(uint64_t v, uint8_t first, uint8_t last) {
    uint64_t low = v & WS__EACH(0x7F);
    return ((low + WS__EACH(0x80 - first)) ^ (low + WS__EACH(0x7F - last))) & ~v & WS__EACH(0x80);
}

/* Copies n bytes with the letters from first to last in the other case, eight at a time. */
WS__INLINE void ws__other_case(uint8_t *to, const uint8_t *from, uint32_t n, uint8_t first, uint8_t last) {
    for (; n >= 8; n -= 8, to += 8, from += 8) {
        uint64_t v = ws__load64(from);
        ws__store64(to, v ^ ws__letters(v, first, last) >> 2);
    }
    for (; n; n--, to++, from++) *to = *from ^ (uint8_t)((uint8_t)(*from - first) <= last - first) << 5;
}

/* Copies n bytes, ASCII letters in lower or in upper case. to may be from. */
WS__MAYBE void ws_lower(uint8_t *to, const uint8_t *from, uint32_t n) { ws__other_case(to, from, n, 'A', 'Z'); }
WS__MAYBE void ws_upper(uint8_t *to, const uint8_t *from, uint32_t n) { ws__other_case(to, from, n, 'a', 'z'); }

/* The place of the first byte c in b from place at on, or b.len. */
WS__INLINE uint32_t ws_find(ws_bytes b, uint32_t at, uint8_t c) {
    for (; at + 8 <= b.len; at += 8) {
        uint64_t v = ws__load64(b.ptr + at) ^ WS__EACH(c);
        uint64_t zero = (v - WS__EACH(1)) & ~v & WS__EACH(0x80); /* its lowest bit is at the first zero byte */
        if (zero) return at + (uint32_t)(__builtin_ctzll(zero) >> 3);
    }
    while (at < b.len && b.ptr[at] != c) at++;
    return at;
}

/* A long as Kafka's LongSerializer writes it: 8 bytes, big-endian. */
WS__INLINE int64_t ws_long(ws_bytes b) { return b.len == 8 ? (int64_t)__builtin_bswap64(ws__load64(b.ptr)) : 0; }
WS__INLINE void ws_put_long(uint8_t to[8], int64_t v) { ws__store64(to, __builtin_bswap64((uint64_t)v)); }

/* ---- Memory: blocks of powers of two, given back to a list for each size ------------------------------------------- */

typedef struct ws__block {
    struct ws__block *next;
} ws__block;

typedef struct ws__buffer {
    uint8_t *ptr;
    uint32_t cap;
} ws__buffer;

struct ws_ctx;

/* All that a module keeps between calls. There is one, however many source files include this header. */
typedef struct ws__runtime {
    uint32_t top;          /* end of the memory given out, 0 before the first block */
    ws__block *free_[32];  /* by the logarithm of the size */
    ws__buffer in, out, value, scratch, block;
    uint32_t out_len, out_count;
    struct ws_ctx **handles;
    uint32_t handle_cap;
} ws__runtime;

__attribute__((weak)) ws__runtime ws__rt;
extern unsigned char __heap_base;

WS__INLINE uint32_t ws__class(uint32_t n) { return n <= 16 ? 4u : 32u - (uint32_t)__builtin_clz(n - 1); }

/* At least n bytes at a multiple of 16, or NULL if the memory has reached its limit. Not cleared. */
WS__COLD void *ws_alloc(uint32_t n) {
    if (n > 1u << 30) return NULL;
    uint32_t k = ws__class(n), size = 1u << k;
    ws__block *b = ws__rt.free_[k];
    if (b) {
        ws__rt.free_[k] = b->next;
        return b;
    }
    uint32_t at = ws__rt.top ? ws__rt.top : ((uint32_t)(uintptr_t)&__heap_base + 15u) & ~15u;
    uint64_t end = (uint64_t)at + size, have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
    if (end > have && __builtin_wasm_memory_grow(0, (size_t)((end - have + 0xFFFFu) >> 16)) == (size_t)-1) return NULL;
    ws__rt.top = (uint32_t)end;
    return (void *)(uintptr_t)at;
}

/* Gives back what ws_alloc(n) gave. */
WS__COLD void ws_free(void *p, uint32_t n) {
    if (!p) return;
    ws__block *b = (ws__block *)p;
    b->next = ws__rt.free_[ws__class(n)];
    ws__rt.free_[ws__class(n)] = b;
}

/* Makes b hold at least n bytes, of which the first used stay. Traps when memory has come to its end. */
WS__COLD void ws__grow(ws__buffer *b, uint32_t used, uint32_t n) {
    if (b->cap >= n) return;
    uint32_t size = 1u << ws__class(n < 4096 ? 4096 : n);
    uint8_t *p = (uint8_t *)ws_alloc(size);
    if (!p) __builtin_trap();
    if (used) __builtin_memcpy(p, b->ptr, used);
    ws_free(b->ptr, b->cap);
    b->ptr = p;
    b->cap = size;
}

/* ---- Records and context ------------------------------------------------------------------------------------------ */

/* One input record. Parts that the component did not want are null. second and third are the arguments of functions
 * that have them (abi/SPEC.md, 3): of an aggregator second is the aggregate so far, of a reducer the new value, of a
 * merger the later aggregate, of a joiner the right value; third is a joiner's mapped key. */
typedef struct ws_record {
    ws_bytes key, value;
    ws_bytes second, third;
    ws_bytes headers; /* a block of pairs, for ws_pairs_next */
    uint32_t header_count;
    uint32_t index;
    int64_t timestamp, offset;
    int32_t partition;
    uint32_t partitions; /* for a partitioner: how many there are */
} ws_record;

/* A component opened for one node. */
typedef struct ws_ctx {
    const struct ws_component *component;
    int32_t handle;
    int32_t error;        /* the first error of the running call that nobody can mend */
    uint32_t index;       /* of the record being processed, or WS_NO_INDEX */
    const uint8_t *frame; /* input frame of the running call, or NULL */
    int64_t partition_time;
    ws_bytes open;        /* the open frame */
    void *state;
} ws_ctx;

typedef bool (*ws_predicate)(ws_ctx *, const ws_record *);
typedef void (*ws_function)(ws_ctx *, const ws_record *);

/* A processor: for each node that it is opened for it has state_size bytes of its own, zeroed, at ws_state(c).
 * Members may be NULL. An init that returns < 0 refuses to open. A processor with flush says WS_BUFFERS. */
typedef struct ws_processor {
    uint32_t state_size;
    int32_t (*init)(ws_ctx *c);
    void (*process)(ws_ctx *c, const ws_record *r);
    void (*punctuate)(ws_ctx *c, int32_t timer, int64_t time);
    void (*flush)(ws_ctx *c);
    void (*close)(ws_ctx *c, int32_t reason);
} ws_processor;

typedef struct ws_component {
    const char *name;
    void (*run)(ws_ctx *c, const uint8_t *frame);
    const ws_processor *processor; /* NULL for functions */
} ws_component;

WS__INLINE void *ws_state(ws_ctx *c) { return c->state; }

/* The call fails with this number; its effects are thrown away. The first one counts. */
WS__INLINE int32_t ws_abort(ws_ctx *c, int32_t error) {
    if (error < 0 && c->error == 0) c->error = error;
    return error;
}

/* Reader of a block of pairs: headers, aux, state. rest is what remains. */
WS__MAYBE bool ws_pairs_next(ws_bytes *rest, ws_bytes *key, ws_bytes *value) {
    if (rest->len < 8) return false;
    uint32_t klen = ws__load32(rest->ptr), vlen = ws__load32(rest->ptr + 4);
    uint32_t n = 8 + ws__pad8(klen + (vlen == WS_NULL ? 0 : vlen));
    if (n > rest->len) return false;
    *key = ws_of(rest->ptr + 8, klen);
    *value = vlen == WS_NULL ? ws_null() : ws_of(rest->ptr + 8 + klen, vlen);
    rest->ptr += n;
    rest->len -= n;
    return true;
}

WS__INLINE uint32_t ws__pair_size(ws_bytes key, ws_bytes value) { return 8 + ws__pad8(key.len + value.len); }

WS__INLINE uint8_t *ws__pair_put(uint8_t *p, ws_bytes key, ws_bytes value) {
    uint32_t n = ws__pair_size(key, value);
    ws__store64(p + n - 8, 0);
    ws__store32(p, key.len);
    ws__store32(p + 4, value.ptr ? value.len : WS_NULL);
    ws_copy(p + 8, key.ptr, key.len);
    ws_copy(p + 8 + key.len, value.ptr, value.len);
    return p + n;
}

/* The value of the last header with this key, as Kafka's lastHeader, or NULL bytes. found may be NULL. */
WS__MAYBE ws_bytes ws_header(const ws_record *r, const char *key, bool *found) {
    ws_bytes rest = r->headers, k, v, last = ws_null(), want = ws_str(key);
    bool any = false;
    while (ws_pairs_next(&rest, &k, &v))
        if (ws_equal(k, want)) { last = v; any = true; }
    if (found) *found = any;
    return last;
}

/* The topic of the record being processed, or null in a punctuator. */
WS__MAYBE ws_bytes ws_topic(ws_ctx *c) {
    if (!c->frame || !(ws__load32(c->frame + 16) & WS_FRAME_HAS_AUX)) return ws_null();
    ws_bytes rest = ws_of(c->frame + ws__load32(c->frame + 20), ws__load32(c->frame + 24)), k, v;
    while (ws_pairs_next(&rest, &k, &v))
        if (ws_equal(k, ws_str("topic"))) return v;
    return ws_null();
}

/* A value of the open frame: "application.id", "task.id", "node", "mode", "epoch", ... or null. */
WS__MAYBE ws_bytes ws_open_value(ws_ctx *c, const char *key) {
    ws_bytes rest = ws_of(c->open.ptr + 8, c->open.len - 8), k, v, want = ws_str(key);
    while (ws_pairs_next(&rest, &k, &v))
        if (ws_equal(k, want)) return v;
    return ws_null();
}

/* n bytes at a multiple of 8 that live until the function returns. Not cleared. Ask once for all: a larger request
 * may move what was given before in the same function, so earlier pointers are void then. */
WS__INLINE uint8_t *ws_scratch(uint32_t n) {
    if (n >= ws__rt.scratch.cap) ws__grow(&ws__rt.scratch, 0, n + 1); /* never NULL, also for n 0 */
    return ws__rt.scratch.ptr;
}

/* ---- Output ------------------------------------------------------------------------------------------------------- */

/* A part of the output goes to the host when it has reached one of these, and the call goes on. */
#define WS__OUT_BYTES (1u << 20)
#define WS__OUT_RECORDS 65536u

WS__MAYBE void ws__out_start(void) {
    if (!ws__rt.out.ptr) ws__grow(&ws__rt.out, 0, 65536);
    ws__rt.out_len = WS_FRAME_HEADER;
    ws__rt.out_count = 0;
}

#ifdef WS_CONNECT
WS__MAYBE void ws__aux_finish(void); /* wasmstream_connect.h */
#endif

/* Writes the header of the output frame and returns its length, 0 if it has no records. */
WS__MAYBE uint32_t ws__out_finish(void) {
    uint8_t *p = ws__rt.out.ptr;
    if (!ws__rt.out_count) return 0;
    ws__store32(p, WS_FRAME_MAGIC);
    ws__store32(p + 4, WS_FRAME_HEADER | WS_RECORD_HEADER << 16);
    ws__store32(p + 8, ws__rt.out_len);
    ws__store32(p + 12, ws__rt.out_count);
    ws__store64(p + 16, 0);
    ws__store64(p + 24, 0);
    ws__store64(p + 32, 0xFFFFFFFFu);
    ws__store64(p + 40, 0);
    ws__store64(p + 48, 0);
    ws__store64(p + 56, 0);
#ifdef WS_CONNECT
    ws__aux_finish();
#endif
    return ws__rt.out_len;
}

/* Makes room for a record of n bytes: emits what is there if that is much, then grows the buffer. A record that no
 * frame can hold is a trap. */
WS__COLD void ws__out_room(ws_ctx *c, uint64_t size) {
    if (size > WS_MAX_FRAME_BYTES - WS_FRAME_HEADER) __builtin_trap();
    uint32_t n = (uint32_t)size;
    if (ws__rt.out_count >= WS__OUT_RECORDS || (ws__rt.out_count && ws__rt.out_len + n > WS__OUT_BYTES)) {
        uint32_t len = ws__out_finish();
        if (!c->error) ws_abort(c, ws1_emit(ws__rt.out.ptr, len));
        ws__out_start();
    }
    ws__grow(&ws__rt.out, ws__rt.out_len, ws__rt.out_len + n);
}

/* Room for a record whose parts take n bytes with their padding; the address of its header. */
WS__INLINE uint8_t *ws__out_record(ws_ctx *c, uint64_t n) {
    if (__builtin_expect(ws__rt.out_count >= WS__OUT_RECORDS || ws__rt.out_len + WS_RECORD_HEADER + n > ws__rt.out.cap, 0))
        ws__out_room(c, WS_RECORD_HEADER + n);
    return ws__rt.out.ptr + ws__rt.out_len;
}

/* Writes a record's header; n is the length of its parts with their padding. */
WS__INLINE void ws__out_header(ws_ctx *c, uint8_t *p, uint32_t flags, uint32_t klen, uint32_t vlen, uint32_t n) {
    ws__store64(p, (uint64_t)(WS_RECORD_HEADER + n) | (uint64_t)klen << 32);
    ws__store64(p + 8, vlen);
    ws__store64(p + 16, 0);
    ws__store64(p + 24, ~(uint64_t)0);
    ws__store64(p + 32, (uint64_t)c->index | (uint64_t)flags << 56);
    ws__store64(p + 40, (uint64_t)0xFFFFFFFFu << 32);
    ws__rt.out_len += WS_RECORD_HEADER + n;
    ws__rt.out_count++;
}

WS__INLINE uint8_t *ws__put(uint8_t *p, ws_bytes b) {
    if (!b.len) return p;
    uint32_t n = ws__pad8(b.len);
    ws__store64(p + n - 8, 0);
    ws_copy(p, b.ptr, b.len);
    return p + n;
}

/* The record as it came, by reference. */
WS__INLINE void ws_keep(ws_ctx *c) { ws__out_header(c, ws__out_record(c, 0), WS_KEEP_ALL, WS_NULL, WS_NULL, 0); }

/* The record with another value (NULL bytes: a tombstone); the rest by reference. */
WS__INLINE void ws_value(ws_ctx *c, ws_bytes value) {
    uint32_t n = ws__pad8(value.len);
    uint8_t *p = ws__out_record(c, n);
    ws__put(p + WS_RECORD_HEADER, value);
    ws__out_header(c, p, WS_KEEP_ALL & ~WS_KEEP_VALUE, WS_NULL, value.ptr ? value.len : WS_NULL, n);
}

WS__INLINE void ws_null_value(ws_ctx *c) { ws_value(c, ws_null()); }

/* The record with another key; the rest by reference. */
WS__INLINE void ws_key(ws_ctx *c, ws_bytes key) {
    uint32_t n = ws__pad8(key.len);
    uint8_t *p = ws__out_record(c, n);
    ws__put(p + WS_RECORD_HEADER, key);
    ws__out_header(c, p, WS_KEEP_ALL & ~WS_KEEP_KEY, key.ptr ? key.len : WS_NULL, WS_NULL, n);
}

/* The record with another key and value; headers and timestamp by reference. */
WS__INLINE void ws_key_value(ws_ctx *c, ws_bytes key, ws_bytes value) {
    uint32_t n = ws__pad8(key.len) + ws__pad8(value.len);
    uint8_t *p = ws__out_record(c, n);
    ws__put(ws__put(p + WS_RECORD_HEADER, key), value);
    ws__out_header(c, p, WS_KEEP_HEADERS | WS_KEEP_TIMESTAMP, key.ptr ? key.len : WS_NULL, value.ptr ? value.len : WS_NULL, n);
}

/* The record at another time, the answer of a timestampExtractor; below 0 drops it. */
WS__INLINE void ws_timestamp(ws_ctx *c, int64_t timestamp) {
    uint8_t *p = ws__out_record(c, 0);
    ws__out_header(c, p, WS_KEEP_ALL & ~WS_KEEP_TIMESTAMP, WS_NULL, WS_NULL, 0);
    ws__store64(p + 16, (uint64_t)timestamp);
    if (timestamp > c->partition_time) c->partition_time = timestamp;
}

/* For a timestampExtractor: the largest timestamp of the partition before this record, -1 if there is none. */
WS__INLINE int64_t ws_partition_time(ws_ctx *c) { return c->partition_time; }

/* The partition that the record is written to, the answer of a partitioner; -1 is the one that Kafka takes by default.
 * Several send it to each of them, none drops it. */
WS__INLINE void ws_partition(ws_ctx *c, int32_t partition) {
    uint8_t *p = ws__out_record(c, 0);
    ws__out_header(c, p, WS_KEEP_ALL, WS_NULL, WS_NULL, 0);
    ws__store32(p + 44, (uint32_t)partition);
}

/* A value written in place: room for cap bytes, of which ws_value_end takes the first len. Between the two no other
 * output. */
WS__INLINE uint8_t *ws_value_begin(ws_ctx *c, uint32_t cap) { return ws__out_record(c, ws__pad8(cap)) + WS_RECORD_HEADER; }

WS__INLINE void ws_value_end(ws_ctx *c, uint32_t len) {
    uint8_t *p = ws__rt.out.ptr + ws__rt.out_len;
    for (uint32_t i = len; i & 7u; i++) p[WS_RECORD_HEADER + i] = 0;
    ws__out_header(c, p, WS_KEEP_ALL & ~WS_KEEP_VALUE, WS_NULL, len, ws__pad8(len));
}

/* This input record could not be processed: class says what becomes of it. */
WS__COLD void ws_fail(ws_ctx *c, uint32_t error_class, ws_bytes message) {
    if (c->index == WS_NO_INDEX) {
        ws1_set_error(WS_NO_INDEX, error_class, message.ptr, message.len);
        ws_abort(c, error_class == WS_CLASS_RETRY ? WS_RETRY : WS_UNKNOWN);
        return;
    }
    uint32_t n = ws__pad8(message.len);
    uint8_t *p = ws__out_record(c, n);
    ws__put(p + WS_RECORD_HEADER, message);
    ws__out_header(c, p, 0, WS_NULL, message.len, n);
    p[38] = WS_KIND_ERROR;
    ws__store32(p + 40, error_class);
}

/* A header of a message to forward. */
typedef struct ws_new_header {
    ws_bytes key, value;
} ws_new_header;

/* What a processor forwards. Zeroed it is a null key, a null value, no headers, timestamp 0, to every child. Parts
 * named in keep come from the record being processed. */
typedef struct ws_message {
    ws_bytes key, value;
    const ws_new_header *headers;
    uint32_t header_count;
    int64_t timestamp;
    uint32_t keep; /* WS_KEEP_... */
    uint32_t dest; /* WS_ALL_CHILDREN, or what ws_child gave */
} ws_message;

WS__MAYBE void ws_forward_message(ws_ctx *c, const ws_message *m) {
    uint32_t keep = c->index == WS_NO_INDEX ? 0 : m->keep;
    ws_bytes key = keep & WS_KEEP_KEY ? ws_null() : m->key, value = keep & WS_KEEP_VALUE ? ws_null() : m->value;
    uint32_t headers = keep & WS_KEEP_HEADERS ? 0 : m->header_count;
    uint64_t hlen = 0;
    for (uint32_t i = 0; i < headers; i++) hlen += ws__pair_size(m->headers[i].key, m->headers[i].value);
    uint64_t size = (uint64_t)ws__pad8(key.len) + ws__pad8(value.len) + hlen;
    uint8_t *p = ws__out_record(c, size);
    uint32_t n = (uint32_t)size;
    uint8_t *h = ws__put(ws__put(p + WS_RECORD_HEADER, key), value);
    for (uint32_t i = 0; i < headers; i++) h = ws__pair_put(h, m->headers[i].key, m->headers[i].value);
    ws__out_header(c, p, keep, key.ptr ? key.len : WS_NULL, value.ptr ? value.len : WS_NULL, n);
    ws__store32(p + 12, (uint32_t)hlen);
    ws__store64(p + 16, (uint64_t)m->timestamp);
    p[36] = (uint8_t)headers;
    p[37] = (uint8_t)(headers >> 8);
    ws__store32(p + 40, m->dest);
}

/* Forwards key and value to every child, with headers and timestamp of the record being processed. In punctuators and
 * flush, where there is none, with no headers and the task's stream time. */
WS__INLINE void ws_forward(ws_ctx *c, ws_bytes key, ws_bytes value) {
    if (c->index != WS_NO_INDEX) {
        ws_key_value(c, key, value);
        return;
    }
    ws_message m = {key, value, NULL, 0, ws1_time(WS_TIME_STREAM, WS_NO_INDEX), 0, WS_ALL_CHILDREN};
    ws_forward_message(c, &m);
}

/* The same to one child. */
WS__MAYBE void ws_forward_to(ws_ctx *c, uint32_t dest, ws_bytes key, ws_bytes value) {
    ws_forward(c, key, value);
    ws__store32(ws__rt.out.ptr + ws__rt.out_len - ws__pad8(key.len) - ws__pad8(value.len) - WS_RECORD_HEADER + 40, dest);
}

/* The number of a child by name for forward_to, or < 0. */
WS__MAYBE int32_t ws_child(ws_ctx *c, const char *name) {
    (void)c;
    ws_bytes n = ws_str(name);
    return ws1_child(n.ptr, n.len);
}

/* ---- Time, log, metrics, settings ----------------------------------------------------------------------------------- */

/* Stream time as the record being processed was taken; in punctuators the task's now. */
WS__MAYBE int64_t ws_stream_time(ws_ctx *c) { return ws1_time(WS_TIME_STREAM, c->index); }
WS__MAYBE int64_t ws_wall_time(ws_ctx *c) { return ws1_time(WS_TIME_WALL, c->index); }

/* Bytes that a replay of this record gives again. */
WS__MAYBE int32_t ws_random(ws_ctx *c, void *to, uint32_t n) { return ws1_random(c->index, to, n); }
WS__MAYBE uint64_t ws_random64(ws_ctx *c) { uint64_t v = 0; ws1_random(c->index, &v, 8); return v; }

WS__MAYBE bool ws_log_enabled(int32_t level) { return ws1_log_enabled(level) == 1; }
WS__MAYBE void ws_log(int32_t level, ws_bytes line) { ws1_log(level, line.ptr, line.len); }

WS__MAYBE int32_t ws_metric(int32_t kind, const char *name) { ws_bytes n = ws_str(name); return ws1_metric(kind, n.ptr, n.len); }
WS__MAYBE void ws_metric_add(int32_t metric, int64_t delta) { ws1_metric_add(metric, delta); }

/* A setting of the node, or null. Valid as long as the component is open. */
WS__MAYBE ws_bytes ws_config(ws_ctx *c, const char *key) {
    ws_bytes rest = ws_of(c->open.ptr + 8, c->open.len - 8), k, v, want = ws_str(key);
    while (ws_pairs_next(&rest, &k, &v))
        if (k.len == want.len + 7 && ws_equal(ws_of(k.ptr, 7), ws_str("config.")) && ws_equal(ws_of(k.ptr + 7, want.len), want)) return v;
    return ws_null();
}

/* Calls the processor's punctuate every interval_ms. Returns the timer, or < 0. */
WS__MAYBE int32_t ws_schedule(ws_ctx *c, int64_t interval_ms, int32_t type) { return ws_abort(c, ws1_schedule(interval_ms, type, WS_START_NONE)); }
WS__MAYBE int32_t ws_schedule_from(ws_ctx *c, int64_t start_ms, int64_t interval_ms, int32_t type) { return ws_abort(c, ws1_schedule(interval_ms, type, start_ms)); }
WS__MAYBE int32_t ws_cancel(int32_t timer) { return ws1_cancel(timer); }
WS__MAYBE void ws_request_commit(void) { ws1_request_commit(); }

/* ---- Stores ------------------------------------------------------------------------------------------------------- */

/* An error of a store that is not "not found" makes the running call fail: a function need not look at it. */
WS__INLINE int32_t ws__checked(ws_ctx *c, int32_t rc) { return rc < 0 && rc != WS_NOT_FOUND ? ws_abort(c, rc) : rc; }

/* Opens a store by name, usually in init. < 0: not declared (WS_STORES) or not connected to this node. */
WS__MAYBE int32_t ws_store_open(ws_ctx *c, const char *name) {
    ws_bytes n = ws_str(name);
    return ws_abort(c, ws1_state_open(n.ptr, n.len));
}

/* Takes the answer of a (buf, cap) call that was made with ws__rt.value: the bytes if they fitted, or grows it. */
WS__INLINE bool ws__taken(int32_t rc, ws_bytes *value) {
    if (rc < 0) {
        *value = ws_null();
        return true;
    }
    if ((uint32_t)rc <= ws__rt.value.cap) {
        *value = ws_of(ws__rt.value.ptr, (uint32_t)rc);
        return true;
    }
    ws__grow(&ws__rt.value, 0, (uint32_t)rc);
    return false;
}

/* Reads a value. False: there is none, and value is null. */
WS__INLINE bool ws_store_get(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes *value) {
    int32_t rc;
    if (!ws__rt.value.ptr) ws__grow(&ws__rt.value, 0, 4096);
    do rc = ws1_state_get(store, key.ptr, key.len, ws__rt.value.ptr, ws__rt.value.cap);
    while (!ws__taken(rc, value));
    ws__checked(c, rc);
    return rc >= 0;
}

/* Writes a value; null bytes delete. */
WS__INLINE int32_t ws_store_put(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes value) {
    return ws__checked(c, ws1_state_put(store, key.ptr, key.len, value.ptr, value.ptr ? value.len : WS_NULL));
}

/* Writes a value where there is none and returns true; else false, and old is the value there. */
WS__MAYBE bool ws_store_put_if_absent(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes value, ws_bytes *old) {
    int32_t rc;
    if (!ws__rt.value.ptr) ws__grow(&ws__rt.value, 0, 4096);
    do rc = ws1_state_put_if_absent(store, key.ptr, key.len, value.ptr, value.ptr ? value.len : WS_NULL, ws__rt.value.ptr, ws__rt.value.cap);
    while (!ws__taken(rc, old));
    ws__checked(c, rc);
    return rc == WS_NOT_FOUND;
}

/* Deletes. True: there was a value, old. */
WS__MAYBE bool ws_store_delete(ws_ctx *c, int32_t store, ws_bytes key, ws_bytes *old) {
    int32_t rc;
    if (!ws__rt.value.ptr) ws__grow(&ws__rt.value, 0, 4096);
    do rc = ws1_state_delete(store, key.ptr, key.len, ws__rt.value.ptr, ws__rt.value.cap);
    while (!ws__taken(rc, old));
    ws__checked(c, rc);
    return rc >= 0;
}

/* A block of pairs to be sent at once: ws_batch_start, ws_batch_add for each, then get or write. There is one. */
typedef struct ws_batch {
    uint32_t len;
} ws_batch;

WS__MAYBE ws_batch ws_batch_start(void) { ws_batch b = {0}; return b; }

/* Adds a pair; for ws_store_get_many with null as value. */
WS__MAYBE void ws_batch_add(ws_batch *b, ws_bytes key, ws_bytes value) {
    uint32_t n = ws__pair_size(key, value);
    ws__grow(&ws__rt.block, b->len, b->len + n);
    ws__pair_put(ws__rt.block.ptr + b->len, key, value);
    b->len += n;
}

/* Reads all keys of the batch: values is a block for ws_pairs_next, one pair for each key in order, with an empty key
 * and the value or null. */
WS__MAYBE int32_t ws_store_get_many(ws_ctx *c, int32_t store, const ws_batch *b, ws_bytes *values) {
    int32_t rc;
    if (!ws__rt.value.ptr) ws__grow(&ws__rt.value, 0, 4096);
    do rc = ws1_state_get_many(store, ws__rt.block.ptr, b->len, ws__rt.value.ptr, ws__rt.value.cap);
    while (!ws__taken(rc, values));
    return ws__checked(c, rc);
}

/* Writes all pairs of the batch in order; a null value deletes. */
WS__MAYBE int32_t ws_store_write_many(ws_ctx *c, int32_t store, const ws_batch *b) {
    return ws__checked(c, ws1_state_write_many(store, ws__rt.block.ptr, b->len));
}

/* An iterator over from <= key < to; null is an open end. Pairs are fetched in blocks. It has a buffer of its own, so
 * that stores may be used meanwhile; it is closed by ws_iter_close, or at the end of the call. */
typedef struct ws_iter {
    int32_t id;
    ws__buffer buf;
    ws_bytes rest;
} ws_iter;

WS__MAYBE int32_t ws_iter_open(ws_ctx *c, ws_iter *it, int32_t store, ws_bytes from, ws_bytes to, int32_t flags, int32_t limit) {
    it->buf.ptr = NULL;
    it->buf.cap = 0;
    it->rest = ws_null();
    it->id = ws1_iter_open(store, from.ptr, from.ptr ? from.len : WS_NULL, to.ptr, to.ptr ? to.len : WS_NULL, flags, limit);
    return ws_abort(c, it->id);
}

/* The next pair, valid until the next ws_iter_next. False at the end. */
WS__MAYBE bool ws_iter_next(ws_ctx *c, ws_iter *it, ws_bytes *key, ws_bytes *value) {
    while (it->id >= 0 && !ws_pairs_next(&it->rest, key, value)) {
        ws__grow(&it->buf, 0, 4096);
        int32_t n = ws1_iter_next_many(it->id, it->buf.ptr, it->buf.cap);
        if (n <= 0) return ws_abort(c, n), false;
        if ((uint32_t)n > it->buf.cap) {
            ws__grow(&it->buf, 0, (uint32_t)n);
            continue;
        }
        it->rest = ws_of(it->buf.ptr, (uint32_t)n);
    }
    return it->id >= 0;
}

WS__MAYBE void ws_iter_close(ws_iter *it) {
    if (it->id >= 0) ws1_iter_close(it->id);
    ws_free(it->buf.ptr, it->buf.cap);
    it->id = -1;
    it->buf.ptr = NULL;
    it->buf.cap = 0;
    it->rest = ws_null();
}

/* ---- JSON on raw bytes --------------------------------------------------------------------------------------------
 *
 * A query names fields by path; one pass over a document checks it whole (RFC 8259, UTF-8) and notes where they are:
 *
 *     static ws_json_query q;                          // filled once, e.g. in init or when q.paths is 0
 *     int amount = ws_json_add(&q, "order.amount");
 *     ws_json_field f[2];
 *     if (!ws_json_scan(doc, &q, f)) ...               // not JSON
 *     double x; ws_json_f64(ws_json_raw(doc, &f[amount]), &x);
 *     ws_json_edit e[] = {{amount, WS_JSON_SET, text}};
 *     ws_json_value(c, doc, &q, f, e, 1);              // the document with the edits, written as the record's value
 *
 * A path is keys separated by dots; in arrays a number is the index from 0. Keys that hold dots: ws_json_add_keys.
 * Of a key that occurs twice in one object the first counts. Whitespace, order and the text of everything that is not
 * edited stay as they are.
 */

#define WS_JSON_PATHS 16   /* paths in a query */
#define WS_JSON_DEPTH 8    /* keys in a path */
#define WS_JSON_NESTING 1000 /* containers in containers that a document may have */

enum { WS_JSON_NONE, WS_JSON_NULL, WS_JSON_BOOL, WS_JSON_NUMBER, WS_JSON_STRING, WS_JSON_OBJECT, WS_JSON_ARRAY };
enum { WS_JSON_SET, WS_JSON_REMOVE };

typedef struct ws_json_query {
    uint32_t paths;
    uint8_t depth[WS_JSON_PATHS];
    ws_bytes key[WS_JSON_PATHS][WS_JSON_DEPTH];
} ws_json_query;

/* Where a field is: offsets into the document. */
typedef struct ws_json_field {
    uint32_t type;                /* WS_JSON_NONE: not there */
    uint32_t start, value, end;   /* of the key (of the value in arrays), of the value, behind the value */
    uint32_t comma;               /* of the comma before it, or 0xFFFFFFFF */
    uint32_t parent, parent_end;  /* of the brackets around it, or around where it would be; 0xFFFFFFFF: not there */
    uint32_t parent_type, siblings; /* members of the parent, this one included */
} ws_json_field;

typedef struct ws_json_edit {
    int path;     /* what ws_json_add gave */
    int op;       /* WS_JSON_SET or WS_JSON_REMOVE */
    ws_bytes raw; /* the new value as JSON text */
} ws_json_edit;

/* Adds a path of n keys, which must live as long as the query. Returns its number, or -1 if there is no room. */
WS__MAYBE int ws_json_add_keys(ws_json_query *q, const ws_bytes *keys, uint32_t n) {
    if (q->paths >= WS_JSON_PATHS || n == 0 || n > WS_JSON_DEPTH) return -1;
    for (uint32_t i = 0; i < n; i++) q->key[q->paths][i] = keys[i];
    q->depth[q->paths] = (uint8_t)n;
    return (int)q->paths++;
}

/* Adds a path with dots. */
WS__MAYBE int ws_json_add(ws_json_query *q, const char *path) {
    ws_bytes keys[WS_JSON_DEPTH];
    uint32_t n = 0;
    for (const char *at = path;; path++) {
        if (*path && *path != '.') continue;
        if (n == WS_JSON_DEPTH) return -1;
        keys[n++] = ws_of(at, (uint32_t)(path - at));
        if (!*path) return ws_json_add_keys(q, keys, n);
        at = path + 1;
    }
}

/* The text of a field's value, null if it is not there. */
WS__INLINE ws_bytes ws_json_raw(ws_bytes doc, const ws_json_field *f) {
    return f->type == WS_JSON_NONE ? ws_null() : ws_of(doc.ptr + f->value, f->end - f->value);
}

WS__INLINE const uint8_t *ws__json_space(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    return p;
}

/* The length of the UTF-8 sequence at p, 0 if it is not sound. */
WS__MAYBE uint32_t ws__utf8(const uint8_t *p, const uint8_t *end) {
    uint32_t c = p[0], n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || (uint32_t)(end - p) < n) return 0;
    for (uint32_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F) || (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F)) return 0;
    return n;
}

WS__INLINE bool ws__is_hex(uint8_t c) { return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 32) - 'a') < 6; }

WS__INLINE uint32_t ws__hex4(const uint8_t *p) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return v;
}

/* Behind the escape at p (a backslash), or NULL. */
WS__MAYBE const uint8_t *ws__json_escape(const uint8_t *p, const uint8_t *end) {
    if (end - p < 2) return NULL;
    switch (p[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return p + 2;
    case 'u':
        if (end - p < 6) return NULL;
        for (int i = 2; i < 6; i++)
            if (!ws__is_hex(p[i])) return NULL;
        return p + 6;
    default:
        return NULL;
    }
}

/* Bits of which the lowest is the bit 0x80 of the first byte that is a quote, a backslash, below 0x20 or above 0x7F; 0
 * if none of the 8 is. */
WS__INLINE uint64_t ws__json_special(uint64_t v) {
    uint64_t quote = v ^ WS__EACH('"'), slash = v ^ WS__EACH('\\');
    return (v | (v - WS__EACH(0x20)) | (quote - WS__EACH(1)) | (slash - WS__EACH(1))) & WS__EACH(0x80);
}

/* Behind the escape or the sequence of UTF-8 at p, or NULL. */
WS__MAYBE const uint8_t *ws__json_rare(const uint8_t *p, const uint8_t *end) {
    if (*p == '\\') return ws__json_escape(p, end);
    uint32_t n = *p >= 0x80 ? ws__utf8(p, end) : 0;
    return n ? p + n : NULL;
}

/* Behind the string that begins with the quote at p, or NULL. escaped is set if it has an escape. */
WS__INLINE const uint8_t *ws__json_string(const uint8_t *p, const uint8_t *end, bool *escaped) {
    for (p++; p;) {
        if (end - p >= 8) {
            uint64_t special = ws__json_special(ws__load64(p));
            if (!special) { p += 8; continue; }
            p += __builtin_ctzll(special) >> 3;
        } else if (p == end) {
            return NULL;
        }
        if (*p == '"') return p + 1;
        if (*p >= 0x20 && *p < 0x80 && *p != '\\') { p++; continue; }
        *escaped |= *p == '\\';
        p = ws__json_rare(p, end);
    }
    return NULL;
}

WS__INLINE const uint8_t *ws__digits(const uint8_t *p, const uint8_t *end) {
    while (p < end && (uint8_t)(*p - '0') < 10) p++;
    return p;
}

/* Behind the number at p, or NULL. */
WS__MAYBE const uint8_t *ws__json_number(const uint8_t *p, const uint8_t *end) {
    if (p < end && *p == '-') p++;
    const uint8_t *q = ws__digits(p, end);
    if (q == p || (*p == '0' && q > p + 1)) return NULL;
    if (q < end && *q == '.') {
        p = q + 1;
        q = ws__digits(p, end);
        if (q == p) return NULL;
    }
    if (q < end && (*q | 32) == 'e') {
        p = q + 1;
        if (p < end && (*p == '+' || *p == '-')) p++;
        q = ws__digits(p, end);
        if (q == p) return NULL;
    }
    return q;
}

WS__INLINE const uint8_t *ws__json_word(const uint8_t *p, const uint8_t *end, const char *word, uint32_t n) {
    if ((uint32_t)(end - p) < n) return NULL;
    for (uint32_t i = 0; i < n; i++)
        if (p[i] != (uint8_t)word[i]) return NULL;
    return p + n;
}

/* Behind the number or word at p, or NULL. */
WS__INLINE const uint8_t *ws__json_scalar(const uint8_t *p, const uint8_t *end) {
    switch (*p) {
    case 't': return ws__json_word(p, end, "true", 4);
    case 'f': return ws__json_word(p, end, "false", 5);
    case 'n': return ws__json_word(p, end, "null", 4);
    default: return ws__json_number(p, end);
    }
}

WS__INLINE uint32_t ws__json_type(uint8_t c) {
    switch (c) {
    case '{': return WS_JSON_OBJECT;
    case '[': return WS_JSON_ARRAY;
    case '"': return WS_JSON_STRING;
    case 't': case 'f': return WS_JSON_BOOL;
    case 'n': return WS_JSON_NULL;
    default: return WS_JSON_NUMBER;
    }
}

/* Writes the UTF-8 of a code point and returns its length; half of a surrogate pair becomes U+FFFD. */
WS__MAYBE uint32_t ws__put_utf8(uint8_t *to, uint32_t c) {
    if (c >= 0xD800 && c < 0xE000) c = 0xFFFD;
    if (c < 0x80) { to[0] = (uint8_t)c; return 1; }
    if (c < 0x800) { to[0] = (uint8_t)(0xC0 | c >> 6); to[1] = (uint8_t)(0x80 | (c & 63)); return 2; }
    if (c < 0x10000) {
        to[0] = (uint8_t)(0xE0 | c >> 12); to[1] = (uint8_t)(0x80 | (c >> 6 & 63)); to[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | c >> 18); to[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    to[2] = (uint8_t)(0x80 | (c >> 6 & 63)); to[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* Decodes the escape at *p (a sound one) to to, moves *p behind it and returns how many bytes were written. */
WS__MAYBE uint32_t ws__json_unescape_one(const uint8_t **p, const uint8_t *end, uint8_t *to) {
    const uint8_t *s = *p;
    *p += 2;
    switch (s[1]) {
    case 'b': to[0] = '\b'; return 1;
    case 'f': to[0] = '\f'; return 1;
    case 'n': to[0] = '\n'; return 1;
    case 'r': to[0] = '\r'; return 1;
    case 't': to[0] = '\t'; return 1;
    case 'u': break;
    default: to[0] = s[1]; return 1;
    }
    *p += 4;
    uint32_t c = ws__hex4(s + 2);
    if (c >= 0xD800 && c < 0xDC00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        uint32_t low = ws__hex4(*p + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *p += 6;
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return ws__put_utf8(to, c);
}

/* Decodes the text of a string, quotes included, to to, which has room for raw.len bytes. Returns the length. */
WS__MAYBE uint32_t ws_json_unquote(ws_bytes raw, uint8_t *to) {
    if (raw.len < 2) return 0;
    const uint8_t *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    uint32_t n = 0;
    while (p < end) {
        if (*p == '\\') n += ws__json_unescape_one(&p, end, to + n);
        else to[n++] = *p++;
    }
    return n;
}

/* Writes v in decimal to to, which has room for 20 bytes. Returns the length. */
WS__MAYBE uint32_t ws_put_i64(int64_t v, uint8_t *to) {
    uint8_t digits[20];
    uint32_t at = 20, n = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do digits[--at] = (uint8_t)('0' + u % 10);
    while (u /= 10);
    if (v < 0) to[n++] = '-';
    for (; at < 20; at++) to[n++] = digits[at];
    return n;
}

/* Whether a string, given with its quotes, holds this text. */
WS__MAYBE bool ws_json_is(ws_bytes raw, ws_bytes text) {
    if (raw.len < 2 || raw.ptr[0] != '"') return false;
    const uint8_t *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    uint32_t n = 0;
    while (p < end && n < text.len) {
        uint8_t one[4] = {*p, 0, 0, 0};
        uint32_t len = 1;
        if (*p == '\\') len = ws__json_unescape_one(&p, end, one);
        else p++;
        for (uint32_t i = 0; i < len; i++)
            if (n >= text.len || text.ptr[n++] != one[i]) return false;
    }
    return p == end && n == text.len;
}

/* Writes text as a JSON string to to, which has room for 6 * text.len + 2 bytes. Returns the length. */
WS__MAYBE uint32_t ws_json_quote(ws_bytes text, uint8_t *to) {
    uint8_t *p = to;
    *p++ = '"';
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\') { *p++ = c; continue; }
        *p++ = '\\';
        switch (c) {
        case '\b': *p++ = 'b'; break;
        case '\f': *p++ = 'f'; break;
        case '\n': *p++ = 'n'; break;
        case '\r': *p++ = 'r'; break;
        case '\t': *p++ = 't'; break;
        case '"': case '\\': *p++ = c; break;
        default:
            *p++ = 'u'; *p++ = '0'; *p++ = '0';
            *p++ = (uint8_t)('0' + (c >> 4));
            *p++ = (uint8_t)((c & 15) < 10 ? '0' + (c & 15) : 'A' + (c & 15) - 10);
        }
    }
    *p++ = '"';
    return (uint32_t)(p - to);
}

/* What is known of an open container that paths lead into. */
typedef struct ws__json_level {
    uint32_t mask, matched, leaves; /* paths that lead here, that have found their next key, that end at this member */
    uint32_t open, comma, members;
} ws__json_level;

/* The memory of a pass: containers by depth. */
typedef struct ws__json_notes {
    const uint8_t *doc;
    const ws_json_query *q;
    ws_json_field *f;
    ws__json_level level[WS_JSON_DEPTH + 1];
    uint64_t object[WS_JSON_NESTING / 64 + 1]; /* bit: object or array */
} ws__json_notes;

/* Where a pass stands. Functions that take it are joined into ws_json_scan, so that it lives in registers. */
typedef struct ws__json_pass {
    const uint8_t *p, *end;
    uint32_t depth, mask; /* open containers; paths that lead to the value at p */
    bool object;          /* the innermost container is an object */
} ws__json_pass;

/* The level of the innermost container, or NULL if no path leads there. */
WS__INLINE ws__json_level *ws__json_top(ws__json_notes *n, const ws__json_pass *s) {
    return s->depth <= WS_JSON_DEPTH && n->level[s->depth].mask ? &n->level[s->depth] : NULL;
}

/* Notes that a container opens which paths lead into. */
WS__MAYBE void ws__json_note_open(ws__json_notes *n, uint32_t depth, uint32_t mask, uint32_t at, bool object) {
    ws__json_level *l = &n->level[depth];
    l->matched = l->leaves = l->members = 0;
    l->open = at;
    l->comma = 0xFFFFFFFFu;
    for (uint32_t m = mask; m; m &= m - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(m);
        if (n->q->depth[i] != depth) continue;
        n->f[i].parent = at;
        n->f[i].parent_type = object ? WS_JSON_OBJECT : WS_JSON_ARRAY;
    }
}

WS__MAYBE void ws__json_note_close(ws__json_notes *n, uint32_t depth, uint32_t at) {
    for (uint32_t m = n->level[depth].mask; m; m &= m - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(m);
        if (n->q->depth[i] != depth) continue;
        n->f[i].parent_end = at;
        n->f[i].siblings = n->level[depth].members;
    }
}

/* Whether the key at this level of path i is that of a member: raw text with quotes, or the index of an element. */
WS__INLINE bool ws__json_same_key(ws_bytes want, ws_bytes key, bool escaped) {
    if (escaped) return ws_json_is(key, want);
    return want.len == key.len - 2 && ws_equal(want, ws_of(key.ptr + 1, key.len - 2));
}

/* Notes which paths the member at start takes up, whose value is at value. Returns the paths that lead into it. */
WS__MAYBE uint32_t ws__json_note_member(ws__json_notes *n, uint32_t depth, ws_bytes key, bool escaped, uint32_t start, uint32_t value) {
    ws__json_level *l = &n->level[depth];
    uint8_t index[22];
    uint32_t into = 0;
    l->leaves = 0;
    if (!key.ptr) key = ws_of(index, ws_put_i64(l->members, index + 1) + 2);
    l->members++;
    for (uint32_t m = l->mask & ~l->matched; m; m &= m - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(m);
        if (!ws__json_same_key(n->q->key[i][depth - 1], key, escaped)) continue;
        l->matched |= 1u << i;
        if (n->q->depth[i] > depth) {
            into |= 1u << i;
            continue;
        }
        l->leaves |= 1u << i;
        n->f[i].type = ws__json_type(n->doc[value]);
        n->f[i].start = start;
        n->f[i].value = value;
        n->f[i].comma = l->comma;
    }
    return into;
}

/* Steps over blanks; false at the end of the document. */
WS__INLINE bool ws__json_skip(ws__json_pass *s) {
    s->p = ws__json_space(s->p, s->end);
    return s->p != s->end;
}

/* From the start of a member to its value. */
WS__INLINE bool ws__json_enter(ws__json_pass *s, ws__json_notes *n) {
    const uint8_t *start = s->p;
    ws_bytes key = ws_null();
    bool escaped = false;
    if (s->object) {
        if (*s->p != '"') return false;
        s->p = ws__json_string(s->p, s->end, &escaped);
        if (!s->p) return false;
        key = ws_of(start, (uint32_t)(s->p - start));
        if (!ws__json_skip(s) || *s->p != ':') return false;
        s->p++;
        if (!ws__json_skip(s)) return false;
    }
    s->mask = 0;
    if (ws__json_top(n, s))
        s->mask = ws__json_note_member(n, s->depth, key, escaped, (uint32_t)(start - n->doc), (uint32_t)(s->p - n->doc));
    return true;
}

/* Into the container at p. */
WS__INLINE bool ws__json_open(ws__json_pass *s, ws__json_notes *n) {
    if (s->depth == WS_JSON_NESTING) return false;
    s->depth++;
    s->object = *s->p == '{';
    uint64_t bit = (uint64_t)1 << (s->depth & 63), *word = &n->object[s->depth >> 6];
    *word = s->object ? *word | bit : *word & ~bit;
    if (s->depth <= WS_JSON_DEPTH) {
        n->level[s->depth].mask = s->mask;
        if (s->mask) ws__json_note_open(n, s->depth, s->mask, (uint32_t)(s->p - n->doc), s->object);
    }
    s->p++;
    return ws__json_skip(s);
}

WS__INLINE void ws__json_close(ws__json_pass *s, ws__json_notes *n) {
    if (ws__json_top(n, s)) ws__json_note_close(n, s->depth, (uint32_t)(s->p - n->doc));
    s->depth--;
    s->object = n->object[s->depth >> 6] >> (s->depth & 63) & 1;
    s->p++;
}

/* From behind a value over closing brackets and a comma to the next member. 1: it is there, 0: the end, -1: a fault. */
WS__INLINE int ws__json_leave(ws__json_pass *s, ws__json_notes *n) {
    while (s->depth) {
        ws__json_level *l = ws__json_top(n, s);
        if (l)
            for (uint32_t m = l->leaves; m; m &= m - 1) n->f[__builtin_ctz(m)].end = (uint32_t)(s->p - n->doc);
        if (!ws__json_skip(s)) return -1;
        if (*s->p == ',') {
            if (l) l->comma = (uint32_t)(s->p - n->doc);
            s->p++;
            return ws__json_skip(s) ? 1 : -1;
        }
        if (*s->p != (s->object ? '}' : ']')) return -1;
        ws__json_close(s, n);
    }
    return ws__json_skip(s) ? -1 : 0;
}

/* Checks the whole document and notes where the fields of q are, f[i] for path i. False: it is not JSON; f is then
 * undefined. */
WS__MAYBE bool ws_json_scan(ws_bytes doc, const ws_json_query *q, ws_json_field *f) {
    ws__json_notes n;
    ws__json_pass s = {doc.ptr, doc.ptr + doc.len, 0, (uint32_t)((1u << q->paths) - 1), false};
    bool escaped;
    n.doc = doc.ptr;
    n.q = q;
    n.f = f;
    n.object[0] = 0;
    for (uint32_t i = 0; i < q->paths; i++) {
        f[i].type = f[i].parent_type = WS_JSON_NONE;
        f[i].parent = 0xFFFFFFFFu;
    }
    if (!ws__json_skip(&s)) return false;
    for (;;) {
        uint8_t c = *s.p;
        if (c == '"') {
            s.p = ws__json_string(s.p, s.end, &escaped);
        } else if (c != '{' && c != '[') {
            s.p = ws__json_scalar(s.p, s.end);
        } else {
            if (!ws__json_open(&s, &n)) return false;
            if (*s.p != (s.object ? '}' : ']')) {
                if (!ws__json_enter(&s, &n)) return false;
                continue;
            }
            ws__json_close(&s, &n);
        }
        if (!s.p) return false;
        int more = ws__json_leave(&s, &n);
        if (more <= 0) return more == 0;
        if (!ws__json_enter(&s, &n)) return false;
    }
}

/* Room that the edited document takes at most. */
WS__MAYBE uint32_t ws__json_bound(ws_bytes doc, const ws_json_query *q, const ws_json_edit *e, uint32_t n) {
    uint32_t size = doc.len;
    for (uint32_t i = 0; i < n; i++)
        size += e[i].raw.len + 6 * q->key[e[i].path][q->depth[e[i].path] - 1].len + 4;
    return size;
}

/* Where an edit begins: at its member, or at the end of the object it is added to. */
WS__INLINE uint32_t ws__json_place(const ws_json_field *f) { return f->type ? f->start : f->parent_end; }

/* Whether members of the object remain that an added one must be set apart from by a comma. */
WS__MAYBE bool ws__json_others(const ws_json_field *f, const ws_json_field *added, const ws_json_edit *e, uint32_t n) {
    uint32_t left = added->siblings;
    for (uint32_t i = 0; i < n; i++)
        if (e[i].op == WS_JSON_REMOVE && f[e[i].path].type && f[e[i].path].parent == added->parent) left--;
    return left > 0;
}

/* Writes doc with the edits to to, which has room (ws__json_bound); returns the length, or < 0. */
WS__MAYBE int64_t ws__json_write(ws_bytes doc, const ws_json_query *q, const ws_json_field *f, const ws_json_edit *e, uint32_t n, uint8_t *to) {
    uint8_t order[WS_JSON_PATHS];
    for (uint32_t i = 0; i < n; i++) {
        const ws_json_field *x = &f[e[i].path];
        if (!x->type && e[i].op == WS_JSON_SET && x->parent_type != WS_JSON_OBJECT) return WS_NOT_FOUND;
        uint32_t j = i;
        for (; j && ws__json_place(x) < ws__json_place(&f[e[order[j - 1]].path]); j--) order[j] = order[j - 1];
        order[j] = (uint8_t)i;
    }
    uint8_t *p = to;
    uint32_t done = 0, added = 0xFFFFFFFFu; /* up to where doc is written or dropped; object that got a member */
    for (uint32_t k = 0; k < n; k++) {
        const ws_json_edit *d = &e[order[k]];
        const ws_json_field *x = &f[d->path];
        uint32_t from = ws__json_place(x), next = from;
        if (!x->type && d->op == WS_JSON_REMOVE) continue;
        if (x->type && x->start < done && x->value < done) continue; /* inside of what another edit has replaced */
        if (!x->type) {
            bool comma = added == x->parent || ws__json_others(f, x, e, n);
            if (from < done) continue;
            ws_copy(p, doc.ptr + done, from - done);
            p += from - done;
            if (comma) *p++ = ',';
            p += ws_json_quote(q->key[d->path][q->depth[d->path] - 1], p);
            *p++ = ':';
            added = x->parent;
        } else if (d->op == WS_JSON_SET) {
            ws_copy(p, doc.ptr + done, x->value - done);
            p += x->value - done;
            next = x->end;
        } else {
            bool first = x->comma == 0xFFFFFFFFu || x->comma < done;
            from = first ? x->start : x->comma;
            next = x->end;
            if (first) {
                const uint8_t *behind = ws__json_space(doc.ptr + next, doc.ptr + doc.len);
                if (behind < doc.ptr + doc.len && *behind == ',') next = (uint32_t)(behind - doc.ptr) + 1;
            }
            ws_copy(p, doc.ptr + done, from - done);
            p += from - done;
        }
        if (d->op == WS_JSON_SET) {
            ws_copy(p, d->raw.ptr, d->raw.len);
            p += d->raw.len;
        }
        done = next;
    }
    ws_copy(p, doc.ptr + done, doc.len - done);
    return (int64_t)(p + (doc.len - done) - to);
}

/* The record with doc, edited, as its value. f comes from ws_json_scan of the same doc and query. Each path may be
 * edited once, at most WS_JSON_PATHS edits. A field that is not there is added at the end of its object; removing it
 * does nothing. < 0: the object to add it to is not there (WS_NOT_FOUND), and there is no output. */
WS__MAYBE int32_t ws_json_value(ws_ctx *c, ws_bytes doc, const ws_json_query *q, const ws_json_field *f, const ws_json_edit *e, uint32_t n) {
    if (n > WS_JSON_PATHS) return WS_INVALID_ARG;
    uint8_t *to = ws_value_begin(c, ws__json_bound(doc, q, e, n));
    int64_t len = ws__json_write(doc, q, f, e, n, to);
    if (len < 0) return (int32_t)len;
    ws_value_end(c, (uint32_t)len);
    return 0;
}

/* ---- Numbers as text ---------------------------------------------------------------------------------------------- */

/* Reads a whole number that fits. */
WS__MAYBE bool ws_json_i64(ws_bytes raw, int64_t *v) {
    uint32_t i = 0, negative = raw.len && raw.ptr[0] == '-';
    uint64_t u = 0, limit = (uint64_t)INT64_MAX + negative;
    for (i = negative; i < raw.len; i++) {
        uint64_t d = (uint8_t)(raw.ptr[i] - '0');
        if (d > 9 || u > (limit - d) / 10) return false;
        u = u * 10 + d;
    }
    *v = (int64_t)(negative ? 0 - u : u);
    return i > negative;
}

/* Whole numbers of up to 136 * 32 bits, for the numbers that doubles cannot settle. */
typedef struct ws__big {
    uint32_t n;
    uint32_t limb[136];
} ws__big;

/* b = b * m + a */
WS__MAYBE void ws__big_mul(ws__big *b, uint32_t m, uint32_t a) {
    uint64_t carry = a;
    for (uint32_t i = 0; i < b->n; i++) {
        carry += (uint64_t)b->limb[i] * m;
        b->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) b->limb[b->n++] = (uint32_t)carry;
}

WS__MAYBE void ws__big_mul10(ws__big *b, uint32_t e) {
    for (; e >= 9; e -= 9) ws__big_mul(b, 1000000000u, 0);
    for (; e; e--) ws__big_mul(b, 10, 0);
}

WS__MAYBE uint32_t ws__big_bits(const ws__big *b) { return b->n ? b->n * 32 - (uint32_t)__builtin_clz(b->limb[b->n - 1]) : 0; }

WS__MAYBE void ws__big_shl(ws__big *b, uint32_t k) {
    uint32_t words = k / 32, bits = k % 32;
    if (!b->n) return;
    b->limb[b->n] = 0;
    for (uint32_t i = b->n + 1; i-- > 0;) {
        uint64_t pair = (uint64_t)b->limb[i] << 32 | (i ? b->limb[i - 1] : 0);
        b->limb[i + words] = (uint32_t)(pair << bits >> 32);
    }
    for (uint32_t i = 0; i < words; i++) b->limb[i] = 0;
    b->n += words + 1;
    while (b->n && !b->limb[b->n - 1]) b->n--;
}

WS__MAYBE bool ws__big_less(const ws__big *a, const ws__big *b) {
    if (a->n != b->n) return a->n < b->n;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i];
    return false;
}

/* a = a - b, with b <= a */
WS__MAYBE void ws__big_sub(ws__big *a, const ws__big *b) {
    int64_t borrow = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        borrow += (int64_t)a->limb[i] - (i < b->n ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    while (a->n && !a->limb[a->n - 1]) a->n--;
}

/* n / m * 2^e as the nearest double, ties to even. Both are > 0 and are used up. */
WS__MAYBE double ws__big_ratio(ws__big *n, ws__big *m, int32_t e) {
    int32_t shift = (int32_t)ws__big_bits(n) - (int32_t)ws__big_bits(m);
    if (shift > 0) ws__big_shl(m, (uint32_t)shift);
    else ws__big_shl(n, (uint32_t)-shift);
    if (ws__big_less(n, m)) {
        ws__big_shl(n, 1);
        shift--;
    }
    e += shift; /* now m <= n < 2 m, and the value is n / m * 2^e */
    if (e > 1023) return __builtin_inf();
    if (e < -1075) return 0;
    int32_t digits = e < -1022 ? 53 - (-1022 - e) : 53;
    uint64_t v = 0;
    for (int32_t i = 0; i < digits; i++) {
        v <<= 1;
        if (!ws__big_less(n, m)) {
            ws__big_sub(n, m);
            v |= 1;
        }
        ws__big_shl(n, 1);
    }
    /* The rest is n / m of half a unit: 1 is a tie. */
    if (!ws__big_less(n, m)) {
        ws__big_sub(n, m);
        if (n->n || (v & 1)) v++;
    }
    /* A carry out of the digits is the next exponent, as the parts of a double are laid out. */
    uint64_t bits = digits < 53 ? v : v + ((uint64_t)(e + 1022) << 52);
    double d;
    __builtin_memcpy(&d, &bits, 8);
    return d;
}

static const double ws__pow10[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* digits * 10^e, where digits is text that may hold a point; more than 800 of them count as if a 1 followed. */
WS__COLD double ws__f64_slow(const uint8_t *p, const uint8_t *end, int32_t e) {
    ws__big n, m;
    uint32_t used = 0;
    bool fraction = false, more = false;
    n.n = 0;
    for (; p < end; p++) {
        if (*p == '.') { fraction = true; continue; }
        if (used >= 800) {
            more |= *p != '0';
            e += !fraction;
            continue;
        }
        ws__big_mul(&n, 10, (uint32_t)(*p - '0'));
        if (n.n) used++;
        e -= fraction;
    }
    if (!n.n) return 0;
    if (e + (int32_t)used > 310) return __builtin_inf();
    if (e + (int32_t)used < -330) return 0;
    if (more) { ws__big_mul(&n, 10, 1); e--; }
    m.n = 1;
    m.limb[0] = 1;
    if (e > 0) ws__big_mul10(&n, (uint32_t)e);
    else ws__big_mul10(&m, (uint32_t)-e);
    return ws__big_ratio(&n, &m, 0);
}

/* Reads a number as the nearest double. False: raw is not a JSON number. */
WS__MAYBE bool ws_json_f64(ws_bytes raw, double *v) {
    const uint8_t *p = raw.ptr, *end = raw.ptr + raw.len, *start;
    if (!raw.len || ws__json_number(p, end) != end) return false;
    bool negative = *p == '-', fraction = false, exact = true;
    uint64_t u = 0;
    int32_t e = 0, exponent = 0;
    for (p += negative, start = p; p < end && (*p | 32) != 'e'; p++) {
        if (*p == '.') { fraction = true; continue; }
        if (u > (uint64_t)1 << 53) exact = false;
        u = exact ? u * 10 + (uint64_t)(*p - '0') : u;
        e -= fraction;
    }
    const uint8_t *digits_end = p;
    if (p < end) {
        bool below = p[1] == '-';
        for (p += 1 + (p[1] == '-' || p[1] == '+'); p < end; p++)
            if (exponent < 100000) exponent = exponent * 10 + (*p - '0');
        exponent = below ? -exponent : exponent;
    }
    e += exponent;
    double d;
    if (exact && u <= (uint64_t)1 << 53 && e >= -22 && e <= 22) d = e < 0 ? (double)u / ws__pow10[-e] : (double)u * ws__pow10[e];
    else d = ws__f64_slow(start, digits_end, exponent);
    *v = negative ? -d : d;
    return true;
}

/* Writes the n digits at d, with the point behind the first point of them, as Java's Double.toString does: from 0.001
 * to 10^7 plainly, else with an exponent; at least one digit on both sides of the point. */
WS__MAYBE uint32_t ws__put_digits(const uint8_t *d, int32_t n, int32_t point, uint8_t *to) {
    uint8_t *p = to;
    int32_t shown = point;
    while (n > 1 && d[n - 1] == '0') n--;
    if (point > 7 || point < -2) shown = 1;
    if (shown <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (int32_t i = shown; i < 0; i++) *p++ = '0';
        for (int32_t i = 0; i < n; i++) *p++ = d[i];
    } else {
        for (int32_t i = 0; i < shown || i < n; i++) {
            if (i == shown) *p++ = '.';
            *p++ = i < n ? d[i] : '0';
        }
        if (n <= shown) {
            *p++ = '.';
            *p++ = '0';
        }
    }
    if (shown != point) {
        *p++ = 'E';
        p += ws_put_i64(point - 1, p);
    }
    return (uint32_t)(p - to);
}

/* The first 18 digits of v > 0 and whether more follow; returns where the point is. */
WS__COLD int32_t ws__exact_digits(double v, uint8_t *digits, bool *more) {
    uint64_t bits;
    __builtin_memcpy(&bits, &v, 8);
    int32_t e = (int32_t)(bits >> 52 & 2047);
    uint64_t frac = bits & (((uint64_t)1 << 52) - 1);
    if (e) frac |= (uint64_t)1 << 52;
    else e = 1;
    e -= 1075;
    ws__big n, m;
    n.n = 2;
    n.limb[0] = (uint32_t)frac;
    n.limb[1] = (uint32_t)(frac >> 32);
    while (!n.limb[n.n - 1]) n.n--;
    m.n = 1;
    m.limb[0] = 1;
    /* 1233 / 4096 is a little less than the logarithm of 2 to base 10. */
    int32_t top = (int32_t)ws__big_bits(&n) + e - 1, point = (top * 1233 >> 12) + 1;
    if (e > 0) ws__big_shl(&n, (uint32_t)e);
    else ws__big_shl(&m, (uint32_t)-e);
    if (point > 0) ws__big_mul10(&m, (uint32_t)point);
    else ws__big_mul10(&n, (uint32_t)-point);
    /* Now 0.01 < n / m < 10: bring it to 0.1 <= n / m < 1. */
    for (; !ws__big_less(&n, &m); point++) ws__big_mul(&m, 10, 0);
    for (;;) {
        ws__big t = n;
        ws__big_mul(&t, 10, 0);
        if (!ws__big_less(&t, &m)) break;
        n = t;
        point--;
    }
    for (int i = 0; i < 18; i++) {
        ws__big_mul(&n, 10, 0);
        digits[i] = '0';
        for (; !ws__big_less(&n, &m); digits[i]++) ws__big_sub(&n, &m);
    }
    *more = n.n > 0;
    return point;
}

/* Rounds digits to n of them, ties to even; returns true when the point moved one place. */
WS__MAYBE bool ws__round_digits(const uint8_t *digits, bool more, int32_t n, uint8_t *to) {
    bool up = digits[n] > '5', tie = digits[n] == '5';
    for (int32_t i = n + 1; i < 18; i++)
        if (tie && digits[i] != '0') up = true;
    if (tie && more) up = true;
    if (tie && !up) up = (digits[n - 1] & 1) != 0;
    for (int32_t i = 0; i < n; i++) to[i] = digits[i];
    for (int32_t i = n - 1; up && i >= 0; i--) {
        up = to[i] == '9';
        to[i] = up ? '0' : (uint8_t)(to[i] + 1);
    }
    if (up) to[0] = '1';
    return up;
}

/* The fewest digits that are read as v again, by exact arithmetic. */
WS__COLD uint32_t ws__put_f64_slow(double v, uint8_t *to) {
    uint8_t digits[18], rounded[17];
    bool more;
    int32_t point = ws__exact_digits(v, digits, &more);
    /* A normal number that some 15 digits or fewer name is named by its first 15. */
    for (int32_t n = v < 2.2250738585072014e-308 ? 2 : 15;; n++) {
        int32_t at = point + ws__round_digits(digits, more, n, rounded);
        if (n == 17 || ws__f64_slow(rounded, rounded + n, at - n) == v) return ws__put_digits(rounded, n, at, to);
    }
}

/* Writes v to to, which has room for 26 bytes, with the fewest digits that are read as v again, in the form of Java's
 * Double.toString. NaN and infinities, which JSON has no text for, become null. Returns the length. */
WS__MAYBE uint32_t ws_put_f64(double v, uint8_t *to) {
    uint32_t n = 0;
    if (!(__builtin_fabs(v) <= 1.7976931348623157e308)) {
        to[0] = 'n'; to[1] = 'u'; to[2] = 'l'; to[3] = 'l';
        return 4;
    }
    if (__builtin_copysign(1.0, v) < 0) { to[n++] = '-'; v = -v; }
    /* Up to 15 digits with at most 6 of them behind the point need no search. */
    for (int32_t places = 0; v < 1e9 && places <= 6; places++) {
        double t = v * ws__pow10[places];
        if (t != (double)(int64_t)t || t / ws__pow10[places] != v) continue;
        uint8_t digits[20] = {'0', '0', '0', '0', '0', '0', '0'};
        uint8_t text[20];
        int32_t len = (int32_t)ws_put_i64((int64_t)t, text);
        if (v == 0) return n + ws__put_digits(digits, 1, 1, to + n);
        for (int32_t i = 0; i < len; i++) digits[i] = text[i];
        return n + ws__put_digits(digits, len, len - places, to + n);
    }
    return n + ws__put_f64_slow(v, to + n);
}

/* ---- The frame loop ----------------------------------------------------------------------------------------------- */

/* Reads the record at p, whose header has rec_hdr bytes. */
WS__INLINE void ws__read_record(const uint8_t *p, uint32_t rec_hdr, ws_record *r) {
    uint32_t klen = ws__load32(p + 4), vlen = ws__load32(p + 8);
    const uint8_t *part = p + rec_hdr;
    r->key = klen == WS_NULL ? ws_null() : ws_of(part, klen);
    part += ws__pad8(r->key.len);
    r->value = vlen == WS_NULL ? ws_null() : ws_of(part, vlen);
    part += ws__pad8(r->value.len);
    r->headers = ws_of(part, ws__load32(p + 12));
    r->timestamp = (int64_t)ws__load64(p + 16);
    r->offset = (int64_t)ws__load64(p + 24);
    r->index = ws__load32(p + 32);
    r->header_count = ws__load32(p + 36) & 0xFFFFu;
    r->partitions = ws__load32(p + 40);
    r->partition = (int32_t)ws__load32(p + 44);
}

/* Reads the arguments of the record at p, which stand behind its headers; null if the frame has none. */
WS__INLINE void ws__read_arguments(const uint8_t *frame, const uint8_t *p, ws_record *r) {
    uint32_t second = WS_NULL, third = WS_NULL;
    if (ws__load32(frame + 16) & WS_FRAME_HAS_ARGS) {
        second = ws__load32(p + 48);
        third = ws__load32(p + 52);
    }
    const uint8_t *part = r->headers.ptr + r->headers.len;
    r->second = second == WS_NULL ? ws_null() : ws_of(part, second);
    part += ws__pad8(r->second.len);
    r->third = third == WS_NULL ? ws_null() : ws_of(part, third);
}

/* The loop of each kind, made for each component with its function known, so that the compiler can join the two. */
#define WS__LOOP(c, frame, call)                                                                   \
    do {                                                                                           \
        uint32_t count_ = ws__load32(frame + 12), hdr_ = ws__load32(frame + 4);                    \
        const uint8_t *p_ = frame + (hdr_ & 0xFFFFu);                                              \
        ws_record r;                                                                               \
        r.second = r.third = ws_null();                                                            \
        for (uint32_t i_ = 0; i_ < count_ && !c->error; i_++, p_ += ws__load32(p_)) {              \
            ws__read_record(p_, hdr_ >> 16, &r);                                                   \
            if (p_[38] != WS_KIND_RECORD) continue;                                                \
            c->index = r.index;                                                                    \
            call;                                                                                  \
        }                                                                                          \
    } while (0)

WS__INLINE void ws__run_filter(ws_ctx *c, const uint8_t *frame, ws_predicate f) {
    WS__LOOP(c, frame, if (f(c, &r)) ws_keep(c));
}
WS__INLINE void ws__run_function(ws_ctx *c, const uint8_t *frame, ws_function f) { WS__LOOP(c, frame, f(c, &r)); }
WS__INLINE void ws__run_arguments(ws_ctx *c, const uint8_t *frame, ws_function f) {
    WS__LOOP(c, frame, (ws__read_arguments(frame, p_, &r), f(c, &r)));
}
WS__INLINE void ws__run_extractor(ws_ctx *c, const uint8_t *frame, ws_function f) {
    c->partition_time = (int64_t)ws__load64(frame + 40);
    WS__LOOP(c, frame, f(c, &r));
}
WS__INLINE void ws__run_processor(ws_ctx *c, const uint8_t *frame, ws_processor p) {
    if (p.process) WS__LOOP(c, frame, p.process(c, &r));
}

#define WS__RUN_filter(c, frame, f) ws__run_filter(c, frame, f)
#define WS__RUN_map(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_mapValues(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_flatMap(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_flatMapValues(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_selectKey(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_foreach(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_initializer(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_aggregator(c, frame, f) ws__run_arguments(c, frame, f)
#define WS__RUN_reducer(c, frame, f) ws__run_arguments(c, frame, f)
#define WS__RUN_merger(c, frame, f) ws__run_arguments(c, frame, f)
#define WS__RUN_joiner(c, frame, f) ws__run_arguments(c, frame, f)
#define WS__RUN_timestampExtractor(c, frame, f) ws__run_extractor(c, frame, f)
#define WS__RUN_topicNameExtractor(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_partitioner(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_serializer(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_deserializer(c, frame, f) ws__run_function(c, frame, f)
#define WS__RUN_process(c, frame, p) ws__run_processor(c, frame, p)
#define WS__RUN_processValues(c, frame, p) ws__run_processor(c, frame, p)

#define WS__PROCESSOR_filter(f) NULL
#define WS__PROCESSOR_map(f) NULL
#define WS__PROCESSOR_mapValues(f) NULL
#define WS__PROCESSOR_flatMap(f) NULL
#define WS__PROCESSOR_flatMapValues(f) NULL
#define WS__PROCESSOR_selectKey(f) NULL
#define WS__PROCESSOR_foreach(f) NULL
#define WS__PROCESSOR_initializer(f) NULL
#define WS__PROCESSOR_aggregator(f) NULL
#define WS__PROCESSOR_reducer(f) NULL
#define WS__PROCESSOR_merger(f) NULL
#define WS__PROCESSOR_joiner(f) NULL
#define WS__PROCESSOR_timestampExtractor(f) NULL
#define WS__PROCESSOR_topicNameExtractor(f) NULL
#define WS__PROCESSOR_partitioner(f) NULL
#define WS__PROCESSOR_serializer(f) NULL
#define WS__PROCESSOR_deserializer(f) NULL
#define WS__PROCESSOR_process(p) &p
#define WS__PROCESSOR_processValues(p) &p

WS__INLINE ws_ctx *ws__handle(int32_t handle) {
    return (uint32_t)handle < ws__rt.handle_cap ? ws__rt.handles[handle] : NULL;
}

WS__INLINE void ws__call_start(ws_ctx *c, const uint8_t *frame) {
    c->error = 0;
    c->index = WS_NO_INDEX;
    c->frame = frame;
    ws__out_start();
}

WS__INLINE int64_t ws__call_end(ws_ctx *c) {
    c->index = WS_NO_INDEX;
    c->frame = NULL;
    if (c->error) return c->error;
    uint32_t len = ws__out_finish();
    return len ? (int64_t)((uint64_t)(uintptr_t)ws__rt.out.ptr << 32 | len) : 0;
}

WS__MAYBE uint32_t ws__reserve(uint32_t n) {
    if (n > ws__rt.in.cap) {
        uint32_t size = 1u << ws__class(n < 65536 ? 65536 : n);
        ws_free(ws__rt.in.ptr, ws__rt.in.cap);
        ws__rt.in.cap = 0;
        ws__rt.in.ptr = n > 1u << 30 ? NULL : (uint8_t *)ws_alloc(size);
        if (!ws__rt.in.ptr) return 0;
        ws__rt.in.cap = size;
    }
    if (!ws__rt.in.ptr) ws__grow(&ws__rt.in, 0, 65536);
    return (uint32_t)(uintptr_t)ws__rt.in.ptr;
}

/* A free handle; the table grows by doubling. */
WS__MAYBE int32_t ws__new_handle(void) {
    for (uint32_t i = 0; i < ws__rt.handle_cap; i++)
        if (!ws__rt.handles[i]) return (int32_t)i;
    uint32_t old = ws__rt.handle_cap, cap = old ? old * 2 : 16;
    ws_ctx **table = (ws_ctx **)ws_alloc(cap * sizeof(ws_ctx *));
    if (!table) return WS_LIMIT;
    for (uint32_t i = 0; i < cap; i++) table[i] = i < old ? ws__rt.handles[i] : NULL;
    ws_free(ws__rt.handles, old * sizeof(ws_ctx *));
    ws__rt.handles = table;
    ws__rt.handle_cap = cap;
    return (int32_t)old;
}

WS__INLINE uint32_t ws__state_size(const ws_component *k) { return k->processor ? ws__pad8(k->processor->state_size) : 0; }

WS__MAYBE void ws__release(ws_ctx *c) {
    ws__rt.handles[c->handle] = NULL;
    ws_free(c, (uint32_t)sizeof(ws_ctx) + ws__state_size(c->component) + c->open.len);
}

/* Makes the context of a component: one block of itself, the processor's state and a copy of the open frame. */
WS__MAYBE ws_ctx *ws__new_ctx(const ws_component *k, ws_bytes open, int32_t handle) {
    uint32_t state = ws__state_size(k);
    ws_ctx *c = (ws_ctx *)ws_alloc((uint32_t)sizeof(ws_ctx) + state + open.len);
    if (!c) return NULL;
    uint8_t *at = (uint8_t *)(c + 1);
    for (uint32_t i = 0; i < state; i += 8) ws__store64(at + i, 0);
    __builtin_memcpy(at + state, open.ptr, open.len);
    c->component = k;
    c->handle = handle;
    c->error = 0;
    c->index = WS_NO_INDEX;
    c->frame = NULL;
    c->partition_time = -1;
    c->open = ws_of(at + state, open.len);
    c->state = state ? at : NULL;
    ws__rt.handles[handle] = c;
    return c;
}

WS__MAYBE int32_t ws__open(const ws_component *table, uint32_t n, const uint8_t *ptr, uint32_t len) {
    if (len < 8 || ws__load32(ptr) != WS_OPEN_MAGIC) return WS_INVALID_ARG;
    ws_bytes rest = ws_of(ptr + 8, len - 8), key, value, name = ws_null();
    while (ws_pairs_next(&rest, &key, &value))
        if (ws_equal(key, ws_str("component"))) name = value;
    if (rest.len) return WS_INVALID_ARG;
    for (uint32_t i = 0; i < n; i++) {
        if (!ws_equal(name, ws_str(table[i].name))) continue;
        int32_t handle = ws__new_handle();
        if (handle < 0) return handle;
        ws_ctx *c = ws__new_ctx(&table[i], ws_of(ptr, len), handle);
        if (!c) return WS_LIMIT;
        if (table[i].processor && table[i].processor->init) ws_abort(c, table[i].processor->init(c));
        if (!c->error) return handle;
        int32_t error = c->error;
        ws__release(c);
        return error;
    }
    ws1_set_error(WS_NO_INDEX, WS_CLASS_FAIL, "no such component", 17);
    return WS_NOT_FOUND;
}

WS__MAYBE int64_t ws__process(int32_t handle, const uint8_t *frame, uint32_t len) {
    ws_ctx *c = ws__handle(handle);
    if (!c || len < WS_FRAME_HEADER || ws__load32(frame) != WS_FRAME_MAGIC) return WS_INVALID_ARG;
    ws__call_start(c, frame);
    c->component->run(c, frame);
    return ws__call_end(c);
}

WS__MAYBE int64_t ws__punctuate(int32_t handle, int32_t timer, int64_t time) {
    ws_ctx *c = ws__handle(handle);
    if (!c) return WS_INVALID_ARG;
    ws__call_start(c, NULL);
    const ws_processor *p = c->component->processor;
    if (p && p->punctuate) p->punctuate(c, timer, time);
    return ws__call_end(c);
}

WS__MAYBE int64_t ws__flush(int32_t handle) {
    ws_ctx *c = ws__handle(handle);
    if (!c) return WS_INVALID_ARG;
    ws__call_start(c, NULL);
    const ws_processor *p = c->component->processor;
    if (p && p->flush) p->flush(c);
    return ws__call_end(c);
}

WS__MAYBE int32_t ws__close(int32_t handle, int32_t reason) {
    ws_ctx *c = ws__handle(handle);
    if (!c) return WS_INVALID_ARG;
    ws__call_start(c, NULL);
    const ws_processor *p = c->component->processor;
    if (p && p->close) p->close(c, reason);
    ws__release(c);
    return 0;
}

/* ---- The module and its manifest ---------------------------------------------------------------------------------- */

/* Options of a component: WS_WANTS, WS_STORES, WS_BUFFERS, WS_DESCRIPTION, written one behind the other. Each is a
 * piece of JSON, escaped for the assembler. */
#define WS__Q "\\\""
#define WS__S(s) WS__Q s WS__Q

#define WS_KEY WS__S("key")
#define WS_VALUE WS__S("value")
#define WS_HEADERS WS__S("headers")

#define WS__COUNT(...) WS__COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1)
#define WS__COUNT_(a, b, c, d, e, f, g, h, n, ...) n
#define WS__CAT(a, b) WS__CAT_(a, b)
#define WS__CAT_(a, b) a##b
#define WS__LIST1(m, a) m(a)
#define WS__LIST2(m, a, ...) m(a) "," WS__LIST1(m, __VA_ARGS__)
#define WS__LIST3(m, a, ...) m(a) "," WS__LIST2(m, __VA_ARGS__)
#define WS__LIST4(m, a, ...) m(a) "," WS__LIST3(m, __VA_ARGS__)
#define WS__LIST5(m, a, ...) m(a) "," WS__LIST4(m, __VA_ARGS__)
#define WS__LIST6(m, a, ...) m(a) "," WS__LIST5(m, __VA_ARGS__)
#define WS__LIST7(m, a, ...) m(a) "," WS__LIST6(m, __VA_ARGS__)
#define WS__LIST8(m, a, ...) m(a) "," WS__LIST7(m, __VA_ARGS__)
#define WS__LIST(m, ...) WS__CAT(WS__LIST, WS__COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define WS__SAME(a) a

/* The parts of a record that the component reads: WS_WANTS(WS_VALUE), WS_WANTS(WS_KEY, WS_VALUE), WS_WANTS_NOTHING.
 * Without it, all. */
#define WS_WANTS(...) "," WS__S("wants") ":[" WS__LIST(WS__SAME, __VA_ARGS__) "]"
#define WS_WANTS_NOTHING "," WS__S("wants") ":[]"
/* The names of up to 8 stores that a processor opens. */
#define WS_STORES(...) "," WS__S("stores") ":[" WS__LIST(WS__S, __VA_ARGS__) "]"
/* The processor holds records back until flush. */
#define WS_BUFFERS "," WS__S("buffers") ":true"
#define WS_DESCRIPTION(text) "," WS__S("description") ":" WS__S(text)

/* Each component writes a comma for the one before it by an assembler macro that is empty the first time. */
#define WS__MANIFEST(kind, fn, name, options)                                                                     \
    "ws_comma\n.purgem ws_comma\n.macro ws_comma\n.ascii \",\"\n.endm\n"                                           \
    ".ascii \"{" WS__S("name") ":" WS__S(name) "," WS__S("kind") ":" WS__S(#kind) options "}\"\n"

#define WS__RUNNER(kind, fn, name, options) \
    static void ws__component_##fn(ws_ctx *c, const uint8_t *frame) { WS__RUN_##kind(c, frame, fn); }
#define WS__ENTRY(kind, fn, name, options) {name, ws__component_##fn, WS__PROCESSOR_##kind(fn)},

#ifdef __cplusplus
#define WS__C extern "C"
#else
#define WS__C
#endif
#define WS__EXPORT(name) WS__C __attribute__((export_name(#name)))

/* Declares the module: its name, version and table of components, a macro that calls its argument once for each:
 *     #define COMPONENTS(C) C(kind, function, "name", options) C(...)                                             */
#define WS_MODULE(name, version, components)                                                                       \
    __asm__(".section .custom_section.ws.manifest,\"\",@\n.macro ws_comma\n.endm\n"                                \
            ".ascii \"{" WS__S("abi") ":1," WS__S("name") ":" WS__S(name) "," WS__S("version") ":" WS__S(version)  \
            "," WS__S("language") ":" WS__S("c") "," WS__S("sdk") ":" WS__S(WS_SDK) "," WS__S("components") ":[\"\n" \
            components(WS__MANIFEST) ".ascii \"]}\"\n.purgem ws_comma\n.section .text,\"\",@\n");                   \
    WS__EXPORTS(components)

/* The components' runners and table, and the exports. */
#define WS__EXPORTS(components)                                                                                    \
    components(WS__RUNNER)                                                                                         \
    static const ws_component ws__components[] = {components(WS__ENTRY){NULL, NULL, NULL}};                        \
    WS__EXPORT(ws_abi_v1) int32_t ws_abi_v1(void) { return 1; }                                                    \
    WS__EXPORT(ws_reserve) uint32_t ws_reserve(uint32_t n) { return ws__reserve(n); }                              \
    WS__EXPORT(ws_open) int32_t ws_open(const uint8_t *ptr, uint32_t len) {                                        \
        return ws__open(ws__components, sizeof ws__components / sizeof *ws__components - 1, ptr, len);             \
    }                                                                                                              \
    WS__EXPORT(ws_process) int64_t ws_process(int32_t handle, const uint8_t *ptr, uint32_t len) {                  \
        return ws__process(handle, ptr, len);                                                                      \
    }                                                                                                              \
    WS__EXPORT(ws_punctuate) int64_t ws_punctuate(int32_t handle, int32_t timer, int64_t time) {                   \
        return ws__punctuate(handle, timer, time);                                                                 \
    }                                                                                                              \
    WS__EXPORT(ws_flush) int64_t ws_flush(int32_t handle, int64_t epoch) {                                         \
        (void)epoch;                                                                                               \
        return ws__flush(handle);                                                                                  \
    }                                                                                                              \
    WS__EXPORT(ws_close) int32_t ws_close(int32_t handle, int32_t reason) { return ws__close(handle, reason); }    \
    WS__CONNECT_EXPORTS(components)

#ifndef WS_CONNECT
#define WS__CONNECT_EXPORTS(components)
#endif

#ifdef __cplusplus
}
#endif

#endif /* WASMSTREAM_H */
